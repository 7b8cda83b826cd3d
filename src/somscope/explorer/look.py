"""From a run folder to a server that shows it, also while the run is still being trained."""

from __future__ import annotations

from pathlib import Path

from somscope.errors import RunError
from somscope.explorer.app import explorer_app
from somscope.explorer.live import Live
from somscope.explorer.serve import Server
from somscope.explorer.shown import open_shown

__all__ = ["look"]


def look(path: str | Path, port: int | None = None) -> Server:
    """A server of the run in `path`, not yet running: `run()` serves until Ctrl-C, `start()` in another thread.

    Where there is no run yet but a training with checkpoints, its progress is shown, and the map once it is there.
    Raises RunError for what is neither, and InputError where no port is free.
    """
    live = Live(path)
    try:
        shown = open_shown(path)
    except RunError:
        if (Path(path).expanduser() / "config.json").exists() or not live.running:
            raise
        return Server(lambda token, hosts: explorer_app(None, token, hosts, live), port)
    return Server(lambda token, hosts: explorer_app(shown, token, hosts), port)
