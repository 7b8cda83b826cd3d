"""The progress of a training that is under way: what it has written beside the run so far."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.errors import SomscopeError
from somscope.maps.lattice import Lattice
from somscope.maps.units import u_matrix
from somscope.runs.checkpoints import checkpoint_folder

__all__ = ["Live"]

_MOST_BYTES = 64 * 2**20
_MOST_ROWS = 2000


class Live:
    """The rows of `metrics.jsonl` in the checkpoints of a run, as far as they are written."""

    def __init__(self, run: str | Path) -> None:
        self.run, self.folder = Path(run).expanduser(), checkpoint_folder(run)
        self.file = self.folder / "metrics.jsonl"
        self._read: tuple[str, dict[str, Any] | None] = ("", None)

    @property
    def running(self) -> bool:
        """Whether there is a training that wrote something."""
        return self.file.is_file()

    @property
    def finished(self) -> bool:
        """Whether the run is there by now."""
        return (self.run / "config.json").is_file()

    def rows(self, since: int = 0) -> dict[str, Any]:
        """Rows from number `since` on, at most 2,000 evenly chosen, and whether the run is there by now.

        A line that is still being written is left for the next time.
        """
        read: list[dict[str, Any]] = []
        if self.running and self.file.stat().st_size <= _MOST_BYTES:
            for line in self.file.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                if isinstance(row, dict):
                    read.append({str(name): _plain(value) for name, value in row.items()})
        read = read[since:]
        read = read[:: -(-len(read) // _MOST_ROWS) or 1]
        return {"running": self.running, "finished": self.finished, "rows": read, "forming": self.forming()}

    def forming(self) -> dict[str, Any] | None:
        """The map in the newest checkpoint: step, and for each unit its place and the mean distance of its prototype to
        those of its neighbours (the U-matrix).

        None while there is no checkpoint, or none with prototypes of a lattice whose size was given.
        """
        found = sorted(self.folder.glob("step-*[0-9]"))
        if found and self._read[0] != found[-1].name:
            try:
                self._read = (found[-1].name, _map_in(found[-1]))
            except (SomscopeError, OSError, ValueError, KeyError, TypeError):
                return self._read[1]  # replaced while it was read: the one before, until the next time
        return self._read[1] if found else None


def _map_in(checkpoint: Path) -> dict[str, Any] | None:
    from safetensors import safe_open

    facts = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))["facts"]
    settings = facts["settings"]["model"]
    grid = settings.get("grid")
    if not (isinstance(grid, list) and len(grid) == 2):
        return None
    lattice = Lattice(
        int(grid[0]),
        int(grid[1]),
        str(settings.get("lattice", "rectangular")),
        bool(settings.get("toroidal", False)),
    )
    prototypes: NDArray[Any] | None = None
    with safe_open(checkpoint / "state.safetensors", framework="np") as file:
        for name in file.keys():  # noqa: SIM118
            if name.startswith("module.") and name.endswith("prototypes"):
                prototypes = np.asarray(file.get_tensor(name), dtype=np.float64)
    if prototypes is None or prototypes.ndim != 2 or len(prototypes) != lattice.n_units:
        return None
    far = u_matrix(prototypes, lattice, None, "euclidean").reshape(-1)
    return {
        "step": int(facts["position"]["done"]),
        "hexagonal": lattice.shape == "hexagonal",
        "x": lattice.positions[:, 0].tolist(),
        "y": lattice.positions[:, 1].tolist(),
        "u_matrix": [_plain(value) for value in far.tolist()],
    }


def _plain(value: Any) -> float | str | None:
    if isinstance(value, bool | int | float):
        number = float(value)
        return number if abs(number) < float("inf") else None
    return None if value is None else str(value)[:200]
