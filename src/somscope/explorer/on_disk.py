"""The pictures of a large run's items, left on the disk: read where they are asked for, not held in memory."""

from __future__ import annotations

import tempfile
import threading
import weakref
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from somscope.runs.run import Run

__all__ = ["LARGE", "OnDisk", "items_of"]

LARGE = 100_000  # items; the pictures of fewer are held in memory
_ROWS = 8192  # that are read at once
_PICTURE = "thumbnail"


class OnDisk:
    """The bytes of n pictures in an open file: as a column, `pictures[item]`, None where there are none.

    ends: (n + 1,) where each begins and the one before ends.
    """

    def __init__(self, file: IO[bytes], ends: NDArray[np.int64]) -> None:
        self._file, self._ends, self._lock = file, ends, threading.Lock()
        weakref.finalize(self, file.close)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, item: int) -> bytes | None:
        start, end = self._ends[item : item + 2].tolist()
        with self._lock:
            self._file.seek(start)
            return self._file.read(end - start) or None

    @property
    def null_count(self) -> int:
        """How many are missing."""
        return int((np.diff(self._ends) == 0).sum())


def items_of(run: Run) -> tuple[pa.Table, OnDisk | None]:
    """`run.items()`; of more than LARGE items without their pictures, which lie in a temporary file without a name.

    Raises RunError as `run.items()` does.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if run.n_items <= LARGE:
        return run.items(), None
    try:
        with pq.ParquetFile(run.path / "items.parquet", buffer_size=2**20, pre_buffer=False) as stored:
            if {"id", "label", _PICTURE} <= set(
                stored.schema_arrow.names
            ) and stored.metadata.num_rows == run.n_items:
                rest = [name for name in stored.schema_arrow.names if name != _PICTURE]
                return stored.read(rest), _laid_down(stored)
    except (OSError, pa.ArrowException):
        pass  # which is said below
    return run.items(), None


def _laid_down(stored: pq.ParquetFile) -> OnDisk:
    file = tempfile.TemporaryFile(prefix="somscope-")  # noqa: SIM115  # open as long as its pictures are looked at
    lengths = [np.zeros(1, np.int64)]
    for batch in stored.iter_batches(_ROWS, columns=[_PICTURE]):
        pictures = batch.column(0).to_pylist()
        file.write(b"".join(picture or b"" for picture in pictures))
        lengths.append(np.array([len(picture or b"") for picture in pictures], np.int64))
    file.flush()
    return OnDisk(file, np.cumsum(np.concatenate(lengths)))
