"""From a run folder to a server that shows it, also while the run is still being trained."""

from __future__ import annotations

from pathlib import Path

from somscope.errors import RunError
from somscope.explorer.app import explorer_app
from somscope.explorer.live import Live
from somscope.explorer.maps import open_maps
from somscope.explorer.serve import Server

__all__ = ["look"]


def look(
    path: str | Path,
    port: int | None = None,
    beside: str | Path | None = None,
    images: str | Path | None = None,
) -> Server:
    """A server of the run, audit or codes in `path`: `run()` serves until Ctrl-C, `start()` in another thread.

    beside: a second run over the same items, whose map is linked with the first. images: where the folder of a run's
    images is now. Where there is no run yet but a training with checkpoints, its progress is shown, and the map once it
    is there.
    Raises RunError for what is none of these, and InputError where no port is free.
    """
    live = Live(path)
    try:
        maps = open_maps(path, beside, images)
    except RunError:
        if (Path(path).expanduser() / "config.json").exists() or not live.running:
            raise
        return Server(lambda token, hosts: explorer_app([], token, hosts, live), port)
    for one in maps:
        one.bake()
    return Server(lambda token, hosts: explorer_app(maps, token, hosts), port)
