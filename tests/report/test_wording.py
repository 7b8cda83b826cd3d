"""Tables of the report in words."""

from __future__ import annotations

import shlex
import sys
from types import ModuleType, SimpleNamespace

import pytest

from somscope.report.charts import training_charts
from somscope.report.wording import (
    chosen_rows,
    measure_rows,
    number,
    repeat_command,
    repeat_python,
    setting,
    source_rows,
)
from somscope.runs import MapDistance


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "—"),
        (None, "—"),
        (3.0, "3"),
        (12345, "12,345"),
        (0.123456, "0.1235"),
        (1234567.8, "1,234,568"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


def test_every_known_measure_has_its_sentence_and_unknown_ones_their_name():
    rows = measure_rows({"my_own": 1.0, "quantization_error": 2.5}, MapDistance())
    assert [row.name for row in rows] == ["quantization_error", "my_own"]
    assert rows[0].sentence.endswith(".")
    assert rows[0].better == "lower is better"
    assert rows[1].title == "my own"


def test_choices_are_parted_into_value_and_reason():
    rows = chosen_rows({"grid": "4x5: few items: 60", "radius": 2.5, "scale": "each column alike"})
    assert rows == [
        ("grid", "4x5", "few items: 60"),
        ("radius", "2.5", ""),
        ("scale", "each column alike", ""),
    ]


def test_a_part_of_a_collection_is_told_in_words():
    assert source_rows({"taken": {"n_items": 2000, "of": 60000}}) == {"taken": "2,000 of 60,000 items"}
    assert source_rows({"taken": {"n_items": "2"}}) == {"taken": "{'n_items': '2'}"}


def test_what_was_left_open_is_not_listed():
    source = {
        "reader": "csv",
        "id_column": None,
        "options": {"limit": 9, "seed": 1},
        "limit": 0,
        "columns": ["a"],
    }
    assert source_rows(source) == {"reader": "csv", "limit": "0", "columns": "['a']", "seed": "1"}


def test_settings_are_short_and_never_more_exact_than_anybody_reads():
    assert setting([1.5258795338142315, 0.8]) == "[1.526, 0.8]"
    assert setting({"described": "array (9000,) float64"}) == "array (9000,) float64"
    assert setting("auto") == "automatic"


def test_measures_have_the_unit_of_the_distance():
    metrics = {"quantization_error": 1.0, "combined_error": 2.0, "distortion": 3.0, "purity": 1.0}
    units = [row.unit for row in measure_rows(metrics, MapDistance("cosine"))]
    directions = "Euclidean distance of directions, 0 to 2"
    assert units == ["1 - cosine", directions, f"{directions}, squared", "share"]


def test_the_command_can_be_pasted_into_a_shell():
    arguments = ["/opt/bin/somscope", "map", "my photos; rm -rf /", "-o", "runs/it's"]
    text = repeat_command({"command": arguments})
    assert shlex.split(text) == ["somscope", *arguments[1:]]
    assert repeat_command({"command": []}) == ""


def repeated(text: str, saved: object) -> tuple[dict[str, object], tuple[object, ...]]:
    """Run the snippet with a stand-in for somscope; the parameters and what `map_collection` was called with."""
    calls: list[tuple[object, ...]] = []
    fake = ModuleType("somscope")
    fake.Run = SimpleNamespace(open=lambda path: SimpleNamespace(model=lambda: saved))
    fake.open_collection = lambda path, **options: ("opened", path, options)
    fake.map_collection = lambda *arguments, **options: calls.append((*arguments, options))
    space: dict[str, object] = {"collection": "mine"}
    code = compile(text, "snippet", "exec")
    real = sys.modules["somscope"]
    sys.modules["somscope"] = fake
    try:
        exec(code, space)
    finally:
        sys.modules["somscope"] = real
    (call,) = calls
    return call[3], call


def python_of(
    parameters: dict[str, object], source: dict[str, object] | None = None, **config: object
) -> str:
    return repeat_python(
        {"model": {"name": "som", "parameters": parameters}, "collection": {"source": source or {}}, **config}
    )


def test_the_python_way_has_the_seed_and_reads_the_collection_again():
    source = {"path": "/data/it's.csv", "options": {"columns": ["a", "b", "c"], "limit": 5}}
    parameters, call = repeated(python_of({"grid": [3, 4], "random_state": None}, source, seed=7), None)
    assert parameters == {"grid": (3, 4), "random_state": 7}
    assert call[0] == ("opened", "/data/it's.csv", {"columns": ["a", "b", "c"], "limit": 5})
    assert call[-1] == {"scale": "none"}


def test_the_python_way_of_large_arrays_and_of_what_is_not_kept():
    array, state = {"described": "array (9000,) float64"}, {"described": "RandomState"}
    text = python_of({"feature_weights": array, "random_state": state}, seed=state)
    parameters, call = repeated(text, SimpleNamespace(feature_weights="the array"))
    assert parameters == {"feature_weights": "the array"}
    assert call[0] == "mine"
    assert "RandomState, which is not kept" in text


def test_the_python_way_of_a_scaled_table_scales_it_again():
    parameters, call = repeated(python_of({"feature_weights": [1.0, 2.0]}, chosen={"scale": "x"}), None)
    assert parameters == {}
    assert call[-1] == {"scale": "standard"}


def test_charts_follow_the_values():
    charts = training_charts(
        {"pass": [1, 2, 3], "radius": [4.0, 2.0, 1.0], "seconds": [1, 1, 1], "note": ["a"] * 3}
    )
    assert [chart.title for chart in charts] == ["Radius (lattice steps)"]
    (x0, y0), (x1, y1), (x2, y2) = charts[0].points
    assert x0 < x1 < x2
    assert y0 < y1 < y2  # down the page
    assert (y1 - y0) == pytest.approx(2 * (y2 - y1))
    assert "from 4 at the first to 1 at the last" in charts[0].alt
    assert training_charts({"pass": [], "radius": []}) == []
    assert len(training_charts({"pass": [1], "radius": [2.0]})) == 1
    assert training_charts({"pass": [1], "radius": [float("nan")]}) == []
