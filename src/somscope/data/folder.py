"""A folder of images, flat or with one subfolder for each class, with or without a table of metadata beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np

from somscope.data.collection import Collection, Skipped
from somscope.data.image_stack import stack_images
from somscope.data.images import IMAGE_SUFFIXES
from somscope.data.labels import encode_labels
from somscope.data.metadata import Metadata, read_metadata
from somscope.data.sampling import choose
from somscope.errors import DataError, check_choice

__all__ = ["list_files", "read_image_folder", "readable"]

_SPLITS = {"train", "test", "val", "valid", "validation"}
_SUBFOLDERS = ("labels", "ignore")


def read_image_folder(
    folder: str | Path,
    *,
    image_size: Any = None,
    label_column: str = "label",
    subfolders: str = "labels",
    limit: int | None = None,
    seed: int | None = None,
) -> Collection:
    """All images under `folder`, in sorted order of their paths; the id of each is its path inside the folder.

    image_size: pixels, see `somscope.data.image_stack`.
    subfolders: "labels" takes the first subfolder as the class when there are at least two (images directly in
        `folder` get no label; when all first subfolders are called train, test, val, valid or validation, the
        next one is the class); "ignore" does not.
    label_column: column of `metadata.csv`, `.jsonl` or `.parquet` (which must have `file_name`, the path inside
        the folder) that holds the class; it goes before subfolders. Other columns become `metadata`.
    limit, seed: read only so many images, see `somscope.data.sampling.choose`.

    Unusable images are skipped and named. Raises DataError when there is no usable image, or the metadata cannot be
    joined.
    """
    folder = Path(folder)
    check_choice("subfolders", subfolders, _SUBFOLDERS)
    closed: list[Skipped] = []
    every = [name for name in list_files(folder, closed) if name.lower().endswith(IMAGE_SUFFIXES)]
    if not every:
        raise DataError(_nothing_here(folder))
    metadata = read_metadata(folder, label_column)
    names = [every[row] for row in choose(len(every), limit, seed)]
    stack = stack_images([folder / name for name in names], [readable(name) for name in names], image_size)
    kept = [names[row] for row in stack.kept]
    ids = np.array([readable(name) for name in kept], dtype=np.str_)
    table, values, labels_from = None, None, None
    skipped = (*closed, *stack.skipped)
    if metadata is not None:
        table = metadata.join(kept)
        skipped += _without_image(metadata, set(every))
        if label_column in metadata.table.column_names:
            values = metadata.table[label_column].take(metadata.rows(kept)).to_pylist()
            labels_from = f"column {label_column} of {metadata.path.name}"
    if values is None and subfolders == "labels":
        values = _classes(ids.tolist())
        labels_from = None if values is None else "subfolders"
    labels, label_names = (None, ()) if values is None else encode_labels(values, len(ids), rows=ids)
    return Collection(
        name=folder.resolve().name,
        kind="images",
        features=stack.features,
        ids=ids,
        labels=labels,
        label_names=label_names,
        metadata=table,
        paths=np.array([str(folder / name) for name in kept], dtype=object),
        skipped=skipped,
        source={"reader": "image folder", "images": stack.policy, "labels_from": labels_from},
    )


def list_files(folder: Path, closed: list[Skipped] | None = None) -> list[str]:
    """Paths of all files under `folder`, relative to it, with "/" between the parts, sorted; hidden ones left out.

    closed: gets the folders inside that cannot be listed. Raises DataError when `folder` itself cannot be.
    """
    return sorted(_walk(folder, [] if closed is None else closed))


def readable(name: str) -> str:
    """A file's name as text that can be stored: bytes that are not UTF-8 are written as \\xe9, a backslash as two."""
    return os.fsencode(name.replace("\\", "\\\\")).decode("utf-8", "backslashreplace")


def _walk(folder: Path, closed: list[Skipped]) -> Iterator[str]:
    def refused(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise DataError(f"{folder} cannot be listed: {error.strerror}") from error
        inside = readable(Path(error.filename).relative_to(folder).as_posix())
        closed.append(Skipped(inside + "/", f"the folder cannot be listed: {error.strerror}"))

    seen = {os.path.realpath(folder)}
    for place, inside, files in os.walk(folder, onerror=refused, followlinks=True):
        real = {name: os.path.realpath(os.path.join(place, name)) for name in inside}
        inside[:] = [
            name for name in inside if real[name] not in seen and not name.startswith((".", "__MACOSX"))
        ]
        seen.update(real[name] for name in inside)  # a link to a folder above would otherwise never end
        for name in files:
            if not name.startswith("."):
                yield Path(place, name).relative_to(folder).as_posix()


def _classes(ids: list[str]) -> list[str | None] | None:
    parts = [name.split("/")[:-1] for name in ids]
    depth = (
        1 if {part[0] for part in parts if part} <= _SPLITS and any(len(part) > 1 for part in parts) else 0
    )
    classes = [part[depth] if len(part) > depth else None for part in parts]
    return classes if len({name for name in classes if name is not None}) > 1 else None


def _without_image(metadata: Metadata, names: set[str]) -> tuple[Skipped, ...]:
    alike = {normalize("NFC", name) for name in names}
    missing = [name for name in metadata.names if normalize("NFC", name) not in alike]
    return tuple(Skipped(f"{metadata.path.name}: {name}", "no such image in the folder") for name in missing)


def _nothing_here(folder: Path) -> str:
    files = list_files(folder)
    allowed = ", ".join(IMAGE_SUFFIXES)
    if not files:
        return f"{folder} is an empty folder; images are files ending in {allowed}"
    return f"{folder} holds {len(files)} files ({', '.join(files[:3])}, ...) but no image; images end in {allowed}"
