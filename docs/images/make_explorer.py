"""Make the picture of `somscope look` in the README, with Chromium: python docs/images/make_explorer.py runs/fashion

of `somscope map fashion-mnist --model som --grid 12x16 --lattice hexagonal -o runs/fashion`. A map of another size is
shown alike, with the units of its left third chosen.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from somscope.explorer.app import explorer_app
from somscope.explorer.maps import open_maps
from somscope.explorer.serve import Server

SIZE = {"width": 1280, "height": 800}  # pixels


def main(run: Path) -> None:
    """The map coloured by its labels, and what is chosen on its left, as `docs/images/explorer.png`."""
    maps = open_maps(run, None, None)
    server = Server(lambda token, hosts: explorer_app(maps, token, hosts), port=0)
    server.start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        page.goto(server.url)
        page.wait_for_selector("canvas[data-drawn]")
        page.select_option("#layer", label="Labels")
        page.keyboard.press("b")  # the box
        page.wait_for_timeout(500)
        box = page.locator("#map").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 5, box["y"] + 5)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.31 * box["width"], box["y"] + box["height"] - 5, steps=5)
        page.mouse.up()
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(1000)  # it is drawn
        page.screenshot(path=Path(__file__).with_name("explorer.png"))
        browser.close()
    server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
