"""Are two sets samples of one distribution? Each statistic for many assignments of labels at once.

labels: (P, N) booleans, True for generated items: the truth and its permutations, as `swapped_labels` makes them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from somscope.measures._arrays import Floats, Mask

__all__ = ["classifier_accuracy", "classifier_scores", "mmd", "nearest_neighbour_accuracy"]

_RIDGE = 0.1  # of the mean squared length of the items: a fixed, mild shrinkage


def nearest_neighbour_accuracy(
    distances: ArrayLike, labels: ArrayLike, partner: ArrayLike | None = None
) -> Floats:
    """(P,) leave-one-out accuracy of the nearest neighbour in telling the labels: about 0.5 for equal distributions.

    distances: (N, N). partner: (N,) an item that is not asked, its own pair's, or None. The mean of both classes'
    accuracies. Source: Lopez-Paz & Oquab (2017), "Revisiting classifier two-sample tests".
    """
    distances = np.array(distances, dtype=np.float64)
    np.fill_diagonal(distances, np.inf)
    if partner is not None:
        distances[np.arange(len(distances)), np.asarray(partner)] = np.inf
    labels = np.asarray(labels)
    right = labels[:, distances.argmin(axis=1)] == labels
    return _balanced(right, labels)


def classifier_scores(items: ArrayLike, folds: ArrayLike) -> Floats:
    """(N, N) matrix H: H y are the held-out scores of a ridge classifier that learned +-1 labels y.

    items: (N, d). folds: (N,) number of the fold of each item: its score comes from the items of other folds. With the
    kernel K of centred items, H = K_out,in (K_in,in + 0.1 m I)^-1 C, m the mean of the diagonal and C the centring of
    y. A refit for other labels is then one product.
    """
    centred = np.asarray(items, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    folds = np.asarray(folds)
    ridge = _RIDGE * max(float(np.square(centred).sum(axis=1).mean()), np.finfo(float).tiny)
    scores = np.zeros((len(centred), len(centred)))
    for fold in np.unique(folds):
        out, inside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        seen, asked = centred[inside], centred[out]
        if seen.shape[1] < len(inside):  # the same matrix, from the smaller of X'X and XX'
            system = seen.T @ seen + ridge * np.eye(seen.shape[1])
            learned = np.linalg.solve(system, asked.T).T @ seen.T
        else:
            system = seen @ seen.T + ridge * np.eye(len(inside))
            learned = np.linalg.solve(system, seen @ asked.T).T
        scores[np.ix_(out, inside)] = learned - learned.mean(axis=1, keepdims=True)
    return scores


def classifier_accuracy(scores: ArrayLike, labels: ArrayLike) -> Floats:
    """(P,) held-out accuracy of the classifier of `classifier_scores`, refitted for each row of labels.

    A class of m of N items is coded N / 2m, so that unequal sets weigh alike; the mean of both classes' accuracies.
    Source: Lopez-Paz & Oquab (2017); the linear ridge classifier is our choice, for its closed form.
    """
    labels = np.asarray(labels)
    generated = labels.sum(axis=1, keepdims=True)
    n = labels.shape[1]
    coded = np.where(labels, n / (2.0 * generated), -n / (2.0 * (n - generated)))
    said = coded @ np.asarray(scores).T > 0
    return _balanced(said == labels, labels)


def mmd(distances: ArrayLike, labels: ArrayLike) -> Floats:
    """(P,) squared maximum mean discrepancy (biased, V-statistic) under exp(-d^2 / 2 s^2), s the median distance.

    distances: (N, N). 0 for equal sets; above 0 by chance: compare it with permutations. Source: Gretton et al.
    (2012), "A kernel two-sample test", equation 5.
    """
    distances = np.asarray(distances, dtype=np.float64)
    other = distances[np.triu_indices(len(distances), 1)]
    positive = other[other > 0]
    if not len(positive):
        return np.zeros(len(np.asarray(labels)))
    kernel = np.exp(-(distances**2) / (2.0 * float(np.median(positive)) ** 2))
    labels = np.asarray(labels)
    generated = labels.sum(axis=1, keepdims=True)
    weights = np.where(labels, 1.0 / generated, -1.0 / (labels.shape[1] - generated))
    return np.asarray(np.maximum(((weights @ kernel) * weights).sum(axis=1), 0.0))


def _balanced(right: Mask, labels: NDArray[np.bool_]) -> Floats:
    generated = labels.sum(axis=1)
    real = labels.shape[1] - generated
    return np.asarray(((right & labels).sum(axis=1) / generated + (right & ~labels).sum(axis=1) / real) / 2)
