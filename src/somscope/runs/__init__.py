"""Run folders: everything that one training writes, whole or absent, and how it is read again."""

from __future__ import annotations

from somscope.runs.assign import assign_collection, conform, feature_matrix, open_like
from somscope.runs.record import (
    assignments_table,
    config_record,
    history_table,
    items_table,
    percentiles,
    write_record,
)
from somscope.runs.run import FORMAT, Run
from somscope.runs.words import vocabulary_table
from somscope.runs.writer import check_target, new_file, new_run

__all__ = [
    "FORMAT",
    "Run",
    "assign_collection",
    "assignments_table",
    "check_target",
    "config_record",
    "conform",
    "feature_matrix",
    "history_table",
    "items_table",
    "new_file",
    "new_run",
    "open_like",
    "percentiles",
    "vocabulary_table",
    "write_record",
]
