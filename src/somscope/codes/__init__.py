"""Binary codes, and the index that searches them."""

from __future__ import annotations

from somscope.codes.coder import Coder
from somscope.codes.gist import GIST
from somscope.codes.index import CodeIndex
from somscope.codes.itq import ITQ
from somscope.codes.lsh import LSH
from somscope.codes.packing import hamming_distances, pack, pack_signs, unpack
from somscope.codes.patches import KMeansPatches
from somscope.codes.pcah import PCAH
from somscope.codes.spectral import SpectralHashing

__all__ = [
    "GIST",
    "ITQ",
    "LSH",
    "PCAH",
    "CodeIndex",
    "Coder",
    "KMeansPatches",
    "SpectralHashing",
    "hamming_distances",
    "pack",
    "pack_signs",
    "unpack",
]
