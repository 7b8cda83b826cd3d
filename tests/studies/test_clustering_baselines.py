"""The study of clusterers: its rows can be trained, share autoencoders, and are scored by the clusters themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from somscope.models.ae_kmeans import AEKMeans
from somscope.models.dec import DEC
from somscope.models.dkm import DKM
from somscope.models.idec import IDEC
from somscope.models.table import CLUSTERERS
from somscope.studies.clustering_baselines import CLUSTERING_BASELINES
from somscope.studies.learners import learner_parameters
from somscope.studies.pretrained import take_shared
from somscope.studies.run import run_cells
from somscope.studies.score import score
from somscope.studies.table import Table
from studies.samples import Notes, blobs, entry, study

SMALL = {"n_clusters": 3, "hidden": (8,), "latent_dim": 2, "pretrain_epochs": 40}
ONE = {**SMALL, "device": "cpu", "random_state": 0}


def test_every_row_can_be_built_and_every_clusterer_has_one() -> None:
    for row in CLUSTERING_BASELINES.entries:
        assert learner_parameters(row)
        assert row.published.keys() <= {"accuracy"}
        assert not row.published or row.protocol == "paper"
    assert {row.model for row in CLUSTERING_BASELINES.entries} >= CLUSTERERS.keys()


def test_clusterers_with_one_kind_of_autoencoder_share_it(tmp_path: Path) -> None:
    items = replace(blobs(), labels=None, label_names=())
    models = [AEKMeans(**ONE), DEC(**ONE), IDEC(**ONE, gamma=0.5)]
    seconds = {take_shared(model, items, tmp_path) for model in models}
    assert len(seconds) == 1
    assert min(seconds) > 0
    assert len({model.autoencoder for model in models}) == 1
    other = [DKM(**ONE), IDEC(**ONE, normalise=False), IDEC(**{**ONE, "pretrain_epochs": 3})]
    for model in other:
        take_shared(model, items, tmp_path)
    assert len({model.autoencoder for model in [*models, *other]}) == 3  # of DKM as of the second
    alone = DKM(**{**ONE, "pretrain_epochs": 0})
    assert take_shared(alone, items, tmp_path) == 0.0
    assert alone.autoencoder is None
    given, own = IDEC(**ONE, n_steps=20), IDEC(**ONE, n_steps=20)
    take_shared(given, items, tmp_path)
    for model in (given, own):
        model.fit(items)
    np.testing.assert_array_equal(given.cluster_centers_, own.cluster_centers_)


def test_rows_are_trained_and_find_the_groups(tmp_path: Path) -> None:
    quick = {
        "ae-kmeans": {},
        "aec": {"n_epochs": 5},
        "dkm": {"n_epochs": 5},
        "dec": {"n_steps": 50, "update_interval": 10},
        "idec": {"n_steps": 50, "update_interval": 10},
    }
    rows = [
        entry(model=name, protocol="held-out", parameters={**SMALL, **more}) for name, more in quick.items()
    ]
    notes = Notes()
    outcome = run_cells(study(*rows).cells(range(1)), tmp_path, "cpu", "fp32", notes)
    assert outcome.finished == len(rows), notes.said
    assert not outcome.failed
    for row, ended in zip(rows, notes.ended, strict=True):
        assert row.model in ended


def test_a_clusterer_is_scored_by_its_own_clusters() -> None:
    items = blobs(90)
    assert items.labels is not None
    clusters = items.labels[:, None]  # far from the nearest of these centres
    model = SimpleNamespace(
        prototypes_=np.zeros((3, 2)),
        cluster_centers_=np.zeros((3, 2)),
        best_units=lambda collection, k: (clusters, np.full((90, 1), 2.0)),
    )
    found, chance = score(model, items, 0)
    assert found["accuracy"] == found["ari"] == found["purity"] == 1.0
    assert found["quantization_error"] == 2.0
    assert found["unit_perplexity"] == pytest.approx(3.0)
    assert not any(name.startswith("topographic") for name in found)
    assert chance["ari"] < 0.1 < 0.5 > chance["accuracy"] - 0.1


def test_tables_of_clusterers_show_the_rand_index_and_those_of_maps_do_not() -> None:
    measures = {"ari": {"mean": 0.5, "std": 0.0}, "purity": {"mean": 0.5, "std": 0.0}}
    row = {"variant": "default", "seeds": [0], "measures": measures}
    assert "ARI" in Table("t", [{**row, "model": "k-means"}, {**row, "model": "dec"}]).head
    assert "ARI" not in Table("t", [{**row, "model": "k-means"}, {**row, "model": "desom"}]).head
