"""Distances to centres, soft assignments, and their hardening: AEC, DCN, DKM, DEC, DPSOM."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = [
    "centre_loss",
    "hardening_loss",
    "soft_assignments",
    "soft_kmeans_loss",
    "soft_som_loss",
    "target_distribution",
]

_FLOOR = 1e-7  # keeps the logarithms of far units finite


def soft_assignments(squared: Tensor, alpha: float = 1.0) -> Tensor:
    """(b, K) squared distances -> (b, K) q_ik in proportion to 1e-7 + (1 + d_ik / alpha)^(-(alpha + 1) / 2).

    Student's t with alpha degrees of freedom; DEC takes 1, DPSOM 10. Rows sum to 1.
    """
    kernel = _FLOOR + (1.0 + squared / alpha) ** (-0.5 * (alpha + 1.0))
    return kernel / kernel.sum(1, keepdim=True)


def target_distribution(q: Tensor) -> Tensor:
    """(n, K) -> (n, K): p_ik = (q_ik^2 / sum_i q_ik) / sum_k (q_ik^2 / sum_i q_ik), over the whole data set."""
    sharp = q.square() / q.sum(0)
    return sharp / sharp.sum(1, keepdim=True)


def hardening_loss(target: Tensor, q: Tensor) -> Tensor:
    """(b, K), (b, K) -> (): mean over items of KL(p_i || q_i) = sum_k p_ik log(p_ik / q_ik), in nats; p is constant."""
    p = target.detach()
    return (torch.xlogy(p, p) - p * q.log()).sum(1).mean()


def soft_som_loss(q: Tensor, q_of_prototypes: Tensor, neighbours: Tensor) -> Tensor:
    """The soft map of DPSOM: units that an item is assigned to pull their neighbours along.

    q, q_of_prototypes: (b, K) the same assignments, the second computed from codes without a gradient, so that only
    prototypes move; neighbours: (K, m) unit numbers, -1 where the lattice ends.
    () = -1/b sum_i sum_k sg(q_ik) sum_{n in neighbours of k} log q_in.
    """
    present = (neighbours >= 0).to(q.dtype)
    logs = q_of_prototypes.log()[:, neighbours.clamp_min(0)]  # (b, K, m)
    return -(q.detach() * (logs * present).sum(2)).sum(1).mean()


def centre_loss(codes: Tensor, centres: Tensor) -> Tensor:
    """(b, L) codes, (b, L) the centre of each -> (): mean over items of ||z_i - m_i||^2 (AEC; DCN's k-means loss)."""
    return (codes - centres).square().sum(1).mean()


def soft_kmeans_loss(squared: Tensor, alpha: float | Tensor) -> Tensor:
    """(b, K) squared distances d -> (): mean over items of sum_k d_ik exp(-alpha d_ik) / sum_j exp(-alpha d_ij).

    The loss of DKM (Fard et al. 2018, eq. 3): for alpha = 0 the mean over all centres, for large alpha that of k-means.
    """
    return ((-alpha * squared).softmax(1) * squared).sum(1).mean()
