"""What a model is and how its training went, in plain words for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from somscope.figures.curves import curve_label, phase_starts

__all__ = ["model_text", "phase_rows", "term_texts", "training_text"]

_MODELS = {
    "som": (
        "A self-organizing map: every unit has a prototype of the same form as the items. In each pass the "
        "items draw the prototypes of their best units, and more weakly those around them, towards "
        "themselves, so that neighbours on the map come to stand for similar items."
    ),
    "sgd-som": (
        "A self-organizing map of the items themselves, learned by gradient descent on small batches: no "
        "network, but the prototypes of an item's best unit and of those around it are drawn towards it "
        "step by step."
    ),
    "ae-som": (
        "An autoencoder and a self-organizing map, one after the other. First a network learns to write "
        "each item as a few numbers, its code, from which it can be drawn again; then a map is laid out "
        "over the codes, which stay."
    ),
    "desom": (
        "A deep embedded self-organizing map: an autoencoder and a map that learn together. The network "
        "writes each item as a few numbers, its code, from which it can be drawn again; the map lies among "
        "the codes, and the codes move towards the map as it moves towards them."
    ),
    "conv-desom": (
        "A deep embedded self-organizing map for images: a convolutional autoencoder and a map that learn "
        "together. The network writes each image as a few numbers, its code, from which it can be drawn "
        "again; the map lies among the codes, and the codes move towards the map as it moves towards them."
    ),
    "som-vae": (
        "A map of discrete codes: a network writes each item as a few numbers, its code, which is then "
        "replaced by the nearest prototype of the map. One decoder learns to draw the item from its code, "
        "another from the prototype; units beside the chosen one are drawn along, so that neighbours come "
        "to look alike."
    ),
    "dpsom": (
        "A probabilistic deep map: a variational autoencoder writes each item as a small cloud of codes. "
        "Items belong to all units, to near ones most; training makes that choice ever clearer, and keeps "
        "units that lie side by side alike."
    ),
    "deep-neural-map": (
        "A map and an autoencoder that learn in turns. The network writes each item as a few numbers, its code, "
        "from which it can be drawn again. Before each epoch the map is laid over the codes of all items anew; "
        "in the epoch the codes are drawn towards its units, so that it becomes clear where each item belongs."
    ),
    "contrastive-som": (
        "A map of what items keep when they are changed at random. A network learns to write each image as a code "
        "that stays when the image is moved, bent or lit in another way, and that differs from the codes of all other "
        "images; rows of numbers it learns to write so that replaced values can be restored. The map is laid over the "
        "codes, both learn together, and last another network learns to draw what the codes stand for."
    ),
    "somrl": (
        "A map that grows: it begins with one unit, makes a new one for items that no unit is close to, and "
        "removes units that win nothing any longer. Each unit learns how relevant each feature is to it, and "
        "units that activate each other are connected."
    ),
    "larfdssom": (
        "A map that grows item by item: it makes a new unit for an item that no unit is close to, and removes "
        "units that win too little. Each unit learns how relevant each feature is to it; units with like "
        "relevances are connected."
    ),
    "dc-somrl": (
        "An autoencoder and a map of its codes that grows while both learn. The network writes each item as a "
        "few numbers between 0 and 1, its code, from which it can be drawn again; the map makes a unit for "
        "codes that no unit is close to, removes units that win nothing any longer, and learns which numbers "
        "are relevant to each unit."
    ),
}
_CLUSTERERS = {
    "ae-kmeans": (
        "An autoencoder and k-means, one after the other. First a network learns to write each item as a few numbers, "
        "its code, from which it can be drawn again; then the codes are parted into clusters, and stay."
    ),
    "aec": (
        "Clustering with an autoencoder: a network writes each item as a code from which it can be drawn again, and "
        "draws the codes to the centres of their clusters; after each epoch centres and clusters are made anew."
    ),
    "dcn": (
        "A deep clustering network: an autoencoder whose codes are drawn to the nearest of several centres, while each "
        "centre moves to the mean of the codes that it had so far."
    ),
    "dkm": (
        "Deep k-means: an autoencoder and the centres of clusters, learned together. Every code is drawn to all "
        "centres, to the nearest one most; the sharper that choice, the closer it is to k-means."
    ),
    "dec": (
        "Deep embedded clustering: an autoencoder is trained first; then its codes are drawn to centres so that the "
        "shares in which items belong to clusters become ever clearer. What clear means is computed from all items "
        "together, again and again, until hardly an item changes its cluster."
    ),
    "idec": (
        "Improved deep embedded clustering: an autoencoder whose codes are drawn to centres, so that the shares in "
        "which items belong to clusters become ever clearer, while it goes on learning to draw each item from its code."
    ),
    "vade": (
        "A mixture that generates: a cluster is drawn, then a code from the cluster's cloud, then the item from the "
        "code. Two networks learn to draw items and to guess their codes; an item belongs to its most probable cluster."
    ),
    "wamic": (
        "A mixture that generates: codes are drawn from the clouds of the clusters, and a network makes items of them; "
        "a second network, the critic, learns to tell such items from real ones, and the first to deceive it."
    ),
}
_CODES = (
    "Prototypes are codes, too; the pictures and values shown for them are what the network makes of them."
)
_CONVERGED = "hardly an item changed its cluster any longer"
_COUNTS = {
    "n_updates": "Times the target was made anew from all items: {}.",
    "n_reseeded": "Times a cluster without items was put elsewhere: {}.",
}
_TERMS = {
    "reconstruction": "Mean squared difference of an item and what is drawn from its code.",
    "som": (
        "Squared distance of the items' codes to the prototypes, of which those near an item's best unit "
        "count most."
    ),
    "order": (
        "How much nearer a code lies to another unit than to the nearest neighbour of its best unit: 0 for "
        "an orderly map."
    ),
    "contrast": (
        "How hard it is to find the other view of an item among all views of a batch, by their codes: 0 if it always "
        "is the nearest by far."
    ),
    "swapped": "How wrongly the unit of one view of an item is foretold from the other view.",
    "spread": "How far the codes are from filling their space: 1 if they are one point.",
    "quantized_reconstruction": (
        "Mean squared difference of an item and what is drawn from the prototype of its unit."
    ),
    "commitment": "Squared distance of a code to the prototype of its unit: it holds the two together.",
    "transitions": "How improbable each step of a sequence is by the learned probabilities of the next unit.",
    "smoothness": "Squared distance of a code to the prototypes that were to be expected after the last step.",
    "likelihood": "How improbable the item is, given what is drawn from its code.",
    "kl": (
        "How far the cloud of an item's codes is from a standard normal distribution: it keeps codes "
        "together."
    ),
    "reconstruction_sum": "Squared difference of an item and what is drawn from its code, summed over the features.",
    "centres": "Squared distance of a code to the centre of its cluster.",
    "hardening": "How far the shares in which items belong to units are from clear choices.",
    "map": "How little a unit's neighbours share its items: it keeps units that lie side by side alike.",
}
_OF_MODEL = {
    ("vade", "code"): "How improbable an item's codes are in the clouds of the clusters that it belongs to.",
    ("vade", "component"): "How improbable the clusters are that an item belongs to, by their sizes.",
    ("vade", "posterior"): "How narrow the cloud of an item's codes is.",
    ("vade", "assignment"): "How clear it is to which cluster an item belongs: 0 for a clear choice.",
    ("vade", "loss"): "The sum of the others: a bound on how improbable the items are.",
    ("wamic", "adversarial"): "What the critic takes generated items for: the lower, the more like the data.",
    ("wamic", "reconstruction"): (
        "Squared difference of an item and what is drawn from its code: of the autoencoder alone its mean over the "
        "features, in the adversarial training half of its sum."
    ),
    ("wamic", "code"): (
        "Squared difference of the code that an item was generated from and the code that it gets, in units of "
        "the cluster's deviations."
    ),
    ("wamic", "distance"): "The critic's estimate of how far generated items are from the data.",
    ("wamic", "penalty"): "How far the critic's slope is from 1, which makes its estimate a distance.",
    ("dc-somrl", "clustering"): (
        "Squared distance of a code to its unit, each dimension by its relevance for that unit."
    ),
    ("dc-somrl", "reconstruction"): (
        "Squared difference of an item, as the network sees it, and what is drawn from its code."
    ),
    ("sgd-som", "som"): (
        "Squared distance of the items to the prototypes, of which those near an item's best unit count most."
    ),
}


def model_text(config: Mapping[str, Any]) -> str:
    """What the model is; of a model that has no text here its name."""
    name = str(config["model"].get("name"))
    text = (_MODELS | _CLUSTERERS).get(name, f"The model {name}.")
    parameters = config["model"].get("parameters") or {}
    return f"{text} {_CODES}" if "latent_dim" in parameters else text


def term_texts(config: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """What each loss of a training says, by its title in the curves; names: the columns of the history."""
    model = str(config["model"].get("name"))
    known = {name: _OF_MODEL.get((model, name), _TERMS.get(name)) for name in names}
    texts = {name: text for name, text in known.items() if text is not None}
    if len(texts) > 1:
        texts = {"loss": "The weighted sum of the others, as far as a phase has them."} | texts
    return {_title(name): text for name, text in texts.items()}


def _title(name: str) -> str:
    label = curve_label(name)
    return label[:1].upper() + label[1:]


def phase_rows(history: Mapping[str, Sequence[Any]]) -> list[str]:
    """ "joint (steps 1 to 10,000)" for each phase."""
    starts = phase_starts(history)
    if not starts:
        return []
    ends = [start for _, start in starts[1:]] + [float(history["step"][-1])]
    return [
        f"{name} (steps {start + 1:,.0f} to {end:,.0f})"
        for (name, start), end in zip(starts, ends, strict=True)
    ]


def training_text(config: Mapping[str, Any], number: Any) -> str:
    """How long the training was and why it ended; number: writes a number for readers."""
    length = ""
    if config.get("passes") is not None:
        length = f"{number(config['passes'])} passes over the data"
    if config.get("steps") is not None:
        size = (config["model"].get("parameters") or {}).get("batch_size")
        length = f"{number(config['steps'])} steps" + (f" of {number(size)} items each" if size else "")
    seconds = "" if config.get("seconds") is None else f" in {number(config['seconds'])} seconds"
    why = str(config.get("stop_reason") or "")
    why = {
        "completed": "all steps were done",
        "interrupted": "interrupted by Ctrl-C",
        "converged": _CONVERGED,
    }.get(why, why)
    ended = f"{length}{seconds}. Stopped: {why}." if length or seconds else f"Stopped: {why}."
    counts = config.get("counts") or {}
    told = [text.format(number(counts[name])) for name, text in _COUNTS.items() if name in counts]
    return " ".join([ended, *told])
