"""Pairs of items that are alike, for an encoder of items whose views nobody knows how to make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from somscope import parts
from somscope.nets.fixed import ProjectionEncoder
from somscope.training import Batch

__all__ = ["MOST_COMPARED", "Directions", "Similar", "similar_items", "spread"]

MOST_COMPARED = 10_000  # items that directions are taken from, and among which similar ones are looked for

_DIM = 64  # directions in which items are compared
_BLOCK = 1024  # items whose features are taken at once


class Directions:
    """Features by which items are compared: their first directions of most variance. measured: (b, ...) items as they
    are stored -> (b, d) numbers."""

    def __init__(self, measured: Callable[[Tensor], Tensor], n_features: int) -> None:
        self._measured = measured
        self._projection = ProjectionEncoder(n_features, _DIM, channels=None)

    def learn(self, sample: Tensor, block: int, seed: int) -> None:
        """The directions of a sample (m, ...), looked at in blocks of rows."""
        self._projection.learn(map(self._measured, torch.split(sample, block)), seed)

    def __call__(self, items: Tensor) -> Tensor:
        found: Tensor = self._projection.to(items.device)(self._measured(items))
        return found


class Similar:
    """One of the k items of a sample that are most similar to an item, itself left out, drawn at random.

    Similar is what has features at a small angle. rows: (m,) numbers of the sample's items among all. items: (m, ...)
    as they are stored. features: (b, ...) items -> (b, F). k: of a smaller sample, all others count. An item that is
    alone stands beside itself, and so does one whose features are all 0, which has no angle to any other.
    """

    def __init__(self, rows: Tensor, items: Tensor, features: Callable[[Tensor], Tensor], k: int) -> None:
        self.rows, self.items, self._features = rows, items, features
        self.k = min(k, max(1, len(rows) - 1))
        self.known = torch.cat([self._of_length_1(some) for some in torch.split(items, _BLOCK)])

    @torch.no_grad()
    def beside(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(b, ...) another item for each of the batch."""
        device = batch.items.device
        if self.items.device != device:
            self.rows, self.items, self.known = (x.to(device) for x in (self.rows, self.items, self.known))
        with torch.autocast(device.type, enabled=False):
            own = self._of_length_1(batch.items)
            cosine = own @ self.known.T
        cosine.masked_fill_(self.rows == batch.indices.to(device)[:, None], -torch.inf)
        nearest = cosine.topk(self.k, dim=1).indices
        which = parts.randint(self.k, len(nearest), generator=generator, device=generator.device)
        other = self.items[nearest.gather(1, which[:, None])[:, 0]]
        has_angle = own.any(1).view(-1, *(1,) * (other.ndim - 1))
        return torch.where(has_angle, other, batch.items)

    def _of_length_1(self, items: Tensor) -> Tensor:
        return functional.normalize(self._features(items), dim=1)

    def repeated(self, m: int) -> Self:
        """The same of a sample of m items, these over and over: what a search among so many takes."""
        again = torch.arange(m) % len(self.rows)
        return type(self)(self.rows[again], self.items[again], self._features, self.k)


def spread(n: int) -> NDArray[np.int64]:
    """Numbers of at most MOST_COMPARED items evenly spread over n."""
    return np.unique(np.linspace(0, n - 1, min(MOST_COMPARED, n)).astype(np.int64))


def similar_items(
    items: NDArray[Any], measured: Callable[[Tensor], Tensor], k: int, block: int, seed: int
) -> Similar:
    """What finds one of k similar items by their directions, among items evenly spread over all (n, d).

    measured: as of `Directions`. block: items that are looked at together.
    """
    rows = spread(len(items))
    features = Directions(measured, items.shape[1])
    sample = torch.from_numpy(items[rows])
    features.learn(sample, block, seed)
    return Similar(torch.from_numpy(rows), sample, features, k)
