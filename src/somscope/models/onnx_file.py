"""Encoder and assignment of a deep model as an ONNX file, for use without PyTorch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch

from somscope.atomic import whole_file
from somscope.errors import InputError
from somscope.models.module import DeepModule

__all__ = ["export_onnx"]


def export_onnx(module: DeepModule, n_features: int, path: Path) -> Path:
    """Write the module's forward pass: input "items" (n, d) float32, any n; outputs "latent" (n, L), "unit" (n,) int64
    and "distance" (n,) among the codes.

    Raises InputError where the extra `onnx` is not installed.
    """
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise InputError(f"export to ONNX needs {' and '.join(missing)}: pip install 'somscope[onnx]'")
    device = module.prototypes.device
    with _quietly():
        program = torch.onnx.export(
            module.eval(),
            (torch.zeros(2, n_features, device=device),),
            input_names=["items"],
            output_names=["latent", "unit", "distance"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        program.save(partial)
    return path


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporter's notes about packages that it does not need here."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
