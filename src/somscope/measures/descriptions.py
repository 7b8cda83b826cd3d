"""What each measure of a run says, in one plain sentence, for reports and tables."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DESCRIPTIONS", "Description"]


@dataclass(frozen=True)
class Description:
    """One measure: `sentence` is for readers who do not know it, `low` and `high` bound it (None: no bound)."""

    title: str
    sentence: str
    unit: str  # "share", "distance", "squared feature", "units", "items", "" for a plain number
    better: str  # "lower", "higher" or "none"
    low: float | None
    high: float | None
    source: str


def _topographic(neighbours: str) -> Description:
    return Description(
        f"Topographic error ({neighbours} neighbours)",
        f"Share of items whose two best units are not neighbours, with {neighbours} neighbours per unit; 0 is best.",
        "share",
        "lower",
        0.0,
        1.0,
        "Kiviluoto (1996)",
    )


DESCRIPTIONS: dict[str, Description] = {
    "quantization_error": Description(
        "Quantization error",
        "Mean distance of an item to the prototype that stands for it; 0 is best.",
        "distance",
        "lower",
        0.0,
        None,
        "Kohonen (2001)",
    ),
    "reconstruction_error": Description(
        "Reconstruction error",
        "Mean squared difference, per feature, of an item and what the network makes of its code again; 0 is best.",
        "squared feature",
        "lower",
        0.0,
        None,
        "mean squared error",
    ),
    "topographic_error_4": _topographic("4"),
    "topographic_error_8": _topographic("8"),
    "topographic_error_hexagonal": _topographic("6"),
    "combined_error": Description(
        "Combined error",
        "Mean length of the way from an item to its best prototype and on over the map to its second best; "
        "it grows with both kinds of error.",
        "distance",
        "lower",
        0.0,
        None,
        "Kaski & Lagus (1996)",
    ),
    "topographic_product": Description(
        "Topographic product",
        "Does a flat map suit the data? Below 0 the data have more dimensions than the map can follow, "
        "above 0 fewer; near 0 they fit.",
        "",
        "none",
        None,
        None,
        "Bauer & Pawelzik (1992)",
    ),
    "topographic_function": Description(
        "Topographic function at 0",
        "How many neighbours a unit has, on average, that are neighbours on the map but not in the data or the other "
        "way round; 0 is best.",
        "units",
        "lower",
        0.0,
        None,
        "Villmann et al. (1997)",
    ),
    "distortion": Description(
        "Distortion",
        "Mean squared distance of an item to its unit and that unit's surroundings, near units counting most: "
        "the energy that training lowers.",
        "squared distance",
        "lower",
        0.0,
        None,
        "Heskes (1999)",
    ),
    "trustworthiness": Description(
        "Trustworthiness",
        "How far one may trust that items close together on the map are also alike; 1 is best.",
        "",
        "higher",
        0.0,
        1.0,
        "Venna & Kaski (2001)",
    ),
    "neighbourhood_preservation": Description(
        "Neighbourhood preservation",
        "How far items that are alike lie close together on the map; 1 is best.",
        "",
        "higher",
        0.0,
        1.0,
        "Venna & Kaski (2001)",
    ),
    "kruskal_shepard": Description(
        "Kruskal-Shepard error",
        "Mean squared difference between how far apart two items are and how far apart they lie on the map, "
        "both as a share of the largest; 0 is best.",
        "",
        "lower",
        0.0,
        1.0,
        "Kruskal (1964), Shepard (1962); form of Elend & Kramer (2019)",
    ),
    "class_scatter_index": Description(
        "Class scatter index",
        "Into how many separate regions of the map a class falls, on average; 1 is best.",
        "regions",
        "lower",
        1.0,
        None,
        "Elend & Kramer (2019)",
    ),
    "unit_perplexity": Description(
        "Unit perplexity",
        "How many equally used units would spread the items as evenly as this map does; "
        "at most the number of units.",
        "units",
        "higher",
        1.0,
        None,
        "exponential of Shannon's entropy (1948)",
    ),
    "dead_units": Description(
        "Dead units", "Units that are nobody's best unit.", "units", "lower", 0.0, None, "count"
    ),
    "purity": Description(
        "Purity",
        "Share of items that have the most frequent label of their unit; more units make it higher.",
        "share",
        "higher",
        0.0,
        1.0,
        "majority vote",
    ),
    "nmi_arithmetic": Description(
        "NMI (arithmetic)",
        "How much units and labels say about each other, over the arithmetic mean of their entropies; 1 is most.",
        "",
        "higher",
        0.0,
        1.0,
        "Vinh, Epps & Bailey (2010)",
    ),
    "nmi_geometric": Description(
        "NMI (geometric)",
        "How much units and labels say about each other, over the geometric mean of their entropies; 1 is most.",
        "",
        "higher",
        0.0,
        1.0,
        "Strehl & Ghosh (2002)",
    ),
    "accuracy": Description(
        "Accuracy",
        "Share of items right when each label is given to one unit only, matched as well as possible; "
        "low whenever there are many more units than labels.",
        "share",
        "higher",
        0.0,
        1.0,
        "Yang et al. (2010)",
    ),
    "group_accuracy": Description(
        "Accuracy of groups",
        "Share of items right when each label is given to one group of units only, matched as well as possible.",
        "share",
        "higher",
        0.0,
        1.0,
        "Yang et al. (2010)",
    ),
    "group_nmi_arithmetic": Description(
        "NMI of groups (arithmetic)",
        "How much groups of units and labels say about each other, over the mean of their entropies; 1 is most.",
        "",
        "higher",
        0.0,
        1.0,
        "Vinh, Epps & Bailey (2010)",
    ),
    "ari": Description(
        "Adjusted Rand index",
        "Agreement of units and labels over pairs of items, corrected for chance; 1 is equal, 0 is chance.",
        "",
        "higher",
        -0.5,
        1.0,
        "Hubert & Arabie (1985)",
    ),
    "ami": Description(
        "Adjusted mutual information",
        "How much units and labels say about each other beyond chance; 1 is equal, 0 is chance.",
        "",
        "higher",
        None,
        1.0,
        "Vinh, Epps & Bailey (2010)",
    ),
    "homogeneity": Description(
        "Homogeneity",
        "How far each unit holds items of one label only; 1 is best.",
        "",
        "higher",
        0.0,
        1.0,
        "Rosenberg & Hirschberg (2007)",
    ),
    "completeness": Description(
        "Completeness",
        "How far the items of one label lie in one unit; low whenever there are many more units than labels.",
        "",
        "higher",
        0.0,
        1.0,
        "Rosenberg & Hirschberg (2007)",
    ),
    "sample_size": Description(
        "Sample size",
        "Number of items from which trustworthiness, neighbourhood preservation and Kruskal-Shepard were computed.",
        "items",
        "none",
        1.0,
        None,
        "",
    ),
}
