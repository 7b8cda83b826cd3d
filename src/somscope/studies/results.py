"""From finished cells to `results/NAME.json`: rows with mean and standard deviation beside the published numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from somscope.errors import RunError
from somscope.runs.jsonfile import read_object, write_object
from somscope.runs.writer import new_file
from somscope.studies.cells import FinishedCell, cell_path, read_cell
from somscope.studies.declare import Cell, Entry, Study
from somscope.studies.learners import what_differs
from somscope.studies.machine import made_here
from somscope.studies.rows import joined, joined_rows, make_row

__all__ = ["document", "finished_cells", "read_results", "write_results"]


def finished_cells(study: Study, work: Path) -> dict[tuple[str, ...], list[FinishedCell]]:
    """All finished cells of the study in `work`, whichever were asked for now: row -> cells in the order of seeds.

    Cells that were trained with other settings are left out.
    """
    found: dict[tuple[str, ...], list[FinishedCell]] = {}
    for entry in study.entries:
        pattern = cell_path(work, Cell(entry, 0)).name.removesuffix("0.json")
        seeds = sorted(
            int(path.stem.rpartition("~")[2])
            for path in (work.iterdir() if work.is_dir() else ())
            if path.name.startswith(pattern) and path.suffix == ".json"
        )
        cells = [read_cell(work, Cell(entry, seed)) for seed in seeds]
        usable = [cell for cell in cells if isinstance(cell, FinishedCell)]
        if usable:
            found[entry.key] = usable
    return found


def document(
    study: Study,
    cells: Mapping[tuple[str, ...], Sequence[FinishedCell]],
    missing: Mapping[Entry, str],
    failed: Mapping[Cell, str],
    previous: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The whole result file, rows in the order in which the study declares them.

    Seeds of the `previous` file stay where they were trained with the settings and the items of now, so that parts
    that were run on different machines add up. A row says which of its seeds failed, and why; one whose seeds all
    failed is absent. `seconds` are those of all trainings in the file.
    """
    old = {_key(row): row for row in (previous or {}).get("rows", [])}
    made_now = {entry.key: make_row(entry, cells[entry.key]) for entry in study.entries if entry.key in cells}
    items = {(row["data"], row["protocol"]): _fingerprints(row) for row in made_now.values()}
    rows = []
    for entry in study.entries:
        row, kept = made_now.get(entry.key), old.get(entry.key)
        if kept is not None and _is_of_now(kept, entry, items):
            kept = {**kept, "published": dict(entry.published)}
            row = kept if row is None else joined_rows(kept, row)
        else:
            kept = None
        if row is not None:
            rows.append({**row, **_failures(entry, row["seeds"], failed, kept)})
    made = made_here("cpu", "fp32")
    keys = {_key(row) for row in rows}
    lost = {cell.entry: why for cell, why in failed.items()}
    absent = [_absence(entry, why) for entry, why in {**lost, **missing}.items() if entry.key not in keys]
    known = {_key(row) for row in absent} | keys
    declared = {entry.key for entry in study.entries}
    absent += [
        row for row in (previous or {}).get("absent", []) if _key(row) in declared and _key(row) not in known
    ]
    return {
        "study": study.name,
        "somscope": made["somscope"],
        "commit": made["commit"],
        "created": made["created"],
        "device": joined(row["device"] for row in rows),
        "versions": made["versions"],
        "seconds": round(sum(len(row["seeds"]) * row["measures"]["seconds"]["mean"] for row in rows)),
        "notes": list(study.notes),
        "rows": rows,
        "absent": absent,
    }


def _failures(
    entry: Entry, seeds: Sequence[int], failed: Mapping[Cell, str], kept: Mapping[str, Any] | None
) -> dict[str, dict[str, str]]:
    """{"failed": {seed: why}}, what an earlier run found included; nothing where every seed was trained."""
    found = dict((kept or {}).get("failed", {}))
    found |= {str(cell.seed): why for cell, why in failed.items() if cell.entry == entry}
    found = {seed: why for seed, why in found.items() if int(seed) not in seeds}
    return {"failed": found} if found else {}


def _is_of_now(
    row: Mapping[str, Any], entry: Entry, items: Mapping[tuple[str, str], tuple[Any, Any]]
) -> bool:
    """Was a row made with the settings of now, and from the items of the cells that are here, if any are?"""
    known = items.get((entry.data, entry.protocol))
    return not what_differs(entry, row["parameters"]) and known in (None, _fingerprints(row))


def _fingerprints(row: Mapping[str, Any]) -> tuple[Any, Any]:
    return row["trained"]["fingerprint"], row["scored"]["fingerprint"]


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return row["data"], row["model"], row["variant"], row["protocol"]


def _absence(entry: Entry, why: str) -> dict[str, str]:
    names = dict(zip(("data", "model", "variant", "protocol"), entry.key, strict=True))
    return {**names, "reason": why}


def read_results(path: Path) -> dict[str, Any]:
    """Read a result file. Raises RunError for a file that is missing or has no rows of the common shape."""
    if not path.is_file():
        raise RunError(f"{path} is not there: `somscope study NAME` writes results/NAME.json")
    content = read_object(path)
    rows = content.get("rows")
    needed = {"data", "model", "variant", "protocol", "seeds", "measures"}
    if not isinstance(rows, list) or not all(isinstance(row, dict) and needed <= row.keys() for row in rows):
        raise RunError(f"{path} is not a result file: it has no rows of {', '.join(sorted(needed))}")
    return content


def write_results(path: Path, content: dict[str, Any]) -> None:
    """Write a result file, whole or not at all."""
    with new_file(path) as partial:
        write_object(partial, content)
