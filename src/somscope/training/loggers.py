"""Where the rows of a history go while a training runs: a file, TensorBoard, Weights & Biases."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from somscope.atomic import whole_file
from somscope.errors import InputError

__all__ = ["JsonLines", "Logger", "Loggers", "TensorBoardLogger", "WandbLogger"]


class Logger(Protocol):
    """Anything that takes the rows of a history. What it raises ends the logger, not the training."""

    def log(self, phase: str, step: int, values: Mapping[str, float]) -> None:
        """step: steps done since the beginning of the training. values: name -> number."""

    def close(self) -> None:
        """No more rows come."""


class JsonLines:
    """One JSON object per line: phase, step, and the values, NaN and infinity as null.

    rows: what a resumed training had written before, which replaces what the file holds.
    """

    def __init__(self, path: Path, rows: Sequence[Mapping[str, Any]] = ()) -> None:
        with whole_file(path) as partial:
            partial.write_text("".join(_line(row) for row in rows), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")

    def log(self, phase: str, step: int, values: Mapping[str, float]) -> None:
        """Append a line, and hand it to the system at once."""
        self._file.write(_line({"phase": phase, "step": step, **values}))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TensorBoardLogger:
    """Event files for TensorBoard, as PHASE/NAME over steps. Needs the extra "tensorboard".

    A resumed training that writes into the same folder replaces the rows after its checkpoint.
    Raises InputError where the package is missing.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError("TensorBoard is not installed: pip install 'somscope[tensorboard]'") from error
        self._new_writer: Callable[..., Any] = SummaryWriter
        self._folder = str(folder)
        self._writer: Any = None

    def log(self, phase: str, step: int, values: Mapping[str, float]) -> None:
        """One scalar per value."""
        if self._writer is None:
            self._writer = self._new_writer(self._folder, purge_step=step)
        for name, value in values.items():
            self._writer.add_scalar(f"{phase}/{name}", value, step)

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()


class WandbLogger:
    """A run on Weights & Biases, as PHASE/NAME over steps. Needs the extra "wandb".

    id: of a run that a resumed training goes on with. config: what the run is to remember of the settings.
    Raises InputError where the package is missing.
    """

    def __init__(
        self,
        project: str,
        name: str | None = None,
        id: str | None = None,
        config: dict[str, Any] | None = None,
    ) -> None:
        try:
            import wandb
        except ImportError as error:
            raise InputError("Weights & Biases is not installed: pip install 'somscope[wandb]'") from error
        self._start: Callable[[], Any] = lambda: wandb.init(
            project=project, name=name, id=id, resume="allow" if id else None, config=config
        )
        self._run: Any = None

    def log(self, phase: str, step: int, values: Mapping[str, float]) -> None:
        """All values at one step."""
        if self._run is None:
            self._run = self._start()
        self._run.log({f"{phase}/{name}": value for name, value in values.items()}, step=step)

    def close(self) -> None:
        """End the run."""
        if self._run is not None:
            self._run.finish()


class Loggers:
    """Several loggers as one; one that fails is left out from then on, and `warn` is told."""

    def __init__(self, loggers: Sequence[Logger], warn: Callable[[str], None]) -> None:
        self._loggers = list(loggers)
        self._warn = warn

    def add(self, make: Callable[[], Logger]) -> None:
        """One more, if making it works."""
        try:
            self._loggers.append(make())
        except OSError as error:
            self._warn(f"the log cannot be written: {error}")

    def log(self, row: Mapping[str, Any]) -> None:
        """A row of the history."""
        values = {name: value for name, value in row.items() if name not in ("phase", "step")}
        self._each(lambda logger: logger.log(row["phase"], row["step"], values))

    def close(self) -> None:
        """No more rows come."""
        self._each(lambda logger: logger.close())

    def _each(self, call: Callable[[Logger], None]) -> None:
        for logger in list(self._loggers):
            try:
                call(logger)
            except (
                Exception
            ) as error:  # whatever a network or a disk does, the training is worth more than its log
                self._loggers.remove(logger)
                self._warn(f"{type(logger).__name__} failed and gets no more rows: {error}")


def _line(row: Mapping[str, Any]) -> str:
    plain = {n: None if isinstance(v, float) and not math.isfinite(v) else v for n, v in row.items()}
    return json.dumps(plain, allow_nan=False) + "\n"
