"""The explorer inside a notebook: the same server and the same page, in a frame below the cell."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from somscope.explorer.app import explorer_app
from somscope.explorer.maps import open_maps
from somscope.explorer.serve import Server
from somscope.runs.code_run import CodeRun
from somscope.runs.run import Run

__all__ = ["NOTEBOOKS", "Explored", "explore"]

# Pages that may show the explorer in a frame: notebooks on this machine, and Visual Studio Code's.
NOTEBOOKS = "http://localhost:* http://127.0.0.1:* vscode-webview:"


class Explored:
    """A running explorer, which a notebook shows as a page until `stop()` or the kernel's end. url: of the page."""

    def __init__(self, server: Server, height: int) -> None:
        self._server, self.url, self.height = server, server.url, height

    def stop(self) -> None:
        """End the server; what was shown stays until it asks for more."""
        self._server.stop()

    def _repr_html_(self) -> str:
        frame = f'<iframe src="{escape(self.url)}" title="somscope" width="100%" height="{self.height}"'
        return f'{frame} style="border:1px solid #c9ced6" allow="clipboard-read; clipboard-write"></iframe>'

    def __repr__(self) -> str:
        return f"look at it here: {self.url}"


def explore(
    run: str | Path | Run | CodeRun, beside: str | Path | None = None, *, height: int = 760
) -> Explored:
    """Look at a run, an audit or codes in a notebook; elsewhere, open the `url` of what is returned.

    run: a folder, or a run that was opened. beside: the folder of a second run over the same items, to see both linked.
    height: of the frame, in pixels. The page is served by the kernel to its own machine: where the notebook is shown on
    another one, give it a copy instead, as `somscope look RUN --export FILE.html` writes it.
    Raises RunError for a folder that is none of these.

    >>> somscope.explore("runs/photos")
    """
    path: Any = run.path if isinstance(run, (Run, CodeRun)) else run
    maps = open_maps(path, beside)
    server = Server(lambda token, hosts: explorer_app(maps, token, hosts, frames=NOTEBOOKS), port=0)
    server.start()
    return Explored(server, height)
