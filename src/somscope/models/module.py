"""What every deep map is as mathematics: an encoder, a decoder, and prototypes on a lattice among the codes."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from somscope.errors import check_choice
from somscope.maps.lattice import Lattice
from somscope.objectives.som import squared_distances

__all__ = ["DISTANCES", "DeepMapModule", "lattice_distances"]

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


class DeepMapModule(nn.Module, ABC):
    """Prototypes (K, L) on a lattice among the codes of an encoder."""

    def __init__(self, lattice: Lattice, latent_dim: int) -> None:
        super().__init__()
        self.lattice = lattice
        self.prototypes = nn.Parameter(torch.zeros(lattice.n_units, latent_dim))

    @abstractmethod
    def encode(self, items: Tensor) -> Tensor:
        """(b, ...) items -> (b, L) codes."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """(b, L) codes -> (b, d) items, flattened."""

    def squared_distances(self, codes: Tensor) -> Tensor:
        """(b, L) -> (b, K) squared distance of each code to each prototype."""
        return squared_distances(codes, self.prototypes)

    def forward(self, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(b, ...) -> codes (b, L), best units (b,) and their distances (b,): what an exported model computes."""
        codes = self.encode(items)
        squared, units = self.squared_distances(codes).min(1)
        return codes, units, squared.sqrt()
