"""Every deep map, small and quick, for what all of them have to keep."""

from __future__ import annotations

from somscope.models.desom import DESOM

QUICK = {"device": "cpu", "verbose": False, "random_state": 0}

ZOO = {
    "desom": lambda **o: DESOM(
        **{"grid": (1, 3), "latent_dim": 2, "hidden": (8,), "n_steps": 30, "finish_steps": 10, **QUICK, **o}
    ),
    "desom legacy": lambda **o: DESOM(
        **{
            "grid": (1, 3),
            "latent_dim": 2,
            "hidden": (8,),
            "n_steps": 60,
            "legacy": True,
            "finish": "som",
            **QUICK,
            **o,
        }
    ),
}
