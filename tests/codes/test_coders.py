"""The classical coders: against transcriptions, by what they learn, on disk, and by the rules of scikit-learn."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from sklearn.base import BaseEstimator, clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from somscope.codes import ITQ, LSH, PCAH, Coder, SpectralHashing, hamming_distances, unpack
from somscope.data.collection import Collection
from somscope.errors import InputError, RunError

CODERS = [LSH(random_state=1), PCAH(16), ITQ(16, n_iter=20, random_state=1), SpectralHashing(16)]
named = pytest.mark.parametrize("coder", CODERS, ids=lambda coder: coder.model_name)


@parametrize_with_checks([LSH(16, center=False), PCAH(8), ITQ(8, n_iter=3), SpectralHashing(8)])
def test_coder_keeps_every_rule_of_scikit_learn(
    estimator: BaseEstimator, check: Callable[[BaseEstimator], None]
) -> None:
    check(estimator)


def groups(n: int = 400, d: int = 40, k: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Items around k centres, and the number of the centre of each."""
    random = np.random.default_rng(seed)
    of = random.integers(k, size=n)
    return random.normal(size=(k, d))[of] * 2 + random.normal(size=(n, d)), of


def neighbours_alike(codes: np.ndarray, of: np.ndarray) -> float:
    """Mean share of the same group among the ten nearest codes of each item."""
    distances = hamming_distances(codes, codes).astype(float)
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :10]
    return float((of[nearest] == of[:, None]).mean())


@named
def test_codes_find_the_group_of_an_item(coder: Coder) -> None:
    x, of = groups()
    assert neighbours_alike(np.random.default_rng(0).integers(256, size=(400, 2), dtype=np.uint8), of) < 0.2
    found = clone(coder).fit(x).encode(x)
    assert found.shape == (400, coder.bits // 8)
    assert found.dtype == np.uint8
    assert neighbours_alike(found, of) > 0.6


@named
@pytest.mark.parametrize("on_disk", [False, True], ids=["in memory", "on disk"])
def test_of_many_items_some_evenly_spread_are_learned_from(
    coder: Coder, on_disk: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, _ = groups()
    few = x[np.linspace(0, 399, 100).astype(int)]
    wanted = clone(coder).fit(few)
    monkeypatch.setattr("somscope.codes.linear._LEARNED_FROM", few.nbytes)
    np.save(tmp_path / "x.npy", x)
    many = np.load(tmp_path / "x.npy", mmap_mode="r") if on_disk else x
    found = clone(coder).fit(many)
    if coder.model_name != "lsh":  # whose mean is that of all, and which learns nothing else
        np.testing.assert_array_equal(found.encode(x), wanted.encode(x))
    assert not np.array_equal(found.bit_means_, wanted.bit_means_)  # of all items


@named
def test_bits_are_the_signs_of_the_values(coder: Coder) -> None:
    x, _ = groups()
    fitted = clone(coder).fit(x)
    bits = unpack(fitted.encode(x), fitted.bits)
    assert np.array_equal(bits, fitted.project(x) >= 0)
    assert np.allclose(fitted.bit_means_, bits.mean(axis=0))
    assert fitted.effective_bits_ == fitted.bits
    assert fitted.warnings_ == []


def test_images_are_rows_of_their_pixels() -> None:
    images = np.random.default_rng(0).integers(256, size=(30, 5, 4, 3), dtype=np.uint8)
    fitted = ITQ(8, n_iter=3, random_state=0).fit(images)
    rows = (images.reshape(30, -1) / 255.0).astype(np.float32)
    for same in (rows, Collection("c", "images", images), torch.from_numpy(images)):
        assert np.array_equal(fitted.encode(same), fitted.encode(images))
    assert fitted.n_features_in_ == 60
    with pytest.raises(InputError, match="60 features"):
        fitted.encode(images[:, :2])


@named
def test_labels_change_nothing(coder: Coder) -> None:
    x, of = groups()
    one = clone(coder).set_params(random_state=3).fit(x)
    assert one.fingerprint == clone(coder).set_params(random_state=3).fit(x, of).fingerprint


def principal(x: np.ndarray, k: int) -> np.ndarray:
    values, vectors = np.linalg.eigh(np.cov(x, rowvar=False))
    return vectors[:, np.argsort(-values)][:, :k]


def test_pcah_is_the_signs_of_principal_components() -> None:
    x, _ = groups()
    expected = (x - x.mean(axis=0)) @ principal(x, 16) >= 0
    found = unpack(PCAH(16).fit(x).encode(x), 16)
    same = (found == expected).mean(axis=0)
    assert np.all(np.maximum(same, 1 - same) == 1)  # the sign of a direction is free


def test_lsh_differs_in_the_share_of_bits_that_is_the_angle() -> None:
    x = np.random.default_rng(0).normal(size=(6, 5))
    codes = LSH(4096, center=False, random_state=0).fit(x).encode(x)
    found = hamming_distances(codes, codes) / 4096
    for i in range(6):
        for j in range(6):
            cosine = x[i] @ x[j] / math.sqrt((x[i] @ x[i]) * (x[j] @ x[j]))
            assert found[i, j] == pytest.approx(math.acos(min(1, cosine)) / math.pi, abs=0.03)


def test_lsh_is_centred_unless_told() -> None:
    x = np.abs(np.random.default_rng(0).normal(size=(200, 6))) + 100
    assert np.abs(LSH(32, random_state=0).fit(x).bit_means_ - 0.5).max() < 0.3
    assert LSH(32, center=False, random_state=0).fit(x).effective_bits_ < 8


def test_itq_is_the_alternation_of_the_paper() -> None:
    x, _ = groups()
    coder = ITQ(8, n_iter=5, random_state=4).fit(x)
    start = ITQ(8, n_iter=0, random_state=4).fit(x)
    v = (x - x.mean(axis=0)) @ principal(x, 8)
    rotation = np.linalg.lstsq(v, start.project(x), rcond=None)[0]  # in our own basis of the principal space
    assert np.allclose(rotation @ rotation.T, np.eye(8), atol=1e-6)
    losses = []
    for _ in range(5):
        b = np.sign(v @ rotation)
        s, _, t = np.linalg.svd(b.T @ v)
        rotation = t.T @ s.T
        losses.append(np.mean((b - v @ rotation / np.sqrt(np.mean(v**2))) ** 2))
    assert np.allclose(coder.project(x), v @ rotation, atol=1e-6)
    assert np.allclose(coder.loss_, losses)


def test_itq_loses_less_with_each_step_and_less_than_pcah() -> None:
    x, _ = groups()
    losses = ITQ(16, n_iter=30, random_state=0).fit(x).loss_
    assert np.all(np.diff(losses) <= 1e-12)
    v = PCAH(16).fit(x).project(x)
    pcah = np.mean((np.where(v >= 0, 1, -1) - v / np.sqrt(np.mean(v**2))) ** 2)
    assert losses[-1] < 0.95 * losses[0]
    assert losses[-1] < 0.9 * pcah


def test_spectral_hashing_is_that_of_the_authors() -> None:
    """trainSH and compressSH in NumPy, item by item; eps as theirs."""
    x, _ = groups(n=60, d=12)
    x[:, 0] *= 5  # one direction far wider than the others, so that it gets several modes
    bits = 16
    v = (x - x.mean(axis=0)) @ principal(x, 12)
    low, high = v.min(axis=0) - 2e-16, v.max(axis=0) + 2e-16
    width = high - low
    most = [math.ceil((bits + 1) * w / width.max()) for w in width]
    modes = [(i, m) for i in range(12) for m in range(1, most[i])]
    modes = sorted(modes, key=lambda pair: (pair[1] * math.pi / width[pair[0]]) ** 2)[:bits]
    expected = [
        [math.sin(math.pi / 2 + (row[i] - low[i]) * m * math.pi / width[i]) > 0 for i, m in modes]
        for row in v
    ]
    found = unpack(SpectralHashing(bits).fit(x).encode(x), bits)
    assert max(np.bincount([i for i, _ in modes])) > 2
    same = (found == np.array(expected)).mean(axis=0)
    # Mirrored directions give the same bits for even modes and the opposite ones for odd modes.
    assert np.all(np.maximum(same, 1 - same) == 1)


@pytest.mark.parametrize("coder", [PCAH(16), SpectralHashing(16), ITQ(16, n_iter=5, random_state=0)])
def test_items_of_few_directions_leave_bits_without_a_meaning(
    coder: Coder, caplog: pytest.LogCaptureFixture
) -> None:
    x = np.random.default_rng(0).normal(size=(100, 3)) @ np.random.default_rng(1).normal(size=(3, 20))
    with caplog.at_level(logging.WARNING):
        fitted = clone(coder).fit(x)
    if isinstance(coder, PCAH):
        assert fitted.effective_bits_ == 3
        assert "13 of 16 bits are the same for all 100 training items: 3 effective bits" in caplog.text
        assert fitted.warnings_
        assert unpack(fitted.encode(x), 16)[:, 3:].sum() == 0
    else:  # several modes of a direction, and a rotation, give bits to all
        assert fitted.effective_bits_ == 16
        assert not caplog.records


@named
def test_items_that_are_all_the_same_have_no_effective_bit(coder: Coder) -> None:
    fitted = clone(coder).fit(np.full((10, 20), 0.1))
    assert fitted.effective_bits_ == 0


@named
@pytest.mark.parametrize("bits", [0, 12, "16"])
def test_bits_must_be_a_multiple_of_8(coder: Coder, bits: object) -> None:
    with pytest.raises(InputError, match="multiple of 8"):
        clone(coder).set_params(bits=bits).fit(groups()[0])


@named
def test_items_that_are_not_finite_are_named(coder: Coder) -> None:
    x, _ = groups()
    x[7, 3] = np.nan
    with pytest.raises(InputError, match=r"NaN or inf: 1 of 400 items do, the first in row 7"):
        clone(coder).fit(x)


def test_steps_of_itq_are_counted_from_zero() -> None:
    with pytest.raises(InputError, match="n_iter=-1"):
        ITQ(8, n_iter=-1).fit(groups()[0])


@named
def test_a_saved_coder_gives_the_same_codes(coder: Coder, tmp_path: Path) -> None:
    x, _ = groups()
    fitted = clone(coder).fit(x)
    again = type(coder).load(fitted.save(tmp_path))
    assert np.array_equal(again.encode(x), fitted.encode(x))
    assert again.fingerprint == fitted.fingerprint
    assert again.get_params() == fitted.get_params()
    assert np.array_equal(again.bit_means_, fitted.bit_means_)
    assert (again.effective_bits_, again.warnings_) == (fitted.effective_bits_, fitted.warnings_)
    assert getattr(again, "loss_", None) == getattr(fitted, "loss_", None)


def test_fingerprints_tell_coders_apart() -> None:
    x, _ = groups()
    fitted = [clone(c).fit(x) for c in CODERS] + [LSH(random_state=2).fit(x), LSH(8, random_state=1).fit(x)]
    assert len({coder.fingerprint for coder in fitted}) == len(fitted)
    assert LSH(random_state=1).fit(x).fingerprint == fitted[0].fingerprint


def _shorter(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-3])


def _edited(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_shorter, "holds no readable"),
        (lambda folder: (folder / "model.json").unlink(), "is missing"),
        (lambda folder: _edited(folder, fingerprint="00"), "fingerprint is not that"),
        (lambda folder: _edited(folder, model="itq"), "but a model 'itq'"),
        (lambda folder: _edited(folder, parameters={"bits": 16}), "bit_means_ for 16 bits"),
        (lambda folder: _edited(folder, parameters={"bits": 32, "nothing": 1}), "nothing"),
        (lambda folder: _edited(folder, fitted={"n_features_in_": 7}), "not a whole description"),
        (lambda folder: _edited(folder, fitted={"n_features_in_": 40, "fit": 1}), "no fitted attribute"),
    ],
)
def test_broken_files_are_refused(spoil: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    LSH(32, random_state=0).fit(groups()[0]).save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(RunError, match=message):
        LSH.load(tmp_path)


def test_files_hold_numbers_alone(tmp_path: Path) -> None:
    LSH(8, random_state=0).fit(groups()[0]).save(tmp_path)
    assert set(load_file(tmp_path / "model.safetensors")) == {"mean_", "components_", "kept.bit_means_"}
