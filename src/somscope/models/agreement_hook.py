"""Agreement of a map's units with known labels while it is trained, against the steps (SOMRL paper, Fig. 7)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from somscope import measures
from somscope.data import Collection
from somscope.errors import InputError
from somscope.maps.inputs import as_matrix

__all__ = ["AgreementHook", "some_of_each_class"]


def some_of_each_class(collection: Collection, n: int, seed: int = 0) -> Collection:
    """n random items of each class, or all of a class that has fewer; in the order of the collection.

    Raises InputError for a collection without labels.
    """
    if collection.labels is None or not (collection.labels >= 0).any():
        raise InputError(f"{collection.name} has no labels, with which units could agree")
    labels = collection.labels
    mixed = np.random.default_rng(seed).permutation(len(labels))
    kept = [mixed[labels[mixed] == c][:n] for c in np.unique(labels[labels >= 0])]
    return collection.take(np.sort(np.concatenate(kept)))


class AgreementHook:
    """For `training={"hook": AgreementHook(...), "log_steps": 1}` of a deep model: the columns purity and
    nmi_arithmetic of its history, at every step.

    collection: labelled items that the model is not trained on; the paper takes ten of each class of the test part
    (`some_of_each_class`). They are encoded at every row, and change nothing in the training.
    Raises InputError for a collection in which an item has no label.
    """

    def __init__(self, collection: Collection) -> None:
        if collection.labels is None or not (collection.labels >= 0).all():
            raise InputError(f"{collection.name}: an item has no label, with which units could agree")
        self.labels: NDArray[np.int64] = collection.labels
        self.items = torch.from_numpy(np.ascontiguousarray(as_matrix(collection), np.float32))

    def __call__(self, module: nn.Module) -> Mapping[str, float]:
        """module: whose forward is (b, d) -> codes, units, distances, as that of every deep model."""
        self.items = self.items.to(next(module.parameters()).device)
        try:
            units = module(self.items)[1].cpu().numpy()
        except RuntimeError as error:
            raise InputError(
                f"the items to watch have {self.items.shape[1]} features, and the model cannot take them: they must "
                "be like those that it is trained on"
            ) from error
        return {
            "purity": measures.purity(self.labels, units),
            "nmi_arithmetic": measures.nmi(self.labels, units, average="arithmetic"),
        }
