"""A static copy of the explorer: a folder or one HTML file that opens from a disk, without a server.

Everything that the server would be asked for lies in the page, as base64 in script elements that are data; the tiles of
a folder are files beside it. A copy has tiles of one size and cannot answer what needs the model.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from somscope.errors import RunError
from somscope.explorer.mosaic import TILE, slots_per_side
from somscope.explorer.shown import Shown
from somscope.progress import track
from somscope.runs.writer import new_file, new_run

__all__ = ["MOST_BYTES", "whole_page", "write_copy"]

SIZES = (64, 32, 16)  # pixels of an item
MOST_BYTES = 48 * 2**20  # of the pictures in one file
_SAMPLED = 12  # units whose tiles tell how large all will be

Keep = Callable[[str, bytes], None]


def write_copy(maps: Sequence[Shown], path: str | Path, progress: bool | None = None) -> Path:
    """Write what is shown into a new folder, or into one file where `path` ends in .html.

    One file holds at most 48 MB of pictures: of a large collection smaller ones, or those of the units alone, and the
    page says so. Raises RunError where the folder exists, or nothing can be written.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() in (".html", ".htm"):
        kept: dict[str, bytes] = {}
        _keep(maps, kept.__setitem__, kept.__setitem__, _size_that_fits(maps), progress)
        with new_file(path) as partial:
            partial.write_bytes(whole_page(maps, kept))
        return path
    if path.exists():
        raise RunError(f"{path} exists: name a folder that does not, or a file that ends in .html")
    with new_run(path) as folder:

        def write(name: str, data: bytes) -> None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)

        kept = {}
        _keep(maps, kept.__setitem__, write, SIZES[0], progress)
        (folder / "index.html").write_bytes(whole_page(maps, kept))
    return path


def _keep(maps: Sequence[Shown], keep: Keep, keep_tile: Keep, size: int, progress: bool | None) -> None:
    """Hand over all that the page will ask for. size: of the tiles, 0 for none."""
    titles = [one.title for one in maps] if len(maps) > 1 else []
    for at, shown in enumerate(maps):
        base = f"with/{at}/" if at else ""
        record = shown.record() | {"maps": titles, "tile_sizes": [size] if size else []}
        record["thumbnails"] = record["thumbnails"] and bool(size)
        if shown.thumbnails is not None and not size:
            record["problems"] = [
                *record["problems"],
                "This copy has pictures of units alone, as it is one file.",
            ]
        keep(f"{base}api/run", json.dumps(record, allow_nan=False).encode())
        keep(f"{base}api/items", shown.items())
        keep(f"{base}api/units", shown.units())
        keep(f"{base}api/layers", shown.layers())
        for name in shown.sheet_names:
            keep(f"{base}api/sheet/{name}", shown.sheet(name) or b"")
        if shown.thumbnails is not None and size:
            units = range(shown.run.lattice.n_units)
            for unit in track(units, "Pictures", total=len(units), enabled=progress):
                for row, column in _tiles(shown, unit, size):
                    tile = shown.thumbnails.tile(unit, size, row, column)
                    keep_tile(f"{base}tiles/{unit}-{row}-{column}.webp", tile)


def _tiles(shown: Shown, unit: int, size: int) -> Iterator[tuple[int, int]]:
    hits, side = int(shown.summary.hits[unit]), slots_per_side(int(shown.summary.hits[unit]))
    per_tile = TILE // size
    for row in range(-(-side // per_tile)):
        for column in range(-(-side // per_tile)):
            if row * per_tile * side + column * per_tile < hits:
                yield row, column


def _size_that_fits(maps: Sequence[Shown]) -> int:
    """The largest size at which all tiles fit into one file, by those of some units; 0 where none does."""
    for size in SIZES:
        expected = 0.0
        for shown in maps:
            if shown.thumbnails is None:
                continue
            held = [unit for unit in range(shown.run.lattice.n_units) if shown.summary.hits[unit]]
            some = held[:: -(-len(held) // _SAMPLED) or 1]
            items = sum(int(shown.summary.hits[unit]) for unit in some)
            weight = sum(
                len(shown.thumbnails.tile(unit, size, *place))
                for unit in some
                for place in _tiles(shown, unit, size)
            )
            expected += weight / max(1, items) * len(shown.summary.ids)
        if expected <= MOST_BYTES:
            return size
    return 0


def whole_page(maps: Sequence[Shown], kept: dict[str, bytes] | None = None) -> bytes:
    """The page with its code in one file, and with what it would ask for; without that it asks the notebook around it.

    No code but ours may run in it, and it may load nothing.
    """
    static = files("somscope.explorer").joinpath("static")
    script = static.joinpath("explorer.js").read_text(encoding="utf-8").replace("</script", "<\\/script")
    style = static.joinpath("explorer.css").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "img-src 'self' file: data: blob:; base-uri 'none'; form-action 'none'"
    )
    head = (
        f'<!doctype html>\n<html lang="en"{"" if kept else " data-notebook"}><head><meta charset="utf-8" />\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}" />\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1" />\n<link rel="icon" href="data:," />\n'
        f"<title>{escape(str(maps[0].run.config['collection']['name']))}</title>\n<style>{style}</style></head>\n"
        '<body><noscript>This page needs JavaScript.</noscript><div id="app"></div>\n'
    )
    parts = [head.encode()]
    for name, data in (kept or {}).items():
        opening = f'<script type="application/octet-stream" id="kept:{escape(name)}">'
        parts += [opening.encode(), base64.b64encode(data), b"</script>\n"]
    return b"".join([*parts, f'<script type="module">{script}</script></body></html>\n'.encode()])


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
