"""Selecting, the panel and searching, in a real browser (points 3 to 5)."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from explorer.in_browser import QUIET, keep
from somscope.coding import code_collection
from somscope.data import open_collection
from somscope.runs import Run

pytestmark = QUIET


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
    before = look.colours([19, 6])
    look.press("i")
    assert look.chosen == 300 - look.hits(0, 1, 2, 5, 6, 7, 10, 11, 12)
    assert np.abs(np.subtract(look.colours([19, 6]), before)).max() > 20
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
    keep(look.page, "3-lasso")
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
    keep(look.page, "4-panel")
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
    keep(look.page, "5-an-image")
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
    keep(look.page, "5-codes")
    look.page.locator(".barcode button").nth(5).click()
    assert look.page.inner_text("#layer option:checked") == "bit 5"
