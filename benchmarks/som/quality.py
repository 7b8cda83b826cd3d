"""The one function that measures the quality of every tool's map: brute force in float64, nothing from any tool."""

from __future__ import annotations

import numpy as np

__all__ = ["grid_positions", "map_quality"]


def grid_positions(rows: int, columns: int) -> np.ndarray:
    """(K, 2) int64 row and column of each unit, row-major (unit = row * columns + column)."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.stack([row, column], axis=1)


def map_quality(
    items: np.ndarray, prototypes: np.ndarray, positions: np.ndarray, block: int = 2048
) -> dict[str, float]:
    """Quantization error and topographic errors of a map on all items.

    items: (n, d); prototypes: (K, d); positions: (K, 2) integer row and column of each unit.

    - quantization_error: the mean over items of ||x - w_bmu||, recomputed from the difference, not from the expansion;
    - topographic_error_8: the share of items whose best and second-best units are further apart than one step in rows
      or in columns (a diagonal neighbour is a neighbour);
    - topographic_error_4: the same where a diagonal neighbour is no neighbour.

    Distances are the expansion ||x||^2 - 2 x.w + ||w||^2 of centred data in float64: of float32 inputs, its rounding
    (about 1e-15 relative) decides only ties that float32 itself could not tell apart.
    Raises ValueError when a prototype is not finite: the map has diverged and has no quality.
    """
    import torch

    if not np.isfinite(prototypes).all():
        bad = int((~np.isfinite(prototypes)).any(axis=1).sum())
        raise ValueError(f"{bad} of {len(prototypes)} prototypes are not finite: the training diverged")
    weights = torch.as_tensor(np.ascontiguousarray(prototypes)).double()  # (K, d)
    place = torch.as_tensor(np.ascontiguousarray(positions)).long()
    centre = torch.as_tensor(items.mean(axis=0, dtype=np.float64))
    weights = weights - centre
    half_norms = 0.5 * (weights * weights).sum(dim=1)
    distance_sum, apart_8, apart_4 = 0.0, 0, 0
    for start in range(0, len(items), block):
        x = torch.as_tensor(np.ascontiguousarray(items[start : start + block])).double() - centre
        scores = torch.addmm(half_norms, x, weights.T, alpha=-1.0)  # (b, K): (||x - w||^2 - ||x||^2) / 2
        best = scores.argmin(dim=1)
        scores.scatter_(1, best[:, None], torch.inf)
        second = scores.argmin(dim=1)
        distance_sum += float((x - weights[best]).norm(dim=1).sum())
        steps = (place[best] - place[second]).abs()
        apart_8 += int((steps.amax(dim=1) > 1).sum())
        apart_4 += int((steps.sum(dim=1) > 1).sum())
    n = len(items)
    return {
        "quantization_error": distance_sum / n,
        "topographic_error_8": apart_8 / n,
        "topographic_error_4": apart_4 / n,
    }
