"""Broken files given to all that reads files: each must be read, or refused by one of somscope's own errors."""

from __future__ import annotations

import contextlib
import logging
import resource
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from benchmarks.faults.loaders import LOADERS
from benchmarks.faults.mutate import broken
from benchmarks.faults.parts import Loader, Part
from benchmarks.faults.processes import ask
from benchmarks.faults.rows import Row

from somscope.errors import SomscopeError

__all__ = ["MEMORY", "Prepared", "attempt", "bounded", "files"]

MEMORY = 2**30  # bytes that reading a file of a few kilobytes may take
_PER_TIME = 20  # files for each time that the other faults are tried


class Prepared:
    """A loader with its valid files in a folder, and their content."""

    def __init__(self, loader: Loader, folder: Path) -> None:
        self.loader, self.folder = loader, folder
        folder.mkdir(parents=True, exist_ok=True)
        loader.make(folder)
        self._whole = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def load(self) -> None:
        """Read what is there."""
        self.loader.load(self.folder)

    def put(self, part: Part, content: bytes) -> None:
        """Valid files, but for this content in one of them."""
        for path in list(self.folder.rglob("*")):
            if path.is_file() and path not in self._whole:
                path.unlink()
        for path, whole in self._whole.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(whole)
        (self.folder / part.name).write_bytes(part.wrap(content))

    def whole(self, part: Part) -> bytes:
        """The valid content of a part."""
        return part.unwrap(self._whole[self.folder / part.name])

    def break_one(self, random: Random) -> None:
        """Put broken content into one of the parts; half the time with check sums that fit."""
        part = random.choice(list(self.loader.parts))
        self.put(part, broken(self.whole(part), random))
        if part.sign is not None and random.random() < 0.7:
            part.sign(self.folder)


def attempt(prepared: Prepared) -> str:
    """read or refused; whatever is raised that is none of somscope's own errors goes on its way."""
    logging.disable(logging.CRITICAL)
    try:
        with bounded(MEMORY), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            prepared.load()
        return "read"
    except SomscopeError:
        return "refused"
    finally:
        logging.disable(logging.NOTSET)


@contextlib.contextmanager
def bounded(n_bytes: int) -> Iterator[None]:
    """Let this process have so many bytes of addresses more than now; Linux."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def files(folder: Path, times: int, rng: np.random.Generator) -> list[Row]:
    """Every loader, in a process of its own; a process that dies counts as one."""
    total: Counter[str] = Counter()
    for number, (name, loader) in enumerate(LOADERS.items()):
        seed = int(rng.integers(2**31))
        place = folder / str(number)
        try:
            found = ask(
                lambda loader=loader, place=place, seed=seed: _many(loader, place, times * _PER_TIME, seed)
            )
        except RuntimeError as error:
            found = {"other": 1, f"{name}: {error}": 1}
        for key in ("read", "refused", "other"):
            total[key] += found.pop(key, 0)
        for text in found:
            print(f"{name}: {text}", flush=True)  # noqa: T201
        shutil.rmtree(place, ignore_errors=True)
    tried = sum(total[key] for key in ("read", "refused", "other"))
    return [
        Row(
            f"broken and hostile files, {len(LOADERS)} kinds",
            tried,
            f"nothing: {total['refused']:,} refused, {total['read']:,} read all the same, {total['other']:,} other",
            "an error that names the file; a broken image is skipped and named",
            failed=total["other"],
        )
    ]


def _many(loader: Loader, place: Path, times: int, seed: int) -> dict[str, Any]:
    random = Random(seed)
    prepared = Prepared(loader, place)
    prepared.load()
    found: Counter[str] = Counter()
    for number in range(times):
        prepared.break_one(random)
        try:
            found[attempt(prepared)] += 1
        except BaseException as error:
            found["other"] += 1
            found[f"{type(error).__name__}: {str(error)[:200]} (seed {seed}, file {number})"] += 1
    return dict(found)
