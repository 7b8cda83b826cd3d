"""Losses of binary codes: the terms of BinGAN (Zieba et al., NeurIPS 2018), as its authors' code has them, and what
contrastive hashing needs besides.

    s = f / (|f| + gamma),  b = sign(h)                     low layer f (N, K), high layer h (N, M) of one batch
    L = L_D + lambda_DMR L_DMR + lambda_BRE (L_ME + L_MAC)

All are computed in float32 at least; autocast is off inside. Pairs are those of the items given.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from somscope.errors import check_choice
from somscope.parts import rand

__all__ = [
    "ZEROS",
    "balance_loss",
    "decorrelation_loss",
    "discriminator_loss",
    "distance_matching",
    "feature_matching",
    "hard_sign",
    "sampled_bits",
    "soft_sign",
    "weighted_correlation",
]

ZEROS = ("zero", "one")


def soft_sign(low: Tensor, gamma: float = 1e-3) -> Tensor:
    """f / (|f| + gamma), in (-1, 1): nearly the sign, but with a gradient, which is 1 / gamma at 0."""
    wide = _wide(low)
    return wide / (wide.abs() + gamma)


def hard_sign(high: Tensor, zero: str = "zero") -> Tensor:
    """-1 or 1, without a gradient; 0 stays "zero" (the code in training) or becomes "one" (the code's bits)."""
    check_choice("zero", zero, ZEROS)
    wide = _wide(high.detach())
    return wide.sign() if zero == "zero" else torch.where(wide >= 0, 1.0, -1.0)


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Outputs o (b, 2) for items and (c, 2) for generated ones -> ().

    -1/2 mean l(x) + 1/2 mean softplus(l(x)) + 1/2 mean softplus(l(G(z))),  l = log sum exp o

    The unlabelled half of the loss of Salimans et al. (NIPS 2016): D(x) = Z / (Z + 1) with Z = sum exp o.
    """
    own, other = _wide(real).logsumexp(1), _wide(generated).logsumexp(1)
    return 0.5 * (functional.softplus(own).mean() - own.mean() + functional.softplus(other).mean())


def feature_matching(real: Tensor, generated: Tensor) -> Tensor:
    """Features (b, F) of items and (c, F) of generated ones -> (): mean over features of the squared difference of
    their means over the batch."""
    return (_wide(real).mean(0) - _wide(generated).mean(0)).square().mean()


def distance_matching(signs: Tensor, soft: Tensor) -> Tensor:
    """b (N, M), s (N, K) -> (): 1 / (N (N - 1)) sum_{k != j} |b_k.b_j / M - s_k.s_j / K|, L_DMR; 0 for one item."""
    return _pair_mean((_products(signs) / signs.shape[1] - _products(soft) / soft.shape[1]).abs())


def balance_loss(soft: Tensor) -> Tensor:
    """s (N, K) -> (): 1/K sum_k (mean over the batch of s_k)^2, L_ME: 0 where every bit is on for half of the items."""
    return _wide(soft).mean(0).square().mean()


def weighted_correlation(signs: Tensor, soft: Tensor, beta: float = 2.0, normalised: bool = False) -> Tensor:
    """b (N, M), s (N, K) -> (): sum_{k != j} alpha_kj / Z |s_k.s_j| / K, L_MAC; 0 for one item.

    alpha_kj = exp(-|b_k.b_j| / (beta M)): pairs that the high layer calls unrelated weigh most. Z = N (N - 1), or with
    `normalised` the sum of all alpha.
    """
    alpha = (-_products(signs).abs() / (beta * signs.shape[1])).exp()
    mean = _pair_mean(alpha * _products(soft).abs() / soft.shape[1])
    return mean / _pair_mean(alpha) if normalised and len(soft) > 1 else mean


def sampled_bits(values: Tensor, generator: torch.Generator) -> Tensor:
    """v (N, K) -> (N, K) bits of -1 and 1, drawn with P(1) = sigmoid(v).

    Their gradient is that of their mean, tanh(v / 2): it passes straight through the draw."""
    mean = torch.tanh(0.5 * _wide(values))
    drawn = rand(*mean.shape, generator=generator, device=generator.device)
    bits = torch.where(2.0 * drawn < 1.0 + mean.detach(), 1.0, -1.0)
    return bits + mean - mean.detach()


def decorrelation_loss(soft: Tensor) -> Tensor:
    """s (N, K) -> (): 1 / (K (K - 1)) sum_{k != l} (mean over the batch of s_k s_l)^2: 0 where no two bits say the
    same."""
    wide = _wide(soft)
    return _pair_mean((_products(wide.T) / len(wide)).square())


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _products(vectors: Tensor) -> Tensor:
    """(N, D) -> (N, N) products of all pairs."""
    with torch.autocast(vectors.device.type, enabled=False):
        wide = _wide(vectors)
        return wide @ wide.T


def _pair_mean(values: Tensor) -> Tensor:
    """(N, N) -> (): mean over all pairs k != j, 0 where there are none."""
    n = len(values)
    return (values.sum() - values.diagonal().sum()) / max(n * (n - 1), 1)
