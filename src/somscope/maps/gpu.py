"""The items of a map on a GPU: the same best units as brute force in float64, from one float32 product.

With items and prototypes moved to the centre of the data and scaled to length about 1, the product gives

    score(i, k)  =  |m_k|^2 - 2 x_i . m_k  =  |x_i - m_k|^2 - |x_i|^2     up to u (d + 8) (|x_i| + |m_k|)^2,

u = 2^-24: a bound on the rounding of float32 in any order of summation (Higham 2002, 3.1; the rounding of the scaled
inputs is in the 8). Every unit whose score lies within twice the bound of the best is measured again in float64, mostly
one for each item. Sums by unit are taken in the order of the items, without atomic additions, so that two runs agree to
the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError, check_choice
from somscope.maps.items import METRICS, DenseItems, Items

if TYPE_CHECKING:
    import torch

__all__ = ["DEVICES", "GPUItems", "choose_device", "on_device"]

DEVICES = ("auto", "cpu", "cuda")
_BLOCK_BYTES = 256 * 2**20  # of scores, of gathered differences, of gathered columns: each at a time
_LEAST_WORK = (
    2e9  # items x units x features of a pass below which the CPU is done before the data has arrived
)
_ROUNDING = 2.0**-24
_FURTHEST = 1e9  # in root mean square norms of the items; beyond it float32 neither bounds nor holds a square

Units = NDArray[np.int32]
Floats = NDArray[np.float64]


def choose_device(requested: str, items: Items, n_units: int, algorithm: str = "batch") -> str:
    """ "cpu" or "cuda" for a device asked for.

    "auto" takes the GPU where PyTorch sees one, the items are dense and complete, the metric is "euclidean" or
    "cosine", the algorithm "batch", the items and their blocks fit into its free memory, and one pass is at least 2e9
    products (items x units x features). "cuda" insists: InputError where there is no GPU, or where it cannot do it.
    """
    check_choice("device", requested, DEVICES)
    if requested == "cpu":
        return "cpu"
    if requested == "auto" and items.n_items * items.n_features * n_units < _LEAST_WORK:
        return "cpu"
    import torch

    if not torch.cuda.is_available():
        if requested == "auto":
            return "cpu"
        raise InputError("device='cuda': PyTorch sees no CUDA GPU here; use device='cpu' or 'auto'")
    reason = _unsupported(items, algorithm)
    if reason is not None and requested == "cuda":
        raise InputError(f"device='cuda' cannot take {reason}; use device='cpu' or 'auto'")
    if reason is not None:
        return "cpu"
    if requested == "auto" and isinstance(items, DenseItems):
        free, _ = torch.cuda.mem_get_info()
        if items.x.nbytes + 4 * _BLOCK_BYTES > free:
            return "cpu"
    return "cuda"


def _unsupported(items: Items, algorithm: str) -> str | None:
    if algorithm != "batch":
        return f"algorithm={algorithm!r}"
    if not isinstance(items, DenseItems):
        return "sparse items"
    if items.missing:
        return "missing values (NaN)"
    if items.metric == "manhattan":
        return "metric='manhattan'"
    return None


def on_device(items: Items, device: str) -> Items:
    """Items on the device that `choose_device` named."""
    if device == "cpu" or not isinstance(items, DenseItems):
        return items
    return GPUItems(items.x, items.metric, items.feature_weights, items.sample_weight, device)


class GPUItems:
    """x: (n, d) float32 or float64 without missing values, kept on the device in its own precision.

    metric, feature_weights and sample_weight as in `items.DenseItems`; metric "euclidean" or "cosine".
    Memory on the device beyond x: about 1 GB, however many items and units there are.
    Raises InputError for other metrics, missing values and infinite ones.
    """

    def __init__(
        self,
        x: NDArray[np.floating],
        metric: str = "euclidean",
        feature_weights: Floats | None = None,
        sample_weight: Floats | None = None,
        device: str = "cuda",
    ) -> None:
        import torch

        check_choice("metric", metric, METRICS)
        if metric == "manhattan":
            raise InputError(
                "a GPU takes metric 'euclidean' or 'cosine': 'manhattan' is no product; use device='cpu'"
            )
        self.n_items, self.n_features = x.shape
        self.metric, self.sample_weight = metric, sample_weight
        self.device = torch.device(device)
        self.x = torch.tensor(x, device=self.device)
        if not bool(torch.isfinite(self.x).all()):
            raise InputError("a GPU takes neither missing (NaN) nor infinite values; use device='cpu'")
        self._columns: torch.Tensor | None = None
        if feature_weights is not None:
            self._columns = torch.tensor(np.sqrt(feature_weights), dtype=torch.float64, device=self.device)
        self._rows: torch.Tensor | None = None
        if metric == "cosine":
            norms = torch.cat([self._shaped(part).square().sum(dim=1).sqrt() for part in self._parts(8)])
            self._rows = torch.where(norms > 0, 1.0 / torch.where(norms > 0, norms, 1.0), 0.0)
        total = torch.zeros(self.n_features, dtype=torch.float64, device=self.device)
        for part in self._parts(8):
            total += self._shaped(part).sum(dim=0)
        self._centre = total / self.n_items
        norms = torch.cat(
            [(self._shaped(part) - self._centre).square().sum(dim=1) for part in self._parts(8)]
        )
        square = float(norms.sum())
        self._scale = float(np.sqrt(self.n_items / square)) if square > 0 and np.isfinite(square) else 1.0
        self._furthest = float(norms.max().sqrt()) * self._scale

    def nearest(self, prototypes: NDArray[np.floating], second: bool = False) -> tuple[Units, Floats]:
        """units (n, 1 or 2) and distances (n, 1 or 2) for prototypes (K, d); equal distances go to the lower unit."""
        import torch

        own = torch.tensor(np.asarray(prototypes, dtype=np.float64), device=self.device)
        if self._columns is not None:
            own = own * self._columns
        if self.metric == "cosine":
            norms = own.square().sum(dim=1, keepdim=True).sqrt()
            own = own / torch.where(norms > 0, norms, 1.0)
        centred = (own - self._centre) * self._scale
        squared = centred.square().sum(dim=1)
        factor = (-2.0 * centred).float().T.contiguous()
        longest = float(squared.max().sqrt())
        bounded = max(longest, self._furthest) < _FURTHEST  # otherwise every unit is measured
        found = 2 if second else 1
        units = np.empty((self.n_items, found), np.int32)
        distances = np.empty((self.n_items, found))
        with _full_precision():
            for part in self._parts(16 * len(own) // self.n_features + 24):
                shaped = self._shaped(part)
                code = (shaped - self._centre) * self._scale
                if bounded:
                    scores = torch.addmm(squared.float(), code.float(), factor)
                    length = code.square().sum(dim=1).sqrt() + longest
                    bound = _ROUNDING * (self.n_features + 8) * length.square()
                    best = _kth_least(scores, found)
                    limit = (best.double() + 2.0 * bound).float().nextafter(best.new_tensor(torch.inf))
                    near = scores <= limit[:, None]
                else:
                    near = torch.ones((len(code), len(own)), dtype=torch.bool, device=self.device)
                item, unit = near.nonzero(as_tuple=True)
                exact = self._measure(shaped, own, item, unit)
                for f in range(found):
                    least = exact.new_full((len(shaped),), torch.inf).scatter_reduce(0, item, exact, "amin")
                    first = torch.where(exact == least[item], unit, len(own))
                    winner = unit.new_full((len(shaped),), len(own)).scatter_reduce(0, item, first, "amin")
                    units[part, f] = winner.cpu().numpy()
                    distances[part, f] = least.cpu().numpy()
                    exact = torch.where(unit == winner[item], torch.inf, exact)
        return units, distances / 2.0 if self.metric == "cosine" else np.sqrt(distances)

    def totals(self, units: Units, n_units: int) -> tuple[Floats, Floats]:
        """Weighted sums (K, d) of the items of each unit and their weight (K, 1), in float64 and in item order."""
        import torch

        unit = torch.tensor(units[:, 0], device=self.device, dtype=torch.int64)
        _, order = torch.sort(unit, stable=True)
        lengths = torch.bincount(unit, minlength=n_units)
        weight = torch.ones(self.n_items, dtype=torch.float64, device=self.device)
        if self.sample_weight is not None:
            weight = torch.tensor(self.sample_weight, dtype=torch.float64, device=self.device)
        if self._rows is not None:  # cosine: the mean direction, not the mean
            weight = weight * self._rows
        weight = weight[order][:, None]
        sums = np.empty((n_units, self.n_features))
        width = max(1, _BLOCK_BYTES // (8 * self.n_items))
        for start in range(0, self.n_features, width):
            columns = self.x[:, start : start + width][order].double() * weight
            sums[:, start : start + width] = _by_segment(columns, lengths).cpu().numpy()
        return sums, _by_segment(weight, lengths).cpu().numpy()

    def take(self, rows: NDArray[np.integer]) -> GPUItems:
        """Some of the items, on the same device."""
        import torch

        part = copy(self)
        where = torch.tensor(rows, dtype=torch.int64, device=self.device)
        part.x, part.n_items = self.x[where], len(rows)
        part._rows = None if self._rows is None else self._rows[where]
        part.sample_weight = None if self.sample_weight is None else self.sample_weight[rows]
        return part

    def _parts(self, bytes_a_feature: int) -> Iterator[slice]:
        """Ranges of items whose work, at so many bytes for each feature of an item, fits into a block."""
        step = max(1, _BLOCK_BYTES // (max(bytes_a_feature, 8) * self.n_features))
        for start in range(0, self.n_items, step):
            yield slice(start, min(start + step, self.n_items))

    def _shaped(self, part: slice) -> torch.Tensor:
        """(b, d) what is compared, in float64: items times the roots of the feature weights, of length 1 for cosine."""
        shaped = self.x[part].double()
        if self._columns is not None:
            shaped = shaped * self._columns
        if self.metric == "cosine" and self._rows is not None:
            shaped = shaped * self._rows[part, None]
        return shaped

    def _measure(
        self, shaped: torch.Tensor, own: torch.Tensor, item: torch.Tensor, unit: torch.Tensor
    ) -> torch.Tensor:
        """(pairs,) squared distance of shaped[item] to own[unit] in float64."""
        import torch

        step = max(1, _BLOCK_BYTES // (16 * self.n_features))
        parts = [
            (shaped[item[start : start + step]] - own[unit[start : start + step]]).square().sum(dim=1)
            for start in range(0, len(item), step)
        ]
        return torch.cat(parts)


def _kth_least(scores: torch.Tensor, k: int) -> torch.Tensor:
    """(b,) the least (k = 1) or second least (k = 2) score of each row."""
    import torch

    least, where = scores.min(dim=1)
    if k == 1:
        return least
    return scores.scatter(1, where[:, None], torch.inf).amin(dim=1)


def _by_segment(rows: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """(K, m) sums of consecutive runs of rows (n, m), each added up in order."""
    import torch

    total: torch.Tensor = torch.segment_reduce(rows, "sum", lengths=lengths, axis=0, unsafe=True)
    return total


@contextmanager
def _full_precision() -> Iterator[None]:
    """float32 products in float32: no TF32, whose rounding the bound does not cover."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
