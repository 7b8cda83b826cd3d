"""scikit-learn's own checks, over a grid in which every value of every parameter occurs: none may fail."""

from __future__ import annotations

from collections.abc import Callable

from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from somscope.maps.classifier import SOMClassifier
from somscope.maps.som import SOM


class _Fall:
    """A decay of one's own; a function would put its address into the names of the tests, which must not differ."""

    def __call__(self, at: float, first: float, last: float) -> float:
        return first + (last - first) * at * at

    def __repr__(self) -> str:
        return "_Fall()"


MAPS = [
    SOM(),
    SOM(
        grid="2x4", lattice="hexagonal", toroidal=True, neighbourhood="bubble", radius=1.0, n_passes=4,
        init="k-means++", n_clusters=2, feature_weights=0.5, device="cpu",
    ),
    SOM(
        grid=6, toroidal=True, neighbourhood="epanechnikov", radius=(2, 0), radius_decay="linear", metric="manhattan",
        feature_weights=2.0, tol=0.1, verbose=False,
    ),
    SOM(
        grid=(3, 2), lattice="hexagonal", neighbourhood="cut-gaussian", metric="cosine", radius_decay="inverse",
        init="random", n_passes=3,
    ),
    SOM(
        grid=(2, 4), lattice="hexagonal", algorithm="online", neighbourhood="mexican-hat", radius=(0.35, 0.25),
        n_passes=12, init="random", radius_decay=_Fall(), learning_rate=(0.1, 0.01), learning_rate_decay="inverse",
    ),
    SOM(
        grid=(2, 3), toroidal=True, algorithm="online", n_passes=6, radius_decay="asymptotic", metric="manhattan",
        init="k-means++", learning_rate_decay="linear",
    ),
]  # fmt: skip

CLASSIFIERS = [
    SOMClassifier(),
    SOMClassifier(
        grid=(2, 2),
        lattice="hexagonal",
        metric="cosine",
        init="random",
        label_radius=0,
        prior=0.1,
        n_passes=4,
    ),
    SOMClassifier(
        grid="2x2", algorithm="online", n_passes=6, init="k-means++", label_radius=1.0, feature_weights=2.0
    ),
]


@parametrize_with_checks(MAPS)
def test_map_keeps_every_rule_of_scikit_learn(
    estimator: BaseEstimator, check: Callable[[BaseEstimator], None]
) -> None:
    check(estimator)


@parametrize_with_checks(CLASSIFIERS)
def test_classifier_keeps_every_rule_of_scikit_learn(
    estimator: BaseEstimator, check: Callable[[BaseEstimator], None]
) -> None:
    check(estimator)
