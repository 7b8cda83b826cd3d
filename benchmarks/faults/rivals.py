"""Two processes that write the same run, and a clock that goes backwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.faults.processes import ask, beside, command, run_command, started, wait_until
from benchmarks.faults.rows import Row

from somscope.data.open import open_collection
from somscope.mapping import map_collection
from somscope.runs.run import Run

__all__ = ["clock", "clock_worker", "two_writers"]

_SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static long calls = 0;
static int real(clockid_t id, struct timespec *now) {
    static int (*next)(clockid_t, struct timespec *);
    if (!next) next = (int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");
    return next(id, now);
}
int clock_gettime(clockid_t id, struct timespec *now) {
    int code = real(id, now);
    if (id == CLOCK_REALTIME) now->tv_sec -= 3600 * ++calls % 400000000;
    return code;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec fine;
    int code = clock_gettime(CLOCK_REALTIME, &fine);
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return code;
}
time_t time(time_t *into) {
    struct timespec fine;
    clock_gettime(CLOCK_REALTIME, &fine);
    if (into) *into = fine.tv_sec;
    return fine.tv_sec;
}
"""  # every look at the clock is an hour before the last one


def two_writers(folder: Path, times: int, rng: np.random.Generator) -> list[Row]:
    """A second `somscope map` into the folder that a first one, which is held, is writing; every other first one is
    then killed, and the others go on to their end."""
    data = folder / "data.npy"
    np.save(data, rng.random((2000, 20)))
    kept: Counter[str] = Counter()
    said = ""

    def first_one(path: Path) -> None:
        run_command("map", data, "-o", path, "--grid", "4x4", "--passes", "1")

    for number in range(times):
        path = folder / f"{number:03}" / "run"
        with started(lambda path=path: first_one(path)) as first:
            wait_until(lambda path=path: path.with_name(".run.partial").exists())
            os.kill(first, signal.SIGSTOP)
            spoken = command("map", data, "-o", path, "--passes", "1")
            refused = spoken.code == 2 and "another process is writing" in spoken.said and not path.exists()
            said = said or spoken.said.replace(f"{folder}{os.sep}", "").replace(str(first), "N")
            if number % 2:
                os.kill(first, signal.SIGKILL)
                os.waitpid(first, 0)
                went = command("map", data, "-o", path, "--passes", "1").code == 0
                state = "the first was killed, and the third went through"
            else:
                os.kill(first, signal.SIGCONT)
                went = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) == 0
                state = "and the first came to its end"
            whole = beside(path.parent) == ["run"] and ask(lambda path=path: Run.open(path).n_items) == 2000
        kept[f"the second was refused, {state}" if refused and went and whole else "half"] += 1
    return [
        Row(
            "two processes write one run",
            times,
            "; ".join(f"{state}: {count}" for state, count in kept.items()),
            said,
            failed=kept["half"],
        )
    ]


def clock(folder: Path, times: int, rng: np.random.Generator) -> list[Row]:
    """A map, and a deep map that is killed and resumed, where every look at the clock is an hour before the last."""
    if shutil.which("cc") is None:
        raise RuntimeError("the clock is set back by a library that a C compiler makes: there is none (cc)")
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(_SHIM)
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True, capture_output=True
    )
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults", "--clock-worker", str(folder), "--times", str(times)],
        env=os.environ | {"LD_PRELOAD": str(library)}, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    told = json.loads(done.stdout.splitlines()[-1])
    return [
        Row(
            "the clock goes back an hour at every look",
            times,
            f"{told['whole']} runs are whole; {told['trained']}",
            "nothing but the times in config.json",
            failed=times - told["whole"] + told["failed"],
        )
    ]


def clock_worker(folder: Path, times: int) -> dict[str, Any]:
    """The work of `clock`, in a process whose clock goes back."""
    import time

    from benchmarks.faults import killed

    looks = [time.time() for _ in range(3)]
    assert looks == sorted(looks, reverse=True)
    assert looks[0] - looks[2] > 7000
    collection = open_collection(np.random.default_rng(0).random((300, 6)), name="random")

    def write(path: Path) -> str:
        run = map_collection(collection, path, parameters={"grid": (4, 4), "n_passes": 2}, overwrite=True)
        return ", ".join(entry["what"] for entry in run.config["left_out"])

    whole = sum(ask(lambda: write(folder / "run")) == "" for _ in range(times))
    (folder / "training").mkdir()
    trained = killed.training(folder / "training", times, np.random.default_rng(0))[0]
    return {"whole": whole, "trained": trained.lost, "failed": trained.failed}
