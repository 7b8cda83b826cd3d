"""A batch map that was killed at any pass goes on to the same bits; checkpoints that do not fit are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from somscope.checkpoint import checkpoints_in, read_checkpoint, sole_training
from somscope.errors import InputError, RunError
from somscope.maps import passes
from somscope.maps.batch import sweep
from somscope.maps.som import SOM
from somscope.models.desom import DESOM
from workers import run_script

SCRIPT = Path(__file__).parent / "resumed.py"


def same_bits(folder):
    """What the training that was never killed, and the other, have in common: everything but where they began."""
    whole, killed = (dict(np.load(folder / f"{name}.npz")) for name in ("whole", "killed"))
    assert int(whole.pop("began")) == 1
    began = int(killed.pop("began"))
    assert whole.keys() == killed.keys()
    for name, array in whole.items():
        assert array.tobytes() == killed[name].tobytes(), name
    return whole, began


@pytest.mark.parametrize("mode", ["array", "file", "gaps"])
def test_a_map_killed_at_a_pass_ends_with_the_same_bits(tmp_path, mode):
    run_script(SCRIPT, tmp_path, mode)
    whole, began = same_bits(tmp_path)
    n_passes = whole["history"].shape[1]
    assert began == n_passes or began == n_passes - 1
    assert int((tmp_path / "kills").read_text()) >= 3
    names = [path.name for path in checkpoints_in(tmp_path / "killed.checkpoints")]
    assert names == [f"step-{n:09d}" for n in (n_passes - 1, n_passes)]
    assert not [p for p in (tmp_path / "killed.checkpoints").glob(".*") if p.name != ".lock"]


def test_two_processes_of_which_one_is_killed_are_started_again_and_go_on(tmp_path):
    run_script(SCRIPT, tmp_path, "several")
    _, began = same_bits(tmp_path)
    assert began == 3


X = np.random.default_rng(0).random((200, 3))


def fitted(folder, x=X, **changed):
    return SOM(**{"grid": (3, 3), "n_passes": 3, "checkpoints": folder, "random_state": 0, **changed}).fit(x)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three passes, of which the last two have checkpoints."""
    monkeypatch.setattr(passes, "MINUTES", 0.0)
    fitted(tmp_path / "kept")
    return tmp_path / "kept"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({}, "holds checkpoints of a training"),
        ({"resume": True, "n_passes": 4}, "model n_passes was 3 and is 4"),
        ({"resume": True, "grid": (3, 4)}, "model grid 1 was 3 and is 4"),
        ({"resume": True, "feature_weights": [1, 1, 2]}, "model feature_weights"),
        ({"resume": True, "x": X[::-1]}, "other data"),
        ({"resume": True, "x": X[:150]}, "items was 200 and is 150"),
        ({"resume": True, "x": X.astype(np.float32)}, "other data"),
    ],
)
def test_another_training_is_refused(folder, changed, message):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(RunError, match=message):
        fitted(folder, **changed)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != ".lock"} == before


def test_a_checkpoint_of_another_model_is_refused_in_few_words(folder):
    with pytest.raises(RunError, match=r"other settings: .+; and \d+ more$") as refused:
        DESOM((3, 3), checkpoints=folder, resume=True, n_steps=2, pretrain_epochs=0, random_state=0).fit(
            X.astype(np.float32)
        )
    assert str(refused.value).count(" was ") == 5


@pytest.mark.parametrize("name", ["state.json", "state.safetensors"])
def test_a_broken_checkpoint_is_refused(folder, name):
    file = checkpoints_in(folder)[-1] / name
    content = file.read_bytes()
    for broken in (content[:-9], content[:20] + b"?" + content[21:], b""):
        file.write_bytes(broken)
        with pytest.raises(RunError, match=r"step-000000003"):
            fitted(folder, resume=True)
    file.unlink()
    with pytest.raises(RunError, match="is missing"):
        fitted(folder, resume=True)


def test_a_checkpoint_of_something_else_is_refused(folder, monkeypatch):
    found = read_checkpoint(checkpoints_in(folder)[-1])
    tensors = found.tensors(list(found.shapes))
    path = "somscope.checkpoint.Checkpoint.tensors"
    for wrong in (
        {},
        {name: tensor[1:] for name, tensor in tensors.items()},
        {name: tensor * np.nan for name, tensor in tensors.items()},
    ):
        monkeypatch.setattr(path, lambda self, names, wrong=wrong: {name: wrong[name] for name in names})
        with pytest.raises(RunError, match="not a whole checkpoint"):
            fitted(folder, resume=True)


@pytest.mark.parametrize("number", ["nan", 10**400, None])
def test_a_checkpoint_whose_history_holds_no_numbers_is_refused(folder, monkeypatch, number):
    found = read_checkpoint(checkpoints_in(folder)[-1])
    found.facts["rows"][1][2] = number
    monkeypatch.setattr(passes, "read_checkpoint", lambda _: found)
    with pytest.raises(RunError, match="not a whole checkpoint"):
        fitted(folder, resume=True)


def test_ctrl_c_while_a_checkpoint_is_written_writes_it_all_the_same(tmp_path, monkeypatch):
    write = passes.write_checkpoint

    def interrupted(*arguments):
        monkeypatch.setattr(passes, "write_checkpoint", write)
        raise KeyboardInterrupt

    monkeypatch.setattr(passes, "MINUTES", 0.0)
    monkeypatch.setattr(passes, "write_checkpoint", interrupted)
    assert (som := fitted(tmp_path / "a")).stop_reason_ == "interrupted"
    assert som.n_iter_ == 1
    assert [path.name for path in checkpoints_in(tmp_path / "a")] == ["step-000000001"]


def test_a_folder_in_use_is_refused(folder):
    with sole_training(folder), pytest.raises(RunError, match="another process"):
        fitted(folder, resume=True)


def test_a_short_training_writes_none_and_an_interrupted_one_writes_one(tmp_path, monkeypatch):
    assert fitted(tmp_path / "a").stop_reason_ == "schedule finished"
    assert not checkpoints_in(tmp_path / "a")
    seen = []

    def stop(*arguments):
        seen.append(arguments)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return sweep(*arguments)

    monkeypatch.setattr("somscope.maps.batch.sweep", stop)
    half = fitted(tmp_path / "b")
    assert (half.stop_reason_, half.n_iter_) == ("interrupted", 2)
    assert [path.name for path in checkpoints_in(tmp_path / "b")] == ["step-000000002"]
    monkeypatch.undo()
    rest, whole = fitted(tmp_path / "b", resume=True), fitted(None)
    np.testing.assert_array_equal(rest.prototypes_, whole.prototypes_)
    assert rest.history_["moved"] == whole.history_["moved"]
    assert rest.history_["seconds"][2] >= half.history_["seconds"][1]


def test_a_disk_that_is_full_does_not_end_the_training(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise RunError("no space left")

    monkeypatch.setattr(passes, "MINUTES", 0.0)
    monkeypatch.setattr(passes, "write_checkpoint", full)
    assert fitted(tmp_path / "a").n_iter_ == 3
    assert caplog.text.count("no space left; those written before are untouched") == 3


def test_what_cannot_have_checkpoints_says_so(tmp_path):
    with pytest.raises(InputError, match="'online' writes no checkpoints"):
        fitted(tmp_path / "a", algorithm="online")
    with pytest.raises(InputError, match="iterator"):
        SOM((3, 3), checkpoints=tmp_path / "a").fit_blocks(iter([X]))
    with pytest.raises(InputError, match="checkpoints=3"):
        fitted(3)
    with pytest.raises(InputError, match="resume='yes'"):
        fitted(None, resume="yes")


def test_a_saved_map_does_not_name_its_checkpoints(folder, tmp_path):
    found = SOM.load(fitted(folder, resume=True).save(tmp_path / "map"))
    assert (found.checkpoints, found.resume) == (None, False)
