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


@pytest.mark.parametrize("legacy", [True, False])
def test_a_map_of_a_trained_autoencoder_is_that_of_the_whole_training(sheet, tmp_path, legacy):
    x, how = sheet[:100], {"grid": (3, 4), "legacy": legacy, "n_steps": 9, **QUICK}
    whole = AESOM(pretrain_epochs=3, **how).fit(x)
    AESOM(pretrain_epochs=3, method="batch", **QUICK).fit(x).save(tmp_path / "ae")
    taken = AESOM(autoencoder=tmp_path / "ae", **how).fit(x)
    np.testing.assert_array_equal(taken.prototypes_, whole.prototypes_)
    np.testing.assert_array_equal(taken.encode(x), whole.encode(x))
    assert set(taken.history_["phase"]) == {"map"}
    batch = AESOM(autoencoder=str(tmp_path / "ae"), method="batch", **QUICK).fit(x)
    np.testing.assert_array_equal(batch.encode(x), whole.encode(x))
    taken.save(tmp_path / "map")
    (tmp_path / "ae" / "model.json").unlink()  # a saved map does not need it
    np.testing.assert_array_equal(AESOM.load(tmp_path / "map").transform(x), taken.transform(x))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latent_dim": 4}, "there, .*latent_dim and batch_norm must be those"),
        ({"hidden": (16,)}, "latent_dim and batch_norm must be those of this model"),
        ({"batch_norm": True}, "the network in .* does not fit"),
    ],
)
def test_an_autoencoder_of_other_sizes_is_refused(sheet, tmp_path, change, message):
    AESOM(pretrain_epochs=1, method="batch", **QUICK).fit(sheet).save(tmp_path)
    with pytest.raises(InputError, match=message):
        AESOM(**{**QUICK, **change}, autoencoder=tmp_path).fit(sheet)
    with pytest.raises(InputError, match="does not fit"):
        AESOM(**QUICK, autoencoder=tmp_path).fit(sheet[:, 1:])


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
        ({"autoencoder": 5}, "autoencoder=5; allowed: None or a folder"),
        ({"batch_norm": True, "batch_size": 599}, "leaves a batch of one of the 600 items"),
    ],
    ids=str,
)
def test_parameters_that_are_refused(sheet, options, message):
    with pytest.raises(InputError, match=message):
        AESOM(**{**QUICK, **options}).fit(sheet)
