"""What all estimators share that the engine trains: the parameters of a run, its seed, its record, and its device."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from sklearn.base import BaseEstimator
from torch import nn

from somscope.seeds import random_source
from somscope.training import Trained, TrainingOptions, agreed, stored_seed

__all__ = ["Trainable"]

_OF_THE_RUN = ("device", "precision", "random_state", "checkpoints", "resume", "training", "verbose")


class Trainable(BaseEstimator):  # type: ignore[misc]
    """An estimator around a module_ that is trained; it has the parameters below, and the attributes after them.

    n_iter_: steps; stop_reason_: "completed", "interrupted", or what the model says ended it; seconds_: those before a
    resume included; history_: columns of the log; warnings_: what went wrong without ending the training; device_ and
    precision_ of the training.
    """

    device: str
    precision: str
    random_state: Any
    checkpoints: str | Path | None
    resume: bool
    training: Mapping[str, Any] | None
    verbose: bool | None

    module_: nn.Module
    n_iter_: int
    stop_reason_: str
    seconds_: float
    history_: dict[str, list[Any]]
    warnings_: list[str]
    device_: str
    precision_: str

    def _settings(self) -> dict[str, Any]:
        """Parameters, as they came out, that must be the same when a training resumes."""
        return {}

    def _seed(self) -> int:
        """Of all that the training draws, the same in all processes; a training that goes on keeps its own."""
        seed = None
        if self.random_state is None and self.resume and self.checkpoints is not None:
            seed = stored_seed(Path(self.checkpoints))
        if seed is None:
            seed = int(random_source(self.random_state).randint(2**31 - 1))
        return agreed(seed, self.device)

    def _options(self, seed: int) -> TrainingOptions:
        settings = {n: v for n, v in self.get_params(deep=False).items() if n not in _OF_THE_RUN}
        return TrainingOptions(
            device=self.device,
            precision=self.precision,
            seed=seed,
            checkpoints=None if self.checkpoints is None else Path(self.checkpoints),
            resume=self.resume,
            verbose=self.verbose,
            settings={**settings, **self._settings()},
            **(self.training or {}),
        )

    def _keep(self, module: nn.Module, trained: Trained) -> None:
        """Take a trained module, and what is to be said of its training."""
        self.module_ = module.requires_grad_(False).eval()
        self.n_iter_, self.stop_reason_, self.history_ = trained.n_steps, trained.stop_reason, trained.history
        self.seconds_, self.warnings_ = trained.seconds, list(trained.warnings)
        self.device_, self.precision_ = trained.device, trained.precision

    def __getstate__(self) -> dict[str, Any]:
        """For pickles and copies: the module on the CPU, so that a machine without a GPU can read it."""
        state: dict[str, Any] = super().__getstate__()
        module = state.get("module_")
        if module is not None and next(module.parameters()).device.type != "cpu":
            state["module_"] = deepcopy(module).cpu()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._put_on_device()

    def _put_on_device(self) -> None:
        """The module where `device` says, if there is such a device here."""
        if "module_" in vars(self) and self.device != "cpu" and torch.cuda.is_available():
            self.module_.to("cuda")
