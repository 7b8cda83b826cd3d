"""Everything that one audit found, as plain values: written to a folder and read back without executing anything."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from somscope.audit.conclusions import Conclusion
from somscope.audit.health import Finding
from somscope.audit.numbers import Number
from somscope.data.array_files import npz_arrays
from somscope.errors import DataError, RunError
from somscope.runs.jsonfile import read_object, write_object
from somscope.runs.writer import new_file

__all__ = ["FILES", "AuditRecord"]

FILES = ("audit.json", "thumbnails.npz")
_FORMAT = 2
_MOST_BYTES = 2**30  # of all thumbnails; ten thousand of 64x64 take 120 MB


@dataclass(frozen=True, eq=False)
class AuditRecord:
    """What an audit found.

    name; settings: how it was made (protocol, spaces, seeds, permutations, numbers of images, versions). findings: of
    the health checks, problems first. conclusions and distrust: in plain words. numbers: of the protocol "corrected".
    published: where asked for, {"metrics", "chance"} of the paper, one row for each seed, {"frequencies"}: map ->
    images at each unit under the first seed, {"exchanged"}: whether its code exchanges the domains of these images.
    spaces: for each, {"space", "grid", "real", "generated", "q", "log2_ratio", "low", "high", "verdict", "units"}, the
    joint map; and "maps": grid -> part -> units. names: part -> names. left_out: [{"where", "why"}]. shown: part ->
    rows that have a thumbnail; thumbnails: part -> (m, h, w, C) uint8.
    """

    name: str
    settings: dict[str, Any]
    findings: list[Finding]
    conclusions: list[Conclusion]
    distrust: list[str]
    numbers: list[Number]
    published: dict[str, Any]
    spaces: list[dict[str, Any]]
    names: dict[str, list[str]]
    left_out: list[dict[str, str]]
    shown: dict[str, list[int]]
    thumbnails: dict[str, NDArray[np.uint8]] = field(repr=False)

    def to_frame(self) -> Any:
        """The numbers as a pandas data frame, one row each. Raises RunError where pandas is not installed."""
        try:
            pandas = import_module("pandas")
        except ImportError:
            raise RunError("to_frame needs pandas: pip install pandas; or use `numbers`") from None
        return pandas.DataFrame([number.record() for number in self.numbers])

    def record(self) -> dict[str, Any]:
        """All but the thumbnails, as JSON."""
        plain: dict[str, Any] = {"format": _FORMAT}
        for part in fields(AuditRecord):
            value = getattr(self, part.name)
            if part.name in ("findings", "conclusions", "numbers"):
                value = [one.record() for one in value]
            if part.name != "thumbnails":
                plain[part.name] = value
        return plain

    def write(self, folder: Path) -> None:
        """Write audit.json and thumbnails.npz into a folder."""
        with new_file(folder / FILES[0]) as partial:
            write_object(partial, self.record())
        with new_file(folder / FILES[1]) as partial, partial.open("wb") as file:
            arrays: dict[str, Any] = dict(self.thumbnails)
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `write` has written. Raises RunError for a folder that is no audit, or a broken file."""
        folder = Path(folder)
        if not (folder / FILES[0]).is_file():
            raise RunError(f"{folder} is not an audit: it has no {FILES[0]}")
        plain = read_object(folder / FILES[0])
        if plain.pop("format", None) != _FORMAT:
            raise RunError(f"{folder / FILES[0]} is not an audit of this version of somscope")
        try:
            plain["thumbnails"] = npz_arrays(folder / FILES[1], _MOST_BYTES)
            plain["findings"] = [
                Finding(**{**row, "examples": tuple(row["examples"])}) for row in plain["findings"]
            ]
            plain["conclusions"] = [Conclusion(**row) for row in plain["conclusions"]]
            plain["numbers"] = [Number(**row) for row in plain["numbers"]]
            return cls(**plain)
        except (DataError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"{folder} is not a whole audit: {error}") from error
