"""The page in a real browser: clicks, keys, layers, phone width, dark mode, and no request to anywhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import numpy as np
import pytest

from somscope.maps.lattice import Lattice
from somscope.report import write_report

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
def browser() -> Iterator:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """Write the report of a run and open it; at the end, no error and no request must have been seen."""
    seen: list[str] = []
    contexts = []

    def open_it(run, **options):
        write_report(run, tmp_path / "report.html")
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console",
            lambda message: seen.append(message.text) if message.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.on("dialog", lambda dialog: seen.append(f"dialog: {dialog.message}"))
        own = (tmp_path / "report.html").as_uri()
        page.on(
            "request",
            lambda r: None if r.url.startswith((own, "data:", "blob:")) else seen.append(f"request: {r.url}"),
        )
        page.goto(own)
        page.wait_for_selector("html[data-ready]", timeout=30_000)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert seen == []


def click_unit(page, lattice: Lattice, unit: int) -> None:
    """Click the middle of a unit's cell, wherever the page has drawn it."""
    x, y = page.evaluate(
        """(unit) => {
            const map = JSON.parse(document.getElementById("data-map").textContent);
            const box = document.getElementById("canvas").getBoundingClientRect();
            const wide = Math.max(...map.positions.map((p) => p[0])) + 1;
            const step = box.width / wide;
            const top = map.shape === "hexagonal" ? 1 / Math.sqrt(3) : 0.5;
            return [(map.positions[unit][0] + 0.5) * step, (map.positions[unit][1] + top) * step];
        }""",
        unit,
    )
    page.click("#canvas", position={"x": x, "y": y})


def canvas_pixels(page) -> str:
    return page.evaluate("document.getElementById('canvas').toDataURL()")


@pytest.mark.parametrize("lattice", [Lattice(4, 5), Lattice(4, 5, "hexagonal"), Lattice(1, 6)])
def test_clicking_a_unit_shows_its_members(make_picture_run, open_page, lattice):
    run = make_picture_run(lattice)
    page = open_page(run)
    rows = sorted(run.assignments().to_pylist(), key=lambda row: row["distance"])
    for unit in (0, 3, lattice.n_units - 1):
        click_unit(page, lattice, unit)
        assert page.inner_text("#unit-title").startswith(f"Unit {unit} (")
        shown = page.locator(".members li .line.quiet").all_inner_texts()
        assert shown == [row["id"] for row in rows if row["unit"] == unit][:60]
        assert f"Unit {unit} (" in page.inner_text("#map-state")


def test_arrow_keys_move_between_units_and_enter_opens_the_members(make_picture_run, open_page):
    page = open_page(make_picture_run(Lattice(4, 5)))
    click_unit(page, Lattice(4, 5), 7)
    page.focus("#map-focus")
    for key, unit in [
        ("ArrowRight", 8), ("ArrowDown", 13), ("ArrowLeft", 12), ("ArrowUp", 7), ("Home", 5),
        ("ArrowLeft", 5), ("End", 9),
    ]:  # fmt: skip
        page.keyboard.press(key)
        assert page.inner_text("#unit-title").startswith(f"Unit {unit} ("), key
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "unit"


def test_keys_go_around_a_torus(make_picture_run, open_page):
    page = open_page(make_picture_run(Lattice(4, 5, "hexagonal", toroidal=True)))
    click_unit(page, Lattice(4, 5, "hexagonal", toroidal=True), 0)
    page.focus("#map-focus")
    for key, unit in [("ArrowLeft", 4), ("ArrowUp", 19), ("ArrowRight", 15)]:
        page.keyboard.press(key)
        assert page.inner_text("#unit-title").startswith(f"Unit {unit} ("), key


def test_every_layer_draws_something_else_with_its_legend(make_picture_run, open_page):
    page = open_page(make_picture_run(Lattice(4, 5)))
    pictures = set()
    buttons = page.locator("#layers button")
    for i in range(buttons.count()):
        buttons.nth(i).click()
        assert buttons.nth(i).get_attribute("aria-checked") == "true"
        assert page.locator('#layers [aria-checked="true"]').count() == 1
        assert len(page.inner_text("#layer-text")) > 20
        pictures.add(canvas_pixels(page))
    assert len(pictures) == buttons.count() == 7
    page.click('[data-layer="labels"]')
    assert "class 1" in page.inner_text("#legend")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute('[data-layer="hits"]', "aria-checked") == "true"
    assert "items per unit" in page.inner_text("#legend")


def test_a_value_layer_has_the_colours_of_its_values(make_picture_run, open_page):
    page = open_page(make_picture_run(Lattice(3, 3)))
    page.click('[data-layer="u-matrix"]')
    wrong = page.evaluate(
        """() => {
            const map = JSON.parse(document.getElementById("data-map").textContent);
            const layer = map.layers.find((l) => l.key === "u-matrix");
            const canvas = document.getElementById("canvas");
            const pen = canvas.getContext("2d");
            const step = canvas.width / 3;
            const all = pen.getImageData(0, 0, canvas.width, canvas.height).data;
            return layer.values.map((value, unit) => {
                const [x, y] = map.positions[unit];
                const start = 4 * (Math.floor((y + 0.3) * step) * canvas.width + Math.floor((x + 0.5) * step));
                const seen = [...all.slice(start, start + 3)];
                const at = Math.round(((value - layer.low) / (layer.high - layer.low)) * (map.colours.length - 1));
                const hex = map.colours[Math.min(map.colours.length - 1, Math.max(0, at))];
                const meant = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
                return Math.max(...seen.map((v, i) => Math.abs(v - meant[i])));
            });
        }"""
    )
    assert max(wrong) <= 2


def test_order_more_neighbours_and_size(make_picture_run, open_page):
    run = make_picture_run(Lattice(1, 2), n=200)
    page = open_page(run)
    click_unit(page, Lattice(1, 2), 0)
    rows = sorted(
        (row for row in run.assignments().to_pylist() if row["unit"] == 0), key=lambda row: row["distance"]
    )
    assert len(rows) > 60
    assert page.locator(".members li").count() == 60
    while page.locator(".more").is_visible():
        page.click(".more")
    assert page.locator(".members li").count() == len(rows)
    page.select_option("#member-order", "farthest")
    assert page.locator(".members li .line.quiet").first.inner_text() == rows[-1]["id"]
    page.select_option("#member-order", "label")
    labels = page.locator(".members li .line:nth-child(2)").all_inner_texts()
    assert labels == sorted(labels)
    page.click(".neighbours button")
    assert page.inner_text("#unit-title").startswith("Unit 1 (")
    before = page.evaluate("document.getElementById('canvas').clientWidth")
    page.click("#larger")
    assert page.evaluate("document.getElementById('canvas').clientWidth") > before


def test_the_theme_can_be_switched(make_picture_run, open_page):
    page = open_page(make_picture_run(Lattice(2, 2)), color_scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert page.inner_text("#theme") == "Light"
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(make_picture_run, open_page, width):
    run = make_picture_run(Lattice(20, 20), n=300, name="a-name-without-any-space-" * 6)
    page = open_page(run, viewport={"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_component_planes_can_be_chosen(make_run, open_page):
    x = np.random.default_rng(0).normal(size=(80, 3))
    run = make_run(Lattice(4, 4, "hexagonal"), "vectors", x, feature_names=("height", "width", "age"))
    page = open_page(run)
    page.click("#planes-grid button:nth-child(2)")
    assert page.get_attribute("#planes-grid button:nth-child(2)", "aria-pressed") == "true"
    assert "width" in page.inner_text("#layer-text")
    assert page.locator("#unit tbody tr").count() > 0


def test_hostile_strings_do_nothing_in_a_browser(make_run, open_page):
    attack = [
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "\"'><svg onload=alert(1)>",
    ] * 4
    x = np.random.default_rng(0).random((12, 12))
    run = make_run(
        Lattice(1, 2), "text", x, ids=[f"{i}{a}" for i, a in enumerate(attack)], labels=attack, texts=attack,
        feature_names=tuple(f"{a}{i}" for i, a in enumerate(attack)), name=attack[0],
    )  # fmt: skip
    page = open_page(run)
    for unit in range(2):
        click_unit(page, Lattice(1, 2), unit)
        assert page.locator("#unit img, #unit svg, #unit script").count() == 0
    texts = page.locator(".texts li > div").all_inner_texts()
    assert texts
    assert set(texts) <= set(attack)


def test_without_scripts_the_map_is_still_there(make_picture_run, browser, tmp_path):
    write_report(make_picture_run(Lattice(3, 3)), tmp_path / "report.html")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    assert page.locator(".sheets img").first.is_visible()
    assert "Scripts are switched off" in page.inner_text("main")
    assert not page.locator("#canvas").is_visible()
    context.close()
