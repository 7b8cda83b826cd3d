"""The P-matrix: how densely the items lie around each prototype (Ultsch 2003)."""

from __future__ import annotations

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from somscope.figures.units import colour_bar, draw_units, map_figure
from somscope.maps.lattice import Lattice

__all__ = ["p_matrix_figure"]


def p_matrix_figure(lattice: Lattice, density: ArrayLike) -> Figure:
    """One cell per unit: the number of items within the Pareto radius of its prototype. Bright units are dense.

    density: (K,) or (rows, columns), for example from `somscope.measures.p_matrix`.
    """
    figure, axes = map_figure(lattice, "P-matrix")
    cells = draw_units(axes, lattice, density)
    colour_bar(figure, axes, cells, "items within the Pareto radius of the prototype")
    return figure
