"""The deep map: a deep model whose prototypes lie on a lattice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from somscope.maps.choices import lattice_for
from somscope.maps.defaults import choose_radius
from somscope.maps.initialise import principal_plane
from somscope.maps.lattice import Lattice
from somscope.maps.sample import refuse_unmappable, sample_rows
from somscope.maps.units import u_matrix
from somscope.models.deep_model import DeepModel, Floats
from somscope.models.module import DeepMapModule
from somscope.models.tasks import organised

__all__ = ["DeepMap"]


class DeepMap(DeepModel):
    """A map whose prototypes lie among the codes of a network that is trained with it.

    A model derives from it and gives `_module`, `_phases`, `_check_choices` and its parameters. All of them have: grid,
    lattice, toroidal, and those of every deep model.

    Attributes
    ----------
    lattice_; u_matrix_ (rows, columns); and those of every deep model, see `deep_model.DeepModel`.
    """

    _noun: ClassVar[str] = "map"
    _parts: ClassVar[str] = "units"

    grid: Any
    lattice: str
    toroidal: bool

    module_: DeepMapModule
    lattice_: Lattice
    u_matrix_: Floats

    def topographic_error(self, X: Any, neighbours: str | None = None) -> float:
        """Share of items whose two best units are not neighbours.

        neighbours: "4" or "8" (the default) on a rectangular lattice, "hexagonal" on a hexagonal one.
        """
        units, _ = self.best_units(X, k=2)
        return float(np.mean(~self.lattice_.adjacency(neighbours)[units[:, 0], units[:, 1]]))

    @property
    def _n_units(self) -> int:
        return self.lattice_.n_units

    @property
    def _laid_at(self) -> float | None:
        """The last radius of a batch SOM that is laid over the codes after the training, or None for no such thing."""
        return None

    def _prepare(self, items: NDArray[Any]) -> None:
        self.lattice_ = self._lattice(items, refuse_unmappable(items))

    def _lattice(self, items: NDArray[Any], different: int) -> Lattice:
        plane: Any = None
        if self.grid == "auto":  # by the shape of the items' cloud
            sample = items[sample_rows(len(items), different)].astype(np.float64)
            plane = principal_plane(sample, None, None)
        lattice, why = lattice_for(self.grid, self.lattice, self.toroidal, plane, len(items))
        if why is not None:
            self.chosen_["grid"] = why
        return lattice

    def _settle(self, items: NDArray[Any], seed: int) -> None:
        radius = self._laid_at
        if radius is None and not self.module_.prototypes.any():  # interrupted before there was a map
            radius = choose_radius(self.lattice_)[1]
        if radius is not None:
            laid = organised(np.concatenate(list(self._coded(items))), self.lattice_, radius, seed)
            self.module_.prototypes.copy_(laid)

    def _describe(self) -> None:
        super()._describe()
        self.u_matrix_ = u_matrix(self.prototypes_, self.lattice_)

    def _settings(self) -> dict[str, Any]:
        return {"grid": (self.lattice_.rows, self.lattice_.columns)}

    def _described(self) -> dict[str, Any]:
        return {"lattice": self.lattice_.record()}

    def _restore(self, description: Mapping[str, Any]) -> None:
        placed = description["lattice"]
        sizes = [placed["rows"], placed["columns"]]
        if any(type(size) is not int or size < 1 for size in sizes):
            raise ValueError(f"the lattice's sizes are not whole numbers from 1: {sizes}")
        self.lattice_ = Lattice(**placed)
