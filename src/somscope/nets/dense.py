"""The dense autoencoder of DEC, IDEC and DESOM: d-500-500-2000-L and its mirror (Xie et al., ICML 2016)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from somscope.nets.initialise import glorot_uniform

__all__ = ["DenseAutoencoder", "layers"]


def layers(
    sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU, batch_norm: bool = False
) -> nn.Sequential:
    """Linear layers between the sizes, with an activation (then batch normalisation) after each but the last."""
    parts: list[nn.Module] = []
    for i in range(len(sizes) - 1):
        parts.append(nn.Linear(sizes[i], sizes[i + 1]))
        if i < len(sizes) - 2:
            parts.append(activation())
            if batch_norm:
                # Keras' defaults, which the published nets have.
                parts.append(nn.BatchNorm1d(sizes[i + 1], eps=1e-3, momentum=0.01))
    return nn.Sequential(*parts)


class DenseAutoencoder(nn.Module):
    """Rectified hidden layers, a linear code and a linear output.

    n_features: d; hidden: sizes of the encoder's hidden layers, mirrored in the decoder; latent_dim: L.
    batch_norm: after each hidden layer, in the encoder and in the decoder.
    generator: draws Glorot's weights; None leaves them to be loaded.
    """

    def __init__(
        self,
        n_features: int,
        hidden: Sequence[int] = (500, 500, 2000),
        latent_dim: int = 10,
        *,
        batch_norm: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        sizes = [n_features, *hidden, latent_dim]
        self.encoder = layers(sizes, batch_norm=batch_norm)
        self.decoder = layers(sizes[::-1], batch_norm=batch_norm)
        glorot_uniform(self, generator)

    def encode(self, items: Tensor) -> Tensor:
        """(b, ...) -> (b, L); items are flattened."""
        z: Tensor = self.encoder(items.flatten(1))
        return z

    def decode(self, codes: Tensor) -> Tensor:
        """(b, L) -> (b, d)."""
        x: Tensor = self.decoder(codes)
        return x
