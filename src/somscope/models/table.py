"""The models by name: maps, growing maps and clusterers, the one place that a new model is added to."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from somscope.errors import check_choice

__all__ = ["CLUSTERERS", "CODERS", "GROWING", "MAPS", "MODELS", "coder_class", "model_class"]

MAPS = {
    "som": "somscope.maps.som:SOM",
    "sgd-som": "somscope.models.sgd_som:SGDSOM",
    "ae-som": "somscope.models.ae_som:AESOM",
    "desom": "somscope.models.desom:DESOM",
    "conv-desom": "somscope.models.conv_desom:ConvDESOM",
    "som-vae": "somscope.models.som_vae:SOMVAE",
    "dpsom": "somscope.models.dpsom:DPSOM",
    "deep-neural-map": "somscope.models.deep_neural_map:DeepNeuralMap",
    "contrastive-som": "somscope.models.contrastive_som:ContrastiveSOM",
}

GROWING = {  # maps without a lattice
    "somrl": "somscope.maps.somrl:SOMRL",
    "larfdssom": "somscope.maps.larfdssom:LARFDSSOM",
    "dc-somrl": "somscope.models.dc_somrl:DCSOMRL",
}

CLUSTERERS = {
    "ae-kmeans": "somscope.models.ae_kmeans:AEKMeans",
    "aec": "somscope.models.aec:AEC",
    "dcn": "somscope.models.dcn:DCN",
    "dkm": "somscope.models.dkm:DKM",
    "dec": "somscope.models.dec:DEC",
    "idec": "somscope.models.idec:IDEC",
    "vade": "somscope.models.vade:VaDE",
    "wamic": "somscope.models.wamic:WaMiC",
}

MODELS = MAPS | GROWING | CLUSTERERS

CODERS = {  # binary codes: they lay nothing out and group nothing
    "itq": "somscope.codes.itq:ITQ",
    "lsh": "somscope.codes.lsh:LSH",
    "pcah": "somscope.codes.pcah:PCAH",
    "spectral": "somscope.codes.spectral:SpectralHashing",
    "bingan": "somscope.models.bingan:BinGAN",
    "contrastive-hash": "somscope.models.contrastive_hash:ContrastiveHash",
}


def model_class(name: str) -> type[Any]:
    """The class of the model called `name`; imported only now, because it loads torch. InputError for another name."""
    check_choice("model", name, MODELS)
    return _imported(MODELS[name])


def coder_class(name: str) -> type[Any]:
    """The same of a coder. InputError for another name."""
    check_choice("model", name, CODERS)
    return _imported(CODERS[name])


def _imported(where: str) -> type[Any]:
    module, _, attribute = where.partition(":")
    found = getattr(import_module(module), attribute)
    assert isinstance(found, type)
    return found
