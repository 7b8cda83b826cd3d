"""One image file (or its bytes) to one uint8 array: which formats, colours and rotations are understood.

Formats: JPEG, PNG, WebP, GIF (first frame), BMP, TIFF (first page). Colour: 16-bit grey is divided by 257,
palettes are looked up, transparency is composited on white, CMYK and YCbCr become RGB. An EXIF orientation is
applied.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from somscope.data.limits import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS

__all__ = [
    "IMAGE_SUFFIXES",
    "FilePart",
    "Half",
    "Header",
    "ImageSource",
    "UnusableImage",
    "decode_image",
    "read_header",
]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_GREY_MODES = ("1", "L", "LA", "La", "I", "F")
_TURNS = {  # EXIF orientation -> what brings the stored picture upright (Exif 2.32, tag 0x0112)
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnusableImage(Exception):
    """This image cannot be used; the message says why, for `Skipped.why`."""


@dataclass(frozen=True)
class Half:
    """The left or the right half of an image file, upright; of an odd width the middle column belongs to neither."""

    path: Path
    right: bool

    def cut(self, image: Image.Image) -> Image.Image:
        """The half of the whole. Raises UnusableImage for one that is a single pixel wide."""
        if image.width < 2:
            raise UnusableImage("one pixel wide: it has no halves")
        width = image.width // 2
        left = image.width - width if self.right else 0
        half = image.crop((left, 0, left + width, image.height))
        half.info = {
            k: v for k, v in image.info.items() if k == "transparency"
        }  # no orientation: it is upright
        return half


@dataclass(frozen=True)
class FilePart:
    """Bytes offset to offset + size of a file, such as a member of a tar."""

    path: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """Raises UnusableImage where the file has not so many, or an image would be too large."""
        if self.size > MAX_IMAGE_BYTES:
            raise UnusableImage(f"has {self.size:,} bytes; the limit is {MAX_IMAGE_BYTES:,}")
        with self.path.open("rb") as file:
            file.seek(self.offset)
            content = file.read(self.size)
        if len(content) < self.size:
            raise UnusableImage("truncated: the file ends in the middle of it")
        return content


ImageSource = Path | bytes | Image.Image | Half | FilePart


@dataclass(frozen=True)
class Header:
    """What an image declares, read without decoding it: upright size in pixels, and whether it has no colour."""

    height: int
    width: int
    grey: bool


def read_header(source: ImageSource) -> Header:
    """Size and colour of an image, from its header alone.

    Raises UnusableImage for an empty file, a file in no known format, and more than MAX_IMAGE_PIXELS.
    """
    if isinstance(source, Half):
        whole = read_header(source.path)
        return Header(whole.height, whole.width // 2, whole.grey)
    with _open(source) as image:
        width, height = image.size
        if _orientation(image) >= 5:
            width, height = height, width
        try:
            return Header(height, width, _is_grey(image))
        except OSError as error:  # looking up a palette decodes the picture
            raise UnusableImage(f"cannot be decoded: {error}") from error


def decode_image(source: ImageSource, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """(H, W, C) pixels of one image in the wanted `shape`.

    The largest centred part with the proportions of H x W is resized to H x W (Lanczos), which is the same as
    resizing until H x W is just covered and cropping the centre. An image of that size is not resampled.
    Raises UnusableImage for whatever `read_header` refuses, and for truncated or damaged pixels.
    """
    height, width, channels = shape
    with _open(source) as image:
        try:
            turn = _TURNS.get(_orientation(image))
            stored = (height, width) if turn is not None and _swaps(turn) else (width, height)
            if image.format in ("JPEG", "MPO"):
                # Decode at 1/2, 1/4 or 1/8 where that leaves at least twice the wanted size.
                image.draft(image.mode, (2 * stored[0], 2 * stored[1]))
            picture = _fit(_plain(image), stored)
            if turn is not None:
                picture = picture.transpose(turn)
            picture = _opaque(picture).convert("L" if channels == 1 else "RGB")
        except UnusableImage:
            raise
        except MemoryError as error:  # a PNG may end in a piece that says it has gigabytes
            raise UnusableImage(
                "cannot be decoded: it says that it needs more memory than there is"
            ) from error
        except Exception as error:  # on damaged files decoders raise OSError, SyntaxError, struct.error
            raise UnusableImage(f"cannot be decoded: {error}") from error
    return np.asarray(picture).reshape(shape)


def _open(source: ImageSource) -> Image.Image:
    if isinstance(source, Image.Image):
        return source.copy()
    if isinstance(source, Half):
        with _open(source.path) as image:
            turn = _TURNS.get(_orientation(image))
            try:
                return source.cut(image if turn is None else image.transpose(turn))
            except (UnusableImage, MemoryError):
                raise
            except Exception as error:  # decoding damaged pixels, as in decode_image
                raise UnusableImage(f"cannot be decoded: {error}") from error
    if isinstance(source, FilePart):
        source = source.read()
    if isinstance(source, bytes) and not source:
        raise UnusableImage("empty")
    if isinstance(source, Path) and not source.is_file():  # a pipe would wait for ever
        raise UnusableImage("not a regular file, or a link that leads nowhere")
    try:
        file: Any = io.BytesIO(source) if isinstance(source, bytes) else source
        image = Image.open(file, formats=_FORMATS)
    except Image.DecompressionBombError:
        raise UnusableImage(_TOO_LARGE) from None
    except UnidentifiedImageError:
        if isinstance(source, Path) and source.stat().st_size == 0:
            raise UnusableImage("empty file") from None
        raise UnusableImage(f"not an image in a known format ({', '.join(_FORMATS)})") from None
    except MemoryError:
        raise
    except Exception as error:  # as above: a damaged header may raise anything
        raise UnusableImage(f"cannot be opened: {error}") from error
    if image.width * image.height > MAX_IMAGE_PIXELS:
        image.close()
        raise UnusableImage(_TOO_LARGE)
    return image


_TOO_LARGE = f"declares more than {MAX_IMAGE_PIXELS:,} pixels"


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # a damaged EXIF block does not make the picture unusable: take it as upright
        return 1


def _swaps(turn: Image.Transpose) -> bool:
    return turn in (
        Image.Transpose.TRANSPOSE,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_90,
        Image.Transpose.ROTATE_270,
    )


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in _GREY_MODES or image.mode.startswith("I;16")


def _plain(image: Image.Image) -> Image.Image:
    """The image in a mode that can be resampled: L, LA, RGB, RGBA or CMYK."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image)))
    if "transparency" in image.info:
        return image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        image.load()
        return image
    alpha = "A" in image.getbands() or "a" in image.getbands()
    return image.convert({"1": "L", "La": "LA"}.get(image.mode, "RGBA" if alpha else "RGB"))


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """16-bit grey (0..65535) / 257, and floating grey (0..1) * 255, rounded."""
    low, high = values.min(), values.max()
    top, kind = (1.0, "floating-point") if values.dtype.kind == "f" else (65535.0, "integer")
    if low < 0 or high > top or np.isnan(low):
        raise UnusableImage(f"{kind} grey values {low:g}..{high:g} outside 0..{top:g}")
    return np.rint(values * (255.0 / top)).astype(np.uint8)


def _fit(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.size == size:
        return image
    width, height = image.size
    scale = min(width / size[0], height / size[1])  # source pixels for one wanted pixel
    left, upper = (width - scale * size[0]) / 2, (height - scale * size[1]) / 2
    box = (left, upper, min(left + scale * size[0], width), min(upper + scale * size[1], height))
    return image.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode not in ("LA", "RGBA"):
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
