"""SGD-SOM: the published loop, what it learns, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from models.transcriptions import published_map_training
from somscope.errors import InputError
from somscope.models.sgd_som import SGDSOM

QUICK = {"device": "cpu", "random_state": 0, "verbose": False}


def test_legacy_is_the_published_training(sheet):
    x = sheet[:100]  # 4 batches, the last one short
    model = SGDSOM(grid=(3, 4), legacy=True, n_steps=9, batch_size=30, **QUICK)
    phases = []
    make = model._phases
    model._phases = lambda *a: phases.extend(make(*a)) or phases
    model.fit(x)
    rows = phases[0].task.rows.numpy()
    wanted = published_map_training(x, x[rows], 4, 9, 30)
    np.testing.assert_allclose(model.prototypes_, wanted, atol=1e-6)


def test_it_follows_the_items(sheet):
    few, many = (
        SGDSOM(grid=(5, 5), n_steps=n, batch_size=64, learning_rate=0.03, temperature=(5, 0.5), **QUICK).fit(
            sheet
        )
        for n in (1, 400)
    )
    assert few.topographic_error(sheet) > 0.5
    assert many.topographic_error(sheet) < 0.05
    assert many.quantization_error(sheet) < 0.8 * few.quantization_error(sheet)
    np.testing.assert_array_equal(many.encode(sheet), sheet)
    np.testing.assert_array_equal(many.decoded_prototypes_, many.prototypes_)


def test_moving_the_items_moves_the_map(sheet):
    """An invariance: distances do not know where the origin is."""
    a, b = (SGDSOM(grid=(3, 3), n_steps=50, **QUICK).fit(x) for x in (sheet, sheet + np.float32(0.5)))
    np.testing.assert_allclose(a.prototypes_ + 0.5, b.prototypes_, atol=2e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": 0}, "at least 1"),
        ({"n_steps": 0}, "n_steps=0"),
        ({"learning_rate": 0.0}, "learning_rate=0.0; allowed: a number above 0"),
        ({"legacy": 1}, "legacy=1; allowed: True or False"),
        ({"legacy": True, "toroidal": True}, "rectangular lattices"),
        ({"temperature": (0.0, 0.0)}, "ends above 0"),
    ],
    ids=str,
)
def test_parameters_that_are_refused(sheet, options, message):
    with pytest.raises(InputError, match=message):
        SGDSOM(**{**QUICK, **options}).fit(sheet)
