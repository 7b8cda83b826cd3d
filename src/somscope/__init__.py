"""somscope: see what is in a collection of images, vectors or text."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from somscope.maps.som import SOM as SOM

# Public name -> module that holds it; imported on first use so that `somscope --help` does not load torch.
_PUBLIC = {"SOM": "somscope.maps.som"}

__all__ = ["SOM", "__version__"]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'somscope' has no attribute {name!r}")
