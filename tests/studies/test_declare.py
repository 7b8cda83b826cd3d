"""What a study declares, and which cells a choice leaves."""

from __future__ import annotations

import pytest

from somscope.errors import InputError
from somscope.studies import STUDIES
from somscope.studies.learners import learner_parameters
from somscope.studies.sets import SETS
from studies.samples import entry, study

# Tables 2 and 3 of Forest et al. (2019), typed from the paper: line -> purity and NMI on the three data sets.
PAPER = {
    "k-means": [(0.842, 0.571), (0.716, 0.512), (0.892, 0.427)],
    "minisom": [(0.637, 0.430), (0.646, 0.494), (0.690, 0.230)],
    "sgd-som": [(0.826, 0.565), (0.717, 0.512), (0.697, 0.324)],
    "ae+minisom": [(0.871, 0.616), (0.734, 0.531), (0.690, 0.235)],
    "ae-som": [(0.939, 0.661), (0.764, 0.539), (0.777, 0.306)],
    "som-vae": [(0.868, 0.595), (0.739, 0.520)],
    "desom": [(0.939, 0.657), (0.752, 0.538), (0.849, 0.381)],
}
ACCURACY = {
    "k-means": [0.5834, 0.5645, 0.5937],
    "ae-som": [0.7606, 0.4487, 0.3661],
    "desom": [0.7611, 0.5602, 0.5718],
}
DATA = ["mnist", "fashion-mnist", "reuters-rcv1"]


@pytest.mark.parametrize("name", STUDIES)
def test_every_declared_row_can_be_trained(name: str) -> None:
    for row in STUDIES[name].entries:
        learner_parameters(row)  # refuses a model or a parameter that is not there
        assert row.data in SETS
        assert row.protocol == "paper" or SETS[row.data].parts is not None


def test_every_set_of_images_in_beyond_has_a_row_without_augmentation_and_else_the_default() -> None:
    rows = {
        (row.data, row.variant): row for row in STUDIES["beyond"].entries if row.model == "contrastive-som"
    }
    for data in ("mnist", "fashion-mnist", "cifar10"):
        usual, bare = (learner_parameters(rows[data, name]) for name in ("default", "no augmentation"))
        assert {k: v for k, v in bare.items() if usual[k] != v} == {"augmentation": "vectors"}


def test_each_row_of_beyond_differs_from_the_default_in_its_own_way() -> None:
    rows = [r for r in STUDIES["beyond"].entries if (r.data, r.model) == ("mnist", "contrastive-som")]
    settings = [str(learner_parameters(row)) for row in rows]
    assert len(set(settings)) == len(rows) > 10


def test_published_numbers_are_those_of_the_paper() -> None:
    found_pairs: dict[str, dict[str, tuple[float, float]]] = {}
    found_accuracy: dict[str, dict[str, float]] = {}
    for row in STUDIES["desom-tables"].entries:
        assert not row.published or (row.protocol == "paper" and row.data in DATA)
        if "purity" in row.published:
            nmi = "nmi_arithmetic" if row.model == "som-vae" else "nmi_geometric"
            assert row.data not in found_pairs.setdefault(row.model, {}), "one published number stands twice"
            found_pairs[row.model][row.data] = (row.published["purity"], row.published[nmi])
        if "accuracy" in row.published:
            assert row.data not in found_accuracy.setdefault(row.model, {})
            found_accuracy[row.model][row.data] = row.published["accuracy"]
    declared = {row.model for row in STUDIES["desom-tables"].entries}
    assert found_pairs == {
        model: dict(zip(DATA, pairs, strict=False)) for model, pairs in PAPER.items() if model in declared
    }
    assert found_accuracy == {
        model: dict(zip(DATA, values, strict=True)) for model, values in ACCURACY.items() if model in declared
    }


def test_cells_go_seed_by_seed_within_each_data_set() -> None:
    tiny = study(entry(), entry(data="away"), entry(variant="other"))
    assert [str(cell) for cell in tiny.cells(range(2))] == [
        "blobs stand default paper seed 0",
        "blobs stand other paper seed 0",
        "blobs stand default paper seed 1",
        "blobs stand other paper seed 1",
        "away stand default paper seed 0",
        "away stand default paper seed 1",
    ]


def test_parts_of_a_study_can_be_chosen() -> None:
    tiny = study(entry(), entry(protocol="held-out"), entry(data="away"), entry(variant="other"))
    chosen = tiny.cells([3], data=["blobs"], variants=["default"], protocols=["held-out"])
    assert [str(cell) for cell in chosen] == ["blobs stand default held-out seed 3"]


def test_unknown_names_and_empty_choices_are_refused_with_what_is_allowed() -> None:
    tiny = study(entry(), entry(data="away", variant="other"))
    with pytest.raises(InputError, match=r"model of tiny='som' is not known; allowed: stand"):
        tiny.cells(range(2), models=["som"])
    with pytest.raises(InputError, match=r"no row of tiny is left.*away stand other paper"):
        tiny.cells(range(2), data=["blobs"], variants=["other"])
    with pytest.raises(InputError, match="no row of tiny"):
        tiny.cells([])


def test_a_row_cannot_be_declared_twice_nor_under_an_unknown_protocol() -> None:
    with pytest.raises(InputError, match="twice"):
        study(entry(), entry(parameters={"grid": (3, 3)}))
    with pytest.raises(InputError, match="allowed: paper, held-out"):
        entry(protocol="train")
