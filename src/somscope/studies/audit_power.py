"""The power study: what the audit finds of what was planted in synthetic pairs, and its false alarms.

Images of 4 x 4 grey pixels in eight equally likely modes whose middles lie equally far apart. An image of a mode is its
middle, plus what a pair shares (Gaussian, deviation 14 grey levels a pixel), plus what it does not share (deviation 8).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import hadamard

from somscope.audit.corrected import SpaceResult, corrected
from somscope.audit.images import AuditImages
from somscope.audit.numbers import ALPHA, Number
from somscope.studies.machine import made_here
from somscope.studies.rows import summary

__all__ = ["NAME", "SIZES", "TRUTHS", "Planted", "audit_power", "plant"]

NAME = "audit-power"
SIZES = (50, 200, 1000)
NULL = "shuffled pairing"
TRUTHS = {
    "identity": "outputs differ from their targets by noise alone",
    NULL: "each output belongs to an input of its own, of the same modes: nothing is there to be found",
    "mode dropped": "the outputs of one mode of eight look like another mode",
    "mode invented": "one output in eight is of a ninth mode",
    "10 % replaced": "one output in ten is random pixels, each another one",
}
NOTES = (
    "Images of 4 x 4 grey pixels in eight equally likely modes; what the images of a pair share has a deviation of 14 "
    "grey levels a pixel, what they do not share one of 8. "
    + " ".join(f"{truth.capitalize()}: {what}." for truth, what in TRUTHS.items()),
    "The audit: protocol corrected, space pixels, two seeds; 599, 399 and 99 permutations for 50, 200 and 1,000 pairs, "
    "with which p <= 0.05 has exactly its nominal level (a number that takes few values stays below it). Audits have "
    "20 seeds and 999 permutations by default. Intervals and the comparison of prototypes are left out.",
)
LEGEND = (
    "Shares of simulated audits; n: pairs. Pairing: some number that compares outputs with their own targets has q at "
    "most 0.05. Difference: some number that compares the outputs as a whole with the targets has. Region: some unit "
    "of the joint map stands out; the right one: more than half of its images of the kind in excess are what was "
    "planted. In brackets what is a false alarm. In the tables of single numbers p is at most 0.05, before control of "
    "the false discovery rate."
)
_NULL_AUDITS = 200
_AUDITS = {50: 60, 200: 40, 1000: 20}  # of each other truth
_PERMUTATIONS = {50: 599, 200: 399, 1000: 99}
_SEEDS = 2
_SHARED, _OWN = 14.0, 8.0  # grey levels
_MIDDLES = 128.0 + 30.0 * hadamard(16)[1:10]  # (9, 16); the last is the invented mode
_MODES = 8


class Planted(NamedTuple):
    """Pairs of known truth, and which targets (a mode that is dropped) or outputs (invented, replaced) were planted."""

    images: AuditImages
    part: str
    rows: NDArray[np.bool_]


def plant(truth: str, n: int, generator: np.random.Generator) -> Planted:
    """n synthetic pairs of one of TRUTHS."""
    mode = generator.integers(0, _MODES, n)
    shared = _SHARED * generator.normal(size=(n, 16))
    real = _MIDDLES[mode] + shared
    if truth == NULL:
        mode = generator.integers(0, _MODES, n)
        shared = _SHARED * generator.normal(size=(n, 16))
    made, rows, part = mode, np.zeros(n, dtype=bool), ""
    if truth == "mode dropped":
        rows, part = mode == 0, "target"
        made = np.where(rows, 1, mode)
    elif truth == "mode invented":
        rows, part = generator.permutation(n) < n // 8, "generated"
        made = np.where(rows, _MODES, mode)
    generated = _MIDDLES[made] + shared
    if truth == "10 % replaced":
        rows, part = generator.permutation(n) < n // 10, "generated"
        generated[rows] = generator.uniform(0, 256, (int(rows.sum()), 16))
    pixels = [
        np.clip(np.rint(x + _OWN * generator.normal(size=x.shape)), 0, 255)
        .astype(np.uint8)
        .reshape(n, 4, 4, 1)
        for x in (real, generated)
    ]
    return Planted(AuditImages(truth, pixels[0], pixels[1]), part, rows)


def audit_power(
    say: Callable[[str], None],
    sizes: Sequence[int] = SIZES,
    audits: int = _NULL_AUDITS,
    permutations: int | None = None,
    previous: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The result file: one row for each truth and number of pairs.

    audits: of shuffled pairs, each size; of the other truths three tenths to a tenth as many. permutations: by default
    those of the notes. previous: a result file whose rows of other sizes are kept.
    """
    started = time.perf_counter()
    rows = [row for row in (previous or {}).get("rows", []) if row["n_items"] not in sizes]
    earlier = round((previous or {}).get("seconds", 0)) if rows else 0
    for n in sizes:
        for at, truth in enumerate(TRUTHS):
            began = time.perf_counter()
            count = audits if truth == NULL else max(2, audits * _AUDITS.get(n, 20) // _NULL_AUDITS)
            many = permutations or _PERMUTATIONS.get(n, 99)
            found = [_one(plant(truth, n, np.random.default_rng([n, at, k])), k, many) for k in range(count)]
            rows.append(_row(truth, n, found))
            say(f"{truth}, {n} pairs: {count} audits in {time.perf_counter() - began:.0f} s")
    rows.sort(key=lambda row: (row["n_items"], list(TRUTHS).index(row["variant"])))
    made = made_here("cpu", "fp32")
    return {
        "study": NAME,
        **{part: made[part] for part in ("somscope", "commit", "created", "device", "versions")},
        "seconds": earlier + round(time.perf_counter() - started),
        "notes": list(NOTES),
        "legend": LEGEND,
        "tables": [_found_table(rows), _alarms_table(rows), _power_table(rows)],
        "rows": rows,
        "absent": [],
    }


def _one(planted: Planted, seed: int, permutations: int) -> dict[str, bool]:
    """What one audit found: of the whole, and each number by itself."""
    result = corrected(planted.images, ["pixels"], _SEEDS, permutations, seed, quick=True)
    whole = [number for number in result.numbers if number.family == "difference"]
    pairing = [number for number in result.numbers if number.family != "difference"]
    regions, right = _regions(result.spaces[0], planted)
    return {
        "pairing": any(number.significant for number in pairing),
        "difference": any(number.significant for number in whole),
        "region": regions,
        "right region": right,
        **{f"p {_key(number)}": (number.p or 1.0) <= ALPHA for number in result.numbers},
    }


def _key(number: Number) -> str:
    direction = (
        " of targets" if (number.measure, number.comparison) == ("retrieval", "target-generated") else ""
    )
    return " ".join(part for part in (number.measure + direction, number.grid) if part)


def _regions(space: SpaceResult, planted: Planted) -> tuple[bool, bool]:
    """Whether a unit stands out, and whether one does for the reason that was planted."""
    n = len(planted.rows)
    verdict, units = space.composition.verdict, space.joint.units[0]
    out = np.isin(verdict, ["mostly real", "mostly generated"])
    if not planted.part:
        return bool(out.any()), False
    word, members = (
        ("mostly real", units[:n]) if planted.part == "target" else ("mostly generated", units[n:])
    )
    held = np.bincount(members, minlength=len(verdict))
    of_it = np.bincount(members[planted.rows], minlength=len(verdict))
    return bool(out.any()), bool(((verdict == word) & (2 * of_it > held)).any())


def _row(truth: str, n: int, found: Sequence[Mapping[str, bool]]) -> dict[str, Any]:
    return {
        "data": f"{n} pairs",
        "model": "audit",
        "variant": truth,
        "protocol": "corrected",
        "seeds": list(range(len(found))),
        "measures": {name: summary([float(one[name]) for one in found]) for name in found[0]},
        "n_items": n,
    }


def _share(row: Mapping[str, Any], name: str) -> str:
    return f"{row['measures'][name]['mean']:.0%}"


def _found_table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    lines = []
    for row in rows:
        truth = row["variant"]
        alarms = {"pairing"} if truth == NULL else set()
        alarms |= {"difference", "region"} if truth in (NULL, "identity") else set()
        cells = [
            f"({_share(row, name)})" if name in alarms else _share(row, name)
            for name in ("pairing", "difference", "region")
        ]
        right = "" if "region" in alarms else _share(row, "right region")
        lines.append([truth, str(row["n_items"]), str(len(row["seeds"])), *cells, right])
    lines.sort(key=lambda line: list(TRUTHS).index(line[0]))
    head = ["what was planted", "n", "audits", "pairing", "difference", "region", "the right one"]
    return {"title": "What the audit finds", "head": head, "lines": lines}


def _numbers(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """All single numbers, those of maps that only larger sets have included."""
    return list(dict.fromkeys(name for row in rows for name in row["measures"] if name.startswith("p ")))


def _alarms_table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    null = [row for row in rows if row["variant"] == NULL]
    lines = [
        [name.removeprefix("p "), *(_share(row, name) if name in row["measures"] else "-" for row in null)]
        for name in _numbers(null)
    ]
    means = [
        np.mean([row["measures"][name]["mean"] for name in row["measures"] if name.startswith("p ")])
        for row in null
    ]
    lines.append(["mean of all numbers", *(f"{mean:.1%}" for mean in means)])
    head = ["number", *(f"n = {row['n_items']}" for row in null)]
    return {
        "title": "False alarms of single numbers: shuffled pairs, nominal 5 %",
        "head": head,
        "lines": lines,
    }


def _power_table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    planted = [row for truth in TRUTHS if truth != NULL for row in rows if row["variant"] == truth]
    lines = [
        [name.removeprefix("p "), *(_share(row, name) if name in row["measures"] else "-" for row in planted)]
        for name in _numbers(planted)
    ]
    head = ["number", *(f"{row['variant']}, {row['n_items']}" for row in planted)]
    return {"title": "How often a single number shows what was planted", "head": head, "lines": lines}
