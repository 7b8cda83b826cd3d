"""Features of images that need no labels and no network, as transformers to put before a coder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from somscope.codes.kept import Arrays, Kept
from somscope.errors import InputError

__all__ = ["ImageFeatures", "as_images"]

Images = NDArray[np.uint8]  # (n, H, W, C)
_BLOCK = 2**20  # values that a block of images may become on its way: they stay in the cache of the processor


def as_images(X: Any) -> Images:
    """The images (n, H, W, C) of a collection, an array or a tensor. Raises InputError for anything else."""
    images = getattr(X, "features", X)
    images = images.detach().cpu().numpy() if hasattr(images, "detach") else images
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4 or not images.size:
        found = f"{type(X).__name__} {getattr(images, 'shape', '')} {getattr(images, 'dtype', '')}".strip()
        raise InputError(f"images are needed: (n, H, W, C) uint8 or a collection of images; found {found}")
    if images.shape[3] not in (1, 3):
        raise InputError(f"images have {images.shape[3]} channels; allowed: 1 (grey) or 3 (RGB)")
    return images


class ImageFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Kept):  # type: ignore[misc]
    """Images (n, H, W, C) uint8, or a collection of them -> (n, d) float32; all images have the shape seen in `fit`.

    Attributes
    ----------
    image_shape_ (H, W, C); n_features_in_ H W C.
    """

    image_shape_: tuple[int, int, int]

    @property
    @abstractmethod
    def _n_features_out(self) -> int:
        """d of the fitted features."""

    @abstractmethod
    def _learn(self, images: Images) -> None:
        """Learn from images, with image_shape_ set; the parameters are checked here, too."""

    @abstractmethod
    def _features(self, images: Images) -> NDArray[np.float32]:
        """(m, d) of a block of images."""

    @property
    @abstractmethod
    def _values(self) -> int:
        """Values that one image becomes on its way, for the size of the blocks."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from images; y is ignored. Raises InputError for what is no images, and for wrong parameters."""
        images = as_images(X)
        height, width, channels = images.shape[1:]
        self.image_shape_ = (height, width, channels)
        self.n_features_in_ = height * width * channels
        self._learn(images)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """(n, d) features. Raises InputError for what is no images, and for images of another shape."""
        check_is_fitted(self)
        images = as_images(X)
        if images.shape[1:] != self.image_shape_:
            raise InputError(f"images have shape {images.shape[1:]}; these features need {self.image_shape_}")
        return np.concatenate([self._features(block) for block in self._blocks(images)])

    def _blocks(self, images: Images) -> Iterator[Images]:
        rows = max(1, _BLOCK // self._values)
        for start in range(0, len(images), rows):
            yield images[start : start + rows]

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        return {"image_shape": list(self.image_shape_)}, {}

    def _restore(self, described: Mapping[str, Any], arrays: Arrays) -> None:
        height, width, channels = described["image_shape"]
        if any(type(side) is not int or side < 1 for side in (height, width, channels)):
            raise ValueError(f"image_shape {described['image_shape']}")
        self.image_shape_ = (height, width, channels)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True  # the nearest that scikit-learn has a name for
        return tags
