"""What a report contains, what it keeps out, and how large it may be."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

from somscope.errors import RunError
from somscope.maps.lattice import Lattice
from somscope.report import MAX_BYTES, render_report, write_report

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "<!--<script>",
    "a\u2028b\u0000c",
    "javascript:alert(1)",
]


class Page(HTMLParser):
    """Elements with their attributes, the text outside scripts, and the content of scripts by id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.text = ""
        self.inside: str | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside = dict(attrs).get("id") or tag
            self.scripts[self.inside] = ""

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self.inside = None

    def handle_data(self, data):
        if self.inside is None:
            self.text += data
        else:
            self.scripts[self.inside] += data

    def data(self, name: str = "data-map"):
        return json.loads(self.scripts[name])

    def ids(self) -> set[str]:
        return {attributes["id"] for _, attributes in self.elements if attributes.get("id")}


@pytest.fixture
def page(make_picture_run) -> Page:
    return Page(render_report(make_picture_run(Lattice(3, 4))))


def test_it_has_every_section(page):
    assert {"map", "unit", "measures", "training", "data", "settings", "repeat"} <= page.ids()
    for words in (
        "things", "120", "28", "broken.jpg", "the file is cut off", "ab" * 32, "five times the root of the items",
        "somscope map 'a folder/' -o runs/it", "Quantization error", "the map no longer changed", "2.13.0", "home made",
    ):  # fmt: skip
        assert words in page.text or words == "28", words


def test_the_layers_of_a_map_of_pictures(page):
    data = page.data()
    titles = [layer["title"] for layer in data["layers"]]
    assert titles == [
        "Prototypes", "Nearest member", "Labels", "Hits", "U-matrix", "Quantization error", "Topographic error",
    ]  # fmt: skip
    for layer in data["layers"]:
        assert layer["text"].endswith((".", ")."))
        if layer["type"] == "value":
            assert len(layer["values"]) == 12
            assert layer["unit"]
    assert sum(data["hits"]) == 120


def test_members_come_nearest_first_with_everything_said(page, make_picture_run):
    run = make_picture_run(Lattice(3, 4))
    table = run.assignments().to_pylist()
    seen = []
    for unit in range(12):
        members = page.data(f"members-{unit}")
        assert members["distances"] == sorted(members["distances"])
        seen += members["ids"]
        assert members["n"] == len(members["ids"]) == len(members["labels"]) == len(members["seconds"])
        if members["n"]:
            assert members["sheet"]["uri"].startswith("data:image/")
            assert members["sheet"]["columns"] * members["sheet"]["rows"] >= members["n"]
    assert sorted(seen) == sorted(row["id"] for row in table)


def test_nothing_is_loaded_from_elsewhere(page):
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "action", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, name, value)
    assert not re.search(r"https?:|@import|url\((?!\"\$)", page.scripts["style"] + page.scripts["script"])


def test_only_our_own_script_may_run(page):
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.scripts["script"].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_it_can_be_used_without_a_mouse_or_eyes(page):
    tags = [tag for tag, _ in page.elements]
    assert tags.count("h1") == 1
    assert tags.count("main") == 1
    for tag, attributes in page.elements:
        if tag == "img":
            assert attributes.get("alt")
        if tag == "svg":
            assert attributes.get("aria-label")
        if tag == "section":
            assert attributes["aria-labelledby"] in page.ids()
    assert ("html", {"lang": "en"}) in page.elements
    assert any(a.get("id") == "map-focus" and a.get("tabindex") == "0" for _, a in page.elements)


def test_the_colours_of_text_contrast_in_both_modes(page):
    """WCAG 2 AA: at least 4.5 to 1."""

    def luminance(colour: str) -> float:
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    blocks = re.findall(r"--page: [^}]*", page.scripts["style"])
    assert len(blocks) == 3
    for block in blocks:
        colour = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
        pairs = [
            (front, back) for front in ("ink", "quiet", "accent") for back in ("page", "panel")
        ] + [("accent-ink", "accent"), ("note-ink", "note")]  # fmt: skip
        for front, back in pairs:
            low, high = sorted((luminance(colour[front]), luminance(colour[back])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (front, back)


def test_hostile_strings_stay_text(make_run):
    """Labels, ids, texts, names of files and features, reasons, settings: none becomes markup, all can be read back."""
    n = len(HOSTILE)
    run = make_run(
        Lattice(2, 2), "text", np.random.default_rng(0).random((n, n)), ids=[f"{i} {s}" for i, s in enumerate(HOSTILE)],
        labels=HOSTILE, texts=HOSTILE, feature_names=tuple(HOSTILE), name=HOSTILE[0], command=["somscope", *HOSTILE],
        chosen={HOSTILE[0]: f"{HOSTILE[1]}: {HOSTILE[2]}"}, stop_reason=HOSTILE[1], device=HOSTILE[0],
        model={"name": HOSTILE[1], "parameters": {HOSTILE[0]: HOSTILE[1]}}, versions={HOSTILE[0]: HOSTILE[1]},
    )  # fmt: skip
    collection = run.config["collection"]
    collection["skipped"] = [{"where": text, "why": text} for text in HOSTILE]
    collection["source"] = {text: text for text in HOSTILE}
    collection["fingerprint"] = HOSTILE[0]
    run.metrics.update(dict.fromkeys(HOSTILE, 1.0))
    clean = Page(
        render_report(make_run(Lattice(2, 2), "text", np.eye(n), texts=["plain"] * n, labels=["a"] * n))
    )
    page = Page(render_report(run))
    assert page.scripts["script"] == clean.scripts["script"]
    count = [tag for tag, _ in page.elements]
    assert count.count("script") == [tag for tag, _ in clean.elements].count("script")
    assert "img" not in count
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert HOSTILE[0] in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert sorted(page.data()["classNames"]) == sorted(HOSTILE)
    texts = [text for unit in range(4) for text in page.data(f"members-{unit}").get("texts", [])]
    assert sorted(texts) == sorted(HOSTILE)


@pytest.mark.parametrize(
    "lattice",
    [
        Lattice(4, 4, "hexagonal"), Lattice(4, 4, toroidal=True), Lattice(4, 4, "hexagonal", toroidal=True),
        Lattice(1, 7), Lattice(7, 1, "hexagonal"), Lattice(1, 1),
    ],
)  # fmt: skip
def test_every_lattice(make_picture_run, lattice):
    data = Page(render_report(make_picture_run(lattice))).data()
    assert len(data["positions"]) == lattice.n_units == len(data["hits"])
    np.testing.assert_allclose(data["positions"], lattice.positions, atol=1e-6)
    assert len(data["edges"]) == len(lattice.edges())


def test_vectors_have_component_planes_and_tables(make_run):
    x = np.random.default_rng(0).normal(size=(50, 3))
    page = Page(
        render_report(make_run(Lattice(3, 3), "vectors", x, feature_names=("height", "width", "age")))
    )
    data = page.data()
    assert [plane["title"] for plane in data["planes"]] == ["height", "width", "age"]
    assert data["layers"][0]["title"] == "Hits"
    assert "Labels" not in [layer["title"] for layer in data["layers"]]
    assert {row[0] for row in data["features"][0]} == {"height", "width", "age"}
    assert "labels" not in page.data("members-0")


def test_many_features_are_capped_with_a_note(make_run):
    data = Page(
        render_report(make_run(Lattice(2, 2), "vectors", np.random.default_rng(0).random((20, 200))))
    ).data()
    assert len(data["planes"]) == 48
    assert "48 of 200 features" in data["planesNote"]


def test_text_has_words(make_run):
    x = np.random.default_rng(0).random((30, 4))
    run = make_run(
        Lattice(2, 2), "text", x, texts=["some text"] * 30, feature_names=("oil", "gold", "ship", "bank")
    )
    data = Page(render_report(run)).data()
    assert data["layers"][0]["title"] == "Words"
    prototype = run.attributes["prototypes_"][0]
    assert data["terms"][0][0][0] == ("oil", "gold", "ship", "bank")[int(prototype.argmax())]


def test_clusters_of_units_are_a_layer(make_picture_run):
    run = make_picture_run(Lattice(2, 3))
    run.attributes["unit_clusters_"] = np.array([0, 0, 1, 1, 2, 2])
    assert Page(render_report(run)).data()["layers"][-1]["classes"] == [0, 0, 1, 1, 2, 2]


def test_prototypes_that_are_no_pictures_give_way_to_members(make_picture_run):
    run = make_picture_run(Lattice(2, 2))
    run.attributes["prototypes_"] = np.random.default_rng(0).random((4, 10))
    assert Page(render_report(run)).data()["layers"][0]["title"] == "Nearest member"


def test_a_run_made_from_python_shows_python(make_picture_run):
    page = Page(render_report(make_picture_run(Lattice(2, 2), command=[])))
    assert "from somscope import map_collection" in page.text


def test_the_limit_is_kept_by_smaller_pictures_and_a_note(make_picture_run):
    run = make_picture_run(Lattice(3, 3), n=400, side=40, channels=3)
    full = len(render_report(run).encode())
    for share in (0.6, 0.25):
        html = render_report(run, max_bytes=int(full * share))
        assert len(html.encode()) <= full * share
        assert "so that this file stays small" in html
    assert "so that this file stays small" not in render_report(run)


def test_long_texts_give_way_too(make_run):
    texts = ["字" * 300] * 500
    run = make_run(Lattice(2, 2), "text", np.random.default_rng(0).random((500, 5)), texts=texts)
    html = render_report(run, max_bytes=300_000)
    assert len(html.encode()) <= 300_000
    assert "Texts are cut after" in html


def test_a_great_many_items_are_cut_to_the_nearest_and_farthest(make_run, monkeypatch):
    monkeypatch.setattr("somscope.report.members.most_per_unit", lambda hits: 8)
    run = make_run(Lattice(1, 2), "vectors", np.random.default_rng(0).random((200, 5)))
    page = Page(render_report(run))
    assert "16 of 200 items are listed" in page.text
    distances = sorted(row["distance"] for row in run.assignments().to_pylist() if row["unit"] == 0)
    expected = distances[:6] + distances[-2:]
    np.testing.assert_allclose(page.data("members-0")["distances"], expected, rtol=1e-3)


def test_ten_thousand_images_fit(fashion, make_run, tmp_path):
    """10,000 images of 28x28 on 400 units, every grey value kept, in one file under 15 MB."""
    images, labels = fashion
    x = images.reshape(len(images), -1).astype(np.float32) / 255
    run = make_run(Lattice(20, 20), "images", x, images=images, labels=labels, name="fashion-mnist:test")
    write_report(run, tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < MAX_BYTES
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert sum(page.data(f"members-{unit}")["n"] for unit in range(400)) == 10_000
    assert "so that this file stays small" not in page.text


def test_the_limit_holds_whatever_the_run_is(make_picture_run):
    """Pictures of units and lists give way before the limit; what cannot fit at all is an error, not a larger file."""
    run = make_picture_run(Lattice(20, 20), n=400, side=32, channels=3)
    full = len(render_report(run).encode())
    least = 0
    for limit in (1_000_000, 300_000, 150_000):
        assert limit < full
        html = render_report(run, max_bytes=limit)
        assert len(html.encode()) <= limit
        least = len(html.encode())
    assert Page(html).data()["hits"]
    with pytest.raises(RunError, match="nothing but 400 units"):
        render_report(run, max_bytes=least // 4)


def test_a_report_is_whole_or_absent(make_picture_run, tmp_path):
    run = make_picture_run(Lattice(2, 2))
    write_report(run, tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(RunError, match="is a folder"):
        write_report(run, tmp_path)
    run.tables["items"] = run.tables["items"].slice(0, 5)
    with pytest.raises(RunError, match="5 rows"):
        write_report(run, tmp_path / "other.html")
    run.attributes["prototypes_"] = np.zeros((3, 64))
    with pytest.raises(RunError, match="3 prototypes for a lattice of 4 units"):
        render_report(run)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_map_that_was_not_trained_has_no_curves(make_picture_run):
    run = make_picture_run(Lattice(2, 2))
    run.tables["history"] = pa.table({"pass": pa.array([], pa.int64())})
    assert "training" not in Page(render_report(run)).ids()
