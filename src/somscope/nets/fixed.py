"""Codes without training: projections of features that are known to tell items apart.

images   histograms of gradients (Dalal and Triggs, CVPR 2005; here of 4 x 4 cells of the whole image), and the
         cells' mean colours
rows     the rows themselves; of TF-IDF rows this is latent semantic analysis (Deerwester et al., JASIS 1990)
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["FEW_ITEMS", "FIXED", "ProjectionEncoder", "cell_colours", "gradient_histograms"]

FIXED = ("gradients", "lsa")
FEW_ITEMS = 500  # below which there is too little to learn from

_ORIENTATIONS = 8  # of a whole turn: from dark to light is not from light to dark
_CELLS = 4  # along each side
_NARROW = (
    9  # power of the cosine, which falls to half 22 degrees away from an orientation, as neighbours' lobes do
)
_FLAT = 0.05  # added to the length of a histogram: what has hardly any edges is told by its colours
_COLOURS = 0.5  # length of the colours beside histograms of about length 1
_LARGEST = 32  # pixels of a side; larger images are shrunk first


def gradient_histograms(planes: Tensor) -> Tensor:
    """(b, C, H, W) in 0 .. 1 -> (b, 128): roots of the strength of edges of 8 orientations in each of 4 x 4 cells.

    g is the difference of each pixel's neighbours, to the right and below; ||g|| max(0, cos)^9 of its angle to each
    orientation, the largest of the channels, averaged over the cell.
    """
    padded = functional.pad(planes, (1, 1, 1, 1), mode="replicate")
    right = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    below = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    strength = (right**2 + below**2).sqrt()
    length = strength.clamp_min(1e-6)
    cells = []
    for turn in range(_ORIENTATIONS):
        angle = 2.0 * math.pi * turn / _ORIENTATIONS
        cosine = ((math.cos(angle) * right + math.sin(angle) * below) / length).clamp_min(0.0)
        edges = (strength * cosine**_NARROW).amax(1, keepdim=True)
        cells.append(functional.adaptive_avg_pool2d(edges, _CELLS).flatten(1))
    return torch.cat(cells, 1).sqrt()


def cell_colours(planes: Tensor) -> Tensor:
    """(b, C, H, W) in 0 .. 1 -> (b, 32 C): mean m of each channel in 4 x 4 cells, and 1 - m, so that black has an angle
    to white; divided by 4 sqrt(C)."""
    means = functional.adaptive_avg_pool2d(planes, _CELLS).flatten(1)
    return torch.cat([means, 1.0 - means], 1) / math.sqrt(means.shape[1])


def _shrunk(planes: Tensor) -> Tensor:
    """(b, C, H, W) -> the same with sides up to 32 pixels."""
    height, width = planes.shape[2:]
    share = _LARGEST / max(height, width)
    if share >= 1.0:
        return planes
    size = (max(1, round(height * share)), max(1, round(width * share)))
    return functional.interpolate(planes, size=size, mode="area")


class ProjectionEncoder(nn.Module):
    """(b, C, H, W) gradient histograms with colours, or (b, d) rows as they are -> (b, L): their first L directions.

    The directions are right singular vectors of the features of the items given to `learn`, which are not centred, so
    that angles stay what they are. channels: C of images, None for rows. basis: (F, L); directions that the features do
    not have are 0.
    """

    basis: Tensor

    def __init__(self, n_features: int, latent_dim: int, *, channels: int | None) -> None:
        super().__init__()
        self.images = channels is not None
        width = n_features if channels is None else (_ORIENTATIONS + 2 * channels) * _CELLS**2
        self.register_buffer("basis", torch.zeros(width, latent_dim))

    def features(self, items: Tensor) -> Tensor:
        """(b, ...) -> (b, F)."""
        if not self.images:
            return items.flatten(1)
        planes = _shrunk(items)
        edges = gradient_histograms(planes)
        edges = edges / (edges.norm(dim=1, keepdim=True) + _FLAT)
        return torch.cat([edges, _COLOURS * cell_colours(planes)], 1)

    @torch.no_grad()
    def learn(self, blocks: Iterable[Tensor], seed: int) -> None:
        """(m, ...) items, block by block -> basis."""
        rows: NDArray[np.float32] = torch.cat([self.features(block) for block in blocks]).numpy()
        count = min(self.basis.shape[1], *rows.shape)
        _, _, directions = randomized_svd(rows, count, random_state=seed)
        self.basis.zero_()
        self.basis[:, :count] = torch.from_numpy(np.ascontiguousarray(directions.T))

    def forward(self, items: Tensor) -> Tensor:
        return self.features(items) @ self.basis
