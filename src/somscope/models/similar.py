"""Pairs of items that are alike, for an encoder of items whose views nobody knows how to make."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from somscope import parts
from somscope.training import Batch

__all__ = ["Similar"]


class Similar:
    """One of the k items of a sample that are most similar to an item, itself left out, drawn at random.

    Similar is what has features at a small angle. rows: (m,) numbers of the sample's items among all. items: (m, ...)
    as they are stored. features: (b, ...) items -> (b, F). k: of a smaller sample, all others count; an item that is
    alone stands beside itself.
    """

    def __init__(self, rows: Tensor, items: Tensor, features: Callable[[Tensor], Tensor], k: int) -> None:
        self.rows, self.items, self._features = rows, items, features
        self.k = min(k, max(1, len(rows) - 1))
        self.known = self._of_length_1(items)

    @torch.no_grad()
    def beside(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(b, ...) another item for each of the batch."""
        device = batch.items.device
        if self.items.device != device:
            self.rows, self.items, self.known = (x.to(device) for x in (self.rows, self.items, self.known))
        with torch.autocast(device.type, enabled=False):
            cosine = self._of_length_1(batch.items) @ self.known.T
        cosine.masked_fill_(self.rows == batch.indices.to(device)[:, None], -torch.inf)
        nearest = cosine.topk(self.k, dim=1).indices
        which = parts.randint(self.k, len(nearest), generator=generator, device=generator.device)
        return self.items[nearest.gather(1, which[:, None])[:, 0]]

    def _of_length_1(self, items: Tensor) -> Tensor:
        return functional.normalize(self._features(items), dim=1)
