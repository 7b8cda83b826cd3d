"""The dense variational autoencoder of VaDE: a diagonal Gaussian for each item (Jiang et al., IJCAI 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from somscope.nets.dense import DenseAutoencoder

__all__ = ["DiagonalAutoencoder"]


class DiagonalAutoencoder(DenseAutoencoder):
    """q(z | x) = N(mean(x), diag exp(log_variance(x))): two linear outputs of one rectified encoder; a linear decoder.

    n_features, hidden, latent_dim, generator: as of `DenseAutoencoder`, which it is as long as its variances are not
    asked for. The weights of the log variance begin as 0: drawn ones overflow for items that are large numbers.
    """

    def __init__(
        self,
        n_features: int,
        hidden: Sequence[int] = (500, 500, 2000),
        latent_dim: int = 10,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(n_features, hidden, latent_dim, generator=generator)
        self.log_variance = nn.Linear(hidden[-1] if hidden else n_features, latent_dim)
        if generator is not None:
            nn.init.zeros_(self.log_variance.weight)
            nn.init.zeros_(self.log_variance.bias)

    def posterior(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """(b, ...) -> mean (b, L) and log variance (b, L), in float32 at least."""
        features = self.encoder[:-1](items.flatten(1))
        mean, log_variance = self.encoder[-1](features), self.log_variance(features)
        wide = torch.promote_types(mean.dtype, torch.float32)
        return mean.to(wide), log_variance.to(wide)
