"""The study hashing-cifar10: how well codes of 16, 32 and 64 bits find CIFAR-10 images of the same class.

Queries are the 10,000 test images, the database and what is learned from are the 50,000 training images. No weights
come from elsewhere, and no label is seen before the scores.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from somscope.atomic import whole_file
from somscope.codes import GIST, KMeansPatches
from somscope.data import Collection, open_collection
from somscope.measures import average_precision, distance_counts, grouped_average_precision, precision_at
from somscope.models.table import coder_class
from somscope.studies.hashing_cells import finished_cells, how_far, keep_cell, row_of
from somscope.studies.hashing_tables import BITS, FEATURES, METHODS, NAME, PUBLISHED
from somscope.studies.machine import made_here

__all__ = ["COLUMNS", "LEGEND", "NOTES", "Images", "Method", "hashing_cifar10", "methods", "retrieval_scores"]

NOTES = (
    "The images are the JPEG copy (quality 75) of CIFAR-10, not the original pixels. Queries: the 10,000 test images; "
    "database and training: the 50,000 training images, without labels. No pretrained weights.",
    "mAP@k: precision averaged over the relevant images among the first k, divided by how many are found there (not by "
    "min(k, R)), as the codes of CIBHash, Bi-half and GreedyHash do; images at the same distance count as the mean "
    "over every order. Code's mAP: what BinGAN's code computes, scikit-learn's average precision over the first "
    "10,000, but over all queries where the code draws 1,000.",
    "Random codes of 32 bits score 10.6 in mAP@1000, since its divisor favours short lists, and 10.0 in the others.",
)
LEGEND = (
    "Percent; mean ± standard deviation over the seeds. In the published rows the protocol is that of their papers: "
    "DeepBit and DBD-MQ stand on networks that were trained on ImageNet."
)
COLUMNS = {
    "map_at_1000": "mAP@1000",
    "map_at_all": "mAP@all",
    "precision_at_1000": "precision@1000",
    "map_of_the_code": "code's mAP",
}
_AT, _AT_OF_THE_CODE = 1000, 10_000
Say = Callable[[str], None]


@dataclass(frozen=True)
class Method:
    """One row: a coder by its name, the features that it gets ("images": as they are), and its bits."""

    model: str
    features: str
    bits: int
    variant: str = "default"
    options: Mapping[str, Any] = field(default_factory=dict)  # of a network: its parameters

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What names the row."""
        return self.model, self.variant, self.features, self.bits


@dataclass(frozen=True)
class Images:
    """The database, which is also what is learned from, and the queries."""

    database: Collection
    queries: Collection


def methods(
    models: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    bits: Sequence[int] | None = None,
    epochs: int | None = None,
    precision: str = "auto",
) -> list[Method]:
    """The rows of the study that were asked for (None: all), features by features, so that each is computed once.

    epochs, precision: of networks; another number of epochs than the model's own makes another variant.
    """
    trained = {"precision": precision} | ({} if epochs is None else {"n_epochs": epochs})
    variant = "default" if epochs is None else "1 epoch" if epochs == 1 else f"{epochs} epochs"
    return [
        Method(model, feature, length, *((variant, trained) if feature == "images" else ()))
        for feature in FEATURES
        for model, its_features in METHODS.items()
        for length in BITS
        if feature in its_features
        and (features is None or feature in features)
        and (models is None or model in models)
        and (bits is None or length in bits)
    ]


def read_images() -> Images:
    """Both parts of CIFAR-10. Raises DataError where they are not here and cannot be fetched."""
    return Images(open_collection("cifar10:train"), open_collection("cifar10:test"))


def hashing_cifar10(
    seeds: Sequence[int],
    asked: Sequence[Method],
    work: Path,
    say: Say,
    previous: Mapping[str, Any] | None = None,
    read: Callable[[], Images] = read_images,
) -> Iterator[dict[str, Any]]:
    """The result file, anew after each row: rows of the `previous` one stay where they are not made again, or were made
    over more seeds.

    work: a folder for features, which are computed once, and for finished cells: what a coder scored with one seed is
    read from there, and a row is over all seeds that are there.
    """
    images = read()
    rows = {_key(row): row for row in (previous or {}).get("rows", [])}
    items: tuple[str, Any] = ("", None)
    for method in asked:
        if items[0] != method.features:
            items = method.features, _features(method.features, images, work, say)
        cells = _cells(method, items[1], images, seeds, work)
        row = row_of(method.key, cells)
        old = rows.get(method.key)
        if old is None or len(old["seeds"]) <= len(cells) or old["parameters"] != row["parameters"]:
            rows[method.key] = row
        shown = ", ".join(f"{COLUMNS[m]} {100 * row['measures'][m]['mean']:.1f}" for m in COLUMNS)
        say(f"{method.model} on {method.features}, {method.bits} bits: {shown}")
        order = {one.key: at for at, one in enumerate(methods())}
        sorted_rows = sorted(rows.values(), key=lambda row: order.get(_key(row), len(order)))
        yield _document(sorted_rows)


def _features(name: str, images: Images, work: Path, say: Say) -> tuple[Any, Any]:
    """Of the database and of the queries; learned from the database alone."""
    if name == "images":
        return replace(images.database, labels=None, label_names=()), images.queries
    if name == "pixels":
        return images.database.matrix(), images.queries.matrix()
    found = []
    maker: GIST | KMeansPatches | None = None
    for part in (images.database, images.queries):
        path = work / f"{name}-{images.database.fingerprint[:12]}-{part.fingerprint[:12]}.npy"
        if not path.is_file():
            if maker is None:
                started = time.perf_counter()
                maker = {"gist": GIST(), "kmeans": KMeansPatches(random_state=0)}[name].fit(images.database)
                say(f"{name}: learned in {time.perf_counter() - started:.0f} s")
            work.mkdir(parents=True, exist_ok=True)
            values = maker.transform(part)
            with whole_file(path) as unfinished, unfinished.open("wb") as file:
                np.save(file, values)
        found.append(np.load(path))
    return found[0], found[1]


def _cells(
    method: Method, items: tuple[Any, Any], images: Images, seeds: Sequence[int], work: Path
) -> list[Mapping[str, Any]]:
    """The finished cells of a row; those of the seeds that are not there are made."""
    made = coder_class(method.model)
    known = inspect.signature(made).parameters
    options = {name: value for name, value in method.options.items() if name in known}
    data = [images.database.fingerprint, images.queries.fingerprint]
    parameters = {
        name: value
        for name, value in made(bits=method.bits, **options).get_params(deep=False).items()
        if name not in ("bits", "random_state")
    }
    cells = finished_cells(work, method.key, parameters, data)
    for seed in seeds:
        if seed in cells:
            continue
        coder = made(
            bits=method.bits, **options, **({"random_state": seed} if "random_state" in known else {})
        )
        started = time.perf_counter()
        coder.fit(items[0])
        codes = coder.encode(items[0]), coder.encode(items[1])
        seconds = time.perf_counter() - started
        scores = retrieval_scores(*codes, images.database.labels, images.queries.labels)
        cells[seed] = {
            "parameters": parameters,
            "data": data,
            "measures": {**scores, "effective_bits": coder.effective_bits_, "seconds": seconds},
            "trained": how_far(coder),
            "made": made_here("cpu", getattr(coder, "precision_", "fp32")),
        }
        keep_cell(work, method.key, seed, cells[seed])
    return [{"seed": seed, **cells[seed]} for seed in sorted(cells)]


def retrieval_scores(database: Any, queries: Any, labels: Any, query_labels: Any) -> dict[str, float]:
    """The four scores of the study, as shares; the lists are as long as the database where that is shorter."""
    counts = distance_counts(queries, database, query_labels, labels)
    at, of_the_code = min(_AT, len(database)), min(_AT_OF_THE_CODE, len(database))
    return {
        "map_at_1000": float(average_precision(counts, at).mean()),
        "map_at_all": float(average_precision(counts).mean()),
        "precision_at_1000": float(precision_at(counts, at).mean()),
        "map_of_the_code": float(grouped_average_precision(counts, of_the_code).mean()),
    }


def _document(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    made = made_here("cpu", "fp32")
    return {
        "study": NAME,
        **{part: made[part] for part in ("somscope", "commit", "created")},
        "device": "; ".join(dict.fromkeys(str(row["device"]) for row in rows)),
        "versions": made["versions"],
        "seconds": round(sum(len(row["seeds"]) * row["measures"]["seconds"]["mean"] for row in rows)),
        "notes": list(NOTES),
        "legend": LEGEND,
        "tables": [_table(measure, title, rows) for measure, title in COLUMNS.items()],
        "rows": list(rows),
        "absent": [],
    }


def _table(measure: str, title: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One line for each method and one column for each number of bits; published mAP@1000 below."""
    lines: dict[tuple[str, str], dict[int, str]] = {}
    for row in rows:
        found = row["measures"][measure]
        spread = f" ±{100 * found['std']:.1f}" if len(row["seeds"]) > 1 else ""
        if row["trained"].get("stop_reason") == "interrupted":
            spread += f" (stopped after {row['trained']['steps']:,} steps)"
        name = row["model"] if row["variant"] == "default" else f"{row['model']} ({row['variant']})"
        lines.setdefault((name, row["features"]), {})[row["bits"]] = f"{100 * found['mean']:.1f}{spread}"
    if measure == "map_at_1000":
        for name, values in PUBLISHED.items():
            lines[f"{name}, published", ""] = {bits: f"{100 * value:.2f}" for bits, value in values.items()}
    return {
        "title": f"CIFAR-10 (JPEG copy), {title} in percent",
        "head": ["model", "features", *(f"{bits} bits" for bits in BITS)],
        "lines": [[*name, *(cells.get(bits, "-") for bits in BITS)] for name, cells in lines.items()],
    }


def _key(row: Mapping[str, Any]) -> tuple[str, str, str, int]:
    return row["model"], row["variant"], row["features"], row["bits"]
