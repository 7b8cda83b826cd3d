"""From a collection to a run folder: nothing that was trained is lost, and measures are of the space of the map."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import somscope.mapping as mapping
from somscope.data import open_collection
from somscope.data.collection import Collection
from somscope.errors import InputError, RunError
from somscope.maps import fitting
from somscope.maps import sample as maps_sample
from somscope.runs import Run, assign_collection, measuring, record
from somscope.runs import features as features_module
from somscope.runs.run import left_out

SMALL: dict[str, Any] = {"grid": (3, 4), "n_passes": 2}


def blobs(n: int = 120, d: int = 3, **parts: Any) -> Collection:
    rng = np.random.default_rng(0)
    return Collection(
        name="blobs",
        kind="vectors",
        features=rng.normal(size=(n, d)) + 4 * rng.integers(0, 3, (n, 1)),
        labels=np.arange(n) % 2,
        **parts,
    )


def out_of_memory(*_: Any, **__: Any) -> None:
    raise MemoryError("12 GiB")


def interrupted(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("error", [out_of_memory, interrupted])
@pytest.mark.parametrize(
    ("name", "lost"), [("measure_run", "measures"), ("write_report", "report"), ("items_table", "thumbnails")]
)
def test_what_fails_after_the_training_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, lost: str, error: Any
) -> None:
    real = getattr(mapping, name)

    def broken(*arguments: Any, **options: Any) -> Any:
        return real(*arguments, **options) if options.get("shown") is False else error()

    monkeypatch.setattr(mapping, name, broken)
    rng = np.random.default_rng(0)
    pictures = Collection("dots", "images", rng.integers(0, 255, (60, 4, 4, 1)).astype(np.uint8))
    run = mapping.map_collection(pictures, tmp_path / "run", parameters=SMALL)
    why = "not enough memory (12 GiB)" if error is out_of_memory else "interrupted by Ctrl-C"
    assert left_out(run.config) == {lost: why}
    assert run.model().prototypes_.shape == (12, 16)
    assert run.assignments().num_rows == run.items().num_rows == 60
    assert bool(run.metrics) == (lost != "measures")
    assert (run.path / "figures" / "u_matrix.png").is_file()
    if lost != "report":
        page = (run.path / "report.html").read_text(encoding="utf-8")
        assert f"{lost}: {why}" in page


def test_pictures_that_fill_the_disk_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = parquet.write_table

    def full(table: pa.Table, file: Path, **options: Any) -> None:
        if "thumbnail" in table.column_names:
            Path(file).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(table, file, **options)

    monkeypatch.setattr(parquet, "write_table", full)
    pixels = np.random.default_rng(0).integers(0, 255, (60, 4, 4, 1)).astype(np.uint8)
    run = mapping.map_collection(Collection("dots", "images", pixels), tmp_path / "run", parameters=SMALL)
    assert "No space left on device" in left_out(run.config)["thumbnails"]
    assert run.items().column_names == ["id", "label"]
    assert run.model().prototypes_.shape == (12, 16)
    assert not [path.name for path in run.path.iterdir() if "partial" in path.name]


@pytest.mark.parametrize("model", ["som", "sgd-som"])
def test_the_data_are_described_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    real = mapping._fit

    def fit(*arguments: Any) -> None:
        real(*arguments)
        monkeypatch.setattr(Collection, "fingerprint", property(out_of_memory))
        monkeypatch.setattr(record, "find_gaps", out_of_memory)
        monkeypatch.setattr(mapping, "uneven_columns", out_of_memory)

    table = blobs(feature_names=("a", "b", "c"))
    table.features[:, 1] *= 1000
    whole = table.fingerprint
    monkeypatch.setattr(mapping, "_fit", fit)
    settings = SMALL if model == "som" else {"grid": (3, 4), "n_steps": 5}
    run = mapping.map_collection(table, tmp_path / "run", model, settings)
    assert run.config["left_out"] == []
    assert run.config["collection"]["fingerprint"] == whole
    assert run.config["collection"]["n_missing"] == 0
    uneven = [said for said in run.config["warnings"] if "spread very differently: b by" in said]
    assert len(uneven) == (model == "sgd-som")


def test_without_assignments_there_is_still_the_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "best_units", interrupted)
    run = mapping.map_collection(blobs(), tmp_path / "run", parameters=SMALL)
    assert run.model().prototypes_.shape == (12, 3)
    with pytest.raises(RunError, match=r"interrupted by Ctrl-C.*--overwrite"):
        run.assignments()


def test_one_broken_figure_does_not_keep_the_others_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping.figures, "hits_figure", out_of_memory)
    run = mapping.map_collection(blobs(), tmp_path / "run", parameters=SMALL)
    assert list(left_out(run.config)) == ["figure hits"]
    written = {path.name for path in (run.path / "figures").iterdir()}
    assert {"u_matrix.png", "training.png"} <= written
    assert not any("hits" in name for name in written)


def test_functions_are_refused_before_the_training(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="radius_decay is a function"):
        mapping.map_collection(blobs(), tmp_path / "run", parameters={"radius_decay": lambda t, a, b: b})


def test_parameters_that_files_cannot_hold_are_refused_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "_fit", lambda *_: pytest.fail("trained"))
    words = np.array([["1"] * 3] * 12, dtype=object)
    with pytest.raises(InputError, match="init is an array of object"):
        mapping.map_collection(blobs(), tmp_path / "run", parameters={"init": words, **SMALL})


def test_weights_may_be_a_series(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not a dependency")
    settings = {"feature_weights": pandas.Series([1.0, 2.0, 3.0]), **SMALL}
    run = mapping.map_collection(blobs(), tmp_path / "run", parameters=settings)
    assert run.config["model"]["parameters"]["feature_weights"] == [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(run.model().feature_weights, [1.0, 2.0, 3.0])


def test_unknown_parameters_are_named_with_the_allowed(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"som has no parameter 'metrik'; allowed: grid.*did you mean 'metric'"
    ):
        mapping.map_collection(blobs(), tmp_path / "run", parameters={"metrik": "cosine"})


def test_a_map_of_many_units_is_measured_without_pairs_of_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = mapping.map_collection(blobs(), tmp_path / "few", parameters=SMALL)
    monkeypatch.setattr(measuring, "MOST_UNITS", 11)
    monkeypatch.setattr(measuring, "measure_map", out_of_memory)
    many = mapping.map_collection(blobs(), tmp_path / "many", parameters=SMALL)
    assert {"topographic_product", "trustworthiness"} <= few.metrics.keys() - many.metrics.keys()
    assert many.metrics == {name: pytest.approx(few.metrics[name]) for name in many.metrics}
    assert {"quantization_error", "topographic_error_8", "purity", "dead_units"} <= many.metrics.keys()
    (why,) = left_out(many.config).values()
    assert "12 units" in why
    assert why in (many.path / "report.html").read_text(encoding="utf-8")


def euclidean(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(((a - b) ** 2).sum()))


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine"])
def test_measures_are_taken_in_the_space_of_the_map(tmp_path: Path, metric: str) -> None:
    """Combined errors with neighbouring best units are two steps: item to prototype, prototype to prototype."""
    weights = np.array([1.0, 100.0, 0.01])
    collection = blobs()
    parameters = {"grid": (1, 2), "n_passes": 2, "metric": metric, "feature_weights": weights}
    run = mapping.map_collection(collection, tmp_path / "run", parameters=parameters)
    model, table = run.model(), run.assignments()

    def seen(rows: np.ndarray) -> np.ndarray:
        rows = rows * (weights if metric == "manhattan" else np.sqrt(weights))
        return rows / np.linalg.norm(rows, axis=1, keepdims=True) if metric == "cosine" else rows

    x, m = seen(collection.features), seen(model.prototypes_)
    first = table["unit"].to_numpy()
    expected = np.mean([euclidean(x[i], m[b]) for i, b in enumerate(first)]) + euclidean(m[0], m[1])
    assert run.metrics["combined_error"] == pytest.approx(expected, rel=1e-5)
    own = table["distance"].to_numpy()
    assert run.metrics["quantization_error"] == pytest.approx(own.mean(), rel=1e-5)


def test_items_without_any_value_are_skipped_and_named(tmp_path: Path) -> None:
    features = blobs().features
    features[[3, 7]] = np.nan
    run = mapping.map_collection(Collection("gaps", "vectors", features), tmp_path / "run", parameters=SMALL)
    assert run.n_items == 118
    skipped = run.config["collection"]["skipped"]
    assert skipped == [{"where": item, "why": "no value in any feature"} for item in ("3", "7")]
    known = np.delete(features, [3, 7], axis=0)
    apart = np.linalg.norm(known[:, None] - run.model().prototypes_, axis=2).min(axis=1)
    assert run.metrics["quantization_error"] == pytest.approx(apart.mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("parameters", "names", "unit"),
    [
        ({}, (), "units of the features"),
        ({}, ("a", "b", "c"), "standard deviations"),
        ({"metric": "manhattan"}, ("a", "b", "c"), "sum of absolute differences, standard deviations"),
        ({"metric": "cosine"}, (), "1 - cosine"),
        ({"feature_weights": [1.0, 2.0, 3.0]}, (), "weighted units of the features"),
    ],
)
def test_figures_and_report_say_what_distances_are_measured_in(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    parameters: dict[str, Any],
    names: tuple[str, ...],
    unit: str,
) -> None:
    drawn: dict[str, Any] = {}

    def keep(figure: Any, path: Path) -> None:
        drawn[path.name.split(".")[1]] = figure
        path.write_bytes(b"")

    monkeypatch.setattr(mapping.figures, "save_figure", keep)
    run = mapping.map_collection(blobs(feature_names=names), tmp_path / "run", parameters=SMALL | parameters)
    texts = {axes.get_ylabel() for axes in drawn["errors"].axes}
    assert any(f"({unit})" in text for text in texts), texts
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert f"mean distance of the members to the prototype ({unit})" in page
    assert f'<span class="unit">{unit}</span>' in page


def test_an_old_run_without_the_field_is_complete(tmp_path: Path) -> None:
    run = mapping.map_collection(blobs(), tmp_path / "run", parameters=SMALL)
    assert run.config["left_out"] == []
    assert left_out({}) == {}
    assert left_out({"left_out": "nonsense"}) == {}
    assert Run.open(run.path).config["stop_reason"]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A kilobyte is large, and a block has 8 kB; gives the number of rows of each feature matrix that was asked for."""
    monkeypatch.setattr(features_module, "LARGE_BYTES", 1000)
    monkeypatch.setattr(features_module, "_BLOCK_BYTES", 8192)
    monkeypatch.setattr(measuring, "MEASURED_ITEMS", 200)
    monkeypatch.setattr(measuring, "DENSITY_ITEMS", 200)
    monkeypatch.setattr(fitting, "_ORGANISED", 150)
    monkeypatch.setattr(maps_sample, "SAMPLE", 150)
    asked: list[int] = []
    real = features_module.feature_matrix

    def watched(collection: Collection, rows: Any = None) -> Any:
        made = real(collection, rows)
        asked.append(made.shape[0])
        return made

    for module in (features_module, measuring, mapping):
        monkeypatch.setattr(module, "feature_matrix", watched)
    return asked


@pytest.mark.parametrize(
    ("array", "scale"),
    [
        (np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32), "none"),
        (np.random.default_rng(0).normal(size=(3000, 8)) * [1, 1, 1, 1, 1, 1, 1, 1000], "standard"),
        (
            (
                np.arange(1500)[:, None, None] % 3 * 80
                + np.random.default_rng(0).integers(0, 90, (1500, 4, 4))
            ).astype(np.uint8),
            "none",
        ),
    ],
)
def test_a_large_file_is_never_held_whole(
    tmp_path: Path, small_blocks: list[int], array: np.ndarray, scale: str
) -> None:
    np.save(tmp_path / "x.npy", array)
    collection = open_collection(tmp_path / "x.npy")
    assert isinstance(collection.features, np.memmap)
    run = mapping.map_collection(collection, tmp_path / "run", scale=scale, parameters={"grid": (3, 3)})
    assert 0 < max(small_blocks) <= 200
    assert "a random sample of 200 items" in " ".join(left_out(run.config))
    small_blocks.clear()
    again = assign_collection(run, collection)
    assert 0 < max(small_blocks) <= 200

    x = array.reshape(len(array), -1) / (255 if array.dtype == np.uint8 else 1)
    model, deviations = run.model(), x.std(axis=0) if scale == "standard" else 1.0
    apart = np.linalg.norm((x[:, None] - model.prototypes_) / deviations, axis=2)
    table = run.assignments()
    np.testing.assert_allclose(table["distance"].to_numpy(), apart.min(axis=1), rtol=1e-4)
    assert table["unit"].to_pylist() == again["unit"].to_pylist()
    assert run.metrics["quantization_error"] == pytest.approx(apart.min(axis=1).mean(), rel=1e-4)
    best, second = np.argsort(apart, axis=1)[:, :2].T
    rows, columns = np.abs(np.array(np.divmod(best, 3)) - np.array(np.divmod(second, 3)))
    torn = np.mean((rows > 1) | (columns > 1))
    assert run.metrics["topographic_error_8"] == pytest.approx(torn, abs=2e-3)
    centre = np.linalg.norm((x - x.mean(axis=0)) / deviations, axis=1).mean()
    assert run.metrics["quantization_error"] < 0.9 * centre  # it has learned something


def test_a_deep_map_of_a_large_file(tmp_path: Path, small_blocks: list[int]) -> None:
    images = np.arange(900)[:, None, None] % 3 * 80 + np.random.default_rng(0).integers(0, 90, (900, 4, 4))
    np.save(tmp_path / "x.npy", images.astype(np.uint8))
    collection = open_collection(tmp_path / "x.npy")
    assert isinstance(collection.features, np.memmap)
    parameters = {
        "grid": (2, 2),
        "latent_dim": 2,
        "hidden": (8,),
        "n_steps": 20,
        "finish_steps": 4,
        "device": "cpu",
    }
    run = mapping.map_collection(collection, tmp_path / "run", "desom", parameters)
    assert "a random sample of 200 items" in " ".join(left_out(run.config))
    assert max(small_blocks) <= 200
    units = run.model().best_units(images.astype(np.uint8)[..., None])[0][:, 0]
    assert run.assignments()["unit"].to_pylist() == units.tolist()
    assert run.metrics["sample_size"] == 200
    assert 0 < run.metrics["reconstruction_error"] < 1


def test_a_file_of_the_usual_size_is_held(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", blobs().features)
    run = mapping.map_collection(open_collection(tmp_path / "x.npy"), tmp_path / "run", parameters=SMALL)
    assert run.config["left_out"] == []
    assert run.metrics["sample_size"] == 120


def test_density_and_topographic_function(tmp_path: Path) -> None:
    """Against loops: items within a radius of each prototype; neighbours of the one kind that are not of the other."""
    run = mapping.map_collection(blobs(), tmp_path / "run", parameters=SMALL)
    x, m = blobs().features, run.model().prototypes_
    apart = np.sort(np.linalg.norm(x[:, None] - x, axis=2), axis=1)
    radius = np.median(apart[:, int(np.ceil(0.2013 * 120)) - 1])
    expected = [sum(np.linalg.norm(row - prototype) <= radius for row in x) for prototype in m]
    units = run.units()
    assert units is not None
    assert units["density"].to_pylist() == expected
    assert units["hits"].to_pylist() == run.model().hits_.tolist()
    table = run.assignments()
    joined = {
        frozenset(pair)
        for pair in zip(table["unit"].to_pylist(), table["second_unit"].to_pylist(), strict=True)
    }
    wrong = 0
    for a in range(12):
        for b in range(12):
            rows, columns = abs(a // 4 - b // 4), abs(a % 4 - b % 4)
            wrong += frozenset((a, b)) in joined and max(rows, columns) > 1
            wrong += rows + columns == 1 and frozenset((a, b)) not in joined
    assert run.metrics["topographic_function"] == pytest.approx(wrong / 12)
    assert (run.path / "figures" / "p_matrix.png").is_file()
    assert "P-matrix" in (run.path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("sequences", [True, False])
def test_transitions_are_drawn_for_sequences_alone(tmp_path: Path, sequences: bool) -> None:
    parameters = {"grid": (2, 2), "latent_dim": 2, "hidden": (8,), "n_epochs": 2, "device": "cpu"}
    parameters |= {"transitions": True, "sequence_length": 12} if sequences else {}
    run = mapping.map_collection(blobs(), tmp_path / "run", "som-vae", parameters)
    assert run.config["left_out"] == []
    assert (run.path / "figures" / "transitions.png").is_file() == sequences
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert ('"key":"transitions"' in page) == sequences
    assert ("Transition loss" in page) == sequences


def test_parameters_of_the_flow_are_not_those_of_the_model(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"desom has no parameter 'checkpoints'; allowed: grid, latent_dim, gamma"
    ):
        mapping.map_collection(blobs(), tmp_path / "run", "desom", {"checkpoints": tmp_path})


def test_options_of_the_training_reach_it_and_leave_no_trace(tmp_path: Path) -> None:
    rows: list[str] = []

    class Rows:
        def log(self, phase: str, step: int, values: Any) -> None:
            rows.append(f"{phase} {step}")

        def close(self) -> None:
            rows.append("closed")

    parameters = {
        "grid": (2, 2),
        "n_steps": 6,
        "training": {"log_steps": 3, "loggers": [Rows()]},
        "device": "cpu",
    }
    run = mapping.map_collection(blobs(), tmp_path / "run", "sgd-som", parameters)
    assert rows == ["map 3", "map 6", "closed"]
    assert "training" not in run.config["model"]["parameters"]
    assert run.model().training is None


def test_columns_without_any_value_are_named(tmp_path: Path) -> None:
    features = blobs().features
    features[:, 1] = np.nan
    with pytest.raises(InputError, match="no item has a value in column 'b'"):
        mapping.map_collection(
            Collection("t", "vectors", features, feature_names=("a", "b", "c")), tmp_path / "r"
        )
