"""Text to TF-IDF: lines, folders, columns, and the weights themselves."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from somscope.data import open_collection
from somscope.data.concat import concatenate
from somscope.data.text import collection_from_texts
from somscope.data.tfidf import tfidf_features
from somscope.errors import DataError, InputError

TEXTS = ["apple pear apple", "pear plum", "plum plum plum fig", "the of and"]


def test_weights_follow_the_formula():
    collection = collection_from_texts(TEXTS)
    words = collection.feature_names
    assert words == ("apple", "fig", "pear", "plum")
    expected = np.zeros((4, 4))
    for row, text in enumerate(TEXTS):
        for column, word in enumerate(words):
            count = text.split().count(word)
            df = sum(word in other.split() for other in TEXTS)
            if count:
                expected[row, column] = (1 + math.log(count)) * (math.log((1 + len(TEXTS)) / (1 + df)) + 1)
        length = math.sqrt((expected[row] ** 2).sum())
        expected[row] /= length or 1
    np.testing.assert_allclose(collection.features.toarray(), expected, rtol=1e-6)
    assert collection.features.dtype == np.float32
    assert collection.kind == "text"


def test_word_options():
    assert collection_from_texts(TEXTS, max_words=1).feature_names == ("plum",)
    assert "the" in collection_from_texts(TEXTS, stop_words=None).feature_names
    assert "the" in collection_from_texts(TEXTS, stop_words="none").feature_names
    with pytest.raises(InputError, match="allowed: english, none"):
        collection_from_texts(TEXTS, stop_words="klingon")
    with pytest.raises(InputError, match="max_words=0"):
        collection_from_texts(TEXTS, max_words=0)
    with pytest.raises(InputError, match="none of 2 texts holds a word"):
        collection_from_texts(["the", "!"])


def test_idf_stays_with_the_collection_as_it_was_learned():
    collection = collection_from_texts(TEXTS)
    df = [sum(word in text.split() for text in TEXTS) for word in collection.feature_names]
    np.testing.assert_allclose(collection.idf, np.log((1 + len(TEXTS)) / (1 + np.array(df))) + 1, rtol=1e-6)
    few = collection.take([1, 2])
    np.testing.assert_array_equal(few.idf, collection.idf)
    again = tfidf_features(few.texts, few.feature_names, few.idf)
    np.testing.assert_array_equal(again.toarray(), collection.features[[1, 2]].toarray())
    recounted = collection_from_texts(TEXTS[1:3]).features.toarray()
    assert not np.allclose(again.toarray()[0, 2], recounted[0, 1]), (
        "a recount over fewer texts weighs otherwise"
    )


def test_new_texts_over_given_words():
    features = tfidf_features(["pear PEAR kiwi fig", "kiwi"], ("fig", "pear"), [2.0, 1.0])
    weights = np.array([2.0, 1 + math.log(2)])
    np.testing.assert_allclose(features.toarray(), [weights / np.linalg.norm(weights), [0, 0]], rtol=1e-6)
    assert (features.format, features.dtype) == ("csr", np.float32)


@pytest.mark.parametrize(
    ("words", "idf", "message"),
    [
        (("fig", "pear"), [1.0], "one positive number for each of 2 words"),
        (("fig", "pear"), [1.0, np.nan], "one positive number"),
        (("fig", "pear"), [1.0, 0.0], "one positive number"),
        (("fig", "fig"), [1.0, 1.0], "2 words with 1 different"),
        ((), [], "0 words"),
    ],
)
def test_words_and_idf_that_do_not_fit(words, idf, message):
    with pytest.raises(InputError, match=message):
        tfidf_features(["fig"], words, idf)


def test_collections_of_another_idf_are_not_put_together():
    first = collection_from_texts(["pear fig", "fig"])
    second = collection_from_texts(["pear fig", "pear"], ids=["a", "b"])
    with pytest.raises(InputError, match="idf"):
        concatenate([first, second], "both")
    both = concatenate([first, replace(second, idf=first.idf)], "both")
    np.testing.assert_array_equal(both.idf, first.idf)


def test_lines(tmp_path):
    path = tmp_path / "songs.txt"
    path.write_text("\ufeffred fox\n\n  \nblue sea\ngreen sea\n", encoding="utf-8")
    collection = open_collection(path)
    assert collection.ids.tolist() == ["0", "3", "4"]
    assert collection.texts.tolist() == ["red fox", "blue sea", "green sea"]
    assert open_collection(path, limit=2).texts.tolist() == ["red fox", "blue sea"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no text"), (b"\n \n", "no text"), (b"caf\xe9 au lait", "not UTF-8 text: byte 3")],
)
def test_lines_that_cannot_be_read(tmp_path, content, message):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_collection(tmp_path / "a.txt")


def test_folder_of_texts(tmp_path):
    for name, content in {
        "b/2.txt": b"red fox",
        "a/1.txt": b"blue sea",
        "a/3.txt": b"",
        "x.txt": b"\xff",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    collection = open_collection(tmp_path)
    assert collection.ids.tolist() == ["a/1.txt", "b/2.txt"]
    assert collection.label_names == ("a", "b")
    assert [item.where for item in collection.skipped] == ["a/3.txt", "x.txt"]
    assert collection.paths[0] == str(tmp_path / "a/1.txt")
    (tmp_path / "only").mkdir()
    (tmp_path / "only/a.txt").write_bytes(b"")
    with pytest.raises(DataError, match=r"none of 1 \.txt files can be used"):
        open_collection(tmp_path / "only")


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_text_column(tmp_path, suffix):
    import pyarrow as pa
    from pyarrow import csv, parquet

    rows = [{"t": "red fox", "label": "n", "k": 1}, {"t": "blue sea", "label": "m", "k": 2}]
    path = tmp_path / f"t.{suffix}"
    if suffix == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        writer = csv.write_csv if suffix == "csv" else parquet.write_table
        writer(pa.Table.from_pylist(rows), path)
    collection = open_collection(path, text_column="t", id_column="k")
    assert collection.texts.tolist() == ["red fox", "blue sea"]
    assert collection.ids.tolist() == ["1", "2"]
    assert collection.label_names == ("m", "n")
    assert collection.metadata is None
    with pytest.raises(InputError, match="no column body; the table has t, label, k"):
        open_collection(path, text_column="body")
    with pytest.raises(InputError, match="unknown option columns for text table; allowed: text_column"):
        open_collection(path, text_column="t", columns="k")


def test_errors_under_a_limit_tell_the_rows_of_the_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("t,label\n" + "".join(f"red fox,{3 if row < 40 else 7.5}\n" for row in range(80)))
    kept = np.sort(np.random.default_rng(1).choice(80, 5, replace=False))
    wrong = kept[kept >= 40][0]
    with pytest.raises(InputError, match=rf"label 7\.5 of item {wrong} is not a whole number"):
        open_collection(path, text_column="t", limit=5, seed=1)


def test_lines_end_where_editors_end_them(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("red\u2028fox\x0cjumps\r\nblue\x85sea\rgreen".encode())
    collection = open_collection(path)
    assert collection.ids.tolist() == ["0", "1", "2"]
    assert collection.texts.tolist() == ["red\u2028fox\x0cjumps", "blue\x85sea", "green"]
