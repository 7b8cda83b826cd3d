"""What an audit found in plain words: each statement with how sure it is, and what to distrust."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from somscope.audit.health import Finding
from somscope.audit.numbers import ALPHA, Number
from somscope.measures.composition import VERDICTS

__all__ = ["Conclusion", "conclude", "distrust"]

SURE = ("sure", "fairly sure", "no evidence")


@dataclass(frozen=True)
class Conclusion:
    """question: what is asked. answer: one or two sentences. sure: of SURE. space: where it was asked."""

    question: str
    answer: str
    sure: str
    space: str

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def conclude(numbers: Sequence[Number], verdicts: Sequence[str], space: str) -> list[Conclusion]:
    """The statements of one space. verdicts: of the units of its joint map."""
    of_space = [n for n in numbers if n.space == space]
    known = {(n.measure, n.comparison, n.grid): n for n in of_space if n.items == "all"}
    different = {n.comparison: n for n in of_space if n.measure == "ami" and n.items == "distinct"}

    def find(measure: str, comparison: str, grid: str = "") -> Number | None:
        return known.get((measure, comparison, grid))

    made = [
        _follows(find("retrieval", "generated-target"), space),
        _groups(_best_map(known, "source-generated"), "inputs", space, different.get("source-generated")),
        _groups(_best_map(known, "target-generated"), "targets", space, different.get("target-generated")),
        _told_apart(find("classifier", "real-generated"), find("mmd", "real-generated"), space),
        _variety(find("recall", "real-generated"), find("coverage", "real-generated"), space),
        _regions(verdicts, space),
    ]
    return [conclusion for conclusion in made if conclusion is not None]


def distrust(findings: Sequence[Finding], numbers: Sequence[Number], spaces: Sequence[str]) -> list[str]:
    """What a reader should be wary of, the gravest first."""
    said = [finding.text for finding in findings if finding.severity != "note"]
    said += [
        finding.text for finding in findings if finding.check == "too few" and finding.severity == "note"
    ]
    said += _too_coarse(numbers)
    if any(number.measure == "FID" and number.n < 10_000 for number in numbers):
        said.append(
            "FID is biased: of fewer than about 10,000 images it is too large, the more so the fewer. Compare it only "
            "between generators with the same number of images; KID has no such bias."
        )
    ceilings = [
        n.ceiling for n in numbers if n.measure == "ami" and n.ceiling is not None and n.ceiling == n.ceiling
    ]
    if ceilings and max(ceilings) < 0.8:
        said.append(
            f"Maps of so few images are unsteady: two maps of the same images agree only to {min(ceilings):.2f} to "
            f"{max(ceilings):.2f} (AMI; 1 would be the same map), and no comparison of two sets can show more."
        )
    if set(spaces) <= {"pixels", "downscaled"}:
        said.append(
            "All distances are between pixels: they see brightness, colour and layout, not what an image shows. "
            "Ask again in another space (hog, conv, or a trained map) before you conclude about content."
        )
    return said


def _too_coarse(numbers: Sequence[Number]) -> list[str]:
    """With few permutations even the smallest p is not small enough for a question that many numbers ask."""
    tested = [number for number in numbers if number.p is not None and number.measure not in ("FID", "KID")]
    fewest = max((number.permutations for number in tested), default=0)
    most = max((sum(n.family == number.family for n in tested) for number in tested), default=0)
    if not fewest or most / (fewest + 1) <= ALPHA:
        return []
    return [
        f"With {fewest} permutations no p falls below {1 / (fewest + 1):.2g}, and up to {most} numbers ask the same: "
        f"one alone cannot stand out. Ask for {round(most / ALPHA)} or more."
    ]


def _sure(q: float | None) -> str:
    return SURE[2] if q is None or q > 0.05 else SURE[1] if q > 0.01 else SURE[0]


def _follows(number: Number | None, space: str) -> Conclusion | None:
    if number is None:
        return None
    if number.significant:
        above = (number.value - (number.chance or 0.0)) / (1.0 - (number.chance or 0.0))
        how = "Mostly" if above > 0.75 else "Often" if above > 0.35 else "Sometimes"
        answer = (
            f"{how}: in {number.value:.0%} of the cases the real image nearest to an output is its own target "
            f"({number.chance:.0%} by chance; interval {_percent(number)})."
        )
    else:
        answer = (
            f"There is no sign of it: an output's own target is the nearest in {number.value:.0%} of the cases, "
            f"{number.chance:.0%} by chance."
        )
    return Conclusion("Does an output resemble its own target?", answer, _sure(number.q), space)


def _best_map(known: dict[tuple[str, str, str], Number], comparison: str) -> Number | None:
    """AMI on the 5x5 map, or the largest there is."""
    found = {
        grid: number for (name, pair, grid), number in known.items() if (name, pair) == ("ami", comparison)
    }
    return found.get("5x5") or (found[max(found)] if found else None)


def _groups(number: Number | None, of: str, space: str, different: Number | None) -> Conclusion | None:
    """different: the same of one of each set of identical images, where there are any; the weaker of both counts."""
    if number is None:
        return None
    question = f"Do images that are alike among the {of} stay together in the outputs?"
    if number.chance is not None and number.chance > 0.99:
        answer = "It cannot be said: nearly all images of a set lie at one unit."
        return Conclusion(question, answer, SURE[2], space)
    ceiling = number.ceiling or 0.0
    reach = f"two maps of the same images reach {ceiling:.2f}" if ceiling == ceiling and ceiling else ""
    if number.significant:
        share = number.value / ceiling if ceiling > 0 else 0.0
        how = "Largely" if share > 0.75 else "In part" if share > 0.35 else "A little"
        answer = (
            f"{how}: the two maps agree to {number.value:.2f} (AMI; 0 is chance, {reach or '1 is equal'})."
        )
    else:
        scale = f"AMI; 0 is chance{', ' + reach if reach else ''}"
        answer = f"No sign of it: the two maps agree to {number.value:.2f} ({scale})."
    if different is None:
        return Conclusion(question, answer, _sure(number.q), space)
    answer += f" Of the {different.n} different {of} alone: {different.value:.2f}"
    answer += f", {_sure(different.q)}." if number.significant else "."
    return Conclusion(question, answer, max(_sure(number.q), _sure(different.q), key=SURE.index), space)


def _told_apart(classifier: Number | None, mmd: Number | None, space: str) -> Conclusion | None:
    if classifier is None or mmd is None:
        return None
    q = min(classifier.q or 1.0, mmd.q or 1.0)
    rate = f"a simple classifier tells {classifier.value:.0%} right (chance {classifier.chance:.0%})"
    answer = f"Yes: {rate}." if q <= 0.05 else f"Not shown by these images: {rate}; q is {q:.2f}."
    if q <= 0.05 and not classifier.significant:
        answer = f"Yes: their distributions differ (MMD), although {rate}."
    return Conclusion("Can outputs be told from real images?", answer, _sure(q), space)


def _variety(recall: Number | None, coverage: Number | None, space: str) -> Conclusion | None:
    if recall is None or coverage is None:
        return None
    less = [number for number in (recall, coverage) if number.significant]
    if less:
        number = min(less, key=lambda one: one.value / (one.chance or 1.0))
        kept = number.value / (number.chance or 1.0)
        how = "Yes" if kept < 0.8 else "A little" if kept < 0.95 else "Hardly"
        answer = (
            f"{how}: {number.measure} is {number.value:.2f}, where two samples of one distribution would give "
            f"{number.chance:.2f}."
        )
        return Conclusion("Do the outputs miss part of the real variety?", answer, _sure(number.q), space)
    answer = (
        f"Not shown by these images: recall is {recall.value:.2f} and coverage {coverage.value:.2f}; two samples of "
        f"one distribution would give {recall.chance:.2f} and {coverage.chance:.2f} (q {recall.q:.2f} and "
        f"{coverage.q:.2f})."
    )
    return Conclusion("Do the outputs miss part of the real variety?", answer, SURE[2], space)


def _regions(verdicts: Sequence[str], space: str) -> Conclusion:
    dropped, invented, few = (list(verdicts).count(VERDICTS[at]) for at in (1, 2, 3))
    open_ones = f"; {few} hold too few images to say" if few else ""
    if dropped or invented:
        answer = (
            f"Yes: of {len(verdicts)} regions of the joint map {dropped} hold mostly real images (dropped) and "
            f"{invented} mostly generated ones (invented){open_ones}."
        )
        return Conclusion("Are there regions that are dropped or invented?", answer, SURE[1], space)
    answer = f"None of {len(verdicts)} regions of the joint map stands out{open_ones}."
    return Conclusion("Are there regions that are dropped or invented?", answer, SURE[2], space)


def _percent(number: Number) -> str:
    if number.low is None or number.high is None:
        return "unknown"
    return f"{max(0.0, number.low):.0%} to {min(1.0, number.high):.0%}"
