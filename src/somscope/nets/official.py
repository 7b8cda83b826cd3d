"""Generators in the files of the authors' pix2pix code (`latest_net_G.pth`): read without executing them, and written.

What a file does not say is inferred from its keys and shapes; dropout is not in them for a U-Net.
"""

from __future__ import annotations

import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from somscope.errors import InputError, RunError
from somscope.nets.generators import Architecture

__all__ = ["OfficialGenerator", "generator_shapes", "read_generator", "read_state", "write_generator"]

_LARGEST = 4 * 2**30  # bytes of a file, and of all tensors in it; the published ones have 218 MB
_MOST_TENSORS = 10_000
_SHOWN = 4  # keys in a message
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_KNOWN = ("unet_256", "unet_128", "unet_64", "unet_32", "unet_16", "resnet_9blocks", "resnet_6blocks")


@dataclass(frozen=True)
class OfficialGenerator:
    """state: the weights as this version names them, float32. notes: what was inferred, and what was put right."""

    architecture: Architecture
    state: dict[str, Tensor]
    notes: tuple[str, ...]


def read_generator(
    path: str | Path, name: str | None = None, dropout: bool | None = None
) -> OfficialGenerator:
    """Read a `*_net_G.pth` of any version of the authors' code, on the CPU whatever it was trained on.

    name: the generator that it has to be, such as "unet_256"; None takes what the keys say. dropout: for files that
    do not say; None is True, as in pix2pix. Raises RunError for a file that is none, or not one of these generators.
    """
    path = Path(path)
    state, notes = _tidied(read_state(path))
    architecture, inferred = _inferred(state, path, dropout)
    if name is not None and name != architecture.name:
        raise RunError(f"{path} holds {architecture}, not {name}")
    wanted = generator_shapes(architecture)
    for key in wanted.keys() - state.keys():
        if key.endswith("num_batches_tracked"):  # files of PyTorch before 0.4.1
            state[key] = torch.zeros((), dtype=torch.int64)
            inferred = inferred if _NOT_COUNTED in inferred else (*inferred, _NOT_COUNTED)
    _check_shapes(path, architecture, state, wanted)
    return OfficialGenerator(architecture, {key: state[key] for key in wanted}, (*notes, *inferred))


_NOT_COUNTED = "num_batches_tracked was missing, as in old files, and is 0"


def write_generator(path: str | Path, state: Mapping[str, Tensor]) -> None:
    """Write the weights of a generator as the authors' code reads them. Raises RunError where that fails."""
    plain = OrderedDict((key, value.detach().cpu().contiguous()) for key, value in state.items())
    try:
        torch.save(plain, path)
    except (OSError, RuntimeError) as error:
        raise RunError(f"{path} was not written: {error}") from error


def generator_shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Name -> shape of everything that a generator learns; nothing is allocated for it."""
    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in architecture.build().state_dict().items()}


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.pth` file by name, on the CPU. A pickle that asks for anything but tensors is refused.

    Raises RunError for files that are missing, too large, broken, refused, or hold other things than named tensors.
    """
    try:
        size = path.stat().st_size
        if path.is_dir() or size > _LARGEST:
            raise RunError(f"{path} is {'a folder' if path.is_dir() else f'{size:,} bytes'}; {_allowed()}")
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > _LARGEST:
                raise RunError(f"{path} unpacks to {unpacked:,} bytes; {_allowed()}")
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of the pickle's protocol: what cannot be read is an error anyway
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise RunError(f"{path} is missing: expected a generator such as latest_net_G.pth") from None
    except RunError:
        raise
    except Exception as error:  # of broken files PyTorch raises whatever its unpickler meets
        first = str(error).strip().split("\n")[0]
        if "Weights only load failed" in first or "Unsupported" in str(error):
            raise RunError(f"{path} is refused: it holds more than weights, and could execute code") from None
        raise RunError(
            f"{path} is broken or no file of PyTorch's weights ({type(error).__name__}: {first})"
        ) from None
    return _checked(path, loaded)


def _allowed() -> str:
    return f"allowed: files of weights of up to {_LARGEST:,} bytes"


def _checked(path: Path, loaded: Any) -> dict[str, Tensor]:
    if not isinstance(loaded, Mapping):
        raise RunError(f"{path} holds a {type(loaded).__name__}, not named tensors")
    if not 0 < len(loaded) <= _MOST_TENSORS:
        raise RunError(f"{path} holds {len(loaded):,} named tensors; allowed: from 1 to {_MOST_TENSORS:,}")
    state: dict[str, Tensor] = {}
    total = 0
    for key, value in loaded.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise RunError(f"{path} holds {key!r}, which is no named tensor but a {type(value).__name__}")
        if value.layout != torch.strided or value.is_quantized or value.is_complex():
            raise RunError(f"{path}: {key} is no plain tensor of numbers")
        total += value.numel() * max(4, value.element_size())  # views may be far larger than the file
        if total > _LARGEST:
            raise RunError(f"{path} holds tensors of more than {_LARGEST:,} bytes")
        if value.is_floating_point():
            value = value.detach().float().contiguous()
            if not bool(torch.isfinite(value).all()):
                raise RunError(f"{path}: {key} holds a value that is not finite")
            if key.endswith("running_var") and bool((value < 0).any()):
                raise RunError(f"{path}: {key} holds a variance below 0")
        state[key] = value
    return state


def _tidied(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Without the prefix of DataParallel, and without the statistics that instance norm kept before PyTorch 0.4."""
    notes = []
    if all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
        notes.append('the prefix "module." of DataParallel was removed')
    stale = [key for key in state if _of_no_weights(key, state)]
    if stale:
        state = {key: value for key, value in state.items() if key not in set(stale)}
        notes.append(f"{len(stale)} statistics of an old instance norm were left out")
    return state, tuple(notes)


def _of_no_weights(key: str, state: Mapping[str, Tensor]) -> bool:
    place, _, name = key.rpartition(".")
    return name in _STATISTICS and f"{place}.weight" not in state


def _inferred(
    state: Mapping[str, Tensor], path: Path, dropout: bool | None
) -> tuple[Architecture, tuple[str, ...]]:
    """What the generator is, by its keys and shapes."""
    deepest = 0
    while f"{_level(deepest + 2)}1.weight" in state:
        deepest += 1
    blocks = sum(f"model.{i}.conv_block.1.weight" in state for i in range(10, 10 + 64))
    try:
        if deepest and "model.model.0.weight" in state:
            first, last = state["model.model.0.weight"], state["model.model.3.weight"]
            name, out, bias = f"unet_{2 ** (deepest + 1)}", last.shape[1], "model.model.0.bias"
            normed = f"{_level(2)}{'2' if deepest > 1 else '4'}.weight"
            said = "dropout is not in the file: taken as " + ("none" if dropout is False else "on")
            has_dropout = dropout is not False
        elif blocks and "model.1.weight" in state:
            first, last = state["model.1.weight"], state[f"model.{17 + blocks}.weight"]
            name, out, bias, normed = (
                f"resnet_{blocks}blocks",
                last.shape[0],
                "model.1.bias",
                "model.2.weight",
            )
            has_dropout = "model.10.conv_block.6.weight" in state
            said = f"dropout: {'on' if has_dropout else 'none'}"
        else:
            raise KeyError(next(iter(state)))
        norm = "batch" if normed in state else "instance" if bias in state else "none"
        architecture = Architecture(
            name, int(first.shape[1]), int(out), int(first.shape[0]), norm, has_dropout
        )
    except (KeyError, IndexError, InputError):
        raise RunError(f"{path} holds no generator of pix2pix: {_closest(state)}") from None
    return architecture, (f"inferred from the keys: {architecture}", said)


def _level(k: int) -> str:
    return "model.model.1" + ".model.3" * (k - 2) + ".model."


def _check_shapes(
    path: Path, architecture: Architecture, state: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]]
) -> None:
    unknown = [key for key in state if key not in wanted]
    missing = [key for key in wanted if key not in state]
    shapes = [key for key in wanted if key in state and tuple(state[key].shape) != wanted[key]]
    told = [
        f"{len(keys)} {'key' if len(keys) == 1 else 'keys'} {what} ({_first(keys)})"
        for what, keys in (("unknown", unknown), ("missing", missing), ("of another shape", shapes))
        if keys
    ]
    if told:
        raise RunError(f"{path} is closest to {architecture}, but has {'; '.join(told)}")


def _closest(state: Mapping[str, Tensor]) -> str:
    """The first keys that are not known, and the architecture that shares most keys."""
    best, shared = "", -1
    keys: set[str] = set()
    for name in _KNOWN:
        for norm in ("batch", "instance"):
            known = set(generator_shapes(Architecture(name, filters=1, norm=norm)))
            common = len(known & state.keys())
            if (common, -len(known)) > (shared, -len(keys)):  # of equals the one that misses fewest
                best, shared, keys = f"{name} with {norm} norm", common, known
    unknown, missing = [key for key in state if key not in keys], sorted(keys - state.keys())
    first = f"its first unknown keys are {_first(unknown)}; " if unknown else ""
    lacks = f", and has {len(missing)} that it lacks ({_first(missing)})" if missing and shared else ""
    return f"{first}the closest architecture is {best}, which shares {shared} of its {len(state)} keys{lacks}"


def _first(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_SHOWN]) + (", ..." if len(keys) > _SHOWN else "")
