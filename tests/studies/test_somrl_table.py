"""The SOMRL table declares what the paper prints."""

from __future__ import annotations

import pytest

from somscope.models.dc_somrl import DCSOMRL
from somscope.studies import STUDIES

# Tables 1 and 2 of the paper, typed from it.
TABLE = {
    "k-means": [(0.791, 0.537), (0.703, 0.492)],
    "som-vae": [(0.868, 0.595), (0.739, 0.520)],
    "desom": [(0.939, 0.657), (0.752, 0.538)],
    "dc-somrl": [(0.884, 0.521), (0.679, 0.404)],
}
BEST = {
    "batch_size": (256, 256), "n_epochs": (30, 30), "alpha": (0.1145, 0.024), "latent_dim": (22, 22),
    "threshold": (0.99425, 0.99885), "learning_rate": (0.1426, 0.1383), "repel_rate": (1.0, 0.575),
    "life_decay": (0.36, 0.46), "relevance_rate": (0.067, 0.0195), "gamma": (1.382, 4.916),
    "smoothness": (0.426, 0.658), "max_units": (200, 200),
}  # fmt: skip


@pytest.mark.parametrize(("at", "data"), [(0, "mnist"), (1, "fashion-mnist")])
def test_numbers_and_settings_are_those_of_the_paper(at: int, data: str) -> None:
    rows = [row for row in STUDIES["somrl-table"].entries if row.data == data]
    assert {row.protocol for row in rows} == {"held-out"}
    found = {row.model: tuple(row.published.values()) for row in rows if row.published}
    assert found == {model: pairs[at] for model, pairs in TABLE.items()}
    (own,) = (row for row in rows if row.variant == "published settings")
    asked = DCSOMRL(**own.parameters).get_params()
    assert {name: asked[name] for name in BEST} == {name: values[at] for name, values in BEST.items()}


def test_each_row_of_the_ablation_changes_one_thing_and_the_first_nothing() -> None:
    rows = STUDIES["somrl-ablation"].entries
    (table,) = (
        row
        for row in STUDIES["somrl-table"].entries
        if (row.data, row.variant) == ("mnist", "published settings")
    )
    assert rows[0].parameters == {**table.parameters, "n_epochs": 4}
    made = [DCSOMRL(**row.parameters) for row in rows]
    for model in made:
        model._check_choices()
    first, *others = (model.get_params() for model in made)
    for other in others:
        assert sum(first[name] != other[name] for name in first) == 1
