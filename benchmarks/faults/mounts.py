"""Whether small file systems can be mounted here, and how: asked before anything slow is imported."""

from __future__ import annotations

import contextlib
import os
import subprocess

__all__ = ["can_mount", "unshared"]


def can_mount() -> bool:
    """Whether this process may mount, as one started by `unshare --mount` may."""
    with contextlib.suppress(OSError):
        done = subprocess.run(["unshare", *unshared(), "true"], capture_output=True)
        return done.returncode == 0
    return False


def unshared() -> list[str]:
    """Options of `unshare` under which mounts are possible and end with the process."""
    return ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
