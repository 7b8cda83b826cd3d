"""Losses of two views of each item: contrasted with the other items, or each foretelling the other's unit."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["nt_xent_loss", "spread_loss", "swapped_loss", "unit_targets"]


def nt_xent_loss(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """(b, P), (b, P) views of the same b items -> (): NT-Xent (SimCLR: Chen et al., ICML 2020, eq. 1), in nats.

    With u the 2b views divided by their lengths, and j(i) the other view of the item of view i,
    () = mean over i of -log(exp(u_i . u_j(i) / t) / sum_{k != i} exp(u_i . u_k / t)).
    For b = 1 there is nothing to contrast with, and it is 0.
    """
    views = functional.normalize(torch.cat([first, second]).float(), dim=1)
    n = len(first)
    logits = views @ views.T / temperature
    logits.fill_diagonal_(-torch.inf)
    other = torch.arange(2 * n, device=views.device).roll(n)
    return functional.cross_entropy(logits, other)


def spread_loss(codes: Tensor) -> Tensor:
    """(b, P) -> (): mean over dimensions of max(0, 1 - s_j), s_j the standard deviation of sqrt(P) u_j over the batch.

    u: codes divided by their lengths. Above 0 where they do not fill the sphere: the variance term of VICReg (Bardes et
    al., ICLR 2022, eq. 1) for codes on a sphere, on which 1 is the deviation of the uniform distribution.
    """
    scaled = functional.normalize(codes.float(), dim=1) * codes.shape[1] ** 0.5
    deviation = (scaled.var(0, correction=0) + 1e-4).sqrt()
    return functional.relu(1.0 - deviation).mean()


@torch.no_grad()
def unit_targets(logits: Tensor, kernel: Tensor, sharpness: float = 0.05, rounds: int = 3) -> Tensor:
    """(b, K) logits -> (b, K) soft units that the batch uses evenly, smoothed over the lattice; rows sum to 1.

    Q = exp(logits / sharpness), scaled in `rounds` rounds so that its columns sum to 1/K and then its rows to 1/b
    (Sinkhorn and Knopp, as in SwAV: Caron et al., NeurIPS 2020, eq. 3); then each row times kernel (K, K), the
    neighbourhood of each unit, and divided by its sum. SwAV has no lattice, which is the identity for a kernel. Without
    rounds only rows are scaled, and units are used as they come.
    """
    log_q = logits.float() / sharpness  # in logarithms, where no item and no unit can vanish
    for _ in range(rounds):
        log_q = log_q - log_q.logsumexp(0, keepdim=True)
        log_q = log_q.log_softmax(1)  # rows of 1, not 1/b: the next columns and the last line do not mind
    q = log_q.exp() if rounds else log_q.softmax(1)
    smooth = q @ kernel
    return smooth / smooth.sum(1, keepdim=True)


def swapped_loss(logits: tuple[Tensor, Tensor], targets: tuple[Tensor, Tensor]) -> Tensor:
    """Two of (b, K) each -> (): each view has to foretell the unit of the other one (SwAV, eq. 2), in nats.

    () = mean over items and both views v of -sum_k t_ik^{other} log softmax(logits^v)_ik. Targets are constants.
    """
    terms = [
        -(targets[1 - view].detach() * logits[view].float().log_softmax(1)).sum(1).mean() for view in (0, 1)
    ]
    return 0.5 * (terms[0] + terms[1])
