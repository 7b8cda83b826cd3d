"""Collection -> run of binary codes, and what is looked up in one: the flow behind `somscope codes`, `search` and
`duplicates`."""

from __future__ import annotations

import inspect
import io
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from somscope import __version__
from somscope.atomic import no_interrupt
from somscope.codes import LSH, CodeIndex, Coder, unpack
from somscope.codes.packing import check_bits
from somscope.data.collection import Collection
from somscope.data.images import UnusableImage, decode_image
from somscope.errors import DataError, InputError
from somscope.figures.codes import bit_balance_figure, bit_correlation_figure
from somscope.figures.save import save_figure
from somscope.interrupt import catch_interrupt
from somscope.models.table import coder_class
from somscope.report.contact import Card, Group, write_contact_sheet
from somscope.runs.code_run import INDEX, CodeRun, Encoder, learn_features
from somscope.runs.jsonfile import write_object
from somscope.runs.record import collection_record, items_table, jsonable, write_items
from somscope.runs.room import give_room, keep_room, room_for
from somscope.runs.run import FORMAT
from somscope.runs.steps import Steps
from somscope.runs.writer import new_run

__all__ = ["Hit", "code_collection", "duplicate_groups", "search_image", "write_duplicates", "write_hits"]

_EXAMPLES, _NEIGHBOURS = 6, 8  # of the report
_CODER_BYTES = 2**25  # of a coder and what stands before it: networks of codes have a few million weights
_BLOCK = 4096  # items that are encoded between two looks at Ctrl-C
_MOST_FOR_CORRELATION = 20_000  # items
_LEAST_BLOCK, _MOST_PAIRS = (
    256,
    2**22,
)  # codes whose neighbours are looked up at once, and pairs that this may give


@dataclass(frozen=True)
class Hit:
    """One item that was found: its row in the collection, its id, its label (or None), and its distance in bits."""

    row: int
    id: str
    label: str | None
    distance: int


def code_collection(
    collection: Collection,
    path: str | Path,
    model_name: str = "itq",
    bits: int = 32,
    features: str = "pixels",
    *,
    parameters: Mapping[str, Any] | None = None,
    kind: str = "exact",
    seed: int = 0,
    overwrite: bool = False,
    command: Sequence[str] = (),
) -> CodeRun:
    """Learn a coder from a collection, encode it, and write coder, index, figures and report to the run folder `path`.

    features: pixels (features as they are, where the items are no images), gist, kmeans, or a run folder with a
    network. kind: of the index. Labels never reach the coder. Ctrl-C while the items are encoded keeps the coder, and
    the run holds the codes so far: a warning says how many. Room for what was learned is taken on the disk before it is
    learned; figures and report that cannot be written are left out, which a warning says too.
    Raises InputError for wrong parameters and for items that a coder cannot use, RunError where the folder cannot be
    written.
    """
    made = coder_class(model_name)
    known = inspect.signature(made).parameters
    settings = {
        "bits": check_bits(bits),  # before features are learned, which takes long
        **({"random_state": seed} if "random_state" in known else {}),
        **(parameters or {}),
    }
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise InputError(f"{model_name} has no parameter {', '.join(unknown)}; allowed: {', '.join(known)}")
    if made.of_images and features != "pixels":
        raise InputError(
            f"{model_name} learns from images as they are, not from {features}: leave features at 'pixels'"
        )
    unlabelled = replace(collection, labels=None, label_names=())
    with new_run(path, overwrite) as folder:
        described = collection_record(collection)  # reads all data, which can fail
        keep_room(folder, room_for(collection, _CODER_BYTES + (bits // 8 + 8) * collection.n_items))
        started = time.perf_counter()
        before = learn_features(features, unlabelled, seed)
        encoder = Encoder(before, made(**settings))
        items = before.of(unlabelled)
        encoder.coder.fit(items)
        codes = _encoded(encoder.coder, items)
        seconds = time.perf_counter() - started
        warnings = list(encoder.coder.warnings_)
        if len(codes) < collection.n_items:
            warnings.append(f"interrupted: {len(codes)} of {collection.n_items} items are encoded")
        with no_interrupt():  # what is left takes moments, and the coder must not be lost
            give_room(folder)
            index = CodeIndex(bits, kind, fingerprint=encoder.fingerprint)
            index.add(codes)
            encoder.coder.save(folder)
            before.save(folder)
            index.save(folder / INDEX)
            correlation = bit_correlation(codes, bits)
            off = correlation[~np.eye(bits, dtype=bool)]
            means = encoder.coder.bit_means_
            metrics = {
                "effective_bits": encoder.coder.effective_bits_,
                "bit_imbalance": float(np.abs(2 * means - 1).mean()),
                "bit_correlation": float(np.abs(off).mean()) if off.size else 0.0,
            }
            record = {
                "format": FORMAT,
                "somscope": __version__,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "command": list(command),
                "collection": described,
                "model": {"name": model_name, "parameters": encoder.coder.get_params(deep=False)},
                "codes": {
                    "bits": bits,
                    "features": {"name": before.name, "model": before.model_name, "given": features},
                    "index": kind,
                    "fingerprint": encoder.fingerprint,
                },
                "seed": seed,
                "seconds": seconds,
                "warnings": warnings,
            }
            record = {name: jsonable(value) for name, value in record.items()}
            write_object(folder / "config.json", record)
            write_object(folder / "metrics.json", metrics)
            write_items(folder, items_table(collection, shown=False))
        steps = Steps(folder, "the coder")
        steps.do("thumbnails", lambda: write_items(folder, items_table(collection)))
        steps.do(
            "figures and report", lambda: _illustrate(CodeRun(folder, record), index, means, correlation)
        )
        if steps.left_out:
            record["left_out"] = steps.left_out
            record["warnings"] = warnings + [
                f"{part['what']} left out: {part['why']}" for part in steps.left_out
            ]
            with no_interrupt():
                shutil.rmtree(folder / "figures", ignore_errors=True)  # where they have filled the disk
                write_object(folder / "config.json", record)
    return CodeRun.open(path)


def _illustrate(
    run: CodeRun, index: CodeIndex, means: NDArray[np.floating], correlation: NDArray[np.float64]
) -> None:
    """Write the figures and the report. means: (K,) of the bits."""
    config, metrics = run.config, run.metrics()
    figures = {
        "bit_balance": bit_balance_figure(means),
        "bit_correlation": bit_correlation_figure(correlation),
    }
    (run.path / "figures").mkdir()
    cards = []
    for name, figure in figures.items():
        file = run.path / "figures" / f"{name}.png"
        save_figure(figure, file)
        cards.append(Card(file.read_bytes(), name.replace("_", " ")))
    groups = [Group("Bits", cards, wide=True), *_examples(run, index, config["seed"])]
    facts = [
        ("collection", f"{config['collection']['name']}, {config['collection']['n_items']:,} items"),
        (
            "codes",
            f"{index.bits} bits by {config['model']['name']} on {config['codes']['features']['given']}, "
            f"{metrics['effective_bits']} effective",
        ),
        ("index", f"{index.kind}, {index.codes.nbytes:,} bytes of codes"),
        ("bit imbalance", f"{metrics['bit_imbalance']:.3f} (0: every bit is one for half of the items)"),
        (
            "bit correlation",
            f"{metrics['bit_correlation']:.3f} (mean of |correlation| over pairs of bits)",
        ),
        *(("warning", text) for text in config["warnings"]),
    ]
    write_contact_sheet(run.path / "report.html", f"Codes of {config['collection']['name']}", facts, groups)


def _encoded(coder: Coder, items: Any) -> NDArray[np.uint8]:
    """Codes of a collection or an array, in blocks; after Ctrl-C those so far."""
    parts: list[NDArray[np.uint8]] = []
    with catch_interrupt("the coder is kept, with the codes so far") as interrupt:
        for start in range(0, len(items), _BLOCK):
            rows = slice(start, start + _BLOCK)
            block = items.take(np.arange(len(items))[rows]) if isinstance(items, Collection) else items[rows]
            parts.append(coder.encode(block))
            if interrupt.requested:
                break
    return np.concatenate(parts)


def bit_correlation(codes: NDArray[np.uint8], bits: int) -> NDArray[np.float64]:
    """(K, K) correlation of bits over up to 20,000 evenly spaced items; 0 for pairs with a constant one."""
    step = max(1, len(codes) // _MOST_FOR_CORRELATION)
    values = unpack(codes[::step], bits).astype(np.float64)
    values -= values.mean(axis=0)
    spread = np.sqrt(np.square(values).mean(axis=0))
    spread[spread == 0] = np.inf
    found = values.T @ values / len(values) / spread[:, None] / spread
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)


def _examples(run: CodeRun, index: CodeIndex, seed: int) -> list[Group]:
    """A few random items with their nearest neighbours, themselves first."""
    table = run.items()
    if "thumbnail" not in table.column_names or len(index) < 2:
        return []
    rows = np.sort(np.random.default_rng(seed).permutation(len(index))[:_EXAMPLES])
    found = index.search(index.codes[rows], min(_NEIGHBOURS, len(index)))
    groups = []
    for row, ids, distances in zip(rows.tolist(), found.ids.tolist(), found.distances.tolist(), strict=True):
        others = [(i, d) for i, d in zip(ids, distances, strict=True) if i not in (row, -1)]
        hits = _hits(table, [row, *(i for i, _ in others)], [0, *(d for _, d in others)])
        groups.append(Group(f"Nearest to {hits[0].id}", _cards(table, hits)))
    return groups


def search_image(run: CodeRun, query: str | Path, k: int) -> list[Hit]:
    """The k items of a run of images that are nearest to an image file, nearest first, ties in the order of the items.

    Raises InputError for a run of other items and for k outside 1 to n, DataError for a file that is no usable image.
    """
    shape = run.config["collection"]["image_shape"]
    if shape is None:
        raise InputError(
            f"{run.path} holds codes of {run.config['collection']['kind']}; only images can be looked up"
        )
    path = Path(query)
    if not path.is_file():
        raise DataError(f"{path} does not exist, or is no file")
    try:
        height, width, channels = shape
        image = decode_image(path, (height, width, channels))
    except UnusableImage as error:
        raise DataError(f"{path}: {error}") from None
    codes = run.encoder.encode(Collection(path.name, "images", image[None]))
    found = run.index.search(codes, k, fingerprint=run.encoder.fingerprint)
    there = found.ids[0] >= 0
    return _hits(run.items(), found.ids[0][there].tolist(), found.distances[0][there].tolist())


def write_hits(run: CodeRun, query: str | Path, hits: Sequence[Hit], path: Path) -> Path:
    """Write a contact sheet: the query, and what was found."""
    from PIL import Image

    with Image.open(query) as image:
        image.thumbnail((160, 160))
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "PNG")
    facts = [
        ("run", str(run.path)),
        ("collection", f"{run.config['collection']['name']}, {run.config['collection']['n_items']:,} items"),
        ("codes", f"{run.config['codes']['bits']} bits by {run.config['model']['name']}"),
    ]
    groups = [
        Group("Query", [Card(buffer.getvalue(), Path(query).name)]),
        Group("Nearest", _cards(run.items(), hits)),
    ]
    return write_contact_sheet(path, f"Nearest to {Path(query).name}", facts, groups)


def duplicate_groups(
    collection: Collection, radius: int = 3, bits: int = 64, seed: int = 0
) -> list[list[Hit]]:
    """Groups of images that are nearly the same: chains of images whose codes differ in up to `radius` bits each.

    The codes are signs of random projections of GIST about its mean (LSH), of which each differs with the probability
    angle / pi: they see what edges lie where, hardly brightness, and no colour. The largest group comes first; in each
    the first item is the first of the collection, and distances are those to it.
    Raises InputError for what is no images, a negative radius, and bits that are no multiple of 8.
    """
    if collection.kind != "images":
        raise InputError(f"{collection.name} holds {collection.kind}; duplicates are looked for among images")
    coder = LSH(check_bits(bits), random_state=seed)
    features = learn_features("gist", collection, seed).of(collection)
    codes = coder.fit(features).encode(features)
    group = _chained(codes, bits, radius)
    _, first, sizes = np.unique(group, return_index=True, return_counts=True)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(sizes)[:-1])
    table = items_table(collection, shown=False)
    found = []
    for one in np.lexsort((first, -sizes))[: int((sizes > 1).sum())]:
        rows = members[one]
        apart = unpack(codes[rows] ^ codes[rows[0]], bits).sum(axis=1)
        found.append(_hits(table, rows.tolist(), apart.tolist()))
    return found


def _chained(codes: NDArray[np.uint8], bits: int, radius: int) -> NDArray[np.int64]:
    """(n,) number of the group of each code: chains of codes that differ in up to `radius` bits each.

    Equal codes are compared once, and others in blocks, so that thousands of images without content, which are all near
    to each other, take no memory for all of their pairs.
    """
    different, which = np.unique(codes, axis=0, return_inverse=True)
    n = len(different)
    index = CodeIndex(bits)
    index.add(different)
    group = np.arange(n)
    block = max(_LEAST_BLOCK, _MOST_PAIRS // n)
    for start in range(0, n, block):
        limits, ids, _ = index.range_search(different[start : start + block], radius)
        ours = np.repeat(group[start : start + block], np.diff(limits))
        near = coo_matrix((np.ones(len(ids), dtype=bool), (ours, group[ids])), shape=(n, n))
        group = connected_components(near, directed=False)[1][group]
    return np.asarray(group[which.reshape(-1)], dtype=np.int64)


def write_duplicates(
    collection: Collection, groups: Sequence[Sequence[Hit]], radius: int, path: Path
) -> Path:
    """Write a contact sheet with one row for each group."""
    rows = [hit.row for group in groups for hit in group]
    pictures: dict[int, bytes] = {}
    for row in rows:
        buffer = io.BytesIO()
        collection.thumbnail(row, 160).save(buffer, "PNG")
        pictures[row] = buffer.getvalue()
    sheets = [
        Group(
            f"{len(group)} images", [Card(pictures[hit.row], hit.id, f"{hit.distance} bits") for hit in group]
        )
        for group in groups
    ]
    facts = [
        ("collection", f"{collection.name}, {collection.n_items:,} images"),
        ("groups", f"{len(groups)}, with {len(rows)} images"),
        ("radius", f"{radius} bits"),
    ]
    return write_contact_sheet(path, f"Near-duplicates in {collection.name}", facts, sheets)


def _hits(table: Any, rows: Sequence[int], distances: Sequence[int]) -> list[Hit]:
    ids, labels = (table[name].take(list(rows)).to_pylist() for name in ("id", "label"))
    return [Hit(*values) for values in zip(rows, ids, labels, map(int, distances), strict=True)]


def _cards(table: Any, hits: Sequence[Hit]) -> list[Card]:
    rows = [hit.row for hit in hits]
    shown = (
        table["thumbnail"].take(rows).to_pylist() if "thumbnail" in table.column_names else [None] * len(rows)
    )
    return [
        Card(picture, hit.id, f"{hit.distance} bits" + (f", {hit.label}" if hit.label else ""))
        for picture, hit in zip(shown, hits, strict=True)
    ]
