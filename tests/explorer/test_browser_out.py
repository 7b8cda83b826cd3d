"""What leaves the page, and a training that goes on, in a real browser (points 8 and 9)."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.in_browser import QUIET, keep
from somscope.checkpoint import write_checkpoint
from somscope.errors import RunError
from somscope.explorer.copy import write_copy
from somscope.explorer.look import look
from somscope.explorer.maps import open_maps
from somscope.runs import Run
from somscope.runs.checkpoints import checkpoint_folder

pytestmark = QUIET


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
        keep(page, "9-training")
        # Mean distances 26/3, 10.2, 12, 8, 11.8, 18: the last is the largest, the fourth the smallest.
        assert (fills[5], fills[3]) == ("hsl(205 45% 95%)", "hsl(205 45% 15%)")
        shutil.copytree(make_run(), tmp_path / "whole")
        (tmp_path / "whole").rename(folder)  # as a run appears: at once
        page.wait_for_selector("canvas[data-sheets='3']")
        page.close()
    finally:
        server.stop()


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
