"""Table 1 of the SOMRL paper (submitted to ICLR 2022): DC-SOMRL and its baselines, and an ablation of its readings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from somscope.studies.declare import Entry, Study

__all__ = ["SOMRL_ABLATION", "SOMRL_TABLE"]

_DATA = ("mnist", "fashion-mnist")

# Table 2, best values; what is not here (22 dimensions, 200 places, batches of 256, 30 epochs) is the model's default.
# A unit loses life with "every time [it does] not win a competition", of which each item is one.
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "mnist": {
        "alpha": 0.1145,
        "threshold": 0.99425,
        "learning_rate": 0.1426,
        "repel_rate": 1.0,
        "life_decay": 0.36,
        "relevance_rate": 0.067,
        "gamma": 1.382,
        "smoothness": 0.426,
        "standardise": (0.1307, 0.3081),
        "life_unit": "sample",
    },
    "fashion-mnist": {
        "alpha": 0.024,
        "threshold": 0.99885,
        "learning_rate": 0.1383,
        "repel_rate": 0.575,
        "life_decay": 0.46,
        "relevance_rate": 0.0195,
        "gamma": 4.916,
        "smoothness": 0.658,
        "standardise": (0.5, 0.5),
        "life_unit": "sample",
    },
}

# Table 1: (purity, NMI). The paper took the first three from their authors' papers: arithmetic NMI but for DESOM's.
_PUBLISHED: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "k-means": {"mnist": (0.791, 0.537), "fashion-mnist": (0.703, 0.492)},
    "som-vae": {"mnist": (0.868, 0.595), "fashion-mnist": (0.739, 0.520)},
    "desom": {"mnist": (0.939, 0.657), "fashion-mnist": (0.752, 0.538)},
    "dc-somrl": {"mnist": (0.884, 0.521), "fashion-mnist": (0.679, 0.404)},
}


# Ours: what matters least to a unit is replaced by random numbers; the threshold is looser, and neighbours stay.
_OURS: Mapping[str, Any] = {
    "alpha": 0.1145,
    "threshold": 0.98,
    "repel_rate": 1.0,
    "gamma": 6.0,
    "smoothness": 0.2,
    "life_unit": "batch",
    "disturb": 1 / 3,
}

# Ours: the best NMI of 30 settings that `somscope tune` spread over the paper's adjusted ranges, see `notes`.
_TUNED: Mapping[str, Any] = {
    "alpha": 0.0379872,
    "latent_dim": 27,
    "threshold": 0.99089,
    "learning_rate": 0.0642345,
    "repel_rate": 0.980406,
    "life_decay": 0.248491,
    "relevance_rate": 0.0448065,
    "gamma": 3.82671,
    "smoothness": 0.535773,
    "max_units": 69,
}


def _published(model: str, data: str) -> dict[str, float]:
    purity, nmi = _PUBLISHED[model][data]
    return {"purity": purity, "nmi_geometric" if model == "desom" else "nmi_arithmetic": nmi}


def _entry(data: str, model: str, variant: str, parameters: Mapping[str, Any]) -> Entry:
    return Entry(data, model, variant, "held-out", parameters, _published(model, data))


def _table(data: str) -> list[Entry]:
    return [
        _entry(data, "k-means", "k=64", {"n_clusters": 64, "n_init": 1}),
        _entry(data, "som-vae", "legacy", {"grid": (8, 8), "legacy": True}),
        _entry(data, "desom", "legacy", {"grid": (8, 8), "legacy": True}),
        _entry(data, "dc-somrl", "published settings", SETTINGS[data]),
        _entry(data, "dc-somrl", "life by batch", {**SETTINGS[data], "life_unit": "batch"}),
        Entry(data, "dc-somrl", "disturbed codes", "held-out", {**SETTINGS[data], **_OURS}),
    ]


_SHORT = {"n_epochs": 4}

_READINGS: Mapping[str, Mapping[str, Any]] = {
    "published settings": {},
    "repel dimension": {"repel": "dimension"},
    "repel literal": {"repel": "literal"},
    "no repel": {"repel_rate": 0.0},
    "neighbour decay scale": {"neighbour_decay": "scale"},
    "epsilon 1e-3": {"epsilon": 1e-3},
    "life by batch": {"life_unit": "batch"},
    "sum of squares": {"reconstruction": "sum"},
}

SOMRL_TABLE = Study(
    name="somrl-table",
    title="Table 1 of the SOMRL paper: k-means, SOM-VAE, DESOM and DC-SOMRL on MNIST and Fashion-MNIST",
    entries=(
        *(entry for data in _DATA for entry in _table(data)),
        Entry("mnist", "dc-somrl", "tuned", "held-out", _TUNED),
    ),
    notes=(
        "Published: Table 1 of the SOMRL paper, the numbers of k-means, SOM-VAE and DESOM as it copied them from their "
        "papers, which trained and scored on other parts: DESOM on all 70,000 images, SOM-VAE on 45,000 with 10,000 "
        "others of the training part for the score. Its own row is trained on the training part and scored on the test "
        "part, as all of ours are here. Standard deviations of its ten runs: .014 and .007 on MNIST, .009 and .005 on "
        "Fashion-MNIST (purity, NMI). It says that the map ends with 60 to 80 units.",
        "`published settings`: life goes down with each item that a unit does not win (`life_unit`), in"
        " `life by batch` once a batch: the paper leaves it open.",
        "`disturbed codes` is ours, with the parameter `disturb`, which the paper does not have: it makes the third of "
        "a code's dimensions that is least relevant to its unit random, and the ratio is that of thirds, too. It was "
        "chosen by NMI and the perturbation ratio on 5,000 images of the training part of MNIST, after 1,600 steps on "
        "55,000 others, all of half the width and height, with a smaller network.",
        "`tuned` is ours: of 30 settings that `somscope tune mnist:train --ranges adjusted --range n_epochs=4` tried, "
        "that of the highest NMI, by the labels of the training part; here with all 30 epochs.",
        "k-means: one start for each seed.",
        "Unassigned: share of the test images that activate no unit up to the threshold; they count with the most "
        "active unit. Perturbation ratio: mean change of the decoded prototypes when the most relevant third of their "
        "dimensions is disturbed, over the same for the least relevant third.",
    ),
)

SOMRL_ABLATION = Study(
    name="somrl-ablation",
    title="DC-SOMRL under other readings of its paper, on MNIST, after four epochs",
    entries=tuple(
        Entry("mnist", "dc-somrl", variant, "held-out", {**SETTINGS["mnist"], **_SHORT, **changes})
        for variant, changes in _READINGS.items()
    ),
    n_seeds=1,
    notes=(
        "Four of the thirty epochs, one seed: the numbers tell readings apart, and are not those of a whole training.",
        "Each row changes one thing in the first, which has the published settings; what it means is said in "
        "`maps.somrl_layer.SOMRLRule` and `models.dc_somrl.DCSOMRL`.",
    ),
)
