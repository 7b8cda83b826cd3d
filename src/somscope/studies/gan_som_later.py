"""What the GAN-SOM paper left for later, each item answered with the numbers of the study.

The sentences are made of the rows of the protocol "corrected"; none is written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["left_for_later"]

Row = Mapping[str, Any]


def left_for_later(rows: Sequence[Row]) -> list[dict[str, str]]:
    """[{"proposal", "answer"}] of the corrected rows of a study; empty where there are none."""
    return [{"proposal": proposal, "answer": answer(rows)} for proposal, answer in _PROPOSALS.items() if rows]


def _each(rows: Sequence[Row], words: Callable[[Mapping[str, Any]], str], name: str) -> str:
    return "; ".join(f"{row['data']} {words(row['numbers'][name])}" for row in rows if name in row["numbers"])


def _one_start(rows: Sequence[Row]) -> str:
    names = [f"ami {pair} 5x5" for pair in ("source-target", "source-generated", "target-generated")]
    reached = [row["numbers"][name]["ceiling"] for row in rows for name in names if name in row["numbers"]]
    lowest, highest = (f"{limit(reached):.2f}" if reached else "-" for limit in (min, max))
    return (
        f"all maps of a seed now have one start; two starts alone bring two maps of the same images down to an AMI "
        f"of {lowest} to {highest}, which the paper took for a difference of the images"
    )


def _map_sizes(rows: Sequence[Row]) -> str:
    said = []
    for grid in ("3x3", "5x5", "7x7"):
        numbers = [row["numbers"].get(f"ami source-generated {grid}") for row in rows]
        found = [number for number in numbers if number is not None]
        if found:
            above = sum(number["q"] <= 0.05 for number in found)
            effects = ", ".join(f"{number['value']:.2f}" for number in found)
            said.append(
                f"{grid}: AMI of inputs and outputs {effects}, above chance in {above} of {len(found)} sets"
            )
    return "; ".join(said)


def _prototypes(rows: Sequence[Row]) -> str:
    listed = _each(
        rows,
        lambda number: f"{number['value']:.2f} (chance {number['chance']:.2f}, q {number['q']:.3f})",
        "prototype distance real-generated 5x5",
    )
    return f"distance of equal units of the maps of real and of generated images, over the images' spread: {listed}"


def _which_pair(rows: Sequence[Row]) -> str:
    said = []
    for row in rows:
        together = row["numbers"].get("pairs together real-generated 5x5")
        if together is None or together["q"] > 0.05:
            continue
        reasons = [reason for reason in row["reasons"] if reason["q"] <= 0.05]
        why = (
            ", ".join(f"{reason['what']} ({reason['rho']:+.2f})" for reason in reasons)
            or "no reason is found"
        )
        said.append(
            f"{row['data']}: {together['value']:.0%} of the pairs (chance {together['chance']:.0%}); {why}"
        )
    return "; ".join(said) or "in no set do more pairs share a unit than by chance"


def _fakes(rows: Sequence[Row]) -> str:
    maps = _each(rows, lambda number: f"{number['value']:.2f}", "node-label ami real-generated 5x5")
    classifier = _each(rows, lambda number: f"{number['value']:.0%}", "classifier real-generated")
    return f"a linear classifier on the same pixels is right in: {classifier}; AMI of unit and kind: {maps}"


def _more_images(rows: Sequence[Row]) -> str:
    counts = sorted({row["n_items"] for row in rows})
    return (
        f"these sets hold {' or '.join(map(str, counts))} pairs; `somscope study audit-power` measures what 50, 200 "
        "and 1,000 can show"
    )


_PROPOSALS: dict[str, Callable[[Sequence[Row]], str]] = {
    "The same initial weights for the maps that are compared": _one_start,
    "Larger maps": _map_sizes,
    "Compare the weight vectors of the nodes": _prototypes,
    "Which images pair on the joint map, and why": _which_pair,
    "Maps to detect generated images": _fakes,
    "More images": _more_images,
}
