"""The map in a real browser: ways of drawing, layers, sizes of screen, and what is missing (points 1 and 2)."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from explorer.conftest import Client
from explorer.in_browser import QUIET, keep
from somscope.runs import Run

pytestmark = QUIET


def test_1_each_way_of_drawing_draws_something_else(make_run: Callable[..., Path], open_look) -> None:
    look = open_look(make_run())
    drawn = []
    for key, title in zip("12345", ["Prototypes", "Medoids", "Mosaic", "Dots", "Colours"], strict=True):
        look.press(key)
        assert look.page.locator('[aria-checked="true"]').first.inner_text().endswith(title)
        drawn.append(look.pixels())
        keep(look.page, f"1-{title.lower()}")
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
    look = open_look(make_run(grid=(3, 3), random_state=1))
    hint = look.page.locator(".hint")
    assert hint.count() == 0  # large cells of a small map are no closer look
    unit = int(look.units["hits"].argmax())
    tiles: list[str] = []
    look.page.on("request", lambda r: tiles.append(r.url) if "/api/tile/" in r.url else None)
    before = look.colour(unit, 40, -40)  # where no mark of an item will be
    x, y = look.place(unit)
    look.page.mouse.move(x, y)
    look.page.mouse.wheel(0, -400)
    look.settle()
    assert tiles == []
    assert "nearest items" in hint.inner_text()
    keep(look.page, "1-closer")
    with look.page.expect_response(re.compile(r"/api/tile/")):
        look.page.mouse.wheel(0, -900)
    assert any(f"/api/tile/{unit}/" in url for url in tiles)
    assert "all items" in hint.inner_text()
    look.page.mouse.click(x, y)
    look.page.wait_for_selector("#item")
    keep(look.page, "1-an-item")
    shown = look.page.inner_text("#item h2").removeprefix("Item ")
    ends = look.items["id.ends"]
    ids = [look.items["id"].tobytes()[a:b].decode() for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    assert look.items["unit"][ids.index(shown)] == unit
    look.press("0")
    look.settle()
    assert np.abs(look.colour(unit, 40, -40) - before).max() < 60


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
        keep(look.page, f"2-{layer['key']}")
        legend = look.page.inner_text(".legend")
        assert layer["text"][:40] in legend
        low, high = layer["low"], layer["high"]
        assert f"{float(f'{high:.3g}'):g}" in legend.replace(",", "")
        units = [0, 7, 19]
        for unit, seen in zip(units, look.colours(units, 10, 10), strict=True):
            value = columns[layer["key"]][unit]
            if np.isnan(value):
                continue
            wanted = ramp[round((value - low) / (high - low) * 63)]
            assert np.abs(seen - [int(wanted[i : i + 2], 16) for i in (1, 3, 5)]).max() <= 3, (
                layer["key"],
                unit,
            )


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
    keep(look.page, "2-metadata")
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
    keep(look.page, f"first-{width}-{scheme}")
    look.click(6)
    assert look.chosen == look.hits(6)
    assert look.page.evaluate("document.documentElement.scrollWidth") <= width
    paper = look.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


def test_a_browser_that_cannot_draw_is_told_where_to_look(
    make_run: Callable[..., Path], browser: Any, serve: Callable[[Path], Client]
) -> None:
    context = browser.new_context()
    context.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page, seen = context.new_page(), []
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.goto(serve(make_run()).server.url)
    page.wait_for_selector("text=This browser cannot draw: open report.html")
    context.close()
    assert seen == []


def test_what_is_missing_is_said_on_the_page(
    make_run: Callable[..., Path], open_look, tmp_path: Path
) -> None:
    """Pictures that are missing are counted, and crosses are drawn; a training that was not finished is named."""
    folder = shutil.copytree(make_run(), tmp_path / "gaps")
    items = pq.read_table(folder / "items.parquet")
    pictures = pa.array([None] * 300, pa.binary())
    at = items.column_names.index("thumbnail")
    pq.write_table(items.set_column(at, "thumbnail", pictures), folder / "items.parquet")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"stop_reason": "interrupted"}))
    look = open_look(folder)
    said = look.page.inner_text(".problems")
    assert "300 of 300 images have no picture here: a cross stands for each." in said
    assert "The training of this run was not finished" in said
    look.press("2")
    x, y = look.place(7)
    box = look.page.locator("#map").bounding_box()
    middle = look.pixels()[round(y - box["y"]), round(x - box["x"])]
    beside = look.pixels()[round(y - box["y"]), round(x - box["x"]) + 30]
    assert (np.abs(middle - 150).max() < 30, np.abs(beside - 60).max() < 15) == (True, True)
    keep(look.page, "missing")
