"""What the growing maps with relevances have in common as estimators: placing items, noise, files."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from somscope.errors import InputError
from somscope.maps.graph import GraphLattice, connection_distances, lay_out, mean_connection
from somscope.maps.inputs import as_matrix
from somscope.maps.relevance import activations, complaint, root_mean_square
from somscope.maps.unit_interval import UnitInterval, choose_interval
from somscope.maps.units import UnitLabels, label_units

__all__ = ["GrowingMap"]

Floats = NDArray[np.float64]

_BLOCK = 2**22  # activations held at once
_log = logging.getLogger(__name__)


class GrowingMap(ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A map of as many units as the data ask for, each with a relevance for every feature.

    A model derives from it and gives what follows; its parameters hold threshold, max_units, epsilon, distance
    and scale.

    Attributes
    ----------
    prototypes_ (K, d) in the units of the items; centres_ (K, d) the same in [0, 1]; relevances_ (K, d) in [0, 1];
    connections_ (K, K) bool; n_units_ K; labels_ (n,) most active unit of each training item, and hits_ (K,) of each
    unit; inertia_ mean distance of these items to their units; interval_ the scale; n_iter_; stop_reason_; history_
    columns; chosen_ {what: why}; warnings_ what was amiss; n_features_in_.
    """

    model_name: ClassVar[str]

    threshold: float
    max_units: int
    epsilon: float
    distance: str
    scale: str

    prototypes_: NDArray[np.floating]
    centres_: NDArray[np.floating]
    relevances_: NDArray[np.floating]
    connections_: NDArray[np.bool_]
    n_units_: int
    labels_: NDArray[np.int64]
    hits_: NDArray[np.int64]
    inertia_: float
    interval_: UnitInterval
    n_iter_: int
    stop_reason_: str
    history_: dict[str, list[float]]
    chosen_: dict[str, str]
    warnings_: list[str]

    # What a model gives

    @abstractmethod
    def _check_choices(self) -> None:
        """Raise InputError for parameters that no data could be mapped with."""

    @abstractmethod
    def _begin(self, n_features: int, dtype: np.dtype[Any]) -> None:
        """An empty map."""

    @abstractmethod
    def _learn(self, x: NDArray[np.floating], whole: bool) -> None:
        """Train on items (n, d) in [0, 1]: with `whole` as long as the parameters say, else look at each once."""

    @abstractmethod
    def _keep(self, units: NDArray[np.integer]) -> None:
        """Remove all units but these, given by their numbers."""

    @abstractmethod
    def _living(self) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.bool_]]:
        """Centres (K, d), relevances (K, d) and connections (K, K) of the map as it is."""

    @abstractmethod
    def _state(self) -> dict[str, NDArray[Any]]:
        """All that a later `partial_fit` goes on from."""

    @abstractmethod
    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The other way; ValueError and the like for a state that is none of this map."""

    # Training

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on (n, d) items: an array, a tensor or a collection. y is ignored: labels never reach a map.

        Units that hold none of the items in the end are removed.
        Ctrl-C keeps the map so far, with stop_reason_ "interrupted".
        Raises InputError for what cannot be mapped, and says where it lies.
        """
        self._check_choices()
        x = self._validated(X, reset=True)
        interval, why = choose_interval(x, self.scale)
        self.interval_ = interval
        self.chosen_ = {} if why is None else {"scale": why}
        self._start_anew(x)
        self._train(interval.scaled(x), whole=True)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Look once at each of (n, d) more items, in their order: the map grows, moves and forgets.

        The first call chooses the scale from its items. labels_, hits_ and inertia_ are those of X; a unit may have
        another number after a call, since units come and go.
        """
        self._check_choices()
        first = not hasattr(self, "prototypes_")
        if not first:
            self._check_places()
        x = self._validated(X, reset=first)
        if first:
            self.interval_, why = choose_interval(x, self.scale)
            self.chosen_ = {} if why is None else {"scale": why}
            self._start_anew(x)
        scaled = self.interval_.scaled(x)
        outside = int(((scaled < 0) | (scaled > 1)).any(axis=1).sum())
        if outside:
            _log.warning(
                "%d of %d items lie outside the range of the first ones, by which features are scaled",
                outside,
                len(x),
            )
        self._train(scaled, whole=False)
        return self

    def _check_places(self) -> None:
        places = len(self._state()["centres"])
        if places != self.max_units:
            raise InputError(
                f"max_units={self.max_units!r}, but this map has {places} places: set it back, or fit a new map"
            )

    def _start_anew(self, x: NDArray[np.floating]) -> None:
        self.n_iter_, self.history_, self.warnings_ = 0, {}, []
        self._begin(x.shape[1], x.dtype)
        if len(x) > 1 and (x == x[0]).all():
            self._warn(f"all {len(x)} items are equal: the map is one unit")

    def _train(self, x: NDArray[np.floating], whole: bool) -> None:
        self._learn(x, whole)
        self._describe()
        units, distances = self._placed(x, 1)
        if (
            whole and len(held := np.unique(units)) < self.n_units_
        ):  # what is left without items has nothing to say
            self._keep(held)
            self._describe()
            units, distances = self._placed(x, 1)
        self.labels_ = units[:, 0]
        self.hits_ = np.bincount(self.labels_, minlength=self.n_units_)
        self.inertia_ = float(distances.mean())
        if whole and (noise := complaint(distances[:, 0], self.threshold)):
            self._warn(noise)
        if whole and self.n_units_ == 1 and len(x) > 1 and not self.warnings_:
            self._warn("the map is one unit, which all items are in: to tell them apart, raise threshold")

    def _describe(self) -> None:
        self.centres_, self.relevances_, self.connections_ = self._living()
        self.prototypes_ = self.interval_.restored(self.centres_)
        self.n_units_ = len(self.centres_)

    def _warn(self, message: str) -> None:
        if message not in self.warnings_:
            self.warnings_.append(message)
            _log.warning("%s", message)

    @property
    def lattice_(self) -> GraphLattice:
        """The units in cells of a plane, so that connected and similar ones lie together; see `graph`."""
        return lay_out(self.centres_, self.relevances_, self.connections_)

    @property
    def edge_distances_(self) -> Floats:
        """(E,) distance of the units that each connection of the lattice joins, as between items and units."""
        return connection_distances(
            self.centres_, self.relevances_, self.connections_, self.epsilon, self.distance
        )

    @property
    def u_matrix_(self) -> Floats:
        """(K,) mean distance of each unit to those that it is connected with, NaN without any."""
        return mean_connection(self.edge_distances_, self.connections_)

    # Use

    def predict(self, X: Any, noise: bool = False) -> NDArray[np.int64]:
        """(n,) most active unit of each item. noise: -1 for items that activate no unit up to the threshold."""
        check_is_fitted(self, "prototypes_")
        x = self._seen(X)
        best = np.empty(len(x), np.int64)
        for part, active in self._activations(x):
            best[part] = active.argmax(axis=1)
            if noise:
                best[part][active.max(axis=1) < self.threshold] = -1
        return best

    def best_units(self, X: Any, k: int = 2) -> tuple[NDArray[np.int64], Floats]:
        """The k nearest units (n, k) of each item, nearest first, and their distances (n, k), see `transform`."""
        check_is_fitted(self, "prototypes_")
        if not 1 <= k <= self.n_units_:
            raise InputError(f"k={k}: a map of {self.n_units_} units has 1 to {self.n_units_} best units")
        return self._placed(self._seen(X), k)

    def transform(self, X: Any) -> NDArray[np.floating]:
        """(n, K) distance of each item to each unit: the root mean square difference over the features, weighted by
        the unit's relevances, on the scale from 0 to 1. It falls as the activation rises (`root_mean_square`)."""
        check_is_fitted(self, "prototypes_")
        x = self._seen(X)
        found = np.empty((len(x), self.n_units_), x.dtype)
        for part, active in self._activations(x):
            found[part] = root_mean_square(active)
        return found

    def activations(self, X: Any) -> NDArray[np.floating]:
        """(n, K) activation of each unit by each item, in (0, 1]; eq. 1."""
        check_is_fitted(self, "prototypes_")
        x = self._seen(X)
        return np.concatenate([active for _, active in self._activations(x)]).astype(x.dtype)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the mean distance of the items to their units: higher is better."""
        return -float(self.best_units(X, k=1)[1].mean())

    def label_units(self, X: Any, y: ArrayLike) -> UnitLabels:
        """Majority label and share of each label in each unit; y: (n,), where the number -1 means unknown."""
        return label_units(self.best_units(X, k=1)[0][:, 0], y, self.n_units_)

    # Files

    def save(self, folder: str | Path) -> Path:
        """Write model.json and model.safetensors into a folder, in place of a model that is there; loading executes
        no code."""
        from somscope.maps.growing_files import save_growing

        check_is_fitted(self, "prototypes_")
        self._check_places()
        return save_growing(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote; `partial_fit` goes on from it."""
        from somscope.maps.growing_files import load_growing

        return load_growing(cls, Path(folder))

    # Inside

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.n_units_

    def _validated(self, X: Any, reset: bool) -> NDArray[np.floating]:
        matrix = as_matrix(X)
        if sparse.issparse(matrix):
            raise InputError(
                f"the items are sparse, such as counts of words, and {self.model_name} takes dense arrays: a map of "
                "model som takes them as they are"
            )
        try:
            checked = validate_data(
                self,
                matrix,
                reset=reset,
                dtype=[np.float64, np.float32],
                order="C",
                ensure_all_finite=False,
            )
        except ValueError as error:
            raise InputError(str(error)) from None
        x = np.asarray(checked)
        wrong = ~np.isfinite(x)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise InputError(
                f"X contains NaN or infinite values in {wrong.any(axis=1).sum()} of {len(x)} items, the first in row "
                f"{row}, column {column}: {x[row, column]}; replace or remove them, this map takes no missing values"
            )
        return x

    def _seen(self, X: Any) -> NDArray[np.floating]:
        """New items as the map sees them."""
        return self.interval_.scaled(self._validated(X, reset=False))

    def _activations(self, x: NDArray[np.floating]) -> Iterator[tuple[slice, Floats]]:
        """The activations (b, K) of all units in float64, block by block."""
        centres, relevances = self.centres_.astype(np.float64), self.relevances_.astype(np.float64)
        rows = max(1, _BLOCK // max(self.n_units_, x.shape[1]))
        for start in range(0, len(x), rows):
            part = slice(start, start + rows)
            yield (
                part,
                activations(x[part].astype(np.float64), centres, relevances, self.epsilon, self.distance),
            )

    def _placed(self, x: NDArray[np.floating], k: int) -> tuple[NDArray[np.int64], Floats]:
        units, distances = np.empty((len(x), k), np.int64), np.empty((len(x), k))
        for part, active in self._activations(x):
            order = (
                np.argsort(-active, axis=1, kind="stable")[:, :k] if k > 1 else active.argmax(axis=1)[:, None]
            )
            units[part] = order
            distances[part] = root_mean_square(np.take_along_axis(active, order, axis=1))
        return units, distances
