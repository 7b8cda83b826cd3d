"""The vocabulary of a run of texts: what is needed to weigh the words of new texts as those of the run's own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from somscope.data.collection import Collection

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["reweigh", "vocabulary_table"]


def vocabulary_table(collection: Collection) -> pa.Table | None:
    """word and document_frequency (number of texts with it), in the order of the features; None without words."""
    import pyarrow as pa

    if collection.kind != "text" or not collection.feature_names:
        return None
    features: Any = collection.features
    frequency = (features != 0).sum(axis=0)
    return pa.table(
        {
            "word": pa.array(collection.feature_names, pa.string()),
            "document_frequency": pa.array(np.asarray(frequency).reshape(-1).astype(np.int64)),
        }
    )


def reweigh(collection: Collection, vocabulary: pa.Table, n_texts: int) -> Collection:
    """The collection's texts as TF-IDF over the words, and with the document frequencies, of n_texts other texts.

    The weights are those of `somscope.data.text`: (1 + ln tf) * (ln((1 + n_texts) / (1 + df)) + 1), each row scaled to
    length 1. Words that are not in the vocabulary do not count; a text without any of its words is a row of zeros.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = vocabulary["word"].to_pylist()
    frequency = vocabulary["document_frequency"].to_numpy()
    vectorizer = TfidfVectorizer(sublinear_tf=True, vocabulary=words, dtype=np.float32)
    vectorizer.idf_ = np.log((1 + n_texts) / (1 + frequency)) + 1
    return replace(
        collection,
        features=vectorizer.transform(collection.texts).tocsr(),
        feature_names=tuple(words),
        idf=vectorizer.idf_,
    )
