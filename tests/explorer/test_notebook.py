"""somscope.explore: what a notebook shows is the page of a running server."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

import somscope
from somscope.errors import RunError


def test_a_notebook_shows_the_page_in_a_frame(make_run: Callable[..., Path]) -> None:
    explored = somscope.explore(somscope.Run.open(make_run()), height=500)
    try:
        found = re.search(r'<iframe src="([^"]+)".*height="500"', explored._repr_html_())
        assert found is not None
        assert found[1] == explored.url
        assert explored.url in repr(explored)
        with urllib.request.urlopen(explored.url, timeout=30) as answer:
            policy = answer.headers["content-security-policy"]
            assert 'id="app"' in answer.read().decode()
        assert policy.endswith("frame-ancestors http://localhost:* http://127.0.0.1:* vscode-webview:")
    finally:
        explored.stop()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(explored.url, timeout=30)


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=tmp_path.name):
        somscope.explore(tmp_path)
