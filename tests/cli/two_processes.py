"""A command in two processes, as under torchrun: python two_processes.py map ..."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from somscope import mapping  # noqa: F401  # before the forks
from somscope.cli.main import main
from somscope.maps import kernels  # noqa: F401
from workers import launch


def command(arguments: list[str]) -> None:
    sys.argv = ["somscope", *arguments]
    main()


if __name__ == "__main__":
    launch(command, sys.argv[1:])
