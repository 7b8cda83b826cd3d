"""Health checks: what is wrong with the images themselves, before any map is trained.

The thresholds are ours; each finding carries the numbers that decided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.audit.images import AuditImages
from somscope.audit.spaces import downscaled

__all__ = ["CHECKS", "Finding", "check_health", "is_alike", "likeness", "statistics"]

CHECKS = {
    "left out": "files that could not be used",
    "sizes and colours": "images of different sizes or modes",
    "identical sets": "two sets that hold the same images",
    "few distinct": "sets with few different images",
    "duplicates": "images that occur more than once in a set",
    "near-duplicates": "images of a set that are almost the same",
    "copies": "generated images that are copies of source or target images",
    "wrong direction": "outputs that look like inputs: the generator was fed its target domain",
    "blank": "outputs that are nearly constant",
    "collapsed": "outputs that hardly differ from each other",
    "blurred": "outputs with little fine detail",
    "too few": "too few images for a claim",
}
_FEW_DISTINCT = 0.5  # of the images
_NEAR = 0.02  # root mean square difference of 16 x 16 averages, of 1; at most
_NEAR_SHARE = 0.1  # and of the typical difference of two images of the set
_MANY_NEAR = 0.1  # of the images
_NEAREST = 0.9  # of the outputs must be nearer to the inputs than to the targets
_CLEARLY = 0.6  # and so many times as far from them, in the middle
_BLANK = 0.25  # of the targets' contrast
_CONSTANT = 0.02  # contrast below which an image is blank in itself
_COLLAPSED = 0.25  # of the distances among targets
_BLURRED = 0.5  # of the targets' fine detail
_SURE, _SOME = 50, 20  # images
_EXAMPLES = 8
_BLOCK = 512

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    severity: "problem" (conclusions are void or mean something else), "warning" or "note". text: one or two plain
    sentences. numbers: what decided. part: the set that examples are of; examples: rows in it.
    """

    check: str
    severity: str
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    part: str = ""
    examples: tuple[int, ...] = ()

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"examples": list(self.examples)}


def check_health(images: AuditImages) -> list[Finding]:
    """All findings, problems first."""
    digests = {part: _digests(pixels) for part, pixels in images.parts().items()}
    measured = {part: statistics(pixels) for part, pixels in images.parts().items()}
    found = [*_files(images), *_identity(digests), *_near(images, digests)]
    wrong = _direction(measured)
    blank = _blank(measured)
    found += wrong + blank + _collapsed(images, digests)
    if (
        not wrong and not blank
    ):  # otherwise outputs are not of the targets' kind, and detail cannot be compared
        found += _blurred(measured)
    found += _too_few(images)
    order = ("problem", "warning", "note")
    return sorted(found, key=lambda finding: order.index(finding.severity))


def statistics(pixels: Pixels) -> dict[str, Floats]:
    """Per image (n,): "red", "green", "blue" mean; "contrast" standard deviation of grey; "colour" mean of the largest
    less the smallest channel; "detail" mean absolute Laplacian, in 0..1; "flat" share of pixels equal to a neighbour.
    """
    rows: dict[str, list[Floats]] = {
        name: [] for name in ("red", "green", "blue", "contrast", "colour", "detail", "flat")
    }
    for start in range(0, len(pixels), _BLOCK // 8):
        block = pixels[start : start + _BLOCK // 8].astype(np.float32) / 255
        planes = [np.ascontiguousarray(block[..., at % block.shape[3]]) for at in range(3)]
        red, green, blue = planes
        grey = (red + green + blue) / 3
        for name, plane in zip(("red", "green", "blue"), planes, strict=True):
            rows[name].append(plane.mean(axis=(1, 2)))
        rows["contrast"].append(grey.std(axis=(1, 2)))
        most, least = (choose(choose(red, green), blue) for choose in (np.maximum, np.minimum))
        rows["colour"].append((most - least).mean(axis=(1, 2)))
        padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
        around = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
        rows["detail"].append(np.abs(4 * grey - around).mean(axis=(1, 2)))
        steps = np.abs(grey - padded[:, 1:-1, :-2]) + np.abs(grey - padded[:, :-2, 1:-1])
        rows["flat"].append((steps < 2 / 255).mean(axis=(1, 2)))
    return {name: np.concatenate(parts).astype(np.float64) for name, parts in rows.items()}


def _digests(pixels: Pixels) -> list[bytes]:
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in pixels]


def _files(images: AuditImages) -> list[Finding]:
    found = []
    if images.left_out:
        shown = "; ".join(f"{item.where}: {item.why}" for item in images.left_out[:3])
        more = "; ..." if len(images.left_out) > 3 else ""
        found.append(
            Finding(
                "left out",
                "warning",
                f"Left out: {shown}{more} ({len(images.left_out)} in all).",
                {"left out": len(images.left_out)},
            )
        )
    if images.remarks:
        text = "; ".join(images.remarks)
        found.append(Finding("sizes and colours", "warning", text[0].upper() + text[1:] + "."))
    return found


def _identity(digests: dict[str, list[bytes]]) -> list[Finding]:
    found = []
    for part, every in digests.items():
        distinct = len(set(every))
        repeated = len(every) - distinct
        numbers = {"images": len(every), "distinct": distinct}
        counts = {digest: every.count(digest) for digest in set(every)} if repeated else {}
        examples = tuple(row for row, digest in enumerate(every) if counts.get(digest, 1) > 1)[:_EXAMPLES]
        if distinct < _FEW_DISTINCT * len(every):
            found.append(
                Finding(
                    "few distinct",
                    "problem",
                    (
                        f"All {len(every)} {part} images are the same."
                        if distinct == 1
                        else f"Only {distinct} of the {len(every)} {part} images are different."
                    )
                    + f" Whatever is said of the variety of the {part} set is a property of the choice of files.",
                    numbers,
                    part,
                    examples,
                )
            )
        elif repeated:
            found.append(
                Finding(
                    "duplicates",
                    "warning",
                    f"{repeated} of the {len(every)} {part} images repeat another one exactly. Repeats agree with "
                    "each other and make agreement look better than it is.",
                    numbers,
                    part,
                    examples,
                )
            )
    parts = list(digests)
    for at, one in enumerate(parts):
        for other in parts[at + 1 :]:
            shared = set(digests[one]) & set(digests[other])
            if set(digests[one]) == set(digests[other]):
                found.append(
                    Finding(
                        "identical sets",
                        "problem",
                        f"The {one} and the {other} set hold the very same images: there is nothing to compare.",
                        {"shared": len(shared)},
                    )
                )
            elif shared:
                rows = tuple(row for row, digest in enumerate(digests[other]) if digest in shared)
                found.append(
                    Finding(
                        "copies",
                        "warning",
                        f"{len(rows)} {other} images are exact copies of {one} images.",
                        {"copies": len(rows)},
                        other,
                        rows[:_EXAMPLES],
                    )
                )
    return found


def _near(images: AuditImages, digests: dict[str, list[bytes]]) -> list[Finding]:
    found = []
    for part, pixels in images.parts().items():
        _, first = np.unique(np.array(digests[part], dtype="V16"), return_index=True)
        rows = np.sort(first)
        small = downscaled(pixels[rows]).astype(np.float32)
        near = np.zeros(len(rows), dtype=bool)
        squares = np.square(small).sum(axis=1)
        limit = min(_NEAR * np.sqrt(small.shape[1]), _NEAR_SHARE * (_spread(pixels[rows]) or np.inf))
        for start in range(0, len(rows), _BLOCK):
            block = small[start : start + _BLOCK]
            gaps = squares[start : start + _BLOCK, None] + squares[None] - 2 * (block @ small.T)
            gaps[np.arange(len(block)), start + np.arange(len(block))] = np.inf
            near[start : start + _BLOCK] = gaps.min(axis=1, initial=np.inf) < limit**2
        count = int(near.sum())
        if count:
            many = count > _MANY_NEAR * len(pixels)
            found.append(
                Finding(
                    "near-duplicates",
                    "warning" if many else "note",
                    f"{count} of the {len(pixels)} {part} images are almost the same as another one of the set.",
                    {"near-duplicates": count, "images": len(pixels)},
                    part,
                    tuple(rows[near][:_EXAMPLES].tolist()),
                )
            )
    return found


def _direction(measured: dict[str, dict[str, Floats]]) -> list[Finding]:
    """Are the outputs of the kind of the inputs rather than of the targets?"""
    if "source" not in measured:
        return []
    share, ratio = likeness(measured["generated"], measured["source"], measured["target"])
    if not is_alike(share, ratio):
        return []
    return [
        Finding(
            "wrong direction",
            "problem",
            "The generator seems to have been run in the wrong direction: it was fed its target domain. "
            f"{share:.0%} of its outputs are closer to what it was given than to the targets, in brightness, colour, "
            "contrast and detail. What follows compares an input with an output of the wrong kind.",
            {"share nearer to source": share, "distance to source / to target": ratio},
            "generated",
            tuple(range(min(_EXAMPLES, len(measured["generated"]["contrast"])))),
        )
    ]


def likeness(
    images: Mapping[str, Floats], one: Mapping[str, Floats], other: Mapping[str, Floats]
) -> tuple[float, float]:
    """What share of images is nearer to the middle of one set than to that of another, and the median ratio of the two
    distances; all three as `statistics` measures them, each statistic in the deviations of the two sets."""
    table, first, second = _table(images), _table(one), _table(other)
    scale = np.sqrt((first.var(axis=0) + second.var(axis=0)) / 2) + 0.02
    to_one, to_other = (
        np.sqrt(np.square((table - np.median(part, axis=0)) / scale).mean(axis=1)) for part in (first, second)
    )
    return float((to_one < to_other).mean()), float(np.median(to_one / np.maximum(to_other, 1e-9)))


def is_alike(share: float, ratio: float) -> bool:
    """Whether images are clearly of the kind of the one set and not of the other, by `likeness`."""
    return share >= _NEAREST and ratio <= _CLEARLY


def _table(rows: Mapping[str, Floats]) -> Floats:
    """(n, 7) statistics on comparable scales: contrast and detail count by their ratio."""
    logs = {"contrast", "detail"}
    return np.stack([np.log(v + 1e-3) / 4 if name in logs else v for name, v in rows.items()], axis=1)


def _blank(measured: dict[str, dict[str, Floats]]) -> list[Finding]:
    contrast = measured["generated"]["contrast"]
    middle, wanted = float(np.median(contrast)), float(np.median(measured["target"]["contrast"]))
    blank = contrast < _CONSTANT
    if middle >= _BLANK * wanted and blank.mean() < _MANY_NEAR:
        return []
    rows = np.argsort(contrast, kind="stable")[:_EXAMPLES]
    return [
        Finding(
            "blank",
            "problem",
            (
                f"The outputs are nearly blank: their contrast is {middle / wanted:.0%} of the targets'"
                if wanted >= _CONSTANT
                else "The outputs are nearly blank, and so are the targets"
            )
            + (f", and {int(blank.sum())} of {len(blank)} practically constant." if blank.any() else "."),
            {"contrast": middle, "contrast of targets": wanted, "constant images": int(blank.sum())},
            "generated",
            tuple(rows.tolist()),
        )
    ]


def _collapsed(images: AuditImages, digests: dict[str, list[bytes]]) -> list[Finding]:
    spread = {part: _spread(pixels) for part, pixels in images.parts().items()}
    distinct = len(set(digests["target"])) >= _FEW_DISTINCT * len(digests["target"])
    against = "target" if distinct or "source" not in spread else "source"
    if spread["generated"] >= _COLLAPSED * spread[against] or spread[against] == 0:
        return []
    return [
        Finding(
            "collapsed",
            "problem",
            f"The outputs hardly differ from each other: the typical distance between two of them is "
            f"{spread['generated'] / spread[against]:.0%} of that between two {against} images.",
            {"distance": spread["generated"], f"distance of {against}": spread[against]},
            "generated",
            tuple(range(min(_EXAMPLES, len(images.generated)))),
        )
    ]


def _spread(pixels: Pixels) -> float:
    """Median distance of random pairs of images, on averages of 16 x 16 blocks."""
    draw = np.random.default_rng(0)
    one, other = draw.integers(0, len(pixels), (2, 1000))
    small = downscaled(pixels)
    different = one != other
    return (
        float(np.median(np.linalg.norm(small[one] - small[other], axis=1)[different]))
        if different.any()
        else 0.0
    )


def _blurred(measured: dict[str, dict[str, Floats]]) -> list[Finding]:
    detail = measured["generated"]["detail"]
    middle, wanted = float(np.median(detail)), float(np.median(measured["target"]["detail"]))
    if middle >= _BLURRED * wanted:
        return []
    rows = np.argsort(detail, kind="stable")[:_EXAMPLES]
    return [
        Finding(
            "blurred",
            "problem",
            f"The outputs are blurred: they have {middle / wanted:.0%} of the targets' fine detail "
            "(mean absolute Laplacian).",
            {"detail": middle, "detail of targets": wanted},
            "generated",
            tuple(rows.tolist()),
        )
    ]


def _too_few(images: AuditImages) -> list[Finding]:
    n = min(len(images.target), len(images.generated))
    if n >= 2 * _SURE:
        return []
    severity = "note" if n >= _SURE else "warning" if n >= _SOME else "problem"
    what = {
        "note": "enough for large effects only; a mode that is rarer than about one in ten can go unseen",
        "warning": "too few for all but very large effects",
        "problem": "too few for a claim",
    }[severity]
    return [Finding("too few", severity, f"{n} images of a kind: {what}.", {"images": n})]
