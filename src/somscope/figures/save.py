"""Writing a figure to a file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import IO

from matplotlib.figure import Figure

__all__ = ["save_figure"]


def save_figure(figure: Figure, path: str | Path | IO[bytes], dpi: int = 130) -> None:
    """Write `figure` in the format that the name of `path` ends with (png, svg, pdf; an open file: png).

    Characters that the font lacks are drawn as boxes, without a warning: class names may be in any script.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(path, dpi=dpi)
