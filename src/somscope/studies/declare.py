"""What a study is: a declared list of rows, each a data set, a model with its parameters, and a protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from somscope.errors import InputError, check_choice

__all__ = ["PROTOCOLS", "Cell", "Entry", "Study"]

PROTOCOLS = ("paper", "held-out")


@dataclass(frozen=True)
class Entry:
    """One row of a study.

    data: a name of `sets.SETS`. model: a name of `learners.learner_classes()`. variant: "default", or what tells this
    row from others of the same model. protocol: "paper" (trained and scored on all items, as the authors did) or
    "held-out" (trained on the training part, scored on the test part). parameters: of the model; what is left out is
    the model's default. published: measure -> the authors' number.
    """

    data: str
    model: str
    variant: str = "default"
    protocol: str = "paper"
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)
    published: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_choice("protocol", self.protocol, PROTOCOLS)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names the row: data, model, variant, protocol."""
        return self.data, self.model, self.variant, self.protocol


@dataclass(frozen=True)
class Cell:
    """One training: a row of a study with one seed."""

    entry: Entry
    seed: int

    def __str__(self) -> str:
        return f"{' '.join(self.entry.key)} seed {self.seed}"


@dataclass(frozen=True)
class Study:
    """A declared experiment.

    name: of the command and of the result file. title: one line. entries: the rows, in the order of the table.
    n_seeds: how many seeds by default. notes: what a reader must know to read the numbers; they go into the result
    file.
    """

    name: str
    title: str
    entries: tuple[Entry, ...]
    n_seeds: int = 5
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        keys = [entry.key for entry in self.entries]
        if len(set(keys)) < len(keys):
            raise InputError(f"study {self.name} declares a row twice")

    def cells(
        self,
        seeds: Iterable[int],
        *,
        data: Sequence[str] | None = None,
        models: Sequence[str] | None = None,
        variants: Sequence[str] | None = None,
        protocols: Sequence[str] | None = None,
    ) -> list[Cell]:
        """The cells of the rows that were asked for (None: all), data by data, and there one seed after the other.

        Raises InputError for a name that the study does not have, and where nothing is left.
        """
        wanted = {"data": data, "model": models, "variant": variants, "protocol": protocols}
        rows = list(self.entries)
        for what, names in wanted.items():
            if names is None:
                continue
            allowed = dict.fromkeys(getattr(entry, what) for entry in self.entries)
            for name in names:
                check_choice(f"{what} of {self.name}", name, allowed)
            rows = [entry for entry in rows if getattr(entry, what) in names]
        seeds = list(seeds)
        if not rows or not seeds:
            raise InputError(
                f"no row of {self.name} is left with these choices; its rows: "
                + ", ".join(" ".join(entry.key) for entry in self.entries)
            )
        groups = dict.fromkeys((entry.data, entry.protocol) for entry in rows)
        return [
            Cell(entry, seed)
            for group in groups
            for seed in seeds
            for entry in rows
            if (entry.data, entry.protocol) == group
        ]
