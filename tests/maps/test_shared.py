"""Two and four processes under torchrun learn the map that one process learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from somscope.errors import InputError
from somscope.maps import shared
from somscope.maps.som import SOM
from workers import run_script

SCRIPT = Path(__file__).parent / "several_maps.py"
NAMES = ("memory", "auto", "weights", "gaps", "cosine", "blocks", "mapped")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """What one, two and four processes wrote."""
    folder = tmp_path_factory.mktemp("maps")
    run_script(SCRIPT, folder)
    return {n: folder / str(n) for n in (1, 2, 4)}


@pytest.mark.parametrize("n_processes", [2, 4])
@pytest.mark.parametrize("name", NAMES)
def test_the_map_is_that_of_one_process(folders, n_processes, name):
    one = np.load(folders[1] / f"{name}-0.npz")
    for rank in range(n_processes):
        found = np.load(folders[n_processes] / f"{name}-{rank}.npz")
        np.testing.assert_allclose(found["prototypes"], one["prototypes"], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found["error"], one["error"], rtol=1e-6)
        np.testing.assert_allclose(found["moved"], one["moved"], atol=1e-9)
        np.testing.assert_allclose(found["inertia"], one["inertia"], rtol=1e-6)
        np.testing.assert_array_equal(found["labels"], one["labels"])
        np.testing.assert_array_equal(found["hits"], one["hits"])
        assert found["reason"] == one["reason"]
    assert one["hits"].sum() > 2000
    assert len(one["error"]) >= 4


@pytest.mark.parametrize("n_processes", [2, 4])
def test_every_process_has_the_same_bits_and_ends_together_after_ctrl_c(folders, n_processes):
    for name in (*NAMES, "interrupted"):
        maps = [np.load(folders[n_processes] / f"{name}-{rank}.npz") for rank in range(n_processes)]
        for other in maps[1:]:
            for key in maps[0]:
                np.testing.assert_array_equal(other[key], maps[0][key], err_msg=f"{name} {key}")
    assert maps[0]["reason"] == "interrupted"
    assert len(maps[0]["error"]) == 2


def test_what_several_processes_cannot_train_is_refused(monkeypatch):
    x = np.random.default_rng(0).normal(size=(30, 3))
    monkeypatch.setattr(shared, "n_processes", lambda: 2)
    monkeypatch.setattr("somscope.maps.fitting.n_processes", lambda: 2)
    monkeypatch.setattr("somscope.maps.choices.agreed_seed", lambda seed: seed)
    with pytest.raises(InputError, match="'online' is trained by one process"):
        SOM(grid=(2, 2), algorithm="online").fit(x)
    monkeypatch.setattr("somscope.maps.fitting.n_processes", lambda: 40)
    with pytest.raises(InputError, match="30 items for 40 processes"):
        SOM(grid=(2, 2)).fit(x)


def test_the_rows_of_the_processes_are_all_rows_once(monkeypatch):
    for n, processes in ((10, 3), (4, 4), (1000, 7)):
        monkeypatch.setattr(shared, "n_processes", lambda processes=processes: processes)
        rows = []
        for rank in range(processes):
            monkeypatch.setattr(shared, "process_rank", lambda rank=rank: rank)
            rows.append(np.arange(n)[shared.own_rows(n)])
        np.testing.assert_array_equal(np.concatenate(rows), np.arange(n))
        assert max(map(len, rows)) - min(map(len, rows)) <= 1
