"""The declared experiments: data x models x seeds, with the published numbers beside ours."""

from __future__ import annotations

from somscope.studies.declare import Cell, Entry, Study
from somscope.studies.declared import STUDIES

__all__ = ["STUDIES", "Cell", "Entry", "Study"]
