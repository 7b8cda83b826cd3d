"""A run folder is checked when it is opened, and every fault is named with its file."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from somscope.data.collection import Collection, Skipped
from somscope.errors import RunError
from somscope.maps.lattice import Lattice
from somscope.runs import (
    FORMAT,
    Run,
    assignments_blocks,
    assignments_table,
    collection_record,
    config_record,
    history_table,
    items_blocks,
    items_table,
    new_run,
    percentiles,
    record,
    write_record,
)
from somscope.runs import run as run_module
from somscope.runs.jsonfile import MAX_BYTES
from somscope.runs.record import jsonable

LATTICE = Lattice(2, 3, "hexagonal")


def make_collection(n: int = 12) -> Collection:
    rng = np.random.default_rng(0)
    return Collection(
        name="dots",
        kind="images",
        features=rng.integers(0, 255, (n, 5, 4, 1)).astype(np.uint8),
        labels=np.arange(n) % 3 - 1,
        label_names=("even", "odd"),
        skipped=(Skipped("bad.jpg", "truncated"),),
    )


def write_run(path: Path, collection: Collection | None = None, lattice: Lattice = LATTICE) -> Path:
    collection = make_collection() if collection is None else collection
    rng = np.random.default_rng(1)
    units = rng.integers(0, lattice.n_units, (collection.n_items, 2))
    config = config_record(
        collection_record(collection),
        "som",
        {"grid": (2, 3), "radius": "auto", "random_state": np.random.RandomState(0)},
        lattice,
        chosen={"radius": np.float32(1.5)},
        stop_reason="all passes done",
        passes=3,
        seed=0,
        seconds=0.1,
        device="cpu",
        threads=1,
        command=["somscope", "map", "dots"],
    )
    with new_run(path) as folder:
        write_record(
            folder,
            config,
            {"quantization_error": 0.5, "purity": float("nan")},
            assignments=assignments_table(collection, units, rng.random((collection.n_items, 2))),
            items=items_table(collection),
            history=history_table({"pass": [1, 2, 3], "radius": [3.0, 2.0, 1.0]}),
        )
        (folder / "model.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(b"")
    return path


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def test_what_was_written_is_read(run_folder: Path) -> None:
    run = Run.open(run_folder)
    collection = make_collection()
    assert run.lattice == LATTICE
    assert run.n_items == 12
    assert run.config["format"] == FORMAT
    assert run.config["collection"]["fingerprint"] == collection.fingerprint
    assert run.config["collection"]["skipped"] == [{"where": "bad.jpg", "why": "truncated"}]
    assert run.config["collection"]["image_shape"] == [5, 4, 1]
    assert run.config["model"]["parameters"]["random_state"] == {"described": "RandomState"}
    assert run.config["chosen"] == {"radius": 1.5}
    assert run.config["command"] == ["somscope", "map", "dots"]
    assert set(run.config["versions"]) == {"python", "torch", "numpy", "scikit-learn"}
    assert run.metrics["quantization_error"] == 0.5
    assert np.isnan(run.metrics["purity"])
    assert run.history()["radius"].to_pylist() == [3.0, 2.0, 1.0]
    table = run.assignments()
    assert table["id"].to_pylist() == collection.ids.tolist()
    assert table["label"].to_pylist() == [None, "even", "odd"] * 4
    assert table.schema.field("unit").type == pa.int32()
    assert table.schema.field("distance").type == pa.float32()
    items = run.items()
    picture = Image.open(io.BytesIO(items["thumbnail"][0].as_py()))
    np.testing.assert_array_equal(np.asarray(picture), collection.features[0, :, :, 0])


def test_large_pictures_are_kept_small(tmp_path: Path) -> None:
    pictures = Collection("big", "images", np.zeros((2, 300, 200, 3), np.uint8))
    picture = Image.open(io.BytesIO(items_table(pictures)["thumbnail"][0].as_py()))
    assert picture.format == "WEBP"
    assert max(picture.size) == 64


def test_text_is_cut_and_vectors_show_nothing() -> None:
    text = Collection("t", "text", np.ones((1, 2)), texts=np.array(["a" * 1000], dtype=object))
    assert items_table(text)["text"].to_pylist() == ["a" * 299 + "…"]
    assert items_table(Collection("v", "vectors", np.ones((1, 2)))).column_names == ["id", "label"]


def test_a_map_of_one_unit_has_no_second_unit() -> None:
    collection = Collection("v", "vectors", np.ones((3, 2)))
    table = assignments_table(collection, np.zeros((3, 1), int), np.ones((3, 1)))
    assert table["second_unit"].to_pylist() == [-1, -1, -1]


@pytest.mark.parametrize("uncertain", [False, True])
def test_tables_block_by_block_are_the_whole_ones(
    uncertain: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    further = pa.table({"year": np.arange(12), "word": [f"w{i}" for i in range(12)]})
    collection = replace(make_collection(), metadata=further)
    units, distances = rng.integers(0, 6, (12, 2)), rng.random((12, 2))
    unsure = rng.random(12) if uncertain else None
    whole = assignments_table(collection, units, distances, uncertainty=unsure)
    things = items_table(collection, shown=False)
    monkeypatch.setattr(record, "_ROWS", 5)
    blocks = list(assignments_blocks(collection, units, distances, uncertainty=unsure))
    assert [len(block) for block in blocks] == [5, 5, 2]
    assert pa.concat_tables(blocks).equals(whole)
    assert assignments_table(collection, units, distances, uncertainty=unsure).equals(whole)
    assert items_table(collection, shown=False).equals(things)
    history = history_table({"pass": [1]})
    write_record(tmp_path, {}, {}, assignments=iter(blocks), items=items_blocks(collection), history=history)
    assert pq.read_table(tmp_path / "assignments.parquet").equals(whole)
    assert pq.read_table(tmp_path / "items.parquet").equals(things)


def test_some_rows_of_a_run_are_those_of_its_tables(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "_BATCH_ROWS", 5)
    run = Run.open(run_folder)
    for rows in ([0, 4, 5, 11], [], [7], list(range(12))):
        wanted = np.array(rows, dtype=np.int64)
        assert run.assignments(wanted).equals(run.assignments().take(wanted))
        assert run.items(wanted).equals(run.items().take(wanted))
    file = run_folder / "items.parquet"
    pq.write_table(pa.concat_tables([pq.read_table(file)] * 2), file)
    with pytest.raises(RunError, match=r"has 24 rows; by config\.json it must have 12"):
        run.items(np.array([1]))


@given(
    hnp.arrays(np.float32, st.integers(1, 30), elements=st.floats(0, 10, width=32)),
    hnp.arrays(np.float32, st.integers(1, 30), elements=st.floats(0, 10, width=32)),
)
def test_percentile_is_the_share_of_training_items_at_most_as_far(new: Any, training: Any) -> None:
    expected = [100.0 * sum(t <= d for t in training) / len(training) for d in new]
    np.testing.assert_allclose(percentiles(new, training), expected, rtol=1e-6)


def test_percentile_of_the_farthest_training_item_is_100() -> None:
    assert percentiles(np.array([3.0]), np.array([1.0, 2.0, 3.0])) == 100.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64("nan"), None),
        (float("inf"), None),
        (np.bool_(True), True),
        ((1, np.int32(2)), [1, 2]),
        (np.arange(3), [0, 1, 2]),
        (np.zeros((100, 100)), {"described": "array (100, 100) float64"}),
        (Path("a"), "a"),
        (len, {"described": "builtins.len"}),
        (None, None),
        ({1: (np.nan,)}, {"1": [None]}),
    ],
)
def test_jsonable(value: Any, expected: Any) -> None:
    assert jsonable(value) == expected
    json.dumps(jsonable(value), allow_nan=False)


def test_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a folder"):
        Run.open(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"not a run folder: it has no config\.json"):
        Run.open(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "metrics.json",
        "model.json",
        "model.safetensors",
        "history.parquet",
        "assignments.parquet",
        "items.parquet",
    ],
)
def test_missing_file_is_named(run_folder: Path, name: str) -> None:
    (run_folder / name).unlink()
    with pytest.raises(RunError, match=f"{name} is missing"):
        Run.open(run_folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[]", "must hold a JSON object"),
        ('{"format": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("\xff", "no format version|not valid JSON"),
        ("{}", "no format version"),
        ('{"format": "1"}', "no format version"),
        ('{"format": true}', "no format version"),
        ('{"format": 99, "somscope": "9.9"}', r"format 99; this somscope reads up to 1.*9\.9"),
        ('{"format": 1}', "lacks the field somscope"),
    ],
)
def test_broken_config(run_folder: Path, text: str, message: str) -> None:
    (run_folder / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RunError, match=rf"config\.json.*({message})"):
        Run.open(run_folder)


def test_huge_json_is_refused_before_it_is_read(run_folder: Path) -> None:
    with (run_folder / "config.json").open("rb+") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(RunError, match=r"config\.json has .* bytes"):
        Run.open(run_folder)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (("lattice", "rows"), 0, "at least 1"),
        (("lattice", "rows"), "2", "lattice.rows must be int"),
        (("lattice", "shape"), "cubic", "allowed: rectangular, hexagonal"),
        (("collection", "n_items"), True, "collection.n_items must be int"),
        (("collection",), [], "collection must be dict"),
    ],
)
def test_wrong_fields(run_folder: Path, field: tuple[str, ...], value: Any, message: str) -> None:
    config = json.loads((run_folder / "config.json").read_text())
    place = config
    for name in field[:-1]:
        place = place[name]
    place[field[-1]] = value
    (run_folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match=message):
        Run.open(run_folder)


def test_metrics_must_be_numbers(run_folder: Path) -> None:
    (run_folder / "metrics.json").write_text('{"purity": "high"}')
    with pytest.raises(RunError, match=r"metrics\.json: purity must be a number or null, not str"):
        Run.open(run_folder)


@pytest.mark.parametrize("name", ["assignments", "items", "history"])
def test_broken_table_is_named(run_folder: Path, name: str) -> None:
    file = run_folder / f"{name}.parquet"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(RunError, match=rf"{name}\.parquet cannot be read"):
        getattr(Run.open(run_folder), name)()


def test_table_with_other_rows_or_columns(run_folder: Path) -> None:
    run = Run.open(run_folder)
    whole = run.assignments()
    pq.write_table(whole.slice(0, 5), run_folder / "assignments.parquet")
    with pytest.raises(RunError, match=r"assignments\.parquet has 5 rows; by config\.json it must have 12"):
        run.assignments()
    pq.write_table(whole.drop_columns(["unit", "label"]), run_folder / "assignments.parquet")
    with pytest.raises(RunError, match="lacks the column unit, label"):
        run.assignments()
    units = pa.array([6] * 12, pa.int32())
    pq.write_table(whole.set_column(1, "unit", units), run_folder / "assignments.parquet")
    with pytest.raises(RunError, match=r"unit must lie in 0\.\.5, not in 6\.\.6"):
        run.assignments()


def test_unknown_model(run_folder: Path) -> None:
    config = json.loads((run_folder / "config.json").read_text())
    config["model"]["name"] = "os.system"
    (run_folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match=r"model 'os\.system' is not known; allowed: som"):
        Run.open(run_folder).model()
