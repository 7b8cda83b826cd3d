"""Text to TF-IDF: a file with one document a line, a folder of .txt files, or a column of a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from somscope.data.arrow_types import is_binary
from somscope.data.collection import Collection, Skipped
from somscope.data.folder import list_files, readable
from somscope.data.labels import encode_labels
from somscope.data.limits import MAX_TEXT_BYTES
from somscope.data.sampling import choose
from somscope.data.table_files import read_table
from somscope.data.tables import column_ids
from somscope.data.tfidf import learn_tfidf
from somscope.errors import DataError, InputError

__all__ = ["collection_from_texts", "read_text_file", "read_text_folder", "read_text_table"]


def collection_from_texts(
    texts: Sequence[str],
    *,
    name: str = "text",
    ids: Sequence[str] | NDArray[np.str_] | None = None,
    labels: Sequence[Any] | None = None,
    label_names: Sequence[str] = (),
    rows: NDArray[np.int64] | None = None,
    max_words: int | None = 10_000,
    stop_words: str | None = "english",
    **parts: Any,
) -> Collection:
    """A collection of texts, features (n, words) float32 CSR of TF-IDF weights (no unit; rows of length 1).

    The words and their idf are learned from these texts, and stay with the collection as `feature_names` and `idf`:
    `somscope.data.tfidf.tfidf_features(new_texts, collection.feature_names, collection.idf)` weighs further texts in
    the same way. rows: (n,) the row numbers to tell in an error, by default from 0. max_words, stop_words: see
    `somscope.data.tfidf.learn_tfidf`. parts: other fields of `Collection`.

    A text without any word gets an empty row. Raises InputError when no text holds a word, and for unknown options.
    """
    try:
        features, words, idf = learn_tfidf(texts, max_words=max_words, stop_words=stop_words)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    numbers, classes = (None, ()) if labels is None else encode_labels(labels, len(texts), label_names, rows)
    return Collection(
        name=name,
        kind="text",
        features=features,
        ids=None if ids is None else np.asarray(ids, dtype=np.str_),  # type: ignore[arg-type]
        labels=numbers,
        label_names=classes,
        texts=np.array(texts, dtype=object),
        feature_names=words,
        idf=idf,
        **parts,
    )


def read_text_file(
    path: str | Path,
    *,
    max_words: int | None = 10_000,
    stop_words: str | None = "english",
    limit: int | None = None,
    seed: int | None = None,
) -> Collection:
    """One document a line (UTF-8); empty lines are no documents; ids are line numbers, from 0.

    Raises DataError for a file that is empty, is not UTF-8, or is larger than MAX_TEXT_BYTES.
    """
    path = Path(path)
    lines = _read(path).removesuffix("\n").split("\n")  # splitlines would also part at form feeds and U+2028
    numbered = [(number, line) for number, line in enumerate(lines) if line.strip()]
    if not numbered:
        raise DataError(f"{path} holds no text ({len(lines)} lines, all empty)")
    kept = [numbered[row] for row in choose(len(numbered), limit, seed)]
    return collection_from_texts(
        [line for _, line in kept],
        name=path.stem,
        ids=[str(number) for number, _ in kept],
        max_words=max_words,
        stop_words=stop_words,
        source={"reader": "text lines"},
    )


def read_text_folder(
    folder: str | Path,
    *,
    max_words: int | None = 10_000,
    stop_words: str | None = "english",
    limit: int | None = None,
    seed: int | None = None,
) -> Collection:
    """One document for each .txt file under `folder`, in sorted order; the first subfolder is the label.

    Files that are empty, too large or not UTF-8 are skipped and named. Raises DataError when none is left.
    """
    folder = Path(folder)
    skipped: list[Skipped] = []
    every = [name for name in list_files(folder, skipped) if name.lower().endswith(".txt")]
    ids, paths, texts = [], [], []
    for row in choose(len(every), limit, seed):
        try:
            text = _read(folder / every[row])
        except DataError as error:
            skipped.append(Skipped(readable(every[row]), str(error)))
            continue
        if not text.strip():
            skipped.append(Skipped(readable(every[row]), "empty"))
            continue
        ids.append(readable(every[row]))
        paths.append(str(folder / every[row]))
        texts.append(text)
    if not texts:
        reasons = "; ".join(f"{item.where}: {item.why}" for item in skipped[:3])
        raise DataError(f"{folder}: none of {len(every)} .txt files can be used ({reasons})")
    classes = [name.split("/")[0] if "/" in name else None for name in ids]
    labelled = len(set(classes) - {None}) > 1
    return collection_from_texts(
        texts,
        name=folder.resolve().name,
        ids=ids,
        labels=classes if labelled else None,
        max_words=max_words,
        stop_words=stop_words,
        paths=np.array(paths, dtype=object),
        skipped=tuple(skipped),
        source={"reader": "text folder", "labels_from": "subfolders" if labelled else None},
    )


def read_text_table(
    path: str | Path,
    *,
    text_column: str,
    label_column: str | None = None,
    id_column: str | None = None,
    label_names: Sequence[str] = (),
    max_words: int | None = 10_000,
    stop_words: str | None = "english",
    limit: int | None = None,
    seed: int | None = None,
) -> Collection:
    """One document for each row of a table; the columns that are neither text, label nor id become `metadata`.

    label_column: by default one called "label", when there is one. Ids are row numbers from 0 by default. Raises
    InputError for unknown columns, ids that are empty or repeated, and a text_column of lists, structs or bytes.
    """
    path = Path(path)
    table = read_table(path, words=[text_column, id_column], label=label_column or "label")
    if label_column is None and "label" in table.column_names and text_column != "label":
        label_column = "label"
    used = [column for column in (text_column, label_column, id_column) if column is not None]
    missing = [column for column in used if column not in table.column_names]
    if missing:
        raise InputError(
            f"{path}: no column {', '.join(missing)}; the table has {', '.join(table.column_names)}"
        )
    if table.num_rows == 0:
        raise DataError(f"{path}: the table has no rows")
    kind = table[text_column].type
    if pa.types.is_nested(kind) or is_binary(kind):
        raise InputError(f"{path}: text_column {text_column!r} holds {kind}, not text")
    rows = choose(table.num_rows, limit, seed)
    table = table.take(pa.array(rows))
    rest = [column for column in table.column_names if column not in used]
    return collection_from_texts(
        ["" if text is None else str(text) for text in table[text_column].to_pylist()],
        name=path.stem,
        ids=rows.astype(np.str_) if id_column is None else column_ids(str(path), table, id_column, rows),
        labels=None if label_column is None else table[label_column].to_pylist(),
        label_names=label_names,
        rows=rows,
        max_words=max_words,
        stop_words=stop_words,
        metadata=table.select(rest) if rest else None,
        source={"reader": "text table", "text_column": text_column, "label_column": label_column},
    )


def _read(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"{path} is not a regular file, or a link that leads nowhere")
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise DataError(f"{path} is larger than the limit of {MAX_TEXT_BYTES:,} bytes for one text file")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: byte {error.start} cannot be read") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
