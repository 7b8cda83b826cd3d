"""The explorer in a real browser: what a person does there, and what is then drawn and said."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from explorer.conftest import Client
from somscope.auditing import audit
from somscope.coding import code_collection
from somscope.data import open_collection
from somscope.errors import RunError
from somscope.explorer.copy import write_copy
from somscope.explorer.look import look
from somscope.explorer.maps import open_maps
from somscope.mapping import map_collection
from somscope.runs import Run
from somscope.runs.checkpoints import checkpoint_folder
from somscope.training.checkpoint import write_checkpoint

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Look:
    """A page with a map, and how a person touches it."""

    def __init__(self, page: Any, client: Client, seen: list[str]) -> None:
        self.page, self.client, self.seen = page, client, seen
        self.units, _ = client.ask("api/units").columns
        self.items, _ = client.ask("api/items").columns

    def settle(self) -> None:
        """Wait until what was changed is drawn: two frames."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def place(self, unit: int, box: str = "#map", units: Any = None) -> tuple[float, float]:
        """Where on the page a unit lies: the map fills its box, with 0.6 steps of room around it."""
        box = self.page.locator(box).bounding_box()
        units = self.units if units is None else units
        x, y = units["x"], units["y"]
        spans = np.ptp(x) + 1.2, np.ptp(y) + 1.2
        scale = min(box["width"] / spans[0], box["height"] / spans[1])
        middle = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
        return (
            float(box["x"] + box["width"] / 2 + (x[unit] - middle[0]) * scale),
            float(box["y"] + box["height"] / 2 + (y[unit] - middle[1]) * scale),
        )

    def click(self, unit: int, *modifiers: str) -> None:
        for key in modifiers:
            self.page.keyboard.down(key)
        self.page.mouse.click(*self.place(unit))
        for key in modifiers:
            self.page.keyboard.up(key)
        self.settle()

    def drag(self, points: list[tuple[float, float]]) -> None:
        self.page.mouse.move(*points[0])
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*point, steps=3)
        self.page.mouse.up()
        self.settle()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def other(self, unit: int) -> tuple[float, float]:
        """Where a unit lies of the map on the right."""
        units, _ = self.client.ask("with/1/api/units").columns
        return self.place(unit, "#other-map", units)

    @property
    def chosen(self) -> int:
        return int(self.page.inner_text("#chosen").split(" of ")[0].replace(",", ""))

    def pixels(self) -> np.ndarray:
        """The map as it is drawn."""
        self.settle()
        return np.asarray(
            Image.open(io.BytesIO(self.page.locator("#canvas").screenshot())).convert("RGB")
        ).astype(int)

    def colour(self, unit: int, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
        """The colour drawn near a unit's middle, in pixels from it."""
        box = self.page.locator("#map").bounding_box()
        x, y = self.place(unit)
        return self.pixels()[round(y - box["y"] + dy), round(x - box["x"] + dx)]

    def hits(self, *units: int) -> int:
        return int(self.units["hits"][list(units)].sum())


@pytest.fixture
def open_look(browser: Any, serve: Callable[[Path], Client]) -> Iterator[Callable[..., Look]]:
    """Serve a run and open it; at the end no error, and no request to anywhere else, must have been seen."""
    seen: list[str] = []
    contexts = []

    def start(folder: Path, fragment: str = "", beside: Path | None = None, **options: Any) -> Look:
        client = serve(folder, beside)
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: seen.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.append(str(error)))
        own = (client.server.url, "blob:", "data:")
        page.on("request", lambda r: None if r.url.startswith(own) else seen.append(f"request: {r.url}"))
        page.goto(client.server.url + fragment)
        page.wait_for_selector("canvas[data-drawn]")
        names = len(client.ask("api/run").json["sheets"]["names"])
        page.wait_for_selector(f"canvas[data-sheets='{names}']")
        look = Look(page, client, seen)
        look.settle()
        return look

    yield start
    for context in contexts:
        context.close()
    assert seen == []


def test_1_each_way_of_drawing_draws_something_else(make_run: Callable[..., Path], open_look) -> None:
    look = open_look(make_run())
    drawn = []
    for key, title in zip("12345", ["Prototypes", "Medoids", "Mosaic", "Dots", "Colours"], strict=True):
        look.press(key)
        assert look.page.locator('[aria-checked="true"]').first.inner_text().endswith(title)
        drawn.append(look.pixels())
    height = min(len(one) for one in drawn)  # legends are of different heights
    drawn = [one[:height] for one in drawn]
    for i, one in enumerate(drawn):
        for other in drawn[i + 1 :]:
            assert (np.abs(one - other).max(axis=2) > 20).mean() > 0.02


def test_1_prototypes_are_drawn_where_their_units_lie(make_run: Callable[..., Path], open_look) -> None:
    look = open_look(make_run(lattice="hexagonal", toroidal=True))
    prototypes = Run.open(make_run(lattice="hexagonal", toroidal=True)).model().prototypes_
    pixels = look.pixels()
    box = look.page.locator("#map").bounding_box()
    bright = []
    for unit in range(20):
        x, y = look.place(unit)
        top, left = round(y - box["y"]), round(x - box["x"])
        bright.append(pixels[top - 20 : top + 20, left - 20 : left + 20].mean() / 255)
    middle = prototypes.reshape(-1, 28, 28)[:, 8:20, 8:20].mean(axis=(1, 2))
    assert np.corrcoef(bright, middle)[0, 1] > 0.9


def test_1_zooming_in_shows_medoids_then_members_then_an_item(
    make_run: Callable[..., Path], open_look
) -> None:
    look = open_look(make_run())
    unit = int(look.units["hits"].argmax())
    tiles: list[str] = []
    look.page.on("request", lambda r: tiles.append(r.url) if "/api/tile/" in r.url else None)
    before = look.colour(unit)
    x, y = look.place(unit)
    look.page.mouse.move(x, y)
    look.page.mouse.wheel(0, -400)
    look.settle()
    assert tiles == []
    with look.page.expect_response(re.compile(r"/api/tile/")):
        look.page.mouse.wheel(0, -900)
    assert any(f"/api/tile/{unit}/" in url for url in tiles)
    look.page.mouse.click(x, y)
    look.page.wait_for_selector("#item")
    shown = look.page.inner_text("#item h2").removeprefix("Item ")
    ends = look.items["id.ends"]
    ids = [look.items["id"].tobytes()[a:b].decode() for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    assert look.items["unit"][ids.index(shown)] == unit
    look.press("0")
    look.settle()
    assert np.abs(look.colour(unit) - before).max() < 60


def test_2_a_layer_has_the_colours_and_numbers_of_its_values(
    make_run: Callable[..., Path], open_look
) -> None:
    look = open_look(make_run())
    look.press("5")
    columns, meta = look.client.ask("api/layers").columns
    ramp = look.client.ask("api/run").json["ramp"]
    for layer in meta["layers"]:
        if layer["type"] != "value" or layer["key"] in ("topographic-error", "dead"):
            continue
        look.page.select_option("#layer", layer["key"])
        legend = look.page.inner_text(".legend")
        assert layer["text"][:40] in legend
        low, high = layer["low"], layer["high"]
        assert f"{float(f'{high:.3g}'):g}" in legend.replace(",", "")
        for unit in (0, 7, 19):
            value = columns[layer["key"]][unit]
            if np.isnan(value):
                continue
            wanted = ramp[round((value - low) / (high - low) * 63)]
            seen = look.colour(unit, 10, 10)
            assert np.abs(seen - [int(wanted[i : i + 2], 16) for i in (1, 3, 5)]).max() <= 3, (
                layer["key"],
                unit,
            )


def test_3_choosing(make_run: Callable[..., Path], open_look) -> None:
    look = open_look(make_run())
    look.click(6)
    assert look.chosen == look.hits(6)
    look.click(7, "Shift")
    assert look.chosen == look.hits(6, 7)
    look.click(7, "Shift")
    assert look.chosen == look.hits(6)
    look.press("g")
    assert look.chosen == look.hits(0, 1, 2, 5, 6, 7, 10, 11, 12)
    pale, full = look.colour(19), look.colour(6)
    look.press("i")
    assert look.chosen == 300 - look.hits(0, 1, 2, 5, 6, 7, 10, 11, 12)
    assert np.abs(look.colour(19) - pale).max() > 20 or np.abs(look.colour(6) - full).max() > 20
    look.press("u", "u")
    assert look.chosen == look.hits(6)
    look.press("b")
    (x0, y0), (x1, y1) = look.place(0), look.place(7)
    look.drag([(x0 - 20, y0 - 20), (x1 + 20, y1 + 20)])
    assert look.chosen == look.hits(0, 1, 2, 5, 6, 7)
    look.press("l")
    (ax, ay), (bx, by), (cx, cy) = look.place(13), look.place(19), look.place(18)
    look.drag(
        [(ax - 25, ay - 25), (ax + 25, ay - 25), (bx + 25, by + 25), (cx - 25, cy + 25), (ax - 25, ay - 25)]
    )
    assert look.chosen == look.hits(13, 18, 19)
    look.press("Escape")
    assert look.chosen == 0


def test_3_the_address_holds_the_state(make_run: Callable[..., Path], open_look) -> None:
    look = open_look(make_run())
    look.click(6)
    look.click(12, "Shift")
    look.page.select_option("#layer", "purity")
    look.press("2")
    look.page.wait_for_url(re.compile("mode=medoids&layer=purity.*items="))
    fragment = look.page.evaluate("location.hash")
    again = open_look(make_run(), fragment)
    assert again.chosen == look.hits(6, 12)
    assert again.page.input_value("#layer") == "purity"
    assert again.page.inner_text("#unit h2") == "Unit 12"
    assert again.page.locator('[aria-checked="true"]').first.inner_text().endswith("Medoids")


def test_3_keys_alone_are_enough(make_run: Callable[..., Path], open_look) -> None:
    look = open_look(make_run())
    look.page.focus("#map")
    for key, unit in [
        ("ArrowRight", 0),
        ("ArrowRight", 1),
        ("ArrowDown", 6),
        ("ArrowLeft", 5),
        ("ArrowUp", 0),
    ]:
        look.press(key)
        assert look.page.inner_text("#spoken").startswith(f"Unit {unit}: {look.hits(unit)} items")
    look.press("Enter")
    assert look.chosen == look.hits(0)


def test_4_the_panel_says_what_a_unit_holds(make_run: Callable[..., Path], open_look, tmp_path: Path) -> None:
    look = open_look(shutil.copytree(make_run(), tmp_path / "noted"))
    unit = int(look.units["hits"].argmax())
    look.click(unit)
    names = look.client.ask("api/run").json["label_names"]
    here = np.bincount(look.items["label"][look.items["unit"] == unit], minlength=10)
    base = np.bincount(look.items["label"], minlength=10) / 300
    best = int(here.argmax())
    row = look.page.inner_text("#labels tbody tr >> nth=0")
    lift = here[best] / here.sum() / base[best]
    assert names[best] in row
    assert str(here[best]) in row
    assert f"{lift:.1f}\u00d7" in row
    members = look.page.locator("#members li button").evaluate_all("all => all.map(one => one.title)")
    table = Run.open(make_run()).assignments().to_pandas()
    wanted = table[table.unit == unit].sort_values("distance", kind="stable")["id"].tolist()
    assert members == wanted[:48]
    look.page.locator("#members li button").first.click()
    look.page.click("#item >> text=Find what is like it")
    look.page.wait_for_selector("#alike li")
    assert look.page.locator("#alike li").count() == 12
    look.page.click("text=Name and note")
    look.page.fill("#unit input[name=name]", "<i>things</i>")
    look.page.click("#unit >> text=Save")
    look.page.wait_for_selector("text=Saved beside the run")
    assert look.page.inner_text("#unit h2") == f"Unit {unit}: <i>things</i>"
    kept = json.loads((tmp_path / "noted.notes.json").read_text())
    assert kept["units"] == {str(unit): {"name": "<i>things</i>", "note": ""}}


def test_5_searching(make_run: Callable[..., Path], open_look, tmp_path: Path) -> None:
    look = open_look(make_run())
    names = look.client.ask("api/run").json["label_names"]
    look.page.fill("input[type=search]", names[3].upper())
    look.page.keyboard.press("Enter")
    wanted = int((look.items["label"] == 3).sum())
    look.page.wait_for_selector(f"text={wanted} items found and selected")
    assert look.chosen == wanted
    data = Run.open(make_run()).items()["thumbnail"][42].as_py()
    image = tmp_path / "image.png"
    image.write_bytes(data)
    look.page.set_input_files("#query", image)
    look.page.wait_for_selector("#placed")
    unit = int(look.items["unit"][42])
    assert f"unit {unit}" in look.page.inner_text("#placed")
    assert "%" in look.page.inner_text("#placed")
    assert look.page.input_value("#layer") == "query"
    look.settle()
    look.page.evaluate(
        """(bytes) => {
            const move = new DataTransfer();
            move.items.add(new File([new Uint8Array(bytes)], "bad.svg", { type: "image/svg+xml" }));
            document.querySelector(".page").dispatchEvent(new DragEvent("drop", { dataTransfer: move, bubbles: true }));
        }""",
        list(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    )
    look.page.wait_for_selector("text=not an image in a known format")
    (refused,) = look.seen  # as the browser notes in its console
    assert "400" in refused
    look.seen.clear()


def test_6_the_probe_decodes_between_units(make_run: Callable[..., Path], open_look) -> None:
    look = open_look(make_run())
    prototypes = Run.open(make_run()).model().prototypes_.reshape(-1, 28, 28)
    look.press("p")
    with look.page.expect_response(re.compile("api/decode")):
        look.page.mouse.click(*look.place(8))
    look.page.wait_for_selector("#probe img")
    pixels = look.page.evaluate(
        """async () => {
            await document.querySelector("#probe img").decode();
            const canvas = document.createElement("canvas");
            canvas.width = canvas.height = 28;
            const pen = canvas.getContext("2d");
            pen.drawImage(document.querySelector("#probe img"), 0, 0);
            return [...pen.getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0);
        }"""
    )
    seen = np.array(pixels).reshape(28, 28) / 255
    far = [np.abs(seen - one).mean() for one in prototypes]
    assert int(np.argmin(far)) == 8
    (ax, ay), (bx, by) = look.place(8), look.place(9)
    with look.page.expect_response(re.compile("api/decode")) as asked:
        look.page.mouse.click((ax + bx) / 2, (ay + by) / 2)
    weights = json.loads(asked.value.request.post_data)["weights"]
    assert weights["8"] == pytest.approx(weights["9"], rel=0.1)


def test_6_dials_weigh_the_dimensions(open_look, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((90, 3))
    lines = ["a,b,c", *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    settings = {"grid": (4, 5), "random_state": 0, "verbose": False}
    map_collection(open_collection(tmp_path / "t.csv"), tmp_path / "run", parameters=settings)
    look = open_look(tmp_path / "run")
    look.press("5")
    look.click(7)
    look.page.click("#weights summary")
    for name, weight in (("a", 0.0), ("b", 2.0), ("c", 0.5)):
        look.page.locator(f"[aria-label='Weight of {name}']").fill(str(weight))
    codes = look.units["codes"].reshape(20, 3).astype(float)
    far = np.sqrt((np.square(codes - codes[7]) * [0.0, 2.0, 0.5]).sum(axis=1))
    assert look.page.inner_text("#layer option:checked") == "Distance to unit 7, as weighed"
    nearest = look.page.locator("#weights p .link").all_inner_texts()
    assert nearest == [str(unit) for unit in np.argsort(far)[1:7]]
    look.page.click("text=Clear")
    ramp = look.client.ask("api/run").json["ramp"]
    for unit in (0, 3, 12, 19):
        wanted = ramp[round((far.max() - far[unit]) / far.max() * 63)]
        seen = look.colour(unit, 10, 10)
        assert np.abs(seen - [int(wanted[i : i + 2], 16) for i in (1, 3, 5)]).max() <= 12, unit
    look.page.click("#weights >> text=All equal")
    assert look.page.locator("#weights output").all_inner_texts() == ["1.0"] * 3


def chosen_in(look: Look, path: str, unit: int) -> np.ndarray:
    """Numbers of the pairs of the items of a unit on one map."""
    columns, _ = look.client.ask(f"{path}api/items").columns
    return columns["pair"][columns["unit"] == unit]


def test_7_a_choice_on_one_map_flows_to_the_other(make_run: Callable[..., Path], open_look) -> None:
    look = open_look(make_run(), beside=make_run(grid=(3, 3), random_state=1))
    box = look.page.locator("#other-map").bounding_box()

    def right() -> np.ndarray:
        look.settle()
        picture = Image.open(io.BytesIO(look.page.locator("#other-canvas").screenshot())).convert("RGB")
        return np.asarray(picture).astype(int)

    unit = int(look.units["hits"].argmax())
    look.click(unit)
    assert look.chosen == look.hits(unit)
    other, _ = look.client.ask("with/1/api/items").columns
    partners = np.bincount(other["unit"][np.isin(other["pair"], chosen_in(look, "", unit))], minlength=9)
    pixels = right()
    for at in range(9):
        x, y = look.other(at)
        row, column = round(y - box["y"]), round(x - box["x"])
        near = pixels[row - 12 : row + 12, column - 12 : column + 12].reshape(-1, 3)
        orange = (np.abs(near - [213, 94, 0]).max(axis=1) < 60).any()
        assert orange == (partners[at] > 0), (at, partners)
    # The other way round: what is chosen on the right is chosen on the left.
    most = int(partners.argmax())
    look.page.mouse.click(*look.other(most))
    look.settle()
    assert look.chosen == int((other["unit"] == most).sum())
    columns, _ = look.client.ask("api/items").columns
    arrived = np.isin(columns["pair"], chosen_in(look, "with/1/", most)) & (columns["unit"] == unit)
    # The matrix: the cell of a unit on the left and one on the right.
    matrix = look.page.locator("#matrix")
    place = matrix.bounding_box()
    look.page.mouse.move(
        place["x"] + (most + 0.5) / 9 * place["width"], place["y"] + (unit + 0.5) / 20 * place["height"]
    )
    said = f"unit {unit} to unit {most}: {arrived.sum()} of {look.hits(unit)} items"
    look.page.wait_for_selector(f"text={said}")
    look.page.mouse.down()
    look.page.mouse.up()
    look.page.wait_for_selector(f"text=/^{arrived.sum()} of 300 items/")
    look.page.select_option("[aria-label='Map on the right']", label="Nothing beside it")
    look.page.wait_for_selector("#other-map", state="detached")
    assert look.page.locator("#transitions").count() == 0


def test_2_an_audit_shows_its_maps_linked(browser: Any, open_look, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (40, 8, 8, 3)).astype(np.uint8)
    audit(images[::-1], images, (images // 3), n_seeds=2, permutations=19).save(tmp_path / "a")
    look = open_look(tmp_path / "a")
    assert look.page.input_value("#layer") == "composition"
    layers, meta = look.client.ask("api/layers").columns
    ramp = look.client.ask("api/run").json["diverging"]
    look.press("5")
    for unit in np.flatnonzero(~np.isnan(layers["composition"])):
        if layers["composition.hatched"][unit]:
            continue
        wanted = ramp[round((layers["composition"][unit] + 3) / 6 * 62)]
        seen = look.colour(int(unit), 14, 14)
        assert np.abs(seen - [int(wanted[i : i + 2], 16) for i in (1, 3, 5)]).max() <= 3, unit
    unit = int(look.units["hits"].argmax())
    look.page.mouse.move(*look.place(unit))
    look.page.wait_for_selector(f"text={meta['layers'][0]['said'][unit]}")
    titles = look.page.locator("[aria-label='Map on the right'] option").all_inner_texts()
    assert {"Source images on 5x5", "Generated images on 5x5", "Nothing beside it"} <= set(titles)
    look.click(unit)
    assert look.chosen == look.hits(unit)
    look.page.select_option("[aria-label='Map on the left']", label="Source images on 5x5")
    look.page.wait_for_selector("text=0 of 40 items selected")


def test_5_codes_are_searched_by_radius(open_look, tmp_path: Path) -> None:
    collection = open_collection("fashion-mnist:sample", limit=200, seed=0)
    code_collection(collection, tmp_path / "codes", "itq", 16)
    look = open_look(tmp_path / "codes")
    unit = int(look.units["hits"].argmax())
    look.click(unit)
    look.page.locator("#members li button").first.click()
    look.page.click("text=Search by radius in bits")
    look.page.wait_for_selector("#radius")
    members = look.items["order"][look.units["starts"][unit] :]
    found, _ = look.client.ask(f"api/item/{members[0]}/bits").columns
    assert look.page.locator(".barcode .one").count() == found["bits"].sum()
    look.page.focus("#radius input")
    for radius in (1, 2, 3):
        look.press("ArrowRight")
        assert look.chosen == (found["away"] <= radius).sum()
    look.page.locator(".barcode button").nth(5).click()
    assert look.page.inner_text("#layer option:checked") == "bit 5"


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("described") / "run"
    collection = open_collection("fashion-mnist:sample", limit=200, seed=0)
    table = pa.table(
        {"Year made": list(range(1800, 2000)), "place": [["north", "south", None][i % 3] for i in range(200)]}
    )
    settings = {"grid": (3, 4), "n_passes": 3, "random_state": 0, "verbose": False}
    map_collection(replace(collection, metadata=table), folder, parameters=settings)
    return folder


def test_2_4_5_metadata_are_layers_histograms_and_can_be_searched(open_look, described: Path) -> None:
    look = open_look(described)
    look.page.select_option("#layer", label="place")
    look.page.click(".classes button >> nth=1")
    assert look.chosen == 67  # 1, 4, ..., 199: south
    look.page.fill("input[type=search]", "place=north year_made>1900")
    look.page.keyboard.press("Enter")
    wanted = [i for i in range(0, 200, 3) if 1800 + i > 1900]
    look.page.wait_for_selector(f"text={len(wanted)} items found and selected")
    look.page.click("#labels summary:has-text('place')")
    row = look.page.inner_text("#labels details:has-text('place') tbody tr >> nth=0")
    assert "north" in row
    assert f"{1 / (67 / 133):.1f}\u00d7" in row
    look.page.click("#labels summary:has-text('Year made')")
    rows = look.page.locator("#labels details:has-text('Year made') tbody tr")
    rows.first.wait_for()
    assert rows.count() == 5  # of ten ranges of 20 years those after 1900
    look.page.select_option("#layer", label="Year made")
    assert "1800" not in look.page.inner_text(".legend .numbers")  # the mean of no unit is so early
    look.page.click(".menu summary")
    with look.page.expect_download() as download:
        look.page.click("text=as Parquet")
    table = pq.read_table(download.value.path()).to_pandas()
    assert table["Year made"].tolist() == [1800 + i for i in wanted]
    with look.page.expect_download() as download:
        look.page.click("text=as CSV")
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert [row["Year made"] for row in rows] == [str(1800 + i) for i in wanted]
    with look.page.expect_download() as download:
        look.page.click("text=as a list of paths")
    assert Path(download.value.path()).read_text().split() == table["id"].tolist()


@pytest.mark.parametrize("name", ["site", "site.html"])
def test_a_copy_opens_from_a_file(
    make_run: Callable[..., Path], browser: Any, tmp_path: Path, name: str
) -> None:
    """With the network cut: everything lies in the copy, and nothing else is asked for."""
    write_copy(open_maps(make_run(), make_run(grid=(3, 3), random_state=1)), tmp_path / name, False)
    page_file = tmp_path / name / "index.html" if name == "site" else tmp_path / name
    context = browser.new_context(viewport={"width": 1280, "height": 800}, offline=True)
    page, seen = context.new_page(), []
    page.on("console", lambda m: seen.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.append(str(error)))
    inside = (page_file.parent.as_uri(), "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(inside) else seen.append(r.url))
    page.goto(page_file.as_uri())
    page.wait_for_selector("#canvas[data-sheets='3']")
    page.wait_for_selector("#other-canvas[data-sheets='3']")
    box = page.locator("#map").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2 + 20, box["y"] + box["height"] / 2 + 20)
    assert int(page.inner_text("#chosen").split(" of ")[0]) > 0
    assert page.locator("text=Where is my image?").count() == page.locator("text=Probe").count() == 0
    shown = page.locator("#members li button").first
    shown.click()
    page.wait_for_selector("#item .large")
    picture = Image.open(io.BytesIO(page.locator("#item .large").screenshot())).convert("L").resize((28, 28))
    items = Run.open(make_run()).items()
    at = items["id"].to_pylist().index(page.inner_text("#item h2").removeprefix("Item "))
    wanted = np.asarray(Image.open(io.BytesIO(items["thumbnail"][at].as_py())).convert("L"), float)
    assert np.corrcoef(np.asarray(picture, float).ravel(), wanted.ravel())[0, 1] > 0.95
    page.keyboard.press("3")
    before = Image.open(io.BytesIO(page.locator("#canvas").screenshot())).convert("L")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -900)
    page.wait_for_selector("#canvas[data-tiles]:not([data-tiles='0'])")
    after = Image.open(io.BytesIO(page.locator("#canvas").screenshot())).convert("L")
    assert np.abs(np.asarray(before, float) - np.asarray(after, float)).mean() > 5
    context.close()
    assert seen == []


def test_a_copy_of_a_large_collection_has_smaller_pictures(
    make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    for most in (10**9, 200_000, 1000):
        monkeypatch.setattr("somscope.explorer.copy.MOST_BYTES", most)
        file = write_copy(open_maps(make_run()), tmp_path / f"{most}.html", False)
        text = file.read_text("utf-8")
        record = re.search(r'id="kept:api/run">([^<]*)<', text)
        assert record is not None
        said = json.loads(base64.b64decode(record[1]))
        sizes.append(said["tile_sizes"])
        assert ("kept:tiles/" in text) == bool(said["tile_sizes"]) == said["thumbnails"]
        assert any("one file" in problem for problem in said["problems"]) == (not said["thumbnails"])
    assert sizes[0] == [64]
    assert sizes[2] == []
    with pytest.raises(RunError, match="exists"):
        write_copy(open_maps(make_run()), tmp_path, False)


def test_8_what_is_exported_is_what_was_chosen(make_run: Callable[..., Path], open_look) -> None:
    look = open_look(make_run())
    look.click(6)
    look.page.click(".menu summary")
    with look.page.expect_download() as download:
        look.page.click("text=as CSV")
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    table = Run.open(make_run()).assignments().to_pandas()
    wanted = table[table.unit == 6]
    assert [row["id"] for row in rows] == wanted["id"].tolist()
    assert [row["label"] for row in rows] == wanted["label"].tolist()
    np.testing.assert_allclose([float(row["distance"]) for row in rows], wanted["distance"], rtol=1e-5)
    with look.page.expect_download() as download:
        look.page.click("text=View as PNG")
    with Image.open(download.value.path()) as picture:
        box = look.page.locator("#map").bounding_box()
        assert abs(picture.width - box["width"]) <= 2
        assert len(set(picture.convert("L").tobytes())) > 50
    with look.page.expect_download() as download:
        look.page.click("text=View as SVG")
    text = Path(download.value.path()).read_text()
    assert text.count("<polygon") == 21  # with the ring of the active unit
    assert text.count('href="#sheet"') == 20
    look.page.mouse.move(*look.place(0))
    look.page.mouse.wheel(0, -500)
    look.settle()
    with look.page.expect_download() as download:
        look.page.click("text=View as SVG")
    closer = Path(download.value.path()).read_text()
    assert 1 < closer.count('href="#sheet"') < 20  # what is seen alone
    page = look.page.context.new_page()  # and the file looks as the page does
    page.set_viewport_size({"width": round(box["width"]), "height": round(box["height"])})
    page.set_content(f"<style>body {{ margin: 0 }}</style>{closer}")
    drawn = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("L").resize((200, 150)), float)
    shot = look.page.locator("#canvas").screenshot()
    seen = np.asarray(Image.open(io.BytesIO(shot)).convert("L").resize((200, 150)), float)
    assert np.corrcoef(drawn.ravel(), seen.ravel())[0, 1] > 0.9


def test_9_a_running_training_is_shown_and_then_its_map(
    make_run: Callable[..., Path], browser: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "young"
    checkpoint_folder(folder).mkdir()
    rows = [{"phase": "joint", "step": 50 * i, "loss": 1 / (i + 1), "som": float(i)} for i in range(5)]
    text = "\n".join(json.dumps(row) for row in rows) + "\n"
    (checkpoint_folder(folder) / "metrics.jsonl").write_text(text)
    prototypes = np.arange(6, dtype=np.float32).reshape(6, 1) ** 2
    facts = {
        "settings": {"model": {"grid": [2, 3]}}, "position": {"done": 150, "phase": 1, "step": 150, "seconds": 1.0},
    }  # fmt: skip
    write_checkpoint(checkpoint_folder(folder), 150, {"module.0.prototypes": torch.tensor(prototypes)}, facts)
    server = look(folder, 0)
    server.start()
    try:
        page = browser.new_page()
        page.goto(server.url)
        page.wait_for_selector("text=step 200")
        assert page.locator(".charts figure").count() == 2
        assert "0.2" in page.inner_text(".charts figure >> nth=0")
        assert "after 150 steps" in page.inner_text(".forming")
        fills = page.locator(".forming polygon").evaluate_all(
            "all => all.map((one) => one.getAttribute('fill'))"
        )
        assert len(fills) == 6
        # Mean distances 26/3, 10.2, 12, 8, 11.8, 18: the last is the largest, the fourth the smallest.
        assert (fills[5], fills[3]) == ("hsl(205 45% 95%)", "hsl(205 45% 15%)")
        shutil.copytree(make_run(), tmp_path / "whole")
        (tmp_path / "whole").rename(folder)  # as a run appears: at once
        page.wait_for_selector("canvas[data-sheets='3']")
        page.close()
    finally:
        server.stop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_every_control_has_a_name(
    make_run: Callable[..., Path], open_look, width: int, scheme: str
) -> None:
    look = open_look(make_run(), viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert look.page.evaluate("document.documentElement.scrollWidth") <= width
    nameless = look.page.evaluate(
        """() => [...document.querySelectorAll("button, input:not([hidden]), select, textarea")].filter((one) =>
            !(one.textContent.trim() || one.ariaLabel || one.title || one.labels?.length)).length"""
    )
    assert nameless == 0
    look.click(6)
    assert look.chosen == look.hits(6)
    assert look.page.evaluate("document.documentElement.scrollWidth") <= width
    paper = look.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
