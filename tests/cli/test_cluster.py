"""somscope cluster: whole runs of every kind of item, new items, the report, Ctrl-C and resuming, wrong options."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import numpy as np
import pytest

from cli.samples import invoke, make_table, make_texts
from cli.test_deep import bars
from somscope.errors import InputError
from somscope.figures import cluster_sizes_figure
from somscope.models.clusterer import DeepClusterer
from somscope.models.table import CLUSTERERS
from somscope.report.about import model_text, term_texts
from somscope.report.layers import cluster_layers
from somscope.runs import Run, assign_collection
from somscope.runs.run import is_clustering

QUICK = ("-k", 4, "--latent-dim", 2, "--device", "cpu", "--pretrain", 40)
IDEC = ("--steps", 40, "--tol", 0, "--update-interval", 10, *QUICK)


def data_of(page: str) -> dict:
    """What the page's script draws."""
    found = re.search(r'<script type="application/json" id="data-map">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bars.npy, labels.txt, and `run`, clusters of them."""
    folder = tmp_path_factory.mktemp("clusters")
    np.save(folder / "bars.npy", bars())
    (folder / "labels.txt").write_text("\n".join("abcd"[i % 4] for i in range(96)))
    result = invoke(
        "cluster", folder / "bars.npy", "--labels", folder / "labels.txt", *IDEC, "-o", folder / "run"
    )
    assert result.exit_code == 0, result.output
    for words in ("clusters", "Accuracy", "Adjusted Rand index", "report:"):
        assert words in result.output
    assert "lattice" not in result.output
    assert "Topographic" not in result.output
    return folder


def test_a_run_of_clusters(home: Path) -> None:
    run = Run.open(home / "run")
    assert is_clustering(run.config)
    model = run.model()
    assert isinstance(model, DeepClusterer)
    table = run.assignments()
    np.testing.assert_array_equal(table["unit"], model.labels_)
    # Bars at four places are four clusters; with labels at random they would agree by 0.25 or little more.
    assert run.metrics["accuracy"] > 0.9
    assert run.metrics["ari"] > 0.8
    assert {"purity", "nmi_arithmetic", "nmi_geometric", "unit_perplexity", "reconstruction_error"} <= set(
        run.metrics
    )
    assert not any(name.startswith("topographic") for name in run.metrics)
    assert sorted(p.name for p in (run.path / "figures").iterdir()) == [
        "centres.png", "latent.png", "sizes.png", "training.png",
    ]  # fmt: skip
    assert not run.config["left_out"]
    assert run.config["counts"] == {"n_updates": model.n_updates_, "n_reseeded": model.n_reseeded_}
    assert model.n_updates_ == 4  # of 40 steps, one at every tenth


def test_the_report_shows_the_largest_cluster_first(home: Path) -> None:
    run = Run.open(home / "run")
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "<title>Clusters of bars" in page
    assert "The clusters</h2>" in page
    assert "The codes in the plane</h2>" in page
    assert "data:image/png;base64," in page
    assert "Times the target was made anew from all items: 4." in page
    for words in ("U-matrix", "P-matrix", "Topographic error</h3>", "Unit</h2>", "Connections"):
        assert words not in re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL), words
    data = data_of(page)
    assert (data["unit"], data["prototype"], data["clusters"]) == ("Cluster", "Centre", True)
    assert [layer["key"] for layer in data["layers"]] == [
        "prototypes", "nearest", "labels", "hits", "separation", "quantization-error",
    ]  # fmt: skip
    order = sorted(range(4), key=lambda k: (data["positions"][k][1], data["positions"][k][0]))
    sizes = [data["hits"][k] for k in order]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == 96
    near = data["layers"][4]["values"]
    centres = run.model().cluster_centers_
    between = np.linalg.norm(centres[:, None] - centres, axis=2) + np.diag([np.inf] * 4)
    np.testing.assert_allclose(near, between.min(1), rtol=1e-3)


def test_new_items_are_assigned(home: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "more.npy", bars(20, 7))
    result = invoke("assign", home / "run", tmp_path / "more.npy", "-o", tmp_path / "where.csv")
    assert result.exit_code == 0, result.output
    run = Run.open(home / "run")
    from somscope.data import open_collection

    table = assign_collection(run, open_collection(tmp_path / "more.npy"))
    np.testing.assert_array_equal(table["unit"], run.model().predict(bars(20, 7)))
    result = invoke("report", home / "run", "-o", tmp_path / "report.html")
    assert result.exit_code == 0, result.output
    assert "Clusters of bars" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_trained_autoencoder_is_taken(home: Path, tmp_path: Path) -> None:
    options = ("--model", "aec", "--epochs", 3, "--autoencoder", home / "run", *QUICK[:-2])
    result = invoke("cluster", home / "bars.npy", *options, "-o", tmp_path / "run")
    assert result.exit_code == 0, result.output
    run = Run.open(tmp_path / "run")
    assert set(run.history()["phase"].to_pylist()) == {"clustering"}
    assert invoke("report", tmp_path / "run").exit_code == 0


@pytest.mark.parametrize("kind", ["table", "texts"])
def test_clusters_of_other_items(kind: str, tmp_path: Path) -> None:
    made = make_table(tmp_path / "t.csv") if kind == "table" else make_texts(tmp_path / "t.txt")
    options = ("--model", "ae-kmeans", "-k", 2, "--latent-dim", 2, "--device", "cpu", "--pretrain", 2)
    more = ("--columns", "a,b") if kind == "table" else ()
    result = invoke("cluster", made, *options, *more, "-o", tmp_path / "run")
    assert result.exit_code == 0, result.output
    data = data_of((tmp_path / "run" / "report.html").read_text(encoding="utf-8"))
    assert data["layers"][-1]["key"] == "quantization-error"


def test_ctrl_c_keeps_the_clusters_and_resume_goes_on(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from somscope.models.idec import IDECTask

    losses = IDECTask.losses

    def interrupted(self, batch, step):
        if step == 15:
            signal.raise_signal(signal.SIGINT)
        return losses(self, batch, step)

    monkeypatch.setattr(IDECTask, "losses", interrupted)
    command = ("cluster", home / "bars.npy", "--labels", home / "labels.txt", *IDEC, "-o", tmp_path / "run")
    result = invoke(*command)
    assert result.exit_code == 130, result.output
    assert "the clusters were kept as they were after" in result.output
    assert Run.open(tmp_path / "run").config["stop_reason"] == "interrupted"
    monkeypatch.setattr(IDECTask, "losses", losses)
    result = invoke(*command, "--resume")
    assert result.exit_code == 0, result.output
    whole, again = (Run.open(path / "run").model() for path in (home, tmp_path))
    np.testing.assert_array_equal(again.cluster_centers_, whole.cluster_centers_)
    assert again.n_updates_ == whole.n_updates_


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-k", 4, "--model", "som"), "--model='som' is not known; allowed: ae-kmeans, aec"),
        (("-k", 4, "--epochs", 3), "--epochs does not apply to --model idec; allowed: --clusters"),
        (("-k", 4, "--model", "dkm", "--tol", 0.1), "--tol does not apply to --model dkm"),
        (("-k", 97), r"--clusters=97: X has 96 sample\(s\), which is fewer"),
        (("-k", 1), "greater than or equal to 2"),
        ((), "Missing option"),
    ],
)
def test_options_that_are_refused(home: Path, tmp_path: Path, options: tuple, message: str) -> None:
    result = invoke("cluster", home / "bars.npy", "--device", "cpu", *options, "-o", tmp_path / "run")
    assert result.exit_code != 0
    assert re.search(message, " ".join(result.output.split())), result.output
    assert not (tmp_path / "run").exists()


def test_clusters_are_not_trained_as_maps(home: Path, tmp_path: Path) -> None:
    result = invoke("map", home / "bars.npy", "--model", "idec", "-o", tmp_path / "run")
    assert result.exit_code != 0
    assert "--model='idec' is not known; allowed: som" in " ".join(result.output.split())


@pytest.mark.parametrize("name", CLUSTERERS)
def test_every_clusterer_is_described(name: str) -> None:
    text = model_text({"model": {"name": name, "parameters": {}}})
    assert len(text) > 100
    texts = term_texts({"model": {"name": name}}, ["reconstruction_sum", "centres", "hardening"])
    assert len(texts) == 4


def test_layers_of_clusters_need_no_lattice() -> None:
    from types import SimpleNamespace

    summary = SimpleNamespace(
        hits=np.array([3, 0]), u_matrix=np.array([1.0, 1.0]), mean_distance=np.array([0.5, np.nan])
    )
    sizes, separation, spread = cluster_layers(summary, SimpleNamespace(items="pixels"))  # type: ignore[arg-type]
    assert sizes["values"] == [3.0, 0.0]
    assert separation["unit"].endswith("(pixels)")
    assert spread["values"] == [0.5, None]
    with pytest.raises(InputError, match="counts has shape"):
        cluster_sizes_figure([3, 1], np.ones((2, 3)), ("a",))
