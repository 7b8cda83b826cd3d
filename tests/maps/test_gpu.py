"""The GPU's items on the processor, where the same PyTorch code runs, and on a GPU where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from scipy.spatial.distance import cdist

from somscope import SOM
from somscope.errors import InputError
from somscope.maps import gpu
from somscope.maps.gpu import GPUItems, choose_device, on_device
from somscope.maps.inputs import as_items
from somscope.maps.items import DenseItems

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA GPU")
    ),
]


def _brute_force(x: np.ndarray, m: np.ndarray, metric: str, weights: np.ndarray | None) -> np.ndarray:
    """(n, K) distances in float64, by the formulas of DenseItems."""
    root = 1.0 if weights is None else np.sqrt(weights)
    a, b = np.float64(x) * root, np.float64(m) * root
    if metric == "euclidean":
        return cdist(a, b)
    return cdist(a, b, "cosine")


def _data(seed: int, dtype: type, n: int = 300, k: int = 40, d: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + 5.0
    m = x[rng.integers(n, size=k)] + 0.1 * rng.normal(size=(k, d))
    return x.astype(dtype), m.astype(dtype)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("weighted", [False, True])
def test_nearest_units_are_those_of_brute_force(
    device: str, dtype: type, metric: str, weighted: bool
) -> None:
    x, m = _data(0, dtype)
    weights = np.random.default_rng(1).random(x.shape[1]) if weighted else None
    units, distances = GPUItems(x, metric, weights, device=device).nearest(m, second=True)
    expected = _brute_force(x, m, metric, weights)
    np.testing.assert_array_equal(units, np.argsort(expected, axis=1, kind="stable")[:, :2])
    np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :2], rtol=1e-9, atol=1e-12)
    first, least = GPUItems(x, metric, weights, device=device).nearest(m)
    np.testing.assert_array_equal(first, units[:, :1])
    np.testing.assert_array_equal(least, distances[:, :1])


@given(
    hnp.arrays(np.float64, (12, 3), elements=st.integers(-3, 3).map(float)),
    hnp.arrays(np.float64, (9, 3), elements=st.integers(-3, 3).map(float)),
    st.floats(-1e6, 1e6),
)
def test_equal_distances_go_to_the_lower_unit_however_far_the_data_lie_from_0(
    x: np.ndarray, m: np.ndarray, shift: float
) -> None:
    whole = float(round(shift))  # sums of whole numbers are exact, so that ties are ties
    units, _ = GPUItems(x + whole, device="cpu").nearest(m + whole, second=True)
    expected = np.argsort(cdist(x, m, "sqeuclidean"), axis=1, kind="stable")[:, :2]
    np.testing.assert_array_equal(units, expected)


def test_units_closer_than_float32_can_tell_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    middle = rng.normal(size=(1, 50))
    m = middle + 1e-9 * rng.normal(size=(60, 50))
    x = m[rng.integers(60, size=200)] + 1e-11 * rng.normal(size=(200, 50))
    units, _ = GPUItems(np.concatenate([x, -x]), device="cpu").nearest(m)
    np.testing.assert_array_equal(units[:200, 0], cdist(x, m).argmin(axis=1))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("weighted", [False, True])
def test_totals_are_those_of_the_processor(device: str, metric: str, weighted: bool) -> None:
    x, m = _data(0, np.float32)
    weight = np.random.default_rng(2).random(len(x)) if weighted else None
    dense = DenseItems(x, metric, None, weight)
    own = GPUItems(x, metric, None, weight, device=device)
    units, _ = dense.nearest(m[:11])
    for got, expected in zip(
        own.totals(units, 13), dense.totals(units, 13), strict=True
    ):  # two units are empty
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(own.totals(units, 13)[0], own.totals(units, 13)[0])


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_some_of_the_items_answer_as_they_do_among_all(metric: str) -> None:
    x, m = _data(6, np.float32)
    weight = np.random.default_rng(2).random(len(x))
    rows = np.array([5, 3, 200, 201])
    items = GPUItems(x, metric, None, weight, device="cpu")
    part, expected = items.take(rows), DenseItems(x[rows], metric, None, weight[rows])
    np.testing.assert_array_equal(part.nearest(m)[0], items.nearest(m)[0][rows])
    units, _ = part.nearest(m)
    for got, wanted in zip(part.totals(units, len(m)), expected.totals(units, len(m)), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)
    assert items.n_items == len(x)


def test_small_blocks_give_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    x, m = _data(3, np.float32)
    weight = np.random.default_rng(2).random(len(x))
    whole = GPUItems(x, "cosine", None, weight, device="cpu")
    units, distances = whole.nearest(m, second=True)
    sums, totals = whole.totals(units, len(m))
    monkeypatch.setattr(gpu, "_BLOCK_BYTES", 20_000)
    parts = GPUItems(x, "cosine", None, weight, device="cpu")
    np.testing.assert_array_equal(parts.nearest(m, second=True)[0], units)
    np.testing.assert_allclose(parts.nearest(m, second=True)[1], distances, rtol=1e-12)
    np.testing.assert_allclose(parts.totals(units, len(m))[0], sums, rtol=1e-12)
    np.testing.assert_allclose(parts.totals(units, len(m))[1], totals, rtol=1e-12)


def test_constant_items_and_rows_of_zeros_have_units() -> None:
    units, distances = GPUItems(np.ones((5, 3)), device="cpu").nearest(np.array([[0.0, 0, 0], [1, 1, 1]]))
    assert units.ravel().tolist() == [1] * 5
    assert not distances.any()
    x = np.array([[0.0, 0.0], [1.0, 1.0]])
    theirs = DenseItems(x, "cosine").nearest(np.array([[1.0, 0.0], [1.0, 1.0]]))
    ours = GPUItems(x, "cosine", device="cpu").nearest(np.array([[1.0, 0.0], [1.0, 1.0]]))
    assert ours[0][1] == theirs[0][1] == 1  # a row of zeros is as far from every unit
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-12)


def test_precision_of_products_is_left_as_it_was() -> None:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        GPUItems(np.eye(3), device="cpu").nearest(np.eye(3))
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_without_a_product_are_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"NaN.*infinite"):
        GPUItems(np.array([[1.0, value], [0.0, 1.0]]), device="cpu")
    with pytest.raises(InputError, match="manhattan"):
        GPUItems(np.eye(2), "manhattan", device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_a_gpu_that_is_not_there_is_an_error_and_auto_does_without() -> None:
    x, _ = _data(0, np.float64)
    with pytest.raises(InputError, match=r"device='cuda': PyTorch sees no CUDA GPU.*'cpu' or 'auto'"):
        SOM(device="cuda").fit(x)
    assert SOM(device="auto", grid=(3, 3)).fit(x).device_ == "cpu"


def test_auto_takes_a_gpu_for_large_work_that_it_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (10**10, 10**10))
    x, _ = _data(0, np.float32)
    large = 10**7  # units
    dense = as_items(x, "euclidean")
    gaps = x.copy()
    gaps[0, 0] = np.nan
    assert choose_device("auto", dense, large) == "cuda"
    assert choose_device("auto", dense, 10) == "cpu"
    assert choose_device("cuda", dense, 10) == "cuda"
    assert choose_device("cpu", dense, large) == "cpu"
    for items, algorithm, reason in [
        (as_items(gaps, "euclidean"), "batch", "missing values"),
        (as_items(x, "manhattan"), "batch", "manhattan"),
        (as_items(sparse.csr_matrix(x), "euclidean"), "batch", "sparse"),
        (dense, "online", "online"),
    ]:
        assert choose_device("auto", items, large, algorithm) == "cpu"
        with pytest.raises(InputError, match=reason):
            choose_device("cuda", items, 10, algorithm)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (10**6, 10**10))
    assert choose_device("auto", dense, large) == "cpu"


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_training_on_the_items_of_a_gpu_gives_the_map_of_the_processor(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, _ = _data(4, np.float64)
    weight = np.random.default_rng(0).integers(0, 3, size=len(x))
    expected = SOM(grid=(4, 5), metric=metric, n_passes=6).fit(x, sample_weight=weight)
    monkeypatch.setattr("somscope.maps.fitting.on_device", lambda items, device: on_device(items, "meta_cpu"))
    monkeypatch.setattr(gpu, "GPUItems", lambda *given: GPUItems(*given[:4], device="cpu"))
    som = SOM(grid=(4, 5), metric=metric, n_passes=6).fit(x, sample_weight=weight)
    np.testing.assert_allclose(som.prototypes_, expected.prototypes_, rtol=1e-9)
    np.testing.assert_array_equal(som.labels_, expected.labels_)
    np.testing.assert_array_equal(som.predict(x), expected.predict(x))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA GPU")
def test_a_map_trained_on_a_gpu_is_that_of_the_processor() -> None:
    x, _ = _data(5, np.float32, n=5000)
    expected = SOM(grid=(10, 10), n_passes=8, device="cpu").fit(x)
    som = SOM(grid=(10, 10), n_passes=8, device="cuda").fit(x)
    assert som.device_ == "cuda"
    np.testing.assert_allclose(som.prototypes_, expected.prototypes_, rtol=1e-4)
    assert np.mean(som.labels_ == expected.labels_) > 0.999


@pytest.mark.parametrize("scale", [1e12, 1e25, 1e60, 1e160])
def test_prototypes_and_items_too_far_for_float32_are_measured(scale: float) -> None:
    x, m = _data(7, np.float64, n=100, k=9)
    m[4] *= scale
    x[17] = -x[17] * scale
    units, distances = GPUItems(x, device="cpu").nearest(m, second=True)
    expected = cdist(x, m)
    near = np.arange(len(x)) != 17
    np.testing.assert_array_equal(units[near], np.argsort(expected, axis=1, kind="stable")[near, :2])
    np.testing.assert_allclose(distances[near], np.sort(expected, axis=1)[near, :2], rtol=1e-9)
    if scale < 1e150:
        assert units[17, 0] == expected[17].argmin()


@pytest.mark.parametrize("radius", ["auto", (2.0, 0.5)])
def test_items_are_brought_to_the_gpu_once_and_organised_there(
    monkeypatch: pytest.MonkeyPatch, radius: object
) -> None:
    x, _ = _data(4, np.float32, n=3000)
    made, taken = [], []
    take = GPUItems.take

    def count(*given: object) -> GPUItems:
        made.append(given)
        return GPUItems(*given[:4], device="cpu")

    def draw(self: GPUItems, rows: np.ndarray) -> GPUItems:
        taken.append(len(rows))
        return take(self, rows)

    monkeypatch.setattr("somscope.maps.fitting.on_device", lambda items, device: on_device(items, "cuda"))
    monkeypatch.setattr(gpu, "GPUItems", count)
    monkeypatch.setattr(GPUItems, "take", draw)
    som = SOM(grid=(4, 5), n_passes=3, radius=radius, random_state=0).fit(x)
    assert len(made) == 1
    assert bool(taken) == (radius == "auto")
    monkeypatch.undo()
    expected = SOM(grid=(4, 5), n_passes=3, radius=radius, random_state=0).fit(x)
    np.testing.assert_allclose(som.prototypes_, expected.prototypes_, rtol=1e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_a_map_trained_on_a_gpu_is_of_use_without_one(tmp_path: Path) -> None:
    x, _ = _data(8, np.float32)
    som = SOM(grid=(3, 3), random_state=0).fit(x).set_params(device="cuda")  # as if one had trained it
    som.save(tmp_path / "map")
    units = som.labels_
    for one in (som, SOM.load(tmp_path / "map")):
        np.testing.assert_array_equal(one.predict(x), units)
        assert one.topographic_error(x) <= 1
        np.testing.assert_array_equal(one.impute(x), x)
        assert one.partial_fit(x[:20]).hits_.sum() == len(x) + 20
        with pytest.raises(InputError, match="device='cuda': PyTorch sees no CUDA GPU"):
            one.fit(x)
