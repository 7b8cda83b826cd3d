"""The estimator that deep coders of images share: a network whose signs are the bits, trained by the engine."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import Tags
from torch import Tensor, nn

from somscope.codes.coder import Arrays, Coder
from somscope.errors import InputError
from somscope.models.inputs import ImageShape, as_training_items, known_image_shape
from somscope.models.storage import module_from
from somscope.models.trainable import Trainable
from somscope.nets.conv import to_planes
from somscope.training import Phase, train

__all__ = ["CoderModule", "DeepCoder"]

_FITTED = ("n_iter_", "stop_reason_", "seconds_", "history_", "chosen_", "device_", "precision_")


class CoderModule(nn.Module, ABC):
    """A network that has a value for each bit of an image.

    image_shape: (H, W, C) with C of 1 or 3. block: images that can be encoded together in little memory.
    """

    block: int = 256

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__()
        self.image_shape = image_shape

    def planes(self, items: Tensor) -> Tensor:
        """(b, H W C) in the order of the items -> (b, C, H, W), a view."""
        return to_planes(items, self.image_shape)

    @abstractmethod
    def project(self, items: Tensor) -> Tensor:
        """(b, H W C) pixels / 255 -> (b, K) values, whose signs are the bits; of one item independent of the others."""


class DeepCoder(Trainable, Coder):
    """A coder of images: (n, H, W, C) uint8, or a collection of them.

    Attributes
    ----------
    module_: the network, in PyTorch. image_shape_ (H, W, C) of the training images; chosen_ {what: why}; those of every
    `Coder`; and those of every training, see `trainable.Trainable`.
    """

    of_images: ClassVar[bool] = True
    _least_side: ClassVar[int]
    _multiple: ClassVar[int]  # sides are multiples of it

    module_: CoderModule
    image_shape_: ImageShape
    chosen_: dict[str, str]

    # What a coder gives

    @abstractmethod
    def _check_choices(self) -> None:
        """Raise InputError for parameters that no data could be used with."""

    @abstractmethod
    def _choose(self, items: NDArray[Any]) -> dict[str, Any]:
        """What the module for items (n, H W C) uint8 is built from besides the parameters; JSON can hold it."""

    @abstractmethod
    def _module(self, chosen: Mapping[str, Any], generator: torch.Generator | None) -> CoderModule:
        """The untrained module; None draws no weights."""

    @abstractmethod
    def _phases(self, module: Any, items: NDArray[Any], generator: torch.Generator) -> list[Phase]:
        """The phases of training on items (n, H W C) uint8."""

    # Training and use

    def _items(self, X: Any, reset: bool) -> NDArray[Any]:
        shape = known_image_shape(X)
        if reset:
            self._check_choices()
            self.image_shape_ = self._checked(shape, X)
        elif shape is not None and shape != self.image_shape_:
            raise InputError(f"images of {shape}; this coder was trained on images of {self.image_shape_}")
        items = as_training_items(self, X, reset)
        if items.dtype != np.uint8:
            raise InputError(f"X holds {getattr(X, 'dtype', 'numbers')}; needed: images (n, H, W, C) uint8")
        return items

    def _checked(self, shape: ImageShape | None, x: Any) -> ImageShape:
        name = type(self).__name__
        if shape is None:
            what = f"shape {np.shape(x)} and type {getattr(x, 'dtype', type(x).__name__)}"
            raise InputError(
                f"{name} needs images: (n, H, W, C) uint8, or a collection of images; X has {what}"
            )
        height, width, channels = shape
        least, multiple = self._least_side, self._multiple
        if min(height, width) < least or height % multiple or width % multiple:
            raise InputError(
                f"images of {height}x{width} pixels; {name} needs sides that are multiples of {multiple}, from {least} "
                "on (give image_size=32 when reading the images)"
            )
        if channels not in (1, 3):
            raise InputError(f"images of {channels} channels; {name} takes grey (1) and colour (3)")
        return shape

    def _fit(self, items: NDArray[Any]) -> None:
        if len(items) < 2:
            raise InputError(f"X has {len(items)} sample(s); a minimum of 2 is needed, to tell them apart")
        self.chosen_ = {}
        self._built_from = self._choose(items)
        seed = self._seed()
        generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):  # PyTorch draws first weights of its own
            module = self._module(self._built_from, generator)
        phases = self._phases(module, items, generator)
        self._keep(module, train(phases, items, self._options(seed)))

    def _project(self, items: NDArray[Any]) -> NDArray[np.float32]:
        device = next(self.module_.parameters()).device
        size = self.module_.block
        parts = []
        with torch.inference_mode():
            for start in range(0, len(items), size):
                rows = items[start : start + size]
                block = torch.from_numpy(rows if rows.flags.writeable else rows.copy()).to(device)
                parts.append(self.module_.project(block.float().div_(255.0)).float().cpu())
        return torch.cat(parts).numpy()

    # Files

    def save(self, folder: str | Path) -> Path:
        plain = copy(self)
        plain.training = None  # its loggers are of no use to a trained coder
        return super(DeepCoder, plain).save(folder)

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        arrays = {name: tensor.cpu().numpy() for name, tensor in self.module_.state_dict().items()}
        return {"image_shape": list(self.image_shape_), **self._built_from}, arrays

    def _restore(self, described: Mapping[str, Any], arrays: Arrays) -> None:
        self._check_choices()
        shape = described["image_shape"]
        if any(type(size) is not int or size < 1 for size in shape):
            raise ValueError(f"image_shape is {shape!r}")
        height, width, channels = shape
        self.image_shape_ = self._checked((height, width, channels), None)
        if math.prod(self.image_shape_) != self.n_features_in_:
            raise ValueError(f"images of {shape} do not have {self.n_features_in_} features")
        self._built_from = {name: value for name, value in described.items() if name != "image_shape"}
        self.module_ = module_from(lambda: self._module(self._built_from, None), arrays)
        self.history_ = {
            name: [math.nan if value is None else value for value in values]
            for name, values in self.history_.items()
        }
        self._put_on_device()

    def _kept(self) -> dict[str, Any]:
        return {**super()._kept(), **{name: getattr(self, name) for name in _FITTED}}

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags
