"""Agreement of two partitions of the same items, also under many permutations of one of them at once.

All of it reads the contingency table n_ab, whose margins a permutation does not change: only sum n_ab log n_ab (for the
information measures) and sum n_ab (n_ab - 1) / 2 (for the Rand index) have to be found again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from somscope.measures._arrays import Floats, Units, as_labels, compact

__all__ = ["AGREEMENTS", "permuted_agreement", "variation_of_information"]

AGREEMENTS = ("ami", "ari", "vi")
_BLOCK = 2**22  # table cells and items of one block of permutations


def variation_of_information(first: ArrayLike, second: ArrayLike) -> float:
    """H(a | b) + H(b | a) in bits: 0 for equal partitions, at most log2 n. A metric on partitions.

    first, second: (n,) part of each item, 0 or more. Source: Meila (2007), "Comparing clusterings".
    """
    a = as_labels("first", first)
    identity = np.arange(len(a))[None]
    return float(permuted_agreement(a, as_labels("second", second, len(a)), identity)["vi"][0])


def permuted_agreement(first: ArrayLike, second: ArrayLike, permutations: ArrayLike) -> dict[str, Floats]:
    """{"ami", "ari", "vi"} of `first` and second[permutation], (P,) each; vi in bits.

    first, second: (n,) part of each item. permutations: (P, n). AMI (arithmetic mean) and ARI are those of
    `adjusted_mutual_information` and `adjusted_rand_index`: 1 equal, 0 by chance; two partitions that have one part
    each, or n, agree (1).
    """
    from sklearn.metrics.cluster import expected_mutual_information

    a, b = (compact(as_labels(name, part)) for name, part in (("first", first), ("second", second)))
    n = len(a)
    sizes_a, sizes_b = np.bincount(a), np.bincount(b)
    steps = np.arange(n + 1, dtype=np.float64)
    log_term = steps * np.log(np.maximum(steps, 1.0))
    joint_log, joint_pairs = _table_sums(a, b, np.asarray(permutations), log_term, steps * (steps - 1) / 2)
    h_a, h_b = (float(np.log(n) - log_term[sizes].sum() / n) for sizes in (sizes_a, sizes_b))
    shared = joint_log / n + np.log(n) - log_term[sizes_a].sum() / n - log_term[sizes_b].sum() / n
    shared = np.maximum(shared, 0.0)
    table = sparse.coo_matrix(
        (np.ones(n, dtype=np.int64), (a, b)), shape=(len(sizes_a), len(sizes_b))
    ).tocsr()
    expected = float(expected_mutual_information(table, n))
    pairs_a, pairs_b = (float((s * (s - 1.0) / 2).sum()) for s in (sizes_a, sizes_b))
    by_chance = pairs_a * pairs_b / max(n * (n - 1) / 2, 1.0)
    return {
        "ami": _adjusted(shared, expected, (h_a + h_b) / 2),
        "ari": _adjusted(joint_pairs, by_chance, (pairs_a + pairs_b) / 2),
        "vi": np.maximum(h_a + h_b - 2 * shared, 0.0) / np.log(2),
    }


def _table_sums(
    a: Units, b: Units, permutations: Units, log_term: Floats, pair_term: Floats
) -> tuple[Floats, Floats]:
    cells = (int(a.max()) + 1) * (int(b.max()) + 1)
    step = max(1, _BLOCK // max(cells, len(a)))
    logs, pairs = [], []
    for start in range(0, len(permutations), step):
        part = permutations[start : start + step]
        codes = a * (int(b.max()) + 1) + b[part] + np.arange(len(part))[:, None] * cells
        counts = np.bincount(codes.ravel(), minlength=len(part) * cells).reshape(len(part), cells)
        logs.append(log_term[counts].sum(axis=1))
        pairs.append(pair_term[counts].sum(axis=1))
    return np.concatenate(logs), np.concatenate(pairs)


def _adjusted(value: Floats, expected: float, most: float) -> Floats:
    room = most - expected
    if abs(room) < 1e-12:  # one part, or n of them, on both sides
        return np.ones_like(value)
    return np.asarray((value - expected) / room)
