"""The report of a run: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.colors import to_hex
from numpy.typing import NDArray

import somscope
from somscope.errors import RunError
from somscope.figures.palette import CLASS_COLOURS, SEQUENTIAL
from somscope.figures.units import describe
from somscope.maps.graph import GraphLattice
from somscope.report import about, layers, wording
from somscope.report.charts import training_charts
from somscope.report.members import Members, list_members, most_listed
from somscope.report.run_like import RunLike
from somscope.report.safe_json import safe_json, short
from somscope.report.sampled import MOST_ITEMS, SampledRun
from somscope.report.sheets import Pictures, Sheet, decode_pictures, make_sheet, shrink
from somscope.report.summary import MapSummary, summarise
from somscope.report.words import distinctive_terms, standing_out, top_terms
from somscope.runs.distance import MapDistance
from somscope.runs.features import shown_prototypes
from somscope.runs.run import Run, is_clustering, left_out
from somscope.runs.writer import new_file

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MAX_BYTES", "render_report", "write_report"]

MAX_BYTES = 15_000_000  # of the whole file
# Pixels of a sheet with one picture per unit, from what is tried first to what is left when nothing else fits. With
# none there are no pictures of units, no component planes and no lists of terms or features either.
_SHEET_PIXELS = (3_000_000, 600_000, 150_000, 0)
_SCRIPTS = ("map.js", "gallery.js", "page.js")
_MOST_SKIPPED = 200
_MAP_WORDS = {"whole": "Map", "unit": "Unit", "units": "units", "prototypes": "Prototypes"}
_CLUSTER_WORDS = {"whole": "Clusters", "unit": "Cluster", "units": "clusters", "prototypes": "Centres"}
_LARGEST_PICTURE = 2_000_000  # bytes of a figure that is shown in the page


def write_report(run: RunLike, path: str | Path) -> None:
    """Write the report of `run` to `path` as one HTML file of at most 15 MB, whole or not at all.

    Raises RunError where the file cannot be written, a table of the run does not fit the others, or the map alone has
    so many units that 15 MB cannot hold them.
    """
    page = render_report(run)
    with new_file(path) as partial:
        partial.write_text(page, encoding="utf-8")


def render_report(run: RunLike, max_bytes: int = MAX_BYTES) -> str:
    """The report of `run` as HTML of at most `max_bytes` bytes.

    Pictures, then texts, then the number of listed members give way when the limit would be passed, and the page says
    so; of more than a million items it shows a random sample. Every string of the run is shown as text: none can become
    markup or script.
    """
    if isinstance(run, Run) and run.n_items > MOST_ITEMS:
        run = SampledRun(run, MOST_ITEMS)
    model = run.model()
    prototypes = np.asarray(model.prototypes_)
    if len(prototypes) != run.lattice.n_units:
        raise RunError(
            f"the model has {len(prototypes)} prototypes for a lattice of {run.lattice.n_units} units"
        )
    n_features = run.config["collection"].get("n_features")
    seen = getattr(model, "n_features_in_", n_features)
    if seen != n_features:
        raise RunError(f"the model is of items with {seen} features, and the run's items have {n_features}")
    shown = shown_prototypes(model)
    distance = MapDistance.of(run.config, getattr(model, "feature_weights", None))
    between = getattr(model, "edge_distances_", None)
    summary = summarise(run, prototypes, getattr(model, "u_matrix_", None), distance, between)
    items = run.items()
    if items.num_rows != len(summary.ids):
        raise RunError(f"items have {items.num_rows} rows and assignments {len(summary.ids)}")
    kind = run.config["collection"]["kind"]
    pictures = None
    if kind == "images" and "thumbnail" in items.column_names:
        pictures = _pictures(items, summary)
    texts = items["text"].to_pylist() if kind == "text" and "text" in items.column_names else None

    own = {
        name: getattr(model, name, None) for name in ("unit_clusters_", "transition_matrix_", "relevances_")
    }
    for pixels in _SHEET_PIXELS:
        sheets = _unit_sheets(run, summary, shown, pictures, pixels) if pictures is not None else {}
        data = _map_data(run, summary, shown, own, sheets, distance, full=pixels > 0)
        page = _page_values(run, data, sheets, distance)
        used = len(_fill(page, Members([], [])).encode()) + 80 * run.lattice.n_units + 2000
        members = list_members(summary, max_bytes - used, pictures, texts)
        html = _fill(page, members)
        if len(html.encode()) <= max_bytes:
            return html
    raise RunError(
        f"the report would have {len(html.encode()) / 1e6:.1f} MB with nothing but {run.lattice.n_units:,} units; "
        f"it may have {max_bytes / 1e6:g} MB: train a map of fewer units"
    )


def _fill(page: dict[str, Any], members: Members) -> str:
    environment = Environment(
        loader=PackageLoader("somscope.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(**page, members=members)


def _pictures(items: pa.Table, summary: MapSummary) -> Pictures:
    """The thumbnails of the items that can be listed; of a very large collection the others are never decoded."""
    listed = most_listed(summary)
    pixels = decode_pictures(
        items["thumbnail"].take(listed).to_pylist(), [summary.ids[i] for i in listed.tolist()]
    )
    place = np.full(len(summary.ids), -1)
    place[listed] = np.arange(len(listed))
    return Pictures(pixels, place)


def _unit_sheets(
    run: RunLike, summary: MapSummary, prototypes: NDArray[np.floating], pictures: Pictures, pixels: int
) -> dict[str, Sheet]:
    """One picture per unit: the prototype, where prototypes are images, and the nearest member."""
    if not pixels:
        return {}
    lattice = run.lattice
    side = int(np.clip(np.sqrt(pixels / lattice.n_units), 8, 64))
    sheets = {}
    shape = run.config["collection"].get("image_shape")
    if shape and int(np.prod(shape)) == prototypes.shape[1]:
        scaled = np.clip(np.nan_to_num(prototypes) * 255, 0, 255).round().astype(np.uint8)
        sheets["prototypes"] = _unit_sheet(scaled.reshape(-1, *shape), side, lattice.columns)
    medoids = summary.medoids
    nearest = np.where((medoids >= 0)[:, None, None, None], pictures.of(medoids), np.uint8(0))
    sheets["medoids"] = _unit_sheet(nearest, side, lattice.columns)
    return sheets


def _unit_sheet(pictures: NDArray[np.uint8], side: int, columns: int) -> Sheet:
    small = shrink(pictures, side)
    lossless = small.size <= 600_000
    return make_sheet(small, None if lossless else 80, columns)


def _map_data(
    run: RunLike,
    summary: MapSummary,
    prototypes: NDArray[np.floating],
    own: dict[str, Any],
    sheets: dict[str, Sheet],
    distance: MapDistance,
    *,
    full: bool,
) -> dict[str, Any]:
    """Everything the page's script draws the map and the gallery's head from, except the members.

    prototypes: (K, d) as items. own: clusters of units, transitions and relevances of the model, None for what it does
    not have. full: with component planes, and the terms or features that set each unit apart.
    """
    lattice, collection = run.lattice, run.config["collection"]
    names = [str(name) for name in collection.get("feature_names") or ()]
    clusters = is_clustering(run.config)
    words = _CLUSTER_WORDS if clusters else _MAP_WORDS
    planes: list[dict[str, Any]] = []
    planes_note = ""
    terms: list[Any] = []
    shown = []
    if "prototypes" in sheets:
        shown.append(
            layers.picture_layer(
                "prototypes",
                words["prototypes"],
                "prototypes",
                f"What each {words['unit'].lower()} stands for: the image that it has learned.",
            )
        )
    if "medoids" in sheets:
        shown.append(
            layers.picture_layer(
                "nearest", "Nearest member", "medoids", f"The nearest item of each {words['unit'].lower()}."
            )
        )
    if not full:
        planes_note = "Left out, so that this file stays small."
    elif collection["kind"] == "text":
        terms = top_terms(prototypes, names)
        shown.append(layers.word_layer(distinctive_terms(prototypes, names)))
    elif collection["kind"] != "images":
        planes, planes_note = layers.component_layers(prototypes, names)
    values = layers.value_layers(summary, lattice, distance)
    shown += layers.cluster_layers(summary, distance) if clusters else values
    if summary.class_names and summary.counts.any():
        place = 3 if clusters else 4  # before the values
        shown.insert(1 if shown[0]["type"] == "value" else len(shown) - place, layers.class_layer(summary))
    if own["unit_clusters_"] is not None:
        shown.append(layers.cluster_layer(own["unit_clusters_"]))
    if isinstance(lattice, GraphLattice) and not clusters:
        shown.insert(len(shown) - 4, layers.connection_layer(lattice))
    if own["relevances_"] is not None:
        shown.append(layers.relevance_layer(own["relevances_"]))
    if own["transition_matrix_"] is not None:
        shown.append(layers.transition_layer(lattice, own["transition_matrix_"]))
    units = run.units()
    if units is not None and not units["density"].null_count:
        shown.append(layers.density_layer(units["density"].to_numpy().astype(np.float64)))
    return {
        "kind": collection["kind"],
        "rows": lattice.rows,
        "columns": lattice.columns,
        "shape": lattice.shape,
        "toroidal": lattice.toroidal,
        "graph": isinstance(lattice, GraphLattice),
        "clusters": clusters,
        "unit": words["unit"],
        "prototype": words["prototypes"].removesuffix("s"),
        "positions": short(lattice.positions, 8),
        "hits": summary.hits.tolist(),
        "error": short(summary.mean_distance),
        "distanceUnit": distance.items,
        "classNames": list(summary.class_names),
        "classColours": list(CLASS_COLOURS),
        "counts": [_sparse(row) for row in summary.counts],
        "edges": summary.edges.tolist(),
        "edgeDistances": short(summary.edge_distances),
        "colours": [to_hex(colour) for colour in matplotlib.colormaps[SEQUENTIAL](np.linspace(0, 1, 64))],
        "sheets": {name: sheet.record() | {"uri": ""} for name, sheet in sheets.items()},
        "layers": shown,
        "planes": planes,
        "planesNote": planes_note,
        "terms": [[[word, float(f"{weight:.3g}")] for word, weight in row] for row in terms],
        "features": [
            [[name, *short([value, score])] for name, value, score in row]
            for row in (standing_out(prototypes, names) if planes else [])
        ],
    }


def _sparse(counts: NDArray[np.integer]) -> list[list[int]]:
    """[class, items] of the classes present, the most frequent first."""
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    pairs: list[list[int]] = np.column_stack([order, counts[order]]).tolist()
    return pairs


def _latent_picture(run: RunLike) -> str:
    """The figure of a clustering's codes as a data URI; "" where the run has none."""
    return _figure(run, "latent") if is_clustering(run.config) else ""


def _relevance_pictures(run: RunLike) -> list[dict[str, str]]:
    """The figures of a map's relevances: uri, alt and caption of each that the run has."""
    found = [
        {"uri": _figure(run, name), "alt": alt, "caption": caption}
        for name, (alt, caption) in wording.RELEVANCES.items()
    ]
    return [picture for picture in found if picture["uri"]]


def _figure(run: RunLike, name: str) -> str:
    """A figure of a run as a data URI; "" where it has none."""
    folder = getattr(run, "path", None)
    picture = None if folder is None else Path(folder) / "figures" / f"{name}.png"
    if picture is None or not picture.is_file():
        return ""
    content = picture.read_bytes()
    if len(content) > _LARGEST_PICTURE:
        return ""
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"


def _asset(name: str) -> str:
    return files("somscope.report").joinpath("templates", name).read_text(encoding="utf-8")


def _page_values(
    run: RunLike, data: dict[str, Any], sheets: dict[str, Sheet], distance: MapDistance
) -> dict[str, Any]:
    """Everything the template needs, except the members."""
    script = "\n".join(_asset(name) for name in _SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode("ascii")
    config = run.config
    collection = config["collection"]
    skipped = list(collection.get("skipped") or [])
    table = run.history()
    history = {name: table[name].to_pylist() for name in table.column_names}
    return {
        "version": somscope.__version__,
        "config": config,
        "collection": collection,
        "source": wording.source_rows(collection.get("source") or {}),
        "skipped": skipped[:_MOST_SKIPPED],
        "n_skipped": len(skipped),
        "clusters": is_clustering(config),
        "words": _CLUSTER_WORDS if is_clustering(config) else _MAP_WORDS,
        "latent": _latent_picture(run),
        "relevances": _relevance_pictures(run),
        "lattice": describe(run.lattice).removeprefix(f"{run.lattice.n_units} units, "),  # of a graph
        "n_units": run.lattice.n_units,
        "number": wording.number,
        "setting": wording.setting,
        "measures": wording.measure_rows(run.metrics, distance),
        "charts": training_charts(history, distance.items),
        "about": about.model_text(config),
        "terms": about.term_texts(config, list(history)),
        "phases": about.phase_rows(history),
        "training": about.training_text(config, wording.number),
        "codes": wording.codes_note(config, distance),
        "warnings": wording.warning_rows(config),
        "left_out": left_out(config),
        "chosen": wording.chosen_rows(config.get("chosen") or {}),
        "repeat_command": wording.repeat_command(config),
        "repeat_python": wording.repeat_python(config),
        "sheets": sheets,
        "has_planes": bool(data["planes"]),
        "data": safe_json(data),
        "style": Markup(_asset("report.css")),
        "script": Markup(script),
        "script_hash": digest,
    }
