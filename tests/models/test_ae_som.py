"""AE-SOM: an autoencoder that stays, and two ways to a map of its codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.transcriptions import published_map_training
from somscope.errors import InputError
from somscope.maps.som import SOM
from somscope.models.ae_som import AESOM

QUICK = {
    "hidden": (16, 8),
    "latent_dim": 3,
    "batch_size": 30,
    "device": "cpu",
    "random_state": 0,
    "verbose": False,
}


def net_of(model):
    return [p.detach() for p in model.module_.net.parameters()]


def test_the_map_is_the_published_one_on_codes_that_stay(sheet):
    x = sheet[:100]
    model = AESOM(grid=(3, 4), legacy=True, pretrain_epochs=2, n_steps=9, **QUICK)
    phases = []
    make = model._phases
    model._phases = lambda *a: phases.extend(make(*a)) or phases
    model.fit(x)
    assert [phase.name for phase in phases] == ["autoencoder", "map"]
    codes = model.encode(x)
    wanted = published_map_training(codes, codes[phases[1].task.rows.numpy()], 4, 9, 30)
    np.testing.assert_allclose(model.prototypes_, wanted, atol=1e-6)
    longer = AESOM(grid=(3, 4), legacy=True, pretrain_epochs=2, n_steps=50, **QUICK).fit(x)
    for a, b in zip(net_of(model), net_of(longer), strict=True):
        assert torch.equal(a, b)
    assert not np.array_equal(model.prototypes_, longer.prototypes_)


def test_the_batch_rule_is_a_som_of_the_codes(sheet):
    model = AESOM(grid=(4, 4), method="batch", pretrain_epochs=3, final_radius=0.6, **QUICK).fit(sheet)
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    som = SOM(grid=(4, 4), radius=0.6, random_state=seed, device="cpu", verbose=False).fit(
        model.encode(sheet)
    )
    np.testing.assert_array_equal(model.prototypes_, som.prototypes_.astype(np.float32))
    assert np.mean(model.predict(sheet) == som.predict(model.encode(sheet))) > 0.99
    assert set(model.history_["phase"]) == {"autoencoder"}


@pytest.mark.parametrize("method", ["sgd", "batch"])
def test_it_learns(sheet, method):
    options = {"method": method, "grid": (4, 4), "temperature": (4.0, 1.0), "learning_rate": 0.01}
    few = AESOM(pretrain_epochs=1, n_steps=1, **{**QUICK, **options}).fit(sheet)
    many = AESOM(pretrain_epochs=20, n_steps=500, **{**QUICK, **options}).fit(sheet)
    errors = [np.square(m.decode(m.encode(sheet)) - sheet).mean() / sheet.var() for m in (few, many)]
    assert errors[0] > 0.1 > 0.02 > errors[1]
    assert few.topographic_error(sheet) > 0.05
    assert many.topographic_error(sheet) < 0.02
    assert many.hits_.all()


def test_pixels_are_not_looked_at_twice(pictures):
    """The codes are computed once, from bytes as from floats."""
    flat = (pictures.reshape(len(pictures), -1) / np.float32(255)).astype(np.float32)
    a, b = (AESOM(grid=(2, 2), pretrain_epochs=2, n_steps=10, **QUICK).fit(x) for x in (pictures, flat))
    np.testing.assert_allclose(a.prototypes_, b.prototypes_, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "both"}, "method='both' is not known; allowed: sgd, batch"),
        ({"pretrain_epochs": 0}, "pretrain_epochs=0"),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"final_radius": -1}, "final_radius=-1"),
        ({"batch_norm": "yes"}, "batch_norm='yes'; allowed: True or False"),
    ],
    ids=str,
)
def test_parameters_that_are_refused(sheet, options, message):
    with pytest.raises(InputError, match=message):
        AESOM(**{**QUICK, **options}).fit(sheet)
