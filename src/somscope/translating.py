"""From pairs of images to a translator, and from images to translations: the flow behind `somscope translate`."""

from __future__ import annotations

import json
import logging
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import somscope
from somscope.atomic import no_interrupt
from somscope.audit.health import is_alike, likeness, statistics
from somscope.data.collection import Collection
from somscope.data.derive import DERIVED
from somscope.data.pairs import Pairs
from somscope.errors import InputError, RunError, check_choice
from somscope.figures import save_figure, training_curves_figure
from somscope.figures.contact_sheet import contact_sheet_figure
from somscope.processes import process_rank, wait_for_all
from somscope.runs import (
    Steps,
    begin_checkpoints,
    checkpoint_folder,
    collection_record,
    may_replace,
    new_file,
    new_run,
)
from somscope.runs.checkpoints import has_checkpoints
from somscope.runs.jsonfile import read_object, write_object
from somscope.runs.record import jsonable
from somscope.runs.run import unfinished

if TYPE_CHECKING:
    from somscope.models.pix2pix import Pix2Pix

__all__ = [
    "Translations",
    "Translator",
    "open_translator",
    "train_translator",
    "translate_images",
    "write_pairs",
    "write_translator_report",
]

FORMAT = 1
_DESCRIBED = 512  # images of a domain whose statistics a run keeps
_SHOWN = 12  # rows of a contact sheet
_BLOCK = 1024  # pairs made at a time
_CURVES = {
    "l1": "L1 distance to the target (the range is 2)",
    "gan": "generator's loss against the discriminator",
    "discriminator_fake": "discriminator's loss on made pairs",
    "discriminator_real": "discriminator's loss on real pairs",
    "discriminator_penalty": "gradient penalty",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Translator:
    """A model and what its run says: statistics of the source and the target domain, where it has them."""

    model: Pix2Pix
    name: str
    domains: Mapping[str, Mapping[str, NDArray[np.float64]]]

    @property
    def names(self) -> tuple[str, str]:
        """Of the source and the target domain."""
        a, b = self.model.domain_names
        return (a, b) if self.model.direction == "AtoB" else (b, a)


@dataclass(frozen=True)
class Translations:
    """What was written: path/images/NAME_real_A.png (the input), NAME_fake_B.png, and NAME_real_B.png where known."""

    path: Path
    n_images: int
    warning: str | None


def train_translator(
    pairs: Pairs,
    path: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
    resume: bool = False,
    command: Sequence[str] = (),
) -> Path:
    """Train a `Pix2Pix` on pairs, and write it with all that it takes to use and to repeat it to the run folder `path`.

    parameters: of `Pix2Pix`. Until the run is whole its checkpoints lie in `path`.checkpoints, from which `resume` goes
    on. Ctrl-C during the training keeps what was learned. Raises RunError if the folder cannot be written, InputError
    for wrong parameters.
    """
    from somscope.models.pix2pix import Pix2Pix

    settings = {"random_state": 0, **(parameters or {})}
    model = Pix2Pix(**settings)
    model.check_parameters()
    if process_rank() > 0:
        model.set_params(checkpoints=checkpoint_folder(path), resume=resume).fit(pairs)
        wait_for_all()
        return Path(path)
    with new_run(path, may_replace(path, overwrite, resume)) as folder:
        data = {side: collection_record(of) for side, of in (("a", pairs.a), ("b", pairs.b))}
        checkpoints = begin_checkpoints(path, overwrite, resume)
        try:
            model.set_params(checkpoints=checkpoints, resume=resume).fit(pairs)
        finally:
            if not has_checkpoints(checkpoints):  # nothing that a training could go on from
                shutil.rmtree(checkpoints, ignore_errors=True)
        for name in ("metrics.jsonl", "history.parquet"):
            with suppress(OSError):
                shutil.copy(checkpoints / name, folder / name)
        with no_interrupt():
            model.save(folder)
            write_object(folder / "domains.json", _domains(model, pairs))
            record: dict[str, Any] = {
                "format": FORMAT,
                "model": {"name": "pix2pix", "parameters": jsonable(_kept(model))},
                "architecture": asdict(model.architecture_),
                "image_size": list(model.image_size_ or ()),
                "pairs": {
                    "n": len(pairs),
                    "unmatched": len(pairs.unmatched_a) + len(pairs.unmatched_b),
                    **data,
                },
                "stop_reason": model.stop_reason_,
                "steps": model.n_iter_,
                "seconds": model.seconds_,
                "device": model.device_,
                "precision": model.precision_,
                "warnings": model.warnings_,
                **_made(command),
            }
            write_object(folder / "config.json", jsonable(record))
        steps = Steps(folder)
        steps.do("figures", lambda: _draw(folder / "figures", model, pairs))
        if not steps.left_out:
            steps.do(
                "report", lambda: write_translator_report(folder, folder / "report.html", jsonable(record))
            )
        record["left_out"] = steps.left_out
        write_object(folder / "config.json", jsonable(record))
    if not unfinished(record):
        shutil.rmtree(checkpoints, ignore_errors=True)
    wait_for_all()
    return Path(path)


def write_translator_report(
    run: str | Path, path: str | Path, record: Mapping[str, Any] | None = None
) -> Path:
    """The report of a run of `train_translator`, from what its folder holds. record: as in its config.json.

    Raises RunError for a folder that is no whole run of a translator.
    """
    from somscope.models.pix2pix import Pix2Pix
    from somscope.report.translator import render_translator

    run = Path(run)
    config = read_object(run / "config.json") if record is None else record
    curves = _curves(Pix2Pix.load(run))
    try:
        examples = (run / "figures" / "training-pairs.png").read_bytes()
        page = render_translator(config, curves, read_object(run / "domains.json"), examples)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{run} is not a whole run of a translator: {error!r}") from None
    with new_file(Path(path)) as partial:
        partial.write_text(page, encoding="utf-8")
    return Path(path)


def open_translator(
    path: str | Path, *, generator: str | None = None, direction: str | None = None, dropout: bool | None = None,
    device: str = "auto",
) -> Translator:  # fmt: skip
    """The translator of a run folder, or in a `*_net_G.pth` of the authors' code.

    generator, direction, dropout: what such a file does not say, or has to agree with; None accepts what there is.
    Raises RunError for what is neither, and InputError where a run is asked for another direction: it cannot be turned
    round.
    """
    from somscope.models.pix2pix import Pix2Pix

    path = Path(path)
    if not path.is_dir():
        model = Pix2Pix.from_official(
            path, generator=generator, direction=direction or "AtoB", dropout=dropout, device=device
        )
        return Translator(model, path.stem, {})
    if not (path / "model.json").is_file():
        raise RunError(
            f"{path} holds no translator: give a run of `somscope translate train`, or a *_net_G.pth"
        )
    model = Pix2Pix.load(path)
    model.use_device(device)
    given = {"direction": (direction, model.direction), "generator": (generator, model.architecture_.name),
             "dropout": (dropout, model.architecture_.dropout)}  # fmt: skip
    for what, (asked, has) in given.items():
        if asked is not None and asked != has:
            turned = "; a trained model goes one way: train another one" if what == "direction" else ""
            raise InputError(f"{what}={asked!r}, but {path} was trained with {has!r}{turned}")
    domains = _read_domains(path / "domains.json") if (path / "domains.json").is_file() else {}
    return Translator(model, path.resolve().name, domains)


def translate_images(
    translator: Translator,
    source: Collection,
    path: str | Path,
    *,
    target: Collection | None = None,
    mode: str = "deterministic",
    seed: int = 0,
    overwrite: bool = False,
    command: Sequence[str] = (),
) -> Translations:
    """Write translations to the folder `path`, in the layout of the official test script and with a contact sheet.

    source: images that the generator is given; target: (n,) the other halves, in the same order. mode, seed: as in
    `Pix2Pix.transform`. A warning is given, and recorded, where the images look like the domain that the generator
    makes, not like the one that it takes. Raises InputError for a generator of images that are neither grey nor in
    colour.
    """
    model = translator.model
    if (channels := model.architecture_.out_channels) not in (1, 3):
        raise InputError(
            f"{translator.name} makes images of {channels} channels; allowed: 1 (grey) or 3 (colour)"
        )
    warning = _looks_like_target(translator, source)
    if warning is not None:
        _log.warning("%s", warning)
    names = _file_names(source)
    made = _Rows(len(names))
    with new_run(path, overwrite) as folder:
        at = 0
        for block in model.translate_blocks(source, mode, seed):
            for pixels in block:
                _write(folder / "images", f"{names[at]}_fake_B.png", pixels)
                made.see(at, pixels)
                at += 1
        for suffix, of in (("real_A", source), ("real_B", target)):
            for name, pixels in zip(names, () if of is None else of.features, strict=of is not None):
                _write(folder / "images", f"{name}_{suffix}.png", pixels)
        columns = {translator.names[0]: source.features[made.rows], "made": np.stack(made.kept)}
        if target is not None:
            columns[translator.names[1]] = target.features[made.rows]
        save_figure(
            contact_sheet_figure(columns, [names[row] for row in made.rows]), folder / "contact-sheet.png"
        )
        record = {
            "format": FORMAT,
            "translator": translator.name,
            "architecture": str(model.architecture_),
            "direction": model.direction,
            "domain_names": list(model.domain_names),
            "mode": mode,
            "seed": seed,
            "n_images": len(names),
            "image_size": list(source.features.shape[1:3]),
            "source": collection_record(source),
            "notes": model.notes_,
            "warning": warning,
            **_made(command),
        }
        write_object(folder / "config.json", jsonable(record))
    return Translations(Path(path), len(names), warning)


def write_pairs(
    collection: Collection,
    kind: str,
    path: str | Path,
    *,
    test: float = 0.1,
    seed: int = 0,
    overwrite: bool = False,
) -> dict[str, int]:
    """Write pairs of what is made of each image (A, the left half) and the image (B) to path/train and path/test.

    kind: of `data.derive.DERIVED`. test: share that goes to path/test, drawn with the seed. Returns how many went
    where. Raises InputError for a collection of other things than images.
    """
    check_choice("kind", kind, DERIVED)
    if collection.image_shape is None or collection.features.dtype != np.uint8:
        raise InputError(f"{collection.name} holds {collection.kind}, not images; pairs are made of images")
    names = _file_names(collection)
    n_test = min(len(names) - 1, round(test * len(names)))
    drawn = np.random.default_rng(seed).permutation(len(names))[:n_test]
    parts = np.full(len(names), "train")
    parts[drawn] = "test"
    channels = collection.features.shape[3]
    with new_run(path, overwrite) as folder:
        for start in range(0, len(names), _BLOCK):
            images = collection.features[start : start + _BLOCK]
            made = DERIVED[kind](images)
            made = np.repeat(made, channels, axis=3) if made.shape[3] != channels else made
            for at, pair in enumerate(np.concatenate([made, images], axis=2), start):
                _write(folder / parts[at], f"{names[at]}.png", pair)
        record = {
            "format": FORMAT,
            "pairs": kind,
            "test": test,
            "seed": seed,
            "source": collection_record(collection),
        }
        write_object(folder / "config.json", jsonable(record | _made([])))
    return {"train": len(names) - n_test, **({"test": n_test} if n_test else {})}


class _Rows:
    """The images of a contact sheet, kept while all are made."""

    def __init__(self, n: int) -> None:
        self.rows = sorted({int(row) for row in np.linspace(0, n - 1, min(n, _SHOWN))})
        self.kept: list[NDArray[np.uint8]] = []

    def see(self, row: int, pixels: NDArray[np.uint8]) -> None:
        if row in self.rows:
            self.kept.append(pixels)


def _looks_like_target(translator: Translator, source: Collection) -> str | None:
    """A warning where the images are of the kind that the generator makes."""
    if not translator.domains:
        return None
    given, taken = translator.names
    rows = np.linspace(0, len(source) - 1, min(len(source), _DESCRIBED)).astype(int)
    share, ratio = likeness(
        statistics(source.features[rows]), translator.domains["target"], translator.domains["source"]
    )
    if not is_alike(share, ratio):
        return None
    return (
        f"these images look like the {taken} that the generator makes, not like the {given} that it takes: "
        f"{share:.0%} of them are closer to the {taken} it was trained on (median distance ratio {ratio:.2f}) in "
        f"brightness, colour, contrast and detail; it was trained {translator.model.direction}"
    )


def _domains(model: Pix2Pix, pairs: Pairs) -> dict[str, Any]:
    """Statistics of images of both domains, see `audit.health.statistics`."""
    source, target = (pairs.a, pairs.b) if model.direction == "AtoB" else (pairs.b, pairs.a)
    rows = np.linspace(0, len(pairs) - 1, min(len(pairs), _DESCRIBED)).astype(int)
    measured = {"source": statistics(source.features[rows]), "target": statistics(target.features[rows])}
    return {
        part: {name: [round(v, 5) for v in values.tolist()] for name, values in found.items()}
        for part, found in measured.items()
    }


def _read_domains(path: Path) -> dict[str, dict[str, NDArray[np.float64]]]:
    try:
        domains = {
            part: {
                name: np.asarray(values, dtype=np.float64) for name, values in read_object(path)[part].items()
            }
            for part in ("source", "target")
        }
        shapes = {values.shape for found in domains.values() for values in found.values()}
        names = {tuple(found) for found in domains.values()}
        if names != {tuple(statistics(np.zeros((1, 2, 2, 3), np.uint8)))} or len(shapes) != 1:
            raise ValueError("the statistics are not those that are known")
    except (KeyError, TypeError, ValueError, AttributeError, json.JSONDecodeError) as error:
        raise RunError(f"{path} does not hold the statistics of two domains: {error!r}") from None
    return domains


def _draw(folder: Path, model: Pix2Pix, pairs: Pairs) -> None:
    """The curves of the training, and translations of some pairs that it was trained on."""
    folder.mkdir()
    curves = _curves(model)
    if any(len(column) for column in curves.values()):
        save_figure(training_curves_figure(curves), folder / "training.png")
    rows = np.linspace(0, len(pairs) - 1, min(len(pairs), 8)).astype(int)
    source, target = (pairs.a, pairs.b) if model.direction == "AtoB" else (pairs.b, pairs.a)
    columns = {
        "given": source.features[rows],
        "made": np.concatenate(list(model.translate_blocks(source.features[rows]))),
        "wanted": target.features[rows],
    }
    sheet = contact_sheet_figure(columns, [pairs.names[row] for row in rows])
    save_figure(sheet, folder / "training-pairs.png")


def _curves(model: Pix2Pix) -> dict[str, Any]:
    """The history under names for readers; both learning rates are the same."""
    shown = {n: column for n, column in model.history_.items() if n != "learning_rate.discriminator"}
    return {_CURVES.get(name, name): column for name, column in shown.items()}


def _kept(model: Pix2Pix) -> dict[str, Any]:
    left = ("checkpoints", "resume", "training", "verbose")
    return {name: value for name, value in model.get_params(deep=False).items() if name not in left}


def _made(command: Sequence[str]) -> dict[str, Any]:
    return {
        "somscope": somscope.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": list(command),
    }


def _file_names(collection: Collection) -> list[str]:
    """A name for each image: the path inside its folder, without the extension where that is no other's; or its
    number."""
    if collection.paths is None:
        return [f"{row:06d}" for row in range(len(collection))]
    ids = [str(name) for name in collection.ids]
    short = [str(Path(name).with_suffix("")) for name in ids]
    taken = Counter([*short, *ids])
    return [name if taken[name] == 1 else whole for name, whole in zip(short, ids, strict=True)]


def _write(folder: Path, name: str, pixels: NDArray[np.uint8]) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path)
