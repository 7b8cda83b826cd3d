"""Comma- and tab-separated files: columns, types, text that stays as it is written, encodings, broken files."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from somscope.data import open_collection, reopen, table_files
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


def test_limit_keeps_rows_together(csv):
    path = csv("a,label\n" + "".join(f"{i},{i}\n" for i in range(50)))
    some = open_collection(path, limit=10, seed=4)
    assert [some.label_names[label] for label in some.labels] == [f"{v:.0f}" for v in some.features[:, 0]]
    assert open_collection(path, limit=2).features.ravel().tolist() == [0, 1]


def test_limit_tells_rows_as_the_table_counts_them(csv):
    path = csv("a,label\n" + "".join(f"{i},{i}\n" for i in range(50)))
    some = open_collection(path, limit=10, seed=4)
    assert some.ids.tolist() == [f"{value:.0f}" for value in some.features[:, 0]]
    rows = [[1.0, 2.0]] * 49 + [[1.0]]
    with pytest.raises(InputError, match="row 49 has 1 numbers"):
        open_collection(pa.table({"v": rows}), limit=45, seed=0)
    with pytest.raises(InputError, match=r"label 0\.5 of item 49"):
        open_collection(pa.table({"x": range(50), "label": [1.0] * 49 + [0.5]}), limit=45, seed=0)


def test_missing_numbers_do_not_make_a_column_of_words(csv):
    collection = open_collection(csv("a,b,c\n+1,NA,x\n 2,n/a,\nNA,3,NA\n"))
    assert collection.feature_names == ("a", "b")
    np.testing.assert_array_equal(collection.features, [[1, np.nan], [2, np.nan], [np.nan, 3]])
    assert collection.metadata["c"].to_pylist() == ["x", None, "NA"]
    with pytest.raises(InputError, match=r"'a' \(row 2: \"two\"\) \(rows count from 0\)"):
        open_collection(csv("a\n1\nNA\ntwo\n3\n"))


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
