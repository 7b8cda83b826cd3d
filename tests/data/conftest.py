"""What the tests of the data readers share: pictures on disk, and the folder of real data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Saver = Callable[..., Path]
_DATA = os.environ.get("SOMSCOPE_DATA")  # as it was set from outside, before a test changes it


@pytest.fixture
def save(tmp_path: Path) -> Saver:
    """save("a/b.png", colour or array, **options of Image.save) -> path under tmp_path/photos."""

    def write(
        name: str,
        content: object = (200, 10, 10),
        size: tuple[int, int] = (20, 10),
        mode: str = "RGB",
        **kw: object,
    ) -> Path:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
            return path
        is_array = isinstance(content, np.ndarray)
        image = Image.fromarray(content) if is_array else Image.new(mode, size, content)
        image.save(path, **kw)
        return path

    return write


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def data_folder() -> Path:
    """SOMSCOPE_DATA; skips where it is not set, and never where it is."""
    if not _DATA:
        pytest.skip("SOMSCOPE_DATA is not set: no real data here")
    return Path(_DATA)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No data folder, no system folders, an empty cache: only the package itself."""
    monkeypatch.delenv("SOMSCOPE_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "system"))
    monkeypatch.setenv("SOMSCOPE_CACHE", str(tmp_path / "cache"))
    return tmp_path
