"""The vocabulary of a run of texts: what is needed to weigh the words of new texts as those of the run's own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from somscope.data.collection import Collection
from somscope.data.tfidf import tfidf_features
from somscope.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["reweigh", "vocabulary_table"]


def vocabulary_table(collection: Collection) -> pa.Table | None:
    """word and idf in the order of the features (idf null where it is not known); None without words.

    The idf is that of the texts from which the TF-IDF was learned, which may be others than those that were mapped.
    """
    import pyarrow as pa

    words = collection.feature_names
    if collection.kind != "text" or not words:
        return None
    idf = [None] * len(words) if collection.idf is None else collection.idf
    return pa.table({"word": pa.array(words, pa.string()), "idf": pa.array(idf, pa.float64())})


def reweigh(collection: Collection, vocabulary: pa.Table) -> Collection:
    """The collection's texts as TF-IDF over the words of a vocabulary and with their idf, see `somscope.data.tfidf`.

    Words that are not in the vocabulary do not count; a text without any of its words is a row of zeros.
    Raises InputError where the idf is not known.
    """
    if vocabulary["idf"].null_count:
        raise InputError(
            f"the run does not know the idf of its words, by which {collection.name} must be weighed"
        )
    texts = [] if collection.texts is None else collection.texts.tolist()
    words, idf = tuple(vocabulary["word"].to_pylist()), vocabulary["idf"].to_numpy()
    features = tfidf_features(texts, words, idf)
    return replace(collection, features=features, feature_names=words, idf=idf)
