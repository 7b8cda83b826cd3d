"""Collection -> run of binary codes: the flow behind `somscope codes`."""

from __future__ import annotations

import inspect
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope import __version__
from somscope.atomic import no_interrupt
from somscope.codes import CodeIndex, Coder, unpack
from somscope.codes.packing import check_bits
from somscope.data.collection import Collection
from somscope.errors import InputError
from somscope.figures.codes import bit_balance_figure, bit_correlation_figure
from somscope.figures.save import save_figure
from somscope.interrupt import catch_interrupt
from somscope.models.table import coder_class
from somscope.processes import n_processes, process_rank, wait_for_all, was_restarted
from somscope.report.contact import Card, Group, write_contact_sheet
from somscope.runs.checkpoints import begin_checkpoints, checkpoint_folder, has_checkpoints, may_replace
from somscope.runs.code_run import INDEX, CodeRun, Encoder, learn_features
from somscope.runs.jsonfile import write_object
from somscope.runs.record import collection_record, items_table, jsonable, write_items
from somscope.runs.room import give_room, keep_room, room_for
from somscope.runs.run import FORMAT, unfinished
from somscope.runs.steps import Steps
from somscope.runs.writer import new_run
from somscope.searching import as_cards, as_hits

__all__ = ["bit_correlation", "code_collection"]

_EXAMPLES, _NEIGHBOURS = 6, 8  # of the report
_CODER_BYTES = 2**25  # of a coder and what stands before it: networks of codes have a few million weights
_BLOCK = 4096  # items that are encoded between two looks at Ctrl-C
_MOST_FOR_CORRELATION = 20_000  # items


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
    resume: bool = False,
    command: Sequence[str] = (),
) -> CodeRun:
    """Learn a coder from a collection, encode it, and write coder, index, figures and report to the run folder `path`.

    features: pixels (features as they are, where the items are no images), gist, kmeans, or a run folder with a
    network. kind: of the index.
    resume: go on with a network's training that did not come to its end, from its checkpoints. They lie in the folder
        `path`.checkpoints until the run is whole. Where torchrun has restarted the processes this is done unasked.

    Labels never reach the coder. Ctrl-C while the items are encoded keeps the coder, and the run holds the codes so
    far: a warning says how many. Room for what was learned is taken on the disk before it is learned; figures and
    report that cannot be written are left out, which a warning says too.
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
    trains = "checkpoints" in known
    if not trains and (resume or n_processes() > 1):
        raise InputError(
            f"{model_name} learns in one process, without checkpoints that it could be resumed from"
        )
    resume = resume or (was_restarted() and trains)
    unlabelled = replace(collection, labels=None, label_names=())
    if process_rank() > 0:  # trains on its part of each batch; the first process does all the rest
        made(**settings, checkpoints=checkpoint_folder(path), resume=resume).fit(unlabelled)
        wait_for_all()
        return CodeRun.open(path)
    with new_run(path, may_replace(path, overwrite, resume)) as folder:
        described = collection_record(collection)  # reads all data, which can fail
        checkpoints = begin_checkpoints(path, overwrite, resume) if trains else None
        keep_room(folder, room_for(collection, _CODER_BYTES + (bits // 8 + 8) * collection.n_items))
        started = time.perf_counter()
        before = learn_features(features, unlabelled, seed)
        going_on = {"checkpoints": checkpoints, "resume": resume} if trains else {}
        encoder = Encoder(before, made(**settings, **going_on))
        items = before.of(unlabelled)
        encoder.coder.fit(items)
        if trains:
            encoder.coder.set_params(checkpoints=None, resume=False)  # of this training, not of the coder
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
                **({"stop_reason": encoder.coder.stop_reason_} if trains else {}),
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
    run = CodeRun.open(path)
    if checkpoints is not None and (not has_checkpoints(checkpoints) or not unfinished(run.config)):
        shutil.rmtree(checkpoints, ignore_errors=True)
    wait_for_all()
    return run


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
        hits = as_hits(table, [row, *(i for i, _ in others)], [0, *(d for _, d in others)])
        groups.append(Group(f"Nearest to {hits[0].id}", as_cards(table, hits)))
    return groups
