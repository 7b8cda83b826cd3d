"""Many small pictures in few files: thumbnails laid out on sheets, and the encoding that keeps within a size."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from somscope.errors import DataError

__all__ = [
    "ENCODINGS",
    "Encoding",
    "Pictures",
    "Sheet",
    "decode_pictures",
    "encode_sheets",
    "make_sheet",
    "shrink",
]

_LONGEST_SHEET = 16_000  # pixels; WebP ends at 16,383


@dataclass(frozen=True)
class Encoding:
    """How pictures are stored: longest side in pixels, and quality 1-100 (None keeps every grey value)."""

    side: int
    quality: int | None

    def __str__(self) -> str:
        kept = "without loss" if self.quality is None else f"in WebP quality {self.quality}"
        return f"no more than {self.side} pixels a side, {kept}"


# From the best to the smallest: first the quality goes down, then the size.
ENCODINGS = (
    Encoding(64, None),
    Encoding(64, 92),
    Encoding(64, 85),
    Encoding(64, 75),
    Encoding(64, 65),
    Encoding(48, 65),
    Encoding(40, 55),
    Encoding(32, 50),
    Encoding(24, 50),
)


@dataclass(frozen=True)
class Sheet:
    """One picture with cells of `width` x `height` pixels in rows of `columns`, as a data URI."""

    uri: str
    columns: int
    rows: int
    width: int
    height: int

    def record(self) -> dict[str, int | str]:
        """The sheet as the page's script reads it."""
        return {
            "uri": self.uri,
            "columns": self.columns,
            "rows": self.rows,
            "w": self.width,
            "h": self.height,
        }


@dataclass(frozen=True)
class Pictures:
    """The pictures of some items: (m, H, W, 1 or 3) pixels, and place: (n,) where in them each item's picture is."""

    pixels: NDArray[np.uint8]
    place: NDArray[np.int64]

    def of(self, items: NDArray[np.integer]) -> NDArray[np.uint8]:
        """(len(items), H, W, C) pictures of items that were decoded."""
        return np.asarray(self.pixels[self.place[items]])


def decode_pictures(encoded: Sequence[bytes | None], ids: Sequence[str]) -> NDArray[np.uint8]:
    """(n, H, W, 1 or 3) pictures from PNG, WebP or JPEG bytes; smaller ones are centred on black, None is black.

    Grey only where all are grey. Raises DataError, naming the item, for bytes that are no picture.
    """

    def decode(i: int) -> NDArray[np.uint8]:
        data = encoded[i]
        if data is None:
            return np.zeros((1, 1), dtype=np.uint8)
        try:
            with Image.open(io.BytesIO(data)) as picture:
                grey = picture.mode in ("1", "L")
                return np.asarray(picture.convert("L" if grey else "RGB"))
        except (OSError, ValueError, SyntaxError) as error:
            raise DataError(f"the thumbnail of item {ids[i]!r} cannot be read: {error}") from error

    with ThreadPoolExecutor() as pool:  # Pillow decodes one at a time, but releases the GIL
        pictures = list(pool.map(decode, range(len(encoded)), chunksize=64))
    if not pictures:
        return np.zeros((0, 1, 1, 1), dtype=np.uint8)
    height = max(picture.shape[0] for picture in pictures)
    width = max(picture.shape[1] for picture in pictures)
    channels = 3 if any(picture.ndim == 3 for picture in pictures) else 1
    stack = np.zeros((len(pictures), height, width, channels), dtype=np.uint8)
    for target, picture in zip(stack, pictures, strict=True):
        h, w = picture.shape[:2]
        y, x = (height - h) // 2, (width - w) // 2
        target[y : y + h, x : x + w] = picture if picture.ndim == 3 else picture[..., None]
    return stack


def shrink(pictures: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Pictures whose longest side is at most `side` pixels: averaged down all at once, one Pillow call for all."""
    n, height, width, channels = pictures.shape
    if max(height, width) <= side or n == 0:
        return pictures
    scale = side / max(height, width)
    new_height, new_width = max(1, round(height * scale)), max(1, round(width * scale))

    def one(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        image = Image.fromarray(picture[..., 0] if channels == 1 else picture)
        small = np.asarray(image.resize((new_width, new_height), Image.Resampling.BOX))
        return small.reshape(new_height, new_width, channels)

    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(one, pictures, chunksize=64)))


def make_sheet(pictures: NDArray[np.uint8], quality: int | None, columns: int | None = None) -> Sheet:
    """One sheet of (n, H, W, 1 or 3) pictures, n >= 1, row by row; nearly square where `columns` is not given."""
    n, height, width, channels = pictures.shape
    if columns is None or columns * width > _LONGEST_SHEET or -(-n // columns) * height > _LONGEST_SHEET:
        columns = int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    cells = np.zeros((rows * columns, height, width, channels), dtype=np.uint8)
    cells[:n] = pictures
    canvas = cells.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    canvas = canvas.reshape(rows * height, columns * width, channels)
    kind, data = _encode(Image.fromarray(canvas[..., 0] if channels == 1 else canvas), quality)
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return Sheet(uri, columns, rows, width, height)


def _encode(image: Image.Image, quality: int | None) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    if features.check("webp"):
        if quality is None:
            image.save(buffer, "WEBP", lossless=True, method=2, quality=50)
        else:
            image.save(buffer, "WEBP", quality=quality, method=4)
        return "webp", buffer.getvalue()
    if quality is None:
        image.save(buffer, "PNG", optimize=True)
        return "png", buffer.getvalue()
    image.save(buffer, "JPEG", quality=quality)
    return "jpeg", buffer.getvalue()


def encode_sheets(
    groups: Sequence[NDArray[np.uint8]], budget: int
) -> tuple[list[Sheet | None], Encoding] | None:
    """A sheet for each group of (n, H, W, C) pictures (None for an empty group) within `budget` characters in all.

    The first encoding of `ENCODINGS` that fits is taken; its size is first estimated from at most 30 groups. Returns
    None when even the smallest does not fit.
    """
    filled = [i for i, group in enumerate(groups) if len(group)]
    total = sum(len(groups[i]) for i in filled)
    sample = filled[:: max(1, len(filled) // 30)]
    part = sum(len(groups[i]) for i in sample)
    for encoding in ENCODINGS:

        def encode(i: int, encoding: Encoding = encoding) -> Sheet:
            return make_sheet(shrink(groups[i], encoding.side), encoding.quality)

        with ThreadPoolExecutor() as pool:
            if len(sample) < len(filled):
                tried = sum(len(sheet.uri) for sheet in pool.map(encode, sample))
                if tried * total / part > 1.05 * budget:
                    continue
            sheets: list[Sheet | None] = [None] * len(groups)
            for i, sheet in zip(filled, pool.map(encode, filled), strict=True):
                sheets[i] = sheet
        if sum(len(sheet.uri) for sheet in sheets if sheet) <= budget:
            return sheets, encoding
    return None
