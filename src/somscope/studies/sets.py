"""The data of the studies: what each protocol trains on, and what it scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from somscope.data import Collection, get_named
from somscope.errors import check_choice

__all__ = ["SETS", "Split", "StudySet", "largest_classes", "load_split", "scaled_text"]

N_TOPICS = 10  # of Reuters-21578, as many as MNIST has digits


@dataclass(frozen=True)
class Split:
    """The items that a model is trained on, and the labelled items that it is scored on."""

    train: Collection
    scored: Collection


@dataclass(frozen=True)
class StudySet:
    """One data set of the studies.

    whole: the name of all items, for the protocol "paper". parts: names of the training and the test part, for
    "held-out"; None where nobody has split the set. prepare: (the collection, the training part) -> what is used.
    """

    whole: str
    parts: tuple[str, str] | None = None
    prepare: Callable[[Collection, Collection], Collection] | None = None


def scaled_text(collection: Collection, _: Collection | None = None) -> Collection:
    """TF-IDF rows of unit length times sqrt(d), dense float32, as DEC and DESOM do.

    The squares of a row then have mean 1 over its d features, so that a mean squared error is of the order of 1.
    """
    features = collection.features
    dense = features.toarray() if hasattr(features, "toarray") else features
    return replace(
        collection,
        features=(dense * np.sqrt(collection.n_features)).astype(np.float32),
        source={**collection.source, "scaled": "sqrt(d)"},
        idf=None,
    )


def largest_classes(collection: Collection, train: Collection, n_classes: int) -> Collection:
    """The items of the `n_classes` classes that have most items in `train`; ties go to the lower class number."""
    assert collection.labels is not None
    assert train.labels is not None
    counts = np.bincount(train.labels[train.labels >= 0], minlength=len(train.label_names))
    kept = np.sort(np.argsort(-counts, kind="stable")[:n_classes])
    chosen = collection.take(np.isin(collection.labels, kept))
    assert chosen.labels is not None
    return replace(
        chosen,
        labels=np.searchsorted(kept, chosen.labels),
        label_names=tuple(collection.label_names[c] for c in kept),
    )


SETS: dict[str, StudySet] = {
    "mnist": StudySet("mnist:train+test", ("mnist:train", "mnist:test")),
    "fashion-mnist": StudySet("fashion-mnist:train+test", ("fashion-mnist:train", "fashion-mnist:test")),
    "cifar10": StudySet("cifar10:train+test", ("cifar10:train", "cifar10:test")),
    "usps": StudySet("usps:train+test", ("usps:train", "usps:test")),
    "reuters-rcv1": StudySet("reuters-rcv1:10k", prepare=scaled_text),
    "reuters-21578": StudySet(
        "reuters-21578:train+test",
        ("reuters-21578:train", "reuters-21578:test"),
        lambda collection, train: scaled_text(largest_classes(collection, train, N_TOPICS)),
    ),
}


def load_split(name: str, protocol: str) -> Split:
    """Read a data set for one protocol; with "paper" the two collections are one.

    Raises InputError for an unknown name or a protocol that the set does not have, DataError where it is not at hand.
    """
    check_choice("data", name, SETS)
    chosen = SETS[name]
    check_choice(f"protocol of {name}", protocol, ("paper", "held-out") if chosen.parts else ("paper",))
    if protocol == "paper":
        whole = get_named(chosen.whole)
        if chosen.prepare is not None:
            whole = chosen.prepare(whole, whole if chosen.parts is None else get_named(chosen.parts[0]))
        return Split(whole, whole)
    assert chosen.parts is not None
    train, scored = (get_named(part) for part in chosen.parts)
    if chosen.prepare is not None:
        train, scored = chosen.prepare(train, train), chosen.prepare(scored, train)
    return Split(train, scored)
