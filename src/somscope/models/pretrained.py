"""Networks that a model takes from a trained one instead of training them itself."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from somscope.errors import InputError
from somscope.models.storage import read_weights

__all__ = ["take_network"]

_NET = "net."  # the network in the modules of models that have one


def take_network(net: nn.Module, folder: str | Path) -> dict[str, Tensor]:
    """Give `net` the weights of the network of a saved model; what else the model holds, by name.

    Raises InputError for a network of other sizes, and RunError for files that are missing or broken.
    """
    weights = read_weights(Path(folder))
    theirs = {name.removeprefix(_NET): w for name, w in weights.items() if name.startswith(_NET)}
    ours = net.state_dict()
    for name in sorted(ours.keys() | theirs.keys()):
        ours_is, theirs_is = (_shape(of.get(name)) for of in (ours, theirs))
        if ours_is != theirs_is:
            raise InputError(
                f"the network in {folder} does not fit: {name} is {theirs_is} there, {ours_is} here; features, hidden, "
                "latent_dim and batch_norm must be those of this model"
            )
    net.load_state_dict(theirs)
    return {name: w for name, w in weights.items() if not name.startswith(_NET)}


def _shape(weight: object) -> str:
    return "x".join(str(n) for n in getattr(weight, "shape", ())) or "missing"
