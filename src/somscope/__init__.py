"""somscope: see what is in a collection of images, vectors or text."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from somscope.codes import ITQ as ITQ
    from somscope.codes import LSH as LSH
    from somscope.codes import PCAH as PCAH
    from somscope.codes import CodeIndex as CodeIndex
    from somscope.codes import SpectralHashing as SpectralHashing
    from somscope.data import Collection as Collection
    from somscope.data import open_collection as open_collection
    from somscope.errors import SomscopeError as SomscopeError
    from somscope.explorer.notebook import explore as explore
    from somscope.mapping import map_collection as map_collection
    from somscope.maps.batch import batch_step as batch_step
    from somscope.maps.classifier import SOMClassifier as SOMClassifier
    from somscope.maps.larfdssom import LARFDSSOM as LARFDSSOM
    from somscope.maps.lattice import Lattice as Lattice
    from somscope.maps.neighbourhood import neighbourhood as neighbourhood
    from somscope.maps.som import SOM as SOM
    from somscope.maps.somrl import SOMRL as SOMRL
    from somscope.models.ae_kmeans import AEKMeans as AEKMeans
    from somscope.models.ae_som import AESOM as AESOM
    from somscope.models.aec import AEC as AEC
    from somscope.models.bingan import BinGAN as BinGAN
    from somscope.models.contrastive_hash import ContrastiveHash as ContrastiveHash
    from somscope.models.contrastive_som import ContrastiveSOM as ContrastiveSOM
    from somscope.models.conv_desom import ConvDESOM as ConvDESOM
    from somscope.models.dc_somrl import DCSOMRL as DCSOMRL
    from somscope.models.dcn import DCN as DCN
    from somscope.models.dec import DEC as DEC
    from somscope.models.deep_neural_map import DeepNeuralMap as DeepNeuralMap
    from somscope.models.desom import DESOM as DESOM
    from somscope.models.dkm import DKM as DKM
    from somscope.models.dpsom import DPSOM as DPSOM
    from somscope.models.idec import IDEC as IDEC
    from somscope.models.pix2pix import Pix2Pix as Pix2Pix
    from somscope.models.sgd_som import SGDSOM as SGDSOM
    from somscope.models.som_vae import SOMVAE as SOMVAE
    from somscope.models.vade import VaDE as VaDE
    from somscope.models.wamic import WaMiC as WaMiC
    from somscope.runs import Run as Run
    from somscope.runs import assign_collection as assign_collection

# Public name -> module that holds it; imported on first use so that `somscope --help` does not load torch.
_PUBLIC = {
    "CodeIndex": "somscope.codes.index",
    "ITQ": "somscope.codes.itq",
    "LSH": "somscope.codes.lsh",
    "PCAH": "somscope.codes.pcah",
    "SpectralHashing": "somscope.codes.spectral",
    "AESOM": "somscope.models.ae_som",
    "AEC": "somscope.models.aec",
    "BinGAN": "somscope.models.bingan",
    "AEKMeans": "somscope.models.ae_kmeans",
    "DCN": "somscope.models.dcn",
    "DEC": "somscope.models.dec",
    "DKM": "somscope.models.dkm",
    "IDEC": "somscope.models.idec",
    "ContrastiveSOM": "somscope.models.contrastive_som",
    "ConvDESOM": "somscope.models.conv_desom",
    "ContrastiveHash": "somscope.models.contrastive_hash",
    "DCSOMRL": "somscope.models.dc_somrl",
    "DESOM": "somscope.models.desom",
    "DeepNeuralMap": "somscope.models.deep_neural_map",
    "DPSOM": "somscope.models.dpsom",
    "Pix2Pix": "somscope.models.pix2pix",
    "SGDSOM": "somscope.models.sgd_som",
    "SOMVAE": "somscope.models.som_vae",
    "VaDE": "somscope.models.vade",
    "WaMiC": "somscope.models.wamic",
    "SOM": "somscope.maps.som",
    "SOMRL": "somscope.maps.somrl",
    "SOMClassifier": "somscope.maps.classifier",
    "Collection": "somscope.data",
    "LARFDSSOM": "somscope.maps.larfdssom",
    "Lattice": "somscope.maps.lattice",
    "Run": "somscope.runs",
    "SomscopeError": "somscope.errors",
    "assign_collection": "somscope.runs",
    "batch_step": "somscope.maps.batch",
    "explore": "somscope.explorer.notebook",
    "map_collection": "somscope.mapping",
    "neighbourhood": "somscope.maps.neighbourhood",
    "open_collection": "somscope.data",
}

__all__ = [
    "AEC",
    "AESOM",
    "DCN",
    "DCSOMRL",
    "DEC",
    "DESOM",
    "DKM",
    "DPSOM",
    "IDEC",
    "ITQ",
    "LARFDSSOM",
    "LSH",
    "PCAH",
    "SGDSOM",
    "SOM",
    "SOMRL",
    "SOMVAE",
    "AEKMeans",
    "BinGAN",
    "CodeIndex",
    "Collection",
    "ContrastiveHash",
    "ContrastiveSOM",
    "ConvDESOM",
    "DeepNeuralMap",
    "Lattice",
    "Pix2Pix",
    "Run",
    "SOMClassifier",
    "SomscopeError",
    "SpectralHashing",
    "VaDE",
    "WaMiC",
    "__version__",
    "assign_collection",
    "batch_step",
    "explore",
    "map_collection",
    "neighbourhood",
    "open_collection",
]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'somscope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
