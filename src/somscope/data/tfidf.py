"""TF-IDF: the weights of the words of a text.

As scikit-learn's TfidfVectorizer computes it: term frequency 1 + ln(tf), inverse document frequency
idf = ln((1 + n) / (1 + df)) + 1 of a word in df of the n texts that it is learned from, each row scaled to unit
Euclidean length. A word is two or more letters or digits, in lower case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from somscope.data.collection import Features
from somscope.errors import InputError

__all__ = ["learn_tfidf", "tfidf_features"]

_WEIGHTS: dict[str, Any] = {"sublinear_tf": True, "dtype": np.float32}


def learn_tfidf(
    texts: Sequence[str], *, max_words: int | None = 10_000, stop_words: str | None = "english"
) -> tuple[Features, tuple[str, ...], NDArray[np.float64]]:
    """(n, words) float32 CSR features of some texts, their words in alphabetical order, and the (words,) idf of each.

    max_words: keep the most frequent words only; None keeps all. stop_words: "english" leaves out scikit-learn's
    list of function words; None (or "none") keeps them.

    Raises InputError when no text holds a word, for max_words below 1, and for other stop_words.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    if stop_words not in ("english", None, "none"):
        raise InputError(f"stop_words={stop_words!r} is not known; allowed: english, none")
    if max_words is not None and max_words < 1:
        raise InputError(f"max_words={max_words!r}: it must be at least 1 (None keeps all)")
    left_out = "english" if stop_words == "english" else None
    vectorizer = TfidfVectorizer(max_features=max_words, stop_words=left_out, **_WEIGHTS)
    try:
        features = vectorizer.fit_transform(texts).tocsr()
    except ValueError as error:
        raise InputError(f"none of {len(texts)} texts holds a word to count ({error})") from error
    return features, tuple(vectorizer.get_feature_names_out().tolist()), vectorizer.idf_.astype(np.float64)


def tfidf_features(texts: Sequence[str], words: Sequence[str], idf: ArrayLike) -> Features:
    """(n, words) float32 CSR: the TF-IDF of texts over given words, with their given (words,) idf.

    Texts that the idf was not learned from are weighted as those were; the same texts get the same numbers, bit
    for bit. Other words do not count, and a text without any of the words is an empty row.

    Raises InputError for no words, repeated words, or an idf that is not one positive number for each word.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    weights = np.asarray(idf, dtype=np.float64)
    if weights.shape != (len(words),) or not (np.isfinite(weights) & (weights > 0)).all():
        raise InputError(
            f"idf must be one positive number for each of {len(words)} words, got {weights.shape}"
        )
    if not words or len(set(words)) < len(words):
        raise InputError(f"{len(words)} words with {len(set(words))} different ones cannot be counted")
    vectorizer = TfidfVectorizer(vocabulary=list(words), **_WEIGHTS)
    vectorizer.idf_ = weights
    return vectorizer.transform(texts).tocsr()
