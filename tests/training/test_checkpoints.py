"""A checkpoint that is damaged or of another training is refused by name; a full disk costs only the new one."""

from __future__ import annotations

import hashlib
import json
import logging
import resource

import numpy as np
import pytest
import torch

from somscope.atomic import locked
from somscope.checkpoint import checkpoints_in, read_checkpoint
from somscope.errors import RunError
from somscope.training import Phase, TrainingOptions, train
from training.toys import Autoencoder, Rivals, blobs


def run(folder, data=None, task=None, steps=12, batch_size=64, resume=True, **options):
    task = task or Autoencoder()
    phase = Phase("joint", task, n_steps=steps, batch_size=batch_size)
    options = TrainingOptions("cpu", checkpoints=folder, checkpoint_steps=4, resume=resume, **options)
    trained = train([phase], blobs() if data is None else data, options)
    return task, trained


@pytest.fixture
def folder(tmp_path):
    """Checkpoints after steps 8 and 12 of 12."""
    run(tmp_path / "made", resume=False)
    return tmp_path / "made"


def test_a_folder_holds_safetensors_json_and_the_history(folder):
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    steps = ("step-000000008", "step-000000012")
    states = {f"{step}/{name}" for step in steps for name in ("state.json", "state.safetensors")}
    assert names == {"metrics.jsonl", "history.parquet", *states}


def test_checkpoints_are_written_by_the_clock(tmp_path, monkeypatch):
    clock = iter(range(0, 10_000, 20))  # seconds: 20 pass between two looks
    monkeypatch.setattr("somscope.training.saver.monotonic", lambda: next(clock))
    written = []
    monkeypatch.setattr(
        "somscope.training.saver.write_checkpoint", lambda folder, step, *_: written.append(step)
    )
    phase = Phase("joint", Autoencoder(), n_steps=20)
    train([phase], blobs(), TrainingOptions("cpu", checkpoints=tmp_path, checkpoint_minutes=1, log_steps=2))
    assert written == [6, 12, 18, 20]  # after the third look, at rows only, and at the end


def truncate(path):
    path.write_bytes(path.read_bytes()[:-7])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(bytes(content))


def empty(path):
    path.write_bytes(b"")


def swell(path):
    with path.open("r+b") as file:
        file.truncate(2**40)  # sparse: it takes no room on the disk


def other_format(path):
    rewrite(path, lambda facts: facts.update(format=99))


def another_step(path):
    read = json.loads(path.read_text())
    read["facts"]["position"]["step"] = 1
    path.write_text(json.dumps(read))


def rewrite(path, change):
    """Change the facts, with a check sum that fits."""
    facts = json.loads(path.read_text())["facts"]
    change(facts)
    text = json.dumps(facts)
    path.write_text(f'{{"sha256": "{hashlib.sha256(text.encode()).hexdigest()}", "facts": {text}}}')


@pytest.mark.parametrize(
    ("name", "harm", "message"),
    [
        ("state.safetensors", truncate, "not as it was written"),
        ("state.safetensors", flip, "not as it was written"),
        ("state.safetensors", empty, "not as it was written"),
        ("state.safetensors", lambda path: path.unlink(), "is missing"),
        ("state.json", truncate, "cannot be read"),
        ("state.json", flip, "not as it was written|cannot be read"),
        ("state.json", empty, "cannot be read"),
        ("state.json", swell, "larger than"),
        ("state.json", another_step, "not as it was written"),
        ("state.json", other_format, "format 99"),
        ("state.json", lambda path: path.unlink(), "is missing"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_can_be_used(folder, name, harm, message):
    newest = checkpoints_in(folder)[-1]
    harm(newest / name)
    with pytest.raises(RunError, match=message) as raised:
        run(folder)
    assert str(newest) in str(raised.value)
    for file in newest.iterdir():
        file.unlink()
    newest.rmdir()
    _, trained = run(folder)
    assert trained.n_steps == 12


def test_sizes_that_a_file_only_declares_are_not_allocated(folder):
    newest = checkpoints_in(folder)[-1]
    header = json.dumps(
        {"module.0.0.weight": {"dtype": "F32", "shape": [2**20, 2**20], "data_offsets": [0, 2**42]}}
    )
    content = len(header).to_bytes(8, "little") + header.encode() + b"\0" * 64
    (newest / "state.safetensors").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    rewrite(newest / "state.json", lambda facts: facts.update(tensors_sha256=digest))
    with pytest.raises(RunError, match="cannot be read as a checkpoint"):
        run(folder)


def test_what_a_killed_process_left_is_removed(folder):
    (folder / ".step-000000016.partial").mkdir()
    (folder / ".step-000000016.partial" / "state.json").touch()
    (folder / ".metrics.123.partial.jsonl").touch()
    (folder / ".gitignore").touch()  # not ours
    run(folder)
    assert [p.name for p in folder.glob(".*")] == [".gitignore"]


def test_another_model_is_refused(folder):
    with pytest.raises(RunError, match=r"task was 'Autoencoder' and is 'Rivals'"):
        run(folder, task=Rivals())
    deeper = Autoencoder(middle=(torch.nn.Linear(3, 3),))
    with pytest.raises(RunError, match=r"of another model: .* absent"):
        run(folder, task=deeper)
    wider = Autoencoder()
    wider.module[2] = torch.nn.Linear(3, 20)
    with pytest.raises(RunError, match=r"2\.(weight|bias) is \(12.*\) there and \(20.*\) here"):
        run(folder, task=wider)


def test_other_settings_are_refused(folder):
    with pytest.raises(RunError, match=r"phases 0 batch_size was 64 and is 32$"):
        run(folder, batch_size=32)
    with pytest.raises(RunError, match="seed was 0 and is 5"):
        run(folder, seed=5)
    with pytest.raises(RunError, match="steps was 12 and is 20"):
        run(folder, steps=20)


def test_a_history_that_a_killed_process_left_out_is_written(folder):
    whole = (folder / "history.parquet").read_bytes()
    (folder / "history.parquet").unlink()
    run(folder)
    assert (folder / "history.parquet").read_bytes() == whole


def test_another_learning_rate_or_model_is_refused(folder):
    with pytest.raises(RunError, match=r"adam groups 0 lr was 0.005 and is 0.02$"):
        run(folder, task=Autoencoder(lr=0.02))
    with pytest.raises(RunError, match=r"model depth was None and is 2$"):
        run(folder, settings={"depth": 2})


def test_other_optimizers_are_refused(folder):
    class Slow(Autoencoder):
        def optimizers(self):
            return {"adam": torch.optim.Adam(self.module.parameters(), lr=self.lr, betas=(0.5, 0.9))}

    Slow.__name__ = "Autoencoder"
    with pytest.raises(RunError, match=r"adam groups 0 betas 0 was 0.9 and is 0.5"):
        run(folder, task=Slow())


def test_other_data_are_refused_unless_told(folder):
    newest = checkpoints_in(folder)[-1]
    for file in newest.iterdir():
        file.unlink()
    newest.rmdir()
    other = blobs()
    other[17, 3] += 0.25
    with pytest.raises(RunError, match="other_data=True goes on"):
        run(folder, other)
    _, trained = run(folder, other, other_data=True)
    assert trained.n_steps == 12


def test_a_new_training_does_not_write_over_another(folder):
    with pytest.raises(RunError, match="resume=True goes on with it"):
        run(folder, resume=False)
    assert read_checkpoint(checkpoints_in(folder)[-1]).facts["position"]["done"] == 12


def test_a_folder_that_cannot_be_written_is_an_error_before_the_training(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(RunError, match="cannot hold checkpoints"):
            run(place, resume=False)


def test_resuming_without_a_checkpoint_begins_and_says_so(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        _, trained = run(tmp_path / "none")
    assert "holds no checkpoint: the training begins at its start" in caplog.text
    assert trained.n_steps == 12


def test_resuming_what_was_complete_gives_the_same_once_more(folder, tmp_path):
    whole, first = run(tmp_path / "again", resume=False)
    again, second = run(tmp_path / "again")
    assert second.history == first.history
    for a, b in zip(whole.module.parameters(), again.module.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_checkpoint_that_does_not_fit_on_the_disk_leaves_those_before_it(tmp_path, caplog):
    folder = tmp_path / "full"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    class Filling(Autoencoder):
        def losses(self, batch, step):
            if step == 8:  # from here on no file can grow beyond what is a part of a checkpoint
                resource.setrlimit(resource.RLIMIT_FSIZE, (6000, limits[1]))
            return super().losses(batch, step)

    Filling.__name__ = "Autoencoder"
    try:
        task, trained = run(folder, task=Filling(), resume=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (trained.stop_reason, trained.n_steps) == ("completed", 12)  # what was learned is not thrown away
    assert any("no checkpoint at step 12" in warning for warning in trained.warnings)
    assert "no checkpoint at step 12" in caplog.text
    assert [p.name for p in checkpoints_in(folder)] == ["step-000000004", "step-000000008"]
    assert not list(folder.glob(".step*"))
    resumed, _ = run(folder)
    for a, b in zip(task.module.parameters(), resumed.module.parameters(), strict=True):
        assert torch.equal(a, b)


def test_checkpoints_of_memory_maps_and_arrays_have_one_fingerprint(folder, tmp_path):
    np.save(tmp_path / "x.npy", blobs())
    _, trained = run(folder, np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert trained.n_steps == 12
    run(folder, torch.from_numpy(blobs()))


def test_a_second_training_with_the_same_checkpoints_is_refused(folder):
    with locked(folder / ".lock"), pytest.raises(RunError, match=r"another process \(\d+\) trains"):
        run(folder)
    _, trained = run(folder)
    assert trained.n_steps == 12
    assert not (folder / ".lock").exists()


def test_a_checkpoint_of_something_else_is_refused(folder):
    newest = checkpoints_in(folder)[-1]
    for what in ("threads", "position", "history"):
        before = (newest / "state.json").read_text()
        rewrite(newest / "state.json", lambda facts, what=what: facts.update({what: [1]}))
        with pytest.raises(RunError, match=r"not a whole checkpoint|other"):
            run(folder)
        rewrite(newest / "state.json", lambda facts, what=what: facts.pop(what))
        with pytest.raises(RunError, match="not a whole checkpoint"):
            run(folder)
        (newest / "state.json").write_text(before)
