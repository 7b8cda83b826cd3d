"""Batches are the items asked for, as float32, however the data are stored; what is on the disk is read row by row."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch

from somscope.errors import InputError
from somscope.objectives.losses import Losses
from somscope.training import Feed, Phase, Task, TrainingOptions, train
from somscope.training.fingerprint import fingerprint
from somscope.training.order import epoch_order
from training.toys import blobs

CPU = torch.device("cpu")
PICTURES = np.random.default_rng(0).integers(0, 256, (50, 4, 5), dtype=np.uint8)
FLOATS = np.random.default_rng(1).random((50, 7))


def read_only(x):
    x = x.copy()
    x.setflags(write=False)
    return x


def mapped(tmp_path, x):
    np.save(tmp_path / "x.npy", x)
    return np.load(tmp_path / "x.npy", mmap_mode="r")


@pytest.mark.parametrize(
    "stored",
    [
        lambda x, _: x,
        lambda x, _: read_only(x),
        lambda x, _: np.asfortranarray(x),
        lambda x, _: x[::-1].copy()[::-1],
        lambda x, _: torch.from_numpy(x.copy()),
        lambda x, folder: mapped(folder, x),
    ],
    ids=["array", "read-only", "fortran", "reversed", "tensor", "memory-map"],
)
@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (PICTURES, PICTURES / np.float32(255)),
        (FLOATS, FLOATS.astype(np.float32)),
        (FLOATS.astype(np.float32), FLOATS.astype(np.float32)),
        (FLOATS.astype(np.float16), FLOATS.astype(np.float16).astype(np.float32)),
    ],
    ids=["uint8", "float64", "float32", "float16"],
)
def test_items_are_float32_however_they_are_stored(tmp_path, stored, x, expected):
    feed = Feed(stored(x, tmp_path), CPU)
    indices = torch.tensor([3, 49, 3, 0])
    batch = feed.batch(indices, 0.25)
    assert batch.items.dtype == torch.float32
    np.testing.assert_array_equal(batch.items, expected[indices])
    assert torch.equal(batch.indices, indices)
    assert batch.share == 0.25
    np.testing.assert_array_equal(torch.cat([b.items for b in feed.batches(16)]), expected)


def test_foreign_byte_order():
    np.testing.assert_array_equal(
        Feed(FLOATS.astype(">f4"), CPU).batch(torch.arange(50)).items, FLOATS.astype(np.float32)
    )


def test_raw_batches_keep_their_type():
    batch = Feed(PICTURES, CPU).batch(torch.tensor([7, 2]), raw=True)
    assert batch.items.dtype == torch.uint8
    np.testing.assert_array_equal(batch.items, PICTURES[[7, 2]])


def test_a_batch_is_no_view_of_the_data():
    x = FLOATS.astype(np.float32)
    Feed(x, CPU).batch(torch.arange(10)).items.zero_()
    np.testing.assert_array_equal(x, FLOATS.astype(np.float32))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((3, 2), dtype=np.int64), "dtype int64"),
        (torch.zeros(3, 2, dtype=torch.bool), r"dtype torch\.bool"),
        (np.zeros((3, 2), dtype=complex), "dtype complex"),
        (np.zeros(3), r"shape \(3,\)"),
        (np.zeros((0, 2)), r"shape \(0, 2\)"),
        ([[1.0, 2.0]], "list"),
    ],
)
def test_data_that_cannot_be_used(data, message):
    with pytest.raises(InputError, match=message):
        Feed(data, CPU)


def test_a_memory_map_is_not_copied(tmp_path):
    x = np.lib.format.open_memmap(tmp_path / "large.npy", mode="w+", dtype=np.uint8, shape=(40_000, 1000))
    feed = Feed(x, CPU)
    tracemalloc.start()  # counts what NumPy allocates
    for indices in epoch_order(len(x), True, 0, 0, 0).split(100)[:50]:
        feed.batch(indices)
    fingerprint(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < x.nbytes / 8


class Recorder(Task):
    """Learns nothing, but remembers what it saw."""

    def __init__(self):
        self.module = torch.nn.Linear(1, 1)
        self.seen = []
        self.epochs = []

    def losses(self, batch, step):
        self.seen.append(batch.indices.tolist())
        return Losses(self.module.weight.square().sum(), {})

    def at_epoch(self, epoch, feed, engine):
        self.epochs.append((epoch, len(self.seen), len(feed)))


def recorded(seed=0, **phase):
    task = Recorder()
    train([Phase("joint", task, **phase)], blobs(n=50), TrainingOptions("cpu", seed=seed))
    return task


def test_every_epoch_visits_every_item_once_in_a_new_order():
    task = recorded(n_epochs=3, batch_size=16)
    assert [len(batch) for batch in task.seen] == [16, 16, 16, 2] * 3
    epochs = [[item for batch in task.seen[i : i + 4] for item in batch] for i in (0, 4, 8)]
    assert all(sorted(order) == list(range(50)) for order in epochs)
    assert len({tuple(order) for order in epochs}) == 3
    assert task.epochs == [(0, 0, 50), (1, 4, 50), (2, 8, 50)]


def test_without_shuffling_the_order_is_that_of_the_data():
    task = recorded(n_steps=5, batch_size=16, shuffle=False)
    assert task.seen == [[*range(16)], [*range(16, 32)], [*range(32, 48)], [48, 49], [*range(16)]]


def test_a_batch_larger_than_the_data_is_all_of_them():
    assert [sorted(batch) for batch in recorded(n_epochs=2, batch_size=1000).seen] == [[*range(50)]] * 2


def test_the_order_depends_on_the_seed_alone():
    assert recorded(n_steps=7, batch_size=16).seen == recorded(n_steps=7, batch_size=16).seen
    assert recorded(n_steps=7, batch_size=16).seen != recorded(n_steps=7, batch_size=16, seed=1).seen
    orders = {tuple(epoch_order(9, True, 0, phase, epoch).tolist()) for phase in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


def test_every_value_counts_for_a_fingerprint():
    marks = {fingerprint(PICTURES)}
    for place in [(0, 0, 0), (49, 3, 4), (20, 1, 2)]:
        other = PICTURES.copy()
        other[place] ^= 1
        marks.add(fingerprint(other))
    marks.add(fingerprint(PICTURES.reshape(50, 20)))
    marks.add(fingerprint(PICTURES.view(np.uint8)[::-1]))
    assert len(marks) == 6
    assert (
        fingerprint(np.asfortranarray(PICTURES))
        == fingerprint(torch.from_numpy(PICTURES))
        == fingerprint(PICTURES)
    )


def test_fingerprints_of_tensors_of_every_type_that_is_trained_on():
    """NumPy has no bfloat16, and takes no tensor that wants a gradient."""
    floats = torch.from_numpy(FLOATS)
    for tensor in (floats, floats.to(torch.bfloat16), floats.clone().requires_grad_()):
        other = tensor.detach().clone()
        assert fingerprint(tensor) == fingerprint(other)
        other[-1] += 1
        assert fingerprint(tensor) != fingerprint(other)
    assert fingerprint(floats) == fingerprint(FLOATS) == fingerprint(floats.t().contiguous().t())


def test_large_data_are_sampled_from_end_to_end(monkeypatch):
    monkeypatch.setattr("somscope.training.fingerprint._WHOLE", 1000)
    monkeypatch.setattr("somscope.training.fingerprint._SAMPLES", 5)
    monkeypatch.setattr("somscope.training.fingerprint._SAMPLE", 40)
    x = PICTURES.repeat(4, axis=0)
    marks = {fingerprint(x)}
    for row in (0, 199):
        other = x.copy()
        other[row] ^= 1
        marks.add(fingerprint(other))
    assert len(marks) == 3
