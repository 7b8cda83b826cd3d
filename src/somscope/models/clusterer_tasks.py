"""Phases in which clusters are trained: their start by k-means, empty ones, and targets over the whole data set."""

from __future__ import annotations

import torch
from torch import Tensor

from somscope.models.clusterer import CONVERGED, kmeans_centres
from somscope.models.module import DeepModule
from somscope.models.tasks import UnitTask, all_codes
from somscope.objectives.clustering import soft_assignments, target_distribution
from somscope.objectives.losses import Losses
from somscope.training import Batch, Engine, Feed

__all__ = ["CentresTask", "TargetTask", "reseed", "start_centres"]

_EMPTY = (
    "a cluster without items was put on the item farthest from its own centre; n_reseeded_ counts how often"
)


@torch.no_grad()
def start_centres(module: DeepModule, feed: Feed, seed: int | None) -> None:
    """Put the centres where k-means on the codes of all items has them; None leaves them where they are."""
    if seed is not None:
        codes = all_codes(module, feed).float().cpu().numpy()
        module.prototypes.copy_(kmeans_centres(codes, len(module.prototypes), seed))


@torch.no_grad()
def reseed(module: DeepModule, codes: Tensor, labels: Tensor, engine: Engine) -> Tensor:
    """Put each centre that no code is nearest to on one of the codes farthest from their own centres.

    codes: (n, L) of all items; labels: (n,) their clusters. Returns the labels with those items in their new clusters.
    Counted in the module's buffer n_reseeded.
    """
    empty = (torch.bincount(labels, minlength=len(module.prototypes)) == 0).nonzero()[:, 0]
    if not len(empty):
        return labels
    own = (codes - module.prototypes[labels]).square().sum(1)
    far = own.topk(len(empty)).indices
    module.prototypes[empty] = codes[far].to(module.prototypes.dtype)
    labels = labels.clone()
    labels[far] = empty
    module.get_buffer("n_reseeded").add_(len(empty))
    engine.warn(_EMPTY)
    return labels


class CentresTask(UnitTask):
    """Begins with k-means on the codes of all items, and re-seeds centres to which no item came in an epoch.

    seed: of k-means; None leaves the centres to the model.
    """

    def __init__(self, module: DeepModule, seed: int | None) -> None:
        self.module, self.seed = module, seed
        module.remember("n_reseeded", torch.zeros((), dtype=torch.int64))
        module.remember("won", torch.zeros(len(module.prototypes)))  # items of each cluster, in this epoch

    @torch.no_grad()
    def begin(self, feed: Feed, engine: Engine) -> None:
        start_centres(self.module, feed, self.seed)

    def update(self, batch: Batch, step: int, engine: Engine) -> Losses:
        before = self.module.counts.clone()
        losses = super().update(batch, step, engine)
        self.module.get_buffer("won").add_(self.module.counts - before)
        return losses

    @torch.no_grad()
    def at_epoch(self, epoch: int, feed: Feed, engine: Engine) -> None:
        won = self.module.get_buffer("won")
        if epoch and not bool(won.all()):
            codes = all_codes(self.module, feed)
            reseed(self.module, codes, self.module.squared_distances(codes).argmin(1), engine)
        won.zero_()


class TargetTask(UnitTask):
    """The target distribution of DEC, over all items and not over a batch, renewed every `every` steps.

    p = target_distribution(q), q = soft_assignments(||z_i - m_k||^2, alpha), both (n, K). The phase ends when fewer
    than the share `tol` of the items changed their clusters from one renewal to the next (0: never).
    seed: of k-means, on whose centres the phase begins; None leaves the prototypes where they are. reseeds: re-seed
    units without items. Counted in the module's buffers n_updates and n_reseeded; `changed` is the last share.
    """

    def __init__(
        self,
        module: DeepModule,
        *,
        n_items: int,
        every: int,
        tol: float,
        alpha: float,
        seed: int | None,
        reseeds: bool = True,
    ) -> None:
        self.module, self.every, self.tol, self.alpha = module, every, tol, alpha
        self.seed, self.reseeds = seed, reseeds
        module.remember("target", torch.zeros(n_items, len(module.prototypes)))
        module.remember("previous", torch.zeros(n_items, dtype=torch.int64))  # units at the last renewal
        module.remember("changed", torch.ones(()))
        for name in ("n_updates", "n_reseeded"):
            module.remember(name, torch.zeros((), dtype=torch.int64))

    def target(self, batch: Batch) -> Tensor:
        """(b, K) p of the items of a batch."""
        return self.module.get_buffer("target")[batch.indices]

    @torch.no_grad()
    def begin(self, feed: Feed, engine: Engine) -> None:
        start_centres(self.module, feed, self.seed)

    @torch.no_grad()
    def at_interval(self, step: int, feed: Feed, engine: Engine) -> str | None:
        module = self.module
        previous, changed = module.get_buffer("previous"), module.get_buffer("changed")
        if float(changed) < self.tol:  # the training was resumed after its end
            return CONVERGED
        codes = all_codes(module, feed).float()
        squared = module.squared_distances(codes)
        units = squared.argmin(1)
        if self.reseeds:
            units = reseed(module, codes, units, engine)
            squared = module.squared_distances(codes)
        if step:
            changed.fill_(float((units != previous).float().mean()))
        previous.copy_(units)
        module.get_buffer("target").copy_(target_distribution(soft_assignments(squared, self.alpha)))
        module.get_buffer("n_updates").add_(1)
        return CONVERGED if float(changed) < self.tol else None

    def scalars(self, step: int) -> dict[str, float]:
        return {"changed_labels": float(self.module.get_buffer("changed"))}
