"""The images of an audit: source, target and generated, paired by name or not, all of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from somscope.data.collection import Skipped
from somscope.errors import InputError

__all__ = ["FEWEST", "PARTS", "AuditImages", "from_arrays"]

PARTS = ("source", "target", "generated")
FEWEST = 4  # images of a set: below, not even a perfect split of real and generated is significant

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class AuditImages:
    """What an audit compares.

    target: (n, H, W, C) uint8, the real images of the generator's domain. generated: (m, H, W, C), what it made.
    source: (n, H, W, C), what it was given, or None. paired: image i of each belongs together (then n = m).
    names: part -> its names; those of pairs are equal. left_out: files that were not used, and why.
    remarks: what was done to the images so that they have one shape, and what was odd about them. folders: part ->
    where its images were read.
    """

    name: str
    target: Pixels
    generated: Pixels
    source: Pixels | None = None
    paired: bool = True
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: tuple[Skipped, ...] = ()
    remarks: tuple[str, ...] = ()
    folders: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part, pixels in self.parts().items():
            if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] not in (1, 3):
                raise InputError(
                    f"{part} images are {pixels.dtype} {pixels.shape}; allowed: (n, H, W, 1 or 3) uint8"
                )
            if len(pixels) < FEWEST:
                raise InputError(
                    f"{part} has {len(pixels)} image{'s' * (len(pixels) != 1)} that can be used; an audit needs at "
                    f"least {FEWEST}, and about 50 before it can say much"
                )
            if pixels.shape[1:] != self.target.shape[1:]:
                raise InputError(
                    f"{part} images are {pixels.shape[1:]} and target images {self.target.shape[1:]}; "
                    "allowed: one shape for all"
                )
            if self.paired and len(pixels) != len(self.target):
                raise InputError(
                    f"{len(pixels)} {part} images cannot be paired with {len(self.target)} targets; "
                    "give as many of each, or audit without source and with paired=False"
                )
        if self.source is not None and not self.paired:
            raise InputError(
                "source images mean something only in pairs: leave them out, or give paired=True"
            )
        for part, pixels in self.parts().items():
            names = self.names.setdefault(part, tuple(str(i) for i in range(len(pixels))))
            if len(names) != len(pixels):
                raise InputError(f"{len(names)} names for {len(pixels)} {part} images")

    def parts(self) -> dict[str, Pixels]:
        """The sets that are there, in the order source, target, generated."""
        sets = {"source": self.source, "target": self.target, "generated": self.generated}
        return {part: pixels for part, pixels in sets.items() if pixels is not None}

    @property
    def n_pairs(self) -> int:
        """How many pairs; 0 for sets that are not paired."""
        return len(self.target) if self.paired else 0


def from_arrays(
    source: ArrayLike | None,
    target: ArrayLike,
    generated: ArrayLike,
    *,
    paired: bool | None = None,
    names: Sequence[Any] | None = None,
    name: str = "audit",
) -> AuditImages:
    """Images in memory: uint8, or floating in [0, 1]; (n, H, W), or with 1 or 3 channels.

    paired: by default whether all have the same length. names: (n,) of the pairs.
    Raises InputError for other shapes and values, and for fewer than four images.
    """
    sets = {"source": source, "target": target, "generated": generated}
    read = {part: _pixels(part, images) for part, images in sets.items() if images is not None}
    remarks = []
    if len({pixels.shape[3] for pixels in read.values()}) > 1:
        grey = [part for part, pixels in read.items() if pixels.shape[3] == 1]
        remarks.append(f"{' and '.join(grey)} images are grey and the others coloured: compared as RGB")
        read = {part: np.repeat(p, 3, axis=3) if p.shape[3] == 1 else p for part, p in read.items()}
    if paired is None:
        paired = source is not None or len({len(pixels) for pixels in read.values()}) == 1
    shared = () if names is None else tuple(str(given) for given in names)
    return AuditImages(
        name=name,
        source=read.get("source"),
        target=read["target"],
        generated=read["generated"],
        paired=paired,
        names=dict.fromkeys(read, shared) if shared else {},
        remarks=tuple(remarks),
    )


def _pixels(part: str, images: ArrayLike) -> Pixels:
    array = np.asarray(images)
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] not in (1, 3) or 0 in array.shape:
        raise InputError(
            f"{part} images have shape {array.shape}; allowed: (n, H, W) or (n, H, W, 1 or 3), none of them 0"
        )
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f" or not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise InputError(f"{part} images are {array.dtype}; allowed: uint8, or floating values from 0 to 1")
    pixels: Pixels = np.rint(array * 255).astype(np.uint8)
    return pixels
