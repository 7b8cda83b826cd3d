"""The loss of a self-organizing map as a function of codes and prototypes (DESOM: Forest et al., ESANN 2019)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from somscope.errors import check_choice
from somscope.maps.neighbourhood import neighbourhood

__all__ = ["NEIGHBOURHOODS", "neighbourhood_weights", "order_loss", "som_loss", "squared_distances"]

NEIGHBOURHOODS = ("gaussian", "window")


def squared_distances(codes: Tensor, prototypes: Tensor) -> Tensor:
    """(b, L), (K, L) -> (b, K): d_ik = ||z_i - m_k||^2 as |z|^2 - 2 z.m + |m|^2, 0 or more.

    In float32 at least: under autocast, differences of large half-precision numbers would drown the map.
    """
    with torch.autocast(codes.device.type, enabled=False):
        wide = torch.promote_types(codes.dtype, torch.float32)
        z, m = codes.to(wide), prototypes.to(wide)
        lengths = (z * z).sum(1, keepdim=True) + (m * m).sum(1)
        return torch.addmm(lengths, z, m.T, alpha=-2.0).clamp_min(0.0)


def neighbourhood_weights(
    squared_lattice: Tensor, units: Tensor, temperature: float, name: str = "gaussian"
) -> Tensor:
    """(K, K), (b,) -> (b, K): w_ik = K^T(d(b_i, k)), without a gradient.

    squared_lattice: squared lattice distances in steps^2; units: best unit b_i of each item; temperature T in steps.
    "gaussian": exp(-d^2 / T^2), the map's Gaussian of radius T / sqrt(2); "window": 1 where d <= T, else 0.
    Raises InputError for another name.
    """
    check_choice("neighbourhood", name, NEIGHBOURHOODS)
    own = squared_lattice[units]
    if name == "window":
        return (own <= temperature * temperature).to(own.dtype)
    weights: Tensor = neighbourhood("gaussian", own, temperature / math.sqrt(2.0))
    return weights


def som_loss(squared: Tensor, weights: Tensor) -> Tensor:
    """(b, K), (b, K) -> (): mean over items of sum_k w_ik ||z_i - m_k||^2, summed over prototypes and dimensions."""
    return (weights * squared).sum(1).mean()


def order_loss(squared: Tensor, units: Tensor, adjacency: Tensor) -> Tensor:
    """How far the map is from an order in which the second best unit of every item is a neighbour of its best one.

    squared: (b, K) squared distances; units: (b,) best units b_i; adjacency: (K, K) True between neighbours.
    () = mean over items of max(0, min_{k next to b_i} d_ik - min_{k not next to b_i} d_ik), where k is never b_i: the
    topographic error, with how much each error is off in place of 1. 0 where the lattice has one unit.
    """
    near = adjacency[units]
    far = ~near
    far.scatter_(1, units[:, None], False)
    nearest = squared.masked_fill(~near, math.inf).amin(1)
    other = squared.masked_fill(~far, math.inf).amin(1)
    off = torch.where(nearest > other, nearest - other, 0.0)  # all are neighbours: other is infinite
    return torch.where(nearest.isfinite(), off, 0.0).mean()
