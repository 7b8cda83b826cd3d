"""Tables: CSV, JSON lines, Parquet and data frames, with numbers, images, and cells that are wrong."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from somscope.data import open_collection, reopen
from somscope.errors import DataError, InputError

CSV = "name,height,width,colour,label\nann,1.5,2,red,x\nbob,2.5,,blue,y\ncat,3.5,4,red,x\n"


@pytest.fixture
def csv(tmp_path):
    def write(text=CSV, name="table.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_csv_defaults(csv):
    collection = open_collection(csv())
    assert (collection.kind, collection.name) == ("vectors", "table")
    assert collection.feature_names == ("height", "width")
    np.testing.assert_array_equal(collection.features, [[1.5, 2], [2.5, np.nan], [3.5, 4]])
    assert collection.label_names == ("x", "y")
    assert collection.labels.tolist() == [0, 1, 0]
    assert collection.metadata.column_names == ["name", "colour"]
    assert collection.ids.tolist() == ["0", "1", "2"]


def test_csv_options(csv):
    options = {"columns": "width, height", "label_column": "colour", "id_column": "name"}
    collection = open_collection(csv(), **options)
    assert collection.feature_names == ("width", "height")
    assert collection.ids.tolist() == ["ann", "bob", "cat"]
    assert collection.label_names == ("blue", "red")
    assert collection.metadata.column_names == ["label"]
    assert reopen(json.loads(json.dumps(collection.source))).fingerprint == collection.fingerprint
    assert open_collection(csv(), columns=["width"]).features.shape == (3, 1)


def test_text_in_number_columns_names_columns_and_rows(csv):
    rows = "\n".join(f"{i},{i * 2},{i % 3}" for i in range(20))
    path = csv(f"a,b,c\n{rows}\nthree,5,6\n7,n/a!,9\n")
    with pytest.raises(InputError, match="text in number columns") as caught:
        open_collection(path)
    assert "'a' (row 21: \"three\")" in str(caught.value)
    assert "'b' (row 22: \"n/a!\")" in str(caught.value)
    with pytest.raises(InputError, match=r"'a' \(row 21"):
        open_collection(path, columns="a,c")
    assert open_collection(path, columns="c").features.shape == (22, 1)


def test_text_far_below_is_named_too(csv):
    body = "".join(f"{i},0.5\n" for i in range(150_000))
    path = csv(f"a,b\n{body}oops,0.5\n")
    with pytest.raises(InputError, match=r"'a' \(row 150001: \"oops\"\)"):
        open_collection(path)
    assert open_collection(path, columns="b").features.shape == (150_001, 1)


def test_word_columns_are_metadata_and_asking_for_one_is_an_error(csv):
    with pytest.raises(InputError, match=r"'colour' \(row 1: \"red\"; row 2: \"blue\"; row 3: \"red\"\)"):
        open_collection(csv(), columns="height,colour")
    with pytest.raises(InputError, match="no column of numbers among a, b"):
        open_collection(csv("a,b\nx,y\n"))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (CSV, {"columns": "height,depth"}, "'depth'; the table has name, height"),
        (CSV, {"label_column": "species"}, "label_column names 'species'"),
        (CSV, {"id_column": "colour"}, "1 ids occur more than once, for example 'red'"),
        (
            CSV,
            {"colums": "height"},
            "unknown option colums for table file; allowed: name, columns, label_column",
        ),
        (CSV, {"limit": 0}, "limit=0"),
        ("a,b\n", {}, "no rows"),
        ("a,b\n1,inf\n", {}, "row 0 column 1"),
        ("a,y\n1,0.5\n2,0.7\n", {"label_column": "y"}, "measured column"),
    ],
)
def test_wrong_options_and_values(csv, text, options, message):
    with pytest.raises(InputError, match=message):
        open_collection(csv(text), **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as csv"),
        ("a,a\n1,2\n", "occur more than once: a"),
        ("a,b\n1,2\n3\n", "cannot be read"),
    ],
)
def test_broken_csv(csv, text, message):
    with pytest.raises(DataError, match=message):
        open_collection(csv(text))


def test_csv_that_is_no_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xff\xfe\x00a,b\n\x80\x81,2\n")
    with pytest.raises(DataError, match="cannot be read as csv"):
        open_collection(path)


def test_csv_without_names(csv):
    collection = open_collection(csv("1,2\n3,4\n"))
    assert collection.feature_names == ("f0", "f1")
    np.testing.assert_array_equal(collection.features, [[1, 2], [3, 4]])


def test_tsv_quotes_and_marks(csv):
    path = csv("\ufeffa\tb c\tt\n1\t2\t'x\n", "t.tsv")
    collection = open_collection(path)
    assert collection.feature_names == ("a", "b c")
    quoted = csv('a,t\n1,"x, y\nz"\n')
    assert open_collection(quoted).metadata["t"].to_pylist() == ["x, y\nz"]


def test_jsonl(tmp_path):
    rows = [{"v": [1.0, 2.0], "k": 3, "label": "p"}, {"v": [4.0, 5.0], "k": None, "label": "q"}]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    collection = open_collection(path)
    assert collection.feature_names == ("v[0]", "v[1]", "k")
    np.testing.assert_array_equal(collection.features, [[1, 2, 3], [4, 5, np.nan]])
    path.write_text('{"v": [1, 2]}\n{"v": [1]}\n')
    with pytest.raises(InputError, match="lists in column 'v' must all have one length: row 1"):
        open_collection(path)
    path.write_text('{"v": \n')
    with pytest.raises(DataError, match="cannot be read as jsonl"):
        open_collection(path)


def test_parquet_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3)).astype(np.float32)
    table = pa.table({**{f"c{i}": x[:, i] for i in range(3)}, "flag": x[:, 0] > 0, "label": ["a", "b"] * 25})
    parquet.write_table(table, tmp_path / "t.parquet")
    collection = open_collection(tmp_path / "t.parquet", columns="c0,c1,c2")
    assert collection.features.dtype == np.float32
    np.testing.assert_array_equal(collection.features, x)
    everything = open_collection(tmp_path / "t.parquet")
    assert everything.feature_names == ("c0", "c1", "c2", "flag")
    np.testing.assert_array_equal(everything.features[:, 3], x[:, 0] > 0)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 nothing PAR1", b"a,b\n1,2\n"])
def test_broken_parquet(tmp_path, content):
    path = tmp_path / "t.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as parquet"):
        open_collection(path)


def test_truncated_parquet(tmp_path):
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"a": np.arange(1000.0)}), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataError, match="cannot be read as parquet"):
        open_collection(path)


def _png(value, size=(8, 8)):
    file = io.BytesIO()
    Image.new("RGB", size, (value, 0, 0)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("struct", [True, False])
def test_parquet_of_images(tmp_path, struct):
    blobs = [_png(1), b"no image", _png(3), None]
    cells = [{"bytes": b, "path": f"{i}.png"} for i, b in enumerate(blobs)] if struct else blobs
    parquet.write_table(
        pa.table({"img": cells, "label": [1, 0, 0, 1], "k": [5, 6, 7, 8]}), tmp_path / "t.parquet"
    )
    collection = open_collection(tmp_path / "t.parquet", label_names=["cat", "dog"])
    assert collection.image_shape == (8, 8, 3)
    assert collection.features[:, 0, 0, 0].tolist() == [1, 3]
    assert collection.labels.tolist() == [1, 0]
    assert collection.label_names == ("cat", "dog")
    assert collection.metadata["k"].to_pylist() == [5, 7]
    assert [item.where for item in collection.skipped] == ["row 1", "row 3"]
    assert (collection.paths.tolist() if struct else collection.paths) == (
        ["0.png", "2.png"] if struct else None
    )


def test_two_columns_of_images_need_a_choice(tmp_path):
    parquet.write_table(pa.table({"a": [_png(1)], "b": [_png(2)], "n": [1.0]}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"several columns of images \(a, b\)"):
        open_collection(tmp_path / "t.parquet")
    chosen = open_collection(tmp_path / "t.parquet", image_column="b")
    assert chosen.features[0, 0, 0, 0] == 2
    with pytest.raises(InputError, match="holds bytes"):
        open_collection(tmp_path / "t.parquet", image_column="n")
    assert open_collection(tmp_path / "t.parquet", columns="n").kind == "vectors"


def test_class_names_inside_a_parquet_file(tmp_path):
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    table = pa.table({"x": [1.0, 2.0], "label": [1, 0]})
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    parquet.write_table(table, tmp_path / "t.parquet")
    assert open_collection(tmp_path / "t.parquet").label_names == ("cat", "dog")


def test_pandas_and_arrow_in_memory():
    pandas = pytest.importorskip("pandas", reason="pandas is not a dependency")
    frame = pandas.DataFrame({"a": [1.0, None], "b": [3, 4], "label": ["u", "v"]})
    for table in (frame, pa.Table.from_pandas(frame)):
        collection = open_collection(table)
        np.testing.assert_array_equal(collection.features, [[1, 3], [np.nan, 4]])
        assert collection.label_names == ("u", "v")


def test_limit_keeps_rows_together(csv):
    path = csv("a,label\n" + "".join(f"{i},{i}\n" for i in range(50)))
    some = open_collection(path, limit=10, seed=4)
    assert [some.label_names[label] for label in some.labels] == [f"{v:.0f}" for v in some.features[:, 0]]
    assert open_collection(path, limit=2).features.ravel().tolist() == [0, 1]


def test_numbers_kept_as_text_are_read_when_asked_for(tmp_path):
    table = pa.table({"code": ["007", " 12 ", None], "x": [1.0, 2.0, 3.0], "none": pa.nulls(3)})
    parquet.write_table(table, tmp_path / "t.parquet")
    assert open_collection(tmp_path / "t.parquet").feature_names == ("x",)
    asked = open_collection(tmp_path / "t.parquet", columns="code,none")
    np.testing.assert_array_equal(asked.features[:, 0], [7, 12, np.nan])
    assert np.isnan(asked.features[:, 1]).all()
