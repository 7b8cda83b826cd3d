"""`python -m somscope` is the command `somscope`, for `torchrun -m somscope`."""

from __future__ import annotations

from somscope.cli.main import main

if __name__ == "__main__":
    main()
