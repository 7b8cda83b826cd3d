"""Ctrl-C in the middle of training keeps the map so far; early stopping says why."""

from __future__ import annotations

import contextlib
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from somscope.maps.items import DenseItems
from somscope.maps.som import SOM


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)[0]


def interrupting(after):
    def track(iterable, *_, **__):
        for i, step in enumerate(iterable):
            if i == after:
                raise KeyboardInterrupt
            yield step

    return track


@pytest.mark.parametrize("passes", [0, 3])
def test_an_interrupted_batch_map_is_the_map_of_the_passes_made(monkeypatch, digits, passes):
    options = {"grid": (5, 5), "radius": (2.0, 2.0), "n_passes": 8}
    monkeypatch.setattr("somscope.maps.batch.track", interrupting(passes))
    som = SOM(**options).fit(digits)
    monkeypatch.undo()
    assert som.stop_reason_ == "interrupted"
    assert som.n_iter_ == passes == len(som.history_["radius"])
    assert som.labels_.shape == (len(digits),)
    if passes:
        finished = SOM(**options).set_params(n_passes=passes).fit(digits)
        np.testing.assert_array_equal(som.prototypes_, finished.prototypes_)


def test_an_interrupted_online_map_is_kept(monkeypatch, digits):
    monkeypatch.setattr("somscope.maps.online.track", interrupting(20))
    som = SOM(grid=(5, 5), algorithm="online", random_state=0).fit(digits)
    assert som.stop_reason_ == "interrupted"
    assert som.n_iter_ == 2  # 20 eighths
    assert som.quantization_error(digits) < 32


SLOW = """
import sys
import numpy as np
from somscope.maps.items import DenseItems
from somscope.maps.som import SOM

x = np.random.default_rng(0).random((3000, 50))
SOM(grid=(4, 4), n_passes=2).fit(x)
print("ready", flush=True)
som = SOM(grid=(30, 30), n_passes=1_000_000, radius=(9.0, 1.0)).fit(x)
print(som.stop_reason_, som.n_iter_, som.hits_.sum(), flush=True)
"""


def test_a_real_ctrl_c_keeps_the_map():
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    reason, passes, hits = out.split()
    assert reason == "interrupted"
    assert int(passes) >= 1
    assert hits == "3000"


def test_a_map_that_no_longer_moves_stops(digits):
    som = SOM(grid=(2, 3), radius=(1.0, 0.0), radius_decay="linear", tol=0.0).fit(digits)
    assert som.stop_reason_ == "no item changed its unit"
    assert som.n_iter_ == len(som.history_["pass"]) < 31


def test_a_settled_error_stops_and_a_fixed_number_of_passes_does_not(digits):
    settled = SOM(grid=(8, 8), random_state=0).fit(digits)
    assert settled.stop_reason_ == "the error fell by less than 0.001 of itself"
    assert "n_passes" in settled.chosen_
    fixed = SOM(grid=(8, 8), n_passes=4, random_state=0).fit(digits)
    assert fixed.n_iter_ == 4
    assert fixed.stop_reason_ == "schedule finished"
    assert "n_passes" not in fixed.chosen_


@pytest.mark.parametrize("algorithm", ["batch", "online"])
def test_an_interrupt_at_any_line_of_training_leaves_whole_rows_of_the_history(digits, algorithm):
    kept = 0
    for stop in range(0, 200, 3):
        som = SOM(grid=(3, 3), algorithm=algorithm, n_passes=3, radius=(1.0, 0.5), random_state=0)
        if not stopped_at(stop, (f"maps/{algorithm}.py",), som.fit, digits[:200]):
            break
        if hasattr(som, "history_"):  # training had begun
            assert {len(values) for values in som.history_.values()} == {som.n_iter_}
            kept += som.n_iter_ > 0
    assert kept > 5


def test_an_interrupted_stream_is_the_map_of_the_blocks_before(digits):
    def stream(stop):
        for start in range(0, 1200, 300):
            if start == stop:
                raise KeyboardInterrupt
            yield digits[start : start + 300]

    options = {"grid": (4, 4), "random_state": 0}
    som = SOM(**options).fit_blocks(stream(900))
    assert som.stop_reason_ == "interrupted"
    expected = SOM(**options).fit_blocks(iter([digits[:300], digits[300:600], digits[600:900]]))
    np.testing.assert_array_equal(som.prototypes_, expected.prototypes_)
    assert som.hits_.sum() == 900
    assert not hasattr(som, "labels_")


def test_a_stream_interrupted_in_its_first_training_reads_no_further(monkeypatch, digits):
    read = []

    def stream():
        for i in range(3):
            read.append(i)
            yield digits[300 * i : 300 * i + 300]

    monkeypatch.setattr("somscope.maps.batch.track", interrupting(2))
    som = SOM(grid=(4, 4), random_state=0).fit_blocks(stream())
    assert som.stop_reason_ == "interrupted"
    assert read == [0]
    assert som.hits_.sum() == 300


def test_an_interrupt_at_any_line_of_partial_fit_leaves_the_map_before_it_or_after_it(digits):
    before = SOM(grid=(3, 3), random_state=0).fit(digits[:200])
    after = pickle.loads(pickle.dumps(before)).partial_fit(digits[200:400])
    seen = {"before": 0, "after": 0}
    for stop in range(1000):
        som = pickle.loads(pickle.dumps(before))
        if not stopped_at(
            stop, ("maps/som.py", "maps/fitting.py", "maps/refine.py"), som.partial_fit, digits[200:400]
        ):
            break
        state = "before" if som.n_iter_ == before.n_iter_ else "after"
        expected = {"before": before, "after": after}[state]
        seen[state] += 1
        for name in ("prototypes_", "hits_", "_held", "u_matrix_", "labels_"):
            np.testing.assert_array_equal(getattr(som, name), getattr(expected, name))
        assert som.inertia_ == expected.inertia_
    assert min(seen.values()) > 0
    assert stop > 20


def stopped_at(stop, files, call, *given):
    """Raise KeyboardInterrupt at the line number `stop` of all that run in these files; whether there were so many."""
    lines = 0

    def trace(frame, event, _):
        nonlocal lines
        if not frame.f_code.co_filename.endswith(files):
            return None
        if event in ("line", "return"):
            lines += 1
            if lines > stop:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    with contextlib.suppress(KeyboardInterrupt):
        call(*given)
    sys.settrace(before)
    return lines > stop


@pytest.mark.parametrize("streamed", [False, True])
def test_ctrl_c_while_items_are_placed_costs_neither_map_nor_labels(monkeypatch, digits, streamed, caplog):
    """The search after the last pass is not part of the training, and must not lose it."""
    from somscope.maps import fitting

    train = fitting.train_batch

    def press_after_training(*given):
        trained = train(*given)
        nearest = DenseItems.nearest

        def pressed(self, *rest, **options):
            signal.raise_signal(signal.SIGINT)
            monkeypatch.setattr(DenseItems, "nearest", nearest)
            return nearest(self, *rest, **options)

        monkeypatch.setattr(DenseItems, "nearest", pressed)
        return trained

    monkeypatch.setattr(fitting, "train_batch", press_after_training)
    som = SOM(grid=(5, 5), random_state=0)
    interrupted = som.fit_blocks([digits]) if streamed else som.fit(digits)
    monkeypatch.undo()
    assert "Ctrl-C: the map is trained" in caplog.text
    assert interrupted.stop_reason_ == "interrupted"
    assert interrupted.hits_.sum() == len(digits)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_the_first_block_is_placed_ends_a_stream(monkeypatch, digits):
    from somscope.maps import fitting

    read = []

    def blocks():
        for start in range(0, 1500, 500):
            read.append(start)
            yield digits[start : start + 500]

    describe = fitting.describe

    def pressed(*given):
        signal.raise_signal(signal.SIGINT)
        return describe(*given)

    monkeypatch.setattr(fitting, "describe", pressed)
    som = SOM(grid=(5, 5), random_state=0).fit_blocks(blocks())
    assert som.stop_reason_ == "interrupted"
    assert read == [0]
    assert som.hits_.sum() == 500
