"""Neighbourhoods: how strongly a unit follows the best matching unit, by their distance on the lattice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError, check_choice
from somscope.maps.lattice import Lattice

__all__ = ["NEIGHBOURHOODS", "neighbourhood", "smooth"]

# The order is that of the `shape` argument of `kernels.online_steps`.
NEIGHBOURHOODS = ("gaussian", "cut-gaussian", "bubble", "epanechnikov", "mexican-hat")
_SMALLEST = 1e-6  # below this radius (in lattice steps) only the unit itself is in its neighbourhood
_BLOCK = 1024  # rows of the neighbourhood matrix held at a time


def neighbourhood(name: str, squared_distance: Any, radius: float) -> Any:
    """h(d; r) for squared lattice distances d^2 (an array or a tensor of any shape) and a radius r in lattice steps.

    gaussian exp(-d^2 / 2r^2); cut-gaussian the same where d <= r, else 0; bubble 1 where d <= r, else 0;
    epanechnikov max(0, 1 - d^2 / r^2); mexican-hat (1 - d^2 / r^2) exp(-d^2 / 2r^2).
    h(0) = 1 for all. Radius 0 leaves the unit itself alone. Source: Kohonen, Self-Organizing Maps (2001), 3.2;
    Vesanto et al., SOM Toolbox (2000).
    """
    check_choice("neighbourhood", name, NEIGHBOURHOODS)
    if not radius >= 0:
        raise InputError(f"radius={radius} lattice steps: it must be 0 or more")
    scaled = squared_distance / max(radius, _SMALLEST) ** 2
    near = scaled <= 1.0
    if name == "bubble":
        return near * (scaled * 0.0 + 1.0)
    if name == "epanechnikov":
        return near * (1.0 - scaled)
    gaussian = scaled * -0.5
    # A tensor brings its own exponential.
    gaussian = gaussian.exp() if hasattr(gaussian, "exp") else np.exp(gaussian)
    if name == "gaussian":
        return gaussian
    if name == "cut-gaussian":
        return near * gaussian
    return (1.0 - scaled) * gaussian


def smooth(lattice: Lattice, name: str, radius: float, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K, m) -> (K, m): sum over units j of h(d_kj; radius) values_j.

    A Gaussian factors into the two axes of the lattice, so that K units cost K (rows + columns) m products and no
    K x K matrix; the others are summed in blocks of rows of that matrix.
    """
    if radius <= _SMALLEST:
        return values.copy()
    if name == "gaussian":
        return _smooth_gaussian(lattice, radius, values)
    out = np.empty_like(values)
    for start in range(0, lattice.n_units, _BLOCK):
        units = np.arange(start, min(start + _BLOCK, lattice.n_units))
        out[units] = neighbourhood(name, lattice.squared_distances(units), radius) @ values
    return out


def _axis(lattice: Lattice, axis: int, step: float, shift: float, radius: float) -> NDArray[np.float64]:
    """Gaussian between positions i * step + shift and j * step along one axis, the shorter way round if toroidal."""
    n = lattice.columns if axis == 0 else lattice.rows
    delta = np.abs(np.arange(n)[:, None] * step + shift - np.arange(n)[None, :] * step)
    if lattice.toroidal:
        delta = np.minimum(delta, np.abs(lattice.period[axis] - delta))
    return np.asarray(neighbourhood("gaussian", delta**2, radius))


def _smooth_gaussian(lattice: Lattice, radius: float, values: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = lattice.rows, lattice.columns
    grid = values.reshape(rows, columns, -1)
    along = _axis(lattice, 0, 1.0, 0.0, radius)
    height = lattice.period[1] / rows
    down = _axis(lattice, 1, height, 0.0, radius)
    same = np.matmul(along, grid)
    if lattice.shape == "rectangular" or rows == 1:
        return np.asarray((down @ same.reshape(rows, -1)).reshape(values.shape))
    # On a hexagonal lattice even and odd rows lie half a step apart: two products along the rows, then two down.
    out = np.empty_like(same)
    for parity, shift in ((0, -0.5), (1, 0.5)):
        own, other = slice(parity, None, 2), slice(1 - parity, None, 2)
        across = np.matmul(_axis(lattice, 0, 1.0, shift, radius), grid[other])
        flat = down[own, own] @ same[own].reshape(len(same[own]), -1)
        if len(across):
            flat += down[own, other] @ across.reshape(len(across), -1)
        out[own] = flat.reshape(out[own].shape)
    return np.asarray(out.reshape(values.shape))
