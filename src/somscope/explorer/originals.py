"""The files that the images of a run came from, where they still are: for a look at one in full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from somscope.data.images import UnusableImage, decode_image, read_header
from somscope.errors import InputError
from somscope.explorer.mosaic import as_webp

__all__ = ["Originals"]

_LONGEST = 1600  # pixels that are shown of the longer side
_FOLDERS = ("image folder",)


class Originals:
    """The images of a folder by their ids, which are their paths in it.

    source: `collection.source` of a run. moved: where the folder is now. Raises InputError if `moved` is given and is
    not a folder, or the run's items were never files of one.
    """

    def __init__(self, source: dict[str, Any], moved: Path | None = None) -> None:
        known = source.get("reader") in _FOLDERS and isinstance(source.get("path"), str)
        self.was = Path(source["path"]) if known else None
        self.folder = moved if moved is not None else self.was
        if moved is not None and not known:
            raise InputError(
                "--images names the folder of a run's images, and this run was not made from a folder"
            )
        if moved is not None and not moved.is_dir():
            raise InputError(f"--images {moved} is not a folder")

    @property
    def problem(self) -> str | None:
        """That the folder is not where it was, in words."""
        if self.folder is None or self.folder.is_dir():
            return None
        return (
            f"The images are no longer in {self.was}: small copies are shown. "
            "`--images FOLDER` says where they are now."
        )

    def picture(self, name: str) -> bytes | None:
        """The image called `name` as WebP, its longer side at most 1,600 pixels; None where it is not there, lies
        outside the folder, or cannot be read."""
        if self.folder is None:
            return None
        try:
            root = self.folder.resolve()
            file = (root / name).resolve()
            if not file.is_relative_to(root) or not file.is_file():
                return None
            header = read_header(file)
            scale = min(1.0, _LONGEST / max(header.height, header.width))
            height, width = (max(1, round(side * scale)) for side in (header.height, header.width))
            pixels = decode_image(file, (height, width, 1 if header.grey else 3))
        except (UnusableImage, OSError, ValueError):
            return None
        return as_webp(pixels, 90)
