"""Purity and NMI against every step: they are those of the map at that step, and change nothing in it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score

from somscope.data import Collection
from somscope.errors import InputError
from somscope.models.agreement_hook import AgreementHook, some_of_each_class
from somscope.models.dc_somrl import DCSOMRL
from somscope.models.sgd_som import SGDSOM

QUICK = {
    "latent_dim": 4, "hidden": (32,), "batch_size": 32, "n_epochs": 15, "learning_rate_net": 5e-3, "random_state": 0,
    "device": "cpu", "verbose": False, "threshold": 0.98,
}  # fmt: skip


def labelled(blobs):
    items, labels = blobs
    return Collection(name="blobs", kind="vectors", features=items, labels=labels)


def test_every_step_has_its_agreement_and_the_training_is_the_same(blobs):
    few = some_of_each_class(labelled(blobs), 7)
    watched = DCSOMRL(**QUICK, training={"hook": AgreementHook(few), "log_steps": 1}).fit(blobs[0])
    alone = DCSOMRL(**QUICK).fit(blobs[0])
    for one, two in zip(
        watched.module_.state_dict().values(), alone.module_.state_dict().values(), strict=True
    ):
        assert torch.equal(one, two)
    purity, nmi = watched.history_["purity"], watched.history_["nmi_arithmetic"]
    assert len(purity) == watched.n_iter_
    assert purity[0] < 0.5 < 0.9 < purity[-1]
    units = watched.predict(few)
    counts = [np.bincount(few.labels[units == unit]).max() for unit in np.unique(units)]
    assert purity[-1] == pytest.approx(sum(counts) / len(few))
    assert nmi[-1] == pytest.approx(normalized_mutual_info_score(few.labels, units))


def test_any_deep_map_can_be_watched(blobs):
    hook = AgreementHook(labelled(blobs))
    model = SGDSOM(
        grid=(3, 3), n_steps=60, random_state=0, device="cpu", verbose=False, training={"hook": hook}
    )
    assert model.fit(blobs[0]).history_["purity"][-1] > 0.6


def test_so_many_of_each_class(blobs):
    collection = labelled(blobs)
    labels = collection.labels.copy()
    labels[:3] = -1
    labels[labels == 1] = np.where(np.arange((labels == 1).sum()) < 4, 1, 0)
    few = some_of_each_class(
        Collection(name="x", kind="vectors", features=blobs[0], labels=labels), 6, seed=1
    )
    counts = np.bincount(few.labels)
    assert counts[1] == 4
    assert set(np.delete(counts, 1)) == {6}
    with pytest.raises(InputError, match="has no labels"):
        some_of_each_class(Collection(name="x", kind="vectors", features=blobs[0]), 6)
    with pytest.raises(InputError, match="an item has no label"):
        AgreementHook(Collection(name="x", kind="vectors", features=blobs[0], labels=labels))
