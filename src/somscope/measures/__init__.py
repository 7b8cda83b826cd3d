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
from somscope.measures.composition import Composition, unit_composition
from somscope.measures.density import p_matrix, pareto_radius, u_star_matrix
from somscope.measures.descriptions import DESCRIPTIONS, Description
from somscope.measures.frechet import frechet_distance, kernel_distance
from somscope.measures.function import TopographicFunction, topographic_function
from somscope.measures.manifolds import precision_recall
from somscope.measures.matching import fpr_at_95, matching_average_precision
from somscope.measures.matrices import edge_distances, u_matrix
from somscope.measures.pairing import cross_distances, linear_cka, mantel, retrieval
from somscope.measures.partitions import permuted_agreement, variation_of_information
from somscope.measures.permutation import benjamini_hochberg, pair_permutations, permutation_p, swapped_labels
from somscope.measures.preservation import neighbourhood_preservation, trust_and_preservation, trustworthiness
from somscope.measures.product import topographic_product
from somscope.measures.quantization import (
    distortion,
    gaussian_neighbourhood,
    item_distances,
    quantization_error,
)
from somscope.measures.relevances import (
    Perturbation,
    dimension_effects,
    nearest_items,
    perturbation_ratio,
    perturbed,
    relevance_thirds,
    traversal,
)
from somscope.measures.retrieval import (
    DistanceCounts,
    average_precision,
    distance_counts,
    grouped_average_precision,
    precision_at,
)
from somscope.measures.stress import c_measure, kruskal_shepard
from somscope.measures.summary import agreement, measure_map
from somscope.measures.topographic import (
    combined_error,
    combined_errors,
    topographic_error,
    topographic_errors,
)
from somscope.measures.two_sample import (
    classifier_accuracy,
    classifier_scores,
    mmd,
    nearest_neighbour_accuracy,
)
from somscope.measures.units import dead_units, hits, mean_per_unit, unit_entropy, unit_perplexity

__all__ = [
    "DESCRIPTIONS",
    "Composition",
    "Description",
    "DistanceCounts",
    "Perturbation",
    "TopographicFunction",
    "accuracy",
    "adjusted_mutual_information",
    "adjusted_rand_index",
    "agreement",
    "average_precision",
    "benjamini_hochberg",
    "c_measure",
    "class_components",
    "class_scatter_index",
    "classifier_accuracy",
    "classifier_scores",
    "combined_error",
    "combined_errors",
    "completeness",
    "contingency",
    "cross_distances",
    "dead_units",
    "dimension_effects",
    "distance_counts",
    "distortion",
    "edge_distances",
    "fpr_at_95",
    "frechet_distance",
    "gaussian_neighbourhood",
    "grouped_average_precision",
    "hits",
    "homogeneity",
    "item_distances",
    "kernel_distance",
    "kruskal_shepard",
    "linear_cka",
    "mantel",
    "matching_average_precision",
    "mean_per_unit",
    "measure_map",
    "mmd",
    "nearest_items",
    "nearest_neighbour_accuracy",
    "neighbourhood_preservation",
    "nmi",
    "p_matrix",
    "pair_permutations",
    "pareto_radius",
    "permutation_p",
    "permuted_agreement",
    "perturbation_ratio",
    "perturbed",
    "precision_at",
    "precision_recall",
    "purity",
    "quantization_error",
    "relevance_thirds",
    "retrieval",
    "swapped_labels",
    "topographic_error",
    "topographic_errors",
    "topographic_function",
    "topographic_product",
    "traversal",
    "trust_and_preservation",
    "trustworthiness",
    "u_matrix",
    "u_star_matrix",
    "unit_composition",
    "unit_entropy",
    "unit_perplexity",
    "variation_of_information",
]
