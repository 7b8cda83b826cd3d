"""Work in forked processes: asked for an answer, watched until it is killed, or run as the command line runs it.

The parent imports and forks, and computes nothing itself: threads of its libraries would not be there in a child.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Killed", "Spoken", "ask", "beside", "command", "kill_after"]
__all__ += ["run_command", "seconds_of", "started", "wait_until"]


@dataclass(frozen=True)
class Killed:
    """marks: bytes that the work had written to its descriptor when SIGKILL came."""

    marks: int


@dataclass(frozen=True)
class Spoken:
    """How a command ended, and what it wrote to standard error."""

    code: int
    said: str


def ask(work: Callable[[], Any]) -> Any:
    """What `work` returns in a process of its own, as JSON holds it; RuntimeError where it did not come to its end."""
    reader, writer = os.pipe()
    child = _fork(lambda: _write(writer, json.dumps(work()).encode()), closing=reader)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        answer = file.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"the process ended with {os.waitstatus_to_exitcode(status)}")
    return json.loads(answer)


def kill_after(seconds: float, work: Callable[[int], object]) -> Killed | None:
    """SIGKILL for `work`, so many seconds after its first mark, a byte on the descriptor that it gets.

    None if it ended before; RuntimeError if it failed.
    """
    with _marking(work) as (child, marks):
        killed = bool(marks.read(1)) and not select.select([child.ended], [], [], seconds)[0]
        if killed:
            os.kill(child.number, signal.SIGKILL)
        count = 1 + len(marks.read())
    return Killed(count) if child.status() == -signal.SIGKILL else None


def seconds_of(work: Callable[[int], object]) -> float:
    """How long `work` takes from its first mark on when nothing disturbs it."""
    with _marking(work) as (child, marks):
        marks.read(1)
        started = time.monotonic()
        marks.read()
    child.status()
    return time.monotonic() - started


@dataclass(frozen=True)
class _Child:
    number: int
    ended: int

    def status(self) -> int:
        """Wait for the end: 0, or minus the number of the signal. RuntimeError for another."""
        os.close(self.ended)
        code = os.waitstatus_to_exitcode(os.waitpid(self.number, 0)[1])
        if code > 0:
            raise RuntimeError("the work failed before it could be killed")
        return code


@contextlib.contextmanager
def _marking(work: Callable[[int], object]) -> Iterator[tuple[_Child, Any]]:
    reader, writer = os.pipe()
    number = _fork(lambda: work(writer), closing=reader)
    os.close(writer)
    with os.fdopen(reader, "rb", buffering=0) as marks:
        yield _Child(number, os.pidfd_open(number)), marks


@contextlib.contextmanager
def started(work: Callable[[], object]) -> Iterator[int]:
    """The number of a process that does `work` beside the block, and is killed at its end."""
    child = _fork(work)
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)


def command(*arguments: object, before: Callable[[], object] = lambda: None) -> Spoken:
    """`somscope ARGUMENTS` in a forked process. before: done in it first, such as giving up rights."""
    reader, writer = os.pipe()

    def work() -> None:
        os.dup2(writer, 2)
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 1)
        before()
        run_command(*arguments)

    child = _fork(work, closing=reader)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        said = file.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    return Spoken(os.waitstatus_to_exitcode(status), " ".join(said.split()))


def run_command(*arguments: object) -> None:
    """`somscope ARGUMENTS` in this process, which ends with it."""
    from somscope.cli.main import main

    sys.argv = ["somscope", *map(str, arguments)]
    main()


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Look until a condition holds; TimeoutError after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("what was waited for did not come")
        select.select([], [], [], 0.01)


def beside(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def _write(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _fork(work: Callable[[], object], closing: int | None = None) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        if closing is not None:
            os.close(closing)
        work()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(code)
