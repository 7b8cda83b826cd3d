"""AE + k-means: an autoencoder, and then k-means on its codes, which stay: the baseline of every deep clusterer.

L_r = mean over items and features of (x' - x)^2,  then  min over centres of sum_i min_k ||z_i - m_k||^2
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray

from somscope.models.clusterer_module import AutoencoderClusterer
from somscope.training import Phase

__all__ = ["AEKMeans"]


class AEKMeans(AutoencoderClusterer):
    """An autoencoder, and k-means (scikit-learn, the best of 20 starts) on its codes.

    Its folder can be the `autoencoder` of other clusterers with the same network.

    Parameters
    ----------
    n_clusters, latent_dim, hidden, batch_norm, batch_size, normalise, autoencoder, pretrain_epochs, layer_epochs,
    device, precision, random_state, checkpoints, resume, training, verbose: as of `DEC` and `DCN`.

    Attributes are those of every deep clusterer, see `clusterer.DeepClusterer`.
    """

    model_name: ClassVar[str] = "ae-kmeans"

    def __init__(
        self,
        n_clusters: int = 10,
        latent_dim: int | None = 10,
        *,
        hidden: tuple[int, ...] = (500, 500, 2000),
        batch_norm: bool = False,
        batch_size: int = 256,
        normalise: bool = True,
        autoencoder: str | Path | None = None,
        pretrain_epochs: int = 200,
        layer_epochs: int = 0,
        device: str = "auto",
        precision: str = "auto",
        random_state: Any = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        training: Mapping[str, Any] | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.batch_norm = batch_norm
        self.batch_size = batch_size
        self.normalise = normalise
        self.autoencoder = autoencoder
        self.pretrain_epochs = pretrain_epochs
        self.layer_epochs = layer_epochs
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.checkpoints = checkpoints
        self.resume = resume
        self.training = training
        self.verbose = verbose

    def _cluster_phases(
        self, module: Any, items: NDArray[Any], generator: torch.Generator, how: Mapping[str, Any]
    ) -> list[Phase]:
        return []
