"""Lattices of every kind."""

from __future__ import annotations

import pytest

from somscope.maps.lattice import Lattice

LATTICES = {
    "rectangular": Lattice(4, 6),
    "hexagonal": Lattice(5, 4, "hexagonal"),
    "rectangular torus": Lattice(4, 5, toroidal=True),
    "hexagonal torus": Lattice(4, 5, "hexagonal", toroidal=True),
    "chain": Lattice(1, 9),
    "upright hexagonal chain": Lattice(9, 1, "hexagonal"),
    "ring": Lattice(1, 9, toroidal=True),
    "one unit": Lattice(1, 1),
}


@pytest.fixture(params=list(LATTICES.values()), ids=list(LATTICES))
def lattice(request: pytest.FixtureRequest) -> Lattice:
    return request.param


@pytest.fixture
def draw():
    """Render a figure to pixels: layout problems and unknown glyphs come up as warnings, and so as errors."""
    import io

    import numpy as np
    from PIL import Image

    def render(figure, dpi: int = 40):
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=dpi)
        return np.asarray(Image.open(buffer).convert("RGB"))

    return render
