"""The strongest examples of what an audit finds, and why some pairs share a unit and others do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from somscope.audit.agreement import SetMaps
from somscope.audit.detection import FOLDS, JointMap
from somscope.audit.health import statistics
from somscope.audit.images import AuditImages
from somscope.audit.numbers import How
from somscope.audit.spaces import downscaled
from somscope.measures.pairing import cross_distances
from somscope.measures.permutation import benjamini_hochberg, pair_permutations
from somscope.measures.two_sample import classifier_scores

__all__ = ["Examples", "Reason", "strongest", "why_pairs_meet"]

_MOST = 1000  # images of a set that are looked through
_SHOWN = 6
_NEIGHBOURS = 5  # whose distance says how much room a real image has
FOLLOWS = "Does an output resemble its own target?"
STAYS = "Do images that are alike stay together in the outputs?"
TOLD = "Can outputs be told from real images?"
MISSED = "Do the outputs miss part of the real variety?"
INVENTED = "Are there outputs that no real image resembles?"
MEETS = "Which pairs share a unit of the joint map?"

Floats = NDArray[np.float64]
Units = NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """A sheet of pictures. question: what they answer; title: what is shown; lines: (label, part, rows), one below the
    other, pictures of a column belong together."""

    question: str
    title: str
    lines: tuple[tuple[str, str, tuple[int, ...]], ...]

    def record(self) -> dict[str, Any]:
        """As JSON."""
        lines = [{"label": label, "part": part, "rows": list(rows)} for label, part, rows in self.lines]
        return {"question": self.question, "title": self.title, "lines": lines}


@dataclass(frozen=True)
class Reason:
    """Something that goes with sharing a unit. rho: Spearman correlation over the pairs with the share of seeds; p
    (two-sided) from permutations of the pairs, q over the reasons of the audit's space."""

    what: str
    rho: float
    p: float
    q: float


def strongest(
    items: dict[str, Floats], joint: JointMap, maps: SetMaps | None, rows: Units, how: How
) -> list[Examples]:
    """The sheets of one space. rows: which pairs the maps of sets hold."""
    draw = how.generator()
    paired = maps is not None
    real = np.sort(draw.permutation(len(items["target"]))[:_MOST])
    made = real if paired else np.sort(draw.permutation(len(items["generated"]))[:_MOST])
    across = cross_distances(items["generated"][made], items["target"][real])
    sheets = []
    if maps is not None:
        sheets += _following(across, real) + _staying(items, maps, rows) + _meeting(across, joint, real)
    return [*sheets, *_told(items, real, made), *_uncovered(items, across, real, made)]


def why_pairs_meet(images: AuditImages, items: dict[str, Floats], joint: JointMap, how: How) -> list[Reason]:
    """What goes with sharing a unit of the joint map: of each pair, how alike its images are, and how unusual.

    Correlates, over the pairs, the share of seeds under which real and generated image share a unit with: minus the
    difference in brightness, colour, contrast and detail (see `somscope.audit.health.statistics`) and in layout (the
    16 x 16 averages without their mean), the brightness of the target, and its distance from the mean target. Pairs
    are observed, not manipulated: a reason is a correlation.
    """
    share = _together(joint)
    if share.std() == 0:
        return []
    real, made = statistics(images.target), statistics(images.generated)
    brightness = [(rows["red"] + rows["green"] + rows["blue"]) / 3 for rows in (real, made)]
    layouts = [
        flat - flat.mean(axis=1, keepdims=True) for flat in map(downscaled, (images.target, images.generated))
    ]
    centre = items["target"] - items["target"].mean(axis=0)
    seen = {
        "alike in brightness": -np.abs(brightness[0] - brightness[1]),
        "alike in colour": -np.abs(real["colour"] - made["colour"]),
        "alike in contrast": -np.abs(real["contrast"] - made["contrast"]),
        "alike in fine detail": -np.abs(real["detail"] - made["detail"]),
        "alike in layout": -np.linalg.norm(layouts[0] - layouts[1], axis=1),
        "bright target": brightness[0],
        "unusual target (far from the mean)": np.linalg.norm(centre, axis=1),
    }
    found = {name: values for name, values in seen.items() if np.ptp(values) > 1e-9}
    if not found:
        return []
    ranks = np.stack([_standard_ranks(values) for values in found.values()])
    rows = pair_permutations(len(share), how.permutations, how.generator())
    rho = ranks @ _standard_ranks(share)[rows].T / len(share)  # (F, P + 1)
    p = (1 + (np.abs(rho[:, 1:]) >= np.abs(rho[:, :1]) - 1e-9).sum(axis=1)) / rho.shape[1]
    q = benjamini_hochberg(p)
    return [Reason(name, float(rho[at, 0]), float(p[at]), float(q[at])) for at, name in enumerate(found)]


def _standard_ranks(values: Floats) -> Floats:
    ranks = rankdata(values)
    return np.asarray((ranks - ranks.mean()) / ranks.std())


def _together(joint: JointMap) -> Floats:
    """(n,) share of seeds under which real and generated image of a pair share a unit."""
    return np.asarray((joint.units[:, : joint.n_real] == joint.units[:, joint.n_real :]).mean(axis=0))


def _first(order: NDArray[np.integer[Any]], rows: Units) -> tuple[int, ...]:
    return tuple(rows[order[:_SHOWN]].tolist())


def _following(across: Floats, rows: Units) -> list[Examples]:
    """The outputs that are nearest to their own target, compared with the others, and the farthest."""
    own = across.diagonal()
    relative = own / np.maximum(np.median(across, axis=1), 1e-12)
    order = np.argsort(relative, kind="stable")
    best, worst = _first(order, rows), order[::-1][:_SHOWN]
    return [
        Examples(
            FOLLOWS,
            "The outputs that follow their own target most closely",
            (("output", "generated", best), ("own target", "target", best)),
        ),
        Examples(
            FOLLOWS,
            "Those that follow it least, above the target that is nearest instead",
            (
                ("output", "generated", tuple(rows[worst].tolist())),
                ("own target", "target", tuple(rows[worst].tolist())),
                ("nearest", "target", tuple(rows[across[worst].argmin(axis=1)].tolist())),
            ),
        ),
    ]


def _staying(items: dict[str, Floats], maps: SetMaps, rows: Units) -> list[Examples]:
    """Images that are alike in the first set: those whose outputs are alike, too, and those whose outputs are not."""
    part = "source" if "source" in maps.units else "target"
    label = "input" if part == "source" else "target"
    few = np.arange(len(rows))[: _MOST // 2]
    one, two = np.triu_indices(len(few), 1)
    alike = {
        name: (maps.units[name][:, few][:, one] == maps.units[name][:, few][:, two]).mean(axis=0)
        for name in (part, "generated")
    }
    apart = {
        name: cross_distances(items[name][rows[few]], items[name][rows[few]])[one, two] for name in alike
    }
    together = np.flatnonzero(alike[part] >= 0.5)
    sheets = []
    for title, kept, sign in (
        (
            f"{label.capitalize()}s that share a unit, and whose outputs do, too",
            alike["generated"] >= 0.5,
            1.0,
        ),
        (
            f"{label.capitalize()}s that share a unit, and whose outputs never do",
            alike["generated"] == 0,
            -1.0,
        ),
    ):
        chosen = together[kept[together]]
        ratio = apart["generated"][chosen] / np.maximum(apart["generated"].mean(), 1e-12)
        ratio = ratio * sign + apart[part][chosen] / np.maximum(apart[part].mean(), 1e-12)
        best = chosen[_disjoint(np.argsort(ratio, kind="stable"), one[chosen], two[chosen])]
        if len(best):
            flat = tuple(rows[few[np.stack([one[best], two[best]], axis=1).ravel()]].tolist())
            sheets.append(
                Examples(STAYS, title, ((f"two {label}s", part, flat), ("outputs", "generated", flat)))
            )
    return sheets


def _disjoint(order: NDArray[np.integer[Any]], one: Units, two: Units) -> list[int]:
    """The first few that have no image in common."""
    used: set[int] = set()
    chosen: list[int] = []
    for at in order.tolist():
        ends = {int(one[at]), int(two[at])}
        if not ends & used:
            chosen.append(at)
            used |= ends
        if len(chosen) == _SHOWN // 2:
            break
    return chosen


def _meeting(across: Floats, joint: JointMap, rows: Units) -> list[Examples]:
    """Pairs that share a unit under the most seeds, and under the fewest; nothing where all do equally often."""
    share, own = _together(joint)[rows], across.diagonal()
    if share.std() == 0:
        return []
    sheets = []
    for title, order in (
        ("Pairs that share a unit under the most seeds", np.lexsort([own, -share])),
        ("Pairs that share a unit under the fewest", np.lexsort([-own, share])),
    ):
        chosen = _first(order, rows)
        sheets.append(Examples(MEETS, title, (("output", "generated", chosen), ("target", "target", chosen))))
    return sheets


def _told(items: dict[str, Floats], real: Units, made: Units) -> list[Examples]:
    """What the held-out classifier is surest of."""
    pool = np.concatenate([items["target"][real], items["generated"][made]])
    folds = np.concatenate([np.arange(len(real)) % FOLDS, np.arange(len(made)) % FOLDS])
    coded = np.repeat([-len(pool) / (2 * len(real)), len(pool) / (2 * len(made))], [len(real), len(made)])
    said = classifier_scores(pool, folds) @ coded
    outputs, targets = said[len(real) :], said[: len(real)]
    surest = (
        _first(np.argsort(-outputs, kind="stable"), made),
        _first(np.argsort(targets, kind="stable"), real),
    )
    passing = _first(np.argsort(outputs, kind="stable"), made)
    return [
        Examples(
            TOLD,
            "What the classifier is surest of: generated above, real below",
            (("generated", "generated", surest[0]), ("real", "target", surest[1])),
        ),
        Examples(
            TOLD, "The outputs that it takes for real images most firmly", (("output", "generated", passing),)
        ),
    ]


def _uncovered(items: dict[str, Floats], across: Floats, real: Units, made: Units) -> list[Examples]:
    """Real images that no output comes near, and outputs that no real image comes near, each above its nearest."""
    sheets = []
    for question, title, own, other, part, rest, table in (
        (MISSED, "Real images that no output comes near", real, made, "target", "generated", across.T),
        (INVENTED, "Outputs that no real image comes near", made, real, "generated", "target", across),
    ):
        within = cross_distances(items[part][own], items[part][own])
        room = np.partition(within, min(_NEIGHBOURS, len(own) - 1), axis=1)[:, min(_NEIGHBOURS, len(own) - 1)]
        lonely = np.argsort(-(table.min(axis=1) / np.maximum(room, 1e-12)), kind="stable")[:_SHOWN]
        nearest = other[table[lonely].argmin(axis=1)]
        label = {"target": "real", "generated": "output"}
        sheets.append(
            Examples(
                question,
                f"{title}, for how dense its own kind is there, above the nearest of the other kind",
                (
                    (label[part], part, tuple(own[lonely].tolist())),
                    ("nearest", rest, tuple(nearest.tolist())),
                ),
            )
        )
    return sheets
