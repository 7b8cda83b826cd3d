"""Checkpoints on disk: folders step-N of safetensors and JSON, whole or absent. Reading them executes no code."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from somscope.atomic import flush_folder, flush_to_disk, holder, locked
from somscope.errors import RunError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "Checkpoint",
    "checkpoints_in",
    "jsonable",
    "read_checkpoint",
    "refuse_changed",
    "refuse_others",
    "remove_leftovers",
    "sole_training",
    "understood",
    "write_checkpoint",
]

_FORMAT = 1
_LARGEST_JSON = 64 * 2**20  # bytes; the history of ten million steps takes about that
_KEPT = 2  # the newest, and the one before it
_NAMED = 5  # changed settings; a checkpoint of another model has dozens
_BLOCK = 2**20


@dataclass
class Checkpoint:
    """facts: what JSON can hold. shapes: name -> shape of the tensors in `path`, which are read one by one."""

    path: Path
    facts: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]

    def tensors(self, names: list[str]) -> dict[str, Tensor]:
        """The tensors of these names, on the CPU."""
        from safetensors import safe_open

        with safe_open(self.path / "state.safetensors", framework="pt") as file:
            return {name: file.get_tensor(name) for name in names}


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a training, the oldest first."""
    found = [p for p in folder.glob("step-*") if p.name.removeprefix("step-").isdecimal()]
    return sorted(found, key=lambda p: int(p.name.removeprefix("step-")))


def write_checkpoint(
    folder: Path, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]
) -> Path:
    """Write folder/step-N, which appears at once when all of it is on the disk; the newest two are kept.

    Raises RunError if it cannot be written, such as on a full disk; those that were there are then untouched.
    """
    from safetensors.torch import save

    path, partial = folder / f"step-{step:09d}", folder / f".step-{step:09d}.partial"
    try:
        content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
        described = _canonical(
            {**facts, "format": _FORMAT, "tensors_sha256": hashlib.sha256(content).hexdigest()}
        )
        if len(described) > _LARGEST_JSON:
            raise RunError(
                f"the history is too long for a checkpoint ({len(described)} bytes): raise the training option "
                "log_steps"
            )
        signed = b'{"sha256": "%s",\n"facts": %s}\n' % (
            hashlib.sha256(described).hexdigest().encode(),
            described,
        )
        _remove(partial)
        partial.mkdir()
        (partial / "state.safetensors").write_bytes(content)
        (partial / "state.json").write_bytes(signed)
        flush_to_disk(partial)
        _remove(path)
        partial.rename(path)
        flush_folder(folder)
        for old in checkpoints_in(folder)[:-_KEPT]:
            _remove(old)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise RunError(f"{path} was not written: {error.strerror or error}") from error
    return path


def remove_leftovers(folder: Path) -> None:
    """Remove what a process that was killed did not finish to write."""
    for path in folder.glob(".*"):
        if path.is_dir() and path.name.startswith(".step-"):
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_file() and ".partial" in path.suffixes:
            path.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what a checkpoint says, and check that its files are those that were written together.

    Raises RunError, naming the file, if one is missing, truncated, changed or of another format.
    """
    from safetensors import SafetensorError, safe_open

    described, stored = path / "state.json", path / "state.safetensors"
    try:
        if described.stat().st_size > _LARGEST_JSON + 200:
            raise RunError(
                f"{described} is larger than {_LARGEST_JSON} bytes: not a checkpoint's description"
            )
        read = json.loads(described.read_text(encoding="utf-8"))
        facts = read["facts"]
        if hashlib.sha256(_canonical(facts)).hexdigest() != read["sha256"]:
            raise RunError(_damaged(described))
        if facts["format"] != _FORMAT:
            raise RunError(f"{described} has format {facts['format']!r}; this version reads format {_FORMAT}")
        with stored.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(_BLOCK):
                digest.update(block)
        if digest.hexdigest() != facts["tensors_sha256"]:
            raise RunError(_damaged(stored))
        with safe_open(stored, framework="pt") as tensors:
            shapes = {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise RunError(f"{error.filename} is missing: {path} is not a whole checkpoint{_ADVICE}") from None
    except (ValueError, KeyError, TypeError, RecursionError, OSError, SafetensorError) as error:
        raise RunError(f"{path} cannot be read as a checkpoint ({error!r}){_ADVICE}") from None
    return Checkpoint(path, facts, shapes)


_ADVICE = "; remove that folder to resume from the checkpoint before it, if there is one"


def _damaged(path: Path) -> str:
    return f"{path} is not as it was written: it was truncated or edited{_ADVICE}"


def _canonical(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, allow_nan=False).encode()


def _remove(folder: Path) -> None:
    """Remove a folder, under another name, so that a process that dies in between leaves no half checkpoint."""
    if folder.exists():
        doomed = folder.with_name(f".{folder.name.removeprefix('.')}.old")
        shutil.rmtree(doomed, ignore_errors=True)
        folder.rename(doomed)
        shutil.rmtree(doomed)


@contextmanager
def sole_training(folder: Path | None) -> Iterator[None]:
    """Keep a second training out of a folder of checkpoints, which is made, inside the block.

    To be called by the first process alone. Raises RunError if it cannot be written, or another process trains in it.
    """
    if folder is None:
        yield
        return
    with ExitStack() as held:
        try:  # now, and not after hours of training
            folder.mkdir(parents=True, exist_ok=True)
            ours = held.enter_context(locked(folder / ".lock"))
        except OSError as error:
            raise RunError(f"{folder} cannot hold checkpoints: {error.strerror or error}") from error
        if not ours:
            raise RunError(
                f"another process ({holder(folder / '.lock')}) trains with its checkpoints in {folder}: "
                "wait for it, or choose another folder"
            )
        yield


def refuse_others(folder: Path) -> None:
    """Raise RunError for a folder with checkpoints that a training is not to go on from."""
    if checkpoints_in(folder):
        raise RunError(
            f"{folder} holds checkpoints of a training; resume=True goes on with it; choose another folder or "
            "remove this one to begin a new training"
        )


@contextmanager
def understood(checkpoint: Checkpoint) -> Iterator[None]:
    """Turn what a checkpoint's facts raise that are not those of a training into a RunError."""
    try:
        yield
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        IndexError,
        OverflowError,
        RuntimeError,
    ) as error:
        raise RunError(f"{checkpoint.path} is not a whole checkpoint of a training: {error!r}") from error


def jsonable(value: Any) -> Any:
    """Plain values as they are, NaN and infinity as null, tuples and arrays as lists, functions by name, all else as
    text."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(inner) for inner in value]
    if callable(value):
        return f"{getattr(value, '__module__', '?')}.{getattr(value, '__qualname__', type(value).__name__)}"
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def refuse_changed(checkpoint: Checkpoint, fact: str, now: Any, what: str) -> None:
    """Raise RunError for a checkpoint that was made with others, naming the first of them. what: "settings"."""
    changed = _differences(checkpoint.facts[fact], now)
    if changed:
        named = [*changed[:_NAMED], *([f"and {len(changed) - _NAMED} more"] if len(changed) > _NAMED else [])]
        raise RunError(f"{checkpoint.path} is of a training with other {what}: {'; '.join(named)}")


def _differences(then: Any, now: Any, where: str = "") -> list[str]:
    """What a setting was and is, for each that differs; nested dictionaries and lists by their paths."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        keys = list(dict.fromkeys([*then, *now]))
        return [
            d for key in keys for d in _differences(then.get(key), now.get(key), f"{where} {key}".strip())
        ]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        pairs = enumerate(zip(then, now, strict=True))
        return [d for i, (a, b) in pairs for d in _differences(a, b, f"{where} {i}".strip())]
    return [] if then == now else [f"{where} was {then!r} and is {now!r}"]
