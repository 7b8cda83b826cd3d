"""Where a map starts, and what it chooses when nobody says: plane, first prototypes, grid and radius."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA

from somscope.errors import InputError
from somscope.maps.defaults import choose_grid, choose_radius, choose_units, parse_grid
from somscope.maps.initialise import initial_prototypes, principal_plane
from somscope.maps.lattice import Lattice
from somscope.maps.som import SOM


def example(n=400, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * np.linspace(5, 0.5, d) + 3


@pytest.mark.parametrize(("n", "d"), [(400, 6), (300, 290), (40, 500)])
def test_the_plane_is_that_of_principal_components(n, d):
    x = example(n, d)
    plane = principal_plane(x, None, None)
    pca = PCA(2).fit(x)
    np.testing.assert_allclose(plane.mean, x.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(plane.deviations, np.sqrt(pca.explained_variance_ * (n - 1) / n), rtol=1e-6)
    for direction, component, deviation in zip(
        plane.directions, pca.components_, plane.deviations, strict=True
    ):
        assert direction[np.abs(direction).argmax()] > 0
        sign = np.sign(direction @ component)
        np.testing.assert_allclose(direction, sign * component * deviation, atol=1e-5 * deviation)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d"), [(100, 30), (1500, 2000)])
def test_the_plane_of_a_sparse_sample_is_that_of_the_dense_one(n, d, weighted):
    x = sparse.random(n, d, 0.05, random_state=0, format="csr")
    x.data += 1
    x = sparse.csr_matrix(x @ sparse.diags(np.linspace(3, 1, d) ** 2))
    rng = np.random.default_rng(0)
    weights = rng.uniform(0, 2, n) if weighted else None
    scale = rng.uniform(0, 2, d) if weighted else None
    one, other = principal_plane(x, weights, scale), principal_plane(x.toarray(), weights, scale)
    np.testing.assert_allclose(one.deviations, other.deviations, rtol=1e-8)
    np.testing.assert_allclose(one.mean, other.mean, atol=1e-12)
    np.testing.assert_allclose(one.directions, other.directions, atol=1e-5)


def test_whole_weights_are_repetitions_and_gaps_count_as_means():
    x = example(60)
    weights = np.random.default_rng(1).integers(0, 3, 60)
    one = principal_plane(x, weights.astype(float), None)
    other = principal_plane(np.repeat(x, weights, axis=0), None, None)
    np.testing.assert_allclose(one.directions, other.directions, atol=1e-10)
    gapped = x.copy()
    gapped[::5, 1] = np.nan
    filled = np.where(np.isnan(gapped), np.nanmean(gapped, axis=0), gapped)
    np.testing.assert_allclose(
        principal_plane(gapped, None, None).directions,
        principal_plane(filled, None, None).directions,
        atol=1e-10,
    )


@pytest.mark.parametrize("size", [(3, 7), (7, 3), (1, 5), (5, 1), (1, 1)])
def test_the_lattice_is_laid_over_the_plane_with_its_longer_side_along_the_stronger_direction(size):
    x = example()
    plane = principal_plane(x, None, None)
    grid = initial_prototypes("pca", Lattice(*size), x, plane, np.random.default_rng(0)).reshape(*size, 6)
    np.testing.assert_allclose(grid.mean(axis=(0, 1)), plane.mean, atol=1e-9)
    longer, shorter = (grid[0, -1] - grid[0, 0], grid[-1, 0] - grid[0, 0])
    if size[0] > size[1]:
        longer, shorter = shorter, longer
    np.testing.assert_allclose(longer, 4 * plane.directions[0] * (max(size) > 1), atol=1e-9)
    np.testing.assert_allclose(shorter, 4 * plane.directions[1] * (min(size) > 1), atol=1e-9)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("how", ["random", "k-means++"])
def test_other_starts_are_items(how, form):
    x = example(100)
    plane = principal_plane(x, None, None)
    weights = np.ones(100)
    weights[:50] = 0
    start = initial_prototypes(how, Lattice(4, 5), form(x), plane, np.random.default_rng(0), weights)
    rows = [int(np.flatnonzero((x == m).all(axis=1))[0]) for m in start]
    assert min(rows) >= 50  # nothing of weight 0
    assert len(set(rows)) == 20
    again = initial_prototypes(how, Lattice(4, 5), form(x), plane, np.random.default_rng(0), weights)
    np.testing.assert_array_equal(again, start)


def test_a_given_start_is_copied():
    given = np.random.default_rng(0).standard_normal((4, 6))
    x = example()
    start = initial_prototypes(
        given, Lattice(2, 2), x, principal_plane(x, None, None), np.random.default_rng(0)
    )
    start += 1
    np.testing.assert_array_equal(given, np.random.default_rng(0).standard_normal((4, 6)))


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ("auto", None), ("20x15", (20, 15)), ("20X15", (20, 15)), ("4 * 5", (4, 5)), ("12", (1, 12)), (12, (1, 12)),
        (np.int64(3), (1, 3)), ((3, 4), (3, 4)), ([3, 4], (3, 4)),
    ],
    ids=str,
)  # fmt: skip
def test_grids_are_read(grid, expected):
    assert parse_grid(grid) == expected


@pytest.mark.parametrize(
    "grid", ["", "x", "3x", "3x4x5", "-3x4", "3.5x4", 0, -1, (0, 4), (3.0, 4), True, None, 2.5]
)
def test_what_is_no_grid_is_refused(grid):
    with pytest.raises(InputError, match="grid="):
        parse_grid(grid)


@given(
    st.integers(2, 10**7), st.floats(0, 100), st.floats(0, 100),
    st.sampled_from(["rectangular", "hexagonal"]), st.booleans(),
)  # fmt: skip
def test_a_chosen_grid_fits_the_items_and_makes_a_lattice(n, first, second, shape, toroidal):
    deviations = np.array([max(first, second), min(first, second)])
    rows, columns = choose_grid(n, deviations, shape, toroidal)
    lattice = Lattice(rows, columns, shape, toroidal)
    assert 1 <= lattice.n_units <= n
    assert lattice.n_units <= 1700
    if n > 1000:
        assert lattice.n_units == pytest.approx(min(1600, 5 * n**0.5), rel=0.2)
    first_radius, last_radius = choose_radius(lattice)
    assert first_radius >= last_radius > 0


@pytest.mark.parametrize(
    ("n", "units", "why"),
    [
        (2, 2, "the fewest units that make a map, for 2 items"),
        (4, 2, "at most 9 units, and half as many as items, for 4 items"),
        (30, 9, "at most 9 units"),
        (150, 30, r"one unit for every 5 of 150 items, where 5 sqrt\(n\) = 61 would leave many units empty"),
        (624, 124.8, "one unit for every 5"),
        (2000, 5 * 2000**0.5, r"about 5 sqrt\(n\) units for 2000 items"),
        (60_000, 5 * 60_000**0.5, r"about 5 sqrt\(n\) units"),
        (10**6, 1600, r"at most 1600 units, which a person can read, where 5 sqrt\(n\) = 5000"),
    ],
)
def test_the_number_of_units_names_the_rule_that_applied(n, units, why):
    chosen, reason = choose_units(n)
    assert chosen == pytest.approx(units)
    assert re.match(why, reason)


def test_small_collections_have_few_units_without_items():
    wine = load_wine().data
    for x in (
        load_iris().data,
        wine,
        (wine - wine.mean(axis=0)) / wine.std(axis=0),
        load_digits().data[:200],
    ):
        som = SOM(random_state=0).fit(x)
        assert som.chosen_["grid"].startswith(
            f"{som.lattice_.rows}x{som.lattice_.columns}: one unit for every 5"
        )
        dense = SOM(grid=(6, len(x) // 12), random_state=0).fit(x)
        empty, before = (np.mean(one.hits_ == 0) for one in (som, dense))
        assert empty < 0.15
        assert empty < before  # half as many units as items, as Vesanto's rule nearly gives
