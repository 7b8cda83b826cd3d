"""All peers, by name: each has a small adapter, which imports its library in the peers' own environment.

Settings: "default" is what the constructor gives when nothing but the grid (and the number of passes) is said. The
others vary what moves a map along the trade-off between quantization and topographic error: the final radius, its
decay, the initialisation. Radii are given as shares of the shorter side where a library wants a number.
"""

from __future__ import annotations

from benchmarks.som.adapters import Tool
from benchmarks.som.batch_peers import (
    DBGSOM,
    FASTERSOM,
    INTRASOM,
    PYTHON_SOM,
    SOMOCLU,
    SPARSE_SOM,
    TORCHSOM,
    XPYSOM,
)
from benchmarks.som.online_peers import MINISOM, MINISOM_BATCH, NUMBASOM, POPSOM7, QUICKSOM, SUSI

__all__ = ["PEERS"]

PEERS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        FASTERSOM,
        XPYSOM,
        PYTHON_SOM,
        TORCHSOM,
        SOMOCLU,
        SPARSE_SOM,
        MINISOM,
        MINISOM_BATCH,
        NUMBASOM,
        SUSI,
        DBGSOM,
        QUICKSOM,
        POPSOM7,
        INTRASOM,
    )
}
