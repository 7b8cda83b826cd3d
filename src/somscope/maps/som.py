"""The classic self-organizing map as a scikit-learn estimator (Kohonen 1982, 2001); its pieces lie beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.preprocessing import normalize
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from somscope.errors import InputError
from somscope.maps.batch import Schedule, Trained, sweep, train_batch
from somscope.maps.blocks import BLOCK_BYTES, BlockItems, MappedBlocks, block_sample, mapped_sample
from somscope.maps.choices import (
    ALGORITHMS,
    check_parameters,
    first_and_last,
    is_pair,
    lattice_for,
    radii_for,
)
from somscope.maps.decay import Decay, schedule
from somscope.maps.defaults import choose_passes, choose_radius
from somscope.maps.distances import all_distances, nearest_units
from somscope.maps.gpu import choose_device, on_device
from somscope.maps.initialise import initial_prototypes, principal_plane
from somscope.maps.inputs import (
    as_items,
    as_matrix,
    as_prototypes,
    checked_weights,
    refuse_overflow,
    refuse_unmappable,
    sample_rows,
)
from somscope.maps.items import DenseItems, Items
from somscope.maps.lattice import Lattice
from somscope.maps.online import train_online
from somscope.maps.organise import plan_organising
from somscope.maps.refine import refined
from somscope.maps.units import UnitLabels, check_clusters, cluster_units, label_units, u_matrix

__all__ = ["ALGORITHMS", "SOM"]

Floats = NDArray[np.float64]


class SOM(ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A self-organizing map: K prototypes on a lattice, so that neighbouring units hold similar items.

    Parameters
    ----------
    grid: "auto" (about 5 sqrt(n) units, sides by the data's shape), "20x20", (rows, columns), or a number for a chain.
    lattice: "rectangular" or "hexagonal"; toroidal joins opposite edges.
    neighbourhood: "gaussian", "cut-gaussian", "bubble", "epanechnikov", or "mexican-hat" (online only).
    radius: in lattice steps: "auto"; the last one, for example 0.5 (smaller: closer to the items, larger: better
        ordered); or (first, last) for the classic schedule without the organising phase (see `organise`).
    radius_decay: "exponential", "linear", "inverse", "asymptotic" or a function (t in 0..1, first, last) -> radius.
    algorithm: "batch" (all items in each pass) or "online" (item by item, with learning_rate and its decay).
    n_passes: looks at the whole collection; "auto" adds passes at the last radius until the error settles.
    init: "pca", "random", "k-means++" or an array (K, d).
    metric: "euclidean", "cosine" or "manhattan" (the batch rule takes means under all three).
    feature_weights: (d,) weight of each feature in the distance.
    n_clusters: merge the units into so many groups of neighbours (Ward on the lattice); labels_ and predict are then
        these groups, as scikit-learn wants it, and best_units gives the units.
    tol: with n_passes="auto", stop when the error falls by less than this share of itself in a pass.
    device: "cpu"; "cuda" for the GPU (dense items without gaps, "batch", "euclidean" or "cosine"); "auto" takes the GPU
        where there is one and a pass is large enough to pay (see `gpu.choose_device`).
    random_state: seed of random starts and orders.
    verbose: True shows a progress bar, False none; None shows one on a terminal.

    NaN marks a missing value: distances are taken over what was observed. SciPy CSR matrices are never made dense.

    Attributes
    ----------
    prototypes_ (K, d); lattice_; labels_ (n,) best unit of each training item, or its cluster with n_clusters;
    hits_ (K,) items of each unit; u_matrix_ (rows, columns) mean distance of a unit's prototype to its neighbours';
    inertia_ mean distance of the training items to their best units; radius_ (first, last); n_iter_ passes made;
    stop_reason_; history_ {"pass", "radius", "quantization_error", "moved", "seconds"}; chosen_ {what: why} of
    everything that was chosen from the data; unit_clusters_ (K,) with n_clusters; device_ "cpu" or "cuda", where it was
    trained; n_features_in_.

    >>> som = SOM(grid=(10, 10), lattice="hexagonal").fit(X)
    >>> som.predict(X)
    """

    lattice_: Lattice
    prototypes_: NDArray[np.floating]
    labels_: NDArray[np.int64]
    hits_: NDArray[np.int64]
    u_matrix_: Floats
    unit_clusters_: NDArray[np.int64]
    inertia_: float
    radius_: tuple[float, float]
    n_iter_: int
    stop_reason_: str
    history_: dict[str, list[float]]
    chosen_: dict[str, str]
    device_: str
    _held: Floats  # (K,) weight of all items that each unit has held, for partial_fit

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
        A large memory-mapped array is read in blocks for every pass, and needs memory for one of them.
        Ctrl-C returns the map so far, with stop_reason_ "interrupted".
        Raises InputError for what cannot be mapped, and says where it lies.
        """
        self._check_choices()
        large = isinstance(X, np.memmap) and X.nbytes > BLOCK_BYTES
        if large and self.algorithm == "batch" and sample_weight is None:
            best = self._fit_blocks(MappedBlocks(X), mapped_sample(X), len(X))
            self.labels_ = self._labels(best)
            return self
        X = everything = self._validated(X, reset=True)
        weight = checked_weights(sample_weight, X.shape[0], "sample_weight", "item")
        if weight is not None and not weight.all():
            X, weight = X[weight > 0], weight[weight > 0]
        items = self._items(X, weight)
        refuse_unmappable(X)
        rows = sample_rows(X.shape[0])
        n_items = X.shape[0] if weight is None or (weight % 1 != 0).any() else int(weight.sum())
        generator = self._generator()
        start = self._start(X[rows], None if weight is None else weight[rows], n_items, generator)
        if isinstance(items, DenseItems) and items.bounded:
            items.basis = items.find_basis(len(start))
        self.device_ = choose_device(self.device, items, len(start), self.algorithm)
        trained = self._train(on_device(items, self.device_), items, start, X.dtype, generator)
        self._keep(trained, X.dtype)
        items = on_device(items, self.device_)
        units, distances = items.nearest(self.prototypes_)
        self._count(units[:, 0], weight)
        self.inertia_ = float(np.average(distances[:, 0], weights=weight))
        self._describe_units()
        if everything is not X:  # items of weight 0 have a unit, too
            units, _ = self._items(everything, None).nearest(self.prototypes_)
        self.labels_ = self._labels(units[:, 0])
        return self

    def fit_blocks(self, blocks: Iterable[Any]) -> SOM:
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
            self.fit(first)
            for block in blocks:
                self.partial_fit(block)
            del self.labels_
        else:
            self._fit_blocks(blocks, *block_sample(blocks))
        return self

    def _fit_blocks(
        self, blocks: Iterable[Any], sample: NDArray[np.floating], n_items: int
    ) -> NDArray[np.int32]:
        """Train on blocks; returns (n,) the units of their items."""
        if self.device == "cuda":
            raise InputError(
                "device='cuda' takes one array that fits into its memory; blocks need 'cpu' or 'auto'"
            )
        self.device_ = "cpu"
        self._validated(sample, reset=True)
        refuse_unmappable(sample)
        items = BlockItems(blocks, self.metric, self._feature_weights(), sample.dtype)
        generator = self._generator()
        start = self._start(sample, None, n_items, generator)
        pool = self._items(sample, None)
        self._keep(self._train(items, pool, start, sample.dtype, generator), sample.dtype)
        parts: list[NDArray[np.int32]] = []
        total = 0.0
        for block in items.dense(self.lattice_.n_units):
            found, distances = block.nearest(self.prototypes_)
            parts.append(found[:, 0].copy())
            total += float(distances.sum())
        units = np.concatenate(parts)
        self._count(units, None)
        self.inertia_ = total / n_items
        self._describe_units()
        return units

    def partial_fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> SOM:
        """Refine the map with more items, at the last radius; the first call is `fit`.

        Every prototype stays the mean of all that its neighbourhood has drawn so far (see `refine.refined`). labels_
        and inertia_ are those of X; hits_ counts the items of all calls.
        """
        if not hasattr(self, "prototypes_"):
            return self.fit(X, y, sample_weight)
        X = self._validated(X, reset=False)
        weight = checked_weights(sample_weight, X.shape[0], "sample_weight", "item")
        items = self._placed(X, weight)
        seen = sweep(items, self.prototypes_)
        assert seen.units is not None  # they are not blocks
        new = np.bincount(seen.units, weights=weight, minlength=len(self._held)).astype(np.float64)
        prototypes = refined(
            self.prototypes_, self._held, seen, new,
            self.lattice_, self.neighbourhood, self.radius_[1], self.metric,
        )  # fmt: skip
        self.prototypes_ = prototypes.astype(self.prototypes_.dtype)
        self.n_iter_ += 1
        units, distances = items.nearest(self.prototypes_)
        hits, held = self.hits_, self._held
        self._count(units[:, 0], weight)
        self.hits_, self._held = hits + self.hits_, held + self._held
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
        if k > 2:
            self._items(X, None)  # refuses what has no distance
            return nearest_units(X, self.prototypes_, self.metric, self._feature_weights(), k)
        units, distances = self._placed(X, None).nearest(self.prototypes_, second=k == 2)
        return units.astype(np.int64), distances

    def transform(self, X: Any) -> NDArray[np.floating]:
        """(n, K) distance of each item to each prototype, in the items' float type."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        self._items(X, None)  # refuses what has no distance
        return all_distances(X, self.prototypes_, self.metric, self._feature_weights()).astype(X.dtype)

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

    def label_units(self, X: Any, y: ArrayLike) -> UnitLabels:
        """Majority label and share of each label in each unit; y: (n,), where the number -1 means unknown."""
        return label_units(self.best_units(X, k=1)[0][:, 0], y, len(self.prototypes_))

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
        """A map from prototypes that somebody else has trained: (rows, columns, d), or (K, d) with a Lattice.

        It has held no items yet: hits_ are 0, and what `partial_fit` brings counts in full.
        """
        array, made = as_prototypes(prototypes, lattice, toroidal)
        som = cls(grid=(made.rows, made.columns), lattice=made.shape, toroidal=made.toroidal, metric=metric)
        som._check_choices()
        som.n_features_in_, som.lattice_ = array.shape[1], made
        som.radius_, som.chosen_ = choose_radius(made), {}
        som._keep(Trained(array.astype(np.float64), stop_reason="given prototypes"), array.dtype)
        som._count(np.zeros(0, np.int32), None)
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
        check_parameters(self.get_params(deep=False))

    def _validated(self, X: Any, reset: bool) -> Any:
        """X as a float32 or float64 array or CSR matrix with the fitted number of features."""
        sparse = "csr" if self.__sklearn_tags__().input_tags.sparse else False
        try:
            return validate_data(
                self, as_matrix(X), reset=reset, accept_sparse=sparse, dtype=[np.float64, np.float32], order="C",
                ensure_all_finite=False,
            )  # fmt: skip
        except ValueError as error:
            raise InputError(str(error)) from None

    def _feature_weights(self) -> Floats | None:
        return checked_weights(self.feature_weights, self.n_features_in_, "feature_weights", "feature")

    def _items(self, X: Any, weight: Floats | None) -> Items:
        """Checked items; InputError for infinite values, and for missing ones where the map cannot take them."""
        gaps = self.__sklearn_tags__().input_tags.allow_nan
        return as_items(X, self.metric, self._feature_weights(), weight, gaps)

    def _placed(self, X: Any, weight: Floats | None) -> Items:
        """Checked items for the fitted map, on the device that pays for them."""
        items = self._items(X, weight)
        return on_device(items, choose_device(self.device, items, len(self.prototypes_)))

    def _generator(self) -> np.random.Generator:
        return np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))

    def _start(
        self, sample: Any, weight: Floats | None, n_items: int, generator: np.random.Generator
    ) -> Floats:
        """Choose the lattice and the radius from a sample of the items, and place the first prototypes (K, d)."""
        weights = self._feature_weights()
        sample = sample.astype(np.float64)
        refuse_overflow(sample)
        if self.metric == "cosine":
            sample = normalize(sample)
        plane = principal_plane(sample, weight, None if weights is None else np.sqrt(weights))
        self.lattice_, why_lattice = lattice_for(self.grid, self.lattice, self.toroidal, plane, n_items)
        self.radius_, why_radius = radii_for(self.radius, self.lattice_)
        reasons = {"grid": why_lattice, "radius": why_radius}
        self.chosen_ = {name: why for name, why in reasons.items() if why is not None}
        if self.n_clusters is not None:
            check_clusters(self.n_clusters, self.lattice_.n_units)
        return initial_prototypes(self.init, self.lattice_, sample, plane, generator, weight)

    def _train(
        self,
        items: Items | BlockItems,
        pool: Items,
        start: Floats,
        dtype: np.dtype,
        generator: np.random.Generator,
    ) -> Trained:
        """Train on items; the batches of the organising phase come from the pool (the items, or a sample of them)."""
        decaying, extra = choose_passes() if self.n_passes == "auto" else (int(self.n_passes), 0)
        if self.n_passes == "auto":
            self.chosen_["n_passes"] = (
                f"{decaying} with a falling radius, then at most {extra} until the error settles"
            )
        first, last = self.radius_
        if self.algorithm == "online":
            radii = schedule(self.radius_decay, first, last, decaying, "radius")
            rates = schedule(
                self.learning_rate_decay,
                *first_and_last("learning_rate", self.learning_rate),
                decaying,
                "learning rate",
            )
            return train_online(
                items, start, self.lattice_, self.neighbourhood, radii, rates, generator, self.verbose
            )
        organising = None
        if not is_pair(self.radius):
            organising = plan_organising(pool, len(start), first, last, generator)
            self.chosen_["organising"] = organising.describe()
            first = float(organising.radii[-1])
        radii = schedule(self.radius_decay, first, last, decaying, "radius")
        plan = Schedule(radii, extra, self.tol, organising)
        return train_batch(
            items, start, self.lattice_, self.neighbourhood, self.metric, plan, dtype, self.verbose
        )

    def _keep(self, trained: Trained, dtype: np.dtype) -> None:
        for name in ("labels_", "inertia_", "unit_clusters_"):  # of an earlier map
            self.__dict__.pop(name, None)
        self.prototypes_ = trained.prototypes.astype(dtype)
        self.history_ = trained.history
        self.n_iter_ = len(trained.rows)
        self.stop_reason_ = trained.stop_reason

    def _count(self, units: NDArray[np.integer], weight: Floats | None) -> None:
        """The number of items of each unit, and their weight."""
        self.hits_ = np.bincount(units, minlength=self.lattice_.n_units)
        self._held = np.bincount(units, weights=weight, minlength=self.lattice_.n_units).astype(np.float64)

    def _labels(self, units: NDArray[np.integer]) -> NDArray[np.int64]:
        """(n,) units, or their clusters."""
        return units.astype(np.int64) if self.n_clusters is None else self.unit_clusters_[units]

    def _describe_units(self) -> None:
        """U-matrix and unit clusters."""
        if self.n_clusters is not None:
            weights = self._feature_weights()
            seen = self.prototypes_ if weights is None else self.prototypes_ * np.sqrt(weights)
            self.unit_clusters_ = cluster_units(seen, self.lattice_, self.n_clusters, self.hits_)
        self.u_matrix_ = u_matrix(self.prototypes_, self.lattice_, self._feature_weights())
