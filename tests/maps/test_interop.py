"""Maps of other libraries: against the real library where it is installed, and stand-ins in its layout where not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from somscope.errors import DataError, InputError
from somscope.maps.interop import from_minisom, from_sompy, read_somoclu

SIZES = [(4, 5), (4, 6), (5, 5), (5, 4), (1, 6), (6, 1), (2, 1), (1, 1)]
TOPOLOGIES = ["rectangular", "hexagonal"]


class MiniSomLayout:
    """What a MiniSom tells of itself: weights (x, y, d), and where its units lie."""

    def __init__(self, weights: np.ndarray, topology: str) -> None:
        n_x, n_y, _ = weights.shape
        self.weights, self.topology = weights, topology
        self.x, self.y = np.meshgrid(np.arange(n_x, dtype=float), np.arange(n_y, dtype=float))
        if topology == "hexagonal":
            self.x[::-2] -= 0.5  # every second row, counted from the last
            self.y *= np.sqrt(3) / 2

    def get_weights(self) -> np.ndarray:
        return self.weights

    def get_euclidean_coordinates(self) -> tuple[np.ndarray, np.ndarray]:
        return self.x.T, self.y.T


def _agrees(minisom: object, shape: tuple[int, int], weights: np.ndarray) -> None:
    """Each of its units is one of ours, and every two of them lie as far apart as ours."""
    som = from_minisom(minisom)
    place = som.predict(weights.reshape(-1, weights.shape[2]))
    assert sorted(place) == list(range(shape[0] * shape[1]))
    x, y = minisom.get_euclidean_coordinates()
    at = np.stack([x.ravel(), y.ravel()], axis=1)
    theirs = np.linalg.norm(at[:, None] - at[None], axis=2)
    np.testing.assert_allclose(som.lattice_.distances()[np.ix_(place, place)], theirs, atol=1e-9)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_units_of_a_minisom_layout_keep_their_distances(topology: str, shape: tuple[int, int]) -> None:
    weights = np.random.default_rng(0).normal(size=(*shape, 3))
    _agrees(MiniSomLayout(weights, topology), shape, weights)


def test_rectangular_minisom_counts_units_as_we_do() -> None:
    weights = np.random.default_rng(0).normal(size=(3, 5, 2))
    som = from_minisom(MiniSomLayout(weights, "rectangular"))
    assert (som.lattice_.rows, som.lattice_.columns) == (3, 5)
    assert som.predict(weights[2, 1][None])[0] == np.ravel_multi_index((2, 1), (3, 5))


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_real_minisom_gives_the_same_units_and_errors(topology: str, shape: tuple[int, int]) -> None:
    minisom = pytest.importorskip("minisom", reason="MiniSom is not installed")
    x = np.random.default_rng(1).normal(size=(60, 3))
    theirs = minisom.MiniSom(*shape, 3, sigma=0.5, topology=topology, random_seed=0)
    theirs.train(x, 200)
    _agrees(theirs, shape, theirs.get_weights())
    som = from_minisom(theirs)
    assert som.quantization_error(x) == pytest.approx(theirs.quantization_error(x), rel=1e-9)
    if topology == "rectangular" and min(shape) > 1:
        assert som.topographic_error(x) == pytest.approx(theirs.topographic_error(x))


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
def test_real_minisom_brings_its_distance(metric: str) -> None:
    minisom = pytest.importorskip("minisom", reason="MiniSom is not installed")
    theirs = minisom.MiniSom(3, 4, 5, sigma=0.5, activation_distance=metric, random_seed=0)
    som = from_minisom(theirs)
    x = np.random.default_rng(2).normal(size=(40, 5))
    assert som.metric == metric
    assert som.predict(x).tolist() == [np.ravel_multi_index(theirs.winner(row), (3, 4)) for row in x]


def test_minisom_distance_without_an_equal_is_refused_by_name() -> None:
    layout = MiniSomLayout(np.zeros((2, 2, 1)), "rectangular")
    layout._activation_distance = SimpleNamespace(__name__="_chebyshev_distance")
    with pytest.raises(InputError, match=r"'chebyshev'.*euclidean, cosine, manhattan"):
        from_minisom(layout)
    assert from_minisom(layout, metric="manhattan").metric == "manhattan"


def test_minisom_with_another_layout_is_refused() -> None:
    layout = MiniSomLayout(np.zeros((4, 4, 1)), "hexagonal")
    layout.y *= 1.2
    with pytest.raises(InputError, match="do not lie as on our hexagonal lattice"):
        from_minisom(layout)


def test_what_is_no_minisom_is_refused() -> None:
    with pytest.raises(InputError, match="dict is not a MiniSom"):
        from_minisom({})
    layout = MiniSomLayout(np.zeros((2, 3, 1)), "rectangular")
    layout.weights = np.zeros((6, 1))
    with pytest.raises(InputError, match=r"shape \(6, 1\)"):
        from_minisom(layout)
    layout.weights, layout.topology = np.zeros((2, 3, 1)), "spherical"
    with pytest.raises(InputError, match="rectangular, hexagonal"):
        from_minisom(layout)
    layout.weights, layout.topology = np.full((2, 3, 1), np.nan), "rectangular"
    with pytest.raises(InputError, match="not finite"):
        from_minisom(layout)


def _somoclu_text(table: np.ndarray) -> str:
    """As Somoclu's command line writes it: a blank after every number, the last one too."""
    rows, columns, features = table.shape
    lines = ["".join(f"{value:.10f} " for value in unit) for unit in table.reshape(-1, features)]
    return f"%{rows} {columns}\n%{features}\n" + "\n".join(lines) + "\n"


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=5),
        elements=st.floats(-1e3, 1e3, width=32),
    )
)
def test_somoclu_file_comes_back_as_it_was_written(table: np.ndarray) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.wts"
        path.write_text(_somoclu_text(table), encoding="utf-8")
        som = read_somoclu(path, toroidal=True)
    assert (som.lattice_.rows, som.lattice_.columns) == table.shape[:2]
    assert som.lattice_.toroidal
    np.testing.assert_allclose(som.prototypes_, table.reshape(-1, table.shape[2]), rtol=1e-6, atol=1e-9)


def test_esom_file_with_comments_and_a_third_header_is_read(tmp_path: Path) -> None:
    path = tmp_path / "esom.wts"
    path.write_text(
        "# ESOM Tools\n\n% 1 2\r\n% 3\n% 1 1 1\n0.5\t1e-3\t-2\n# in between\n1 2 3\n", encoding="utf-8"
    )
    som = read_somoclu(path)
    np.testing.assert_allclose(som.prototypes_, np.float32([[0.5, 1e-3, -2], [1, 2, 3]]))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not begin with"),
        ("1 2\n3 4\n", "does not begin with"),
        ("%2 2\n1 2\n", "does not begin with"),
        ("%2\n%2\n1 2\n", "does not begin with"),
        ("%0 2\n%2\n", "does not begin with"),
        ("%-1 2\n%2\n", "does not begin with"),
        ("%2 x\n%2\n", "does not begin with"),
        ("%" + "9" * 5000 + " 2\n%2\n", "does not begin with"),
        ("#\n" * 2000, "does not begin with"),
        ("%99999 99999\n%99999\n1\n", "more than it can hold"),
        ("%1 2\n%2\n", "not a whole codebook"),
        ("%1 2\n%2\n1 2\n", "holds 1 lines of 2 numbers"),
        ("%1 2\n%2\n1 2\n3 4\n5 6\n", "holds 3 lines of 2 numbers"),
        ("%1 2\n%2\n1 2\n3\n", "not a whole codebook"),
        ("%1 2\n%2\n1 2\n3 four\n", "four"),
        ("%1 2\n%2\n1 2\nnan nan\n", "unit 1 is not finite"),
    ],
)
def test_broken_codebook_files_are_refused_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "broken.wts"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=reason):
        read_somoclu(path)


def test_missing_binary_and_folder_in_place_of_a_codebook_are_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.wts").write_bytes(bytes(range(256)) * 100)
    for name in ("absent.wts", "binary.wts", "."):
        with pytest.raises(DataError, match="cannot be read"):
            read_somoclu(tmp_path / name)


def test_somoclu_codebook_in_memory_needs_no_file() -> None:
    somoclu = pytest.importorskip("somoclu", reason="Somoclu is not installed")
    from somscope import SOM

    x = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)
    theirs = somoclu.Somoclu(5, 4)  # columns, rows
    theirs.train(x, epochs=10)
    som = SOM.from_prototypes(theirs.codebook)
    column, row = theirs.bmus.T
    assert (som.lattice_.rows, som.lattice_.columns) == (4, 5)
    assert (
        np.mean(som.predict(x) == row * 5 + column) > 0.95
    )  # those bmus are of the pass before the last update


def _sompy(rows: int, columns: int, lattice: str) -> SimpleNamespace:
    matrix = np.random.default_rng(0).normal(size=(rows * columns, 4))
    return SimpleNamespace(codebook=SimpleNamespace(matrix=matrix, mapsize=[rows, columns], lattice=lattice))


def _sompy_positions(rows: int, columns: int) -> np.ndarray:
    """Where SOMPY puts the units of a hexagonal map: (i * 1.5, sqrt(2/3) (2 j + [i even]))."""
    i, j = np.divmod(np.arange(rows * columns), columns)
    return np.stack([1.5 * i, np.sqrt(2 / 3) * (2 * j + (1 + i) % 2)], axis=1)


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (5, 5), (1, 4)])
def test_hexagons_of_sompy_keep_their_neighbours(shape: tuple[int, int]) -> None:
    theirs = _sompy(*shape, "hexa")
    som = from_sompy(theirs)
    place = som.predict(theirs.codebook.matrix)
    at = _sompy_positions(*shape)
    gaps = np.linalg.norm(at[:, None] - at[None], axis=2)
    neighbours = (gaps > 0) & (gaps < 1.8)  # 1.63 along a row, 1.71 between rows, then 2.8
    np.testing.assert_array_equal(som.lattice_.adjacency()[np.ix_(place, place)], neighbours)


def test_sompy_map_codebook_and_matrix_are_the_same() -> None:
    theirs = _sompy(3, 4, "rect")
    maps = [from_sompy(theirs), from_sompy(theirs.codebook), from_sompy(theirs.codebook.matrix, (3, 4))]
    for som in maps:
        np.testing.assert_array_equal(som.prototypes_, theirs.codebook.matrix)
        assert (som.lattice_.rows, som.lattice_.columns, som.lattice_.shape) == (3, 4, "rectangular")


def test_what_is_no_trained_sompy_map_is_refused() -> None:
    theirs = _sompy(3, 4, "rect")
    with pytest.raises(InputError, match="needs \\(rows, columns\\)"):
        from_sompy(theirs.codebook.matrix)
    with pytest.raises(InputError, match="rect, hexa"):
        from_sompy(theirs.codebook.matrix, (3, 4), "triangular")
    with pytest.raises(InputError, match="13x4"):
        from_sompy(theirs.codebook.matrix, (13, 4))
    theirs.codebook.matrix = np.asarray(theirs.codebook.mapsize)  # what SOMPY holds before training
    with pytest.raises(InputError, match="trained"):
        from_sompy(theirs)
