"""Ctrl-C at the worst moments of a real command: one line and exit code 130, never a traceback or a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WHILE_IMPORTING = """
import os, signal, sys
module = sys.argv[1]
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv[:] = ["somscope", *sys.argv[2:]]
from somscope.__main__ import main
main()
"""
TWICE = """
import os, signal
from somscope.cli import console, group
real = group.say_note
def pressed(text):
    os.kill(os.getpid(), signal.SIGINT)
    real(text)
group.say_note = pressed
import somscope.data
def opened(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)
somscope.data.open_collection = opened
import sys
sys.argv[:] = ["somscope", *sys.argv[1:]]
from somscope.__main__ import main
main()
"""


def run(code: str, *arguments: object) -> tuple[int, str]:
    """Exit code (minus the number of a signal) and standard error."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONWARNINGS": "default"}
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("module", ["typer", "somscope.cli.codes"])
def test_while_the_command_is_imported(module: str) -> None:
    assert run(WHILE_IMPORTING, module, "--version") == (130, "")


def test_twice_before_the_training(tmp_path: Path) -> None:
    code, said = run(TWICE, "codes", "digits", "-o", tmp_path / "run")
    assert code == 130
    assert "nothing was written" in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_how_a_command_ended_is_said_by_its_exit_code() -> None:
    assert run(WHILE_IMPORTING, "no.such.module", "--version")[0] == 0
    assert run(WHILE_IMPORTING, "no.such.module", "map", "no-such-data")[0] == 2
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
