"""A random sample of a run's items, for the report of one that has too many of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from somscope.maps.lattice import Lattice
from somscope.runs.run import Run

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MOST_ITEMS", "SampledRun"]

MOST_ITEMS = 1_000_000  # that a report is made of


class SampledRun:
    """A run as its report sees it, with so many of its items, the same every time; its warnings say so."""

    def __init__(self, run: Run, most: int) -> None:
        self._run, self._most = run, most

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        chosen = np.random.default_rng(0).choice(self._run.n_items, self._most, replace=False, shuffle=False)
        return np.sort(chosen)

    @property
    def path(self) -> Path:
        """The folder."""
        return self._run.path

    @property
    def config(self) -> Mapping[str, Any]:
        """As in `config.json`, with a warning more."""
        note = (
            f"This page shows a random sample of {self._most:,} of the {self._run.n_items:,} items: hits, classes and "
            "members are the sample's. Measures and figures are of all items, unless they say otherwise."
        )
        return {**self._run.config, "warnings": [*self._run.config.get("warnings", ()), note]}

    @property
    def metrics(self) -> Mapping[str, float]:
        """Of all items."""
        return self._run.metrics

    @property
    def lattice(self) -> Lattice:
        """The lattice of the map."""
        return self._run.lattice

    def assignments(self) -> pa.Table:
        """Of the sample."""
        return self._run.assignments(self._rows)

    def items(self) -> pa.Table:
        """Of the sample."""
        return self._run.items(self._rows)

    def units(self) -> pa.Table | None:
        """With the hits of all items."""
        return self._run.units()

    def history(self) -> pa.Table:
        """Of the training."""
        return self._run.history()

    def model(self) -> Any:
        """The trained model."""
        return self._run.model()
