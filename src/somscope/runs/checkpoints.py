"""The checkpoints of a run's training: in a folder beside the run, which survives whatever becomes of the run."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from somscope.errors import RunError
from somscope.runs.jsonfile import read_object
from somscope.runs.run import unfinished

__all__ = ["begin_checkpoints", "check_checkpoints", "checkpoint_folder", "has_checkpoints", "may_replace"]

_OWN = re.compile(r"step-\d+|\.step-\d+\.old|\..*partial.*|\.lock|metrics\.jsonl|history\.parquet")


def checkpoint_folder(path: str | Path) -> Path:
    """runs/x -> runs/x.checkpoints."""
    path = Path(os.path.abspath(Path(path).expanduser()))
    return path.with_name(f"{path.name}.checkpoints")


def has_checkpoints(folder: Path) -> bool:
    """Whether a training can go on from this folder."""
    return any(folder.glob("step-*"))


def may_replace(path: str | Path, overwrite: bool, resume: bool) -> bool:
    """Whether the run in `path` may give way: to any with `overwrite`, one that is not finished also to its rest."""
    if overwrite or not resume:
        return overwrite
    try:
        return unfinished(read_object(Path(path).expanduser() / "config.json"))
    except RunError:
        return False


def check_checkpoints(path: str | Path, overwrite: bool, resume: bool) -> None:
    """Raise RunError if a training of the run `path` cannot begin: call it before a long reading of data."""
    folder = checkpoint_folder(path)
    if os.path.lexists(folder) and not _is_own(folder):
        raise RunError(f"{folder} is not a folder of checkpoints alone: choose another output folder")
    if has_checkpoints(folder) and not (overwrite or resume):
        raise RunError(
            f"{folder} holds a training that is not finished: --resume goes on with it, --overwrite begins anew"
        )


def begin_checkpoints(path: str | Path, overwrite: bool, resume: bool) -> Path:
    """The folder for the checkpoints of a training that begins now; without `resume` it is emptied first.

    Raises RunError as `check_checkpoints` does.
    """
    check_checkpoints(path, overwrite, resume)
    folder = checkpoint_folder(path)
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    return folder


def _is_own(folder: Path) -> bool:
    """Whether all that is there is of a training: somscope never deletes what it did not write."""
    return (
        folder.is_dir() and not folder.is_symlink() and all(_OWN.fullmatch(p.name) for p in folder.iterdir())
    )
