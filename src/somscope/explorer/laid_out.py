"""What is no run of a map but can be shown as one: the maps of an audit, and codes that are laid out to be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from somscope.maps.lattice import Lattice

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LaidOut", "Means"]


@dataclass(frozen=True)
class Means:
    """Stands for a model where only the mean picture of each unit is known.

    prototypes_: (K, d) in 0..1. unknown: (K,) units of which there is no picture.
    """

    prototypes_: NDArray[np.floating]
    unknown: NDArray[np.bool_]


@dataclass(frozen=True)
class LaidOut:
    """Has what `somscope.runs.Run` has, as far as it is shown.

    path: the folder that it comes from. config, metrics: as in a run. table: as `Run.assignments`; things: as
    `Run.items`. trained: has `prototypes_`.
    """

    path: Path
    config: dict[str, Any]
    lattice: Lattice
    table: pa.Table
    things: pa.Table
    trained: Any
    metrics: Mapping[str, float] = field(default_factory=dict)

    def assignments(self) -> pa.Table:
        """Where each item lies."""
        return self.table

    def items(self) -> pa.Table:
        """What shows each item."""
        return self.things

    def units(self) -> None:
        """Nothing was written down of the units."""

    def vocabulary(self) -> None:
        """There are no words."""

    def history(self) -> pa.Table:
        """There was no training that was written down: no rows."""
        import pyarrow as pa

        return pa.table({"pass": pa.array([], pa.int64())})

    def model(self) -> Any:
        """What has the prototypes."""
        return self.trained
