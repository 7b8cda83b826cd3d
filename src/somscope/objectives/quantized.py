"""The terms of SOM-VAE beside its two reconstructions (Fortuin et al., ICLR 2019), with the reductions of its code."""

from __future__ import annotations

from torch import Tensor

__all__ = ["commitment_loss", "neighbour_loss", "smoothness_loss", "transition_loss"]


def commitment_loss(codes: Tensor, quantized: Tensor) -> Tensor:
    """(b, L), (b, L) -> (): mean over elements of (z_e - z_q)^2; the gradient reaches codes and prototypes."""
    return (codes - quantized).square().mean()


def neighbour_loss(codes: Tensor, prototypes: Tensor, neighbours: Tensor, zeros: bool = False) -> Tensor:
    """Pulls the best prototype and its neighbours on the lattice to the code; the codes get no gradient.

    codes: (b, L); prototypes: (K, L); neighbours: (b, m) unit numbers, the best unit first, -1 where the lattice ends.
    () = 1 / (b m L) sum_i sum_{n in neighbours of i} ||sg(z_i) - m_n||^2: every neighbour is pulled with the same
    strength, on the border, too. zeros: absent neighbours count as prototypes of zeros, as in the published code.
    """
    z = codes.detach()
    present = (neighbours >= 0).to(z.dtype)[:, :, None]
    near = prototypes[neighbours.clamp_min(0)] * present
    squares = (z[:, None] - near).square()
    return (squares if zeros else squares * present).mean()


def transition_loss(log_probabilities: Tensor, previous: Tensor, current: Tensor) -> Tensor:
    """(K, K), (t,), (t,) -> (): mean over steps of -log P(k_t | k_{t-1}), in nats; row j of the matrix is P(. | j)."""
    return -log_probabilities[previous, current].mean()


def smoothness_loss(probabilities: Tensor, previous: Tensor, squared: Tensor) -> Tensor:
    """(K, K), (t,), (t, K) -> (): mean over steps and units of P(k | k_{t-1}) ||z_t - m_k||^2."""
    return (probabilities[previous] * squared).mean()
