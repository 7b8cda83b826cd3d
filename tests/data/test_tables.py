"""Tables in Parquet, JSON lines and memory: features, images, texts, labels, odd types, broken files."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image
from pyarrow import parquet

from somscope.data import open_collection, table_files, tables
from somscope.errors import DataError, InputError


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


def test_columns_without_numbers_are_read_when_asked_for(tmp_path):
    table = pa.table({"code": ["007", " 12 ", None], "x": [1.0, 2.0, 3.0], "none": pa.nulls(3)})
    parquet.write_table(table, tmp_path / "t.parquet")
    assert open_collection(tmp_path / "t.parquet").feature_names == ("code", "x")
    asked = open_collection(tmp_path / "t.parquet", columns="code,none")
    np.testing.assert_array_equal(asked.features[:, 0], [7, 12, np.nan])
    assert np.isnan(asked.features[:, 1]).all()


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
