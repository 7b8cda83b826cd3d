"""Binary codes, and the index that searches them."""

from __future__ import annotations

from somscope.codes.coder import Coder
from somscope.codes.packing import hamming_distances, pack, pack_signs, unpack

__all__ = ["Coder", "hamming_distances", "pack", "pack_signs", "unpack"]
