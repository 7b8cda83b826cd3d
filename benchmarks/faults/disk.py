"""A disk that fills up while something is written, and one that cannot be written at all: tmpfs of a fixed size."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.faults.processes import Spoken, ask, beside, command
from benchmarks.faults.rows import Row

from somscope.checkpoint import checkpoints_in
from somscope.codes.index import CodeIndex
from somscope.data.open import open_collection
from somscope.errors import SomscopeError
from somscope.mapping import map_collection
from somscope.runs.code_run import CodeRun
from somscope.runs.run import Run

__all__ = ["full_codes", "full_deep", "full_index", "full_map", "read_only"]

_MIB = 2**20
_ITEMS, _FEATURES = 3000, 6
_INTERVAL, _STEPS = 10, 100
_SOM = ("--model", "som", "--grid", "6x6", "--passes", "3")


def full_map(folder: Path, times: int, rng: np.random.Generator) -> list[Row]:
    """`somscope map` where ever more of the disk is free."""
    data = folder / "data.npy"
    np.save(data, np.random.default_rng(0).integers(0, 256, (1000, 24, 24), dtype=np.uint8))
    kept: Counter[str] = Counter()
    said: dict[str, str] = {}
    with _disk(folder / "disk") as disk:
        for free in np.linspace(1.0 * _MIB, 5.0 * _MIB, times).astype(int).tolist():
            _leave(disk, free)
            spoken = command("map", data, "-o", disk / "run", *_SOM)
            state = _state(disk, spoken, lambda: ask(lambda: _read(disk / "run")))
            kept[state] += 1
            said.setdefault(state, spoken.said)
    return [_row("the disk fills up while a map's run is written", times, kept, said, disk.parent)]


def full_codes(folder: Path, times: int, rng: np.random.Generator) -> list[Row]:
    """`somscope codes` likewise."""
    data = _table(folder)
    kept: Counter[str] = Counter()
    said: dict[str, str] = {}
    with _disk(folder / "disk", 64) as disk:
        for free in np.linspace(32.9 * _MIB, 33.8 * _MIB, times).astype(int).tolist():
            _leave(disk, free)
            spoken = command("codes", data, "-o", disk / "run", "--bits", 8, "--model", "lsh")
            state = _state(disk, spoken, lambda: ask(lambda: _read_codes(disk / "run")))
            kept[state] += 1
            said.setdefault(state, spoken.said)
    return [_row("the disk fills up while a run of codes is written", times, kept, said, disk.parent)]


def full_deep(folder: Path, times: int, rng: np.random.Generator) -> list[Row]:
    """A deep map with checkpoints; where its run is lost, it is resumed when there is room again."""
    collection = open_collection(np.random.default_rng(0).random((600, 16), dtype=np.float32), name="random")

    def learn(path: Path, resume: bool = False) -> dict[str, Any]:
        try:
            run = map_collection(
                collection, path, "desom", resume=resume,
                parameters={
                    "grid": (3, 3), "latent_dim": 4, "hidden": (128,), "n_steps": _STEPS, "finish_steps": 50,
                    "precision": "fp32", "training": {"checkpoint_steps": _INTERVAL, "log_steps": 1},
                },
            )  # fmt: skip
        except SomscopeError as error:
            return {"error": str(error), "steps": 0}
        return {"error": "", "steps": run.config["steps"], "warnings": run.config["warnings"]}

    kept: Counter[str] = Counter()
    said: dict[str, str] = {}
    lost = [0]
    with _disk(folder / "disk") as disk:
        whole = ask(lambda: learn(disk / "run"))["steps"]
        for free in np.linspace(0.8 * _MIB, 2.5 * _MIB, times).astype(int).tolist():
            _leave(disk, free)
            told = ask(lambda: learn(disk / "run"))
            if not told["error"]:
                missing = ask(lambda: _read(disk / "run"))
                state = f"kept without {missing}" if missing else "kept whole"
                warned = [text for text in told["warnings"] if text.startswith("no checkpoint")]
                state += ", with a warning about a checkpoint" if warned else ""
                told["error"] = next(iter(warned), "")
            elif "nothing was trained" in told["error"] or not (disk / "run.checkpoints").exists():
                state = "refused before the training"
            else:
                newest = checkpoints_in(disk / "run.checkpoints")[-1]
                lost.append(whole - int(newest.name.removeprefix("step-")))
                (disk / "filler").unlink()
                assert ask(lambda: learn(disk / "run", resume=True))["error"] == ""
                state = f"resumed from its checkpoints ({'; '.join(ask(lambda: [_read(disk / 'run')]))})"
            kept[state] += 1
            said.setdefault(state, told["error"])
    row = _row("the disk fills up while a deep map trains with checkpoints", times, kept, said, disk.parent)
    return [row]


def full_index(folder: Path, times: int, rng: np.random.Generator) -> list[Row]:
    """Saving an index over one that is there."""
    codes = np.random.default_rng(0).integers(0, 256, (20_000, 8), dtype=np.uint8)

    def save(path: Path, n: int) -> str:
        made = CodeIndex(64)
        made.add(codes[:n])
        try:
            made.save(path)
        except (OSError, SomscopeError) as error:
            return f"{type(error).__name__}: {error}"
        return ""

    kept: Counter[str] = Counter()
    said: dict[str, str] = {}
    with _disk(folder / "disk") as disk:
        for free in np.linspace(0, 0.5 * _MIB, times).astype(int).tolist():
            _clear(disk)
            assert ask(lambda: save(disk / "codes.index", 10)) == ""
            _leave(disk, free, clear=False)
            told = ask(lambda: save(disk / "codes.index", len(codes)))
            found = ask(lambda: len(CodeIndex.load(disk / "codes.index")))
            state = {10: "the old index is there", len(codes): "the new index is there"}[found]
            if beside(disk) != ["codes.index", "filler"]:
                state = "half"
            kept[state] += 1
            said.setdefault(state, told)
    return [_row("the disk fills up while an index is saved", times, kept, said, disk.parent)]


def read_only(folder: Path, times: int, rng: np.random.Generator) -> list[Row]:
    """Commands that are to write where nothing can be written."""
    data = _table(folder)
    kept: Counter[str] = Counter()
    said: dict[str, str] = {}
    with _disk(folder / "disk") as disk:
        ask(lambda: map_collection(open_collection(data), disk / "run", parameters={"n_passes": 1}) and 0)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        before = _contents(disk)
        commands = {
            "map": ("map", data, "-o", disk / "new"),
            "map --overwrite": ("map", data, "-o", disk / "run", "--overwrite"),
            "map --model desom": ("map", data, "-o", disk / "new", "--model", "desom"),
            "codes": ("codes", data, "-o", disk / "new"),
            "assign": ("assign", disk / "run", data, "-o", disk / "new.csv"),
            "report": ("report", disk / "run"),
        }
        for name, arguments in commands.items():
            spoken = command(*arguments)
            clear = spoken.code == 2 and "Traceback" not in spoken.said and _contents(disk) == before
            kept["refused, what was there is as it was" if clear else f"half: {name}"] += 1
            said.setdefault("refused", spoken.said)
    return [_row("the folder cannot be written", len(commands), kept, said, disk.parent)]


@contextlib.contextmanager
def _disk(folder: Path, mib: int = 16) -> Iterator[Path]:
    """A file system of a few MiB."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _clear(disk: Path) -> None:
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _leave(disk: Path, free: int, clear: bool = True) -> None:
    """Fill the disk but for so many bytes; nothing else is there then, with `clear`."""
    if clear:
        _clear(disk)
    with (disk / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - free)


def _table(folder: Path) -> Path:
    path = folder / "data.npy"
    np.save(path, np.random.default_rng(0).random((_ITEMS, _FEATURES)))
    return path


def _read(path: Path) -> str:
    """What a run lacks, after all that it has was read."""
    run = Run.open(path)
    run.assignments(), run.items(), run.history()
    run.model().prototypes_.sum()
    missing = sorted({entry["what"] for entry in run.config["left_out"]})
    if "report" not in " ".join(missing) and not (path / "report.html").read_text().rstrip().endswith(
        "</html>"
    ):
        raise RuntimeError("the report is not whole")
    return ", ".join(missing)


def _read_codes(path: Path) -> str:
    run = CodeRun.open(path)
    assert len(run.index) == _ITEMS
    run.items(), run.metrics()
    return ", ".join(sorted(entry["what"] for entry in run.config.get("left_out", ())))


def _state(disk: Path, spoken: Spoken, read: Callable[[], str]) -> str:
    """What there is after a command: its word for it, of which "lost" is not allowed."""
    if "Traceback" in spoken.said:
        return "half: a traceback"
    if (disk / "run").exists():
        missing = read()
        return f"kept without {missing}" if missing else "kept whole"
    if beside(disk) != ["filler"]:
        return f"half: {beside(disk)}"
    return (
        "refused before the training"
        if "nothing was trained" in spoken.said or "cannot write" in spoken.said
        else "lost"
    )


def _contents(disk: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(disk.rglob("*")) if path.is_file()}


def _row(fault: str, times: int, kept: Counter[str], said: dict[str, str], folder: Path) -> Row:
    told = next((text for text in reversed(said.values()) if text), "nothing")
    return Row(
        fault,
        times,
        "; ".join(f"{state}: {count}" for state, count in kept.items()),
        told.replace(f"{folder}{os.sep}", ""),
        failed=sum(count for state, count in kept.items() if state.startswith(("half", "lost"))),
    )
