"""All studies by name: the one table where a new study is entered."""

from __future__ import annotations

from somscope.studies.beyond import BEYOND
from somscope.studies.clustering_baselines import CLUSTERING_BASELINES
from somscope.studies.declare import Study
from somscope.studies.desom_gamma import DESOM_GAMMA
from somscope.studies.desom_radius import DESOM_RADIUS
from somscope.studies.desom_tables import DESOM_TABLES
from somscope.studies.somrl_table import SOMRL_ABLATION, SOMRL_TABLE

__all__ = ["STUDIES"]

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        DESOM_TABLES,
        DESOM_GAMMA,
        DESOM_RADIUS,
        CLUSTERING_BASELINES,
        SOMRL_TABLE,
        SOMRL_ABLATION,
        BEYOND,
    )
}
