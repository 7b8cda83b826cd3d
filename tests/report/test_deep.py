"""The report of a deep map: charts over steps, decoded prototypes, warnings, transitions, and words for all of it."""

from __future__ import annotations

import json
import re

import numpy as np
import pyarrow as pa
import pytest

from somscope.errors import RunError
from somscope.maps.lattice import Lattice
from somscope.models.table import MAPS
from somscope.report import render_report
from somscope.report.about import model_text, phase_rows, term_texts, training_text
from somscope.report.charts import training_charts
from somscope.report.wording import measure_rows, number
from somscope.runs.distance import MapDistance

NAN = float("nan")
HISTORY = {
    "phase": ["pre", "pre", "joint", "joint", "joint"],
    "step": [10, 15, 25, 35, 37],
    "epoch": [0, 1, 0, 1, 1],
    "loss": [9.0, 4.0, 80.0, 9.0, 1.0],
    "som": [NAN, NAN, 5.0, NAN, 1.0],
    "reconstruction": [9.0, 4.0, 3.0, 2.0, 1.0],
}


def test_charts_over_steps_break_at_gaps_and_phases():
    loss, _, som = training_charts(HISTORY)
    assert (loss.title, som.title) == ("Loss (what is minimised), logarithmic", "Map loss")
    assert [len(line) for line in loss.lines] == [2, 3]
    assert [len(line) for line in som.lines] == [1, 1]
    assert loss.path.count("M") == 2
    (mark,) = loss.marks
    assert mark == pytest.approx(loss.lines[0][1][0])  # the last step of the first phase
    (_, first), (_, second) = loss.lines[0]
    peak, middle, _ = (y for _, y in loss.lines[1])
    assert middle == pytest.approx(first)  # both 9
    # Equal ratios are equal distances: from 80 to 9 against from 9 to 4.
    assert (middle - peak) / (second - first) == pytest.approx(np.log(80 / 9) / np.log(9 / 4))
    assert {text for _, text in loss.y_ticks} == {"1", "10", "100"}
    assert loss.axis == "step"
    assert "over 37 steps" in loss.alt


@pytest.mark.parametrize("name", MAPS)
def test_every_model_is_described_and_so_are_its_terms(name):
    text = model_text({"model": {"name": name, "parameters": {}}})
    assert name not in re.findall(r"[a-z-]+", text.split(":")[0]) or len(text) > 100
    assert text != f"The model {name}."
    assert model_text({"model": {"name": "own"}}) == "The model own."


def test_the_terms_of_a_training():
    config = {"model": {"name": "desom"}}
    texts = term_texts(config, ["phase", "step", "loss", "reconstruction", "som", "temperature"])
    assert list(texts) == ["Loss (what is minimised)", "Reconstruction loss", "Map loss"]
    assert list(term_texts({"model": {"name": "sgd-som"}}, ["loss", "som"])) == ["Map loss"]
    assert term_texts({"model": {"name": "som"}}, ["pass", "radius", "quantization_error"]) == {}


def test_every_term_of_the_zoo_has_words():
    """Whatever a model logs beside its scalars is named in the report."""
    from models.zoo import ZOO

    items = np.random.default_rng(0).random((60, 20)).astype(np.float32)
    sequences = {
        "som-vae sequences": lambda: ZOO["som-vae"](transitions=True, sequence_length=10, n_epochs=1)
    }
    scalars = {"phase", "step", "epoch", "temperature", "radius", "unit_perplexity"}
    for name, make in (ZOO | sequences).items():
        columns = list(make().fit(items).history_)
        losses = [c for c in columns if c not in scalars and not c.startswith("learning_rate.")]
        texts = term_texts({"model": {"name": name}}, columns)
        assert len(texts) == len(losses) - (len(losses) == 2), name  # of a single term the loss is the same


def test_how_long_a_training_was():
    config = {
        "model": {"parameters": {"batch_size": 256}},
        "steps": 12000,
        "seconds": 40.0,
        "stop_reason": "completed",
    }
    said = "12,000 steps of 256 items each in 40 seconds. Stopped: all steps were done."
    assert training_text(config, number) == said
    config = {"model": {}, "passes": 17, "seconds": 2.5, "stop_reason": "no item changed its unit"}
    said = "17 passes over the data in 2.5 seconds. Stopped: no item changed its unit."
    assert training_text(config, number) == said
    config = {
        "model": {},
        "steps": 40,
        "stop_reason": "converged",
        "counts": {"n_updates": 3, "n_reseeded": 0},
    }
    assert training_text(config, number) == (
        "40 steps. Stopped: hardly an item changed its cluster any longer. "
        "Times the target was made anew from all items: 3. Times a cluster without items was put elsewhere: 0."
    )
    assert phase_rows(HISTORY) == ["pre (steps 1 to 15)", "joint (steps 16 to 37)"]


def test_distances_between_codes_have_no_unit():
    distance = MapDistance.of(
        {"model": {"parameters": {"latent_dim": 3}}, "collection": {"kind": "images"}}, None
    )
    rows = {row.name: row.unit for row in measure_rows(
        {"quantization_error": 1.0, "combined_error": 1.0, "reconstruction_error": 0.1}, distance
    )}  # fmt: skip
    assert rows == {
        "quantization_error": "between codes, no unit",
        "combined_error": "between codes, no unit",
        "reconstruction_error": "pixels from 0 to 1, squared",
    }
    codes = np.ones((4, 3))
    assert distance.shaped(codes) is codes


def deep(run, **attributes):
    """A run of pictures made one of a deep map, whose prototypes are codes."""
    rng = np.random.default_rng(0)
    units = run.lattice.n_units
    run.config["model"] = {"name": "desom", "parameters": {"latent_dim": 3, "batch_size": 16}}
    run.config |= {"steps": 37, "warnings": ["the map has <collapsed>"], "stop_reason": "interrupted"}
    del run.config["passes"]
    run.tables["history"] = pa.table(HISTORY)
    run.attributes = {
        "prototypes_": rng.random((units, 3)),
        "decoded_prototypes_": rng.random((units, 64)),
        "encode": None,
        "n_features_in_": 64,
        **attributes,
    }
    return run


def data_of(html):
    return json.loads(re.search(r'id="data-map">(.*?)</script>', html, re.DOTALL)[1])


def test_a_deep_run_is_reported(make_picture_run):
    html = render_report(deep(make_picture_run(Lattice(2, 3))))
    assert "prototypes" in data_of(html)["sheets"]
    assert "the map has &lt;collapsed&gt;" in html
    assert "The training was interrupted" in html
    assert "3 numbers for each item" in html
    assert "pre (steps 1 to 15), joint (steps 16 to 37)" in html
    assert "transitions" not in {layer["key"] for layer in data_of(html)["layers"]}
    between = np.linalg.norm(np.diff(np.random.default_rng(0).random((6, 3))[:2], axis=0))
    assert data_of(html)["edgeDistances"][0] == pytest.approx(between, rel=1e-3)  # of the codes


def test_transitions_are_shown_where_there_are_some(make_picture_run):
    matrix = np.full((6, 6), 0.1) + 0.4 * np.eye(6)
    matrix[0, 4] = 0.3
    html = render_report(deep(make_picture_run(Lattice(2, 3)), transition_matrix_=matrix))
    (layer,) = [layer for layer in data_of(html)["layers"] if layer["key"] == "transitions"]
    assert layer["values"] == [0.5] * 6
    assert [0, 4, 30.0] in layer["lines"]


def test_a_model_of_other_items_is_refused(make_picture_run):
    with pytest.raises(RunError, match="items with 7 features, and the run's items have 64"):
        render_report(deep(make_picture_run(Lattice(2, 3)), n_features_in_=7))
