"""The benchmark of the audit: its images, and what it measures."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from benchmarks import audit


def test_images_differ_and_repeat() -> None:
    one, two = audit.pictures(5, 64, 0), audit.pictures(5, 64, 1)
    assert one.shape == (5, 64, 64, 3)
    np.testing.assert_array_equal(one, audit.pictures(5, 64, 0))
    assert (one != two).any(axis=(1, 2, 3)).all()
    assert len({image.tobytes() for image in one}) == 5


def test_an_audit_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "audit_images", lambda images: Saved(images))
    found = audit.measure("triples")
    assert set(found) == {"seconds", "cpu_seconds", "peak_mb"}
    assert all(value > 0 for value in found.values())
    assert Saved.shapes == {
        "source": (50, 256, 256, 3),
        "target": (50, 256, 256, 3),
        "generated": (50, 256, 256, 3),
    }


class Saved:
    """Stands for the audit, whose time the benchmark measures and this test has not."""

    shapes: ClassVar[dict[str, tuple[int, ...]]] = {}

    def __init__(self, images) -> None:
        Saved.shapes = {part: pixels.shape for part, pixels in images.parts().items()}

    def save(self, folder) -> None:
        pass
