"""The directions in which a search looks first: those in which the items differ most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from somscope.maps.threads import one_blas_thread

__all__ = ["WIDTHS", "Basis", "find_basis"]

WIDTHS = (16, 32, 64)  # directions tried; more never paid on images, text or mixtures
_FEWEST_FEATURES = 48  # below this the features themselves are the bound
_SMALL = 256  # features up to which all directions are found at once


@dataclass(frozen=True)
class Basis:
    """Where the bound looks: T(x) -> scale (T(x) - centre) @ directions.

    centre: (d,); scale: 1 / (root mean square norm), so that float32 neither overflows nor underflows;
    directions: (d, r) float32, orthonormal, strongest first; r = 0 where d is small.
    """

    centre: NDArray[np.float64]
    scale: float
    directions: NDArray[np.float32]


def find_basis(sample: NDArray[np.floating], centre: NDArray[np.float64], n_units: int) -> Basis:
    """The strongest directions of a sample (n, d) of items, by randomized subspace iteration (Halko et al. 2011)
    where there are many features.

    Any orthonormal basis keeps the search exact; a good one makes it fast.
    """
    n, d = sample.shape
    centred = np.asarray(sample, dtype=np.float64) - centre
    norm = float(np.sqrt(np.mean(np.sum(centred**2, axis=1))))
    scale = 1.0 / norm if norm > 0 and np.isfinite(norm) else 1.0
    width = min(WIDTHS[-1], WIDTHS[0] * max(1, n_units // 64), n, d)
    if d < _FEWEST_FEATURES or n_units < 2 * WIDTHS[0]:
        return Basis(centre, scale, np.empty((d, 0), np.float32))
    unit = (centred * scale).astype(np.float32)
    if d <= _SMALL:
        with one_blas_thread():
            _, vectors = np.linalg.eigh((unit.T @ unit).astype(np.float64))
        return Basis(centre, scale, np.ascontiguousarray(vectors[:, ::-1][:, :width], dtype=np.float32))
    generator = np.random.default_rng(0)
    with one_blas_thread():
        directions = generator.standard_normal((d, min(width + 8, n, d)), dtype=np.float32)
        for _ in range(3):
            directions, _ = np.linalg.qr(unit.T @ (unit @ directions))
        _, _, rotation = np.linalg.svd(unit @ directions, full_matrices=False)
        directions, _ = np.linalg.qr(directions.astype(np.float64) @ rotation[:width].T.astype(np.float64))
    return Basis(centre, scale, np.ascontiguousarray(directions, dtype=np.float32))
