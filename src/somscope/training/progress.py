"""The progress bar of a training: one phase at a time, with its losses and the time left."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Bar", "progress_bar"]

_FIXED = 64  # characters of the bar, the steps and the times; what losses do not fit beside them are left out


class Bar:
    """What the loop tells of its progress; without a `progress` it shows nothing."""

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def start(self, phase: str, step: int, total: int) -> None:
        """Show a phase, which is before a step of `total`."""
        if self._progress is not None:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(phase, total=total, completed=step, losses="")

    def show(self, step: int, row: Mapping[str, Any]) -> None:
        """Show the steps done and a row of the history."""
        if self._progress is not None and self._task is not None:
            room = self._progress.console.width - len(row["phase"]) - _FIXED
            numbers = [f"{n} {v:.4g}" for n, v in row.items() if n not in ("phase", "step", "epoch")]
            losses = ""
            while numbers and len(losses) + len(numbers[0]) < room:
                losses += numbers.pop(0) + " "
            self._progress.update(self._task, completed=step, losses=losses)


@contextmanager
def progress_bar(enabled: bool | None) -> Iterator[Bar]:
    """A bar on standard error; None shows it only on a terminal."""
    if enabled is False or (enabled is None and not sys.stderr.isatty()):
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4) as progress:
        yield Bar(progress)
