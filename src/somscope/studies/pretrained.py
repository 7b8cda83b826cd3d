"""Trainings that several rows of a study begin with: each is done once and kept in the work folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from somscope.data import Collection
from somscope.models.ae_kmeans import AEKMeans
from somscope.models.ae_som import AESOM
from somscope.models.clusterer_module import AutoencoderClusterer
from somscope.models.contrastive_som import ContrastiveSOM
from somscope.models.desom import DESOM
from somscope.runs.record import jsonable

__all__ = ["take_shared"]

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
_OF_A_CLUSTERER = (
    "hidden",
    "batch_norm",
    "batch_size",
    "normalise",
    "pretrain_epochs",
    "layer_epochs",
    "random_state",
    "device",
    "precision",
)
_OF_THE_RUN = ("start", "checkpoints", "resume")
_OF_THE_FINISH = ("finish", "finish_steps", "final_radius", "order", *_OF_THE_RUN)
_OF_THE_MAP = ("sharpness", "keep", "sinkhorn_rounds", "radius", "n_clusters")  # of a ContrastiveSOM


def take_shared(model: Any, items: Collection, work: Path) -> float:
    """Have `model` begin with what another row began with, too; the seconds that this took, whenever it was done.

    A model that would train an autoencoder first gets one that was trained on `items` as its own would be; a DESOM with
    a finish gets the joint training before it; a ContrastiveSOM the encoder or, for last passes, all before them. What
    `work` does not hold yet is trained, from a checkpoint on after a crash or Ctrl-C. Other models are left alone.
    Raises KeyboardInterrupt where Ctrl-C ended the training.
    """
    if isinstance(model, AutoencoderClusterer):
        if not model.pretrain_epochs or model.autoencoder is not None:
            return 0.0
        parameters = {name: getattr(model, name) for name in _OF_A_CLUSTERER}
        latent = model.n_clusters if model.latent_dim is None else model.latent_dim
        trained = AEKMeans(model.n_clusters, latent, **parameters)
        model.autoencoder, seconds = _kept(trained, items, work)
        return seconds
    if getattr(model, "pretrain_epochs", 0) and getattr(model, "autoencoder", "") is None:
        usual = AESOM().get_params(deep=False)
        parameters = {name: getattr(model, name, usual[name]) for name in _OF_THE_AUTOENCODER}
        model.autoencoder, seconds = _kept(AESOM((2, 2), method="batch", **parameters), items, work)
        return seconds
    if isinstance(model, DESOM) and model.chosen_finish != "none":
        parameters = model.get_params(deep=False)
        parameters = {name: value for name, value in parameters.items() if name not in _OF_THE_FINISH}
        model.start, seconds = _kept(type(model)(**parameters, finish="none"), items, work)
        return seconds
    if isinstance(model, ContrastiveSOM):
        usual = ContrastiveSOM().get_params(deep=False)
        if model.final_radius is not None:
            changed: dict[str, Any] = {"final_radius": None}
        elif (model.joint_steps, model.decoder_steps) != (0, 0):
            changed = {"joint_steps": 0, "decoder_steps": 0, **{name: usual[name] for name in _OF_THE_MAP}}
        else:
            return 0.0
        changed |= {name: usual[name] for name in _OF_THE_RUN}
        trained = ContrastiveSOM(**{**model.get_params(deep=False), **changed})
        before = take_shared(trained, items, work)
        model.start, seconds = _kept(trained, items, work)
        return before + seconds
    return 0.0


def _kept(model: Any, items: Collection, work: Path) -> tuple[Path, float]:
    """The folder of a trained model with these parameters, and the seconds of its training."""
    usual = type(model)().get_params(deep=False)
    changed = {
        n: v for n, v in model.get_params(deep=False).items() if v != usual[n]
    }  # what is new since is not
    settings = {name: jsonable(value) for name, value in changed.items()}
    words = json.dumps([model.model_name, settings, items.fingerprint], sort_keys=True).encode()
    folder = work / "shared" / hashlib.sha256(words).hexdigest()[:16]
    if (folder / "model.json").is_file():
        return folder, float(type(model).load(folder).seconds_)
    model.checkpoints = folder.with_suffix(".checkpoints")
    model.resume = model.checkpoints.is_dir()
    model.verbose = False
    model.fit(items)
    if model.stop_reason_ == "interrupted":
        raise KeyboardInterrupt
    model.save(folder)
    shutil.rmtree(model.checkpoints, ignore_errors=True)
    return folder, float(model.seconds_)
