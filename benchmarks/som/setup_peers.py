"""Make the peers' environment: `python -m benchmarks.som.setup_peers` (what `make bench` does first).

Creates .venv-bench, installs torch from constraints.txt, then every line of peers.txt by itself, and writes
.venv-bench/peers.json: what is there (versions) and what is absent, with the reason. Does nothing when peers.txt and
constraints.txt are the ones it was made from.
"""

# ruff: noqa: T201 - a command that tells what it does

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Requirement", "peer_python", "read_requirements", "read_state"]

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv-bench"
REQUIREMENTS = Path(__file__).with_name("peers.txt")
CONSTRAINTS = ROOT / "constraints.txt"
_IMPORTS = {
    "minisom": "minisom",
    "xpysom": "xpysom",
    "fastersom": "fastersom",
    "torchsom": "torchsom",
    "python-som": "python_som",
    "susi": "susi",
    "dbgsom": "dbgsom.SomVQ",
    "numba": "numba",
    "numbasom": "numbasom",
    "popsom7": "popsom7.maputils",
    "sparse-som": "sparse_som",
    "quicksom": "quicksom.som",
    "intrasom": "intrasom",
    "somoclu": "somoclu.train",
}
_CHECKS = {"somoclu": "from somoclu.train import wrap_train"}  # importing it succeeds without its C++ part


@dataclass(frozen=True)
class Requirement:
    """One line of peers.txt."""

    name: str
    requirement: str  # what pip is told
    environment: dict[str, str]
    isolation: bool


def read_requirements(text: str) -> list[Requirement]:
    """The requirements that apply to this Python, in order."""
    found = []
    for line in text.splitlines():
        body, _, comment = line.partition("#")
        body = body.strip()
        if not body:
            continue
        requirement, _, marker = (piece.strip() for piece in body.partition(";"))
        if marker and not _applies(marker):
            continue
        words = comment.removeprefix(" build:").split() if comment.strip().startswith("build:") else []
        environment = dict(word.split("=", 1) for word in words if "=" in word)
        found.append(
            Requirement(
                re.split(r"[=<>]", requirement)[0], requirement, environment, "no-isolation" not in words
            )
        )
    return found


def _applies(marker: str) -> bool:
    matched = re.fullmatch(r'python_version (>=|<) "(\d+)\.(\d+)"', marker)
    if not matched:
        raise ValueError(f"peers.txt: only python_version markers are understood, not {marker!r}")
    version = (int(matched[2]), int(matched[3]))
    here = sys.version_info[:2]
    return here >= version if matched[1] == ">=" else here < version


def peer_python() -> Path:
    folder = "Scripts" if os.name == "nt" else "bin"
    return ENVIRONMENT / folder / ("python.exe" if os.name == "nt" else "python")


def read_state() -> dict[str, object] | None:
    """What the last set-up found, or None when there was none."""
    try:
        state = json.loads((ENVIRONMENT / "peers.json").read_text())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None


def _pip(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(peer_python()), "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(
        command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )


def _reason(output: str) -> str:
    errors = [line.strip() for line in output.splitlines() if re.search(r"error", line, re.IGNORECASE)]
    return (errors or output.strip().splitlines() or ["no output"])[-1][:300]


def _install(requirement: Requirement) -> str | None:
    """None when the package is there and imports, else why not."""
    arguments = ["install", "-c", str(CONSTRAINTS), requirement.requirement]
    if (
        not requirement.isolation
    ):  # a wheel built elsewhere may lack what this build has: do not take it from a cache
        arguments[1:1] = ["--no-build-isolation", "--no-cache-dir"]
    done = _pip(*arguments, environment=requirement.environment)
    if done.returncode:
        return "does not install: " + _reason(done.stderr)
    check = _CHECKS.get(requirement.name, f"import {_IMPORTS.get(requirement.name, requirement.name)}")
    tried = subprocess.run([str(peer_python()), "-c", check], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else "installs but does not import: " + _reason(tried.stderr)


def set_up(force: bool = False) -> dict[str, object]:
    """Install what is missing; returns and stores {"installed": {name: version}, "absent": [{"model", "reason"}]}."""
    digest = hashlib.sha256(
        REQUIREMENTS.read_bytes() + CONSTRAINTS.read_bytes() + sys.version.encode()
    ).hexdigest()
    state = read_state()
    if state and state.get("digest") == digest and not force:
        print("the peers' environment is up to date (.venv-bench)")
        return state
    if not peer_python().exists():
        print("creating .venv-bench")
        venv.create(ENVIRONMENT, with_pip=True)
    (ENVIRONMENT / ".gitignore").write_text("*\n")
    print("installing torch (constraints.txt)", flush=True)
    done = _pip("install", "-c", str(CONSTRAINTS), "torch", "numpy", "setuptools", "wheel")
    if done.returncode:
        raise SystemExit("torch could not be installed for the peers: " + _reason(done.stderr))
    installed: dict[str, str] = {}
    absent: list[dict[str, str]] = []
    for requirement in read_requirements(REQUIREMENTS.read_text()):
        print(f"installing {requirement.requirement}", flush=True)
        reason = _install(requirement)
        if reason is None:
            installed[requirement.name] = requirement.requirement.split("==")[-1]
        else:
            print(f"  absent: {reason}")
            absent.append({"model": requirement.name, "reason": reason})
    state = {"digest": digest, "installed": installed, "absent": absent}
    (ENVIRONMENT / "peers.json").write_text(json.dumps(state, indent=1))
    return state


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--force", action="store_true", help="install again even when nothing changed")
    state = set_up(parser.parse_args().force)
    print(f"peers: {len(state['installed'])} installed, {len(state['absent'])} absent")  # type: ignore[arg-type]
    return 0


if __name__ == "__main__":
    sys.exit(main())
