"""Ray Data gives what the estimators give, block by block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from somscope import map_collection, on_ray, open_collection
from somscope.coding import code_collection
from somscope.data import pack
from somscope.errors import DataError, InputError, RunError
from somscope.on_ray import assign, assign_pack, encode, items
from somscope.runs import Run, assign_collection
from somscope.runs.code_run import CodeRun

N = 900


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of named items, a pack of grey images and one of colour; a map, a deep map and codes of them."""
    folder = tmp_path_factory.mktemp("ray")
    rng = np.random.default_rng(0)
    lines = [f"item-{i},{a},{b},{c}" for i, (a, b, c) in enumerate(rng.normal(size=(N, 3)).tolist())]
    (folder / "x.csv").write_text("\n".join(["id,a,b,c", *lines]))
    rows = pack(folder / "x.csv", folder / "rows", id_column="id")
    np.save(folder / "grey.npy", rng.integers(0, 256, (60, 6, 6), dtype=np.uint8))
    np.save(folder / "colour.npy", rng.integers(0, 256, (60, 6, 6, 3), dtype=np.uint8))
    grey = pack(folder / "grey.npy", folder / "grey")
    pack(folder / "colour.npy", folder / "colour")
    map_collection(rows, folder / "map", "som", {"grid": (4, 4), "n_passes": 2})
    code_collection(rows, folder / "codes", "lsh", 8)
    deep = {"grid": (2, 2), "latent_dim": 2, "hidden": (4,), "n_steps": 3, "finish_steps": 1}
    map_collection(grey, folder / "deep", "desom", deep | {"precision": "fp32", "device": "cpu"})
    return folder


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs of a few kilobytes are read in several parts."""
    monkeypatch.setattr(on_ray, "_BLOCK_BYTES", 3600)


def test_the_parts_of_a_pack_are_its_items(made: Path) -> None:
    folder, collection = made / "rows", open_collection(made / "rows")
    for start, stop in ((0, 1), (3, N), (N - 1, N)):
        (part,) = on_ray._read({"folder": [str(folder)], "start": [start], "stop": [stop]})
        assert part["id"].tolist() == collection.ids[start:stop].tolist()
        np.testing.assert_array_equal(part["features"], collection.features[start:stop])
    (part,) = on_ray._read({"folder": [str(made / "grey")], "start": [5], "stop": [7]})
    assert part["id"].tolist() == ["5", "6"]


def test_ids_are_read_from_the_groups_that_hold_them(made: Path, tmp_path: Path) -> None:
    table = pq.read_table(made / "rows" / "items.parquet")
    pq.write_table(table, tmp_path / "items.parquet", row_group_size=7)
    for start, stop in ((0, 7), (6, 8), (7, 14), (13, 200), (N - 3, N)):
        assert on_ray._ids(tmp_path, start, stop).tolist() == [f"item-{i}" for i in range(start, stop)]


@pytest.mark.parametrize("data", ["colour", "grey"])
def test_workers_give_what_the_estimators_give(made: Path, data: str) -> None:
    collection = open_collection(made / data)
    batch = {"features": np.array(collection.features), "mine": np.arange(60)}
    found = on_ray._Assign(str(made / "deep"))(batch)
    wanted = assign_collection(Run.open(made / "deep"), collection)
    assert list(found) == ["mine", "unit", "distance", "second_unit", "percentile"]
    for name in ("unit", "second_unit", "percentile"):
        np.testing.assert_array_equal(found[name], wanted[name].to_numpy())
    if data == "grey":
        codes = on_ray._Encode(str(made / "deep"))(batch)["code"]
        np.testing.assert_array_equal(codes, Run.open(made / "deep").model().encode(collection))


def test_lists_are_items_where_they_are_of_one_length(made: Path) -> None:
    worker = on_ray._Assign(str(made / "map"))
    rows = open_collection(made / "rows").features[:5]
    lists = np.empty(5, dtype=object)
    lists[:] = [row.tolist() for row in rows.astype(np.float64)]
    np.testing.assert_array_equal(worker({"features": lists})["unit"], worker({"features": rows})["unit"])
    lists[2] = [1.0]
    with pytest.raises(InputError, match="rows of features"):
        worker({"features": lists})


def test_what_cannot_be_used_is_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        assign(tmp_path, None)
    with pytest.raises(InputError, match="without a network"):
        encode(made / "map", None)
    with pytest.raises(DataError, match="is no pack"):
        items(tmp_path)
    with pytest.raises(InputError, match="a map of vectors"):
        assign_pack(made / "map", made / "grey", tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious.txt").touch()
    with pytest.raises(RunError, match="exists"):
        assign_pack(made / "map", made / "rows", tmp_path / "out")
    with pytest.raises(RunError, match="is not replaced"):
        assign_pack(made / "map", made / "rows", tmp_path / "out", overwrite=True)


@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_a_local_ray_assigns_and_encodes(made: Path, tmp_path: Path, small_blocks: None) -> None:
    """Everything in one test: a Ray takes seconds to start."""
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    from cli.samples import invoke

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        out = tmp_path / "where.parquet"
        result = invoke("assign", made / "map", made / "rows", "-o", out, "--ray")
        assert result.exit_code == 0, result.output
        assert "900 items assigned" in result.output
        assert len(list(out.iterdir())) > 1
        table = pq.read_table(out)
        wanted = assign_collection(Run.open(made / "map"), open_collection(made / "rows"))
        assert table.sort_by("id").equals(wanted.sort_by("id"))
        codes = encode(made / "codes", items(made / "rows"), workers=1).to_pandas().sort_values("id")
        every = open_collection(made / "rows")
        expected = CodeRun.open(made / "codes").encoder.encode(every)[np.argsort(every.ids)]
        np.testing.assert_array_equal(np.stack(codes["code"].to_list()), expected)
        bad = ray.data.from_items([{"features": np.zeros(2)}])
        with pytest.raises(Exception, match="has 2 features, but"):
            assign(made / "map", bad).materialize()
    finally:
        ray.shutdown()
