"""Tables: CSV, JSON lines, Parquet and data frames, with numbers, images, and cells that are wrong."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image
from pyarrow import parquet

from somscope.data import open_collection, reopen, table_files, tables
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
    assert "'a' (row 20: \"three\")" in str(caught.value)
    assert "'b' (row 21: \"n/a!\")" in str(caught.value)
    with pytest.raises(InputError, match=r"'a' \(row 20.*rows count from 0"):
        open_collection(path, columns="a,c")
    assert open_collection(path, columns="c").features.shape == (22, 1)


def test_text_far_below_is_named_too(csv):
    body = "".join(f"{i},0.5\n" for i in range(150_000))
    path = csv(f"a,b\n{body}oops,0.5\n")
    with pytest.raises(InputError, match=r"'a' \(row 150000: \"oops\"\)"):
        open_collection(path)
    assert open_collection(path, columns="b").features.shape == (150_001, 1)


def test_word_columns_are_metadata_and_asking_for_one_is_an_error(csv):
    with pytest.raises(InputError, match=r"'colour' \(row 0: \"red\"; row 1: \"blue\"; row 2: \"red\"\)"):
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
        ("a,b\n1,inf\n", {}, "item 0 column 'b'"),
        (CSV, {"columns": "heigth"}, "did you mean 'height'"),
        (CSV, {"columns": "height,height"}, "names one column twice"),
        (
            "a,k\n1,x\n2,\n3,\n",
            {"id_column": "k"},
            r"id_column 'k' is empty in row 1, 2 \(rows count from 0\)",
        ),
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
        ("a,a\n1,2\n", "occur more than once: 'a'"),
        ("a,b\n1,2\n3\n", "row 1 has 1 cells, the first line 2"),
        ("1,2\n3,4\n5,6,7\n", "row 2 has 3 cells, the first line 2"),
    ],
)
def test_broken_csv(csv, text, message):
    with pytest.raises(DataError, match=message):
        open_collection(csv(text))


@pytest.mark.parametrize(
    "ids", [["007", "7", "1.10"], ["NA", "7"], ["2020-01-02", "2020-1-2"], ["true", "1"]]
)
def test_ids_stay_as_they_are_written(csv, ids):
    rows = csv("k,a\n" + "".join(f"{name},{row}\n" for row, name in enumerate(ids)))
    assert open_collection(rows, id_column="k").ids.tolist() == ids
    texts = csv("k,t\n" + "".join(f"{name},pear\n" for name in ids))
    assert open_collection(texts, id_column="k", text_column="t").ids.tolist() == ids
    with pytest.raises(InputError, match="id_column 'k' is empty in row 1 "):
        open_collection(csv("k,a\n007,1\n,2\n"), id_column="k")


def test_ids_stay_as_they_are_written_where_a_word_lies_far_below(csv):
    body = "".join(f"{i:07d},0.5,{i:0200d}\n" for i in range(80_000))
    path = csv(f"k,a,b\n{body}9999999,0.5,oops\n")
    assert path.stat().st_size > table_files._BLOCK, "only then are all columns read again, as text"
    assert open_collection(path, id_column="k", columns="a", limit=2).ids.tolist() == ["0000000", "0000001"]


def test_labels_that_begin_with_a_zero_are_words(csv):
    collection = open_collection(csv("a,label\n1,007\n2,7\n3,10\n4,\n"))
    assert collection.label_names == ("007", "10", "7")
    assert collection.labels.tolist() == [0, 2, 1, -1]
    plain = open_collection(csv("a,y\n1,10\n2,9\n3,NA\n4,-1\n5,9007199254740993\n"), label_column="y")
    assert plain.label_names == ("9", "10", "9007199254740993")
    assert plain.labels.tolist() == [1, 0, -1, -1, 2]
    assert open_collection(csv("a,label\n1,1.0\n2,\n3,2.0\n")).label_names == ("1", "2")
    texts = open_collection(csv("t,label\npear,01\nplum,1\n"), text_column="t")
    assert texts.label_names == ("01", "1")
    named = open_collection(csv("a,label\n1,00\n2,01\n3,b\n"), label_names=["a", "b"])
    assert named.labels.tolist() == [0, 1, 1]


def test_texts_stay_as_they_are_written(csv):
    collection = open_collection(csv("t\n0070\n1.50\n"), text_column="t")
    assert collection.texts.tolist() == ["0070", "1.50"]


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl", "pandas"])
def test_text_that_is_all_numbers_is_features(tmp_path, kind):
    table = pa.table(
        {
            "a": ["1.5", "+2", None, " 4e1 "],
            "b": [1.0, 2.0, 3.0, 4.0],
            "w": ["x", "y", "z", "z"],
            "e": pa.array(["NA", "NA", "NA", "NA"]),
        }
    )
    path = tmp_path / f"t.{kind}"
    if kind == "pandas":
        pytest.importorskip("pandas", reason="pandas is not a dependency")
    if kind == "csv":
        path.write_text("a,b,w,e\n1.5,1,x,NA\n+2,2,y,NA\n,3,z,NA\n 4e1 ,4,z,NA\n")
    elif kind == "parquet":
        parquet.write_table(table, path)
    elif kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, table.to_pylist())))
    collection = open_collection(table.to_pandas() if kind == "pandas" else path)
    assert collection.feature_names == ("a", "b")
    np.testing.assert_array_equal(collection.features, [[1.5, 1], [2, 2], [np.nan, 3], [40, 4]])
    assert collection.metadata.column_names == ["w", "e"]


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
    with pytest.raises(InputError, match="must all have one length: row 1 has 1 numbers, others 2"):
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


def test_columns_without_numbers_are_read_when_asked_for(tmp_path):
    table = pa.table({"code": ["007", " 12 ", None], "x": [1.0, 2.0, 3.0], "none": pa.nulls(3)})
    parquet.write_table(table, tmp_path / "t.parquet")
    assert open_collection(tmp_path / "t.parquet").feature_names == ("code", "x")
    asked = open_collection(tmp_path / "t.parquet", columns="code,none")
    np.testing.assert_array_equal(asked.features[:, 0], [7, 12, np.nan])
    assert np.isnan(asked.features[:, 1]).all()


def test_limit_tells_rows_as_the_table_counts_them(csv):
    path = csv("a,label\n" + "".join(f"{i},{i}\n" for i in range(50)))
    some = open_collection(path, limit=10, seed=4)
    assert some.ids.tolist() == [f"{value:.0f}" for value in some.features[:, 0]]
    rows = [[1.0, 2.0]] * 49 + [[1.0]]
    with pytest.raises(InputError, match="row 49 has 1 numbers"):
        open_collection(pa.table({"v": rows}), limit=45, seed=0)
    with pytest.raises(InputError, match=r"label 0\.5 of item 49"):
        open_collection(pa.table({"x": range(50), "label": [1.0] * 49 + [0.5]}), limit=45, seed=0)


_WORDS = ["None", "NA", "null", "n/a", ""]


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_class_names_that_read_like_nothing_are_names(tmp_path, kind):
    path = tmp_path / f"t.{kind}"
    numbers = ["NA", "1", "2", "", "3"] if kind == "csv" else [None, 1.0, 2.0, None, 3.0]
    rows = list(zip(numbers, _WORDS, strict=True))
    if kind == "csv":
        path.write_text("x,label\n" + "".join(f"{x},{word}\n" for x, word in rows))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"x": x, "label": word}) + "\n" for x, word in rows))
    else:
        parquet.write_table(pa.table({"x": numbers, "label": _WORDS}), path)
    collection = open_collection(path)
    assert collection.label_names == ("NA", "None", "n/a", "null")
    assert collection.labels.tolist() == [1, 0, 3, 2, -1]
    np.testing.assert_array_equal(collection.features[:, 0], [np.nan, 1, 2, np.nan, 3])
    named = open_collection(path, id_column="label", columns="x", limit=4)
    assert named.ids.tolist() == ["None", "NA", "null", "n/a"]


def test_missing_numbers_do_not_make_a_column_of_words(csv):
    collection = open_collection(csv("a,b,c\n+1,NA,x\n 2,n/a,\nNA,3,NA\n"))
    assert collection.feature_names == ("a", "b")
    np.testing.assert_array_equal(collection.features, [[1, np.nan], [2, np.nan], [np.nan, 3]])
    assert collection.metadata["c"].to_pylist() == ["x", None, "NA"]
    with pytest.raises(InputError, match=r"'a' \(row 2: \"two\"\) \(rows count from 0\)"):
        open_collection(csv("a\n1\nNA\ntwo\n3\n"))


_ODD_TEXT = {
    "large_string": pa.large_string(),
    "string_view": pa.string_view(),
    "dictionary": pa.dictionary(pa.int8(), pa.string()),
    "dictionary of large": pa.dictionary(pa.int32(), pa.large_string()),
}


@pytest.mark.parametrize("kind", _ODD_TEXT.values(), ids=_ODD_TEXT)
def test_odd_types_of_text_are_text(tmp_path, kind):
    words = pa.array(["fox", "NA", None, "fox"]).cast(kind)
    codes = pa.array(["1", "2", "x", "4"]).cast(kind)
    table = pa.table({"code": codes, "x": [1.0, 2.0, 3.0, 4.0], "label": words})
    parquet.write_table(table, tmp_path / "t.parquet")
    for source in (table, tmp_path / "t.parquet"):
        collection = open_collection(source, columns="x")
        assert collection.label_names == ("NA", "fox")
        assert collection.labels.tolist() == [1, 0, -1, 1]
        assert collection.metadata["code"].to_pylist() == ["1", "2", "x", "4"]
        with pytest.raises(InputError, match=r"text in number columns: 'code' \(row 2: \"x\"\)"):
            open_collection(source)
        asked = open_collection(source, columns="code", limit=2)
        np.testing.assert_array_equal(asked.features[:, 0], [1, 2])
    texts = open_collection(tmp_path / "t.parquet", text_column="label", id_column="code")
    assert texts.texts.tolist() == ["fox", "NA", "", "fox"]
    assert texts.ids.tolist() == ["1", "2", "x", "4"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_view(pa.float32())),
        pa.array([[1.0, 2.0], [3.0, 4.0]], pa.large_list_view(pa.float32())),
        pa.array([[1.0, 2.0], [3.0, 4.0]], pa.large_list(pa.float32())),
        pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)),
        pa.FixedShapeTensorArray.from_numpy_ndarray(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)),
    ],
    ids=lambda column: str(column.type)[:30],
)
def test_odd_types_of_lists_are_vectors(column):
    collection = open_collection(pa.table({"v": column}))
    np.testing.assert_array_equal(collection.features, [[1, 2], [3, 4]])
    assert collection.features.dtype == np.float32


def test_a_missing_list_is_told_whatever_its_type():
    for kind in (pa.list_(pa.float32()), pa.list_view(pa.float32()), pa.list_(pa.float32(), 1)):
        with pytest.raises(InputError, match="row 1 has no list, others 1"):
            open_collection(pa.table({"v": pa.array([[1.0], None, [2.0]], kind)}))
    with pytest.raises(InputError, match="lists in column 'v' hold nothing"):
        open_collection(pa.table({"v": pa.array([None, []], pa.list_(pa.float32()))}))


def test_odd_types_of_numbers():
    table = pa.table(
        {
            "decimal": pa.array([1, None, 3]).cast(pa.decimal128(22, 2)),
            "half": pa.array(np.array([1, 2, 3], np.float16)),
            "category": pa.array([4, 5, 4]).dictionary_encode(),
            "runs": pc.run_end_encode(pa.array([7, 7, 8])),
            "bool8": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0, None], pa.int8())),
        }
    )
    collection = open_collection(table)
    assert collection.feature_names == tuple(table.column_names)
    expected = [[1, 1, 4, 7, 1], [np.nan, 2, 5, 7, 0], [3, 3, 4, 8, np.nan]]
    np.testing.assert_array_equal(collection.features, expected)


def test_columns_that_are_no_features_are_metadata(tmp_path):
    moments = pa.array([0, 1], pa.timestamp("s"))
    uuids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, b"1" * 16], pa.binary(16)))
    structs = pa.array([{"a": 1}, {"a": 2}])
    words = pa.array([["p"], ["q", "r"]], pa.list_(pa.string()))
    table = pa.table({"x": [1.0, 2.0], "when": moments, "uuid": uuids, "s": structs, "words": words})
    parquet.write_table(table, tmp_path / "t.parquet")
    collection = open_collection(tmp_path / "t.parquet")
    assert collection.feature_names == ("x",)
    assert collection.metadata.column_names == ["when", "uuid", "s", "words"]
    for column in ("s", "words"):
        with pytest.raises(InputError, match=f"text_column '{column}' holds"):
            open_collection(tmp_path / "t.parquet", text_column=column)
        with pytest.raises(InputError, match="neither a word nor a whole number"):
            open_collection(tmp_path / "t.parquet", label_column=column)


def test_parquet_of_large_or_viewed_images(tmp_path):
    for kind in (pa.large_binary(), pa.binary_view()):
        table = pa.table({"img": pa.array([_png(1), None], kind)})
        parquet.write_table(table, tmp_path / "t.parquet")
        assert open_collection(tmp_path / "t.parquet").features.shape == (1, 8, 8, 3)
    cells = pa.array([{"bytes": 3}, {"bytes": 4}])
    with pytest.raises(InputError, match="holds bytes, or a struct"):
        open_collection(pa.table({"img": cells}), image_column="img")


def test_two_columns_of_one_name(tmp_path):
    table = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["a", "a"])
    parquet.write_table(table, tmp_path / "t.parquet")
    for source in (table, tmp_path / "t.parquet"):
        with pytest.raises(DataError, match="occur more than once: 'a'"):
            open_collection(source)


def test_a_table_of_few_bytes_and_many_rows_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"x": np.zeros(300_000)}), path)
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(table_files, "MAX_ARRAY_BYTES", 1_000_000)
    with pytest.raises(DataError, match=r"declares 2,400,000 bytes of rows; the limit is 1,000,000"):
        open_collection(path)
    (tmp_path / "t.csv").write_text("a\n" + "1\n" * 600_000)
    with pytest.raises(DataError, match="larger than the limit of 1,000,000 bytes"):
        open_collection(tmp_path / "t.csv")


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_other_delimiters(csv, mark):
    path = csv(f'"a, or b"{mark}b{mark}label\n1{mark}2{mark}x\n3{mark}4{mark}"y, z"\n')
    collection = open_collection(path)
    assert collection.feature_names == ("a, or b", "b")
    assert collection.label_names == ("x", "y, z")


@pytest.mark.parametrize(
    "text", ["\ufeffa\n1\n\n\n2\n", "\n\na\r\n1\r\n2\r\n", '"a"\n"1"\n"2"', "a\n1\n2\n\n"]
)
def test_one_column_and_empty_lines(csv, text):
    collection = open_collection(csv(text))
    assert collection.feature_names == ("a",)
    assert collection.features.ravel().tolist() == [1, 2]


def test_first_row_of_data_may_miss_numbers(csv):
    assert open_collection(csv("1,NA\n3,4\n")).feature_names == ("f0", "f1")
    assert open_collection(csv(",2019,2020\na,1,2\n")).feature_names == ("2019", "2020"), "years are names"
    assert open_collection(csv("\n1,2\n3,4\n")).features.tolist() == [[1, 2], [3, 4]]


def test_other_encodings(tmp_path):
    path = tmp_path / "t.csv"
    for content, message in (
        (("a,label\n" + "2,tea\n" * 5000 + "1,café\n").encode("latin-1"), "'label' is not UTF-8 text"),
        ("é,b\n1,2\n".encode("latin-1"), "it is not UTF-8 text"),
        ("a,b\n1,2\n".encode("utf-16"), "it is not UTF-8 text"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            open_collection(path)


@pytest.mark.parametrize("last", ["x,caf", "1,caf"])
def test_another_encoding_below_the_first_block(tmp_path, monkeypatch, last):
    monkeypatch.setattr(table_files, "_BLOCK", 1 << 12)
    (tmp_path / "t.csv").write_bytes(b"a,b\n" + b"1,2\n" * 5000 + last.encode() + b"\xe9\n")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        open_collection(tmp_path / "t.csv")


def test_a_data_frame_that_arrow_cannot_hold():
    pandas = pytest.importorskip("pandas", reason="pandas is not a dependency")
    for frame in (
        pandas.DataFrame({"a": [1, "x", object()]}),
        pandas.DataFrame(np.eye(2), columns=["a", "a"]),
    ):
        with pytest.raises(InputError, match="data frame cannot be read"):
            open_collection(frame)
    frame = pandas.DataFrame({"x": [1.0, 2.0], "label": pandas.Categorical(["v", "u"])})
    assert open_collection(frame).label_names == ("u", "v")


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "memory"])
def test_text_that_is_not_utf8_in_other_tables(tmp_path, kind):
    words = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, 4], np.int32)), pa.py_buffer(b"caf\xe9")]
    )
    source = pa.table({"x": [1.0], "label": words})
    if kind == "jsonl":
        source = tmp_path / "t.jsonl"
        source.write_bytes(b'{"x": 1.0, "label": "caf\xe9"}\n')
    elif kind == "parquet":
        parquet.write_table(source, tmp_path / "t.parquet")
        source = tmp_path / "t.parquet"
    with pytest.raises(DataError, match="is damaged, or not UTF-8 text"):
        open_collection(source)


def test_names_are_looked_up_once():
    """Each look at a table's names makes a list of all of them: one look a column made 5,000 columns take 40 s."""

    class Watched:
        looks = 0

        @property
        def column_names(self):
            self.looks += 1
            return [f"c{place}" for place in range(100)]

    watched = Watched()
    tables._check_columns("t", "columns", watched.column_names, watched)
    assert watched.looks <= 2


@pytest.mark.parametrize("columns", [3, [0], [["a"]], 1.5])
def test_columns_are_names(columns):
    with pytest.raises(InputError, match=r"columns=.*: give names"):
        open_collection(pa.table({"a": [1.0]}), columns=columns)


def test_a_column_of_bytes_that_are_no_images_is_told_by_name():
    table = pa.table({"hash": [b"a", b"b"], "x": [1.0, 2.0]})
    with pytest.raises(
        DataError, match=r"column 'hash': none of 2 images can be used .*; for numbers name their columns"
    ):
        open_collection(table)
    assert open_collection(table, columns="x").features.shape == (2, 1)
