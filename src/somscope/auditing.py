"""From images to an audit: the flow behind `somscope audit`."""

from __future__ import annotations

import csv
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

import somscope
from somscope.audit.conclusions import conclude, distrust
from somscope.audit.corrected import Corrected, SpaceResult, corrected
from somscope.audit.health import Finding, check_health
from somscope.audit.images import AuditImages, from_arrays
from somscope.audit.prototypes import Prototypes
from somscope.audit.published import EXCHANGED, domains, over_seeds
from somscope.audit.record import FILES, AuditRecord
from somscope.audit.spaces import Space, check_space, space_name
from somscope.errors import InputError, RunError, check_choice
from somscope.report.audit import render_audit
from somscope.runs.writer import new_file

__all__ = ["PROTOCOLS", "AuditResult", "audit", "audit_images", "check_free"]

PROTOCOLS = ("corrected", "published", "both")
_SIDE = 96  # pixels of a thumbnail
_UNIT_SIDE = 64  # of the mean image of a unit
_MOST_SHOWN = 200  # thumbnails of a set
_SHUFFLES = 20  # of the pairs, for each seed of the published protocol
_LAST_SEED = 2**31 - 1
_LARGE = 3000  # images beyond which the default space is the downscaled one


class AuditResult(AuditRecord):
    """What an audit found, with its report. See `AuditRecord` for what it holds."""

    def to_html(self, path: str | Path | None = None) -> str:
        """The report, one HTML page that needs nothing else; written to `path` where one is given."""
        page = render_audit(self)
        if path is not None:
            with new_file(path) as partial:
                partial.write_text(page, encoding="utf-8")
        return page

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write report.html, audit.json, numbers.csv and the thumbnails into a new folder.

        overwrite: replace an audit that is there. Raises RunError for a folder that holds anything else.
        """
        folder = Path(folder)
        page = self.to_html()  # before an audit that is there is removed
        if check_free(folder, overwrite=overwrite):
            shutil.rmtree(folder)
        with new_file(folder / "report.html") as partial:
            partial.write_text(page, encoding="utf-8")
        rows = [number.record() for number in self.numbers]
        with (
            new_file(folder / "numbers.csv") as partial,
            partial.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        self.write(folder)
        return folder


def check_free(folder: Path, *, overwrite: bool) -> bool:
    """Whether there is an audit to replace. Raises RunError for a folder that an audit may not be written to."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    there = (folder / FILES[0]).is_file()
    if not overwrite or not there:
        raise RunError(f"{folder} exists: {'give --overwrite to replace it' if there else 'choose another'}")
    return True


def audit(
    source: ArrayLike | None,
    target: ArrayLike,
    generated: ArrayLike,
    *,
    paired: bool | None = None,
    names: Sequence[Any] | None = None,
    name: str = "audit",
    protocol: str = "corrected",
    spaces: Sequence[Space] | None = None,
    n_seeds: int = 20,
    permutations: int = 999,
    seed: int = 0,
) -> AuditResult:
    """What a generator keeps, loses and invents.

    source: (n, H, W[, 1 or 3]) images that the generator was given, or None; target: the real images of its domain;
    generated: what it made; uint8, or floating in [0, 1]. paired: image i of each belongs together; by default where
    there are as many. protocol, spaces, n_seeds, permutations, seed: as in `audit_images`.

    >>> result = audit(None, real, generated, paired=False)
    >>> result.conclusions[0].answer
    >>> result.save("audits/mine")
    """
    images = from_arrays(source, target, generated, paired=paired, names=names, name=name)
    return audit_images(
        images, protocol=protocol, spaces=spaces, n_seeds=n_seeds, permutations=permutations, seed=seed
    )


def audit_images(
    images: AuditImages,
    *,
    protocol: str = "corrected",
    spaces: Sequence[Space] | None = None,
    n_seeds: int = 20,
    permutations: int = 999,
    seed: int = 0,
) -> AuditResult:
    """The audit of images that were read before.

    protocol: "corrected", "published" (the metrics of the GAN-SOM paper as its authors computed them; triples only) or
    "both". spaces: names or functions, see `somscope.audit.spaces`; by default pixels, or of more than 3,000 images
    downscaled ones. n_seeds: maps of each set. permutations: for each null distribution. seed: the same one gives the
    same audit. Raises InputError for what cannot be compared.
    """
    check_choice("protocol", protocol, PROTOCOLS)
    for what, value, least in (("n_seeds", n_seeds, 2), ("permutations", permutations, 19)):
        if value < least:
            raise InputError(f"{what}={value}; allowed: {least} or more")
    if not 0 <= seed <= _LAST_SEED:
        raise InputError(f"seed={seed}; allowed: 0 to {_LAST_SEED}")
    started = time.perf_counter()
    every = sum(len(pixels) for pixels in images.parts().values())
    chosen = list(spaces) if spaces else ["pixels" if every <= _LARGE else "downscaled"]
    for space in chosen:
        check_space(space)
    called = [space_name(space) for space in chosen]
    if len(set(called)) < len(called):
        raise InputError(f"spaces={called}: two have one name; give each a name of its own, once")
    findings = check_health(images)
    published: dict[str, Any] = {}
    if protocol != "corrected":
        seeds = range(seed, seed + n_seeds)
        made = asdict(over_seeds(domains(images, images.name), seeds, _SHUFFLES))
        published = made | {"exchanged": images.name in EXCHANGED}
    found = Corrected([], [])
    if protocol != "published":
        found = corrected(images, chosen, n_seeds, permutations, seed)
    conclusions = [
        conclusion
        for result in found.spaces
        for conclusion in conclude(found.numbers, result.composition.verdict.tolist(), result.space)
    ]
    shown = _shown(images, findings, found.spaces)
    return AuditResult(
        name=images.name,
        settings={
            "protocol": protocol,
            "spaces": called,
            "n_seeds": n_seeds,
            "permutations": permutations,
            "seed": seed,
            "paired": images.paired,
            "n": {part: len(pixels) for part, pixels in images.parts().items()},
            "folders": images.folders,
            "image_shape": list(images.target.shape[1:]),
            "somscope": somscope.__version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - started, 1),
        },
        findings=findings,
        conclusions=conclusions,
        distrust=distrust(findings, found.numbers, called),
        numbers=found.numbers,
        published=published,
        spaces=[_space_record(result) for result in found.spaces],
        names={part: list(names) for part, names in images.names.items()},
        left_out=[{"where": item.where, "why": item.why} for item in images.left_out],
        shown=shown,
        thumbnails={part: _thumbnails(images.parts()[part][rows]) for part, rows in shown.items()}
        | {
            f"units {at} {part}": _unit_means(images.parts()[part], result.prototypes, part)
            for at, result in enumerate(found.spaces)
            if result.prototypes is not None
            for part in ("target", "generated")
        },
    )


def _space_record(result: SpaceResult) -> dict[str, Any]:
    held = result.composition

    def finite(values: NDArray[np.float64]) -> list[float | None]:
        return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values.tolist()]

    return {
        "space": result.space,
        "grid": [result.joint.lattice.rows, result.joint.lattice.columns],
        "real": held.real.tolist(),
        "generated": held.generated.tolist(),
        "q": finite(held.q),
        "log2_ratio": finite(held.log2_ratio),
        "low": finite(held.low),
        "high": finite(held.high),
        "verdict": held.verdict.tolist(),
        "units": result.joint.units[0].tolist(),
        "rows": result.rows.tolist(),
        "maps": {
            grid: {part: units[0].tolist() for part, units in maps.units.items()}
            for grid, maps in result.maps.items()
        },
        "prototypes": None if result.prototypes is None else result.prototypes.number.record(),
        "examples": [sheet.record() for sheet in result.examples],
        "reasons": [asdict(reason) for reason in result.reasons],
    }


def _shown(
    images: AuditImages, findings: Sequence[Finding], spaces: Sequence[SpaceResult]
) -> dict[str, list[int]]:
    """Which images the report shows: the examples of findings, members of units that stand out, and some of all."""
    wanted: dict[str, list[int]] = {part: [] for part in images.parts()}
    for finding in findings:
        if finding.part:
            wanted[finding.part] += finding.examples
    n = len(images.target)
    for result in spaces:
        for sheet in result.examples:
            for _, part, rows in sheet.lines:
                wanted[part] += rows
        units = result.joint.units[0]
        for unit in np.flatnonzero(np.isin(result.composition.verdict, ["mostly real", "mostly generated"])):
            members = np.flatnonzero(units == unit)
            wanted["target"] += members[members < n][:8].tolist()
            wanted["generated"] += (members[members >= n] - n)[:8].tolist()
    if images.paired:
        every = dict.fromkeys(row for rows in wanted.values() for row in rows)
        return dict.fromkeys(wanted, _chosen(every, n))
    return {
        part: _chosen(dict.fromkeys(wanted[part]), len(pixels)) for part, pixels in images.parts().items()
    }


def _chosen(wanted: Iterable[int], n: int) -> list[int]:
    """The first of those that are wanted, and at least eight spread over all: together at most `_MOST_SHOWN`."""
    first = list(wanted)[: _MOST_SHOWN - 8]
    return sorted({*first, *np.linspace(0, n - 1, _MOST_SHOWN - len(first)).astype(int).tolist()})


def _unit_means(pixels: NDArray[np.uint8], found: Prototypes, part: str) -> NDArray[np.uint8]:
    """(K, h, w, C) the mean image of each unit of a set's map; black where it holds none."""
    small = _thumbnails(pixels[found.rows[part]], _UNIT_SIDE).astype(np.float64)
    units, n_units = found.units[part], found.lattice.n_units
    means = np.zeros((n_units, *small.shape[1:]))
    np.add.at(means, units, small)
    hits = np.maximum(np.bincount(units, minlength=n_units), 1)
    return np.rint(means / hits[:, None, None, None]).astype(np.uint8)


def _thumbnails(pixels: NDArray[np.uint8], side: int = _SIDE) -> NDArray[np.uint8]:
    height, width, channels = pixels.shape[1:]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    out = np.empty((len(pixels), size[1], size[0], channels), dtype=np.uint8)
    for at, picture in enumerate(pixels):
        image = Image.fromarray(picture[..., 0] if channels == 1 else picture)
        out[at] = np.asarray(image.resize(size, Image.Resampling.LANCZOS)).reshape(out.shape[1:])
    return out
