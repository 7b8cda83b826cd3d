"""What the report needs of a run: `somscope.runs.Run`, or anything with the same attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from somscope.maps.lattice import Lattice

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RunLike"]


class RunLike(Protocol):
    """A run that can be shown.

    config: as in `config.json`. metrics: measure name -> number. model() has `prototypes_` (K, d), and may have
    `u_matrix_`, `unit_clusters_`. The tables have the columns that a run folder's tables have.
    """

    @property
    def config(self) -> Mapping[str, Any]: ...

    @property
    def metrics(self) -> Mapping[str, float]: ...

    @property
    def lattice(self) -> Lattice: ...

    def assignments(self) -> pa.Table: ...

    def items(self) -> pa.Table: ...

    def units(self) -> pa.Table | None: ...

    def history(self) -> pa.Table: ...

    def model(self) -> Any: ...
