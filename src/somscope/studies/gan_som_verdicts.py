"""Each conclusion of the GAN-SOM paper beside the numbers that decide it.

The verdicts follow from the rows of the study by the rules written here; none is set by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from somscope.studies.gan_som_tables import SETS

__all__ = ["verdicts"]

Rows = Mapping[str, Mapping[str, Any]]  # data set -> row


def verdicts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """[{"claim", "verdict", "because"}] of the claims whose data sets are among the rows."""
    published = {row["data"]: row for row in rows if row["variant"] == "as published"}
    corrected = {row["data"]: row for row in rows if row["variant"] == "corrected"}
    made = []
    for claim, needs, decide in _CLAIMS:
        if set(needs or corrected) <= corrected.keys() & published.keys() and corrected:
            verdict, because = decide(published, corrected)
            made.append({"claim": claim, "verdict": verdict, "because": because})
    return made


def _tested(row: Mapping[str, Any], measure: str) -> tuple[float, float, float]:
    """Value, q and ceiling (nan where there is none) of a measure of a corrected row; without repeated images, where
    there are any."""
    number = row["numbers"].get(f"{measure} distinct") or row["numbers"][measure]
    ceiling = number["ceiling"]
    return number["value"], number["q"], float("nan") if ceiling is None else ceiling


def _agreement(measure: str) -> Callable[[Rows, Rows], tuple[str, str]]:
    def decide(published: Rows, corrected: Rows) -> tuple[str, str]:
        found = {name: _tested(row, measure) for name, row in corrected.items()}
        above = [name for name, (value, q, ceiling) in found.items() if q <= 0.05]
        listed = "; ".join(
            f"{name} {value:.2f} of at most {ceiling:.2f} (q {q:.3f})"
            for name, (value, q, ceiling) in found.items()
        )
        verdict = "does not survive" if above else "not shown"
        return verdict, f"AMI above chance in {len(above)} of {len(found)} sets: {listed}"

    return decide


def _against_chance(name: str, metric: str) -> Callable[[Rows, Rows], tuple[str, str]]:
    def decide(published: Rows, _: Rows) -> tuple[str, str]:
        ours, chance = published[name]["measures"][metric]["mean"], published[name]["chance"][metric]["mean"]
        return (
            "survives" if ours > chance else "does not survive"
        ), f"{ours:.2f}, and by chance {chance:.2f}"

    return decide


def _misprint(published: Rows, corrected: Rows) -> tuple[str, str]:
    ours = published["edges2shoes"]["measures"]["translation_image_mean"]["mean"]
    wrong = "wrong direction" in corrected["edges2shoes"]["health"]
    direction = ", and the generator was fed its target domain" if wrong else ""
    verdict = "does not survive" if ours < 0.1 or wrong else "survives"
    return verdict, f"the printed 0.251 is a slip for 0.0251 (ours {ours:.3f}){direction}"


def _separable(names: Sequence[str], expected: bool) -> Callable[[Rows, Rows], tuple[str, str]]:
    """expected: the paper says that the map tells real from generated."""

    def decide(published: Rows, corrected: Rows) -> tuple[str, str]:
        parts, held = [], []
        for name in names:
            row = corrected[name]
            ami, q = _tested(row, "node-label ami real-generated 5x5")[:2]
            accuracy, classifier_q = _tested(row, "classifier real-generated")[:2]
            told = q <= 0.05 or classifier_q <= 0.05
            held.append(told == expected)
            health = [
                check
                for check in ("wrong direction", "blank", "blurred", "few distinct")
                if check in row["health"]
            ]
            parts.append(
                f"{name}: AMI of unit and kind {ami:.2f} (q {q:.3f}), classifier {accuracy:.0%} (q {classifier_q:.3f})"
                + (f"; health: {', '.join(health)}" if health else "")
            )
        verdict = "survives" if all(held) else "in part" if any(held) else "does not survive"
        return verdict, "; ".join(parts)

    return decide


def _mixed(names: Sequence[str]) -> Callable[[Rows, Rows], tuple[str, str]]:
    """The paper counts the clusters of the joint map that hold both kinds; telling them apart is another matter."""
    told = _separable(names, True)

    def decide(published: Rows, corrected: Rows) -> tuple[str, str]:
        shares = {}
        for name in names:
            held = {key: value["mean"] for key, value in published[name]["measures"].items()}
            shares[name] = 1 - (held["fake_only"] + held["real_only"]) / held["clusters_combined"]
        counted = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        verdict, because = told(published, corrected)
        if min(shares.values()) <= 0.5:
            return "does not survive", f"mixed clusters: {counted}"
        if verdict == "does not survive":
            return "survives", f"mixed clusters: {counted}; {because}"
        return (
            "in part",
            f"mixed clusters: {counted}, but trained maps and a classifier tell them apart: {because}",
        )

    return decide


def _low_preserved(published: Rows, _: Rows) -> tuple[str, str]:
    pairs = {
        name: (row["measures"]["preserved_score"]["mean"], row["chance"]["preserved_score"]["mean"])
        for name, row in published.items()
    }
    above = [name for name, (ours, chance) in pairs.items() if ours > chance + 0.1]
    listed = "; ".join(f"{name} {ours:.2f} (chance {chance:.2f})" for name, (ours, chance) in pairs.items())
    because = (
        f"{len(above)} of {len(pairs)} lie clearly above their level of chance, which differs from set to set"
    )
    return "does not survive" if above else "not shown", f"{because}: {listed}"


def _most_pairs(published: Rows, corrected: Rows) -> tuple[str, str]:
    pairs = {name: row["measures"]["pairs_together"]["mean"] for name, row in published.items()}
    most = max(pairs, key=lambda name: pairs[name])
    because = ", ".join(f"{name} {count:.1f}" for name, count in pairs.items())
    note = ""
    if "wrong direction" in corrected["edges2shoes"]["health"]:
        note = "; but its pairs are inputs and outputs, since the generator was fed its target domain"
    return ("survives" if most == "edges2shoes" else "does not survive"), because + note


def _low_clusters(published: Rows, _: Rows) -> tuple[str, str]:
    gaps = []
    for metric in ("translation_cluster_mean", "detection_cluster_mean"):
        gaps += [
            row["measures"][metric]["mean"] - row["chance"][metric]["mean"] for row in published.values()
        ]
    because = f"they differ from the level of chance by {min(gaps):+.2f} to {max(gaps):+.2f}: low is what chance gives"
    return ("does not survive" if max(map(abs, gaps)) < 0.1 else "in part"), because


def _follow_up(published: Rows, _: Rows) -> tuple[str, str]:
    gaps = [
        row["measures"]["follow_up_image_mean"]["mean"] - row["chance"]["follow_up_image_mean"]["mean"]
        for row in published.values()
    ]
    because = f"consistent because all are chance: {min(gaps):+.3f} to {max(gaps):+.3f} from its level"
    return ("does not survive" if max(map(abs, gaps)) < 0.02 else "in part"), because


def _only(published: Rows, _: Rows) -> tuple[str, str]:
    parts = [
        f"{name} {row['measures']['fake_only']['mean']:.1f} and {row['measures']['real_only']['mean']:.1f} "
        f"(chance {row['chance']['fake_only']['mean']:.1f} and {row['chance']['real_only']['mean']:.1f})"
        for name, row in published.items()
    ]
    near = [
        row
        for row in published.values()
        if row["measures"]["fake_only"]["mean"] + row["measures"]["real_only"]["mean"]
        < 1.5 * (row["chance"]["fake_only"]["mean"] + row["chance"]["real_only"]["mean"])
    ]
    verdict = "does not survive" if len(near) > len(published) / 2 else "survives"
    return verdict, f"near the level of chance in {len(near)} of {len(published)} sets: " + "; ".join(parts)


_CLAIMS: tuple[tuple[str, tuple[str, ...], Callable[[Rows, Rows], tuple[str, str]]], ...] = (
    (
        "Translation does not maintain the similarity that maps see (input against output)",
        (),
        _agreement("ami source-generated 5x5"),
    ),
    (
        "Real and generated images of one domain are grouped differently",
        (),
        _agreement("ami target-generated 5x5"),
    ),
    ("edges2shoes performs better than the others in translation", ("edges2shoes",), _misprint),
    (
        "day2night has the largest preserved score, 0.58",
        ("day2night",),
        _against_chance("day2night", "preserved_score"),
    ),
    ("Scores of preserved members are low: structure is lost", (), _low_preserved),
    ("Jaccard similarities for clusters are low: structure is lost", (), _low_clusters),
    (
        "In edges2shoes and facades more than half of the clusters are mixed: not told apart",
        ("edges2shoes", "facades_label2photo"),
        _mixed(("edges2shoes", "facades_label2photo")),
    ),
    (
        "day2night and sat2map: maps tell real from generated",
        ("day2night", "sat2map"),
        _separable(("day2night", "sat2map"), True),
    ),
    ("map2sat does not behave like sat2map: not told apart", ("map2sat",), _separable(("map2sat",), False)),
    ("Maps do not in general tell real from generated images", SETS, _separable(SETS, False)),
    ("Fake only and real only clusters measure detection", (), _only),
    ("edges2shoes has most pairs clustered together", ("edges2shoes",), _most_pairs),
    ("The follow-up ranges are very consistent and mean something", (), _follow_up),
)
