"""How option values are written on the command line, and what they mean in Python."""

from __future__ import annotations

import csv
import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from somscope.errors import InputError
from somscope.models.table import CLUSTERERS, GROWING, MAPS, model_class

__all__ = ["check_grid", "default_run", "model_parameters", "parse_columns", "parse_radius"]

# Options that set a parameter of another name; of several that one which the model has.
_SETS = {
    "radius": ("final_radius", "radius"),
    "algorithm": ("algorithm", "method"),
    "passes": ("n_passes",),
    "clusters": ("n_clusters",),
    "steps": ("n_steps",),
    "epochs": ("n_epochs",),
    "pretrain": ("pretrain_epochs",),
    "watch": ("training",),
}
_FINISH = 5  # steps for each one of the finish, where a model has one: in DESOM's defaults 10,000 and 2,000
_ONLY = {"gamma": ("desom", "conv-desom")}  # elsewhere a parameter of this name means something else


def model_parameters(model: str, **options: Any) -> dict[str, Any]:
    """The parameters of a model that were given as options; those that are None were not.

    Raises InputError for a model that is not known, and for options that do not apply to it.
    """
    known, applied = _applied(model, options)
    given = {option: value for option, value in options.items() if value is not None}
    wrong = [option for option in given if option not in applied]
    if wrong:
        models = CLUSTERERS if model in CLUSTERERS else MAPS | GROWING
        having = [name for name in models if set(wrong) <= _applied(name, options)[1].keys()]
        raise InputError(
            f"{_flags(wrong)} {'does' if len(wrong) == 1 else 'do'} not apply to --model {model}; "
            f"allowed: {_flags(applied)}" + _who(having, "it" if len(wrong) == 1 else "them")
        )
    if "method" in known:
        _check_stages(model, given)
    found = {applied[option]: value for option, value in given.items()}
    if "n_steps" in found and "finish_steps" in known:
        found["finish_steps"] = max(1, found["n_steps"] // _FINISH)
    return found


def _who(models: Sequence[str], what: str) -> str:
    return f" (--model {', '.join(models)} {'has' if len(models) == 1 else 'have'} {what})" if models else ""


def _applied(model: str, options: Iterable[str]) -> tuple[Mapping[str, Any], dict[str, str]]:
    """The parameters of a model, and of the options those that set one of them -> which."""
    known = inspect.signature(model_class(model)).parameters
    sets = {
        option: next((name for name in _SETS.get(option, (option,)) if name in known), None)
        for option in options
        if model in _ONLY.get(option, (model,))
    }
    return known, {option: name for option, name in sets.items() if name is not None}


def _flags(options: Any) -> str:
    return ", ".join(f"--{option.replace('_', '-')}" for option in options)


def _check_stages(model: str, given: dict[str, Any]) -> None:
    """Each of the two algorithms for a map of codes has an option of its own."""
    batch = given.get("algorithm") == "batch"
    if "radius" in given and not batch:
        raise InputError(f"--radius of --model {model} needs --algorithm batch")
    if "steps" in given and batch:
        raise InputError(f"--steps does not apply to --model {model} with --algorithm batch")


def check_grid(text: str) -> str:
    """The text if it says how many units; InputError in the words of the command line otherwise."""
    from somscope.maps.defaults import parse_grid

    try:
        parse_grid(text)
    except InputError:
        raise InputError(
            f"--grid {text!r}: expected ROWSxCOLUMNS such as 20x20, a number of units for a chain, or auto"
        ) from None
    return text


def parse_radius(text: str) -> str | float | tuple[float, float]:
    """ "auto", the last radius alone, or START:END, in lattice steps. Raises InputError for anything else."""
    if text == "auto":
        return text
    try:
        first, *rest = (float(part) for part in text.split(":"))
        if len(rest) > 1:
            raise ValueError
    except ValueError:
        raise InputError(
            f"--radius {text!r}: expected the last radius such as 0.5, START:END such as 5:0.5, or auto"
        ) from None
    return (first, rest[0]) if rest else first


def parse_columns(text: str | None) -> list[str] | None:
    """Names separated by commas; a name that holds a comma stands in double quotes."""
    if text is None:
        return None
    names = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    if not names or not all(names):
        raise InputError(f"--columns {text!r}: expected names separated by commas, such as a,b,c")
    return names


def default_run(data: str) -> Path:
    """runs/NAME for a file, a folder or a named set: photos/ -> runs/photos, mnist:test -> runs/mnist-test."""
    name = Path(data).resolve().name if Path(data).exists() else data
    if Path(data).is_file():
        name = name.split(".")[0] or name
    return Path("runs") / (re.sub(r"[^\w.-]+", "-", name).strip("-.") or "map")
