"""Neighbourhoods: values against a transcription, tensors against arrays, and smoothing against the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st

from maps.transcriptions import strength
from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.maps.neighbourhood import NEIGHBOURHOODS, neighbourhood, smooth


@given(st.sampled_from(NEIGHBOURHOODS), st.floats(0, 40), st.floats(0.1, 30))
def test_values_are_those_of_the_formula(name, distance, radius):
    assume(abs(distance - radius) > 1e-9)  # where rounding decides on which side of an edge it lies
    assert neighbourhood(name, distance**2, radius) == pytest.approx(
        strength(name, distance, radius), abs=1e-12
    )


@pytest.mark.parametrize("name", NEIGHBOURHOODS)
@pytest.mark.parametrize("radius", [0.0, 0.5, 3.0])
def test_the_unit_itself_has_strength_one_and_radius_0_leaves_it_alone(name, radius):
    squared = Lattice(4, 4).squared_distances()
    h = neighbourhood(name, squared, radius)
    assert (h.diagonal() == 1).all()
    if radius == 0:
        np.testing.assert_array_equal(h, np.eye(16))


@pytest.mark.parametrize("name", NEIGHBOURHOODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_and_arrays_give_the_same(name, dtype):
    squared = Lattice(5, 4, "hexagonal").squared_distances()
    tensor = neighbourhood(name, torch.as_tensor(squared, dtype=dtype), 2.1)
    assert tensor.dtype == dtype
    np.testing.assert_allclose(tensor.numpy(), neighbourhood(name, squared, 2.1), atol=1e-6)


@example("gaussian", 1, 4, "hexagonal", False, 1.0)
@example("gaussian", 1, 1, "hexagonal", True, 1.0)
@example("gaussian", 2, 1, "hexagonal", True, 1.0)
@example("gaussian", 5, 3, "hexagonal", False, 1.0)
@given(
    st.sampled_from(["gaussian", "cut-gaussian", "bubble", "epanechnikov"]),
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from(["rectangular", "hexagonal"]),
    st.booleans(),
    st.sampled_from([0.0, 0.3, 1.0, 2.5, 20.0]),
)
def test_smoothing_is_the_product_with_the_whole_matrix(name, rows, columns, shape, toroidal, radius):
    assume(not (shape == "hexagonal" and toroidal and rows % 2 and rows > 1))
    lattice = Lattice(rows, columns, shape, toroidal)
    values = np.random.default_rng(rows * 10 + columns).standard_normal((lattice.n_units, 3))
    expected = neighbourhood(name, lattice.squared_distances(), radius) @ values
    np.testing.assert_allclose(smooth(lattice, name, radius, values), expected, rtol=1e-12, atol=1e-12)


def test_smoothing_in_several_blocks_of_rows_is_the_product_with_the_whole_matrix():
    lattice = Lattice(40, 40)
    values = np.random.default_rng(0).standard_normal((1600, 2))
    expected = neighbourhood("bubble", lattice.squared_distances(), 3.0) @ values
    np.testing.assert_allclose(smooth(lattice, "bubble", 3.0, values), expected, atol=1e-12)


def test_smoothing_leaves_its_input_alone():
    values = np.ones((9, 2))
    smooth(Lattice(3, 3), "gaussian", 0.0, values)[:] = 5
    smooth(Lattice(3, 3), "gaussian", 1.0, values)[:] = 5
    assert (values == 1).all()


def test_what_is_no_neighbourhood_is_refused():
    with pytest.raises(
        InputError, match="allowed: gaussian, cut-gaussian, bubble, epanechnikov, mexican-hat"
    ):
        neighbourhood("square", np.zeros(1), 1.0)
    for radius in (-1.0, float("nan")):
        with pytest.raises(InputError, match="0 or more"):
            neighbourhood("gaussian", np.zeros(1), radius)
