"""somscope assign: new items on a map that was trained before."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cli.samples import invoke, make_photos, make_table, make_texts
from somscope.data import open_collection
from somscope.mapping import map_collection
from somscope.runs import Run, conform, feature_matrix

COLUMNS = ["id", "unit", "distance", "second_unit", "percentile"]


def test_the_training_items_come_back_to_their_places(photo_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "where.parquet"
    result = invoke("assign", photo_run, photo_run.parent / "photos", "-o", out)
    assert result.exit_code == 0, result.output
    assert "24 items assigned" in result.output
    table = pq.read_table(out)
    assert table.column_names == COLUMNS
    trained = Run.open(photo_run).assignments()
    for name in ("id", "unit", "second_unit"):
        assert table[name].to_pylist() == trained[name].to_pylist()
    np.testing.assert_allclose(table["distance"], trained["distance"], rtol=1e-4, atol=1e-5)


def test_a_map_without_noise_says_so(photo_run: Path, tmp_path: Path) -> None:
    photos = photo_run.parent / "photos"
    result = invoke("assign", photo_run, photos, "-o", tmp_path / "where.csv", "--noise")
    assert result.exit_code != 0
    assert "which has no noise; it is of dc-somrl" in str(result.output) + str(result.exception)
    assert not (tmp_path / "where.csv").exists()


def test_far_items_have_a_percentile_of_100(photo_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    checks = ((np.indices((16, 20)).sum(0) % 2) * 255).astype(np.uint8)
    Image.fromarray(checks).convert("RGB").save(folder / "checks.png")
    out = tmp_path / "where.csv"
    result = invoke("assign", photo_run, folder, "-o", out)
    assert result.exit_code == 0, result.output
    with out.open() as file:
        (row,) = csv.DictReader(file)
    assert list(row) == COLUMNS
    assert row["id"] == "checks.png"
    assert float(row["percentile"]) == 100


def test_pictures_of_other_sizes_and_colours_are_brought_into_form(photo_run: Path, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.mkdir()
    Image.new("L", (300, 200), 230).save(big / "grey.png")
    Image.new("RGB", (40, 100), (30, 30, 30)).save(big / "tall.png")
    (big / "broken.jpg").write_bytes(b"")
    out = tmp_path / "where.jsonl"
    result = invoke("assign", photo_run, big, "-o", out)
    assert result.exit_code == 0, result.output
    assert "skipped 1" in result.output
    assert "broken.jpg" in result.output
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["id"] for row in rows] == ["grey.png", "tall.png"]
    brightness = Run.open(photo_run).model().prototypes_.mean(axis=1)
    assert [brightness[row["unit"]] > 0.5 for row in rows] == [True, False]


def test_colour_becomes_grey_exactly_as_the_readers_make_it(tmp_path: Path) -> None:
    grey = make_photos(tmp_path / "grey", 8, mode="L")
    colour = make_photos(tmp_path / "colour", 8)
    assert invoke("map", grey, "-o", tmp_path / "run", "--grid", "2x2", "--passes", 1).exit_code == 0
    run = Run.open(tmp_path / "run")
    expected = open_collection(grey).features
    np.testing.assert_array_equal(conform(run, open_collection(colour)).features, expected)


def test_columns_are_taken_by_name(table_run: Path, tmp_path: Path) -> None:
    lines = (table_run.parent / "table.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines]
    shuffled = [[row[3], row[0], row[2], row[1]] for row in rows]
    (tmp_path / "new.csv").write_text("\n".join(map(",".join, shuffled)) + "\n")
    out = tmp_path / "where.parquet"
    result = invoke("assign", table_run, tmp_path / "new.csv", "-o", out)
    assert result.exit_code == 0, result.output
    placed = Run.open(table_run).assignments()
    for column in ("unit", "group"):
        assert pq.read_table(out)[column].to_pylist() == placed[column].to_pylist()
    assert pq.read_table(out)["id"].to_pylist()[0] == "row0"


def test_texts_are_weighed_with_the_words_of_the_run(tmp_path: Path) -> None:
    make_texts(tmp_path / "lines.txt")
    arguments = ("map", tmp_path / "lines.txt", "--model", "som", "-o", tmp_path / "run", "--grid", "2x3")
    assert invoke(*arguments).exit_code == 0
    run = Run.open(tmp_path / "run")
    own = open_collection(tmp_path / "lines.txt")
    again = feature_matrix(conform(run, own))
    assert abs(again - feature_matrix(own)).max() < 1e-6
    (tmp_path / "new.txt").write_text("captain sails ship\nunheard-of zebra\n")
    result = invoke("assign", tmp_path / "run", tmp_path / "new.txt", "-o", tmp_path / "where.csv")
    assert result.exit_code == 0, result.output
    new = conform(run, open_collection(tmp_path / "new.txt"))
    assert new.features[1].nnz == 0
    assert new.feature_names == own.feature_names
    ships = [
        unit
        for unit, text in zip(run.assignments()["unit"].to_pylist(), own.texts, strict=True)
        if "ship" in text or "captain" in text
    ]
    with (tmp_path / "where.csv").open() as file:
        assert int(next(csv.DictReader(file))["unit"]) in ships


def test_items_keep_the_name_that_the_run_gives_them(
    table_run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The run's id column is taken where it is there, another one where it is asked for, else rows are counted."""
    (tmp_path / "both.csv").write_text("a,b,c,name,other\n1,2,3,x,u\n2,3,4,y,v\n")
    (tmp_path / "none.csv").write_text("a,b,c\n1,2,3\n2,3,4\n")

    def ids(data: str, *options: str) -> list[str]:
        out = tmp_path / "where.parquet"
        result = invoke("assign", table_run, tmp_path / data, "-o", out, "--overwrite", *options)
        assert result.exit_code == 0, result.output
        return list(pq.read_table(out)["id"].to_pylist())

    assert ids("both.csv") == ["x", "y"]
    assert ids("both.csv", "--id-column", "other") == ["u", "v"]
    assert not caplog.records
    assert ids("none.csv") == ["0", "1"]
    assert "no column 'name'" in caplog.text


def test_texts_of_a_table_are_read_from_the_column_of_the_run(tmp_path: Path) -> None:
    make_texts(tmp_path / "lines.txt")
    lines = (tmp_path / "lines.txt").read_text().splitlines()
    rows = [f"{i},t{i},{line}" for i, line in enumerate(lines)]
    (tmp_path / "t.csv").write_text("number,key,words\n" + "\n".join(rows) + "\n")
    options = ("--text-column", "words", "--id-column", "key", "--grid", "2x3")
    assert invoke("map", tmp_path / "t.csv", "-o", tmp_path / "run", *options).exit_code == 0
    result = invoke("assign", tmp_path / "run", tmp_path / "t.csv", "-o", tmp_path / "where.parquet")
    assert result.exit_code == 0, result.output
    table, run = pq.read_table(tmp_path / "where.parquet"), Run.open(tmp_path / "run")
    assert table["id"].to_pylist()[:2] == ["t0", "t1"]
    assert table["unit"].to_pylist() == run.assignments()["unit"].to_pylist()


def test_words_keep_the_weights_that_were_learned_on_other_texts(tmp_path: Path) -> None:
    """A run on a part of a collection: its words weigh as in the whole, from which the TF-IDF was learned."""
    make_texts(tmp_path / "lines.txt")
    whole = open_collection(tmp_path / "lines.txt")
    part = whole.take(np.arange(0, 40, 3))
    run = map_collection(part, tmp_path / "run", parameters={"grid": (2, 2)})
    again = feature_matrix(conform(run, whole))
    assert abs(again - feature_matrix(whole)).max() == 0


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ("vectors.npy", "holds vectors, but"),
        ("nowhere", "nowhere"),
        ("empty", "empty"),
    ],
)
def test_items_that_cannot_be_compared(photo_run: Path, tmp_path: Path, data: str, match: str) -> None:
    np.save(tmp_path / "vectors.npy", np.ones((3, 960)))
    (tmp_path / "empty").mkdir()
    result = invoke("assign", photo_run, tmp_path / data, "-o", tmp_path / "where.csv")
    assert result.exit_code == 2, result.output
    assert match in " ".join(result.output.split())
    assert not (tmp_path / "where.csv").exists()


def test_missing_columns_and_features_are_named(table_run: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("a,b\n1,2\n")
    result = invoke("assign", table_run, tmp_path / "new.csv", "-o", tmp_path / "where.csv")
    assert result.exit_code == 2
    assert "'c'" in result.output
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    result = invoke("assign", table_run, tmp_path / "x.npy", "-o", tmp_path / "where.csv")
    assert result.exit_code == 2
    assert "2 features" in " ".join(result.output.split())


def test_other_wrong_input(photo_run: Path, tmp_path: Path) -> None:
    photos = photo_run.parent / "photos"
    result = invoke("assign", photo_run, photos, "-o", tmp_path / "where.xlsx")
    assert result.exit_code == 2
    assert "allowed: .parquet, .csv, .jsonl" in " ".join(result.output.split())
    result = invoke("assign", tmp_path, photos, "-o", tmp_path / "where.csv")
    assert result.exit_code == 2
    assert "it has no config.json" in " ".join(result.output.split())
    (tmp_path / "where.csv").write_text("mine")
    result = invoke("assign", photo_run, photos, "-o", tmp_path / "where.csv")
    assert result.exit_code == 2
    assert (tmp_path / "where.csv").read_text() == "mine"
    result = invoke("assign", photo_run, photos, "-o", tmp_path / "where.csv", "--overwrite")
    assert result.exit_code == 0


def test_a_table_is_assigned_to_itself_with_missing_values(tmp_path: Path) -> None:
    make_table(tmp_path / "t.csv", 30)
    arguments = ("map", tmp_path / "t.csv", "-o", tmp_path / "run", "--columns", "a,b", "--grid", "2x3")
    assert invoke(*arguments).exit_code == 0
    (tmp_path / "new.csv").write_text("a,b\n1,\n,\n,2\n")
    result = invoke("assign", tmp_path / "run", tmp_path / "new.csv", "-o", tmp_path / "where.csv")
    assert result.exit_code == 0, result.output
    assert "1: no value in any feature" in result.output
    assert "2 items assigned" in result.output
