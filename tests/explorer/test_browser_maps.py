"""Decoding, and two maps side by side, in a real browser (points 6 and 7)."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from explorer.in_browser import QUIET, Look, keep
from somscope.auditing import audit
from somscope.data import open_collection
from somscope.mapping import map_collection
from somscope.runs import Run

pytestmark = QUIET


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
    keep(look.page, "6-probe")


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
    keep(look.page, "6-weights")
    look.page.click("text=Clear")
    ramp = look.client.ask("api/run").json["ramp"]
    units = [0, 3, 12, 19]
    for unit, seen in zip(units, look.colours(units, 10, 10), strict=True):
        wanted = ramp[round((far.max() - far[unit]) / far.max() * 63)]
        assert np.abs(seen - [int(wanted[i : i + 2], 16) for i in (1, 3, 5)]).max() <= 12, unit
    look.page.click("#weights >> text=All equal")
    assert look.page.locator("#weights output").all_inner_texts() == ["1.0"] * 3


def test_6_dials_walk_along_the_code(open_look, tmp_path: Path) -> None:
    """In standard deviations of the units; and a person sees in which dimensions two items agree."""
    collection = open_collection("fashion-mnist:sample", limit=120, seed=0)
    settings = {
        "grid": (3, 3), "latent_dim": 4, "hidden": (16,), "n_steps": 30, "random_state": 0, "verbose": False,
        "finish": "none",
    }  # fmt: skip
    map_collection(collection, tmp_path / "run", "desom", parameters=settings)
    look = open_look(tmp_path / "run")
    look.press("p")
    with look.page.expect_response(re.compile("api/decode")) as asked:
        look.page.mouse.click(*look.place(4))
    assert json.loads(asked.value.request.post_data) == {"weights": {"4": 1}, "offsets": {}}
    with look.page.expect_response(re.compile("api/decode")) as asked:
        look.page.get_by_label("Dimension 2").fill("2.5")
    sent = json.loads(asked.value.request.post_data)
    spread = look.units["codes"].reshape(9, 4).astype(float).std(axis=0)
    assert sent["offsets"] == {"2": pytest.approx(2.5 * spread[2], rel=1e-3)}
    still, moved = (look.client.send("api/decode", sent | more).body for more in ({"offsets": {}}, {}))
    assert still != moved
    keep(look.page, "6-walk")
    look.press("v")
    look.click(int(look.units["hits"].argmax()))
    look.page.locator("#members li button").first.click()
    look.page.click("text=Find what is like it")
    look.page.wait_for_selector("#alike li")
    assert re.search(r"alike in dimension \d", look.page.inner_text("#alike li >> nth=0"))


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
    keep(look.page, "7-two-runs")
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


def test_2_7_an_audit_shows_its_maps_linked(browser: Any, open_look, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (40, 8, 8, 3)).astype(np.uint8)
    audit(images[::-1], images, (images // 3), n_seeds=2, permutations=19).save(tmp_path / "a")
    look = open_look(tmp_path / "a")
    assert look.page.input_value("#layer") == "composition"
    layers, meta = look.client.ask("api/layers").columns
    ramp = look.client.ask("api/run").json["diverging"]
    look.press("5")
    units = np.flatnonzero(~np.isnan(layers["composition"]) & (layers["composition.hatched"] == 0)).tolist()
    for unit, seen in zip(units, look.colours(units, 14, 14), strict=True):
        wanted = ramp[round((layers["composition"][unit] + 3) / 6 * 62)]
        assert np.abs(seen - [int(wanted[i : i + 2], 16) for i in (1, 3, 5)]).max() <= 3, unit
    unit = int(look.units["hits"].argmax())
    look.page.mouse.move(*look.place(unit))
    look.page.wait_for_selector(f"text={meta['layers'][0]['said'][unit]}")
    titles = look.page.locator("[aria-label='Map on the right'] option").all_inner_texts()
    assert {"Source images on 5x5", "Generated images on 5x5", "Nothing beside it"} <= set(titles)
    keep(look.page, "2-audit")
    look.click(unit)
    assert look.chosen == look.hits(unit)
    look.page.select_option("[aria-label='Map on the left']", label="Source images on 5x5")
    look.page.wait_for_selector("text=0 of 40 items selected")


def test_7_halves_of_an_audit_without_pairs_are_linked_by_their_units(open_look, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    low, middle, high = (
        (np.full((30, 8, 8, 1), grey) + draw.integers(-20, 20, (30, 8, 8, 1))).astype(np.uint8)
        for grey in (40, 120, 220)
    )
    real, made = np.concatenate([low, middle]), np.concatenate([middle + 1, high])
    audit(None, real, made, paired=False, n_seeds=2, permutations=19).save(tmp_path / "a")
    look = open_look(tmp_path / "a")
    other, _ = look.client.ask("with/1/api/units").columns
    for unit in (int(look.units["hits"].argmax()), int(np.argmax(other["hits"] - 100 * look.units["hits"]))):
        look.click(unit)
        assert look.chosen == look.hits(unit)
        look.page.mouse.click(*look.other(unit))  # and back: what is touched speaks of its own items
        look.settle()
        assert look.chosen == int(other["hits"][unit])
    keep(look.page, "7-without-pairs")
    only = int(np.argmax(other["hits"] - 100 * look.units["hits"]))
    assert (look.hits(only), look.page.locator("#matrix").count()) == (0, 0)
    look.page.click(f"#transitions >> text=/^unit {only}$/")  # nothing of it lies on the left
    look.settle()
    box = look.page.locator("#other-map").bounding_box()
    x, y = look.other(only)
    shot = Image.open(io.BytesIO(look.page.locator("#other-canvas").screenshot())).convert("RGB")
    near = (
        np.asarray(shot)
        .astype(int)[round(y - box["y"]) - 20 :, round(x - box["x"]) - 20 :][:40, :40]
        .reshape(-1, 3)
    )
    assert (np.abs(near - [213, 94, 0]).max(axis=1) < 60).any()
    rows = look.page.locator("#transitions tbody tr").all_inner_texts()
    counts = [[int(word) for word in re.findall(r"\d+", row)] for row in rows]
    assert sorted(counts) == sorted(
        [unit, int(a), int(b)]
        for unit, (a, b) in enumerate(zip(look.units["hits"], other["hits"], strict=True))
        if a + b
    )
