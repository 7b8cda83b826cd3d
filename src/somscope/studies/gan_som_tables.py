"""Numbers that the GAN-SOM study stands beside: the paper's, and those of a first repetition of its script.

Columns: the data sets in the order of SETS. None: the paper prints no number of its own for the set.
"""

from __future__ import annotations

__all__ = ["NAME", "PUBLISHED", "REPETITION", "SETS", "TITLE"]

NAME = "gan-som"
TITLE = "The GAN-SOM study: maps of real and generated images of five pix2pix generators, as published and done right"

SETS = ("day2night", "edges2shoes", "facades_label2photo", "map2sat", "sat2map")

# fmt: off
# The paper's tables. Its translation mean Jaccard of edges2shoes, 0.251, is a slip for 0.0251 (see its result file);
# its preserved score of edges2shoes, 0.473, should be 0.463 by its own rows.
PUBLISHED: dict[str, tuple[float | None, ...]] = {
    "clusters_a": (21, 22, 21, 23, 22),
    "clusters_b": (2, 21, 21, 22, 22),
    "clusters_fake": (23, 22, 21, 22, 21),
    "translation_image_mean": (0.224, 0.251, 0.049, 0.028, 0.019),
    "translation_image_median": (0, 0, 0, 0, 0),
    "translation_cluster_mean": (0.369, 0.399, 0.295, 0.264, 0.269),
    "translation_cluster_median": (0.333, 0.292, 0.2, 0.143, 0.167),
    "detection_image_mean": (0.046, 0.146, 0.032, 0.037, 0.074),
    "detection_image_median": (0.025, 0, 0, 0, 0),
    "detection_cluster_mean": (0.212, 0.296, 0.358, 0.257, 0.321),
    "detection_cluster_median": (0.212, 0.25, 0.2, 0.143, 0.25),
    "preserved_score": (0.58, 0.473, 0.351, None, None),
    "pairs_together": (0, 27, 11, 15, 0),
    "fake_only": (8, 3, 4, 9, 8),
    "real_only": (2, 5, 8, 7, 15),
    "clusters_combined": (10, 22, 25, 24, 25),
}

# Mean and standard deviation over 20 seeds (100000 + 10 s) of an earlier, independent repetition of the script.
REPETITION: dict[str, tuple[tuple[float, float], ...]] = {
    "clusters_a": ((20.6, 1.3), (22.0, 1.3), (22.4, 1.6), (22.6, 1.4), (22.2, 1.2)),
    "clusters_b": ((2.0, 0.0), (22.9, 1.4), (22.6, 1.6), (21.9, 1.2), (22.1, 1.3)),
    "clusters_fake": ((21.7, 1.9), (23.1, 1.2), (22.4, 1.5), (22.1, 1.5), (19.7, 1.2)),
    "translation_image_mean": ((0.167, 0.050), (0.032, 0.012), (0.045, 0.021), (0.044, 0.020), (0.035, 0.018)),
    "translation_image_median": ((0.039, 0.062), (0.000, 0.000), (0.000, 0.000), (0.000, 0.000), (0.000, 0.000)),
    "translation_cluster_mean": ((0.372, 0.057), (0.349, 0.087), (0.346, 0.073), (0.326, 0.065), (0.288, 0.060)),
    "translation_cluster_median": ((0.311, 0.064), (0.240, 0.043), (0.242, 0.077), (0.182, 0.047), (0.165, 0.039)),
    "detection_image_mean": ((0.048, 0.011), (0.125, 0.040), (0.039, 0.016), (0.032, 0.012), (0.104, 0.041)),
    "detection_image_median": ((0.034, 0.012), (0.008, 0.037), (0.000, 0.000), (0.000, 0.000), (0.007, 0.024)),
    "detection_cluster_mean": ((0.165, 0.027), (0.360, 0.075), (0.321, 0.057), (0.306, 0.072), (0.329, 0.083)),
    "detection_cluster_median": ((0.165, 0.027), (0.312, 0.061), (0.210, 0.047), (0.166, 0.030), (0.225, 0.103)),
    "preserved_score": ((0.638, 0.049), (0.460, 0.080), (0.301, 0.086), (0.351, 0.100), (0.533, 0.073)),
    "pairs_together": ((0.0, 0.0), (25.2, 3.6), (12.9, 1.9), (13.8, 2.7), (1.1, 3.5)),
    "fake_only": ((8.8, 2.2), (4.3, 2.0), (4.7, 1.5), (6.2, 2.1), (8.2, 1.3)),
    "real_only": ((2.0, 0.0), (3.1, 1.6), (6.5, 1.8), (9.2, 1.7), (12.6, 2.5)),
    "clusters_combined": ((10.8, 2.2), (24.1, 0.7), (24.4, 0.9), (24.3, 0.7), (22.6, 1.5)),
    "follow_up_image_mean": ((0.045, 0.007), (0.029, 0.012), (0.032, 0.015), (0.042, 0.019), (0.039, 0.016)),
    "follow_up_image_median": ((0.036, 0.013), (0.000, 0.000), (0.000, 0.000), (0.000, 0.000), (0.005, 0.024)),
    "follow_up_cluster_mean": ((0.146, 0.018), (0.313, 0.067), (0.310, 0.078), (0.326, 0.103), (0.350, 0.073)),
    "follow_up_cluster_median": ((0.146, 0.018), (0.217, 0.030), (0.228, 0.053), (0.196, 0.086), (0.211, 0.074)),
}
# fmt: on
