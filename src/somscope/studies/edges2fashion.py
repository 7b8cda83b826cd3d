"""The study edges2fashion: pictures of clothes from their edges, by pix2pix and by two methods that learn nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from sklearn.base import ClassifierMixin
from sklearn.neighbors import NearestNeighbors
from sklearn.neural_network import MLPClassifier

from somscope.audit import from_arrays
from somscope.auditing import audit_images
from somscope.data import open_collection
from somscope.data.derive import edges
from somscope.data.sampling import choose
from somscope.errors import DataError
from somscope.figures import save_figure
from somscope.figures.contact_sheet import contact_sheet_figure
from somscope.models.pix2pix import Pix2Pix
from somscope.runs.jsonfile import read_object, write_object
from somscope.studies.machine import made_here, resolved_device
from somscope.studies.rows import summary

__all__ = ["MODELS", "RECIPE", "SIDE", "Task", "edges2fashion", "measure", "read_task"]

SIDE = 32  # pixels
RECIPE: dict[str, Any] = {  # on this size five levels halve an image to one pixel
    "generator": "unet_32",
    "filters": 32,
    "discriminator_filters": 16,
    "n_layers": 2,
    "batch_size": 32,
    "learning_rate": 6e-4,
    "n_epochs": 1,
    "n_decay_epochs": 3,
    "enlarge": 1.0,  # enlarged edges are grey and blurred, as no edge of the test is
    "flip": False,  # all shoes point to the left
    "precision": "bf16",
}
MODE = "eval"  # of translation: trained in batches, whose statistics an image of its own does not have
OTHER_MODE = "deterministic"  # stands beside it, to say what that is worth
MODELS = ("pix2pix", "mean-target", "nearest-neighbour")
N_TRAIN, N_TEST, N_AUDIT, N_SHOWN = 10_000, 2_000, 500, 6
_SHOES = (5, 7, 9)  # sandal, sneaker, ankle boot
_READ: dict[str, tuple[str, tuple[int, ...] | None]] = {
    "fashion-mnist-shoes": ("fashion-mnist", _SHOES),
    "fashion-mnist": ("fashion-mnist", None),
    "cifar10": ("cifar10", None),
}
_MEASURES = {"l1": "L1 (of 1)", "ssim": "SSIM", "agreement": "classifier agreement"}
LEGEND = (
    "L1: mean absolute difference to the target, of the range of a pixel. SSIM: mean structural similarity "
    "(scikit-image). Agreement: share of images that a classifier, trained on real images, gives the label of their "
    "source; by chance it agrees on the share of the largest class (`chance`). The targets: the real test images. "
    "Mean ± standard deviation over seeds of the translator; the other two have none."
)
NOTES = (
    f"Edges by Canny's detector on images padded with 0 to {SIDE}x{SIDE}. Trained on pairs of the training part, "
    "scored on pairs of the test part. mean-target: the mean training image for all. nearest-neighbour: the "
    "training image whose edges differ in the fewest pixels.",
    "The learning rate and the mode of translation of pix2pix were chosen on 1,000 pairs of the training part of "
    "fashion-mnist after training on 4,000 others; the test part took no part in it.",
)
Pixels = NDArray[np.uint8]
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Task:
    """Pairs to train on and to test on: edges (n, S, S, 1), images (n, S, S, C) uint8, labels (n,)."""

    name: str
    edges: Pixels
    images: Pixels
    labels: NDArray[np.int64]
    test_edges: Pixels
    test_images: Pixels
    test_labels: NDArray[np.int64]


def read_task(name: str, n_train: int = N_TRAIN, n_test: int = N_TEST) -> Task:
    """Pairs of a set, drawn with seed 0. Raises DataError where the set is not here and cannot be had."""
    where, classes = _READ[name]
    parts: list[Any] = []
    for part, n in (("train", n_train), ("test", n_test)):
        collection = open_collection(f"{where}:{part}")
        assert collection.labels is not None
        labels = collection.labels
        rows = np.arange(len(labels)) if classes is None else np.flatnonzero(np.isin(labels, classes))
        rows = rows[choose(len(rows), n, 0)]
        images = np.ascontiguousarray(_padded(collection.features[rows]))
        parts += [edges(images), images, labels[rows]]
    return Task(name, *parts)


def edges2fashion(
    names: Sequence[str],
    seeds: Sequence[int],
    work: Path,
    say: Say,
    *,
    read: Callable[[str], Task] = read_task,
    recipe: Mapping[str, Any] = RECIPE,
    device: str = "auto",
) -> dict[str, Any]:
    """The result file: for each set a row of each of MODELS. Sets that are not here are listed as absent.

    work: folder where what each training came to is kept, so that the same call goes on after an interruption.
    """
    rows, absent = [], []
    started = time.perf_counter()
    for name in names:
        try:
            task = read(name)
        except DataError as error:
            say(f"{name} is left out: {error}")
            absent += [_key(name, model) | {"reason": str(error)} for model in MODELS]
            continue
        classifier = _classifier(task)
        baselines = {"mean-target": _mean_target(task), "nearest-neighbour": _nearest_neighbour(task)}
        translated = [
            _trained(task, seed, work, classifier, baselines, recipe, device, say) for seed in seeds
        ]
        for variant, mode in (("default", MODE), (OTHER_MODE, OTHER_MODE)):
            found = [one["measures"][mode] for one in translated]
            rows += [
                _row(task, "pix2pix", list(seeds), found, classifier) | {"variant": variant, "mode": mode}
            ]
        rows[-2] |= {"parameters": dict(recipe), "audit": translated[0]["audit"]}
        for model, made in baselines.items():
            rows += [_row(task, model, [0], [measure(task, made, classifier)], classifier)]
    here = made_here(resolved_device(device), str(recipe.get("precision", "fp32")))
    return {
        "study": "edges2fashion",
        **here,
        "seconds": round(time.perf_counter() - started),
        "notes": [*NOTES, *(_said(row) for row in rows if "audit" in row)],
        "legend": LEGEND,
        "tables": [_table(rows)],
        "rows": rows,
        "absent": absent,
    }


def measure(task: Task, made: Pixels, classifier: ClassifierMixin) -> dict[str, float]:
    """l1, ssim and agreement of what was made of the test edges, (n, S, S, C) uint8."""
    difference = np.abs(made.astype(np.float32) - task.test_images).mean() / 255
    similar = [
        structural_similarity(a, b, data_range=255, channel_axis=2)  # type: ignore[no-untyped-call]
        for a, b in zip(made, task.test_images, strict=True)
    ]
    agreed = classifier.predict(_flat(made)) == task.test_labels
    return {"l1": float(difference), "ssim": float(np.mean(similar)), "agreement": float(agreed.mean())}


def _trained(
    task: Task,
    seed: int,
    work: Path,
    classifier: ClassifierMixin,
    baselines: Mapping[str, Pixels],
    recipe: Mapping[str, Any],
    device: str,
    say: Say,
) -> dict[str, Any]:
    """The measures and the audit of one translator, read where they were kept; leaves a sheet of examples there."""
    asked = {
        "recipe": dict(recipe),
        "mode": MODE,
        "pairs": [len(task.images), len(task.test_images)],
        "seed": seed,
    }
    path = work / f"{task.name}~{seed}.json"
    if path.is_file() and (kept := read_object(path)).get("asked") == asked:
        return kept
    began = time.perf_counter()
    model = Pix2Pix(**recipe, random_state=seed, device=device, verbose=False).fit(task.edges, task.images)
    made = model.transform(task.test_edges, mode=MODE)
    found = {
        "asked": asked,
        "measures": {
            MODE: {**measure(task, made, classifier), "seconds": model.seconds_},
            OTHER_MODE: measure(task, model.transform(task.test_edges, mode=OTHER_MODE), classifier),
        },
        "audit": _audit(task, made),
    }
    work.mkdir(parents=True, exist_ok=True)
    columns = {"edges": task.test_edges, "pix2pix": made, **baselines, "target": task.test_images}
    shown = {name: images[:N_SHOWN] for name, images in columns.items()}
    save_figure(contact_sheet_figure(shown), path.with_suffix(".png"))
    write_object(path, found)
    say(f"{task.name}, seed {seed}: {time.perf_counter() - began:.0f} s")
    return found


def _audit(task: Task, made: Pixels) -> dict[str, Any]:
    """What the audit finds in the first test pairs: all but its maps and pictures."""
    n = min(N_AUDIT, len(made))
    result = audit_images(from_arrays(task.test_edges[:n], task.test_images[:n], made[:n], name=task.name))
    kept = ("settings", "findings", "conclusions", "distrust", "numbers")
    return {"n": n, **{part: found for part, found in result.record().items() if part in kept}}


def _said(row: Mapping[str, Any]) -> str:
    """The conclusions of an audit in one paragraph."""
    audit = row["audit"]
    said = (f"{c['question']} {c['answer']} ({c['sure']})" for c in audit["conclusions"])
    return f"Audit of {audit['n']} test pairs of {row['data']}, seed {row['seeds'][0]}: {' '.join(said)}"


def _classifier(task: Task) -> MLPClassifier:
    """One hidden layer, trained on the real training images."""
    made = MLPClassifier((128,), early_stopping=True, random_state=0)
    return made.fit(_flat(task.images), task.labels)


def _mean_target(task: Task) -> Pixels:
    mean = np.rint(task.images.mean(axis=0)).astype(np.uint8)
    return np.broadcast_to(mean, task.test_images.shape)


def _nearest_neighbour(task: Task) -> Pixels:
    nearest = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(_flat(task.edges))
    found: Pixels = task.images[nearest.kneighbors(_flat(task.test_edges), return_distance=False)[:, 0]]
    return found


def _row(
    task: Task,
    model: str,
    seeds: list[int],
    found: Sequence[Mapping[str, float]],
    classifier: ClassifierMixin,
) -> dict[str, Any]:
    shares = np.unique(task.test_labels, return_counts=True)[1] / len(task.test_labels)
    return {
        **_key(task.name, model),
        "seeds": seeds,
        "measures": {name: summary([one[name] for one in found]) for name in found[0]},
        "chance": {"agreement": summary([float(shares.max())])},
        "published": {},
        "classifier": float(classifier.score(_flat(task.test_images), task.test_labels)),
        "n_items": [len(task.images), len(task.test_images)],
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    lines = []
    for row in rows:
        cells = []
        for name in _MEASURES:
            value = row["measures"][name]
            cells.append(f"{value['mean']:.3f}" + (f" ±{value['std']:.3f}" if len(row["seeds"]) > 1 else ""))
        model = row["model"] + ("" if row["variant"] == "default" else f" ({row['variant']})")
        lines.append([row["data"], model, *cells, str(len(row["seeds"]))])
        if row["model"] == MODELS[-1]:
            lines.append([row["data"], "the targets", "0.000", "1.000", f"{row['classifier']:.3f}", ""])
    return {
        "title": "Images from their edges",
        "head": ["data", "model", *_MEASURES.values(), "seeds"],
        "lines": lines,
    }


def _key(name: str, model: str) -> dict[str, str]:
    return {"data": name, "model": model, "variant": "default", "protocol": "held-out"}


def _flat(pixels: Pixels) -> NDArray[np.float32]:
    return pixels.reshape(len(pixels), -1).astype(np.float32) / np.float32(255)


def _padded(pixels: Pixels) -> Pixels:
    """(n, SIDE, SIDE, C), the images in the middle of zeros."""
    high, wide = ((SIDE - side, (SIDE - side) // 2) for side in pixels.shape[1:3])
    around = ((0, 0), (high[1], high[0] - high[1]), (wide[1], wide[0] - wide[1]), (0, 0))
    return np.pad(pixels, around)
