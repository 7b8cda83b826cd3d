"""Ranges side by side: nothing runs on after an error or Ctrl-C, and BLAS gets its threads back, after a fork too."""

from __future__ import annotations

import _thread
import multiprocessing
import threading

import numpy as np
import pytest

from somscope.maps import threads
from somscope.maps.threads import cuts, one_blas_thread, over_ranges


def blas_threads():
    """Threads of each BLAS that the kernels use; other packages bring their own, which nobody holds."""
    return {
        library["num_threads"] for library in threads._controller().info() if library["user_api"] == "blas"
    }


@pytest.fixture
def three_threads(monkeypatch):
    monkeypatch.setattr(threads, "n_threads", lambda: 3)


def test_every_range_is_worked_on_once(three_threads):
    counts = np.zeros(1000)

    def work(lo, hi):
        counts[lo:hi] += 1

    over_ranges(work, cuts(1000, 24))
    assert (counts == 1).all()


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_in_any_range_is_raised_when_all_others_have_ended(three_threads, failing):
    ended = []

    def work(lo, hi):
        if lo == failing:
            raise ValueError(f"range {lo}")
        ended.append(lo)

    with pytest.raises(ValueError, match=f"range {failing}"):
        over_ranges(work, [0, 1, 2, 3])
    assert sorted([*ended, failing]) == [0, 1, 2]


@pytest.mark.parametrize("where", ["in its own range", "while it waits", "both"])
def test_ctrl_c_waits_for_the_other_threads(three_threads, where):
    left = threading.Event()  # set once the caller has been let go
    ended = []

    def work(lo, hi):
        if lo == 0:
            if where != "while it waits":
                raise KeyboardInterrupt
            return
        if where != "in its own range" and lo == 1:
            _thread.interrupt_main()
        ended.append(left.wait(0.2))  # True: nobody has waited for this thread

    with pytest.raises(KeyboardInterrupt):
        over_ranges(work, [0, 1, 2, 3])
    left.set()
    assert ended == [False, False]


def held_in_child(queue):
    before = blas_threads()
    with one_blas_thread():
        inside = blas_threads()
    queue.put((before, inside, blas_threads()))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)  # as it must be here
@pytest.mark.parametrize("locked", [False, True])
def test_a_process_forked_while_blas_is_held_starts_free(locked):
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    with threads._controller().limit(limits=2, user_api="blas"):
        with one_blas_thread():
            if locked:  # another thread is just about to hold it, too
                threads._held.lock.acquire()
            child = context.Process(target=held_in_child, args=(queue,))
            child.start()
            if locked:
                threads._held.lock.release()
            child.join(60)
            alive = child.is_alive()
            child.kill()
        assert not alive
        assert queue.get() == ({2}, {1}, {2})
        assert blas_threads() == {2}
