"""The explorer inside a notebook: the same page, in a frame below the cell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from somscope.errors import RunError
from somscope.explorer.maps import open_maps
from somscope.runs.code_run import CodeRun
from somscope.runs.run import Run

if TYPE_CHECKING:
    from somscope.explorer.widget import Explored

__all__ = ["explore"]


def explore(
    run: str | Path | Run | CodeRun, beside: str | Path | None = None, *, height: int = 760
) -> Explored:
    """Look at a run, an audit or codes in a notebook, as `somscope look` shows them in a browser.

    run: a folder, or a run that was opened. beside: the folder of a second run over the same items, to see both linked.
    height: of the frame, in pixels. It is a widget: what the page asks for goes through the notebook to the kernel and
    needs no port, so that it also works where the kernel is on another machine; while a cell runs, the page waits.
    Raises RunError for a folder that is none of these, and without anywidget (pip install "somscope[notebook]").

    >>> somscope.explore("runs/photos")
    """
    path: Any = run.path if isinstance(run, (Run, CodeRun)) else run
    maps = open_maps(path, beside)
    try:
        from somscope.explorer.widget import Explored
    except ImportError as error:
        raise RunError(f'explore needs anywidget: pip install "somscope[notebook]" ({error})') from None
    return Explored(maps, height)
