"""The GAN-SOM study: what maps say of the images of five pix2pix generators, as published and done right.

Source: "Exploring Results of Conditional Generative Adversarial Networks with Self-Organizing Maps" (UBC CPSC 522).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from somscope.audit import AuditImages, read_pix2pix
from somscope.audit.corrected import corrected
from somscope.audit.health import check_health
from somscope.audit.numbers import Number
from somscope.audit.published import METRICS, domains, over_seeds
from somscope.data.places import places
from somscope.errors import DataError
from somscope.studies.gan_som_later import left_for_later
from somscope.studies.gan_som_tables import NAME, PUBLISHED, REPETITION, SETS
from somscope.studies.gan_som_verdicts import verdicts
from somscope.studies.machine import made_here
from somscope.studies.rows import summary

__all__ = ["LEGEND", "NOTES", "corrected_row", "gan_som", "published_row", "read_set", "seed_of"]

PERMUTATIONS = 999
SHUFFLES = 100  # of each seed, for the level of chance
NOTES = (
    "As published: the authors' protocol with its slips (two equal clusterings score 0 by cluster; images alone in both"
    " maps are left out; source and target exchanged for edges2shoes and sat2map) and the MiniSom of April 2020. Seeds:"
    " 100000 + 10 s, those of an earlier independent repetition, which stands beside our means (`repetition`); z is "
    "their difference in standard errors, after the rounding of its table. Chance: pairing (on the combined map: real "
    "and generated) shuffled 100 times for each seed.",
)
LEGEND = (
    "As published: mean over the seeds ± standard deviation, in brackets the paper's number, then chance (the same"
    " maps with shuffled pairs). Corrected: the value, * where q is at most 0.05 after control of the false discovery "
    "rate over the set's numbers that ask the same, and in brackets chance; distinct: of identical images of the first "
    "set one is used; intervals, effects and ceilings are in the file."
)
Say = Callable[[str], None]


def seed_of(number: int) -> int:
    """The seed of the maps of repetition 0, 1, 2, ..."""
    return 100_000 + 10 * number


def read_set(name: str) -> AuditImages:
    """The fifty triples of one of SETS. Raises DataError where they are on no known place."""
    for place in places((f"pix2pix-pretrained/{name}",)):
        if place.is_dir():
            return read_pix2pix(place)
    raise DataError(f"pix2pix-pretrained/{name} is not here: put it into the folder that SOMSCOPE_DATA names")


def gan_som(
    seeds: Sequence[int], names: Sequence[str], say: Say, read: Callable[[str], AuditImages] = read_set
) -> dict[str, Any]:
    """The result file: one row for each data set and protocol. Sets that are not here are listed as absent."""
    rows, absent = [], []
    started = time.perf_counter()
    for name in names:
        try:
            images = read(name)
        except DataError as error:
            say(f"{name} is left out: {error}")
            absent.append(_key(name, "as published", "paper") | {"reason": str(error)})
            continue
        for make in (published_row, corrected_row):
            began = time.perf_counter()
            row = make(name, images, seeds)
            rows.append(row)
            say(f"{name}, {row['variant']}: {time.perf_counter() - began:.1f} s")
    decided = verdicts(rows)
    later = left_for_later([row for row in rows if row["variant"] == "corrected"])
    made = made_here("cpu", "fp32")
    return {
        "study": NAME,
        **{part: made[part] for part in ("somscope", "commit", "created", "device", "versions")},
        "seconds": round(time.perf_counter() - started),
        "notes": list(NOTES),
        "legend": LEGEND,
        "tables": [
            published_table([row for row in rows if row["variant"] == "as published"]),
            corrected_table([row for row in rows if row["variant"] == "corrected"]),
            {
                "title": "What becomes of the paper's conclusions",
                "head": ["claim", "verdict", "because"],
                "lines": [list(one.values()) for one in decided],
            },
            {
                "title": "What the paper left for later",
                "head": ["proposal", "answer"],
                "lines": [list(one.values()) for one in later],
            },
        ],
        "verdicts": decided,
        "left_for_later": later,
        "rows": rows,
        "absent": absent,
    }


def published_row(name: str, images: AuditImages, seeds: Sequence[int]) -> dict[str, Any]:
    """The paper's metrics over seeds, with the level of chance, the paper's numbers, and an earlier repetition's."""
    found = over_seeds(domains(images, name), [seed_of(number) for number in seeds], SHUFFLES)
    measures = {metric: summary([one[metric] for one in found.metrics]) for metric in METRICS}
    at = SETS.index(name) if name in SETS else None
    published = {metric: PUBLISHED[metric][at] for metric in PUBLISHED} if at is not None else {}
    repetition = {metric: REPETITION[metric][at] for metric in REPETITION} if at is not None else {}
    return {
        **_key(name, "as published", "paper"),
        "seeds": list(seeds),
        "measures": measures,
        "chance": {metric: summary([one[metric] for one in found.chance]) for metric in METRICS},
        "published": {metric: value for metric, value in published.items() if value is not None},
        "repetition": {
            metric: {"mean": mean, "std": std, "z": _z(measures[metric], len(seeds), mean, std)}
            for metric, (mean, std) in repetition.items()
        },
        "n_items": len(images.target),
    }


def published_table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The paper's metrics, one line each, and one column for each data set."""
    lines = []
    for metric, title in METRICS.items():
        cells = []
        for row in rows:
            ours, chance = row["measures"][metric], row["chance"][metric]["mean"]
            digits = 1 if metric.startswith(("clusters", "pairs", "fake_only", "real_only")) else 3
            paper = row["published"].get(metric)
            printed = "" if paper is None else f" ({paper:g})"
            level = "" if metric.startswith("clusters") else f", {chance:.{digits}f}"
            cells.append(f"{ours['mean']:.{digits}f} ±{ours['std']:.{digits}f}{printed}{level}")
        lines.append([title, *cells])
    return {"title": "As published", "head": ["metric", *(row["data"] for row in rows)], "lines": lines}


def corrected_row(name: str, images: AuditImages, seeds: Sequence[int]) -> dict[str, Any]:
    """Our audit of the same images, source and target as the generator had them."""
    found = corrected(images, ["pixels"], len(seeds), PERMUTATIONS, seed=seeds[0])
    numbers = {
        " ".join(
            part for part in (number.measure, number.comparison, number.grid, _only(number)) if part
        ): number
        for number in found.numbers
    }
    return {
        **_key(name, "corrected", "paper"),
        "seeds": list(seeds),
        "measures": {key: {"mean": n.value, "std": n.seed_std or 0.0} for key, n in numbers.items()},
        "chance": {key: {"mean": n.chance, "std": n.chance_std} for key, n in numbers.items()},
        "numbers": {key: number.record() for key, number in numbers.items()},
        "health": {
            finding.check: finding.text for finding in check_health(images) if finding.severity == "problem"
        },
        "reasons": [asdict(reason) for reason in found.spaces[0].reasons],
        "n_items": len(images.target),
    }


def corrected_table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The numbers of the audit, one line each, and one column for each data set."""
    lines = []
    for measure in dict.fromkeys(measure for row in rows for measure in row["numbers"]):
        cells = []
        for row in rows:
            number = row["numbers"].get(measure)
            mark = "" if number is None else "*" if number["q"] <= 0.05 else ""
            cells.append("-" if number is None else f"{number['value']:.3f}{mark} ({number['chance']:.3f})")
        lines.append([measure, *cells])
    return {"title": "Corrected", "head": ["measure", *(row["data"] for row in rows)], "lines": lines}


def _only(number: Number) -> str:
    return "" if number.items == "all" else number.items


def _key(name: str, variant: str, protocol: str) -> dict[str, str]:
    return {"data": name, "model": "som", "variant": variant, "protocol": protocol}


def _z(ours: Mapping[str, float], n: int, mean: float, std: float) -> float:
    """Difference of two means in standard errors; what rounding to the printed digits may account for is taken off."""
    rounding = 0.05 if mean >= 1 or std >= 1 else 0.0005
    gap = max(0.0, abs(ours["mean"] - mean) - rounding)
    error = np.hypot(ours["std"] / np.sqrt(n), std / np.sqrt(20))
    return float(f"{gap / error:.3g}") if error else (0.0 if gap == 0 else float("1e9"))
