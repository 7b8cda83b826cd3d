"""What a named data set is made of: its parts, the layouts in which its files may come, and where to fetch it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from somscope.data.collection import Collection

__all__ = ["Layout", "NamedSet"]


@dataclass(frozen=True)
class Layout:
    """One way in which the files of a set may lie in a folder.

    files: for each part the files that hold it.
    load: (folder, part) -> the collection; raises DataError when a file is not what it should be.
    """

    files: Mapping[str, tuple[str, ...]]
    load: Callable[[Path, str], Collection]

    def present(self, folder: Path, part: str) -> bool:
        """Whether all files of that part lie in `folder`."""
        return part in self.files and all((folder / name).is_file() for name in self.files[part])


@dataclass(frozen=True)
class NamedSet:
    """One row of the table of named data sets (`somscope.data.named.NAMED`).

    parts: number of items of each part; the first is the default.
    folders: names of the folder that holds it (inside each of the places).
    layouts: tried in this order; a download writes the first.
    download: (folder) -> None, writes all files of the first layout there; None when nothing needs fetching.
    terms: licence or terms of use, in a few words. about: what it is, where it comes from, what was done to it.
    """

    name: str
    kind: str
    parts: Mapping[str, int]
    folders: tuple[str, ...]
    layouts: tuple[Layout, ...]
    download: Callable[[Path], None] | None
    terms: str
    about: str

    @property
    def default_part(self) -> str:
        """The part that the bare name means."""
        return next(iter(self.parts))
