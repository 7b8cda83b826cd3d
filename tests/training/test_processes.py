"""Two processes under torchrun learn what one process learns from the same global batches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from somscope import parts
from workers import run_script

DEEP = ("desom", "contrastive-rows")
IMAGES = ("contrastive", "bingan", "contrastive-hash")
RANDOM = ("vade", "dpsom", "wamic", "dec", "dc-somrl")

LOOSE = {
    "bingan": 2e-3,  # soft signs are steep
    "wamic": 2e-3,  # nothing holds the critic's last bias, which Adam moves by the rounding
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """What one process and two wrote."""
    home = tmp_path_factory.mktemp("processes")
    run_script(Path(__file__).parent / "several.py", home)
    return home / "1", home / "2"


def weights(folder, rank=0):
    return load_file(folder / f"weights-{rank}.safetensors")


@pytest.mark.parametrize("what", ["same", "random"])
def test_the_weights_are_those_of_one_process(folders, what):
    one, two = (weights(folder / what) for folder in folders)
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize(
    ("model", "n_processes"), [*((m, 2) for m in (*DEEP, *IMAGES, *RANDOM)), *((m, 4) for m in DEEP)]
)
def test_a_model_is_that_of_one_process(folders, model, n_processes):
    one = np.load(folders[0] / model / "model-0.npz")
    for rank in range(n_processes):
        found = np.load(folders[0].parent / str(n_processes) / model / f"model-{rank}.npz")
        assert found.files == one.files
        for name in found.files:
            atol = 1 if name == "made" else LOOSE.get(model, 2e-5)
            np.testing.assert_allclose(found[name], one[name], rtol=1e-4, atol=atol, err_msg=name)
    assert len(one["history.step"]) >= 3


@pytest.mark.parametrize("what", ["same", "random", "estimator"])
def test_every_process_ends_with_the_same_weights(folders, what):
    first, second = (weights(folders[1] / what, rank) for rank in (0, 1))
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def test_the_history_is_that_of_one_process(folders):
    one, two = (json.loads((folder / "same" / "history-0.json").read_text()) for folder in folders)
    assert one.keys() == two.keys()
    assert one["phase"] == two["phase"]
    for name in one.keys() - {"phase"}:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4, err_msg=name)


def test_interrupted_processes_stop_together_and_resume_as_if_they_had_not(folders):
    whole, resumed = (weights(folders[1] / what) for what in ("random", "resumed"))
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name


def test_only_the_first_process_writes(folders):
    rows = (folders[1] / "same" / "checkpoints" / "metrics.jsonl").read_text().splitlines()
    assert len(rows) == 8
    assert not list(folders[1].rglob("*.partial"))


@pytest.mark.parametrize(("size", "n_processes"), [(256, 2), (7, 3), (1, 2), (2, 4)])
def test_the_parts_hold_every_item_once_and_their_shares_add_up_to_1(size, n_processes):
    found = [parts.part_of(size, rank, n_processes) for rank in range(n_processes)]
    rows = np.concatenate([np.arange(part.low, part.high) for part in found if part.share])
    np.testing.assert_array_equal(rows, np.arange(size))
    assert sum(part.share for part in found) == pytest.approx(1.0)
    assert all(part.high > part.low for part in found)
    sizes = [part.high - part.low for part in found if part.share]
    assert max(sizes) - min(sizes) <= 1
    assert [part.share for part in found if part.share] == [n / size for n in sizes]


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("views", [1, 2])
def test_what_the_parts_draw_is_what_is_drawn_for_all(views, order):
    x = torch.rand(views * 7, 3, 4, 5).to(memory_format=order)
    draws = (
        lambda x: parts.rand(*x.shape),
        lambda x: parts.randn(len(x), 2),
        lambda x: parts.randint(9, len(x)),
        parts.rand_like,
        parts.randn_like,
        lambda x: parts.dropout(x, 0.4),
    )

    def drawn(x):
        torch.manual_seed(0)
        return [draw(x) for draw in draws]

    whole = drawn(x)
    torch.manual_seed(0)
    plain = [torch.rand(x.shape), torch.randn(len(x), 2), torch.randint(9, (len(x),)), torch.rand_like(x)]
    plain += [torch.randn_like(x), torch.nn.functional.dropout(x, 0.4)]
    found = []
    for rank in range(3):
        with parts.working_on(parts.part_of(7, rank, 3)):
            assert parts.whole_size(2) == 7
            found.append(drawn(parts.own_rows(x).contiguous(memory_format=order)))
    for number, expected in enumerate(plain):
        assert torch.equal(whole[number], expected)
        each = [rows[number].unflatten(0, (views, -1)) for rows in found]
        assert torch.equal(torch.cat(each, 1).flatten(0, 1), expected), number
