"""What is installed for the peers, read from peers.txt."""

from __future__ import annotations

import re
import sys

import pytest
from benchmarks.som.peers import PEERS
from benchmarks.som.setup_peers import REQUIREMENTS, read_requirements


def test_every_peer_is_pinned_and_listed() -> None:
    found = {requirement.name: requirement for requirement in read_requirements(REQUIREMENTS.read_text())}
    assert {tool.package for tool in PEERS.values()} <= set(found)
    for requirement in found.values():
        assert re.fullmatch(r"[\w-]+==[\w.]+", requirement.requirement), requirement
    assert "://" not in REQUIREMENTS.read_text()
    assert "--index" not in REQUIREMENTS.read_text()


def test_markers_and_build_notes_are_understood() -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    text = f"""
# a comment
old==1.0; python_version < "{here}"
new==2.0; python_version >= "{here}"
built==3.0  # build: CUDAHOME=/nowhere no-isolation
"""
    new, built = read_requirements(text)
    assert (new.name, new.requirement, new.environment, new.isolation) == ("new", "new==2.0", {}, True)
    assert (built.requirement, built.environment, built.isolation) == (
        "built==3.0",
        {"CUDAHOME": "/nowhere"},
        False,
    )
    with pytest.raises(ValueError, match="only python_version markers"):
        read_requirements('odd==1; sys_platform == "linux"')
