"""What every model returns from its loss: the value to be minimised and the named terms that it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Losses", "weighted"]


@dataclass(frozen=True)
class Losses:
    """The loss of one batch.

    total: () what is minimised. terms: name -> () unweighted term, each a mean over the items of the batch, for the
    log.
    """

    total: Tensor
    terms: Mapping[str, Tensor]


def weighted(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Losses:
    """sum over terms of weight * term; a term that `weights` does not name has weight 1, one of weight 0 is not added.

    Raises KeyError for a weight of a term that does not exist.
    """
    unknown = weights.keys() - terms.keys()
    if unknown:
        raise KeyError(f"weights of terms that do not exist: {', '.join(sorted(unknown))}")
    scaled = [weights.get(name, 1.0) * term for name, term in terms.items() if weights.get(name, 1.0) != 0.0]
    total = scaled[0] if scaled else next(iter(terms.values())) * 0.0
    for term in scaled[1:]:
        total = total + term
    return Losses(total, terms)
