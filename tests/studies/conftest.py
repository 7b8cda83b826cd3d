"""The stand-in model and the tiny data set are known to the studies while these tests run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from somscope.data import Collection, get_named
from somscope.errors import DataError
from somscope.studies import learners, sets
from somscope.studies.sets import StudySet
from studies.samples import STANDS, TINY, Stand


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    known = learners.learner_classes()
    monkeypatch.setattr(learners, "learner_classes", lambda: {**known, **STANDS})
    monkeypatch.setitem(sets.SETS, "blobs", StudySet("blobs", ("blobs:train", "blobs:test")))
    monkeypatch.setitem(sets.SETS, "away", StudySet("away"))

    def named(name: str) -> Collection:
        if name == "away":
            raise DataError("away is not on this machine")
        return TINY[name] if name in TINY else get_named(name)

    monkeypatch.setattr(sets, "get_named", named)
    Stand.calls.clear()
    yield
    Stand.calls.clear()
