"""Single-layer k-means features (Coates, Ng and Lee, AISTATS 2011): how near the whitened patches of each quadrant of
an image are to learned centres, standardised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from somscope.codes.features import ImageFeatures, Images
from somscope.codes.kept import Arrays
from somscope.errors import InputError
from somscope.seeds import random_source

__all__ = ["KMeansPatches"]

_LEAST_VARIANCE = 10.0  # of a patch, in squared grey levels of 255, as the authors add it
_LEAST_EIGENVALUE = 0.1  # of the normalised patches, as the authors add it in whitening
_LEAST_FEATURE_VARIANCE = 0.01  # of the sums, as the authors add it in standardising
_MOST_ROUNDS = 50
_MOST_IMAGES = 10_000  # that mean and deviation of the features are learned from


class KMeansPatches(ImageFeatures):
    """Patches p of all positions, p' = ((p - mean p) / sqrt(var p + 10) - m) W with ZCA whitening W, become

        f_k = max(0, mean_j z_j - z_k),    z_k = ||p' - c_k||     ("triangle", equation 2),

    which is summed over each quadrant: 4 n_centres sums s. The features are (s - mean s) / sqrt(var s + 0.01), so that
    each counts alike, as the authors' code has it (the paper does not say). m, W and the centres c_k are learned from
    patches at random positions of the training images, mean s and var s from at most 10,000 of these images at random
    (authors: from all), without labels.

    Parameters
    ----------
    n_centres: of k-means, 400 (the authors go up to 4,000). patch: its side in pixels, 6. n_patches: to learn from
    (authors: 400,000; k-means changes little beyond 100,000). random_state: of the patches and the first centres.

    Attributes
    ----------
    mean_ (p,) m; whitening_ (p, p) W; centres_ (n_centres, p); feature_mean_ and feature_scale_ (4 n_centres,); and
    those of `ImageFeatures`.
    """

    model_name: ClassVar[str] = "kmeans"

    def __init__(
        self,
        n_centres: int = 400,
        *,
        patch: int = 6,
        n_patches: int = 100_000,
        random_state: Any = None,
    ) -> None:
        self.n_centres = n_centres
        self.patch = patch
        self.n_patches = n_patches
        self.random_state = random_state

    @property
    def _n_features_out(self) -> int:
        return 4 * self.n_centres

    @property
    def _values(self) -> int:
        height, width, _ = self.image_shape_
        return (height - self.patch + 1) * (width - self.patch + 1) * self.n_centres

    def _learn(self, images: Images) -> None:
        for name in ("n_centres", "patch", "n_patches"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise InputError(f"{name}={value!r}; allowed: whole numbers from 1")
        height, width = self.image_shape_[:2]
        if min(height, width) <= self.patch:
            raise InputError(
                f"patch={self.patch} does not leave two positions in images of {self.image_shape_} pixels"
            )
        if self.n_patches < self.n_centres:
            raise InputError(f"n_patches={self.n_patches} are fewer than n_centres={self.n_centres}")
        random = random_source(self.random_state)
        which = random.randint(len(images), size=self.n_patches)
        top = random.randint(height - self.patch + 1, size=self.n_patches)
        left = random.randint(width - self.patch + 1, size=self.n_patches)
        windows = np.lib.stride_tricks.sliding_window_view(images, (self.patch, self.patch), axis=(1, 2))
        patches = _even(
            windows[which, top, left].reshape(self.n_patches, -1)
        )  # (n, C, patch, patch) flattened
        self.mean_ = patches.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(patches, rowvar=False).reshape(self.mean_.size, -1))
        self.whitening_ = ((vectors / np.sqrt(values.clip(0) + _LEAST_EIGENVALUE)) @ vectors.T).astype(
            np.float32
        )
        white = (patches - self.mean_) @ self.whitening_
        means = KMeans(self.n_centres, n_init=1, max_iter=_MOST_ROUNDS, random_state=random).fit(white)
        self.centres_ = means.cluster_centers_.astype(np.float32)
        if len(images) > _MOST_IMAGES:
            images = images[np.sort(random.choice(len(images), _MOST_IMAGES, replace=False))]
        sums = np.concatenate([self._sums(block) for block in self._blocks(images)])
        self.feature_mean_ = sums.mean(axis=0, dtype=np.float64).astype(np.float32)
        variance = sums.var(axis=0, dtype=np.float64) + _LEAST_FEATURE_VARIANCE
        self.feature_scale_ = np.sqrt(variance).astype(np.float32)

    def _features(self, images: Images) -> NDArray[np.float32]:
        return np.asarray((self._sums(images) - self.feature_mean_) / self.feature_scale_)

    def _sums(self, images: Images) -> NDArray[np.float32]:
        """(m, 4 n_centres) of a block of images, not yet standardised."""
        height, width, _ = self.image_shape_
        rows, columns = height - self.patch + 1, width - self.patch + 1
        windows = np.lib.stride_tricks.sliding_window_view(images, (self.patch, self.patch), axis=(1, 2))
        patches = _even(windows.reshape(len(images) * rows * columns, -1))
        white = (patches - self.mean_) @ self.whitening_
        distances = white @ (-2 * self.centres_.T)
        distances += np.square(white).sum(axis=1)[:, None]
        distances += np.square(self.centres_).sum(axis=1)
        np.sqrt(distances.clip(0, out=distances), out=distances)
        near = distances.mean(axis=1)[:, None] - distances
        np.maximum(near, 0, out=near)
        pooled = _quadrants(rows, columns) @ near.reshape(len(images), rows * columns, -1)
        return np.asarray(pooled.reshape(len(images), -1))

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        described, arrays = super()._state()
        return described | {"patch": int(self.patch)}, arrays | {
            name: getattr(self, name) for name in self._shapes()
        }

    def _restore(self, described: Mapping[str, Any], arrays: Arrays) -> None:
        super()._restore(described, arrays)
        for name, shape in self._shapes().items():
            if arrays[name].shape != shape:
                raise ValueError(f"{name} has shape {arrays[name].shape}, not {shape}")
            setattr(self, name, arrays[name])

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the learned arrays."""
        size, features = self.patch**2 * self.image_shape_[2], (4 * self.n_centres,)
        return {
            "mean_": (size,),
            "whitening_": (size, size),
            "centres_": (self.n_centres, size),
            "feature_mean_": features,
            "feature_scale_": features,
        }


def _even(patches: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Patches (m, p) with mean 0 and, but for what is added, variance 1 each."""
    values = patches.astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    values /= np.sqrt(np.square(values).mean(axis=1, keepdims=True) + np.float32(_LEAST_VARIANCE))
    return np.asarray(values)


def _quadrants(rows: int, columns: int) -> NDArray[np.float32]:
    """(4, rows * columns): which positions lie in which quadrant; the middle belongs to the first half."""
    lower = np.arange(rows) >= (rows + 1) // 2
    right = np.arange(columns) >= (columns + 1) // 2
    where = (2 * lower[:, None] + right).ravel()
    return np.asarray(where == np.arange(4)[:, None], dtype=np.float32)
