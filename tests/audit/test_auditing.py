"""The whole audit: its record, its words, its report, and what it refuses."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from somscope.audit import AuditImages
from somscope.audit.conclusions import conclude, distrust
from somscope.audit.numbers import Number
from somscope.auditing import AuditResult, audit, audit_images
from somscope.data.collection import Skipped
from somscope.errors import InputError, RunError

DRAW = np.random.default_rng(0)
SOURCE = DRAW.integers(0, 256, (24, 4, 4, 3), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)
TARGET = 255 - SOURCE
GENERATED = np.clip(TARGET.astype(int) + DRAW.integers(-20, 20, TARGET.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def result() -> AuditResult:
    images = AuditImages(
        "a<b>&c", TARGET, GENERATED, SOURCE, left_out=(Skipped("<img>.png", "broken"),), names={}
    )
    return audit_images(images, protocol="both", n_seeds=2, permutations=39)


def test_it_says_that_outputs_follow_their_targets(result: AuditResult) -> None:
    answers = {one.question: one for one in result.conclusions}
    found = answers["Does an output resemble its own target?"]
    assert found.answer.startswith("Mostly: in 100%")
    assert found.sure != "no evidence"
    assert any("24 images" in text for text in result.distrust)
    assert any("between pixels" in text for text in result.distrust)
    assert len(result.published["metrics"]) == len(result.published["chance"]) == 2
    assert [sum(held) for held in result.published["frequencies"].values()] == [24, 24, 24, 48]


def test_the_record_goes_round(result: AuditResult, tmp_path: Path) -> None:
    folder = result.save(tmp_path / "audit")
    assert sorted(path.name for path in folder.iterdir()) == [
        "audit.json", "numbers.csv", "report.html", "thumbnails.npz",
    ]  # fmt: skip
    again = AuditResult.load(folder)
    assert again.record() == AuditResult.load(folder).record()
    assert again.numbers == [Number(**number.record()) for number in result.numbers]
    assert again.findings == result.findings
    np.testing.assert_array_equal(again.thumbnails["target"], result.thumbnails["target"])
    assert again.to_html().count("<img") == (folder / "report.html").read_text(encoding="utf-8").count("<img")
    with (folder / "numbers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["measure"] for row in rows] == [number.measure for number in result.numbers]
    assert {row["items"] for row in rows} == {"all"}
    with pytest.raises(RunError, match="give --overwrite"):
        result.save(folder)
    result.save(folder, overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("keep")
    with pytest.raises(RunError, match="choose another"):
        result.save(tmp_path / "other", overwrite=True)


def test_a_broken_folder_is_no_audit(result: AuditResult, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no audit\.json"):
        AuditResult.load(tmp_path)
    folder = tmp_path / "audit"
    result.write(folder)
    (folder / "thumbnails.npz").write_bytes(b"broken")
    with pytest.raises(RunError, match="not a whole audit"):
        AuditResult.load(folder)
    (folder / "audit.json").write_text("{}")
    with pytest.raises(RunError, match="not an audit of this version"):
        AuditResult.load(folder)


def test_a_frame_has_a_row_for_each_number(result: AuditResult) -> None:
    pytest.importorskip("pandas")
    frame = result.to_frame()
    assert len(frame) == len(result.numbers)
    assert set(frame.columns) >= {"measure", "value", "q", "ceiling", "space", "n", "seeds"}


def test_the_report_holds_everything_and_no_markup_of_others(result: AuditResult) -> None:
    page = result.to_html()
    assert "<img>.png" not in page
    assert "&lt;img&gt;.png" in page
    assert "Audit of a&lt;b&gt;&amp;c" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    first = page.index("What was found")
    assert (
        first
        < page.index("What to distrust")
        < page.index("Health of the images")
        < page.index("All numbers")
    )
    assert "translation: mean Jaccard for image" in page
    assert "Frequency heat maps of the four maps" in page
    assert "the two domains are exchanged" not in page
    exchanged = replace(result, published=result.published | {"exchanged": True}).to_html()
    assert "the two domains are exchanged" in exchanged


def test_the_report_names_what_was_looked_for_and_not_found(result: AuditResult) -> None:
    """Blur is not looked for in outputs that are blank, nor the direction without inputs."""
    passed = result.to_html().partition("Looked for and not found:")[2].partition("</p>")[0]
    assert "two sets that hold the same images" in passed
    assert "the generator was fed its target domain" in passed
    assert "files that could not be used" not in passed  # one was left out
    flat = audit(None, TARGET, np.zeros_like(TARGET), n_seeds=2, permutations=19, spaces=["downscaled"])
    passed = flat.to_html().partition("Looked for and not found:")[2].partition("</p>")[0]
    assert "fine detail" not in passed
    assert "the generator was fed its target domain" not in passed
    assert "images of different sizes" in passed


def test_of_several_spaces_each_question_is_asked_once() -> None:
    found = audit(None, TARGET, GENERATED, n_seeds=2, permutations=19, spaces=["downscaled", "conv"])
    page = found.to_html()
    assert len(found.conclusions) == 10
    for conclusion in found.conclusions:
        assert page.count(f"<strong>{conclusion.question}</strong>") == 1
    assert page.count("<em>conv:</em>") == page.count("<em>downscaled:</em>") == 5


def test_unpaired_sets_of_different_sizes() -> None:
    found = audit(None, TARGET, GENERATED[:20], paired=False, n_seeds=2, permutations=19)
    assert {number.comparison for number in found.numbers} == {"real-generated"}
    assert "not paired" in found.to_html()
    assert found.published == {}


def test_the_same_seed_gives_the_same_numbers() -> None:
    one, two = (audit(None, TARGET, GENERATED, n_seeds=2, permutations=19, seed=4) for _ in range(2))
    assert one.numbers == two.numbers


def test_equal_sets_and_constant_ones_are_audited() -> None:
    same = audit(None, TARGET, TARGET, n_seeds=2, permutations=19)
    assert same.findings[0].check == "identical sets"
    assert "no evidence" in {one.sure for one in same.conclusions}
    flat = np.zeros_like(TARGET)
    found = audit(None, flat, flat, n_seeds=2, permutations=19)
    assert found.to_html()
    answers = {one.question: one.answer for one in found.conclusions}
    grouped = answers["Do images that are alike among the targets stay together in the outputs?"]
    assert grouped.startswith("It cannot be said")
    assert any("With 19 permutations no p falls below 0.05" in text for text in found.distrust)


def test_refusals() -> None:
    with pytest.raises(InputError, match="allowed: corrected, published, both"):
        audit(None, TARGET, GENERATED, protocol="fixed")
    with pytest.raises(InputError, match="n_seeds=1; allowed: 2 or more"):
        audit(None, TARGET, GENERATED, n_seeds=1)
    with pytest.raises(InputError, match="seed=-1; allowed: 0 to 2147483647"):
        audit(None, TARGET, GENERATED, seed=-1)
    with pytest.raises(InputError, match="two have one name"):
        audit(None, TARGET, GENERATED, spaces=[lambda x: x[:, 0, 0], lambda x: x[:, 1, 1]])
    with pytest.raises(InputError, match="permutations=3"):
        audit(None, TARGET, GENERATED, permutations=3)
    with pytest.raises(InputError, match="give triples"):
        audit(None, TARGET, GENERATED, protocol="published", n_seeds=2, permutations=19)
    with pytest.raises(InputError, match="an audit needs at least 4"):
        audit(None, TARGET[:1], GENERATED[:1])


def number(
    measure: str,
    comparison: str,
    value: float,
    q: float,
    grid: str = "",
    ceiling: float | None = None,
    chance: float = 0.1,
) -> Number:
    return Number(
        measure, comparison, "hog", grid, 50, 5, 99, value, chance, 0.1, q, q, 9.0, 1.0, 0.0, 1.0, ceiling
    )


def test_words_follow_the_numbers() -> None:
    sure = [
        number("retrieval", "generated-target", 0.4, 0.001),
        number("ami", "source-generated", 0.2, 0.03, "5x5", 0.4),
        number("classifier", "real-generated", 0.5, 0.9),
        number("mmd", "real-generated", 0.5, 0.2),
        number("recall", "real-generated", 0.2, 0.01, chance=0.9),
        number("coverage", "real-generated", 0.2, 0.5, chance=0.9),
    ]
    said = [
        (one.answer.split()[0].rstrip(":"), one.sure)
        for one in conclude(sure, ["mostly real", "empty"], "hog")
    ]
    assert said == [
        ("Sometimes", "sure"),
        ("In", "fairly sure"),
        ("Not", "no evidence"),
        ("Yes", "sure"),
        ("Yes", "fairly sure"),
    ]
    assert conclude(sure, [], "pixels")[-1].sure == "no evidence"
    assert any("0.40 to 0.40" in text for text in distrust([], sure, ["hog"]))
    assert not any("between pixels" in text for text in distrust([], sure, ["hog"]))


@pytest.mark.parametrize(("recall", "word"), [(0.7, "Yes"), (0.85, "A little"), (0.96, "Hardly")])
def test_how_much_variety_is_missed_is_in_the_answer(recall: float, word: str) -> None:
    """However sure a small lack is, it is small; of two lacks the larger one is named."""
    made = [
        number("recall", "real-generated", recall, 0.01, chance=0.98),
        number("coverage", "real-generated", 0.97, 0.001, chance=0.98),
    ]
    (said,) = (one for one in conclude(made, [], "hog") if "variety" in one.question)
    assert said.answer.startswith(f"{word}: recall is {recall:.2f}")


def test_repeated_inputs_do_not_make_a_sure_answer() -> None:
    """Twelve inputs twice each: alike outputs of equal inputs say nothing of what becomes of different ones."""
    source = np.concatenate([SOURCE[:12], SOURCE[:12]])
    made = DRAW.integers(0, 256, (12, 4, 4, 3), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    found = audit(source, TARGET, np.concatenate([made, made]), n_seeds=3, permutations=199)
    known = {(one.items, one.comparison): one for one in found.numbers if one.measure == "retrieval"}
    assert known["distinct", "source-generated"].n == 12
    assert known["all", "source-generated"].n == 24
    ami = {one.items: one for one in found.numbers if (one.measure, one.comparison, one.grid) == (
        "ami", "source-generated", "3x3")}  # fmt: skip
    assert ami["all"].p < 0.05 < ami["distinct"].p
    answer = next(one for one in found.conclusions if "among the inputs" in one.question)
    assert "Of the 12 different inputs alone" in answer.answer
    assert answer.sure == "no evidence"
    assert "no repeats" in found.to_html()
    assert not [
        one for one in found.numbers if one.items == "distinct" and one.comparison == "target-generated"
    ]
