"""`somscope audit` by running it, in its three forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from somscope.auditing import AuditResult
from somscope.cli.main import app

FAST = ("--seeds", "2", "--permutations", "19")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Twelve triples as pix2pix writes them, and the same in three folders."""
    draw = np.random.default_rng(0)
    for row in range(12):
        source = draw.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        for end, part, pixels in (
            ("real_A", "A", source),
            ("real_B", "B", 255 - source),
            ("fake_B", "F", 250 - source),
        ):
            for path in (tmp_path / "p2p" / "images" / f"n{row}_{end}.png", tmp_path / part / f"n{row}.png"):
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    return tmp_path


def test_three_forms(folders: Path) -> None:
    forms = {
        "triples": (folders / "p2p",),
        "folders": ("--source", folders / "A", "--target", folders / "B", "--generated", folders / "F"),
        "unpaired": ("--real", folders / "B", "--generated", folders / "F"),
    }
    numbers = {}
    for name, arguments in forms.items():
        out = folders / "audits" / name
        result = invoke(*arguments, "-o", out, *FAST)
        assert result.exit_code == 0, result.output
        assert f"report: {out / 'report.html'}" in result.stdout
        assert f"look at it: somscope look {out}" in result.stdout
        assert "Can outputs be told from real images?" in result.stdout
        assert "too few for a claim" in result.stderr
        made = AuditResult.load(out)
        numbers[name] = made.numbers
        assert made.name == ("p2p" if name == "triples" else name)
        read = {Path(folder).name for folder in made.settings["folders"].values()}
        assert read == (
            {"images"} if name == "triples" else {"A", "B", "F"} if name == "folders" else {"B", "F"}
        )
        assert all(folder in made.to_html() for folder in made.settings["folders"].values())
    assert numbers["triples"] == numbers["folders"]
    assert {number.comparison for number in numbers["unpaired"]} == {"real-generated"}


def test_what_cannot_be_audited(folders: Path) -> None:
    (folders / "F" / "n3.png").write_bytes(b"broken")
    out = folders / "audit"
    result = invoke("--target", folders / "B", "--generated", folders / "F", "-o", out, *FAST)
    assert result.exit_code == 0, result.output
    assert "left out: 2" in result.stderr
    again = invoke("--target", folders / "B", "--generated", folders / "F", "-o", out, *FAST)
    assert again.exit_code == 2
    assert "give --overwrite" in again.stderr
    assert "give --overwrite" in invoke(folders / "nowhere", "-o", out).stderr  # before anything is read
    assert "seed=-1; allowed" in invoke(folders / "p2p", "--seed", "-1", "-o", folders / "x", *FAST).stderr
    assert "give a results folder; or --target" in invoke("--source", folders / "A").stderr
    assert "give a results folder; or --target" in invoke(folders / "p2p", "--real", folders / "A").stderr
    assert "is not a folder" in invoke(folders / "nowhere").stderr
    wrong = invoke(folders / "p2p", "--spaces", "pixel", "-o", folders / "x", *FAST)
    assert "did you mean 'pixels'?" in wrong.stderr
    assert not (folders / "x").exists()
