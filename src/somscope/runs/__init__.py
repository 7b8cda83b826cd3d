"""Run folders: everything that one training writes, whole or absent, and how it is read again."""

from __future__ import annotations

from somscope.runs.record import (
    assignments_table,
    config_record,
    history_table,
    items_table,
    percentiles,
    write_record,
)
from somscope.runs.run import FORMAT, Run
from somscope.runs.writer import check_target, new_file, new_run

__all__ = [
    "FORMAT",
    "Run",
    "assignments_table",
    "check_target",
    "config_record",
    "history_table",
    "items_table",
    "new_file",
    "new_run",
    "percentiles",
    "write_record",
]
