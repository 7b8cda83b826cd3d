"""Processes as `torchrun` starts them, by its own agent, but forked: from a script that has imported all it needs."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from pathlib import Path

from torch.distributed.launcher.api import LaunchConfig, elastic_launch

__all__ = ["launch", "run_script"]


def launch(work, *arguments, n_processes=2, restarts=0):
    """`torchrun --standalone --nproc-per-node n_processes --max-restarts restarts` of a function.

    To be called where no thread of a library is running: in a script of its own.
    """
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=n_processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=restarts,
        start_method="fork",
    )
    elastic_launch(config, _begin)(work, *arguments)


def _begin(work, *arguments):
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        signal.signal(number, handler)  # those of the agent came along
    work(*arguments)


def run_script(script: Path, *arguments: object) -> None:
    """Run a script, which must not fail."""
    done = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
