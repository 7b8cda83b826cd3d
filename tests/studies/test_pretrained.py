"""Rows that begin with the same autoencoder share one training of it; others do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from somscope.data import Collection
from somscope.models.ae_som import AESOM
from somscope.studies import pretrained
from somscope.studies.pretrained import take_autoencoder
from somscope.studies.references import EncodedMiniSomReference, KMeansReference
from studies.samples import TINY

SMALL = {"hidden": (8,), "latent_dim": 2, "pretrain_epochs": 2, "device": "cpu", "random_state": 3}


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The parameters of every autoencoder that is trained."""
    calls: list[dict[str, Any]] = []

    class Counted(AESOM):
        def __init__(self, grid: Any = (8, 8), **parameters: Any) -> None:
            super().__init__(grid, **parameters)

        def fit(self, X: Any, y: Any = None) -> Counted:
            calls.append(vars(self).copy())
            return super().fit(X, y)

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            return AESOM(**{n: v for n, v in vars(self).items() if not n.endswith("_")}).get_params(deep)

    monkeypatch.setattr(pretrained, "AESOM", Counted)
    return calls


def unlabelled(name: str = "blobs") -> Collection:
    whole = TINY[name]
    return Collection(name=name, kind="vectors", features=whole.features)


def test_it_is_trained_once_for_rows_that_differ_in_their_maps(
    trained: list[dict[str, Any]], tmp_path: Path
) -> None:
    models = [
        AESOM(grid=(2, 2), legacy=True, **SMALL),
        AESOM(grid=(3, 3), method="batch", **SMALL),
        EncodedMiniSomReference(grid=(2, 2), **SMALL),
    ]
    seconds = {take_autoencoder(model, unlabelled(), tmp_path) for model in models}
    assert len(trained) == 1
    assert len(seconds) == 1
    assert min(seconds) > 0
    assert len({model.autoencoder for model in models}) == 1
    for change in ({"latent_dim": 1}, {"random_state": 4}, {"pretrain_epochs": 1}, {"precision": "bf16"}):
        take_autoencoder(AESOM(**{**SMALL, **change}), unlabelled(), tmp_path)
    take_autoencoder(AESOM(**SMALL), unlabelled("blobs:train"), tmp_path)
    assert len(trained) == 6


def test_a_row_learns_what_it_would_have_learned_alone(tmp_path: Path) -> None:
    alone = AESOM(grid=(2, 2), legacy=True, n_steps=5, verbose=False, **SMALL).fit(unlabelled())
    shared = AESOM(grid=(2, 2), legacy=True, n_steps=5, verbose=False, **SMALL)
    take_autoencoder(shared, unlabelled(), tmp_path)
    np.testing.assert_array_equal(shared.fit(unlabelled()).prototypes_, alone.prototypes_)


def test_other_models_are_left_alone(trained: list[dict[str, Any]], tmp_path: Path) -> None:
    assert take_autoencoder(KMeansReference(), unlabelled(), tmp_path) == 0.0
    assert not trained
    assert not list(tmp_path.iterdir())
