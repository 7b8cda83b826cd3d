"""The models of others, as the studies call them."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from somscope.errors import RunError
from somscope.studies.references import EncodedMiniSomReference, KMeansReference, MiniSomReference
from studies.samples import CENTRES, blobs


def nearest_error(x: np.ndarray, prototypes: np.ndarray) -> float:
    return float(np.mean(np.min(np.linalg.norm(x[:, None] - prototypes[None], axis=2), axis=1)))


def test_k_means_finds_the_groups() -> None:
    x = blobs(90)
    found = KMeansReference(n_clusters=3, random_state=1).fit(x).prototypes_
    assert nearest_error(x.features, x.features[:3] * 0) > 4
    assert nearest_error(CENTRES, found) < 0.3


def test_minisom_is_called_as_the_authors_call_it() -> None:
    from minisom import MiniSom

    x = blobs(90)
    ours = MiniSomReference(grid=(2, 3), sigma=1.5, learning_rate=0.4, n_epochs=2, random_state=5).fit(x)
    theirs = MiniSom(2, 3, 2, sigma=1.5, learning_rate=0.4, random_seed=5)
    theirs.random_weights_init(x.features)
    theirs.train_batch(x.features, 180)
    for row in range(2):
        for column in range(3):
            np.testing.assert_allclose(
                ours.prototypes_[3 * row + column], theirs.get_weights()[row, column], rtol=1e-6
            )
    assert nearest_error(x.features, ours.prototypes_) < 1.5


def test_minisom_learns_where_the_items_are() -> None:
    x = blobs(300)
    trained = MiniSomReference(grid=(3, 3), random_state=0).fit(x)
    assert nearest_error(CENTRES, trained.prototypes_) < 0.5
    assert trained.lattice_ is not None
    assert trained.lattice_.n_units == 9


def test_without_minisom_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minisom", None)
    with pytest.raises(RunError, match="pip install minisom"):
        MiniSomReference().fit(blobs())


def test_minisom_on_codes_is_minisom_on_what_the_autoencoder_gives() -> None:
    x = blobs(120)
    small = {"hidden": (16,), "latent_dim": 2, "grid": (2, 2)}
    model = EncodedMiniSomReference(**small, pretrain_epochs=60, device="cpu").fit(x)
    codes = model.encode(x)
    assert codes.shape == (120, 2)
    alone = MiniSomReference(grid=(2, 2)).fit(codes)
    np.testing.assert_array_equal(model.prototypes_, alone.prototypes_)
    assert model.stop_reason_ == "completed"
    assert model.seconds_ > 0

    from somscope.models.ae_som import AESOM

    encoder = AESOM((2, 2), 2, method="batch", hidden=(16,), pretrain_epochs=60, device="cpu", random_state=0)
    np.testing.assert_array_equal(codes, encoder.fit(x).encode(x))
    other = EncodedMiniSomReference(**small, pretrain_epochs=1, device="cpu").fit(x)
    assert not np.allclose(other.encode(x), codes)
