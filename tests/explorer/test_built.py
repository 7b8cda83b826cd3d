"""The built page that the package ships is that of the sources, and asks nothing of anywhere else."""

from __future__ import annotations

import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from somscope.explorer.app import explorer_api

ROOT = Path(__file__).parents[2]
UI = ROOT / "explorer-ui"
STATIC = files("somscope.explorer").joinpath("static")


@pytest.mark.skipif(not UI.is_dir(), reason="the sources of the page are not here")
def test_the_built_page_is_that_of_the_sources() -> None:
    """As vite.config.js makes it: the hash of names and contents. `make ui` builds it again."""
    inside = [path.relative_to(UI).as_posix() for path in (UI / "src").rglob("*") if path.is_file()]
    more = ["index.html", "package-lock.json", "svelte.config.js", "vite.config.js"]
    digest = hashlib.sha256()
    for name in sorted([*inside, *more]):
        digest.update(f"{name}\0".encode() + (UI / name).read_bytes() + b"\0")
    assert STATIC.joinpath("sources.sha256").read_text().strip() == digest.hexdigest()


@pytest.mark.skipif(not UI.is_dir(), reason="the sources of the page are not here")
def test_the_types_are_those_of_the_server() -> None:
    schema = explorer_api([]).openapi()
    schema["info"]["version"] = "0"
    assert json.loads((UI / "src" / "openapi.json").read_text()) == json.loads(json.dumps(schema))


def test_it_is_whole_and_small_and_knows_no_other_address() -> None:
    assert {entry.name for entry in STATIC.iterdir()} == {
        "index.html", "explorer.js", "explorer.css", "sources.sha256"
    }  # fmt: skip
    assert sum(len(entry.read_bytes()) for entry in STATIC.iterdir()) < 300_000
    for name in ("index.html", "explorer.js", "explorer.css"):
        text = STATIC.joinpath(name).read_text(encoding="utf-8")
        addresses = set(re.findall(r"(?:https?:)?//[a-z0-9-]+(?:\.[a-z0-9-]+)+[^\s\"'`)]*", text))
        # Names of languages, not places: of XML, and where Svelte's messages are explained.
        assert all("w3.org/" in address or "svelte.dev/" in address for address in addresses), addresses
    assert "eval(" not in STATIC.joinpath("explorer.js").read_text(encoding="utf-8")
