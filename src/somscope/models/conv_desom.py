"""ConvDESOM: DESOM with a convolutional autoencoder, for images (Forest et al., Neural Comput. Appl. 33, 2021)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from sklearn.utils import Tags

from somscope.errors import InputError
from somscope.maps.decay import Decay
from somscope.models.desom import DESOM, DESOMModule, Net
from somscope.models.inputs import ImageShape
from somscope.nets.conv import ConvAutoencoder
from somscope.nets.initialise import check_sizes

__all__ = ["ConvDESOM"]


class ConvDESOM(DESOM):
    """A deep map of images: convolutions to a code and back, and a self-organizing map among the codes.

    Parameters
    ----------
    filters: of each convolution of the encoder, which halves the sides after it; the decoder mirrors them. Sides must
        be multiples of 2^n for n filters, or 4 pixels less (28 with the three of the paper).
    image_shape: (H, W, C) of flat items (n, H W C); None for a collection of images, or an array (n, H, W, C) uint8.
    All others are those of `DESOM`, without `hidden`.

    Attributes are those of every deep map, see `deep_map.DeepMap`.

    >>> model = ConvDESOM(grid=(8, 8)).fit(images)
    """

    model_name: ClassVar[str] = "conv-desom"
    _sizes: ClassVar[tuple[str, ...]] = ("filters", "image_shape_")

    def __init__(
        self,
        grid: str | int | tuple[int, int] = (8, 8),
        latent_dim: int = 10,
        gamma: float = 1e-3,
        *,
        filters: tuple[int, ...] = (32, 64, 64),
        image_shape: tuple[int, int, int] | None = None,
        lattice: str = "rectangular",
        toroidal: bool = False,
        legacy: bool = False,
        n_steps: int = 10_000,
        batch_size: int = 256,
        batch_norm: bool = False,
        pretrain_epochs: int = 0,
        autoencoder: str | Path | None = None,
        update_interval: int = 1,
        temperature: tuple[float, float] = (10.0, 0.1),
        decay: Decay = "exponential",
        neighbourhood: str = "gaussian",
        lattice_distance: str = "manhattan",
        learning_rate: float = 1e-3,
        finish: str = "auto",
        finish_steps: int = 2000,
        final_radius: float = 0.3,
        order: float = 2e-3,
        start: str | Path | None = None,
        device: str = "auto",
        precision: str = "auto",
        random_state: Any = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        training: Mapping[str, Any] | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.grid = grid
        self.latent_dim = latent_dim
        self.gamma = gamma
        self.filters = filters
        self.image_shape = image_shape
        self.lattice = lattice
        self.toroidal = toroidal
        self.legacy = legacy
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.batch_norm = batch_norm
        self.pretrain_epochs = pretrain_epochs
        self.autoencoder = autoencoder
        self.update_interval = update_interval
        self.temperature = temperature
        self.decay = decay
        self.neighbourhood = neighbourhood
        self.lattice_distance = lattice_distance
        self.learning_rate = learning_rate
        self.finish = finish
        self.finish_steps = finish_steps
        self.final_radius = final_radius
        self.order = order
        self.start = start
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.checkpoints = checkpoints
        self.resume = resume
        self.training = training
        self.verbose = verbose

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.image_shape is not None
        return tags

    def _check_sizes(self) -> None:
        check_sizes("filters", self.filters)
        if not self.filters:
            raise InputError("filters=(): the net needs at least one convolution")
        if self.image_shape is not None and len(check_sizes("image_shape", self.image_shape)) != 3:
            raise InputError(f"image_shape={self.image_shape!r}; allowed: (height, width, channels), or None")

    def _image_shape(self, known: ImageShape | None) -> ImageShape:
        given: ImageShape | None = None
        if self.image_shape is not None:
            height, width, channels = self.image_shape
            given = (height, width, channels)
        shape = known or given
        if shape is None:
            raise InputError(
                "ConvDESOM needs images: (n, H, W, C) uint8, a collection of images, or flat items and image_shape"
            )
        if given is not None and shape != given:
            raise InputError(f"images of {shape} and image_shape={given} do not agree")
        if math.prod(shape) != self.n_features_in_:
            raise InputError(
                f"image_shape={shape} has {math.prod(shape)} values, an item {self.n_features_in_}"
            )
        return shape

    def _net(self, generator: torch.Generator | None) -> Net:
        assert self.image_shape_ is not None
        return ConvAutoencoder(
            self.image_shape_, self.filters, self.latent_dim, batch_norm=self.batch_norm, generator=generator
        )

    def _module(self, generator: torch.Generator | None) -> DESOMModule:
        assert self.image_shape_ is not None
        module = super()._module(generator)
        height, width, _ = self.image_shape_
        module.block = max(16, 2**24 // (max(self.filters) * height * width))
        return module
