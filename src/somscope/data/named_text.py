"""Loaders of the named sets of text: Reuters-21578 and Reuters RCV1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from somscope.data.array_files import read_npz_file
from somscope.data.collection import Collection
from somscope.data.digests import check_content, content_sha256
from somscope.data.download import download_sgml, fetch_rcv1, staged
from somscope.data.labels import encode_labels
from somscope.data.reuters_sgml import read_sgml
from somscope.data.table_files import read_table
from somscope.data.tfidf import learn_tfidf, tfidf_features
from somscope.errors import DataError

__all__ = [
    "RCV1_FILES",
    "RCV1_ROOTS",
    "build_rcv1",
    "download_rcv1",
    "download_reuters",
    "load_rcv1",
    "load_reuters_parquet",
    "load_reuters_sgml",
    "reuters_part",
]

N_WORDS = 2000  # as DEC (Xie et al. 2016, section 5.1) and DESOM
RCV1_ROOTS = {
    "CCAT": "corporate/industrial",
    "ECAT": "economics",
    "GCAT": "government/social",
    "MCAT": "markets",
}
RCV1_FILES = {"10k": ("rcv1-10k.npz",), "all": ("rcv1-all.npz",)}
_RCV1_SAMPLE = 10_000


def load_reuters_parquet(folder: Path, part: str) -> Collection:
    """One Parquet file: id, lewis_split, has_topics, title, body, topics; checked by SHA-256 of texts and topics."""
    path = folder / "reuters21578.parquet"
    loaded = reuters_part(read_table(path), part)
    texts = (str(text).encode() for text in loaded.texts)  # type: ignore[union-attr]  # it has texts and labels
    topics = (loaded.label_names[label] for label in loaded.labels)  # type: ignore[union-attr]
    check_content(f"reuters-21578:{part}", path, content_sha256(texts, topics))
    return loaded


def load_reuters_sgml(folder: Path, part: str) -> Collection:
    """The SGML distribution."""
    return reuters_part(read_sgml(folder), part)


def download_reuters(folder: Path) -> None:
    """The SGML distribution; its stories are counted when it is read."""
    download_sgml(folder)


def reuters_part(stories: pa.Table, part: str) -> Collection:
    """Single-topic stories of the ModApte split, TF-IDF of the 2,000 most frequent words.

    ModApte: stories with TOPICS="YES" whose LEWISSPLIT is the part. Of these, stories with exactly one topic whose
    topic has at least one such story in both parts: 52 topics, 6,532 training and 2,568 test stories (the usual
    "R52"). Text: title and body. Vocabulary and document frequencies come from the training part alone, for both
    parts; the weights are those of `somscope.data.tfidf`, without English function words.
    """
    single = pc.and_(stories["has_topics"], pc.equal(pc.list_value_length(stories["topics"]), 1))
    table = stories.filter(single)
    topics = np.array(table["topics"].combine_chunks().flatten().to_pylist())
    split = np.array(table["lewis_split"].to_pylist())
    shared = sorted(set(topics[split == "train"]) & set(topics[split == "test"]))
    usable = np.isin(topics, shared)
    if not len(shared):
        raise DataError("no Reuters topic has single-topic stories in both parts of the ModApte split")
    titles, bodies = table["title"].to_pylist(), table["body"].to_pylist()
    texts = np.array(
        [f"{title}\n{body}".strip() for title, body in zip(titles, bodies, strict=True)], dtype=object
    )
    _, words, idf = learn_tfidf(texts[usable & (split == "train")].tolist(), max_words=N_WORDS)
    rows = np.flatnonzero(usable & (split == part))
    labels, names = encode_labels(topics[rows], len(rows), shared)
    numbers = np.array(table["id"].to_pylist())[rows]
    return Collection(
        name="reuters-21578",
        kind="text",
        features=tfidf_features(texts[rows].tolist(), words, idf),
        ids=np.array([f"{part}/{number}" for number in numbers]),
        labels=labels,
        label_names=names,
        texts=texts[rows],
        feature_names=words,
        idf=idf,
        source={"reader": "named", "part": part},
    )


def build_rcv1(bunch: Any) -> tuple[Any, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(features (n, 2000) float32 CSR, labels (n,) 0..3, document numbers (n,)) of the four-root RCV1 subset.

    bunch: what `sklearn.datasets.fetch_rcv1` returns. Documents under exactly one of the roots CCAT, ECAT, GCAT and
    MCAT are kept (DEC: 685,071). Of the words the 2,000 that occur in most of these documents are kept, and rows
    are scaled to unit length again. The published vectors are already weighted, so the 2,000 words of highest
    document frequency stand for DEC's 2,000 most frequent words.
    """
    from sklearn.preprocessing import normalize

    names = list(bunch.target_names)
    roots = bunch.target[:, [names.index(root) for root in RCV1_ROOTS]].toarray()
    rows = np.flatnonzero(roots.sum(axis=1) == 1)
    features = bunch.data.tocsr()[rows]
    frequency = np.bincount(features.indices, minlength=features.shape[1])
    words = np.sort(np.argsort(-frequency, kind="stable")[:N_WORDS])
    kept = normalize(features[:, words]).astype(np.float32).tocsr()
    return kept, roots[rows].argmax(axis=1), np.asarray(bunch.sample_id)[rows]


def download_rcv1(folder: Path) -> None:
    """RCV1 through scikit-learn (656 MB), reduced by `build_rcv1`; the 10k part is a sample with seed 0."""
    with staged(folder) as stage:
        features, labels, numbers = build_rcv1(fetch_rcv1(stage))
        sample = np.sort(
            np.random.default_rng(0).choice(len(labels), min(_RCV1_SAMPLE, len(labels)), replace=False)
        )
        for part, rows in (("10k", sample), ("all", np.arange(len(labels)))):
            matrix = features[rows]
            np.savez_compressed(
                stage / RCV1_FILES[part][0],
                format=np.array("csr"),
                data=matrix.data,
                indices=matrix.indices,
                indptr=matrix.indptr,
                shape=np.array(matrix.shape),
                labels=labels[rows].astype(np.uint8),
                ids=numbers[rows].astype(np.int64),
            )


def load_rcv1(folder: Path, part: str) -> Collection:
    """What `download_rcv1` wrote."""
    path = folder / RCV1_FILES[part][0]
    loaded = read_npz_file(path, label_names=tuple(RCV1_ROOTS.values()))
    if not sparse.issparse(loaded.features) or loaded.labels is None:
        raise DataError(f"{path} is not what `somscope data get reuters-rcv1` writes")
    numbers = read_npz_file(path, key="ids").features.ravel()
    return Collection(
        name="reuters-rcv1",
        kind="text",
        features=loaded.features,
        ids=np.array([f"{number:.0f}" for number in numbers]),
        labels=loaded.labels,
        label_names=loaded.label_names,
        source={"reader": "named", "part": part},
    )
