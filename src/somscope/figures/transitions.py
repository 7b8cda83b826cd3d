"""Where a sequence goes from each unit: the transition matrix of a map that was trained on sequences."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError
from somscope.figures.units import colour_bar, draw_units, map_figure
from somscope.maps.lattice import Lattice

__all__ = ["most_probable_next", "transitions_figure"]


def most_probable_next(
    lattice: Lattice, matrix: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """(K,) probability to stay, the other unit that follows most probably, and its probability.

    matrix: (K, K), row j the distribution of the unit that follows unit j. On a map of one unit the other one is -1.
    """
    p = np.array(matrix, dtype=np.float64)
    if p.shape != (lattice.n_units, lattice.n_units):
        raise InputError(f"a transition matrix has shape {p.shape}; the map has {lattice.n_units} units")
    stay = np.diag(p).copy()
    if lattice.n_units == 1:
        return stay, np.array([-1]), np.zeros(1)
    np.fill_diagonal(p, -1.0)
    following = p.argmax(axis=1)
    return stay, following, p[np.arange(len(p)), following]


def transitions_figure(lattice: Lattice, matrix: ArrayLike) -> Figure:
    """The probability that a sequence stays at a unit as its colour, and an arrow to the unit where it most probably
    goes, the wider the more probable.

    matrix: (K, K), see `most_probable_next`.
    """
    stay, following, share = most_probable_next(lattice, matrix)
    figure, axes = map_figure(lattice, "Transitions", "arrows lead to the most probable next unit")
    cells = draw_units(axes, lattice, stay, low=0.0, high=1.0)
    places = lattice.positions
    for unit, (to, probability) in enumerate(zip(following.tolist(), share.tolist(), strict=True)):
        if to >= 0:
            line = {"arrowstyle": "-|>", "color": "#d55e00", "linewidth": 0.5 + 3.0 * probability}
            axes.annotate("", places[to], places[unit], arrowprops=line)
    colour_bar(figure, axes, cells, "probability to stay at the unit")
    return figure
