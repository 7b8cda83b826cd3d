"""The figures show the numbers of the result file."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.figure import Figure

from somscope.studies.beyond import BEYOND
from somscope.studies.declare import Study
from somscope.studies.desom_gamma import DESOM_GAMMA
from somscope.studies.desom_radius import DESOM_RADIUS
from somscope.studies.figures import FIGURES, beyond_figure, gamma_figure, radius_figure
from somscope.studies.learners import learner_parameters


def content(study: Study, leave_out: int = 0) -> dict[str, Any]:
    """A result file of the study with made-up numbers, each row its own."""
    rows = []
    for at, entry in enumerate(study.entries[leave_out:], start=1):
        measures = {"purity": at / 100, "nmi_geometric": at / 200, "topographic_error_8": at / 300}
        rows.append(
            {
                "data": entry.data,
                "model": entry.model,
                "variant": entry.variant,
                "parameters": learner_parameters(entry),
                "measures": {name: {"mean": mean, "std": 0.01} for name, mean in measures.items()},
            }
        )
    return {"rows": rows}


def curves(figure: Figure, panel: int) -> dict[str, list[tuple[float, float]]]:
    """label -> points of each curve of a panel."""
    found = {}
    for container in figure.axes[panel].containers:
        line = container[0]
        xs, ys = line.get_data()
        found[str(container.get_label())] = list(zip(map(float, xs), map(float, ys), strict=True))
    return found


def test_gamma_has_a_panel_per_measure_and_a_curve_with_and_without_pretraining() -> None:
    made = content(DESOM_GAMMA)
    figure = gamma_figure(made)
    assert len(figure.axes) == 3
    purity = curves(figure, 0)
    assert set(purity) == {"no pretraining", "200 epochs of pretraining"}
    expected = [(r["parameters"]["gamma"], r["measures"]["purity"]["mean"]) for r in made["rows"]]
    assert sorted(purity["no pretraining"] + purity["200 epochs of pretraining"]) == sorted(expected)
    assert figure.axes[0].get_xscale() == "log"


def test_radius_has_a_panel_per_data_set_and_names_the_radii() -> None:
    made = content(DESOM_RADIUS)
    figure = radius_figure(made)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["mnist", "fashion-mnist"]
    for panel, data in enumerate(("mnist", "fashion-mnist")):
        rows = [row for row in made["rows"] if row["data"] == data]
        points = [
            (r["measures"]["topographic_error_8"]["mean"], r["measures"]["purity"]["mean"]) for r in rows
        ]
        found = curves(figure, panel)
        assert sorted(found["DESOM as published"] + found["DESOM, over its final radius"]) == sorted(points)
        labels = {text.get_text() for text in figure.axes[panel].texts}
        assert labels == {
            f"{r['parameters']['final_radius']:g}" for r in rows if not r["parameters"]["legacy"]
        }


def test_beyond_has_a_curve_over_the_last_passes_and_a_point_for_each_other_map() -> None:
    made = content(BEYOND)
    for row in made["rows"]:  # a clustering has no topographic error
        if row["model"] == "k-means":
            del row["measures"]["topographic_error_8"]
    figure = beyond_figure(made)
    sets = ["mnist", "fashion-mnist", "reuters-21578"]  # CIFAR-10 has one point, which is no curve
    assert [axes.get_title(loc="left") for axes in figure.axes] == sets
    for panel, data in enumerate(sets):
        found = curves(figure, panel)
        others = {"minisom", "ae-som", "desom", "som-vae", "dpsom"}
        assert set(found) == {"contrastive-som, over the radius of its last passes", *others}
        assert all(len(found[name]) == 1 for name in others)
        rows = {
            row["variant"]: row
            for row in made["rows"]
            if (row["data"], row["model"]) == (data, "contrastive-som")
        }
        order = ("last passes 0.35", "last passes 0.42", "default", "last passes 0.5", "last passes 0.6")
        wanted = [rows[name]["measures"] for name in (*order, "last passes 0.8", "no last passes")]
        assert found["contrastive-som, over the radius of its last passes"] == [
            (m["topographic_error_8"]["mean"], m["purity"]["mean"]) for m in wanted
        ]
        labels = [text.get_text() for text in figure.axes[panel].texts]
        assert labels == ["0.35", "0.42", "0.45", "0.5", "0.6", "0.8", "none"]


@pytest.mark.parametrize("study", [DESOM_GAMMA, DESOM_RADIUS, BEYOND], ids=lambda study: study.name)
def test_a_study_that_is_half_done_can_be_drawn(study: Study, tmp_path: Any) -> None:
    for missing in range(0, len(study.entries), max(1, len(study.entries) // 8)):
        figure = FIGURES[study.name](content(study, missing))
        assert figure.axes
    figure.savefig(tmp_path / "figure.png")
