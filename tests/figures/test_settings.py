"""The figure of a search: a panel for each parameter, all trainings in it, the best one marked."""

from __future__ import annotations

import numpy as np
import pytest

from somscope.errors import InputError
from somscope.figures import settings_figure


def test_every_parameter_has_a_panel_with_all_trainings_and_the_best_marked() -> None:
    rng = np.random.default_rng(0)
    settings = {f"p{i}": rng.random(7) for i in range(5)}
    measure = rng.random(7)
    figure = settings_figure(settings, measure, "NMI", {"p1": -0.5, "p2": np.nan})
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == ["p0", "p1, rank -0.50", "p2", "p3", "p4"]
    for axes, values in zip(shown, settings.values(), strict=True):
        points, best = (np.asarray(each.get_offsets()) for each in axes.collections)
        np.testing.assert_allclose(points, np.column_stack([values, measure]))
        np.testing.assert_allclose(best, [[values[measure.argmax()], measure.max()]])
    with pytest.raises(InputError, match="no training"):
        settings_figure({}, measure, "NMI")
