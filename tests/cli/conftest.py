"""A run of each kind that the tests of the commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.deep_samples import DESOM, make_bars
from cli.samples import invoke, make_photos, make_table


@pytest.fixture(scope="session")
def photo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 24 colour pictures on a 3 x 4 map; the pictures lie beside it in `photos`."""
    folder = tmp_path_factory.mktemp("photo-run")
    make_photos(folder / "photos")
    result = invoke("map", folder / "photos", "-o", folder / "run", "--grid", "3x4", "--passes", 3)
    assert result.exit_code == 0, result.output
    return folder / "run"


@pytest.fixture(scope="session")
def table_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 60 rows on a hexagonal 4 x 5 map with labels and clusters; the table lies beside it."""
    folder = tmp_path_factory.mktemp("table-run")
    make_table(folder / "table.csv")
    result = invoke(
        "map", folder / "table.csv", "-o", folder / "run", "--grid", "4x5", "--lattice", "hexagonal",
        "--columns", "a,b,c", "--label-column", "kind", "--id-column", "name", "--clusters", 3,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return folder / "run"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """bars.npy and labels.txt."""
    return make_bars(tmp_path)


@pytest.fixture(scope="session")
def desom_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of labelled bars."""
    folder = make_bars(tmp_path_factory.mktemp("desom"))
    result = invoke(
        "map", folder / "bars.npy", "--labels", folder / "labels.txt", *DESOM, "-o", folder / "run"
    )
    assert result.exit_code == 0, result.output
    return folder / "run"
