"""Growing maps on the command line: from a collection to a run, its report and the places of new items."""

from __future__ import annotations

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest

from cli.samples import invoke, make_photos, make_table
from somscope.data import open_collection
from somscope.errors import RunError
from somscope.mapping import map_collection
from somscope.maps.graph import GraphLattice
from somscope.report import render_report
from somscope.runs import Run, assign_collection

SMALL = {"hidden": (16,), "latent_dim": 5, "batch_size": 10, "threshold": 0.98, "device": "cpu"}


def data_of(page):
    """What the page's script draws."""
    return json.loads(
        re.search(r'<script type="application/json" id="data-map">(.*?)</script>', page, re.S)[1]
    )


def test_larfdssom_becomes_a_run_too(tmp_path):
    run = map_collection(
        open_collection(make_table(tmp_path / "t.csv"), columns=["a", "b"]), tmp_path / "run", "larfdssom"
    )
    assert run.config["device"] == "cpu"
    assert (run.path / "report.html").is_file()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    home = tmp_path_factory.mktemp("table")
    result = invoke(
        "map", make_table(home / "t.csv"), "--label-column", "kind", "--columns", "a,b", "--model", "somrl",
        "--threshold", "0.98", "-o", home / "run",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert re.search(r"map +\d+ units, \d+ connections *\n", result.output)
    assert re.search(r"model +somrl, on cpu *\n", result.output)  # no network, and so no precision
    return home / "run"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    home = tmp_path_factory.mktemp("photos")
    collection = open_collection(make_photos(home / "photos", 40))
    parameters = {
        "hidden": (16,),
        "latent_dim": 5,
        "n_epochs": 40,
        "batch_size": 10,
        "threshold": 0.98,
        "device": "cpu",
        "reconstruction": "mean",
    }
    return map_collection(collection, home / "run", "dc-somrl", parameters), collection


def test_a_map_that_is_full_can_be_given_more_places(tmp_path):
    table, said = make_table(tmp_path / "t.csv"), []
    for places in (5, 150):
        made = invoke(
            "map", table, "--columns", "a,b", "--model", "somrl", "--threshold", "0.9999", "--max-units", places,
            "-o", tmp_path / str(places),
        )  # fmt: skip
        assert made.exit_code == 0, made.output
        assert Run.open(tmp_path / str(places)).lattice.n_units <= places
        said.append("none of the" in made.output + made.stderr)
    assert said == [True, False]


def test_noise_is_assigned_on_request(table, tmp_path):
    import pyarrow.parquet as pq

    far = tmp_path / "far.csv"
    lines = (table.parent / "t.csv").read_text().splitlines()
    last = dict(zip(lines[0].split(","), lines[1].split(","), strict=True)) | {"a": "40", "b": "-40"}
    far.write_text("\n".join([*lines, ",".join(last.values())]) + "\n")
    plain, marked = (tmp_path / name for name in ("plain.parquet", "marked.parquet"))
    units = []
    for options in ((), ("--noise",)):
        result = invoke("assign", table, far, "-o", tmp_path / "where.parquet", "--overwrite", *options)
        assert result.exit_code == 0, result.output
        units.append(pq.read_table(tmp_path / "where.parquet")["unit"].to_numpy())
    plain, marked = units
    features = open_collection(far, columns=["a", "b"]).features
    model = Run.open(table).model()
    np.testing.assert_array_equal(marked, model.predict(features, noise=True))
    np.testing.assert_array_equal(plain, model.predict(features))
    assert marked[-1] == -1
    assert f"{(marked == -1).sum()} of them are noise to the map" in result.output


def test_a_table_becomes_a_run_with_a_graph(table):
    run = Run.open(table)
    assert run.config["left_out"] == []
    assert isinstance(run.lattice, GraphLattice)
    assert run.lattice.n_units == run.model().n_units_ >= 3
    assert run.metrics["purity"] > 0.95
    assert "topographic_product" not in run.metrics
    assert run.config["chosen"]["scale"].startswith("min-max")
    assert {path.stem for path in (table / "figures").iterdir()} >= {
        "graph",
        "relevances",
        "hits",
        "class_map",
    }
    model = run.model()
    pairs = np.argwhere(np.triu(model.connections_)).tolist()
    assert run.config["lattice"]["connections"] == pairs
    np.testing.assert_array_equal(run.assignments()["unit"].to_numpy(), model.labels_)


def test_new_rows_find_their_units(table, tmp_path):
    new = make_table(tmp_path / "new.csv", 20, seed=3)
    assert invoke("assign", table, new, "-o", tmp_path / "out.parquet").exit_code == 0
    found = pq.read_table(tmp_path / "out.parquet")
    kinds = [line.split(",")[-1] for line in new.read_text().splitlines()[1:]]
    units = np.array(found["unit"].to_pylist())
    for kind in "xyz":
        own, other = (set(units[[k == kind for k in kinds]]), set(units[[k != kind for k in kinds]]))
        assert own.isdisjoint(other)


def test_images_become_a_run_with_decoded_prototypes(photos):
    run, collection = photos
    assert run.config["left_out"] == []
    assert run.metrics["purity"] == 1.0
    assert run.metrics["reconstruction_error"] < 0.05
    assert {path.stem for path in (run.path / "figures").iterdir()} >= {
        "graph",
        "relevances",
        "prototypes",
        "training",
        "perturbation",
        "traversal",
    }
    assert run.history()["units"].to_pylist()[-1] >= run.lattice.n_units
    again = assign_collection(run, collection)
    np.testing.assert_array_equal(again["unit"].to_numpy(), run.assignments()["unit"].to_numpy())


def test_the_report_shows_the_graph(photos, table):
    for run in (photos[0], Run.open(table)):
        data = data_of(render_report(run))
        assert data["graph"] is True
        assert len(data["positions"]) == run.lattice.n_units
        np.testing.assert_allclose(data["edgeDistances"], run.model().edge_distances_, rtol=1e-3)
        layers = {layer["key"]: layer for layer in data["layers"]}
        assert [line[:2] for line in layers["connections"]["lines"]] == run.lattice.edges().tolist()
        np.testing.assert_allclose(
            layers["relevances"]["values"], run.model().relevances_.mean(axis=1), atol=1e-3
        )
        assert "connected neighbours" in layers["topographic-error"]["text"]
    n_units, n_lines = run.lattice.n_units, len(run.lattice.connections)
    assert f"on {n_units} units ({n_lines} connections)." in render_report(run)
    assert render_report(photos[0]).count('<figure class="wide"><img src="data:image/png') >= 3
    assert render_report(Run.open(table)).count('<figure class="wide"><img src="data:image/png') == 1
    assert {"prototypes", "nearest"} <= {
        layer["key"] for layer in data_of(render_report(photos[0]))["layers"]
    }


def test_a_graph_that_was_edited_is_named(photos, tmp_path):
    import shutil

    copy = shutil.copytree(photos[0].path, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    for change in ({"cells": [[0, 0], [0, 0]]}, {"cells": "x"}, {"connections": [[0]]}, {"connections": 3}):
        edited = config | {"lattice": config["lattice"] | change}
        (copy / "config.json").write_text(json.dumps(edited))
        with pytest.raises(RunError, match=r"config\.json"):
            Run.open(copy)


def test_a_training_that_was_stopped_is_gone_on_with(tmp_path, monkeypatch):
    import signal

    from somscope.models.dc_somrl import DCSOMRLTask

    collection = open_collection(make_photos(tmp_path / "photos", 40))
    parameters = {
        "hidden": (16,),
        "latent_dim": 5,
        "n_epochs": 20,
        "batch_size": 10,
        "threshold": 0.98,
        "device": "cpu",
    }
    whole = map_collection(collection, tmp_path / "whole", "dc-somrl", parameters)
    update = DCSOMRLTask.update

    def stopped(self, batch, step, engine):
        if step == 31:
            signal.raise_signal(signal.SIGINT)
        return update(self, batch, step, engine)

    with monkeypatch.context() as patched:
        patched.setattr(DCSOMRLTask, "update", stopped)
        cut = map_collection(collection, tmp_path / "cut", "dc-somrl", parameters)
    assert cut.config["stop_reason"] == "interrupted"
    resumed = map_collection(collection, tmp_path / "cut", "dc-somrl", parameters, resume=True)
    assert resumed.config["steps"] == whole.config["steps"]
    np.testing.assert_array_equal(resumed.model().prototypes_, whole.model().prototypes_)
    assert resumed.config["lattice"] == whole.config["lattice"]


def test_options_of_a_lattice_do_not_apply(tmp_path):
    result = invoke(
        "map", make_table(tmp_path / "t.csv"), "--model", "somrl", "--grid", "4x4", "-o", tmp_path / "run"
    )
    assert result.exit_code != 0
    assert "--grid does not apply to --model somrl" in str(result.output) + str(result.exception)


def test_the_relevances_of_a_run_are_shown(photos, table, tmp_path):
    run, _ = photos
    new = make_photos(tmp_path / "new", 12)
    result = invoke("relevance", run.path, "-o", tmp_path / "out", "--data", new)
    assert result.exit_code == 0, result.output
    numbers = json.loads((tmp_path / "out" / "relevance.json").read_text())
    assert numbers["n_units"] == run.lattice.n_units
    assert sum(numbers["share_of_relevances"]) == pytest.approx(1.0)
    assert 0 < numbers["units_compared"] <= numbers["n_units"]
    assert 0 < numbers["perturbation_ratio"] <= 1.01 * numbers["largest_ratio"]
    written = {path.stem for path in (tmp_path / "out").iterdir()}
    assert written >= {"relevances", "perturbation", "traversal", "nearest_unseen", "tsne"}
    assert invoke("relevance", table).exit_code == 0
    assert {path.name for path in (table / "relevance").iterdir()} == {"relevances.png", "relevance.json"}
    assert json.loads((table / "relevance" / "relevance.json").read_text())["mean_relevance"].keys() == {
        "a",
        "b",
    }


def test_relevances_with_other_items_or_without_a_place_are_refused_at_once(photos, table, tmp_path):
    other = make_table(tmp_path / "t.csv")
    refused = invoke("relevance", photos[0].path, "--data", other, "-o", tmp_path / "out")
    assert refused.exit_code == 2
    assert "holds vectors, but" in refused.stderr
    assert not (tmp_path / "out").exists()
    refused = invoke("relevance", table, "-o", other / "below")
    assert refused.exit_code == 2
    assert f"cannot write {other / 'below'}" in refused.stderr


def test_a_run_without_relevances_is_refused(tmp_path):
    made = invoke("map", make_table(tmp_path / "t.csv"), "--columns", "a,b", "-o", tmp_path / "run")
    assert made.exit_code == 0
    result = invoke("relevance", tmp_path / "run")
    assert result.exit_code == 2
    assert "has no relevances" in result.output + result.stderr


def test_agreement_is_logged_at_every_step_and_drawn(tmp_path):
    photos, new = make_photos(tmp_path / "photos"), make_photos(tmp_path / "new", seed=1)
    made = invoke(
        "map", photos, "--model", "dc-somrl", "--threshold", "0.98", "--epochs", "3", "--device", "cpu", "--watch", new,
        "-o", tmp_path / "run",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    history = Run.open(tmp_path / "run").history()
    assert history["step"].to_pylist() == [1, 2, 3]
    purity = history["purity"].to_pylist()
    assert 0.5 <= min(purity) <= max(purity) <= 1.0
    assert invoke("relevance", tmp_path / "run").exit_code == 0
    assert (tmp_path / "run" / "relevance" / "agreement.png").is_file()
    few = invoke("map", photos, "--steps", "4", "--device", "cpu", "--watch", new, "-o", tmp_path / "few")
    assert few.exit_code == 0, (
        few.output + few.stderr
    )  # of its default, the decoder alone is trained in steps
    assert min(Run.open(tmp_path / "few").history()["purity"].to_pylist()) > 0.5
    other = make_table(tmp_path / "t.csv")
    refused = invoke("map", photos, "--model", "dc-somrl", "--watch", other, "-o", tmp_path / "other")
    assert refused.exit_code == 2
    assert "has no labels" in refused.output + refused.stderr
    refused = invoke("map", photos, "--model", "som", "--watch", new, "-o", tmp_path / "other")
    assert "--watch does not apply to --model som" in refused.output + refused.stderr
