"""The classic self-organizing map as a scikit-learn estimator (Kohonen 1982, 2001); its pieces lie beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from somscope.errors import InputError
from somscope.mapped import mapping_of
from somscope.maps import fitting
from somscope.maps.blocks import BLOCK_BYTES, MappedBlocks, block_sample, checked_blocks, in_blocks
from somscope.maps.choices import ALGORITHMS, check_parameters
from somscope.maps.decay import Decay
from somscope.maps.distances import all_distances, nearest_units
from somscope.maps.gpu import choose_device, on_device
from somscope.maps.inputs import as_items, as_matrix, as_prototypes, checked_weights
from somscope.maps.items import Items
from somscope.maps.lattice import Lattice
from somscope.maps.units import UnitLabels, label_units

__all__ = ["ALGORITHMS", "SOM"]

_INPUT = ("n_features_in_", "feature_names_in_")  # set as the items are read, before the training

_OPTIONAL = ("labels_", "inertia_", "unit_clusters_", "device_")  # what not every training leaves

Floats = NDArray[np.float64]


def _is_large(x: Any) -> bool:
    """Whether items are read from a file in blocks."""
    return mapping_of(x) is not None and x.ndim == 2 and x.nbytes > BLOCK_BYTES


def _has_running_mean(som: SOM) -> bool:
    if som.neighbourhood == "mexican-hat":
        raise InputError(
            "neighbourhood='mexican-hat' has negative weights, under which there is no running mean: partial_fit "
            "refines maps of the other neighbourhoods"
        )
    return True


class SOM(ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A self-organizing map: K prototypes on a lattice, so that neighbouring units hold similar items.

    Parameters
    ----------
    grid: "auto" (about 5 sqrt(n) units, at most n / 5 and 1600, sides by the data's shape), "20x20", (rows, columns),
        or a number of units for a chain.
    lattice: "rectangular" or "hexagonal"; toroidal joins opposite edges.
    neighbourhood: "gaussian", "cut-gaussian", "bubble", "epanechnikov", or "mexican-hat" (online only).
    radius: in lattice steps: "auto"; the last one, for example 0.5 (smaller: closer to the items, larger: better
        ordered); or (first, last) for the classic schedule without the organising phase (see `organise`). For the
        mexican-hat "auto" is one radius for all steps, under which it cannot run away (`defaults.choose_hat_radius`).
    radius_decay: "exponential", "linear", "inverse", "asymptotic" or a function (t in 0..1, first, last) -> radius.
    algorithm: "batch" (all items in each pass) or "online" (item by item, with learning_rate and its decay).
    learning_rate: (first, last) share of its way to an item that a unit goes in online training, at most 1.
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
    checkpoints: a folder for what has been learned, of a training that takes long: written at the end of a pass, when
        the last is five minutes old, and on Ctrl-C. Of "batch" alone, and not of an iterator of blocks.
    resume: go on from the newest checkpoint in that folder, to the same bits as if nothing had happened.

    NaN marks a missing value: distances are taken over what was observed. SciPy CSR matrices are never made dense.

    Attributes
    ----------
    prototypes_ (K, d); lattice_; labels_ (n,) best unit of each training item, or its cluster with n_clusters;
    hits_ (K,) items of each unit; u_matrix_ (rows, columns) mean distance of a prototype to those of its neighbours, in
    the map's metric; inertia_ mean distance of the training items to their best units; radius_ (first, last); n_iter_
    passes made; stop_reason_; history_ {"pass", "radius", "quantization_error", "moved", "seconds"}; chosen_
    {what: why} of everything that was chosen from the data; unit_clusters_ (K,) with n_clusters; device_ "cpu" or
    "cuda", where it was trained; n_features_in_.

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
        checkpoints: str | Path | None = None,
        resume: bool = False,
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
        self.checkpoints = checkpoints
        self.resume = resume

    # Training

    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> SOM:
        """Train on (n, d) items: an array, tensor, CSR matrix, collection, or memory-mapped array of any size.

        y is ignored: labels never reach a map. sample_weight: (n,), where 2 counts an item twice and 0 leaves it out.
        A large memory-mapped array is read in blocks for every pass, and needs memory for one of them.
        Ctrl-C returns the map so far, with stop_reason_ "interrupted".
        Raises InputError for what cannot be mapped, and says where it lies.
        """
        self._check_choices()
        if _is_large(X) and self.algorithm == "batch" and sample_weight is None:
            self._fit_blocks(MappedBlocks(X))
            return self
        with self._unless_it_fails():
            X = self._validated(X, reset=True)
            weight = checked_weights(sample_weight, X.shape[0], "sample_weight", "item")
            self._become(fitting.fit_items(self, X, weight))
        return self

    def fit_blocks(self, blocks: Iterable[Any]) -> SOM:
        """Train on a collection larger than memory, given as blocks (n_b, d), in the memory of one block.

        A list, a sequence or any object that can be iterated again is read once for every pass. An iterator can be
        read only once: its first block shapes the map as `fit` does and the following ones refine it (`partial_fit`).
        There are no labels_ (predict block by block); hits_ counts all items.
        Ctrl-C returns the map so far, with stop_reason_ "interrupted".
        """
        self._check_choices()
        if self.algorithm != "batch":
            raise InputError("algorithm='online' takes one array; blocks need algorithm='batch'")
        if isinstance(blocks, Iterator):
            if self.checkpoints is not None:
                raise InputError("an iterator is read only once: a training on it cannot have checkpoints")
            self._fit_iterator(block for _, block in checked_blocks(blocks))
        else:
            self._fit_blocks(blocks)
        self.__dict__.pop("labels_", None)
        return self

    def _fit_iterator(self, blocks: Iterator[NDArray[np.floating]]) -> None:
        first = next(blocks, None)
        if first is None:
            raise InputError("the iterator is empty: there is nothing to map")
        self.fit(first)
        try:
            while self.stop_reason_ != "interrupted" and (block := next(blocks, None)) is not None:
                self.partial_fit(block)
        except KeyboardInterrupt:
            self.stop_reason_ = "interrupted"

    def _fit_blocks(self, blocks: Iterable[Any]) -> None:
        sample, n_items = block_sample(blocks)
        with self._unless_it_fails():
            sample = self._validated(sample, reset=True)
            self._become(fitting.fit_blocks(self, blocks, sample, n_items))

    @contextmanager
    def _unless_it_fails(self) -> Iterator[None]:
        """A training that fails leaves a fitted map as it was: what it takes as input, too."""
        own = self.__dict__
        before = {name: own[name] for name in _INPUT if name in own}
        try:
            yield
        except BaseException:
            for name in _INPUT:
                own.pop(name, None)
            own.update(before)
            raise

    @available_if(_has_running_mean)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> SOM:
        """Refine the map with more items, at the last radius.

        The first call is `fit`, with all that it takes and refuses: it needs two different items, and with a given
        grid as many items as units. Later ones may bring a single item.
        Every prototype stays the mean of all that its neighbourhood has drawn so far (see `refine.refined`). labels_
        and inertia_ are those of X; hits_ counts the items of all calls.
        Ctrl-C in a later call leaves the map as it was before it. There is no partial_fit (AttributeError) for the
        mexican-hat, under which there is no running mean.
        """
        if not hasattr(self, "prototypes_"):
            return self.fit(X, y, sample_weight)
        X = self._validated(X, reset=False)
        weight = checked_weights(sample_weight, X.shape[0], "sample_weight", "item")
        self._become(fitting.refine(self, X, weight))
        return self

    # Use

    def predict(self, X: Any) -> NDArray[np.int64]:
        """(n,) best matching unit of each item, or with n_clusters the cluster of that unit."""
        return fitting.labels(self.best_units(X, k=1)[0][:, 0], getattr(self, "unit_clusters_", None))

    def best_units(self, X: Any, k: int = 2) -> tuple[NDArray[np.int64], Floats]:
        """The k nearest units (n, k) of each item, nearest first, and their distances (n, k).

        A large memory-mapped array is read in blocks.
        """
        check_is_fitted(self, "prototypes_")
        n_units = len(self.prototypes_)
        if not 1 <= k <= n_units:
            raise InputError(f"k={k}: a map of {n_units} units has 1 to {n_units} best units")
        if _is_large(X):
            return in_blocks(MappedBlocks(X), lambda block: self.best_units(block, k))
        X = self._validated(X, reset=False)
        if k > 2:
            self._items(X, None)  # refuses what has no distance
            return nearest_units(X, self.prototypes_, self.metric, self._feature_weights(), k)
        units, distances = self._placed(X, None).nearest(self.prototypes_, second=k == 2)
        return units.astype(np.int64), distances

    def transform(self, X: Any) -> NDArray[np.floating]:
        """(n, K) distance of each item to each prototype, in the items' float type."""
        check_is_fitted(self, "prototypes_")
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
        check_is_fitted(self, "prototypes_")
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
        grid: str | int | tuple[int, int] | None = None,
        toroidal: bool = False,
        metric: str = "euclidean",
    ) -> SOM:
        """A map from prototypes that somebody else has trained.

        prototypes: (rows, columns, d); or (K, d) with grid=(rows, columns) or a Lattice, row after row.

        It has held no items yet: hits_ are 0, and what `partial_fit` brings counts in full.
        """
        array, made = as_prototypes(prototypes, lattice, toroidal, grid)
        som = cls(grid=(made.rows, made.columns), lattice=made.shape, toroidal=made.toroidal, metric=metric)
        som._check_choices()
        som.n_features_in_ = array.shape[1]
        som._become(fitting.given(som, array, made))
        return som

    def save(self, folder: str | Path) -> Path:
        """Write model.json and model.safetensors into a folder, in place of a model that is there; loading executes
        no code."""
        from somscope.maps.storage import save_som

        check_is_fitted(self, "prototypes_")
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
        X = as_matrix(X)
        if sparse.issparse(X) and not self.__sklearn_tags__().input_tags.sparse:
            what = "algorithm='online'" if self.algorithm == "online" else f"metric={self.metric!r}"
            raise InputError(
                f"X is sparse, and {what} needs a dense array (X.toarray()); sparse ones are taken by "
                "algorithm='batch' with metric 'euclidean' or 'cosine'"
            )
        try:
            return validate_data(
                self, X, reset=reset, accept_sparse="csr", dtype=[np.float64, np.float32], order="C",
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
        """Checked items for the fitted map, on the device that pays for them.

        device="cuda" insists for training alone: a map that a GPU has trained is of use without one, too.
        """
        items = self._items(X, weight)
        device = "auto" if self.device == "cuda" else self.device
        return on_device(items, choose_device(device, items, len(self.prototypes_)))

    def _become(self, learned: fitting.Learned) -> None:
        """Take over what was learned, all at once, in place of what an earlier training left."""
        kept = {name: value for name, value in vars(self).items() if name not in _OPTIONAL}
        self.__dict__ = {**kept, **learned}
