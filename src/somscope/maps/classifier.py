"""Classification by a map: what share of each label lies in a unit and around it.

The map is trained without the labels. With n_jc the weight of training items of class c in unit j, h a Gaussian of
radius r (lattice steps) over the lattice, p_c the share of class c in the training set and a the weight of the prior,

    P(c | k)  =  (sum_j h(k, j; r) n_jc + a p_c)  /  (sum_j h(k, j; r) n_j + a),

so that a unit with many items speaks for itself, one with few listens to its neighbours, and one far from all items
knows no more than the class shares.
"""

from __future__ import annotations

from inspect import Parameter, Signature, signature
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from somscope.errors import InputError
from somscope.maps.inputs import as_matrix, checked_weights
from somscope.maps.neighbourhood import smooth
from somscope.maps.som import SOM

__all__ = ["SOMClassifier"]


def _with_parameters_of_a_map(own: Signature) -> Signature:
    """The signature that scikit-learn and help() read: its own parameters, and those of `SOM` in place of **."""
    named = [p for p in own.parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
    taken = {p.name for p in named} | {"n_clusters"}
    return own.replace(
        parameters=[*named, *(p for p in signature(SOM.__init__).parameters.values() if p.name not in taken)]
    )


class SOMClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier on a self-organizing map: items take the labels of their best unit and its neighbours.

    Parameters
    ----------
    label_radius: radius r of the formula above in lattice steps; "auto" takes the last radius of the training, 0 keeps
        every unit to itself. prior: weight a, in items. All other parameters are those of `SOM` but n_clusters.

    For partly labelled data train a `SOM` on everything and use its `label_units`.

    Attributes
    ----------
    som_ the fitted map; classes_ (C,); unit_probabilities_ (K, C) the formula above; n_features_in_.

    >>> SOMClassifier(grid=(15, 15)).fit(X, y).predict_proba(new)
    """

    def __init__(
        self,
        grid: str | int | tuple[int, int] = "auto",
        lattice: str = "rectangular",
        *,
        label_radius: str | float = "auto",
        prior: float = 1.0,
        **map_parameters: Any,
    ) -> None:
        if "n_clusters" in map_parameters:
            raise TypeError("SOMClassifier has no n_clusters: its classes are those of the labels")
        for name, value in SOM(grid, lattice, **map_parameters).get_params(deep=False).items():
            if name != "n_clusters":
                setattr(self, name, value)
        self.label_radius = label_radius
        self.prior = prior

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> SOMClassifier:
        """Train the map on X (n, d), then count the labels y (n,) in its units; sample_weight (n,) counts in both.

        Raises InputError for what `SOM.fit` refuses, a negative label_radius, and a prior that is not above 0.
        """
        if not (np.isfinite(self.prior) and self.prior > 0):
            raise InputError(
                f"prior={self.prior!r}; allowed: a number above 0 (it decides in units without items)"
            )
        X, y = self._validated(X, y)
        X = np.asarray(X) if isinstance(X, np.ndarray) else X  # not as a stream, which has no weights
        weight = checked_weights(sample_weight, X.shape[0], "sample_weight", "item")
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.som_ = SOM(**self._map_parameters()).fit(X, sample_weight=weight)
        self.unit_probabilities_ = self._probabilities(self.som_.labels_, codes, weight)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(n, C) probability of each class, in the order of classes_: that of the item's best unit."""
        check_is_fitted(self)
        units, _ = self.som_.best_units(self._validated(X), k=1)
        return self.unit_probabilities_[units[:, 0]]

    def predict(self, X: Any) -> NDArray[Any]:
        """(n,) the most probable class of each item; the first in classes_ of equally probable ones."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags = SOM(metric=self.metric, algorithm=self.algorithm).__sklearn_tags__().input_tags
        return tags

    def _validated(self, X: Any, y: Any = "no_validation") -> Any:
        """X as an array or CSR matrix, and with labels y for training both."""
        training = not isinstance(y, str)
        try:
            checked = validate_data(
                self, as_matrix(X), y, reset=training, accept_sparse="csr", dtype=[np.float64, np.float32], order="C",
                ensure_all_finite=False,
            )  # fmt: skip
            if not training:
                return checked
            labels = column_or_1d(checked[1], warn=True)
            check_classification_targets(labels)
        except ValueError as error:
            lengths = "inconsistent numbers of samples" in str(error)
            needed = "; needed: one label in y for each item of X" if lengths else ""
            raise InputError(f"{error}{needed}") from None
        return checked[0], labels

    def _map_parameters(self) -> dict[str, Any]:
        own = ("label_radius", "prior")
        return {name: value for name, value in self.get_params(deep=False).items() if name not in own}

    def _probabilities(
        self, units: NDArray[np.int64], codes: NDArray[np.int64], weight: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        lattice, n_classes = self.som_.lattice_, len(self.classes_)
        counts = np.bincount(units * n_classes + codes, weights=weight, minlength=lattice.n_units * n_classes)
        table = counts.reshape(lattice.n_units, n_classes).astype(np.float64)
        smoothed = smooth(lattice, "gaussian", self._label_radius(), table)
        shares = table.sum(axis=0) / table.sum()
        return np.asarray(
            (smoothed + self.prior * shares) / (smoothed.sum(axis=1, keepdims=True) + self.prior)
        )

    def _label_radius(self) -> float:
        if isinstance(self.label_radius, str):
            if self.label_radius != "auto":
                raise InputError(
                    f"label_radius={self.label_radius!r}; allowed: 'auto' or a number of 0 or more"
                )
            return float(self.som_.radius_[1])
        if not np.isfinite(self.label_radius) or self.label_radius < 0:
            raise InputError(f"label_radius={self.label_radius!r}; allowed: 'auto' or a number of 0 or more")
        return float(self.label_radius)


SOMClassifier.__init__.__signature__ = _with_parameters_of_a_map(  # type: ignore[attr-defined]
    signature(SOMClassifier.__init__)
)
