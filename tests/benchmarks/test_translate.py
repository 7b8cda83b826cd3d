"""The benchmark of pix2pix: what it times in turn, its bare step, its ratios, and what the manual says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import translate
from somscope import Pix2Pix

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")


def test_steps_are_timed_in_turn(monkeypatch):
    told = []
    update, bare = translate.Pix2PixTask.update, translate.BareStep.__call__
    monkeypatch.setattr(translate.Pix2PixTask, "update", lambda *a: told.append("somscope") or update(*a))
    monkeypatch.setattr(translate.BareStep, "__call__", lambda *a: told.append("bare") or bare(*a))
    ours, plain = translate.train_both(32, 2, CPU, "fp32", 3)
    assert told == ["bare", "somscope"] * (translate.WARM + 4)
    assert len(ours) == len(plain) == 3
    assert min(min(pair) for pair in ours + plain) > 0


def test_the_bare_step_is_that_of_pix2pix():
    bare = translate.BareStep(32, 2, CPU, "fp32")
    a, b = (
        ((plane[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()[None] for plane in (bare.a, bare.b)
    )
    model = Pix2Pix(filters=2, discriminator_filters=2, n_epochs=1, n_decay_epochs=0, enlarge=1.0, flip=False,
                    dropout=False, device="cpu", random_state=0, verbose=False)  # fmt: skip
    model.image_size_ = (32, 32)
    model.architecture_ = model._architecture(3, 3)
    start = model._module(torch.Generator().manual_seed(model._seed()))
    bare.net.load_state_dict(start.generator.state_dict())
    bare.judge.load_state_dict(start.discriminator.state_dict())
    bare()
    model.fit(a, b)
    for plain, ours in ((bare.net, model.module_), (bare.judge, model.discriminator_)):
        for name, wanted in plain.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[name], wanted, rtol=1e-4, atol=2e-6, msg=name)


def test_applying_is_timed_in_turn():
    ours, plain = translate.apply_both(32, 2, CPU, 2)
    assert len(ours) == len(plain) == 2
    assert min(min(pair) for pair in ours + plain) > 0


@pytest.mark.parametrize(("cuda", "ratio"), [(False, 1.25), (True, 3.0)])
def test_ratios_are_those_of_pairs_by_the_clock_that_counts(cuda, ratio):
    ours, plain = [(6.0, 5.0), (9.0, 2.0), (30.0, 4.0)], [(2.0, 4.0), (3.0, 2.0), (3.0, 1.0)]
    row, bare = translate.rows("x", "fp32", ours, plain, 2, cuda)
    assert row["measures"]["ratio_to_bare"]["mean"] == ratio
    assert row["measures"]["seconds_each"]["mean"] == 4.5
    assert bare["measures"]["cpu_seconds_each"]["mean"] == 1.0
    assert "ratio_to_bare" not in bare["measures"]


def test_the_manual_says_what_was_measured():
    content = json.loads((ROOT / "results" / "bench-translate.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for title, data in (
        ("a training step", "pix2pix-step-256-filters64"),
        ("an image", "pix2pix-apply-256-filters64"),
    ):
        ours, bare = (
            next(r["measures"] for r in content["rows"] if (r["data"], r["model"]) == (data, model))
            for model in ("somscope", "plain-pytorch")
        )
        cells = [ours["cpu_seconds_each"], bare["cpu_seconds_each"], ours["ratio_to_bare"]]
        assert f"| {title} | " + " | ".join(f"{cell['mean']:.2f}" for cell in cells) + " |" in page
