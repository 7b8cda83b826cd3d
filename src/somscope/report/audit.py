"""The report of an audit: one HTML file that says first what was found, how sure it is, and what to distrust."""

from __future__ import annotations

import base64
import hashlib
import io
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from somscope.audit.conclusions import Conclusion
from somscope.audit.health import CHECKS, Finding
from somscope.audit.numbers import Number
from somscope.audit.published import GRID, MAPS, METRICS
from somscope.audit.record import AuditRecord
from somscope.figures.audit import composition_figure, flows_figure
from somscope.figures.frequencies import frequencies_figure
from somscope.figures.save import save_figure
from somscope.maps.lattice import Lattice
from somscope.measures.composition import VERDICTS
from somscope.report.safe_json import safe_json

__all__ = ["render_audit"]

_PARTS = {"source": "input", "target": "target", "generated": "output"}
_GAP = 4  # pixels between the pictures of a montage
# Measure -> (what it is called, what it asks).
MEASURES = {
    "ami": ("AMI", "Do both maps group the images alike? 1 equal, 0 chance."),
    "ari": ("ARI", "The same, by pairs of images. 1 equal, 0 chance."),
    "vi": ("variation of information", "What one grouping leaves open about the other, in bits. 0 equal."),
    "matched clusters": ("matched clusters", "Share of images in clusters that match one to one."),
    "mantel": (
        "Mantel",
        "Are pairs of images that are far apart in one set far apart in the other? -1 to 1.",
    ),
    "cka": ("linear CKA", "Do both sets have the same linear geometry? 0 to 1, above 0 by chance."),
    "retrieval": (
        "retrieval",
        "Share of images of the first set whose own partner is the nearest of the second.",
    ),
    "node-label ami": (
        "unit and kind, AMI",
        "Do real and generated images lie at different units of a joint map?",
    ),
    "prototype distance": (
        "prototype distance",
        "How far prototypes of equal units of the maps of real and of generated images lie apart, over the images' "
        "spread. 0: equal maps.",
    ),
    "pairs together": ("pairs together", "Share of pairs whose real and generated image share a unit."),
    "classifier": ("classifier", "Held-out share that a linear classifier gets right. 0.5: cannot tell."),
    "1-nn": (
        "nearest neighbour",
        "Share of images whose nearest neighbour is of their kind. 0.5: cannot tell.",
    ),
    "mmd": ("MMD", "Distance of the two distributions under a Gaussian kernel, squared."),
    "FID": ("FID", "Fréchet distance of Inception features; biased upwards for few images."),
    "KID": ("KID", "Kernel distance of Inception features, unbiased: may fall below 0."),
    "precision": (
        "precision",
        "Share of generated images that lie among the real ones. Tested for being low.",
    ),
    "recall": ("recall", "Share of real images that lie among the generated ones. Tested for being low."),
    "density": (
        "density",
        "How deep generated images lie among real ones; may exceed 1. Tested for being low.",
    ),
    "coverage": ("coverage", "Share of real images with a generated one close by. Tested for being low."),
}


def render_audit(record: AuditRecord) -> str:
    """The page. Every string of the audit is shown as text: none can become markup or script."""
    environment = Environment(
        loader=PackageLoader("somscope.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _asset("audit.js")
    digest = base64.b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode("ascii")
    page = environment.get_template("audit.html.j2")
    return page.render(
        record=record,
        settings=record.settings,
        problems=[finding for finding in record.findings if finding.severity == "problem"],
        findings=[(finding, _examples(record, finding)) for finding in record.findings],
        groups=_groups(record),
        published=_published(record),
        frequencies=_frequencies(record),
        questions=_questions(record),
        passed=_passed(record),
        pictures=_overview(record),
        spaces=[_space(record, space, at) for at, space in enumerate(record.spaces)],
        measures=MEASURES,
        label=measure_label,
        number=_number,
        p_value=_p_value,
        data=safe_json([_maps(record, space) for space in record.spaces]),
        style=Markup(_asset("report.css") + _asset("audit.css")),
        script=Markup(script),
        script_hash=digest,
    )


def _asset(name: str) -> str:
    return files("somscope.report").joinpath("templates", name).read_text(encoding="utf-8")


def _number(value: float | None) -> str:
    if value is None or value != value:
        return "—"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _p_value(value: float | None) -> str:
    return "—" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def _groups(record: AuditRecord) -> list[tuple[str, list[Any]]]:
    """The numbers by the two sets that are compared, whatever their order, as the page calls them."""
    groups: dict[str, list[Any]] = {}
    for number in record.numbers:
        parts = [part for part in _PARTS if part in number.comparison.split("-")]
        title = " and ".join(f"{_PARTS[part]}s" for part in parts) if len(parts) == 2 else ""
        groups.setdefault(title or "real and generated images together", []).append(number)
    return list(groups.items())


def measure_label(number: Number) -> str:
    """What a number is called in the tables: with its direction, and with what it leaves out."""
    label = MEASURES[number.measure][0]
    if number.measure == "retrieval":
        first, second = number.comparison.split("-")
        label += f", {_PARTS[first]} to {_PARTS[second]}"
    return label if number.items == "all" else f"{label}, no repeats"


def _questions(record: AuditRecord) -> list[tuple[str, list[Conclusion]]]:
    """The conclusions by question, one for each space."""
    asked: dict[str, list[Conclusion]] = {}
    for conclusion in record.conclusions:
        asked.setdefault(conclusion.question, []).append(conclusion)
    return list(asked.items())


def _passed(record: AuditRecord) -> list[str]:
    """What was looked for in the images and not found."""
    found = {finding.check for finding in record.findings}
    skipped = set() if "source" in record.settings["n"] else {"wrong direction"}
    if found & {"wrong direction", "blank"}:
        skipped.add("blurred")
    return [text for check, text in CHECKS.items() if check not in found | skipped]


def _published(record: AuditRecord) -> list[tuple[str, float, float, float | None]]:
    """What the paper calls a metric, mean and deviation over seeds, and the level of chance, where there is one."""
    if not record.published:
        return []
    rows, chance = record.published["metrics"], record.published["chance"]
    return [
        (
            title,
            float(np.mean([row[metric] for row in rows])),
            float(np.std([row[metric] for row in rows], ddof=1)),
            None if metric.startswith("clusters") else float(np.mean([row[metric] for row in chance])),
        )
        for metric, title in METRICS.items()
    ]


def _frequencies(record: AuditRecord) -> str | None:
    """The heat maps of the four published maps."""
    if not record.published:
        return None
    counts = {MAPS[part]: held for part, held in record.published["frequencies"].items()}
    return _figure(frequencies_figure(Lattice(*GRID), counts))


def _overview(record: AuditRecord) -> list[dict[str, str]]:
    """A row of pictures for each set, the same pairs below each other."""
    rows = []
    for part, label in _PARTS.items():
        if part in record.shown:
            every = len(record.shown[part])
            some = np.unique(np.linspace(0, every - 1, min(8, every)).astype(int))
            names = [record.names[part][record.shown[part][at]] for at in some]
            rows.append(
                {"label": label, "uri": _montage(record.thumbnails[part][some]), "names": ", ".join(names)}
            )
    return rows


def _examples(record: AuditRecord, finding: Finding) -> str | None:
    """A montage of the examples of a finding; below each output its target or input, where there are pairs."""
    if not finding.part or not finding.examples:
        return None
    place = {row: at for at, row in enumerate(record.shown[finding.part])}
    rows = [place[row] for row in finding.examples if row in place]
    if not rows:
        return None
    sheet = _sheet(record.thumbnails[finding.part][rows])
    if record.settings["paired"] and finding.part == "generated":
        parts = [part for part in ("source", "generated", "target") if part in record.thumbnails]
        sheet = np.concatenate([_sheet(record.thumbnails[part][rows]) for part in parts], axis=0)
    return _uri(sheet)


def _space(record: AuditRecord, space: dict[str, Any], at: int) -> dict[str, Any]:
    lattice = Lattice(*space["grid"])
    ratio = np.array(
        [
            _one_kind(made, held) if value is None else value
            for value, made, held in zip(space["log2_ratio"], space["generated"], space["real"], strict=True)
        ],
        dtype=np.float64,
    )
    made = composition_figure(lattice, space["real"], space["generated"], ratio, space["verdict"])
    flows = []
    if space["maps"]:
        grid = "5x5" if "5x5" in space["maps"] else next(iter(space["maps"]))
        maps = space["maps"][grid]
        rows, columns = (int(side) for side in grid.split("x"))
        sides = Lattice(rows, columns)
        for first in ("source", "target"):
            if first in maps:
                drawn = flows_figure(
                    sides, np.array(maps[first]), np.array(maps["generated"]), (_PARTS[first], "output")
                )
                flows.append((f"From the {_PARTS[first]} map to the output map", _figure(drawn)))
    return {
        "name": space["space"],
        "composition": _figure(made),
        "flows": flows,
        "regions": [_region(record, space, unit) for unit in _standing_out(space)],
        "questions": _sheets(record, space),
        "reasons": space["reasons"],
        "prototypes": _prototypes(record, space["prototypes"], at),
    }


def _sheets(record: AuditRecord, space: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The strongest examples by question; of each sheet only the pictures that the audit has kept, in all its lines."""
    place = {part: {row: at for at, row in enumerate(rows)} for part, rows in record.shown.items()}
    questions: dict[str, list[dict[str, Any]]] = {}
    for sheet in space["examples"]:
        lines = sheet["lines"]
        columns = zip(*(line["rows"] for line in lines), strict=True)
        whole = [
            rows
            for rows in columns
            if all(row in place[line["part"]] for line, row in zip(lines, rows, strict=True))
        ]
        drawn = []
        for at, line in enumerate(lines if whole else []):
            part, rows = line["part"], [column[at] for column in whole]
            pictures = record.thumbnails[part][[place[part][row] for row in rows]]
            names = ", ".join(record.names[part][row] for row in rows)
            drawn.append({"label": line["label"], "uri": _montage(pictures), "names": names})
        if drawn:
            questions.setdefault(sheet["question"], []).append({"title": sheet["title"], "lines": drawn})
    return list(questions.items())


def _prototypes(record: AuditRecord, number: dict[str, Any] | None, at: int) -> dict[str, Any] | None:
    """The mean images of the units of both maps, side by side."""
    if number is None:
        return None
    rows, columns = (int(side) for side in number["grid"].split("x"))
    maps = []
    for part in ("target", "generated"):
        means = record.thumbnails[f"units {at} {part}"]
        lines = [_sheet(means[row * columns : (row + 1) * columns]) for row in range(rows)]
        maps.append((_PARTS[part], _uri(np.concatenate(lines, axis=0))))
    return {"number": number, "maps": maps}


def _one_kind(made: int, held: int) -> float:
    """log2 of the ratio where a unit holds one kind alone, or nothing."""
    return np.nan if made == held else np.inf if made > held else -np.inf


def _standing_out(space: dict[str, Any]) -> list[int]:
    return [unit for unit, verdict in enumerate(space["verdict"]) if verdict in VERDICTS[1:3]]


def _region(record: AuditRecord, space: dict[str, Any], unit: int) -> dict[str, Any]:
    n = record.settings["n"]["target"]
    members = np.flatnonzero(np.array(space["units"]) == unit)
    rows = {"target": members[members < n], "generated": members[members >= n] - n}
    pictures = []
    for part, inside in rows.items():
        place = {row: at for at, row in enumerate(record.shown[part])}
        seen = [place[row] for row in inside.tolist() if row in place][:8]
        if seen:
            pictures.append({"label": _PARTS[part], "uri": _montage(record.thumbnails[part][seen])})
    row, column = divmod(unit, space["grid"][1])
    return {
        "title": f"Row {row + 1}, column {column + 1}: {space['verdict'][unit]}",
        "real": space["real"][unit],
        "generated": space["generated"][unit],
        "q": space["q"][unit],
        "low": space["low"][unit],
        "high": space["high"][unit],
        "pictures": pictures,
    }


def _maps(record: AuditRecord, space: dict[str, Any]) -> dict[str, Any]:
    """What the page's script draws the linked maps from: every grid, each part's units, and the names of the pairs."""
    parts = [part for part in _PARTS if part in record.names]
    return {
        "grids": [
            {"grid": [int(side) for side in grid.split("x")], "units": {_PARTS[p]: maps[p] for p in parts}}
            for grid, maps in space["maps"].items()
        ],
        "names": [record.names["target"][row] for row in space["rows"]] if space["maps"] else [],
    }


def _sheet(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3) the pictures side by side on white."""
    coloured = np.repeat(pictures, 3, axis=3) if pictures.shape[3] == 1 else pictures
    padded = np.pad(coloured, ((0, 0), (0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
    return np.concatenate(list(padded), axis=1)


def _montage(pictures: NDArray[np.uint8]) -> str:
    return _uri(_sheet(pictures))


def _uri(pixels: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=88)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _figure(figure: Figure) -> str:
    buffer = io.BytesIO()
    save_figure(figure, buffer, dpi=120)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
