"""Rows of a result file: the cells of one row with mean and standard deviation, and two such rows made one."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from somscope.errors import RunError
from somscope.studies.cells import FinishedCell
from somscope.studies.declare import Entry

__all__ = ["joined", "joined_rows", "make_row", "summary"]

_PARTS = ("measures", "chance")
_MADE = ("somscope", "commit", "device", "precision")  # of each cell; a row names all that differ


def summary(values: Sequence[float]) -> dict[str, float]:
    """{"mean", "std"} over seeds, to six significant digits; std is the sample's (n - 1), 0 for one seed."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": _rounded(statistics.fmean(values)), "std": _rounded(spread)}


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def make_row(entry: Entry, cells: Sequence[FinishedCell]) -> dict[str, Any]:
    """One row of the result file. Raises RunError if the cells were not all made from the same items."""
    data = {(cell.trained["fingerprint"], cell.scored["fingerprint"]) for cell in cells}
    if len(data) > 1:
        raise RunError(
            f"the finished cells of {' '.join(entry.key)} were trained on different items: {entry.data} has changed "
            "between them; delete the older ones"
        )
    return {
        "data": entry.data,
        "model": entry.model,
        "variant": entry.variant,
        "protocol": entry.protocol,
        **_numbers({cell.cell.seed: (cell.measures, cell.chance) for cell in cells}),
        "published": dict(entry.published),
        "parameters": dict(cells[-1].parameters),
        "trained": dict(cells[0].trained),
        "scored": dict(cells[0].scored),
        **{name: joined(cell.made.get(name) for cell in cells) for name in _MADE},
        "versions": _joined_versions([cell.made.get("versions", {}) for cell in cells]),
        "created": max(str(cell.made.get("created", "")) for cell in cells),
    }


def joined_rows(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """One row of the seeds of both, which were trained with the same settings on the same items.

    Of a seed that both have, the number of `new` counts. An older file holds no numbers of single seeds: of a row of
    it that has several, nothing can be made, and the row of more seeds is returned.
    """
    before, now = _by_seed(old), _by_seed(new)
    if before is None or now is None:
        return dict(max(new, old, key=lambda row: len(row["seeds"])))
    if before.keys() <= now.keys():
        return dict(new)
    return {
        **new,
        **_numbers({**before, **now}),
        **{name: joined([old.get(name), new.get(name)]) for name in _MADE},
        "versions": _joined_versions([old.get("versions", {}), new.get("versions", {})]),
        "created": max(str(old.get("created", "")), str(new.get("created", ""))),
    }


_Numbers = tuple[Mapping[str, float], Mapping[str, float]]  # the measures of a seed, and those of chance


def _numbers(of_seeds: Mapping[int, _Numbers]) -> dict[str, Any]:
    """seeds; measures and chance with mean and deviation; each: both of every seed, in the order of seeds."""
    seeds = sorted(of_seeds)
    each: dict[str, dict[str, list[float]]] = {}
    means: dict[str, dict[str, dict[str, float]]] = {}
    for at, part in enumerate(_PARTS):
        found = [of_seeds[seed][at] for seed in seeds]
        shared = [name for name in found[0] if all(name in one for one in found)]
        values = {name: [float(one[name]) for one in found] for name in shared}
        means[part] = {name: summary(numbers) for name, numbers in values.items()}
        each[part] = {name: [_rounded(number) for number in numbers] for name, numbers in values.items()}
    return {"seeds": seeds, **means, "each": each}


def _by_seed(row: Mapping[str, Any]) -> dict[int, _Numbers] | None:
    """What `_numbers` was made of, rounded; None where the row does not tell."""
    seeds, each = row["seeds"], row.get("each")
    if each is None:
        if len(seeds) > 1:
            return None
        each = {part: {name: [found["mean"]] for name, found in row.get(part, {}).items()} for part in _PARTS}
    measures, chance = (
        [{name: values[at] for name, values in each[part].items()} for at in range(len(seeds))]
        for part in _PARTS
    )
    return dict(zip(seeds, zip(measures, chance, strict=True), strict=True))


def joined(values: Iterable[object]) -> str | None:
    """All that differ, parted by semicolons; parts of a value that was joined before count by themselves."""
    parts = (part for value in values if value is not None for part in str(value).split("; "))
    return "; ".join(dict.fromkeys(parts)) or None


def _joined_versions(parts: Sequence[Mapping[str, str]]) -> dict[str, str | None]:
    """Package -> its version, or all of them where cells were made with several."""
    return {
        name: joined(part.get(name) for part in parts) for name in dict.fromkeys(n for p in parts for n in p)
    }
