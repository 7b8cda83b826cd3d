"""WebDataset tar shards: images and their labels, read where they lie in the tar; nothing is unpacked or unpickled."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from somscope.data.collection import Collection, Skipped
from somscope.data.image_stack import stack_images
from somscope.data.images import IMAGE_SUFFIXES, FilePart
from somscope.data.labels import encode_labels
from somscope.data.sampling import choose
from somscope.errors import DataError

__all__ = ["TAR_SUFFIX", "read_tar_shards"]

TAR_SUFFIX = ".tar"
_LARGEST_JSON = 2**20  # bytes
_LARGEST_CLASS = 256


@dataclass
class _Sample:
    """The members of one key: an image, and the value of its label."""

    id: str
    image: FilePart | None = None
    label: Any = None


def read_tar_shards(
    path: str | Path,
    *,
    image_size: Any = None,
    label_column: str = "label",
    limit: int | None = None,
    seed: int | None = None,
) -> Collection:
    """All images of a tar, or of the tars in a folder, in sorted order of the tars and in their own order in each.

    Members `KEY.EXT` of one KEY (up to the first dot of the name) are one item: an image (.jpg, .png, ...), and its
    class in `KEY.cls` (a word or a whole number) or in the field `label_column` of `KEY.json`. Others are not looked
    at. The id is KEY, behind the name of the tar where there are several.
    image_size: pixels, see `somscope.data.image_stack`. limit, seed: see `somscope.data.sampling.choose`.

    Unusable images are skipped and named. Raises DataError for a file that is no tar, a compressed one, and one in
    which no image can be used.
    """
    path = Path(path)
    shards = sorted(path.rglob(f"*{TAR_SUFFIX}")) if path.is_dir() else [path]
    found: list[_Sample] = []
    skipped: list[Skipped] = []
    for shard in shards:
        before = f"{shard.relative_to(path).with_suffix('').as_posix()}/" if path.is_dir() else ""
        for sample in _samples(shard, before, label_column):
            if sample.image is None:
                skipped.append(Skipped(sample.id, "no image of this key in the tar"))
            else:
                found.append(sample)
    if not found:
        raise DataError(
            f"{path} holds no images; they end in {', '.join(IMAGE_SUFFIXES)}, beside KEY.cls or KEY.json"
        )
    samples = [found[row] for row in choose(len(found), limit, seed)]
    stack = stack_images([s.image for s in samples if s.image], [s.id for s in samples], image_size)
    kept = [samples[row] for row in stack.kept]
    ids = np.array([sample.id for sample in kept], dtype=np.str_)
    labelled = any(sample.label is not None for sample in kept)
    labels, names = encode_labels([s.label for s in kept], len(ids), rows=ids) if labelled else (None, ())
    return Collection(
        name=path.resolve().stem,
        kind="images",
        features=stack.features,
        ids=ids,
        labels=labels,
        label_names=names,
        skipped=(*skipped, *stack.skipped),
        source={"reader": "tar shards", "images": stack.policy, "shards": len(shards)},
    )


def _samples(shard: Path, before: str, label_column: str) -> list[_Sample]:
    samples: dict[str, _Sample] = {}
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                folder, _, name = member.name.rpartition("/")
                key, _, suffix = name.partition(".")
                if not member.isreg() or member.issparse() or not key:
                    continue
                place = f"{folder}/{key}" if folder else key
                sample = samples.setdefault(place, _Sample(before + place))
                part = FilePart(shard, member.offset_data, member.size)
                kind = f".{suffix.lower()}"
                if kind.endswith(IMAGE_SUFFIXES):
                    sample.image = sample.image or part
                elif kind == ".cls" and member.size <= _LARGEST_CLASS:
                    sample.label = _class(part.read())
                elif kind == ".json" and member.size <= _LARGEST_JSON and sample.label is None:
                    sample.label = _field(part.read(), label_column)
    except (tarfile.TarError, OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{shard} cannot be read as a tar that is not compressed: {str(error)[:200]}"
        ) from error
    return list(samples.values())


def _class(content: bytes) -> int | str:
    word = content.decode("utf-8", "replace").strip()
    return int(word) if word.lstrip("-").isdecimal() else word


def _field(content: bytes, name: str) -> Any:
    """A word or a number of a JSON object; None where it has none of this name."""
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        return None
    value = read.get(name) if isinstance(read, dict) else None
    return value if isinstance(value, str | int) else None
