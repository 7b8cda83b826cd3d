"""The dense variational autoencoder of DPSOM: a full Gaussian for each item (Manduchi et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from somscope.nets.dense import layers
from somscope.nets.initialise import glorot_uniform

__all__ = ["VariationalAutoencoder"]

_SLOPE = 0.2  # of leaky rectifiers, TensorFlow's default
_LEAST = 1e-5  # of a deviation


class VariationalAutoencoder(nn.Module):
    """q(z | x) = N(mean(x), F(x) F(x)^T), F lower triangular with a positive diagonal; and outputs of a decoder.

    n_features: d; hidden: sizes of the encoder's layers, mirrored in the decoder; latent_dim: L.
    leaky_outputs: the outputs are rectified (leakily), too, as in the published code.
    generator: draws Glorot's weights; None leaves them to be loaded.
    """

    def __init__(
        self,
        n_features: int,
        hidden: Sequence[int] = (500, 500, 2000),
        latent_dim: int = 100,
        *,
        leaky_outputs: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.latent_dim, self.leaky_outputs = latent_dim, leaky_outputs

        def leaky() -> nn.Module:
            return nn.LeakyReLU(_SLOPE)

        n_factor = latent_dim * (latent_dim + 1) // 2
        self.encoder = layers([n_features, *hidden, latent_dim + n_factor], leaky)
        self.decoder = layers([latent_dim, *reversed(hidden), n_features], leaky)
        glorot_uniform(self, generator)

    def posterior(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """(b, ...) -> mean (b, L) and factor (b, L, L), in float32 at least."""
        raw = self.encoder(items.flatten(1))
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32))
        size = self.latent_dim
        row, column = torch.tril_indices(size, size, device=raw.device)
        factor = raw.new_zeros(len(raw), size, size)
        factor[:, row, column] = raw[:, size:]
        diagonal = factor.diagonal(dim1=1, dim2=2)
        positive = torch.diag_embed(functional.softplus(diagonal) + _LEAST - diagonal)
        return raw[:, :size], factor + positive

    def mean(self, items: Tensor) -> Tensor:
        """(b, ...) -> (b, L), without the covariance."""
        hidden = self.encoder[:-1](items.flatten(1))
        last = self.encoder[-1]
        assert isinstance(last, nn.Linear)
        return functional.linear(hidden, last.weight[: self.latent_dim], last.bias[: self.latent_dim])

    def outputs(self, codes: Tensor) -> Tensor:
        """(b, L) -> (b, d): logits, or means."""
        x: Tensor = self.decoder(codes)
        return functional.leaky_relu(x, _SLOPE) if self.leaky_outputs else x
