"""More than one map: two runs over the same items, the maps of an audit, and codes laid out on one."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from explorer.conftest import Client
from somscope.auditing import audit
from somscope.coding import code_collection
from somscope.data import open_collection
from somscope.errors import InputError, RunError
from somscope.explorer import on_disk
from somscope.explorer.live import Live
from somscope.explorer.maps import open_maps
from somscope.mapping import map_collection
from somscope.models.desom import DESOM
from somscope.runs import Run
from somscope.runs.checkpoints import checkpoint_folder
from somscope.runs.code_run import CodeRun

MakeRun = Callable[..., Path]
Serve = Callable[..., Client]


def texts(columns: dict[str, np.ndarray], name: str) -> list[str]:
    ends = columns[f"{name}.ends"].tolist()
    return [columns[name].tobytes()[a:b].decode() for a, b in zip([0, *ends], ends, strict=False)]


def test_two_runs_are_linked_by_the_ids_of_their_items(
    serve: Serve, make_run: MakeRun, tmp_path: Path
) -> None:
    some = open_collection("fashion-mnist:sample", limit=300, seed=0).take(np.arange(250)[::-1])
    settings = {"grid": (3, 3), "n_passes": 3, "random_state": 1, "verbose": False}
    map_collection(some, tmp_path / "other", parameters=settings)
    client = serve(make_run(), tmp_path / "other")
    one, _ = client.ask("api/items").columns
    other, _ = client.ask("with/1/api/items").columns
    assert client.ask("api/run").json["maps"] == client.ask("with/1/api/run").json["maps"] == ["run", "other"]
    id_of = dict(zip(one["pair"].tolist(), texts(one, "id"), strict=True))
    assert [id_of[pair] for pair in other["pair"].tolist()] == texts(other, "id")
    assert any("250 items in common" in text for text in client.ask("api/run").json["problems"])
    assert client.ask("with/1/api/sheet/mosaic").status == 200
    assert client.ask("with/2/api/run").status == client.ask("with/1/").status == 404


def test_runs_without_a_common_item_cannot_be_linked(make_run: MakeRun, tmp_path: Path) -> None:
    collection = open_collection("fashion-mnist:sample", limit=300, seed=0)
    strangers = replace(collection, ids=np.array([f"x{i}" for i in range(300)]))
    map_collection(
        strangers, tmp_path / "other", parameters={"grid": (3, 3), "n_passes": 2, "verbose": False}
    )
    with pytest.raises(InputError, match="no item in common"):
        open_maps(make_run(), tmp_path / "other")


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit in which a kind of image is dropped and another is invented."""
    draw = np.random.default_rng(0)
    grey = {"low": 40, "middle": 120, "high": 220}

    def made(kinds: list[str], n: int) -> np.ndarray:
        parts = [
            np.full((n, 16, 16, 1), grey[kind]) + draw.integers(-20, 20, (n, 16, 16, 1)) for kind in kinds
        ]
        return np.concatenate(parts).clip(0, 255).astype(np.uint8)

    real, fake = made(["low", "middle"], 60), made(["middle", "high"], 60)
    result = audit(None, real, fake, paired=False, n_seeds=2, permutations=19)
    return result.save(tmp_path_factory.mktemp("audits") / "audit")


def test_an_audit_shows_what_each_unit_holds(serve: Serve, audited: Path) -> None:
    client = serve(audited)
    assert client.ask("api/run").json["maps"] == [
        "Real images on the joint map", "Generated images on the joint map", "Real and generated images together"
    ]  # fmt: skip
    record = client.ask("with/2/api/run").json
    assert record["title"] == "Real and generated images together"
    assert not record["measured"]
    items, _ = client.ask("with/2/api/items").columns
    layers, meta = client.ask("with/2/api/layers").columns
    space = json.loads((audited / "audit.json").read_text())["spaces"][0]
    first = meta["layers"][0]
    assert first["key"] == "composition"
    assert layers["composition.framed"].tolist() == [word.startswith("mostly") for word in space["verdict"]]
    assert layers["composition.hatched"].tolist() == [word == "too few to say" for word in space["verdict"]]
    assert sum(layers["composition.framed"]) >= 2
    names = record["label_names"]
    for unit, (real, made) in enumerate(zip(space["real"], space["generated"], strict=True)):
        labels = [names[label] for label in items["label"][items["unit"] == unit]]
        assert (labels.count("real"), labels.count("generated")) == (real, made)
        value = layers["composition"][unit]
        assert real + made == 0 or np.sign(value) == np.sign(made - real)
    assert not {"u-matrix", "quantization-error"} & {layer["key"] for layer in meta["layers"]}
    side, columns = record["sheets"]["side"], record["sheets"]["columns"]
    with Image.open(io.BytesIO(client.ask("with/2/api/sheet/prototypes").body)) as picture:
        sheet = np.asarray(picture.convert("L"), float)
    for unit in np.flatnonzero(np.bincount(items["unit"], minlength=len(space["real"]))):
        rows = np.array(texts(items, "id"))[items["unit"] == unit]
        brightest = any("(generated)" in row and int(row.split()[0]) >= 60 for row in rows)
        y, x = int(unit) // columns * side + side // 2, int(unit) % columns * side + side // 2
        assert (sheet[y - 2 : y + 2, x - 2 : x + 2].mean() > 160) == brightest
    for path in ("api/place", "api/decode"):
        assert client.ask(path, "POST", b"{}").status in (400, 422)
    assert client.send("api/decode", {"weights": {"0": 1}}).status == 400


def test_halves_of_a_joint_map_are_linked_by_where_their_images_lie(serve: Serve, audited: Path) -> None:
    client = serve(audited)
    space = json.loads((audited / "audit.json").read_text())["spaces"][0]
    joint, _ = client.ask("with/2/api/items").columns
    unit_of = dict(zip(joint["pair"].tolist(), joint["unit"].tolist(), strict=True))
    places = []
    for path, kind in (("", "real"), ("with/1/", "generated")):
        half, _ = client.ask(f"{path}api/items").columns
        assert np.bincount(half["unit"], minlength=len(space[kind])).tolist() == space[kind]
        assert [unit_of[pair] for pair in half["pair"].tolist()] == half["unit"].tolist()  # the same images
        assert half["place"].tolist() == half["unit"].tolist()
        assert client.ask(f"{path}api/layers").columns[1]["layers"][0]["key"] == "composition"
        places.append(half)
    assert not set(places[0]["pair"].tolist()) & set(places[1]["pair"].tolist())


def test_each_map_of_an_audit_has_notes_of_its_own(serve: Serve, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (30, 8, 8, 3)).astype(np.uint8)
    audit(images, images[::-1], images, n_seeds=2, permutations=19).save(tmp_path / "a")
    client = serve(tmp_path / "a")
    titles = client.ask("api/run").json["maps"]
    source, half = titles.index("Source images on 5x5"), titles.index("Real images on the joint map")
    units = [len(client.ask(f"{path}api/units").columns[0]["x"]) for path in ("", f"with/{source}/")]
    assert units[0] < units[1]
    client.send("api/notes/0", {"name": "joint"}, "PUT")
    client.send(f"with/{source}/api/notes/{units[1] - 1}", {"name": "last"}, "PUT")
    again = serve(tmp_path / "a")  # a unit that the joint map does not have is none of its own
    assert again.ask("api/run").json["notes"] == {"0": {"name": "joint", "note": ""}}
    assert again.ask(f"with/{half}/api/run").json["notes"] == {"0": {"name": "joint", "note": ""}}
    last = {str(units[1] - 1): {"name": "last", "note": ""}}
    assert again.ask(f"with/{source}/api/run").json["notes"] == last


def test_images_of_a_pair_have_one_number(serve: Serve, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (30, 8, 8, 3)).astype(np.uint8)
    audit(images, images[::-1], images, n_seeds=2, permutations=19, names=[f"n{i}" for i in range(30)]).save(
        tmp_path / "a"
    )
    client = serve(tmp_path / "a")
    titles = client.ask("api/run").json["maps"]
    joint, _ = client.ask("api/items").columns
    source, _ = client.ask(f"with/{titles.index('Source images on 5x5')}/api/items").columns
    number = dict(zip(texts(source, "id"), source["pair"].tolist(), strict=True))
    assert len(set(number.values())) == 30
    for name, pair in zip(texts(joint, "id"), joint["pair"].tolist(), strict=True):
        assert number[name.split(" (")[0]] == pair


def test_an_audit_without_maps_is_refused(audited: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(audited, tmp_path / "audit")
    plain = json.loads((folder / "audit.json").read_text())
    for spaces, match in (([], "no maps"), ([{"grid": "nonsense"}], "not a whole audit")):
        (folder / "audit.json").write_text(json.dumps(plain | {"spaces": spaces}))
        with pytest.raises(RunError, match=match):
            open_maps(folder)
    with pytest.raises(RunError, match="without --with"):
        open_maps(audited, audited)


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("codes") / "run"
    code_collection(open_collection("fashion-mnist:sample", limit=300, seed=0), folder, "itq", 16)
    return folder


def test_codes_are_searched_by_radius(serve: Serve, coded: Path) -> None:
    client = serve(coded)
    record = client.ask("api/run").json
    assert record["bits"] == 16
    assert record["sheets"]["names"] == ["medoids", "mosaic"]
    run = CodeRun.open(coded)
    bits = np.unpackbits(run.index.codes, axis=1)
    found, _ = client.ask("api/item/7/bits").columns
    assert found["bits"].tolist() == bits[7].tolist()
    assert found["away"].tolist() == (bits != bits[7]).sum(axis=1).tolist()
    picture = run.items()["thumbnail"][7].as_py()
    placed, meta = client.ask("api/place", "POST", picture).columns
    assert placed["away"].tolist() == found["away"].tolist()
    assert meta["unit"] == client.ask("api/items").columns[0]["unit"][7]
    like = client.ask("api/item/7/like").json
    assert like["distances"] == sorted(found["away"].tolist())[1 : len(like["distances"]) + 1]
    assert "bits" in record["distance_unit"]
    assert len(like["reasons"][0]["differ"]) == np.sort(found["away"])[1]
    layers, described = client.ask("api/layers").columns
    planes = [one for one in described["layers"] if one.get("group") == "bits"]
    assert [one["title"] for one in planes] == [f"bit {i}" for i in range(16)]
    units = client.ask("api/items").columns[0]["unit"]
    own = np.array(
        [bits[units == unit, 3].mean() if (units == unit).any() else np.nan for unit in range(max(units) + 1)]
    )
    there = np.isfinite(own)
    assert np.corrcoef(own[there], layers[planes[3]["key"]][: len(own)][there])[0, 1] > 0.8
    assert client.ask("api/item/300/bits").status == 400


def test_a_map_has_no_bits(serve: Serve, make_run: MakeRun) -> None:
    assert serve(make_run()).ask("api/item/0/bits").status == 400


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose collection has metadata of every kind, with gaps."""
    folder = tmp_path_factory.mktemp("described") / "run"
    collection = open_collection("fashion-mnist:sample", limit=300, seed=0)
    years = [None if i % 7 == 0 else 1900 + i % 50 for i in range(300)]
    table = pa.table(
        {
            "year": pa.array(years, pa.int32()),
            "place": pa.array([[None, "north", "south"][i % 3] for i in range(300)]),
            "taken": pa.array([86_400_000_000 * 365 * i for i in range(300)], pa.timestamp("us")),
            "kept": pa.array([i % 2 == 0 for i in range(300)]),
            "many": pa.array([f"text {i}" for i in range(300)]),
            "long": pa.array(["x" * 1000] * 300),
        }
    )
    settings = {"grid": (3, 4), "n_passes": 3, "random_state": 0, "verbose": False}
    map_collection(replace(collection, metadata=table), folder, parameters=settings)
    return folder


def test_metadata_are_layers(serve: Serve, described: Path) -> None:
    client = serve(described)
    items, meta = client.ask("api/items").columns
    layers, about = client.ask("api/layers").columns
    keys = {column["title"]: column["key"] for column in meta["metadata"]}
    assert list(keys) == ["year", "place", "taken", "kept"]
    assert "metadata.long" not in Run.open(described).items().column_names
    year = items[keys["year"]]
    assert np.isnan(year[7])
    assert year[8] == 1908
    for unit in range(12):
        inside = year[(items["unit"] == unit) & ~np.isnan(year)]
        if len(inside):
            assert layers[keys["year"]][unit] == pytest.approx(inside.mean(), abs=0.01)
        places = items[keys["place"]][items["unit"] == unit]
        counts = np.bincount(places[places >= 0], minlength=2)
        assert layers[keys["place"]][unit] == (counts.argmax() if counts.sum() else -1)
    (place,) = [one for one in about["layers"] if one["title"] == "place"]
    assert place["names"] == ["north", "south"]
    assert items[keys["place"]][:3].tolist() == [-1, 0, 1]
    assert items[keys["taken"]][50] == pytest.approx(1970 + 50 * 365 / 365.2425, abs=0.01)


def test_a_choice_leaves_as_a_table_or_as_paths(serve: Serve, described: Path) -> None:
    client = serve(described)
    client.send("api/notes/3", {"name": "mine"}, "PUT")
    chosen = np.zeros(300, np.uint8)
    chosen[[0, 9, 299]] = 1
    mask = np.packbits(chosen).tobytes()
    table = pq.read_table(io.BytesIO(client.ask("api/export/parquet", "POST", mask).body)).to_pandas()
    wanted = Run.open(described).assignments().to_pandas().iloc[[0, 9, 299]]
    assert table["id"].tolist() == wanted["id"].tolist()
    assert table["unit"].tolist() == wanted["unit"].tolist()
    assert table["unit_name"].tolist() == ["mine" if unit == 3 else "" for unit in wanted["unit"]]
    assert table["year"].tolist()[1:] == [1909, 1949]
    assert client.ask("api/export/paths", "POST", mask).body.decode().split() == wanted["id"].tolist()
    for path, body in (("api/export/parquet", mask[1:]), ("api/export/zip", mask), ("api/export/paths", b"")):
        assert client.ask(path, "POST", body).status == 400


def test_originals_are_shown_in_full_and_found_again(serve: Serve, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for i in range(12):
        pixels = draw.integers(0, 255, (90, 200, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
    Image.new("L", (9, 9)).save(tmp_path / "secret.png")
    settings = {"grid": (2, 2), "n_passes": 2, "random_state": 0, "verbose": False}
    map_collection(open_collection(tmp_path / "photos"), tmp_path / "run", parameters=settings)
    client = serve(tmp_path / "run")
    with Image.open(io.BytesIO(client.ask("api/item/3/whole").body)) as picture:
        assert picture.size == (200, 90)
    answer = client.ask("api/export/paths", "POST", np.packbits(np.eye(12, dtype=np.uint8)[0]).tobytes())
    assert Path(answer.body.decode().strip()).is_file()
    (tmp_path / "photos").rename(tmp_path / "moved")
    client = serve(tmp_path / "run")
    (problem,) = client.ask("api/run").json["problems"]
    assert "no longer in" in problem
    assert "--images" in problem
    with Image.open(io.BytesIO(client.ask("api/item/3/whole").body)) as picture:
        assert picture.size == (64, 64)
    assert client.ask("api/item/3/like").status == 400
    client = serve(tmp_path / "run", images=tmp_path / "moved")
    assert client.ask("api/run").json["problems"] == []
    with Image.open(io.BytesIO(client.ask("api/item/3/whole").body)) as picture:
        assert picture.size == (200, 90)
    assert client.ask("api/item/3/like").status == 200
    with pytest.raises(InputError, match="not a folder"):
        open_maps(tmp_path / "run", images=tmp_path / "nothing")
    assert client.shown is not None
    for name in ("../secret.png", str(tmp_path / "secret.png"), "3.png/../../secret.png", "\0"):
        assert client.shown.originals.picture(name) is None


def test_pictures_of_a_large_run_stay_on_the_disk(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(make_run(), tmp_path / "large")
    table = pq.read_table(folder / "items.parquet")
    pictures = table["thumbnail"].to_pylist()
    pictures[7] = None
    at = table.column_names.index("thumbnail")
    pq.write_table(table.set_column(at, "thumbnail", pa.array(pictures)), folder / "items.parquet")
    (held,) = open_maps(folder)
    monkeypatch.setattr(on_disk, "LARGE", 100)
    monkeypatch.setattr(on_disk, "_ROWS", 64)
    (shown,) = open_maps(folder)
    assert held.thumbnails is not None
    assert shown.thumbnails is not None
    assert isinstance(shown.thumbnails.encoded, on_disk.OnDisk)
    assert [shown.thumbnails.bytes_of(i) for i in range(300)] == pictures
    assert shown.sheet("mosaic") == held.sheet("mosaic")
    assert shown.items() == held.items()
    assert shown.problems == held.problems
    assert any("1 of 300 images" in problem for problem in shown.problems)
    (folder / "items.parquet").write_bytes(b"PAR1")
    with pytest.raises(RunError, match=r"items\.parquet cannot be read"):
        open_maps(folder)


def test_units_have_codes_and_relevances_to_weigh(serve: Serve, make_run: MakeRun, tmp_path: Path) -> None:
    pixels, meta = serve(make_run()).ask("api/units").columns
    assert meta["dimensions"] == []  # single pixels are nothing to weigh
    assert "codes" not in pixels
    rows = np.random.default_rng(0).normal(size=(80, 3)) * [1, 10, 100]
    rows[:40, 1] += 60
    lines = ["a,b,c", *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    collection = open_collection(tmp_path / "t.csv")
    for name, parameters in (
        ("som", {"grid": (3, 3), "random_state": 0}),
        ("somrl", {"random_state": 0}),
    ):
        map_collection(collection, tmp_path / name, name, parameters=parameters)
        columns, meta = serve(tmp_path / name).ask("api/units").columns
        model = Run.open(tmp_path / name).model()
        assert meta["dimensions"] == ["a", "b", "c"]
        codes = columns["codes"].reshape(model.prototypes_.shape)
        if name == "som":  # distances between these are those of the map
            scaled = model.prototypes_ * np.sqrt(model.feature_weights)
            np.testing.assert_allclose(codes, scaled, rtol=1e-4, atol=1e-5)
            assert "relevances" not in columns
        else:
            np.testing.assert_allclose(
                columns["relevances"].reshape(codes.shape), model.relevances_, rtol=1e-5
            )


def test_a_training_shows_the_map_of_its_newest_checkpoint(tmp_path: Path) -> None:
    live = Live(tmp_path / "run")
    assert live.rows()["forming"] is None
    folder = checkpoint_folder(tmp_path / "run")
    x = np.random.default_rng(0).random((60, 12)).astype(np.float32)
    model = DESOM(
        grid=(3, 4), latent_dim=2, hidden=(8,), n_steps=6, batch_size=20, random_state=0, verbose=False,
        checkpoints=folder, training={"checkpoint_steps": 3}, finish="none",
    ).fit(x)  # fmt: skip
    seen = live.forming()
    assert seen is not None
    p = model.prototypes_.astype(float).reshape(3, 4, -1)
    far = []
    for row in range(3):
        for column in range(4):
            near = [(row + a, column + b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]
            near = [(r, c) for r, c in near if 0 <= r < 3 and 0 <= c < 4]
            far.append(np.mean([np.linalg.norm(p[row, column] - p[r, c]) for r, c in near]))
    np.testing.assert_allclose(seen["u_matrix"], far, rtol=1e-5)
    for broken in folder.glob("step-*/state.json"):
        broken.write_text("{")
    assert Live(tmp_path / "run").rows()["forming"] is None
