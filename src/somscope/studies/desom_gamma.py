"""The influence of gamma and of pretraining on DESOM: Figure 7 of the paper (Forest et al. 2019)."""

from __future__ import annotations

from somscope.studies.declare import Entry, Study

__all__ = ["DESOM_GAMMA", "GAMMAS", "PRETRAIN_EPOCHS"]

GAMMAS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
PRETRAIN_EPOCHS = 200  # the default of the authors' code


def _entry(gamma: float, pretrained: bool) -> Entry:
    return Entry(
        "mnist",
        "desom",
        f"gamma={gamma:g}{' pretrained' if pretrained else ''}",
        parameters={
            "legacy": True,
            "gamma": gamma,
            "pretrain_epochs": PRETRAIN_EPOCHS if pretrained else 0,
        },
    )


DESOM_GAMMA = Study(
    name="desom-gamma",
    title="Figure 7 of the DESOM paper: the influence of gamma and of pretraining the autoencoder, on MNIST",
    entries=tuple(_entry(gamma, pretrained) for pretrained in (False, True) for gamma in GAMMAS),
    n_seeds=3,
    notes=(
        "DESOM as published (legacy). gamma weighs the map's loss, summed over prototypes and latent dimensions, "
        "beside the reconstruction's, a mean over pixels. The figure's numbers are not printed in the paper.",
        f"Pretrained: {PRETRAIN_EPOCHS} epochs of the autoencoder alone, the default of the authors' code.",
    ),
)
