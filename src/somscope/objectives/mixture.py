"""A mixture of diagonal Gaussians among codes, and the five terms of VaDE's bound (Jiang et al., IJCAI 2017).

    -ELBO = E_q [ -log p(x | z) - log p(z | c) - log p(c) + log q(z | x) + log q(c | x) ]
    q(z | x) = N(m, diag s^2),  q(c | x) = gamma_c = p(c | z),  p(z | c) = N(mu_c, diag sigma_c^2),  p(c) = pi_c

The first term is that of `objectives.reconstruction`; the others are here, each a mean over items, in nats. The code z
is drawn from q(z | x); given gamma, the expectations over z have a closed form. Logits and log variances are free
numbers, so that weights stay positive with the sum 1 and variances positive whatever an optimizer does; the authors'
code takes its steps on weights and variances themselves.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = [
    "assignment_negentropy",
    "code_cross_entropy",
    "component_cross_entropy",
    "joint_log_density",
    "posterior_negentropy",
]

_LOG_2PI = math.log(2.0 * math.pi)


def joint_log_density(codes: Tensor, logits: Tensor, means: Tensor, log_variances: Tensor) -> Tensor:
    """(b, L), (K,), (K, L), (K, L) -> (b, K): log pi_c + log N(z_i; mu_c, diag sigma_c^2), pi = softmax(logits).

    In float32 at least. Its softmax over c is gamma = p(c | z), its logsumexp log p(z).
    """
    wide = torch.promote_types(codes.dtype, torch.float32)
    z = codes.to(wide)
    scaled = (z[:, None] - means).square() * (-log_variances).exp()
    inside = -0.5 * (scaled + log_variances + _LOG_2PI).sum(2)
    return logits.log_softmax(0) + inside


def code_cross_entropy(
    gamma: Tensor, mean: Tensor, log_variance: Tensor, means: Tensor, log_variances: Tensor
) -> Tensor:
    """Mean over items of -E_q log p(z | c).

    gamma: (b, K); mean, log_variance: (b, L) of q(z | x); means, log_variances: (K, L) of the components.
    () = 1/2 sum_c gamma_c sum_j [ log 2 pi + log sigma_cj^2 + (s_j^2 + (m_j - mu_cj)^2) / sigma_cj^2 ].
    """
    spread = log_variance.exp()[:, None] + (mean[:, None] - means).square()
    each = 0.5 * (_LOG_2PI + log_variances + spread * (-log_variances).exp()).sum(2)
    return (gamma * each).sum(1).mean()


def component_cross_entropy(gamma: Tensor, logits: Tensor) -> Tensor:
    """(b, K), (K,) -> (): mean over items of -E_q log p(c) = -sum_c gamma_c log pi_c."""
    return -(gamma * logits.log_softmax(0)).sum(1).mean()


def posterior_negentropy(log_variance: Tensor) -> Tensor:
    """(b, L) -> (): mean over items of E_q log q(z | x) = -1/2 sum_j (log 2 pi + 1 + log s_j^2)."""
    return -0.5 * (_LOG_2PI + 1.0 + log_variance).sum(1).mean()


def assignment_negentropy(log_gamma: Tensor) -> Tensor:
    """(b, K) -> (): mean over items of E_q log q(c | x) = sum_c gamma_c log gamma_c, from log gamma."""
    return (log_gamma.exp() * log_gamma).sum(1).mean()
