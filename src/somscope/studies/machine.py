"""Where and with what a number was made."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import somscope

__all__ = ["commit", "describe_device", "made_here", "resolved_device", "use_all_cores"]

_PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "minisom")


@cache
def commit() -> str | None:
    """Short hash of the commit of this source tree, with "+" where tracked sources differ from it; None outside git."""
    folder = Path(somscope.__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
            )
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if not git("ls-files", "--error-unmatch", "__init__.py"):  # installed, perhaps inside another repository
        return None
    found = git("rev-parse", "--short", "HEAD")
    return f"{found}+" if git("status", "--porcelain", "--untracked-files=no", ".") else found


def describe_device(device: str) -> str:
    """ "cpu, 2 threads", or the name of the GPU."""
    import torch

    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    return f"cpu, {torch.get_num_threads()} threads"


def resolved_device(device: str) -> str:
    """What "auto" is on this machine."""
    import torch

    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def made_here(device: str, precision: str) -> dict[str, Any]:
    """Version, commit, time, device, precision and versions of other packages, as a finished cell keeps them."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "somscope": somscope.__version__,
        "commit": commit(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": describe_device(device),
        "precision": precision,
        "versions": versions,
    }


def use_all_cores() -> None:
    """Let PyTorch use every processor that this process may use, unless OMP_NUM_THREADS says otherwise."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        able = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        torch.set_num_threads(able or 1)
