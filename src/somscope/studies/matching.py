"""The study matching: how well descriptors of local patches find one place again, learned ones and others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from somscope.codes import ITQ, unpack
from somscope.codes.descriptors import DESCRIPTORS
from somscope.data.keypoints import Grey, Patches, cut_patches, even_light
from somscope.errors import DataError
from somscope.measures import fpr_at_95, matching_average_precision
from somscope.studies.machine import made_here
from somscope.studies.matching_scenes import (
    LEVELS,
    RealPair,
    corners,
    overlap,
    photographs,
    real_pairs,
    reference,
    warped,
)
from somscope.studies.rows import summary

__all__ = ["LEGEND", "MODELS", "NAME", "TITLE", "matching"]

NAME = "matching"
TITLE = "Descriptors of local patches that find one place again: FPR@95 and average precision of matching"
BITS = 256
MODELS = ("brief", "orb", "sift", "itq", "itq-even-light", "bingan")
LEGEND = (
    "Percent; mean ± standard deviation over the seeds. FPR@95: the lower the better, 95 by chance; mAP: of matching, "
    "the higher the better. brief, orb, itq and bingan have 256 bits, sift 128 numbers."
)
_LEARNED_FROM, _SCORED = (600, 6), (150, 12)  # corners of an image at most, and pixels between them at least
Describe = Callable[[Patches], NDArray[Any]]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Scenes:
    """learned (n, 32, 32) patches of the images to learn from, scored: images with their corners, and real pairs."""

    learned: Patches
    scored: Mapping[str, tuple[Grey, NDArray[np.float64]]]
    pairs: Mapping[str, RealPair]
    notes: tuple[str, ...]


def read_scenes() -> Scenes:
    """Every other photograph is learned from, the others are scored. Raises DataError where there are too few."""
    images = photographs()
    names = list(images)
    learn, score = names[::2], names[1::2]
    parts = [reference(images[name], corners(images[name], *_LEARNED_FROM)) for name in learn]
    found = {name: corners(images[name], *_SCORED) for name in score}
    scored = {name: (images[name], places) for name, places in found.items() if len(places) > 1}
    if not scored or not sum(map(len, parts)):
        raise DataError("no photographs with corners to compare descriptors on")
    learned = np.concatenate(parts)
    overlaps = ", ".join(f"{name} {overlap(level.jitter):.2f}" for name, level in LEVELS.items())
    notes = (
        f"A synthetic set, not to be compared with numbers on Brown's sets or HPatches: squares of 65 pixels about "
        f"{sum(len(places) for _, places in scored.values()):,} corners of {len(scored)} photographs "
        f"({', '.join(scored)}), brought to 32x32, against the same after a random homography and change of light "
        f"(mean overlap: {overlaps}). Learned from {len(learned):,} patches of {len(learn)} other photographs "
        f"({', '.join(learn)}), without knowing which show one place.",
        "Real pairs: 1,000 keypoints of ORB's detector in each image, patches turned and scaled by them; a match is "
        "right within 3 pixels of where the homography (graf1-graf3) or the disparity (aloe) has it.",
    )
    return Scenes(learned, scored, real_pairs(), notes)


def matching(
    seeds: Sequence[int],
    models: Sequence[str],
    say: Say,
    previous: Mapping[str, Any] | None = None,
    epochs: int = 3,
    read: Callable[[], Scenes] = read_scenes,
) -> Iterator[dict[str, Any]]:
    """The result file, anew after each model; rows of the `previous` one stay where they are not made again.

    A seed draws the homographies, and starts what is learned. epochs: of BinGAN's small network.
    """
    scenes = read()
    rows = {_key(row): row for row in (previous or {}).get("rows", [])}
    for model in models:
        found: list[dict[str, dict[str, float]]] = []
        for seed in seeds:
            started = time.perf_counter()
            describe, variant, parameters = _descriptor(model, scenes.learned, seed, epochs)
            seconds = time.perf_counter() - started
            found.append(scores(describe, scenes, seed))
            for measures in found[-1].values():
                measures["seconds"] = seconds
        here = made_here("cpu", "fp32")
        rows = {key: row for key, row in rows.items() if key[1] != model}
        for data in found[0]:
            rows[data, model] = {
                "data": data,
                "model": model,
                "variant": variant,
                "protocol": "held-out",
                "bits": 0 if model == "sift" else BITS,
                "seeds": list(seeds),
                "measures": {m: summary([one[data][m] for one in found]) for m in found[0][data]},
                "published": {},
                "parameters": parameters,
                **{part: here[part] for part in ("somscope", "commit", "created", "device", "versions")},
            }
        last = ", ".join(
            f"{data} {100 * rows[data, model]['measures']['matching_map']['mean']:.1f}" for data in found[0]
        )
        say(f"{model}: mAP {last}")
        ordered = sorted(rows.values(), key=lambda row: list(MODELS).index(row["model"]))
        yield _document(ordered, scenes.notes)


def _descriptor(model: str, learned: Patches, seed: int, epochs: int) -> tuple[Describe, str, dict[str, Any]]:
    """What describes patches, the variant's name, and its parameters; learned anew where it learns."""
    if model in DESCRIPTORS:
        return DESCRIPTORS[model], "default", {}
    if model.startswith("itq"):
        even = even_light if model == "itq-even-light" else np.asarray
        itq = ITQ(BITS, random_state=seed).fit(_flat(even(learned)))
        variant = "default" if model == "itq-even-light" else "raw pixels"
        return lambda patches: itq.encode(_flat(even(patches))), variant, {"n_iter": itq.n_iter}
    from somscope.models.bingan import BinGAN

    chosen: dict[str, Any] = {"preset": "cpu", "n_epochs": epochs, "precision": "bf16", "device": "cpu"}
    gan = BinGAN(BITS, "matching", random_state=seed, **chosen).fit(even_light(learned)[..., None])
    variant = f"a quarter of the filters, {epochs} epoch{'s' if epochs > 1 else ''}"
    return lambda patches: gan.encode(even_light(patches)[..., None]), variant, dict(chosen)


def _flat(patches: Patches) -> NDArray[np.float32]:
    return patches.reshape(len(patches), -1).astype(np.float32) / 255.0


def distances(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """(n, m) of descriptors: numbers of bits that differ between packed codes, Euclidean between others."""
    if a.dtype != np.uint8:
        return np.asarray(cdist(a, b))
    ours, theirs = (unpack(x, 8 * x.shape[1]).astype(np.float32) * 2 - 1 for x in (a, b))
    return np.asarray((ours.shape[1] - ours @ theirs.T) / 2, dtype=np.float64)


def scores(describe: Describe, scenes: Scenes, seed: int) -> dict[str, dict[str, float]]:
    """{"warped-easy" ...: {"fpr_at_95", "matching_map"}, "graf1-graf3", "aloe": {"matching_map"}}.

    mAP of warped patches: the mean over images. Pairs of different places: each patch with one of the next image.
    """
    before = {name: describe(reference(*scene)) for name, scene in scenes.scored.items()}
    found = {}
    for at, (name, level) in enumerate(LEVELS.items()):
        random = np.random.default_rng([seed, at])
        after = {n: describe(warped(*scene, level, random)) for n, scene in scenes.scored.items()}
        names = list(before)
        same, different, precision = [], [], []
        for one, other in zip(names, [*names[1:], names[0]], strict=True):
            d = distances(before[one], after[one])
            same.append(d.diagonal())
            precision.append(matching_average_precision(d, np.eye(len(d), dtype=bool)))
            n = min(len(before[one]), len(after[other]))
            if one != other:
                different.append(distances(before[one][:n], after[other][:n]).diagonal())
        found[f"warped-{name}"] = {
            "fpr_at_95": fpr_at_95(np.concatenate(same), np.concatenate(different)),
            "matching_map": float(np.mean(precision)),
        }
    for name, pair in scenes.pairs.items():
        codes = [describe(cut_patches(i, k)) for i, k in zip(pair.images, (pair.a, pair.b), strict=True)]
        found[name] = {"matching_map": matching_average_precision(distances(*codes), pair.right)}
    return found


def _document(rows: Sequence[Mapping[str, Any]], notes: Sequence[str]) -> dict[str, Any]:
    made = made_here("cpu", "fp32")
    return {
        "study": NAME,
        **{part: made[part] for part in ("somscope", "commit", "created", "device", "versions")},
        "seconds": round(
            sum(
                len(r["seeds"]) * r["measures"]["seconds"]["mean"] for r in rows if r["data"] == "warped-easy"
            )
        ),
        "notes": list(notes),
        "legend": LEGEND,
        "tables": [_table(rows)],
        "rows": list(rows),
        "absent": [],
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    columns = [(f"warped-{name}", "fpr_at_95", f"FPR@95 {name}") for name in LEVELS]
    columns += [(f"warped-{name}", "matching_map", f"mAP {name}") for name in LEVELS]
    columns += [(name, "matching_map", f"mAP {name}") for name in ("graf1-graf3", "aloe")]
    columns = [c for c in columns if any(row["data"] == c[0] for row in rows)]
    by_key = {_key(row): row for row in rows}
    lines = []
    for model in dict.fromkeys(row["model"] for row in rows):
        cells = []
        for data, measure, _ in columns:
            row = by_key.get((data, model))
            found = None if row is None else row["measures"][measure]
            spread = f" ±{100 * found['std']:.1f}" if found and row and len(row["seeds"]) > 1 else ""
            cells.append("-" if found is None else f"{100 * found['mean']:.1f}{spread}")
        first = next(row for row in rows if row["model"] == model)
        name = model if first["variant"] == "default" else f"{model} ({first['variant']})"
        lines.append([name, *cells, str(len(first["seeds"]))])
    return {
        "title": "Patches warped by homographies, and two real pairs, in percent",
        "head": ["descriptor", *(title for *_, title in columns), "seeds"],
        "lines": lines,
    }


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["data"], row["model"]
