"""The divergence of a variational autoencoder whose posterior has a full covariance."""

from __future__ import annotations

from torch import Tensor

__all__ = ["standard_normal_kl"]


def standard_normal_kl(mean: Tensor, factor: Tensor) -> Tensor:
    """(b, L), (b, L, L) -> (): mean over items of KL(N(mu, F F^T) || N(0, I)), in nats.

    1/2 (tr(F F^T) + |mu|^2 - L) - sum_j log F_jj; factor: lower triangular with a positive diagonal.
    """
    trace = factor.square().sum((1, 2))
    logs = factor.diagonal(dim1=1, dim2=2).log().sum(1)
    return (0.5 * (trace + mean.square().sum(1) - mean.shape[1]) - logs).mean()
