"""somscope look: the command, the port, and a training that is still under way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from explorer.conftest import Client
from somscope.errors import RunError
from somscope.explorer.look import look
from somscope.runs.checkpoints import checkpoint_folder

MakeRun = Callable[..., Path]


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_the_command_serves_until_ctrl_c(make_run: MakeRun) -> None:
    command = [sys.executable, "-m", "somscope", "look", str(make_run()), "--no-browser", "--port", "0"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = line.rsplit(" ", 1)[-1].strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address + "api/run", timeout=30) as answer:
            assert json.loads(answer.read())["n_items"] == 300
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert errors == ""


def test_a_port_in_use_is_left_alone(make_run: MakeRun) -> None:
    first = look(make_run(), 0)
    first.start()
    second = look(make_run(), first.port)
    second.start()
    try:
        assert 0 < second.port - first.port < 50
        assert f":{second.port}/" in second.url
        assert {Client(one, None).ask("api/run").status for one in (first, second)} == {200}
    finally:
        first.stop()
        second.stop()


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(RunError, match=path.name):
            look(path, 0)


def test_a_training_is_shown_and_then_its_map(make_run: MakeRun, tmp_path: Path) -> None:
    folder = tmp_path / "young"
    checkpoints = checkpoint_folder(folder)
    checkpoints.mkdir()
    rows = [{"phase": "joint", "step": 50 * i, "loss": 1 / (i + 1), "bad": float("inf")} for i in range(4)]
    text = "\n".join(json.dumps(row) for row in rows)
    (checkpoints / "metrics.jsonl").write_text(text + '\n{"step": 200, "lo')  # the last is being written
    server = look(folder, 0)
    server.start()
    try:
        client = Client(server, None)
        now = client.ask("api/progress").json
        assert (now["running"], now["finished"]) == (True, False)
        assert [row["step"] for row in now["rows"]] == [0, 50, 100, 150]
        assert now["rows"][1] == {"phase": "joint", "step": 50, "loss": 0.5, "bad": None}
        assert client.ask("api/progress?since=3").json["rows"] == now["rows"][3:]
        assert client.ask("api/run").status == client.ask("api/items").status == 400
        shutil.copytree(make_run(), folder)
        assert client.ask("api/progress").json["finished"] is True
        assert client.ask("api/run").json["n_items"] == 300
    finally:
        server.stop()
