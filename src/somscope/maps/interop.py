"""Maps that other libraries have trained: MiniSom objects, Somoclu's and SOMPY's codebooks, as a fitted `SOM`.

No library is imported and no code of a file is executed. Units keep their neighbours: where another library lays out
its lattice differently, rows and columns are swapped or mirrored, and each function says how. The prototypes are in the
units of the data that the library saw: scale new items in the same way before `predict`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.errors import DataError, InputError, check_choice
from somscope.maps.items import METRICS
from somscope.maps.lattice import Lattice
from somscope.maps.som import SOM

__all__ = ["from_minisom", "from_sompy", "read_somoclu"]

_LARGEST_FILE = 2**30  # bytes of text; in memory at most four times as much
_MOST_HEADERS = 1000  # lines before the first row of numbers
_LONGEST_HEADER = 10_000  # characters
_MOST_CHECKED = 400  # units whose distances on the two lattices are compared
_MINISOM_METRICS = {f"_{name}_distance": name for name in METRICS}


def from_minisom(minisom: Any, metric: str | None = None) -> SOM:
    """A fitted SOM from a `minisom.MiniSom` (or anything with its get_weights(), topology and Euclidean coordinates).

    Rectangular: MiniSom's unit (i, j) is row i, column j. Hexagonal: MiniSom counts x first, so that unit (i, j) lies
    in row j and column i, counted from the other end where its even rows are the shifted ones. metric: by default the
    distance that the object was made with.
    Raises InputError for an object of another kind, for a distance or topology without an equal here, and for
    a codebook that is not finite.
    """
    try:
        weights = np.array(minisom.get_weights())
        topology = str(minisom.topology)
        x, y = (np.asarray(axis, dtype=np.float64) for axis in minisom.get_euclidean_coordinates())
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{type(minisom).__name__} is not a MiniSom: {error}") from None
    if weights.ndim != 3 or x.shape != weights.shape[:2] or y.shape != weights.shape[:2]:
        raise InputError(f"the weights have shape {weights.shape}; a MiniSom's have (x, y, features)")
    check_choice("topology of the MiniSom", topology, ("rectangular", "hexagonal"))
    if metric is None:
        metric = _minisom_metric(minisom)
    if topology == "hexagonal":
        weights, x, y = (axis.swapaxes(0, 1) for axis in (weights, x, y))
        if x[0, 0] > x[-1, 0] or (len(x) > 1 and x[0, 0] > x[1, 0]):  # even rows are the shifted ones
            weights, x, y = (axis[:, ::-1] for axis in (weights, x, y))
    lattice = Lattice(weights.shape[0], weights.shape[1], topology)
    _check_neighbours(lattice, np.stack([x.ravel(), y.ravel()], axis=1))
    return SOM.from_prototypes(weights, lattice, metric=metric)


def read_somoclu(path: str | Path, *, toroidal: bool = False) -> SOM:
    """A fitted SOM from a text codebook (.wts) of Somoclu's command line or of the Databionic ESOM Tools.

    Comments begin with "#"; the first line that begins with "%" gives rows and columns, the second the number of
    features, further ones are ignored; then one line of numbers for each unit, row by row. The file does not say
    whether the map is toroidal. A codebook in Python needs no file: `SOM.from_prototypes(somoclu.codebook)`.
    A hexagonal Somoclu map cannot be taken over: its training loses the half step between rows to whole numbers, so
    that its units are not the neighbours that a hexagonal lattice has.
    Raises DataError for a file that is missing, too large, broken, incomplete or not finite, and says where.
    """
    path = Path(path)
    rows, columns, features = _read_header(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy warns of a file without numbers
        try:
            table = np.loadtxt(path, dtype=np.float32, comments=("#", "%"), ndmin=2, encoding="utf-8")
        except (ValueError, UserWarning, OSError) as error:
            raise DataError(f"{path} is not a whole codebook: {error}") from None
    if table.shape != (rows * columns, features):
        raise DataError(
            f"{path} announces {rows}x{columns} units with {features} features, but holds "
            f"{table.shape[0]} lines of {table.shape[1]} numbers"
        )
    broken = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(broken):
        raise DataError(
            f"{path}: the prototype of unit {broken[0]} is not finite, nor those of {len(broken) - 1} others; "
            f"the map was not trained to an end"
        )
    return SOM.from_prototypes(table, Lattice(rows, columns, "rectangular", toroidal))


def from_sompy(sompy: Any, mapsize: tuple[int, int] | None = None, lattice: str = "rect") -> SOM:
    """A fitted SOM from a SOMPY map, its codebook, or the matrix (units, features) of a codebook.

    mapsize: (rows, columns), needed with a bare matrix; lattice: "rect" or "hexa"; an object says both itself.
    SOMPY shifts the even rows of a hexagonal map, we the odd ones: its columns are counted from the other end here.
    (Its rows lie 6% further apart than those of even hexagons; who is whose neighbour is the same.) Its prototypes are
    of normalized data: with the default normalization="var", in standard deviations from the mean.
    Raises InputError for what is not such a map, or was not trained.
    """
    codebook = getattr(sompy, "codebook", sompy)
    matrix = np.array(getattr(codebook, "matrix", codebook))
    mapsize = getattr(codebook, "mapsize", mapsize)
    lattice = str(getattr(codebook, "lattice", lattice))
    check_choice("lattice of the SOMPY map", lattice, ("rect", "hexa"))
    if mapsize is None or len(mapsize) != 2:
        raise InputError(f"mapsize={mapsize!r}; a matrix needs (rows, columns)")
    rows, columns = (int(side) for side in mapsize)
    if matrix.ndim != 2 or len(matrix) != rows * columns or not np.issubdtype(matrix.dtype, np.number):
        raise InputError(
            f"the codebook has shape {matrix.shape}; needed: ({rows * columns}, features) for a {rows}x{columns} map "
            f"(is the SOMPY map trained?)"
        )
    grid = matrix.reshape(rows, columns, -1)
    if lattice == "rect":
        return SOM.from_prototypes(grid)
    return SOM.from_prototypes(grid[:, ::-1], "hexagonal")


def _minisom_metric(minisom: Any) -> str:
    """The distance by the name of the method that MiniSom keeps; Euclidean where it keeps none."""
    method = getattr(minisom, "_activation_distance", None)
    if method is None:
        return "euclidean"
    name = str(getattr(method, "__name__", method))
    if name not in _MINISOM_METRICS:
        raise InputError(
            f"activation_distance {name.removeprefix('_').removesuffix('_distance')!r} of the MiniSom has no equal "
            f"here; give metric= one of {', '.join(METRICS)}"
        )
    return _MINISOM_METRICS[name]


def _check_neighbours(lattice: Lattice, positions: NDArray[np.float64]) -> None:
    """InputError unless the units, at positions (K, 2), are as far from each other as on the lattice."""
    units = np.unique(np.linspace(0, lattice.n_units - 1, _MOST_CHECKED).astype(np.int64))
    theirs = positions[units]
    delta = theirs[:, None] - theirs[None]
    ours = lattice.squared_distances(units)[:, units]
    if not np.allclose(np.sum(delta**2, axis=2), ours, rtol=1e-6, atol=1e-6):
        raise InputError(
            f"the units of this {lattice.rows}x{lattice.columns} {lattice.shape} map do not lie as on our "
            f"{lattice.shape} lattice, so their neighbours would be others; layouts that are taken over: a rectangular "
            f"grid with steps of 1, and hexagons with every second row shifted by half a step"
        )


def _read_header(path: Path) -> tuple[int, int, int]:
    """Rows, columns and features from the two lines that begin with "%"."""
    found: list[list[str]] = []
    try:
        size = path.stat().st_size
        if size > _LARGEST_FILE:
            raise DataError(f"{path} has {size} bytes; a codebook of at most {_LARGEST_FILE} is read")
        with path.open(encoding="utf-8") as file:
            for _ in range(_MOST_HEADERS):
                line = file.readline(_LONGEST_HEADER)
                if line.startswith("%"):
                    found.append(line[1:].split())
                if len(found) == 2 or not line or (line.strip() and line[0] not in "#%"):
                    break
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    numbers = [
        int(word) if len(word) < 10 and word.isascii() and word.isdigit() else 0
        for words in found
        for word in words
    ]
    if [len(words) for words in found] != [2, 1] or min(numbers) < 1:
        raise DataError(
            f'{path} does not begin with "%rows columns" and "%features" (whole numbers from 1), as a codebook does'
        )
    rows, columns, features = numbers
    if rows * columns * features > _LARGEST_FILE // 2:
        raise DataError(
            f"{path} announces {rows}x{columns} units with {features} features: more than it can hold"
        )
    return rows, columns, features
