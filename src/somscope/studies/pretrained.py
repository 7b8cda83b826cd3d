"""Autoencoders that several rows of a study begin with: each is trained once and kept in the work folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from somscope.data import Collection
from somscope.models.ae_som import AESOM
from somscope.runs.record import jsonable

__all__ = ["take_autoencoder"]

_OF_THE_AUTOENCODER = (
    "hidden",
    "latent_dim",
    "batch_norm",
    "batch_size",
    "pretrain_epochs",
    "learning_rate",
    "random_state",
    "device",
    "precision",
)


def take_autoencoder(model: Any, items: Collection, work: Path) -> float:
    """Have `model` begin with an autoencoder that was trained on `items` as it would train its own; seconds of that.

    A model without the parameter `autoencoder` is left alone. The autoencoder is trained where `work` does not hold
    it yet; it goes on from a checkpoint after a crash or Ctrl-C. Raises KeyboardInterrupt where Ctrl-C ended it.
    """
    if not hasattr(model, "autoencoder"):
        return 0.0
    usual = AESOM().get_params(deep=False)
    parameters = {name: getattr(model, name, usual[name]) for name in _OF_THE_AUTOENCODER}
    settings = json.dumps([jsonable(parameters), items.fingerprint], sort_keys=True).encode()
    folder = work / "autoencoders" / hashlib.sha256(settings).hexdigest()[:16]
    checkpoints = folder.with_suffix(".checkpoints")
    if (folder / "model.json").is_file():
        trained = AESOM.load(folder)
    else:
        how: dict[str, Any] = {"checkpoints": checkpoints, "resume": checkpoints.is_dir(), "verbose": False}
        trained = AESOM((2, 2), method="batch", **parameters, **how).fit(items)
        if trained.stop_reason_ == "interrupted":
            raise KeyboardInterrupt
        trained.save(folder)
    model.autoencoder = folder
    return trained.seconds_
