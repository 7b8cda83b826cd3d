"""What the protocols train on and score, and how the texts of Reuters are prepared."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from somscope.data import Collection
from somscope.errors import DataError, InputError
from somscope.studies.sets import SETS, largest_classes, load_split, scaled_text
from studies.samples import TINY


def texts(labels: list[int], n_words: int = 5) -> Collection:
    """Rows of unit length, as TF-IDF makes them."""
    rng = np.random.default_rng(0)
    dense = rng.random((len(labels), n_words)).astype(np.float32)
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    return Collection(
        name="news", kind="text", features=sparse.csr_matrix(dense), labels=np.array(labels),
        label_names=("acq", "crude", "earn", "tea"),
    )  # fmt: skip


def test_the_paper_scores_what_it_trains_on_and_held_out_does_not() -> None:
    paper = load_split("blobs", "paper")
    assert paper.train is paper.scored is TINY["blobs"]
    held = load_split("blobs", "held-out")
    assert (held.train.n_items, held.scored.n_items) == (45, 30)


def test_unknown_sets_and_splits_that_nobody_made_are_refused() -> None:
    with pytest.raises(InputError, match=r"allowed: .*mnist"):
        load_split("mnisd", "paper")
    with pytest.raises(InputError, match=r"protocol of away='held-out'.*allowed: paper"):
        load_split("away", "held-out")
    with pytest.raises(DataError, match="not on this machine"):
        load_split("away", "paper")


def test_scaled_texts_have_a_mean_square_of_one() -> None:
    news = texts([0, 1, 2, 3])
    scaled = scaled_text(news)
    assert isinstance(scaled.features, np.ndarray)
    assert scaled.features.dtype == np.float32
    np.testing.assert_allclose(np.mean(scaled.features**2, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(scaled.features, news.features.toarray() * np.sqrt(5), rtol=1e-6)


def test_the_largest_classes_are_those_of_the_training_part() -> None:
    train, test = texts([0, 2, 2, 2, 3, 3, 1]), texts([1, 1, 1, 1, 3, 2, 0])
    kept = largest_classes(test, train, 2)
    assert kept.label_names == ("earn", "tea")
    assert kept.labels is not None
    assert kept.labels.tolist() == [1, 0]
    assert kept.ids.tolist() == [test.ids[4], test.ids[5]]


def test_reuters_is_prepared_by_its_training_part_in_both_protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    from somscope.studies import sets

    parts = {"train": texts([0, 0, 2, 2, 3, 1] * 3), "test": texts([1, 1, 3, 2])}
    parts["train+test"] = parts["test"]
    monkeypatch.setattr(sets, "get_named", lambda name: parts[name.partition(":")[2]])
    monkeypatch.setattr(sets, "N_TOPICS", 2)
    held = load_split("reuters-21578", "held-out")
    whole = load_split("reuters-21578", "paper")
    assert held.train.label_names == held.scored.label_names == whole.train.label_names == ("acq", "earn")
    assert held.scored.n_items == whole.scored.n_items == 1


def test_what_has_parts_has_them_by_name() -> None:
    from somscope.data.named import NAMED

    for study_set in SETS.values():
        for name in (study_set.whole, *(study_set.parts or ())):
            base, _, parts = name.partition(":")
            if base in NAMED:
                assert set(parts.split("+")) <= set(NAMED[base].parts)
