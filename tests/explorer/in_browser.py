"""A page of the explorer in a real browser, and how a person touches it."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from explorer.conftest import Client

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
QUIET = pytest.mark.filterwarnings("ignore::ResourceWarning")
ARTEFACTS = Path(__file__).parents[2] / "artefacts" / "explorer"


def keep(page: Any, name: str) -> None:
    """Keep what the page shows as artefacts/explorer/NAME.png, to be looked at after the tests."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png")


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

    def colours(self, units: list[int], dx: float = 0.0, dy: float = 0.0) -> list[np.ndarray]:
        """The colours drawn near the middles of units, in pixels from them; of one picture of the map."""
        box, pixels = self.page.locator("#map").bounding_box(), self.pixels()
        places = [self.place(unit) for unit in units]
        return [pixels[round(y - box["y"] + dy), round(x - box["x"] + dx)] for x, y in places]

    def colour(self, unit: int, dx: float = 0.0, dy: float = 0.0) -> np.ndarray:
        """The colour drawn near a unit's middle."""
        return self.colours([unit], dx, dy)[0]

    def hits(self, *units: int) -> int:
        return int(self.units["hits"][list(units)].sum())
