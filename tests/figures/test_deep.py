"""Figures of deep maps: losses over the steps of several phases, and transitions between units."""

from __future__ import annotations

import numpy as np
import pytest

from somscope import figures
from somscope.errors import InputError
from somscope.figures.curves import curve_names, on_log_scale, phase_starts
from somscope.figures.transitions import most_probable_next
from somscope.maps.lattice import Lattice

NAN = float("nan")
HISTORY = {
    "phase": ["first", "first", "second", "second"],
    "step": [10, 15, 25, 27],
    "epoch": [0, 1, 0, 1],
    "loss": [9.0, 4.0, 80.0, 1.0],
    "temperature": [NAN, NAN, 5.0, 1.0],
    "reconstruction": [9.0, 4.0, 3.0, 2.0],
    "som": [NAN, NAN, 3.0, 2.0],
    "learning_rate.adam": [0.1, 0.1, 0.1, 0.1],
}


def test_curves_over_the_steps_of_phases(draw):
    assert curve_names(HISTORY) == ["loss", "reconstruction", "som", "temperature", "learning_rate.adam"]
    assert "loss" not in curve_names({name: column for name, column in HISTORY.items() if name != "som"})
    assert phase_starts(HISTORY) == [("first", 0.0), ("second", 15.0)]
    assert phase_starts({"pass": [1, 2]}) == []
    figure = figures.training_curves_figure(HISTORY)
    top = figure.axes[0]
    assert [list(line.get_xdata()) for line in top.lines] == [[10, 15], [25, 27], [15, 15]]
    assert top.get_yscale() == "log"  # 1 to 80
    assert figure.axes[1].get_yscale() == "linear"
    assert [axes.get_ylabel().split("\n")[0] for axes in figure.axes] == [
        "loss", "reconstruction loss", "map loss", "neighbourhood temperature", "learning rate",
    ]  # fmt: skip
    assert figure.axes[-1].get_xlabel() == "step\nphases: first from 0, second from 15"
    draw(figure)
    assert not any(tick.label1.get_text() for tick in top.yaxis.get_minor_ticks())  # they lay over each other
    assert {"1", "10", "50"} <= {tick.label1.get_text() for tick in top.yaxis.get_major_ticks()}


def test_only_losses_are_drawn_on_a_logarithmic_scale():
    wide = np.array([1.0, NAN, 100.0])
    assert on_log_scale("loss", wide)
    assert not on_log_scale("temperature", wide)
    assert not on_log_scale("loss", wide - 1)
    assert not on_log_scale("loss", np.array([1.0, 2.0]))
    assert not on_log_scale("loss", np.array([NAN]))


@pytest.mark.parametrize("toroidal", [False, True])
def test_transitions(draw, toroidal):
    lattice = Lattice(2, 2, toroidal=toroidal)
    matrix = [[0.7, 0.1, 0.2, 0.0], [0.5, 0.5, 0.0, 0.0], [0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]]
    stay, following, share = most_probable_next(lattice, matrix)
    assert stay.tolist() == [0.7, 0.5, 0.3, 0.25]
    assert following.tolist() == [2, 0, 3, 0]
    assert share.tolist() == [0.2, 0.5, 0.4, 0.25]
    figure = figures.transitions_figure(lattice, matrix)
    arrows = [text for text in figure.axes[0].texts if getattr(text, "arrow_patch", None) is not None]
    ends = [(tuple(text.xyann), tuple(text.xy)) for text in arrows]
    places = lattice.positions
    assert ends == [(tuple(places[i]), tuple(places[k])) for i, k in enumerate(following)]
    draw(figure)


def test_transitions_of_one_unit_and_of_another_map(draw):
    assert most_probable_next(Lattice(1, 1), [[1.0]])[1].tolist() == [-1]
    draw(figures.transitions_figure(Lattice(1, 1), [[1.0]]))
    with pytest.raises(InputError, match=r"shape \(2, 2\); the map has 3 units"):
        most_probable_next(Lattice(1, 3), np.eye(2))
