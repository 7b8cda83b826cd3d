"""The command `somscope`, also as `python -m somscope`, for `torchrun -m somscope`."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command; Ctrl-C while it is still being imported ends it as Ctrl-C later does."""
    try:
        from somscope.cli.main import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        run()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: Ctrl-C now could only hide how it ended


if __name__ == "__main__":
    main()
