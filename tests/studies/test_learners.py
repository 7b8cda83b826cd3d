"""What tells a row's trainings from those of another row."""

from __future__ import annotations

from somscope.studies import Entry
from somscope.studies.learners import learner_parameters, what_differs


def test_a_parameter_without_effect_makes_no_difference() -> None:
    legacy = Entry("mnist", "desom", parameters={"legacy": True})
    recorded = learner_parameters(legacy)
    assert what_differs(legacy, recorded) == ""
    assert what_differs(legacy, {**recorded, "final_radius": 9.0, "order": 9.0, "finish_steps": 9}) == ""
    assert what_differs(legacy, {**recorded, "gamma": 9.0}) == "gamma was 9.0, is 0.001"
    default = Entry("mnist", "desom")
    assert "final_radius was 9.0" in what_differs(
        default, {**learner_parameters(default), "final_radius": 9.0}
    )
