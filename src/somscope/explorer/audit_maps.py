"""The maps of an audit: real and generated images together, with what each unit holds, and each set on its own."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from somscope.audit.record import AuditRecord
from somscope.errors import RunError
from somscope.explorer.laid_out import LaidOut, Means
from somscope.explorer.notes import Notes
from somscope.explorer.shown import Shown
from somscope.maps.lattice import Lattice
from somscope.measures.composition import VERDICTS

__all__ = ["audit_maps"]

_SETS = {"source": "Source images", "target": "Real images", "generated": "Generated images"}
_REACH = 3.0  # log2: eight times as many
_FAR = 10_000  # between the places of two spaces: more than a joint map has units

Rows = NDArray[np.int64]
Items = Sequence[tuple[str, int]]


def audit_maps(folder: str | Path) -> list[Shown]:
    """The maps of the audit in a folder. For each space: the joint one, those of the sets, largest first, and the two
    halves of the joint one, real and generated images each for themselves; without pairs the halves come first.

    Images of a pair have one number in `pairs`; without pairs the halves have `places` in common. Raises RunError for a
    folder that holds no audit, or one without maps.
    """
    folder = Path(folder).expanduser()
    record = AuditRecord.load(folder)
    if not record.spaces:
        raise RunError(f"{folder} has no maps: it was made with --protocol published, which keeps none")
    found: list[Shown] = []
    try:
        for at, space in enumerate(record.spaces):
            found += _of_space(folder, record, space, at)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{folder} is not a whole audit: {error!r}") from error
    return found


def _of_space(folder: Path, record: AuditRecord, space: dict[str, Any], at: int) -> list[Shown]:
    """The maps of one space, the number `at` of the audit's."""
    n, m = record.settings["n"]["target"], record.settings["n"]["generated"]
    paired, several = record.settings["paired"], len(record.spaces) > 1
    inside = f", {space['space']}" if several else ""
    numbers = {
        "source": np.arange(n),
        "target": np.arange(n),
        "generated": np.arange(m) + (0 if paired else n),
    }

    def shown(
        title: str,
        lattice: Lattice,
        items: Items,
        units: Any,
        notes: str | Notes,
        labels: tuple[str, ...] = (),
    ) -> Shown:
        if isinstance(notes, str):
            notes = Notes(folder, lattice.n_units, str(record.settings["created"]), notes)
        pairs = np.array([numbers[part][row] for part, row in items])
        return _shown(folder, record, title + inside, lattice, items, np.array(units), pairs, labels, notes)

    lattice, units = Lattice(*space["grid"]), np.array(space["units"])
    real, made = [("target", row) for row in range(n)], [("generated", row) for row in range(m)]
    both = ("real", "generated")
    joint = shown(
        "Real and generated images together", lattice, real + made, units, f"{at}-joint" if at else "", both
    )
    halves = [
        shown("Real images on the joint map", lattice, real, units[:n], joint.notes),
        shown("Generated images on the joint map", lattice, made, units[n:], joint.notes),
    ]
    for one in (joint, *halves):
        one.first_layers = _composition(space)
    if not paired:  # images that have no partner are linked by where they lie
        for one in halves:
            one.places = one.summary.units + at * _FAR
    own = []
    for grid, sets in sorted(space["maps"].items(), key=lambda entry: -int(entry[0].split("x")[0])):
        rows, columns = map(int, grid.split("x"))
        for part, title in _SETS.items():
            if part in sets:
                chosen = space["rows"] if len(space["rows"]) == len(sets[part]) else range(len(sets[part]))
                items = [(part, int(row)) for row in chosen]
                key = f"{at}-{part}-{grid}"
                own.append(shown(f"{title} on {grid}", Lattice(rows, columns), items, sets[part], key))
    return [joint, *own, *halves] if paired else [*halves, joint, *own]


def _shown(
    folder: Path,
    record: AuditRecord,
    title: str,
    lattice: Lattice,
    items: Items,
    units: Rows,
    pairs: Rows,
    labels: tuple[str, ...],
    notes: Notes,
) -> Shown:
    """One map. items: (part, row) of each; units: (n,) where they lie; labels: of target and generated, or none."""
    import pyarrow as pa

    place = {part: {row: at for at, row in enumerate(rows)} for part, rows in record.shown.items()}
    kept = np.array([row in place.get(part, ()) for part, row in items])
    order = np.argsort(~kept, kind="stable")  # those with a picture first
    items, units, pairs, kept = [items[i] for i in order], units[order], pairs[order], kept[order]
    pictures = [record.thumbnails[part][place[part][row]] for part, row in items[: kept.sum()]]
    names = [str(record.names[part][row]) for part, row in items]
    if labels:
        said = dict(zip(("target", "generated"), labels, strict=True))
        names = [f"{name} ({said[part]})" for name, (part, _) in zip(names, items, strict=True)]
    texts = [said[part] if labels else None for part, _ in items]
    n, shape = len(items), record.thumbnails["target"].shape[1:]
    held = np.bincount(units[: len(pictures)], minlength=lattice.n_units)
    means = Means(_means(pictures, units[: len(pictures)], held, shape), held == 0)
    far = np.full(n, np.float32(np.inf))  # only for the order: `measured` says that distances are unknown
    for at, picture in enumerate(pictures):
        far[at] = np.linalg.norm(picture.ravel() / 255.0 - means.prototypes_[units[at]])
    table = pa.table(
        {
            "id": pa.array(names, pa.string()),
            "unit": pa.array(units.astype(np.int32)),
            "distance": pa.array(far),
            "second_unit": pa.array(np.full(n, -1, np.int32)),
            "percentile": pa.array(np.zeros(n, np.float32)),
            "label": pa.array(texts, pa.string()),
        }
    )
    encoded = [*map(_png, pictures), *[None] * (n - len(pictures))]
    things = table.select(["id", "label"]).append_column("thumbnail", pa.array(encoded, pa.binary()))
    collection = {
        "name": record.name,
        "kind": "images",
        "n_items": n,
        "n_features": int(np.prod(shape)),
        "image_shape": list(shape),
        "label_names": list(labels),
        "source": {},
        "skipped": [],
    }
    config = {
        "created": str(record.settings["created"]),
        "collection": collection,
        "model": {"name": "audit", "parameters": {}},
        "chosen": {},
    }
    laid = LaidOut(folder, config, lattice, table, things, means)
    return Shown(laid, title=title, measured=False, pairs=pairs, noted=notes)


def _means(
    pictures: Sequence[NDArray[np.uint8]], units: Rows, held: Rows, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """(K, h * w * C) in 0..1, the mean picture of each unit; black where none is kept."""
    sums = np.zeros((len(held), int(np.prod(shape))), dtype=np.float64)
    if pictures:
        np.add.at(sums, units, np.stack(pictures).reshape(len(pictures), -1) / 255.0)
    return (sums / np.maximum(held, 1)[:, None]).astype(np.float32)


def _composition(space: dict[str, Any]) -> list[dict[str, Any]]:
    """log2 of generated over real shares: hatched where too few, marked where a unit stands out."""
    real, made, verdict = np.array(space["real"]), np.array(space["generated"]), space["verdict"]
    ratio = np.array([np.nan if value is None else value for value in space["log2_ratio"]], dtype=np.float64)
    one_kind = np.where(real > made, -_REACH, _REACH)  # the ratio of a kind that is absent is infinite
    ratio = np.where(np.isnan(ratio) & (real + made > 0) & (real != made), one_kind, ratio)
    few = [word == VERDICTS[3] for word in verdict]
    out = [word in VERDICTS[1:3] for word in verdict]
    said = [
        f"{held:,} real, {new:,} generated; {word}" + ("" if q is None else f" (q = {q:.3g})")
        for held, new, word, q in zip(real.tolist(), made.tolist(), verdict, space["q"], strict=True)
    ]
    return [
        {
            "key": "composition",
            "title": "Real and generated",
            "type": "value",
            "values": np.clip(ratio, -_REACH, _REACH).tolist(),
            "low": -_REACH,
            "high": _REACH,
            "unit": "log2 of the share of generated over that of real images",
            "text": "Orange units hold more real images, which the generator drops; violet ones more generated ones, "
            f"which it invents. Thick frames stand out (false discovery rate q at most 0.05: {sum(out)} of {len(out)} "
            f"units); dots: too few images to tell ({sum(few)}).",
            "diverging": True,
            "hatched": few,
            "framed": out,
            "said": said,
        }
    ]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
    return buffer.getvalue()
