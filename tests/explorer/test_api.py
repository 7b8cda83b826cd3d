"""What the explorer says of a run is what lies in the run."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from explorer.conftest import Client
from somscope.data import open_collection
from somscope.errors import RunError
from somscope.explorer.mosaic import SIZES, TILE, slots_per_side
from somscope.explorer.shown import Shown
from somscope.runs import Run

Serve = Callable[[Path], Client]
MakeRun = Callable[..., Path]


def picture(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def test_columns_are_those_of_the_run(serve: Serve, make_run: MakeRun) -> None:
    client = serve(make_run())
    run = Run.open(make_run())
    table = run.assignments()
    columns, _ = client.ask("api/items").columns
    assert columns["unit"].tolist() == table["unit"].to_pylist()
    assert columns["second_unit"].tolist() == table["second_unit"].to_pylist()
    np.testing.assert_array_equal(columns["distance"], table["distance"].to_numpy())
    names = client.ask("api/run").json["label_names"]
    assert [names[label] for label in columns["label"]] == table["label"].to_pylist()
    ends = columns["id.ends"].tolist()
    ids = [columns["id"].tobytes()[a:b].decode() for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    assert ids == table["id"].to_pylist()
    units, _ = client.ask("api/units").columns
    hits = np.bincount(columns["unit"], minlength=20)
    assert units["hits"].tolist() == hits.tolist()
    for unit in range(20):
        members = columns["order"][units["starts"][unit] : units["starts"][unit + 1]]
        assert set(columns["unit"][members]) <= {unit}
        assert (np.diff(columns["distance"][members]) >= 0).all()
        assert units["medoid"][unit] == (members[0] if len(members) else -1)
    layers, meta = client.ask("api/layers").columns
    shown = {layer["key"] for layer in meta["layers"]}
    assert {
        "hits",
        "u-matrix",
        "quantization-error",
        "topographic-error",
        "labels",
        "purity",
        "dead",
    } <= shown
    for unit in np.flatnonzero(hits):
        counts = np.bincount(columns["label"][columns["unit"] == unit])
        assert layers["purity"][unit] == pytest.approx(counts.max() / hits[unit], abs=2e-3)
        assert layers["quantization-error"][unit] == pytest.approx(
            columns["distance"][columns["unit"] == unit].mean(), rel=1e-3
        )
    assert np.isnan(layers["hits"][hits == 0]).all()
    assert layers["dead"].tolist() == (hits == 0).astype(float).tolist()


@pytest.mark.parametrize("lattice", [{}, {"lattice": "hexagonal", "toroidal": True}])
def test_sheets_hold_the_picture_of_each_unit(serve: Serve, make_run: MakeRun, lattice: dict) -> None:
    client = serve(make_run(**lattice))
    record = client.ask("api/run").json
    assert record["sheets"]["names"] == ["prototypes", "medoids", "mosaic"]
    assert record["lattice"]["toroidal"] is lattice.get("toroidal", False)
    side, columns = record["sheets"]["side"], record["sheets"]["columns"]
    prototypes = Run.open(make_run(**lattice)).model().prototypes_.reshape(-1, 28, 28)
    sheet = picture(client.ask("api/sheet/prototypes").body)[..., 0].astype(float)
    for unit, wanted in enumerate(prototypes):
        y, x = unit // columns * side, unit % columns * side
        cell = sheet[y : y + side, x : x + side]
        edge = (side - 84) // 2  # 28 pixels three times
        inside = cell[edge : edge + 84, edge : edge + 84].reshape(28, 3, 28, 3).mean(axis=(1, 3))
        assert np.abs(inside - 255 * wanted).mean() < 8, unit


def test_tiles_hold_the_members_in_order(serve: Serve, make_run: MakeRun) -> None:
    client = serve(make_run())
    columns, _ = client.ask("api/items").columns
    units, _ = client.ask("api/units").columns
    unit = int(units["hits"].argmax())
    start, hits = int(units["starts"][unit]), int(units["hits"][unit])
    collection = open_collection("fashion-mnist:sample", limit=300, seed=0)
    side = slots_per_side(hits)
    assert (side - 1) ** 2 < hits <= side**2
    for size in SIZES:
        tile = picture(client.ask(f"api/tile/{unit}/{size}/0/0").body)
        assert tile.shape[0] == min(side, TILE // size) * size
    for rank in (0, hits // 2, hits - 1):
        row, column = divmod(rank, side)
        tile = picture(client.ask(f"api/tile/{unit}/64/{row // 8}/{column // 8}").body)[..., 0]
        y, x = row % 8 * 64, column % 8 * 64
        pixels = np.asarray(
            Image.fromarray(collection.features[columns["order"][start + rank], ..., 0]).resize((64, 64), 2)
        )
        assert np.abs(tile[y : y + 64, x : x + 64].astype(float) - pixels).mean() < 8


def test_an_item_of_the_run_lights_its_own_unit(serve: Serve, make_run: MakeRun) -> None:
    client = serve(make_run())
    columns, _ = client.ask("api/items").columns
    run = Run.open(make_run())
    for item in (0, 17, 299):
        answer = client.ask("api/place", "POST", run.items()["thumbnail"][item].as_py())
        found, meta = answer.columns
        assert meta["unit"] == columns["unit"][item]
        assert meta["distance"] == pytest.approx(columns["distance"][item], rel=1e-4)
        assert meta["percentile"] == pytest.approx(run.assignments()["percentile"][item].as_py(), abs=0.5)
        assert found["distance"].argmin() == meta["unit"]
        assert found["neighbours"][0] == item
        assert found["neighbour_distance"][0] == pytest.approx(0, abs=1e-4)


def test_what_is_like_an_item(serve: Serve, make_run: MakeRun) -> None:
    client = serve(make_run())
    x = open_collection("fashion-mnist:sample", limit=300, seed=0).matrix()
    far = np.linalg.norm(x - x[5], axis=1)
    far[5] = np.inf
    answer = client.ask("api/item/5/like").json
    assert answer["items"] == np.argsort(far)[: len(answer["items"])].tolist()
    np.testing.assert_allclose(answer["distances"], np.sort(far)[: len(answer["items"])], rtol=1e-4)


def test_between_units_lies_their_mixture(serve: Serve, make_run: MakeRun) -> None:
    client = serve(make_run())
    prototypes = Run.open(make_run()).model().prototypes_
    answer = client.send("api/decode", {"weights": {"3": 1, "7": 3}})
    wanted = (prototypes[3] + 3 * prototypes[7]) / 4
    seen = picture(answer.body)[..., 0].astype(float)
    assert np.abs(seen - 255 * wanted.reshape(28, 28)).max() <= 1
    for bad in ({"weights": {}}, {"weights": {"3": -1}}, {"weights": {"99": 1}}, {"weights": {"3": 0}}):
        assert client.send("api/decode", bad).status in (400, 422)
    assert client.send("api/decode", {"weights": {"3": 1}, "offsets": {"784": 1}}).status == 400


def test_notes_are_kept_beside_the_run(serve: Serve, make_run: MakeRun, tmp_path: Path) -> None:
    folder = shutil.copytree(make_run(), tmp_path / "noted")
    client = serve(folder)
    assert client.send("api/notes/3", {"name": " tall  boots ", "note": "<b>ü</b>"}, "PUT").status == 200
    assert client.send("api/notes/20", {"name": "no such unit"}, "PUT").status == 400
    assert client.send("api/notes/3", {"name": "x" * 81}, "PUT").status == 422
    assert {path.name for path in tmp_path.iterdir()} == {"noted", "noted.notes.json"}
    again = serve(folder).ask("api/run").json["notes"]
    assert again == {"3": {"name": "tall boots", "note": "<b>ü</b>"}}
    assert client.send("api/notes/3", {}, "PUT").json == {}
    # A run that is trained anew has other units: what was said of the old ones is set aside, not shown.
    client.send("api/notes/4", {"name": "old"}, "PUT")
    config = json.loads((folder / "config.json").read_text())
    config["created"] = "2031-01-01T00:00:00+00:00"
    (folder / "config.json").write_text(json.dumps(config))
    assert serve(folder).ask("api/run").json["notes"] == {}
    (kept,) = tmp_path.glob("noted.notes.2*.json")
    assert "old" in kept.read_text()


@pytest.mark.parametrize(
    "text", ["{", "{}", '{"units": {"99": {"name": "", "note": ""}}}', '{"units": {"1": 2}}']
)
def test_broken_notes_are_named(make_run: MakeRun, tmp_path: Path, text: str) -> None:
    folder = shutil.copytree(make_run(), tmp_path / "noted")
    (tmp_path / "noted.notes.json").write_text(text)
    with pytest.raises(RunError, match=r"noted\.notes\.json"):
        Shown(Run.open(folder))


def test_missing_and_broken_pictures_are_crosses(serve: Serve, make_run: MakeRun, tmp_path: Path) -> None:
    folder = shutil.copytree(make_run(), tmp_path / "gaps")
    items = pq.read_table(folder / "items.parquet")
    data = items["thumbnail"].to_pylist()
    data[:10], data[10] = [None] * 10, b"no picture"
    items = items.set_column(items.column_names.index("thumbnail"), "thumbnail", pa.array(data, pa.binary()))
    pq.write_table(items, folder / "items.parquet")
    client = serve(folder)
    assert "10 of 300 images have no picture" in client.ask("api/run").json["problems"][0]
    for item in (0, 10):
        cross = picture(client.ask(f"api/item/{item}/picture").body)
        assert cross[0, 0, 0] > cross[0, 30, 0] > 0
    unit = int(client.ask("api/items").columns[0]["unit"][10])
    assert client.ask(f"api/tile/{unit}/32/0/0").status == 200
    assert client.ask("api/sheet/mosaic").status == 200
    answer = client.ask("api/item/20/like")
    assert answer.status == 400
    assert "has no picture" in answer.json["detail"]


def test_an_unfinished_run_says_so(serve: Serve, make_run: MakeRun, tmp_path: Path) -> None:
    folder = shutil.copytree(make_run(), tmp_path / "half")
    config = json.loads((folder / "config.json").read_text())
    config["stop_reason"] = "interrupted"
    config["left_out"] = [
        {"what": "assignments", "why": "interrupted", "cause": "interrupted"},
        {"what": "thumbnails", "why": "interrupted", "cause": "interrupted"},
    ]
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("assignments.parquet", "units.parquet"):
        (folder / name).unlink()
    client = serve(folder)
    record = client.ask("api/run").json
    assert record["n_items"] == 0
    assert record["sheets"]["names"] == ["prototypes"]
    assert any("not finished" in problem for problem in record["problems"])
    assert any("no assignments" in problem for problem in record["problems"])
    assert client.ask("api/layers").status == client.ask("api/units").status == 200
    picture = Run.open(folder).items()["thumbnail"][0].as_py()
    _, meta = client.ask("api/place", "POST", picture).columns
    assert meta["percentile"] is None


def test_an_older_run_is_shown(serve: Serve, make_run: MakeRun, tmp_path: Path) -> None:
    """With nothing in its config but what a run has always had, and without the table of the units."""
    folder = shutil.copytree(make_run(), tmp_path / "older")
    config = json.loads((folder / "config.json").read_text())
    kept = ("format", "created", "collection", "model", "lattice", "chosen")
    (folder / "config.json").write_text(
        json.dumps({key: config[key] for key in kept} | {"somscope": "0.0.1"})
    )
    (folder / "units.parquet").unlink()
    client = serve(folder)
    record = client.ask("api/run").json
    assert (record["n_items"], record["problems"]) == (300, [])
    assert client.ask("api/items").body == serve(make_run()).ask("api/items").body
    assert {client.ask(f"api/{path}").status for path in ("units", "layers", "sheet/prototypes")} == {200}


def test_a_newer_run_and_no_run_are_refused(make_run: MakeRun, tmp_path: Path) -> None:
    folder = shutil.copytree(make_run(), tmp_path / "newer")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"format": 99}))
    with pytest.raises(RunError, match="format 99"):
        Shown(Run.open(folder))
