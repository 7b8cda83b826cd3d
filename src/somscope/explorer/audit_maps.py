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
from somscope.explorer.shown import Shown
from somscope.maps.lattice import Lattice
from somscope.measures.composition import VERDICTS

__all__ = ["audit_maps"]

_SETS = {"source": "Source images", "target": "Real images", "generated": "Generated images"}
_REACH = 3.0  # log2: eight times as many

Rows = NDArray[np.int64]


def audit_maps(folder: str | Path) -> list[Shown]:
    """The maps of the audit in a folder: for each space the joint one first, then those of the sets, largest first.

    Images of a pair have one number in `pairs`. Raises RunError for a folder that holds no audit, or one without maps.
    """
    folder = Path(folder).expanduser()
    record = AuditRecord.load(folder)
    if not record.spaces:
        raise RunError(f"{folder} has no maps: it was made with --protocol published, which keeps none")
    try:
        return [one for space in record.spaces for one in _of_space(folder, record, space)]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{folder} is not a whole audit: {error!r}") from error


def _of_space(folder: Path, record: AuditRecord, space: dict[str, Any]) -> list[Shown]:
    n, m = record.settings["n"]["target"], record.settings["n"]["generated"]
    paired, several = record.settings["paired"], len(record.spaces) > 1
    inside = f", {space['space']}" if several else ""
    pair_of = {
        "source": np.arange(n),
        "target": np.arange(n),
        "generated": np.arange(m) + (0 if paired else n),
    }
    every = [("target", row) for row in range(n)] + [("generated", row) for row in range(m)]
    pairs = np.concatenate([pair_of["target"], pair_of["generated"]])
    joint = _shown(
        folder,
        record,
        f"Real and generated images together{inside}",
        Lattice(*space["grid"]),
        every,
        np.array(space["units"]),
        pairs,
        ("real", "generated"),
    )
    joint.first_layers = _composition(space)
    found = [joint]
    for grid, sets in sorted(space["maps"].items(), key=lambda entry: -int(entry[0].split("x")[0])):
        rows, columns = map(int, grid.split("x"))
        for part, title in _SETS.items():
            if part not in sets:
                continue
            chosen = space["rows"] if len(space["rows"]) == len(sets[part]) else range(len(sets[part]))
            items = [(part, int(row)) for row in chosen]
            numbers = pair_of[part][[row for _, row in items]]
            lattice = Lattice(rows, columns)
            title = f"{title} on {grid}{inside}"
            found.append(_shown(folder, record, title, lattice, items, np.array(sets[part]), numbers, ()))
    return found


def _shown(
    folder: Path,
    record: AuditRecord,
    title: str,
    lattice: Lattice,
    items: Sequence[tuple[str, int]],
    units: Rows,
    pairs: Rows,
    labels: tuple[str, ...],
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
    unknown = pa.array(np.zeros(n, np.float32))  # `measured` says so
    table = pa.table(
        {
            "id": pa.array(names, pa.string()),
            "unit": pa.array(units.astype(np.int32)),
            "distance": unknown,
            "second_unit": pa.array(np.full(n, -1, np.int32)),
            "percentile": unknown,
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
    shown = Shown(LaidOut(folder, config, lattice, table, things, means), title=title, measured=False)
    shown.pairs = pairs
    return shown


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
            "text": f"Orange units hold more real images: what the generator drops. Violet ones hold more generated: "
            f"what it invents. A thick frame stands out after control of false discoveries (q at most 0.05: "
            f"{sum(out)} of {len(out)} units); dots say that there are too few images to tell ({sum(few)}).",
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
