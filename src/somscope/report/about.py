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
_CODES = (
    "Prototypes are codes, too; the pictures and values shown for them are what the network makes of them."
)
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
    "hardening": "How far the shares in which items belong to units are from clear choices.",
    "map": "How little a unit's neighbours share its items: it keeps units that lie side by side alike.",
}
_OF_MODEL = {
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
    text = _MODELS.get(name, f"The model {name}.")
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
    why = {"completed": "all steps were done", "interrupted": "interrupted by Ctrl-C"}.get(why, why)
    return f"{length}{seconds}. Stopped: {why}." if length or seconds else f"Stopped: {why}."
