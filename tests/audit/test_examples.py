"""The strongest examples are the planted ones, reasons are found, and prototypes are compared beside exchanged sets."""

from __future__ import annotations

import numpy as np
import pytest

from somscope.audit import from_arrays
from somscope.audit.corrected import corrected
from somscope.audit.examples import FOLLOWS, INVENTED, MEETS, MISSED, STAYS, TOLD
from somscope.audit.maps import train, unit_means
from somscope.audit.numbers import How
from somscope.audit.prototypes import compare_prototypes
from somscope.maps.lattice import Lattice

N = 30


def pictures(seed: int, n: int = N) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return draw.integers(40, 120, (n, 2, 2, 3), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)


@pytest.fixture(scope="module")
def planted():
    """Outputs are their targets but for: 3, white; 5 and 6, each other's target; target 9 is far from all."""
    target = pictures(0)
    target[9, :4] = 255
    generated = np.clip(target.astype(int) + np.random.default_rng(1).integers(-6, 7, target.shape), 0, 255)
    generated[3] = 255
    generated[[5, 6]] = generated[[6, 5]]
    generated[9] = generated[8]
    images = from_arrays(pictures(2), target, generated.astype(np.uint8))
    return corrected(images, ["pixels"], n_seeds=3, permutations=99)


def sheet(planted, question: str, at: int):
    return [one for one in planted.spaces[0].examples if one.question == question][at]


def test_the_strongest_examples_are_the_planted_ones(planted) -> None:
    least = sheet(planted, FOLLOWS, 1)
    assert {3, 5, 6, 9} <= set(least.lines[0][2])
    swapped = least.lines[0][2].index(5)
    assert least.lines[2][2][swapped] == 6
    assert not {3, 5, 6, 9} & set(sheet(planted, FOLLOWS, 0).lines[0][2])
    assert sheet(planted, INVENTED, 0).lines[0][2][0] == 3
    assert sheet(planted, MISSED, 0).lines[0][2][0] == 9
    assert not {3, 9} & set(sheet(planted, MEETS, 0).lines[0][2])
    alike = sheet(planted, STAYS, 0)
    assert alike.lines[0][1] == "source"
    assert alike.lines[0][2] == alike.lines[1][2]
    assert len(set(alike.lines[0][2])) == len(alike.lines[0][2])


def test_the_classifier_is_surest_of_what_looks_like_nothing_real() -> None:
    generated = pictures(1)
    generated[20:] = np.clip(generated[20:].astype(int) + 90, 0, 255)
    found = corrected(from_arrays(None, pictures(0, 40), generated, paired=False), ["pixels"], 2, 19)
    sheets = {(one.question, one.title.split()[0]): one for one in found.spaces[0].examples}
    assert {question for question, _ in sheets} == {TOLD, MISSED, INVENTED}
    assert set(sheets[TOLD, "What"].lines[0][2]) <= set(range(20, N))
    assert set(sheets[TOLD, "The"].lines[0][2]) <= set(range(20))


def test_reasons_are_what_makes_pairs_meet(planted) -> None:
    reasons = {reason.what: reason for reason in planted.spaces[0].reasons}
    assert reasons["alike in layout"].rho > 0.2
    assert all(0 < reason.p <= reason.q <= 1 and abs(reason.rho) <= 1 for reason in reasons.values())
    same = from_arrays(None, pictures(0), pictures(0))
    assert corrected(same, ["pixels"], 2, 19).spaces[0].reasons == ()


def test_a_quick_audit_has_neither_intervals_nor_examples() -> None:
    images = from_arrays(None, pictures(0), pictures(1))
    quick = corrected(images, ["pixels"], 2, 19, quick=True)
    whole = corrected(images, ["pixels"], 2, 19)
    assert all(number.low is None for number in quick.numbers)
    assert (quick.spaces[0].examples, quick.spaces[0].reasons, quick.spaces[0].prototypes) == ((), (), None)
    assert [n.value for n in whole.numbers[:-1]] == [n.value for n in quick.numbers]
    assert [n.p for n in whole.numbers[:-1]] == [n.p for n in quick.numbers]
    assert whole.numbers[-1].measure == "prototype distance"


@pytest.mark.parametrize("paired", [True, False])
def test_prototypes_differ_where_the_sets_do(paired: bool) -> None:
    draw = np.random.default_rng(0)
    real, how = draw.normal(size=(40, 3)), How("pixels", 99, 0)
    same = compare_prototypes(real, draw.normal(size=(40, 3)), Lattice(3, 3), how, paired=paired).number
    moved = compare_prototypes(real, draw.normal(size=(40, 3)) + 2, Lattice(3, 3), how, paired=paired).number
    assert same.p > 0.05
    assert moved.p == 0.01
    assert moved.value > 2 * same.value
    assert moved.low < moved.value < moved.high
    assert (moved.permutations, moved.seeds, moved.n) == (99, 1, 40)


def test_many_images_are_sampled() -> None:
    draw = np.random.default_rng(0)
    found = compare_prototypes(
        draw.normal(size=(350, 2)),
        draw.normal(size=(320, 2)),
        Lattice(2, 2),
        How("pixels", 19, 0),
        paired=False,
    )
    assert {part: len(rows) for part, rows in found.rows.items()} == {"target": 300, "generated": 300}
    assert len(found.units["generated"]) == 300
    assert found.rows["generated"].max() < 320


def test_prototypes_are_the_means_of_their_units() -> None:
    items = np.random.default_rng(0).normal(size=(50, 4))
    lattice = Lattice(3, 3)
    units, prototypes = train(items, items[:9], lattice)
    np.testing.assert_allclose(unit_means(items, units, lattice), prototypes, atol=1e-6)
