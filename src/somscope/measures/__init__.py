"""Measures of maps and clusterings: arrays in, numbers or arrays out, with NumPy, SciPy and scikit-learn only."""

from somscope.measures.classes import class_components, class_scatter_index
from somscope.measures.clustering import (
    accuracy,
    adjusted_mutual_information,
    adjusted_rand_index,
    completeness,
    contingency,
    homogeneity,
    nmi,
    purity,
)
from somscope.measures.density import p_matrix, pareto_radius, u_star_matrix
from somscope.measures.descriptions import DESCRIPTIONS, Description
from somscope.measures.function import TopographicFunction, topographic_function
from somscope.measures.matrices import edge_distances, u_matrix
from somscope.measures.preservation import neighbourhood_preservation, trust_and_preservation, trustworthiness
from somscope.measures.product import topographic_product
from somscope.measures.quantization import (
    distortion,
    gaussian_neighbourhood,
    item_distances,
    quantization_error,
)
from somscope.measures.stress import c_measure, kruskal_shepard
from somscope.measures.summary import agreement, measure_map
from somscope.measures.topographic import (
    combined_error,
    combined_errors,
    topographic_error,
    topographic_errors,
)
from somscope.measures.units import dead_units, hits, mean_per_unit, unit_entropy, unit_perplexity

__all__ = [
    "DESCRIPTIONS",
    "Description",
    "TopographicFunction",
    "accuracy",
    "adjusted_mutual_information",
    "adjusted_rand_index",
    "agreement",
    "c_measure",
    "class_components",
    "class_scatter_index",
    "combined_error",
    "combined_errors",
    "completeness",
    "contingency",
    "dead_units",
    "distortion",
    "edge_distances",
    "gaussian_neighbourhood",
    "hits",
    "homogeneity",
    "item_distances",
    "kruskal_shepard",
    "mean_per_unit",
    "measure_map",
    "neighbourhood_preservation",
    "nmi",
    "p_matrix",
    "pareto_radius",
    "purity",
    "quantization_error",
    "topographic_error",
    "topographic_errors",
    "topographic_function",
    "topographic_product",
    "trust_and_preservation",
    "trustworthiness",
    "u_matrix",
    "u_star_matrix",
    "unit_entropy",
    "unit_perplexity",
]
