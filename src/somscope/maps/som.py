"""The classic self-organizing map as a scikit-learn estimator (Kohonen 1982, 2001): for users; the pieces lie beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from somscope.errors import InputError, check_choice
from somscope.maps.batch import BlockItems, Schedule, Trained, sweep, train_batch, updated
from somscope.maps.decay import Decay, schedule
from somscope.maps.defaults import choose_grid, choose_passes, choose_radius, parse_grid
from somscope.maps.initialise import Plane, initial_prototypes, principal_plane
from somscope.maps.inputs import as_items, as_matrix, checked_weights
from somscope.maps.items import METRICS, Items
from somscope.maps.lattice import Lattice
from somscope.maps.neighbourhood import NEIGHBOURHOODS
from somscope.maps.online import train_online

__all__ = ["ALGORITHMS", "SOM"]

ALGORITHMS = ("batch", "online")
_SAMPLE = 2048  # items that the grid, the plane and the first prototypes are chosen from
_BLOCK_BYTES = 64 * 2**20  # a memory-mapped array is read in blocks of this size

Floats = NDArray[np.float64]


class SOM(ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A self-organizing map: K prototypes on a lattice, so that neighbouring units hold similar items.

    Parameters
    ----------
    grid: "auto" (about 5 sqrt(n) units, sides by the data's shape), "20x20", (rows, columns), or a number for a chain.
    lattice: "rectangular" or "hexagonal"; toroidal joins opposite edges.
    neighbourhood: "gaussian", "cut-gaussian", "bubble", "epanechnikov", or "mexican-hat" (online only).
    radius: "auto", (first, last) or one number, in lattice steps; radius_decay: "exponential", "linear", "inverse",
        "asymptotic" or a function (t in 0..1, first, last) -> radius.
    algorithm: "batch" (all items in each pass) or "online" (item by item, with learning_rate and its decay).
    n_passes: looks at the whole collection; "auto" adds passes at the last radius until the error settles.
    init: "pca", "random", "k-means++" or an array (K, d).
    metric: "euclidean", "cosine" or "manhattan" (the batch rule takes means under all three).
    feature_weights: (d,) weight of each feature in the distance.
    n_clusters: merge the units into so many groups of neighbours (Ward on the lattice); labels_ and predict are then
        these groups, as scikit-learn wants it, and best_units gives the units.
    tol: with n_passes="auto", stop when the error falls by less than this share of itself in a pass.
    device: "auto" and "cpu" use compiled CPU code; "cuda" the GPU. random_state: seed of random starts and orders.
    verbose: True shows a progress bar, False none; None shows one on a terminal.

    NaN marks a missing value: distances are taken over what was observed. SciPy CSR matrices are never made dense.

    Attributes
    ----------
    prototypes_ (K, d); lattice_; labels_ (n,) best unit of each training item, or its cluster with n_clusters;
    hits_ (K,) items of each unit; u_matrix_ (rows, columns) mean distance of a unit's prototype to its neighbours'; inertia_ mean distance of the
    training items to their best units; n_iter_ passes made; stop_reason_; history_ {"pass", "radius",
    "quantization_error", "moved", "seconds"}; chosen_ {what: why} of everything that was chosen from the data;
    unit_clusters_ (K,) with n_clusters; n_features_in_.

    >>> som = SOM(grid=(10, 10), lattice="hexagonal").fit(X)
    >>> som.predict(X)
    """

    def __init__(
        self,
        grid: str | int | tuple[int, int] = "auto",
        lattice: str = "rectangular",
        *,
        toroidal: bool = False,
        neighbourhood: str = "gaussian",
        radius: str | float | tuple[float, float] = "auto",
        radius_decay: Decay = "exponential",
        algorithm: str = "batch",
        n_passes: str | int = "auto",
        learning_rate: tuple[float, float] = (0.5, 0.01),
        learning_rate_decay: Decay = "exponential",
        init: str | NDArray[np.floating] = "pca",
        metric: str = "euclidean",
        feature_weights: ArrayLike | None = None,
        n_clusters: int | None = None,
        tol: float = 1e-3,
        device: str = "auto",
        random_state: Any = None,
        verbose: bool | None = None,
    ) -> None:
        self.grid = grid
        self.lattice = lattice
        self.toroidal = toroidal
        self.neighbourhood = neighbourhood
        self.radius = radius
        self.radius_decay = radius_decay
        self.algorithm = algorithm
        self.n_passes = n_passes
        self.learning_rate = learning_rate
        self.learning_rate_decay = learning_rate_decay
        self.init = init
        self.metric = metric
        self.feature_weights = feature_weights
        self.n_clusters = n_clusters
        self.tol = tol
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    # Training

    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> SOM:
        """Train on (n, d) items: an array, tensor, CSR matrix, collection, or memory-mapped array of any size.

        y is ignored: labels never reach a map. sample_weight: (n,), where 2 counts an item twice and 0 leaves it out.
        Ctrl-C returns the map so far, with stop_reason_ "interrupted".
        Raises InputError for what cannot be mapped, and says where it lies.
        """
        self._check_choices()
        if isinstance(X, np.memmap):
            if sample_weight is not None:
                raise InputError(
                    "a memory-mapped array is streamed and takes no sample_weight; load it for weights"
                )
            return self.fit_blocks(_MappedBlocks(X))
        X = self._validated(X, reset=True)
        weight = checked_weights(sample_weight, X.shape[0], "sample_weight", "item")
        if weight is not None and (weight == 0).any():
            kept = weight > 0
            return self._fit(X[kept], weight[kept], original=X)
        return self._fit(X, weight, original=X)

    def _fit(self, X: Any, weight: Floats | None, original: Any) -> SOM:
        items = self._items(X, weight)
        _refuse_sameness(X)
        rows = np.unique(np.linspace(0, X.shape[0] - 1, _SAMPLE).astype(np.int64))
        sample = np.asarray(X[rows].toarray() if hasattr(X, "toarray") else X[rows], dtype=np.float64)
        n_items = X.shape[0] if weight is None or (weight % 1 != 0).any() else int(weight.sum())
        start = self._start(sample, None if weight is None else weight[rows], n_items)
        self._keep(self._train(items, start, X.dtype), X.dtype)
        units, distances = items.nearest(self.prototypes_)
        self.hits_ = np.bincount(units[:, 0], minlength=self.lattice_.n_units)
        self.inertia_ = float(np.average(distances[:, 0], weights=weight))
        self._describe_units()
        if original is not X:  # items of weight 0 have a unit, too
            units, _ = self._items(original, None).nearest(self.prototypes_)
        self.labels_ = self._labels(units[:, 0])
        return self

    def fit_blocks(self, blocks: Iterable[NDArray[np.floating]]) -> SOM:
        """Train on a collection larger than memory, given as blocks (n_b, d), in the memory of one block.

        A list, a sequence or any object that can be iterated again is read once for every pass. An iterator can be
        read only once: its first block shapes the map as `fit` does and the following ones refine it (`partial_fit`).
        There are no labels_ (predict block by block); hits_ counts all items.
        """
        self._check_choices()
        if self.algorithm != "batch":
            raise InputError("algorithm='online' takes one array; blocks need algorithm='batch'")
        if isinstance(blocks, Iterator):
            first = next(blocks, None)
            if first is None:
                raise InputError("the iterator is empty: there is nothing to map")
            self.__dict__.pop("prototypes_", None)
            self.partial_fit(first)
            for block in blocks:
                self.partial_fit(block)
            return self
        sample, n_items, dtype = _block_sample(blocks)
        self._validated(sample, reset=True)
        _refuse_sameness(sample)
        start = self._start(sample.astype(np.float64), None, n_items)
        items = BlockItems(blocks, self.metric, self._feature_weights(), dtype)
        self._keep(self._train(items, start, dtype), dtype)
        last = sweep(items, self.prototypes_)
        self.hits_ = np.zeros(self.lattice_.n_units, np.int64)
        for block in items.dense(self.lattice_.n_units):
            self.hits_ += np.bincount(block.nearest(self.prototypes_)[0][:, 0], minlength=len(self.hits_))
        self.inertia_ = last.error
        self._describe_units()
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> SOM:
        """Refine the map with more items; the first call is `fit`.

        Every prototype stays the mean of all that its neighbourhood has drawn so far, at the last radius:
        m_k <- (n_k m_k + sum h x) / (n_k + sum h), n_k <- n_k + sum h.
        """
        if not hasattr(self, "prototypes_"):
            return self.fit(X, y, sample_weight)
        X = self._validated(X, reset=False)
        weight = checked_weights(sample_weight, X.shape[0], "sample_weight", "item")
        items = self._items(X, weight)
        seen = sweep(items, self.prototypes_)
        radius = self.radius_[1]
        if not hasattr(self, "_drawn"):
            self._drawn = self._smoothed_hits(radius)
        nothing = np.zeros(seen.sums.shape)
        target = updated(
            self.prototypes_.astype(np.float64), seen.sums, seen.totals, self.lattice_, self.neighbourhood, radius,
            "euclidean" if self.metric == "cosine" else self.metric,
        )  # fmt: skip
        mass = np.broadcast_to(self._reach(seen.totals, radius), nothing.shape)
        share = mass / np.maximum(self._drawn + mass, 1e-300)
        old = self.prototypes_.astype(np.float64)
        new = old + share * (target - old)
        self._drawn = self._drawn + self._reach(seen.totals, radius)
        self.prototypes_ = new.astype(self.prototypes_.dtype)
        self.n_iter_ += 1
        units, distances = items.nearest(self.prototypes_)
        self.hits_ = self.hits_ + np.bincount(units[:, 0], minlength=self.lattice_.n_units)
        self.inertia_ = float(np.average(distances[:, 0], weights=weight))
        self._describe_units()
        self.labels_ = self._labels(units[:, 0])
        return self

    # Use

    def predict(self, X: Any) -> NDArray[np.int64]:
        """(n,) best matching unit of each item, or with n_clusters the cluster of that unit."""
        return self._labels(self.best_units(X, k=1)[0][:, 0])

    def best_units(self, X: Any, k: int = 2) -> tuple[NDArray[np.int64], Floats]:
        """The k nearest units (n, k) of each item, nearest first, and their distances (n, k)."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        n_units = len(self.prototypes_)
        if not 1 <= k <= n_units:
            raise InputError(f"k={k}: a map of {n_units} units has 1 to {n_units} best units")
        if k > 2 or (k == 2 and n_units < 2):
            distances = self._distances(X)
            units = (
                np.argpartition(distances, k - 1, axis=1)[:, :k]
                if k < n_units
                else np.tile(np.arange(n_units), (len(distances), 1))
            )
            near = np.take_along_axis(distances, units, axis=1)
            order = np.lexsort((units, near), axis=1)
            return np.take_along_axis(units, order, axis=1), np.take_along_axis(near, order, axis=1)
        units, distances = self._items(X, None).nearest(self.prototypes_, second=k == 2)
        return units.astype(np.int64), distances

    def transform(self, X: Any) -> NDArray[np.floating]:
        """(n, K) distance of each item to each prototype, in the items' float type."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        return self._distances(X).astype(X.dtype)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the quantization error: higher is better."""
        return -self.quantization_error(X)

    def quantization_error(self, X: Any) -> float:
        """Mean distance of the items to their best units, in the metric's unit."""
        return float(self.best_units(X, k=1)[1].mean())

    def topographic_error(self, X: Any, neighbours: str | None = None) -> float:
        """Share of items whose two best units are not neighbours.

        neighbours: "4" or "8" (the default) on a rectangular lattice, "hexagonal" on a hexagonal one.
        """
        units, _ = self.best_units(X, k=2)
        return float(np.mean(~self.lattice_.adjacency(neighbours)[units[:, 0], units[:, 1]]))

    def impute(self, X: Any) -> NDArray[np.floating]:
        """A copy of X whose missing values (NaN) are those of the best unit of each item."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        if not isinstance(X, np.ndarray):
            raise InputError("impute takes a dense array; what is absent from a sparse one is 0, not missing")
        units, _ = self._items(X, None).nearest(self.prototypes_)
        return np.where(np.isnan(X), self.prototypes_[units[:, 0]], X)

    # Making, saving and loading

    @classmethod
    def from_prototypes(
        cls,
        prototypes: ArrayLike,
        lattice: str | Lattice = "rectangular",
        *,
        toroidal: bool = False,
        metric: str = "euclidean",
    ) -> SOM:
        """A map from prototypes that somebody else has trained: (rows, columns, d), or (K, d) with a Lattice."""
        array = np.array(prototypes)
        if array.dtype not in (np.float32, np.float64):
            array = array.astype(np.float64)
        if isinstance(lattice, Lattice):
            made = lattice
            array = array.reshape(-1, array.shape[-1])
        elif array.ndim == 3:
            made = Lattice(array.shape[0], array.shape[1], lattice, toroidal)
            array = array.reshape(-1, array.shape[2])
        else:
            raise InputError(
                f"prototypes have shape {array.shape}; needed: (rows, columns, d), or (K, d) with a Lattice"
            )
        if len(array) != made.n_units or not np.isfinite(array).all():
            raise InputError(
                f"{len(array)} prototypes for {made.n_units} units, or values that are not finite"
            )
        som = cls(grid=(made.rows, made.columns), lattice=made.shape, toroidal=made.toroidal, metric=metric)
        som.lattice_, som.prototypes_, som.n_features_in_ = made, array, array.shape[1]
        som.radius_, som.n_iter_, som.stop_reason_ = choose_radius(made), 0, "given prototypes"
        som.history_, som.chosen_ = Trained(array).history, {}
        som.hits_ = np.zeros(made.n_units, np.int64)
        som._describe_units()
        return som

    def save(self, folder: str | Path) -> Path:
        """Write model.json and model.safetensors into a folder; loading them executes no code."""
        from somscope.maps.storage import save_som

        check_is_fitted(self)
        return save_som(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> SOM:
        """Read what `save` wrote."""
        from somscope.maps.storage import load_som

        return load_som(Path(folder))

    # Inside

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        online = self.algorithm == "online"
        tags.input_tags.allow_nan = self.metric != "cosine" and not online
        tags.input_tags.sparse = self.metric != "manhattan" and not online
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return len(self.prototypes_)

    def _check_choices(self) -> None:
        parse_grid(self.grid)
        check_choice("lattice", self.lattice, ("rectangular", "hexagonal"))
        check_choice("neighbourhood", self.neighbourhood, NEIGHBOURHOODS)
        check_choice("algorithm", self.algorithm, ALGORITHMS)
        check_choice("metric", self.metric, METRICS)
        check_choice("device", self.device, ("auto", "cpu", "cuda"))
        if self.neighbourhood == "mexican-hat" and self.algorithm == "batch":
            raise InputError(
                "neighbourhood='mexican-hat' has negative weights, under which the batch rule has no mean; "
                "use algorithm='online'"
            )
        if self.n_passes != "auto" and (not isinstance(self.n_passes, int | np.integer) or self.n_passes < 1):
            raise InputError(f"n_passes={self.n_passes!r}; allowed: 'auto' or a whole number from 1")

    def _validated(self, X: Any, reset: bool) -> Any:
        """X as a float32 or float64 array or CSR matrix with the fitted number of features."""
        return validate_data(
            self, as_matrix(X), reset=reset, accept_sparse="csr", dtype=[np.float64, np.float32], order="C",
            ensure_all_finite=False,
        )  # fmt: skip

    def _feature_weights(self) -> Floats | None:
        return checked_weights(self.feature_weights, self.n_features_in_, "feature_weights", "feature")

    def _items(self, X: Any, weight: Floats | None) -> Items:
        if self.device == "cuda":
            from somscope.maps.gpu import GPUItems

            return GPUItems(X, self.metric, self._feature_weights(), weight)
        return as_items(X, self.metric, self._feature_weights(), weight)

    def _start(self, sample: Floats, weight: Floats | None, n_items: int) -> Floats:
        """Choose the lattice and the radius, and place the first prototypes (K, d)."""
        weights = self._feature_weights()
        scale = None if weights is None else np.sqrt(weights)
        if self.metric == "cosine":
            from somscope.maps.items import normalised

            sample = np.asarray(normalised(sample), dtype=np.float64)
        plane = principal_plane(sample, weight, scale)
        self.chosen_: dict[str, str] = {}
        self.lattice_ = self._choose_lattice(plane, n_items)
        if self.lattice_.n_units > n_items:
            raise InputError(
                f"grid {self.lattice_.rows}x{self.lattice_.columns} has {self.lattice_.n_units} units for {n_items} items; "
                f"at most one unit an item, better one for every five"
            )
        self.radius_ = self._choose_radius()
        generator = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        self._generator = generator
        return initial_prototypes(self.init, self.lattice_, sample, plane, generator, weight)

    def _choose_lattice(self, plane: Plane, n_items: int) -> Lattice:
        grid = parse_grid(self.grid)
        if grid is None:
            grid = choose_grid(n_items, plane.deviations, self.lattice, self.toroidal)
            self.chosen_["grid"] = (
                f"{grid[0]}x{grid[1]}: about 5 sqrt(n) units for {n_items} items, "
                f"sides by the two principal deviations {plane.deviations[0]:.3g} and {plane.deviations[1]:.3g}"
            )
        return Lattice(*grid, self.lattice, self.toroidal)

    def _choose_radius(self) -> tuple[float, float]:
        if isinstance(self.radius, str):
            if self.radius != "auto":
                raise InputError(
                    f"radius={self.radius!r}; allowed: 'auto', a number, or (first, last) in lattice steps"
                )
            first, last = choose_radius(self.lattice_)
            self.chosen_["radius"] = (
                f"{first:.3g} to {last:.3g} lattice steps: from half the longer side, so that the map unfolds as a whole, "
                f"to a radius at which neighbours still pull each other"
            )
            return first, last
        values = np.atleast_1d(np.asarray(self.radius, dtype=np.float64))
        if values.shape not in ((1,), (2,)) or not np.isfinite(values).all() or (values < 0).any():
            raise InputError(
                f"radius={self.radius!r}; allowed: 'auto', a number of 0 or more, or (first, last)"
            )
        return float(values[0]), float(values[-1])

    def _train(self, items: Items | BlockItems, start: Floats, dtype: np.dtype) -> Trained:
        decaying, extra = choose_passes() if self.n_passes == "auto" else (int(self.n_passes), 0)
        if self.n_passes == "auto":
            self.chosen_["n_passes"] = (
                f"{decaying} with a falling radius, then at most {extra} until the error settles"
            )
        radii = schedule(self.radius_decay, *self.radius_, decaying, "radius")
        if self.algorithm == "online":
            rates = schedule(self.learning_rate_decay, *self.learning_rate, decaying, "learning rate")
            return train_online(
                items, start, self.lattice_, self.neighbourhood, radii, rates, self._generator, self.verbose
            )
        plan = Schedule(radii, extra, self.tol)
        return train_batch(
            items, start, self.lattice_, self.neighbourhood, self.metric, plan, dtype, self.verbose
        )

    def _keep(self, trained: Trained, dtype: np.dtype) -> None:
        self.__dict__.pop("_drawn", None)
        self.prototypes_ = trained.prototypes.astype(dtype)
        self.history_ = trained.history
        self.n_iter_ = len(trained.history["pass"])
        self.stop_reason_ = trained.stop_reason

    def _labels(self, units: NDArray[np.integer]) -> NDArray[np.int64]:
        """(n,) units, or their clusters."""
        return units.astype(np.int64) if self.n_clusters is None else self.unit_clusters_[units]

    def _describe_units(self) -> None:
        """U-matrix and unit clusters, from the prototypes alone."""
        if self.n_clusters is not None:
            from somscope.maps.units import cluster_units

            self.unit_clusters_ = cluster_units(self.prototypes_, self.lattice_, self.n_clusters, self.hits_)
        edges = self.lattice_.edges()
        weights = self._feature_weights()
        gaps = np.linalg.norm(
            (self.prototypes_[edges[:, 0]].astype(np.float64) - self.prototypes_[edges[:, 1]])
            * (1.0 if weights is None else np.sqrt(weights)),
            axis=1,
        )
        ends = np.concatenate([edges[:, 0], edges[:, 1]])
        degree = np.bincount(ends, minlength=self.lattice_.n_units)
        total = np.bincount(ends, weights=np.tile(gaps, 2), minlength=self.lattice_.n_units)
        u_matrix = total / np.maximum(degree, 1)
        self.u_matrix_ = u_matrix.reshape(self.lattice_.rows, self.lattice_.columns)

    def _distances(self, X: Any) -> Floats:
        from somscope.maps.distances import all_distances

        return all_distances(X, self.prototypes_, self.metric, self._feature_weights())

    def _reach(self, totals: Floats, radius: float) -> Floats:
        """(K, 1 or d) smoothed weight: what each unit's neighbourhood draws."""
        from somscope.maps.neighbourhood import smooth

        return smooth(self.lattice_, self.neighbourhood, radius, totals)

    def _smoothed_hits(self, radius: float) -> Floats:
        return self._reach(self.hits_[:, None].astype(np.float64), radius)


class _MappedBlocks(Sequence[NDArray[np.floating]]):
    """A memory-mapped array as blocks of 64 MB."""

    def __init__(self, x: np.memmap[Any, Any]) -> None:
        if x.ndim != 2:
            raise InputError(f"the memory-mapped array has shape {x.shape}; needed: (items, features)")
        self.x = x
        self.rows = max(1, _BLOCK_BYTES // max(1, x.shape[1] * x.dtype.itemsize))

    def __len__(self) -> int:
        return -(-len(self.x) // self.rows)

    def __getitem__(self, i: Any) -> NDArray[np.floating]:
        if i >= len(self):
            raise IndexError(i)
        return np.array(self.x[i * self.rows : (i + 1) * self.rows])


def _block_sample(blocks: Iterable[NDArray[np.floating]]) -> tuple[NDArray[np.floating], int, np.dtype]:
    """Up to 2048 items spread over all blocks, the number of items, and the float type to train in."""
    parts: list[NDArray[np.floating]] = []
    n_items, kept, step = 0, 0, 1
    for block in blocks:
        block = check_array(
            as_matrix(block), dtype=[np.float64, np.float32], ensure_all_finite=False, input_name="block"
        )
        parts.append(block[(-n_items) % step :: step])
        n_items += len(block)
        kept += len(parts[-1])
        while kept > 2 * _SAMPLE:  # thin out evenly: every second of what is kept
            joined = np.concatenate(parts)[::2]
            parts, kept, step = [joined], len(joined), step * 2
    if not n_items:
        raise InputError("the blocks hold no items: there is nothing to map")
    sample = np.concatenate(parts)
    return sample, n_items, sample.dtype


def _refuse_sameness(X: Any) -> None:
    """InputError where all items are equal, or there is only one."""
    n = X.shape[0]
    if n < 2:
        raise InputError(f"X has 1 sample (n_samples={n}): a map needs at least 2 different items")
    if hasattr(X, "toarray"):
        same = (
            (X - X[np.zeros(n, dtype=np.int64)]).count_nonzero() == 0
            if n < 1000
            else X[:1000].max() == X[:1000].min() == 0
        )
    else:
        head = X[: min(n, 64)]
        same = bool(((head == head[0]) | (np.isnan(head) & np.isnan(head[0]))).all()) and bool(
            ((X[0] == X) | (np.isnan(X) & np.isnan(X[0]))).all()
        )
    if same:
        raise InputError(f"all {n} items are equal: there is nothing to map")
