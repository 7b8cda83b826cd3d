"""SIGKILL at random moments: of trainings, of writing a run, of building and saving an index."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.faults.processes import Killed, ask, beside, kill_after, seconds_of
from benchmarks.faults.rows import Row

from somscope.checkpoint import checkpoints_in, read_checkpoint
from somscope.codes.index import CodeIndex
from somscope.data.open import open_collection
from somscope.errors import SomscopeError
from somscope.mapping import map_collection
from somscope.maps import passes as checkpoints_of_passes
from somscope.maps.som import SOM
from somscope.models.desom import DESOM
from somscope.runs import new_run
from somscope.runs.run import Run

__all__ = ["index", "kills", "passes", "run", "training"]

_STEPS, _INTERVAL, _PASSES = 150, 10, 40
_CODES, _BITS = 5_000, 64
_MOST = 20  # kills that come too late, for each that is wanted


class _Marks:
    """A logger that writes a byte for every step."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def log(self, phase: str, step: int, values: Any) -> None:
        os.write(self._descriptor, b".")

    def close(self) -> None:
        """Nothing is open."""


def training(folder: Path, times: int, rng: np.random.Generator) -> list[Row]:
    """A deep map with a checkpoint every ten steps; each that is killed is resumed, and ends with the same bits."""
    x = np.random.default_rng(0).random((512, 16), dtype=np.float32)

    def learn(place: Path, descriptor: int | None = None, resume: bool = False) -> dict[str, Any]:
        settings = {"checkpoint_steps": _INTERVAL, "log_steps": 1}
        loggers = {} if descriptor is None else {"loggers": [_Marks(descriptor)]}
        model = DESOM(
            (3, 3), 4, hidden=(32,), n_steps=_STEPS, batch_size=64, finish_steps=50, precision="fp32",
            random_state=0, checkpoints=place, resume=resume, training={**settings, **loggers},
        ).fit(x)  # fmt: skip
        digest = hashlib.sha256()
        for tensor in model.module_.state_dict().values():
            digest.update(tensor.numpy().tobytes())
        return {"bits": digest.hexdigest(), "steps": model.n_iter_}

    def newest(place: Path) -> int:
        """Steps of the newest checkpoint, after all of them were read."""
        found = [read_checkpoint(path) for path in checkpoints_in(place)] if place.is_dir() else []
        for checkpoint in found:
            checkpoint.tensors(list(checkpoint.shapes))
        return int(found[-1].facts["position"]["done"]) if found else 0

    whole = ask(lambda: learn(folder / "whole"))
    lost, same = [], 0
    for number, place, killed in kills(times, rng, folder, learn):
        lost.append(killed.marks - ask(lambda place=place: newest(place)))
        again = ask(lambda place=place: learn(place, resume=True))
        same += again["bits"] == whole["bits"]
        left = [name for name in beside(place) if name.startswith(".")]
        if left:
            raise RuntimeError(f"kill {number} left {left}")
    assert min(lost) >= 0
    return [
        Row(
            "SIGKILL while a deep map trains",
            times,
            f"at most {max(lost)} of {whole['steps']} steps, {np.mean(lost):.1f} on average "
            f"(a checkpoint every {_INTERVAL}); {same} of {times} resumed to the same bits",
            "nothing; --resume goes on",
            failed=times - same + sum(steps > _INTERVAL for steps in lost),
        )
    ]


def passes(folder: Path, times: int, rng: np.random.Generator) -> list[Row]:
    """A batch SOM with a checkpoint after every pass; each that is killed is resumed, and ends with the same bits."""
    x = np.random.default_rng(0).random((5000, 16), dtype=np.float32)

    def learn(place: Path, descriptor: int | None = None, resume: bool = False) -> str:
        checkpoints_of_passes.MINUTES = 0.0
        done = checkpoints_of_passes.Passes.done

        def marked(self: Any, passed: Any) -> None:
            if descriptor is not None:
                os.write(descriptor, b".")
            done(self, passed)

        checkpoints_of_passes.Passes.done = marked  # type: ignore[method-assign]
        som = SOM((8, 8), n_passes=_PASSES, random_state=0, checkpoints=place, resume=resume).fit(x)
        columns = [np.array(values) for name, values in som.history_.items() if name != "seconds"]
        arrays = (som.prototypes_, som.labels_, *columns)
        return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()

    def newest(place: Path) -> int:
        found = [read_checkpoint(path).facts["position"]["done"] for path in checkpoints_in(place)]
        return int(found[-1]) if found else 0

    whole = ask(lambda: learn(folder / "whole"))
    lost, same = [], 0
    for _, place, killed in kills(times, rng, folder, learn):
        lost.append(killed.marks - ask(lambda place=place: newest(place)))
        same += ask(lambda place=place: learn(place, resume=True)) == whole
        same -= any(name.startswith(".") for name in beside(place))
    return [
        Row(
            "SIGKILL while a batch SOM trains",
            times,
            f"at most {max(lost)} of {_PASSES} passes, {np.mean(lost):.1f} on average (a checkpoint after every one); "
            f"{same} of {times} resumed to the same bits",
            "nothing; --resume goes on",
            failed=times - same + sum(not 0 <= n <= 1 for n in lost),
        )
    ]


def run(folder: Path, times: int, rng: np.random.Generator) -> list[Row]:
    """Writing a run where there is none, and over one that is there, in turn."""
    collection = open_collection(np.random.default_rng(0).random((300, 6)), name="random")

    def write(path: Path, seed: int) -> None:
        map_collection(
            collection, path, parameters={"grid": (4, 4), "n_passes": 2, "random_state": seed}, overwrite=True
        )

    def again(place: Path, descriptor: int) -> None:
        os.write(descriptor, b".")
        write(place / "run", 2)

    def state(path: Path) -> str:
        """none, or the seed of the run that is whole there."""
        aside = path.with_name(f".{path.name}.old")
        where = path if path.exists() else aside
        if not where.exists():
            return "none"
        opened = Run.open(where)
        for table in (opened.assignments(), opened.items(), opened.history(), opened.units()):
            table.validate(full=True)
        opened.model().predict(collection.features)
        if opened.config["left_out"] or not (where / "report.html").read_text().rstrip().endswith("</html>"):
            raise RuntimeError(f"{where} is not whole")
        seed = str(opened.config["seed"])
        return seed if where == path else f"{seed} aside"

    def clean(path: Path) -> list[str]:
        """What lies beside a run of another name that is written next."""
        with new_run(path.with_name("other")) as other:
            (other / "config.json").write_text("{}")
        return beside(path.parent)

    kept: Counter[str] = Counter()
    for number, place, _ in kills(
        times, rng, folder, again,
        before=lambda place, number: number % 2 and ask(lambda: write(place / "run", 1)),
    ):  # fmt: skip
        found = ask(lambda place=place: state(place / "run"))
        expected = {"none", "2"} if number % 2 == 0 else {"1", "2", "1 aside"}
        kept[found if found in expected else "half"] += 1
        after = ask(lambda place=place: clean(place / "run"))
        expected_after = {"other"} if found == "none" else {"other", "run"}
        kept["half"] += (
            set(after) - {"run.checkpoints"} != expected_after
        )  # to go on from, if killed in the training
    return [
        Row(
            "SIGKILL while a run is written",
            times,
            f"{kept['none']} times no run was there and none is; {kept['1'] + kept['1 aside']} times the old one is "
            f"whole, {kept['2']} times the new one; {kept['half']} half-written",
            "nothing; the next run into the same folder removes what was left",
            failed=kept["half"],
        )
    ]


def index(folder: Path, times: int, rng: np.random.Generator) -> list[Row]:
    """Building an HNSW index over codes and saving it over one of fewer codes."""
    codes = np.random.default_rng(0).integers(0, 256, (_CODES, _BITS // 8), dtype=np.uint8)

    def write(place: Path, n: int) -> None:
        made = CodeIndex(_BITS, "hnsw")
        made.add(codes[:n])
        made.search(codes[:1], 1)  # which builds it
        for _ in range(60):  # most of the moments are to lie in the saving
            made.save(place / "codes.index")

    def again(place: Path, descriptor: int) -> None:
        os.write(descriptor, b".")
        write(place, _CODES)

    def state(place: Path) -> int:
        """How many codes the index holds, after it was read and searched."""
        read = CodeIndex.load(place / "codes.index")
        found = read.search(codes[:5], 1)
        assert found.ids[:, 0].tolist() == [0, 1, 2, 3, 4]
        return len(read)

    def clean(place: Path) -> list[str]:
        CodeIndex(_BITS).save(place / "codes.index")
        return beside(place)

    kept: Counter[str] = Counter()
    left = 0
    for _, place, _ in kills(
        times, rng, folder, again,
        before=lambda place, number: ask(lambda: write(place, 10)),
    ):  # fmt: skip
        try:
            found = ask(lambda place=place: state(place))
        except (RuntimeError, SomscopeError):
            found = -1
        kept[{10: "old", _CODES: "new"}.get(found, "half")] += 1
        left += len(beside(place)) > 1
        kept["half"] += ask(partial(clean, place)) != ["codes.index"]
    return [
        Row(
            "SIGKILL while an index is built and saved",
            times,
            f"{kept['old']} times the old index is whole, {kept['new']} times the new one; {kept['half']} half-written",
            f"nothing; a temporary file was left {left} times, and the next save removed it",
            failed=kept["half"],
        )
    ]


def kills(
    times: int,
    rng: np.random.Generator,
    folder: Path,
    work: Callable[[Path, int], object],
    before: Callable[[Path, int], object] = lambda place, number: None,
) -> Any:
    """(number, folder, how it ended) of so many works that were killed at a random moment after their first mark."""
    undisturbed = folder / "undisturbed"
    undisturbed.mkdir()
    seconds = seconds_of(partial(work, undisturbed))
    done = 0
    for attempt in range(_MOST * times):
        if done == times:
            return
        place = folder / f"{attempt:03}"
        place.mkdir()
        before(place, done)
        killed = kill_after(rng.uniform(0, seconds), partial(work, place))
        if isinstance(killed, Killed):
            yield done, place, killed
            done += 1
    raise RuntimeError(f"only {done} of {times} processes could be killed before their end")
