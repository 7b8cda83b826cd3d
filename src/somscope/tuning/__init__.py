"""Settings of a model searched by a Latin hypercube, and how much each matters."""

from somscope.tuning.hypercube import PUBLISHED, Range, hypercube, parse_range, published_ranges
from somscope.tuning.search import Row, tune
from somscope.tuning.sensitivity import Sensitivity, sensitivity

__all__ = [
    "PUBLISHED",
    "Range",
    "Row",
    "Sensitivity",
    "hypercube",
    "parse_range",
    "published_ranges",
    "sensitivity",
    "tune",
]
