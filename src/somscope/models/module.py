"""What every deep model is as mathematics: an encoder, a decoder, and prototypes among the codes."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from somscope.errors import check_choice
from somscope.maps.lattice import Lattice
from somscope.objectives.som import neighbourhood_weights, som_loss, squared_distances

__all__ = ["DISTANCES", "DeepMapModule", "DeepModule", "SOMModule", "lattice_distances", "neighbour_table"]

DISTANCES = ("manhattan", "euclidean", "legacy")


def lattice_distances(lattice: Lattice, distance: str) -> Tensor:
    """(K, K) float32 squared distance of units on the lattice, in steps^2.

    "manhattan": the steps of the shortest way over sides (four neighbours, or six on a hexagonal lattice), the shorter
    way round on a torus; "euclidean": straight; "legacy": |a - b| // columns + |a mod columns - b mod columns|, as the
    published code of DESOM has it, which is up to 1 too small.
    """
    check_choice("lattice_distance", distance, DISTANCES)
    if distance == "euclidean":
        squared = lattice.squared_distances()
    elif distance == "manhattan":
        squared = lattice.steps("hexagonal" if lattice.shape == "hexagonal" else "4").astype(np.float64) ** 2
    else:
        unit, columns = np.arange(lattice.n_units), lattice.columns
        down = np.abs(unit[:, None] - unit) // columns
        across = np.abs(unit[:, None] % columns - unit % columns)
        squared = (down + across).astype(np.float64) ** 2
    return torch.from_numpy(squared.astype(np.float32))


def neighbour_table(lattice: Lattice) -> Tensor:
    """(K, m) int64 neighbours of each unit over sides, -1 where the lattice ends; m = 4, or 6 if hexagonal."""
    hexagonal = lattice.shape == "hexagonal"
    edges = lattice.edges("hexagonal" if hexagonal else "4")
    near: list[list[int]] = [[] for _ in range(lattice.n_units)]
    for a, b in edges.tolist():
        near[a].append(b)
        near[b].append(a)
    width = 6 if hexagonal else 4
    return torch.tensor([units + [-1] * (width - len(units)) for units in near], dtype=torch.int64)


class DeepModule(nn.Module, ABC):
    """Prototypes (K, L) among the codes of an encoder.

    counts: (K,) how often each unit was the best one lately. units: (b,) best units of the last batch.
    block: items that can be encoded together in little memory.
    """

    counts: Tensor
    units: Tensor
    block: int = 2048

    def __init__(self, n_units: int, latent_dim: int) -> None:
        super().__init__()
        self.prototypes = nn.Parameter(torch.zeros(n_units, latent_dim))
        self.register_buffer("counts", torch.zeros(n_units))
        self.register_buffer("units", torch.zeros(0, dtype=torch.int64), persistent=False)
        self._remembered: list[str] = []

    def remember(self, name: str, tensor: Tensor) -> None:
        """Have an attribute while the model is trained: it is in every checkpoint, and never in a saved model."""
        self.register_buffer(name, tensor)
        self._remembered.append(name)

    def forget(self) -> None:
        """Drop what was remembered for the training alone."""
        for name in self._remembered:
            delattr(self, name)
        self._remembered = []

    @abstractmethod
    def encode(self, items: Tensor) -> Tensor:
        """(b, ...) items -> (b, L) codes."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """(b, L) codes -> (b, d) items, flattened."""

    def decode_prototypes(self, prototypes: Tensor) -> Tensor:
        """(K, L) prototypes -> (K, d) items, flattened."""
        return self.decode(prototypes)

    def squared_distances(self, codes: Tensor) -> Tensor:
        """(b, L) -> (b, K) squared distance of each code to each prototype."""
        return squared_distances(codes, self.prototypes)

    def costs(self, codes: Tensor, squared: Tensor) -> Tensor:
        """Codes (b, L) and their squared distances (b, K) -> (b, K) what an item pays for belonging to each unit.

        The unit with the least cost is the item's own: the nearest one, unless a model has another rule.
        """
        return squared

    def forward(self, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(b, ...) -> codes (b, L), best units (b,) and their distances (b,): what an exported model computes."""
        codes = self.encode(items)
        units = self.costs(codes, self.squared_distances(codes)).argmin(1)
        return codes, units, (codes - self.prototypes[units]).square().sum(1).sqrt()


class DeepMapModule(DeepModule):
    """Prototypes on a lattice."""

    def __init__(self, lattice: Lattice, latent_dim: int) -> None:
        super().__init__(lattice.n_units, latent_dim)
        self.lattice = lattice


class SOMModule(DeepMapModule):
    """A map whose neighbourhood is a function of the distance on the lattice.

    distance: see `lattice_distances`; neighbourhood: "gaussian" or "window", see `objectives.som`.
    """

    squared_lattice: Tensor

    def __init__(
        self,
        lattice: Lattice,
        latent_dim: int,
        *,
        distance: str = "manhattan",
        neighbourhood: str = "gaussian",
    ) -> None:
        super().__init__(lattice, latent_dim)
        self.neighbourhood = neighbourhood
        self.register_buffer("squared_lattice", lattice_distances(lattice, distance), persistent=False)

    def map_loss(self, codes: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """(b, L) -> L_som (), and the squared distances (b, K) that it was made from."""
        squared = self.squared_distances(codes)
        self.units = squared.detach().argmin(1)
        weights = neighbourhood_weights(self.squared_lattice, self.units, temperature, self.neighbourhood)
        return som_loss(squared, weights), squared
