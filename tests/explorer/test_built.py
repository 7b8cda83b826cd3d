"""The built page that the package ships is that of the sources, and asks nothing of anywhere else."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from somscope.explorer.app import explorer_api

ROOT = Path(__file__).parents[2]
UI = ROOT / "explorer-ui"
# What npm says where it finds no registry.
UNREACHABLE = (
    "ENOTFOUND",
    "ECONNREFUSED",
    "ECONNRESET",
    "EAI_AGAIN",
    "ENETUNREACH",
    "ETIMEDOUT",
    "ENOTCACHED",
)
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


def npm(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["npm", *words], cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.skipif(not UI.is_dir(), reason="the sources of the page are not here")
@pytest.mark.skipif(
    shutil.which("npm") is None, reason="npm is not installed: the page cannot be built again"
)
def test_a_new_build_gives_the_same_bytes(tmp_path: Path) -> None:
    """A page that was changed by hand after its build is found, as is a build that depends on where or when it ran."""
    folder = shutil.copytree(UI, tmp_path / "explorer-ui", ignore=shutil.ignore_patterns("node_modules"))
    installed = npm(folder, "ci", "--prefer-offline", "--no-audit", "--no-fund")
    if installed.returncode and any(code in installed.stderr for code in UNREACHABLE):
        pytest.skip(f"the packages of the build cannot be had here: {installed.stderr[:200]}")
    assert installed.returncode == 0, installed.stderr
    static = tmp_path / "src" / "somscope" / "explorer" / "static"
    static.mkdir(parents=True)
    for command in ("types", "build"):
        done = npm(folder, "run", command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert {entry.name for entry in static.iterdir()} == {entry.name for entry in STATIC.iterdir()}
    for entry in static.iterdir():
        assert entry.read_bytes() == STATIC.joinpath(entry.name).read_bytes(), f"{entry.name}: run `make ui`"
    assert (folder / "src" / "api.d.ts").read_bytes() == (UI / "src" / "api.d.ts").read_bytes()


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
