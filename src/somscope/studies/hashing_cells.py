"""Finished cells of the study hashing-cifar10: what one coder with one seed scored, in a small JSON file each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from somscope.codes import Coder
from somscope.errors import RunError
from somscope.runs.jsonfile import read_object, write_object
from somscope.runs.writer import new_file
from somscope.studies.rows import summary

__all__ = ["finished_cells", "how_far", "keep_cell", "row_of"]

_PARTS = ("parameters", "data", "measures", "trained", "made")
Key = tuple[str, str, str, int]  # model, variant, features, bits


def _stem(key: Key) -> str:
    return "~".join(re.sub(r"[^\w.=+-]+", "_", str(word)) for word in key)


def keep_cell(work: Path, key: Key, seed: int, cell: Mapping[str, Any]) -> None:
    """Write a finished cell, whole or not at all."""
    with new_file(work / f"{_stem(key)}~{seed}.json") as partial:
        write_object(partial, {"key": list(key), "seed": seed, **cell})


def finished_cells(
    work: Path, key: Key, parameters: Mapping[str, Any], data: Sequence[str]
) -> dict[int, dict[str, Any]]:
    """Seed -> what `keep_cell` kept of a row; cells of other parameters or other images are left out.

    Raises RunError for a file that is not a cell.
    """
    found = {}
    for path in sorted(work.glob(f"{_stem(key)}~*.json")):
        content = read_object(path)
        if content.get("key") != list(key) or not all(part in content for part in ("seed", *_PARTS)):
            raise RunError(
                f"{path} does not hold the cell that its name says: move it away, and it is made again"
            )
        if content["parameters"] == dict(parameters) and content["data"] == list(data):
            found[int(content["seed"])] = {part: content[part] for part in _PARTS}
    return found


def how_far(coder: Coder) -> dict[str, Any]:
    """What a network chose and how far it was trained; nothing of a coder without training."""
    steps = getattr(coder, "n_iter_", None)
    if steps is None:
        return {}
    last = (getattr(coder, "history_", {}).get("epoch") or [None])[-1]
    return {
        "steps": int(steps),
        "epochs": None if last is None else int(last) + 1,  # that have begun: the history counts from 0
        "stop_reason": getattr(coder, "stop_reason_", None),
        "chosen": dict(getattr(coder, "chosen_", {})),
    }


def row_of(key: Key, cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A row of the result file, over the seeds of its cells."""
    model, variant, features, bits = key
    made = [cell["made"] for cell in cells]
    return {
        "data": "cifar10",
        "model": model,
        "variant": variant,
        "protocol": "paper",
        "bits": bits,
        "features": features,
        "seeds": [cell["seed"] for cell in cells],
        "measures": {
            name: summary([float(cell["measures"][name]) for cell in cells]) for name in cells[0]["measures"]
        },
        "published": {},  # of none of these methods there is a number that could be confirmed
        "parameters": cells[-1]["parameters"],
        "trained": cells[-1]["trained"],
        **{part: made[-1][part] for part in ("somscope", "commit", "created", "precision", "versions")},
        "device": "; ".join(dict.fromkeys(str(one["device"]) for one in made)),
    }
