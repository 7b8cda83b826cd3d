"""somscope among the tools: the same adapter as a peer, in the environment that somscope is installed in."""

from __future__ import annotations

import numpy as np
from benchmarks.som.adapters import Options, Tool, Trained

__all__ = ["FINAL_RADII", "SOMSCOPE"]

FINAL_RADII = (0.3, 0.5, 0.7, 1.0, 1.5, 2.2)


def somscope_train(
    X: np.ndarray, rows: int, columns: int, passes: int, options: Options, seed: int
) -> Trained:
    from somscope import SOM

    options = dict(options)
    final = options.pop("final_radius", None)
    if final is not None:
        options["radius"] = final  # all else as by default
    if not options.pop("passes_auto", False):
        options["n_passes"] = passes
    model = SOM(grid=(rows, columns), random_state=seed, device="cpu", verbose=False, **options).fit(X)
    facts = {
        "chosen": {key: str(value) for key, value in model.chosen_.items()},
        "stop_reason": model.stop_reason_,
    }
    return Trained(model, np.asarray(model.prototypes_), passes=int(model.n_iter_), facts=facts)


SOMSCOPE = Tool(
    "somscope",
    "somscope",
    somscope_train,
    lambda model, X: model.predict(X),
    {
        "default": {"passes_auto": True},
        "ten-passes": {"passes": 10},
        **{f"final-radius-{radius:g}": {"passes": 10, "final_radius": radius} for radius in FINAL_RADII},
    },
    {"8x8": 1.5, "40x40": 1.0, "50x50": 1.2, "20x20": 1.6},
    note="default: nothing chosen but the grid; the others run ten passes",
)
