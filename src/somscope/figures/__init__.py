"""Matplotlib figures of a map: one function each, from a lattice and arrays to a `Figure` that is not yet shown.

They need no display and no pyplot: `save_figure(figure, "u-matrix.png")` writes one. Row 0 is at the top, as in arrays.
"""

from somscope.figures.class_counts import count_classes
from somscope.figures.classes import class_map_figure
from somscope.figures.cluster_figures import centre_pictures_figure, cluster_sizes_figure, latent_figure
from somscope.figures.clusters import unit_clusters_figure
from somscope.figures.curves import training_curves_figure
from somscope.figures.density import p_matrix_figure
from somscope.figures.embedding import embedding_figure, tsne_places
from somscope.figures.errors import error_layers_figure
from somscope.figures.graph import graph_figure, relevance_figure
from somscope.figures.hits import hits_figure
from somscope.figures.pictures import prototype_pictures_figure
from somscope.figures.pies import label_pies_figure
from somscope.figures.planes import component_planes_figure
from somscope.figures.relevances import (
    intersections_figure,
    perturbation_figure,
    taught_units,
    traversal_figure,
    units_of_a_kind,
)
from somscope.figures.save import save_figure
from somscope.figures.transitions import transitions_figure
from somscope.figures.tuning import settings_figure
from somscope.figures.u_matrix import expanded_u_matrix_figure, u_matrix_figure
from somscope.figures.units import draw_units

__all__ = [
    "centre_pictures_figure",
    "class_map_figure",
    "cluster_sizes_figure",
    "component_planes_figure",
    "count_classes",
    "draw_units",
    "embedding_figure",
    "error_layers_figure",
    "expanded_u_matrix_figure",
    "graph_figure",
    "hits_figure",
    "intersections_figure",
    "label_pies_figure",
    "latent_figure",
    "p_matrix_figure",
    "perturbation_figure",
    "prototype_pictures_figure",
    "relevance_figure",
    "save_figure",
    "settings_figure",
    "taught_units",
    "training_curves_figure",
    "transitions_figure",
    "traversal_figure",
    "tsne_places",
    "u_matrix_figure",
    "unit_clusters_figure",
    "units_of_a_kind",
]
