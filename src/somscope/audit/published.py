"""The maps and metrics of the GAN-SOM study as its authors' code computed them, slips included.

Source: "Exploring Results of Conditional Generative Adversarial Networks with Self-Organizing Maps" (UBC CPSC 522) and
its script, read for what it does. What the text leaves open or the code does otherwise:

- The maps are MiniSom's of April 2020 (2.2.3): a Gaussian exp(-d^2 / (2 pi sigma^2)), wider than the one of later
  releases, and `train_random` of as many steps as images, which is one pass in random order.
- Jaccard by cluster never compares two clusters at the same place of their lists: two equal clusterings score 0.
- Images that are alone in both maps are left out of the means of Jaccard by image.
- The two sets are exchanged for edges2shoes and sat2map (`domains`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from somscope.audit.images import AuditImages
from somscope.audit.rotation import rotate
from somscope.errors import InputError

__all__ = [
    "EXCHANGED",
    "GRID",
    "MAPS",
    "METRICS",
    "Published",
    "PublishedMaps",
    "chance",
    "domains",
    "jaccard_by_cluster",
    "jaccard_by_image",
    "metrics",
    "minisom_2020",
    "over_seeds",
    "preserved_members",
    "published_maps",
]

GRID = (5, 5)
SIGMA, LEARNING_RATE = 0.5, 0.5
EXCHANGED = ("edges2shoes", "sat2map")

# Our name -> what the paper calls it.
METRICS = {
    "clusters_a": "clusters in real SOM, domain A",
    "clusters_b": "clusters in real SOM, domain B",
    "clusters_fake": "clusters in fake SOM",
    "translation_image_mean": "translation: mean Jaccard for image",
    "translation_image_median": "translation: median Jaccard for image",
    "translation_cluster_mean": "translation: mean Jaccard for cluster",
    "translation_cluster_median": "translation: median Jaccard for cluster",
    "detection_image_mean": "fake detection: mean Jaccard for image",
    "detection_image_median": "fake detection: median Jaccard for image",
    "detection_cluster_mean": "fake detection: mean Jaccard for cluster",
    "detection_cluster_median": "fake detection: median Jaccard for cluster",
    "preserved_score": "images with preserved cluster members: score",
    "pairs_together": "pairs clustered together",
    "fake_only": "fake only clusters",
    "real_only": "real only clusters",
    "clusters_combined": "clusters in combined SOM",
    "follow_up_image_mean": "follow up: mean Jaccard for images",
    "follow_up_image_median": "follow up: median Jaccard for images",
    "follow_up_cluster_mean": "follow up: mean Jaccard for clusters",
    "follow_up_cluster_median": "follow up: median Jaccard for clusters",
}

# The four maps, in the paper's words.
MAPS = {
    "a": "real images, domain A",
    "b": "real images, domain B",
    "fake": "fake images",
    "combined": "real B and fake together",
}

Floats = NDArray[np.float64]
Units = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PublishedMaps:
    """The winning unit of each image on the four 5x5 maps of one seed: (n,) each, combined (2n,), fakes first."""

    a: Units
    b: Units
    fake: Units
    combined: Units


def domains(images: AuditImages, name: str) -> tuple[Floats, Floats, Floats]:
    """Images of "domain A", "domain B" and fake ones as the script calls them, rotated: (n, r) each.

    name: of the data set. For the two of `EXCHANGED` domain B is what the generator was given, which repeats the
    script: it was written as if the generator had run in the other direction.
    """
    if images.source is None or not images.paired:
        raise InputError("the published protocol compares source, target and generated images: give triples")
    source, target, fake = rotate(images.source, images.target, images.generated)
    return (target, source, fake) if name in EXCHANGED else (source, target, fake)


def minisom_2020(items: Floats, draw: np.random.RandomState) -> Units:
    """(n,) winning unit of each item after training as MiniSom 2.2.3 does; units are row * 5 + column.

    Prototypes start as items drawn with replacement; each item is then looked at once, in random order. At step t of
    T = n: rate and sigma are 0.5 / (1 + 2 t / T), and every prototype moves to the item by
    rate * exp(-d^2 / (2 pi sigma^2)), d in lattice steps from the winner.
    """
    n, (rows, columns) = len(items), GRID
    weights = items[[draw.randint(n) for _ in range(rows * columns)]]
    order = np.arange(n)
    draw.shuffle(order)
    at = np.stack(np.divmod(np.arange(rows * columns), columns), axis=1)
    squared = ((at[:, None] - at[None]) ** 2).sum(axis=2)
    for step, item in enumerate(order):
        decay = 1.0 / (1.0 + 2.0 * step / n)
        winner = _winner(weights, items[item])
        reach = np.exp(-squared[winner] / (2.0 * np.pi * (SIGMA * decay) ** 2))
        weights += (LEARNING_RATE * decay * reach)[:, None] * (items[item] - weights)
    return np.array([_winner(weights, item) for item in items])


def _winner(weights: Floats, item: Floats) -> int:
    """The first of the nearest prototypes, as argmin finds it."""
    return int(np.square(weights - item).sum(axis=1).argmin())


def published_maps(a: Floats, b: Floats, fake: Floats, seed: int) -> PublishedMaps:
    """The four maps, one after the other from one stream of random numbers (the script sets no seed)."""
    draw = np.random.RandomState(seed)
    return PublishedMaps(
        a=minisom_2020(a, draw),
        b=minisom_2020(b, draw),
        fake=minisom_2020(fake, draw),
        combined=minisom_2020(np.concatenate([fake, b]), draw),
    )


def metrics(maps: PublishedMaps) -> dict[str, float]:
    """Every metric of the paper, by the names of `METRICS`."""
    found = {
        "clusters_a": float(len(np.unique(maps.a))),
        "clusters_b": float(len(np.unique(maps.b))),
        "clusters_fake": float(len(np.unique(maps.fake))),
    }
    comparisons = {
        "translation": (maps.a, maps.fake),
        "detection": (maps.b, maps.fake),
        "follow_up": (maps.b, maps.a),
    }
    for name, (first, second) in comparisons.items():
        for kind, values in (
            ("image", jaccard_by_image(first, second)),
            ("cluster", jaccard_by_cluster(first, second)),
        ):
            found[f"{name}_{kind}_mean"] = float(values.mean()) if len(values) else 0.0
            found[f"{name}_{kind}_median"] = float(np.median(values)) if len(values) else 0.0
    kept, sizes = preserved_members(maps.b, maps.fake)
    found["preserved_score"] = float(kept[sizes > 1].sum() / max(1, sizes[sizes > 1].sum()))
    fake, real = np.split(maps.combined, 2)
    found["pairs_together"] = float((fake == real).sum())
    fakes, reals = (np.bincount(part, minlength=GRID[0] * GRID[1]) for part in (fake, real))
    found["fake_only"] = float(((fakes > 0) & (reals == 0)).sum())
    found["real_only"] = float(((reals > 0) & (fakes == 0)).sum())
    found["clusters_combined"] = float(((fakes + reals) > 0).sum())
    return {name: found[name] for name in METRICS}


@dataclass(frozen=True, eq=False)
class Published:
    """Of each seed its `metrics` and their mean over shuffled pairs; frequencies: images at the units of the four maps
    of the first seed, by the names of `MAPS`."""

    metrics: list[dict[str, float]]
    chance: list[dict[str, float]]
    frequencies: dict[str, list[int]]


def over_seeds(sets: tuple[Floats, Floats, Floats], seeds: Sequence[int], shuffles: int) -> Published:
    """The published protocol over seeds. sets: as `domains` gives them; shuffles: of the pairs, for each seed."""
    generator = np.random.default_rng(0)
    found = Published([], [], {})
    for seed in seeds:
        maps = published_maps(*sets, seed)
        found.metrics.append(metrics(maps))
        shuffled = [chance(maps, generator) for _ in range(shuffles)]
        found.chance.append({name: float(np.mean([one[name] for one in shuffled])) for name in METRICS})
        if not found.frequencies:
            found.frequencies.update(
                {
                    part: np.bincount(getattr(maps, part), minlength=GRID[0] * GRID[1]).tolist()
                    for part in MAPS
                }
            )
    return found


def chance(maps: PublishedMaps, generator: np.random.Generator) -> dict[str, float]:
    """`metrics` of the same maps with pairs drawn by chance; fake only and real only: with shuffled reals and fakes."""
    n = len(maps.a)
    paired = replace(
        maps,
        a=generator.permutation(maps.a),
        b=generator.permutation(maps.b),
        combined=np.concatenate([generator.permutation(maps.combined[:n]), maps.combined[n:]]),
    )
    labelled = metrics(replace(maps, combined=generator.permutation(maps.combined)))
    return metrics(paired) | {name: labelled[name] for name in ("fake_only", "real_only")}


def jaccard_by_image(first: Units, second: Units) -> Floats:
    """|N1 & N2| / |N1 | N2| of the other members of each image's cluster; images alone in both maps are left out."""
    one, two = first[:, None] == first[None], second[:, None] == second[None]
    either = (one | two).sum(axis=1) - 1
    both = (one & two).sum(axis=1) - 1
    return np.asarray(both[either > 0] / either[either > 0])


def jaccard_by_cluster(first: Units, second: Units) -> Floats:
    """For each cluster of the first map the best Jaccard with one of the second, except the one at its own place.

    Clusters stand in the order of their first image, so that at place 0 both hold image 0: the slip.
    """
    one, two = _members(first), _members(second)
    both = one @ two.T
    jaccard = both / (one.sum(axis=1)[:, None] + two.sum(axis=1)[None] - both)
    np.fill_diagonal(jaccard, 0.0)
    return np.asarray(jaccard.max(axis=1))


def preserved_members(first: Units, second: Units) -> tuple[Units, Units]:
    """For each cluster of the first map: the sum of its intersections (of 2 or more) with those of the second, and its
    size."""
    one, two = _members(first), _members(second)
    both = (one @ two.T).astype(np.int64)
    return np.where(both >= 2, both, 0).sum(axis=1), one.sum(axis=1).astype(np.int64)


def _members(units: Units) -> Floats:
    """(clusters, n) 1 where the image is in the cluster; clusters in the order of their first image."""
    _, first = np.unique(units, return_index=True)
    return np.equal(units[np.sort(first)][:, None], units[None]).astype(np.float64)
