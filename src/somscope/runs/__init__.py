"""Run folders: everything that one training writes, whole or absent, and how it is read again."""

from __future__ import annotations

from somscope.runs.assign import assign_collection, conform, open_like
from somscope.runs.checkpoints import begin_checkpoints, check_checkpoints, checkpoint_folder, may_replace
from somscope.runs.distance import MapDistance
from somscope.runs.features import FeatureBlocks, best_units, feature_matrix, is_deep, is_large, mappable
from somscope.runs.measuring import Seen, density, measure_run
from somscope.runs.record import (
    assignments_blocks,
    assignments_table,
    collection_record,
    config_record,
    history_table,
    items_blocks,
    items_table,
    percentiles,
    units_table,
    write_items,
    write_record,
)
from somscope.runs.room import give_room, keep_room, room_for
from somscope.runs.run import FORMAT, Run
from somscope.runs.steps import Steps
from somscope.runs.words import vocabulary_table
from somscope.runs.writer import check_target, make_folder, new_file, new_run

__all__ = [
    "FORMAT",
    "FeatureBlocks",
    "MapDistance",
    "Run",
    "Seen",
    "Steps",
    "assign_collection",
    "assignments_blocks",
    "assignments_table",
    "begin_checkpoints",
    "best_units",
    "check_checkpoints",
    "check_target",
    "checkpoint_folder",
    "collection_record",
    "config_record",
    "conform",
    "density",
    "feature_matrix",
    "give_room",
    "history_table",
    "is_deep",
    "is_large",
    "items_blocks",
    "items_table",
    "keep_room",
    "make_folder",
    "mappable",
    "may_replace",
    "measure_run",
    "new_file",
    "new_run",
    "open_like",
    "percentiles",
    "room_for",
    "units_table",
    "vocabulary_table",
    "write_items",
    "write_record",
]
