"""What is looked up in a run of binary codes: the flow behind `somscope search`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from somscope.data.collection import Collection
from somscope.data.images import UnusableImage, decode_image
from somscope.errors import DataError, InputError
from somscope.report.contact import Card, Group, write_contact_sheet
from somscope.runs.code_run import CodeRun

__all__ = ["Hit", "as_cards", "as_hits", "search_image", "write_hits"]


@dataclass(frozen=True)
class Hit:
    """One item that was found: its row in the collection, its id, its label (or None), and its distance in bits."""

    row: int
    id: str
    label: str | None
    distance: int

    @property
    def apart(self) -> str:
        """The distance in words."""
        return f"{self.distance} bit{'' if self.distance == 1 else 's'}"


def search_image(run: CodeRun, query: str | Path, k: int) -> list[Hit]:
    """The k items of a run of images that are nearest to an image file, nearest first, ties in the order of the items.

    Raises InputError for a run of other items and for k outside 1 to n, DataError for a file that is no usable image.
    """
    shape = run.config["collection"]["image_shape"]
    if shape is None:
        raise InputError(
            f"{run.path} holds codes of {run.config['collection']['kind']}; only images can be looked up"
        )
    path = Path(query)
    if not path.is_file():
        raise DataError(f"{path} does not exist, or is no file")
    try:
        height, width, channels = shape
        image = decode_image(path, (height, width, channels))
    except UnusableImage as error:
        raise DataError(f"{path}: {error}") from None
    codes = run.encoder.encode(Collection(path.name, "images", image[None]))
    found = run.index.search(codes, k, fingerprint=run.encoder.fingerprint)
    there = found.ids[0] >= 0
    return as_hits(run.items(), found.ids[0][there].tolist(), found.distances[0][there].tolist())


def write_hits(run: CodeRun, query: str | Path, hits: Sequence[Hit], path: Path) -> Path:
    """Write a contact sheet: the query, and what was found."""
    from PIL import Image

    with Image.open(query) as image:
        image.thumbnail((160, 160))
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "PNG")
    facts = [
        ("run", str(run.path)),
        ("collection", f"{run.config['collection']['name']}, {run.config['collection']['n_items']:,} items"),
        ("codes", f"{run.config['codes']['bits']} bits by {run.config['model']['name']}"),
    ]
    groups = [
        Group("Query", [Card(buffer.getvalue(), Path(query).name)]),
        Group("Nearest", as_cards(run.items(), hits)),
    ]
    return write_contact_sheet(path, f"Nearest to {Path(query).name}", facts, groups)


def as_hits(table: Any, rows: Sequence[int], distances: Sequence[int]) -> list[Hit]:
    """Rows of a collection's table of items (columns id and label), and how many bits each is away."""
    ids, labels = (table[name].take(list(rows)).to_pylist() for name in ("id", "label"))
    return [Hit(*values) for values in zip(rows, ids, labels, map(int, distances), strict=True)]


def as_cards(table: Any, hits: Sequence[Hit]) -> list[Card]:
    """What a contact sheet shows of hits, with their thumbnails where the table has them."""
    rows = [hit.row for hit in hits]
    shown = (
        table["thumbnail"].take(rows).to_pylist() if "thumbnail" in table.column_names else [None] * len(rows)
    )
    return [
        Card(picture, hit.id, hit.apart + (f", {hit.label}" if hit.label else ""))
        for picture, hit in zip(shown, hits, strict=True)
    ]
