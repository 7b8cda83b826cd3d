"""Purity against topographic error of DESOM over the radius at which its map ends."""

from __future__ import annotations

from somscope.studies.declare import Entry, Study

__all__ = ["DESOM_RADIUS", "RADII"]

RADII = (0.2, 0.3, 0.4, 0.5, 0.7, 1.0)  # lattice steps
_DATA = ("mnist", "fashion-mnist")


def _entries(data: str) -> list[Entry]:
    legacy = Entry(data, "desom", "legacy", parameters={"legacy": True})
    return [
        legacy,
        *(
            Entry(data, "desom", f"radius={radius:g}", parameters={"final_radius": radius})
            for radius in RADII
        ),
    ]


DESOM_RADIUS = Study(
    name="desom-radius",
    title="Purity against topographic error of DESOM over its final radius, on MNIST and Fashion-MNIST",
    entries=tuple(entry for data in _DATA for entry in _entries(data)),
    n_seeds=3,
    notes=(
        "The final radius is that of a Gaussian exp(-d^2 / 2 r^2), in lattice steps. `legacy` is DESOM as published: "
        "its neighbourhood vanishes before the training ends.",
    ),
)
