"""What VaDE and WaMiC share: a mixture of diagonal Gaussians among the codes, its start, and its empty components."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from somscope.models.clusterer import DeepClusterer
from somscope.models.deep_model import Codes, Floats
from somscope.models.inputs import as_training_items
from somscope.models.module import DeepModule
from somscope.models.tasks import UnitTask, all_codes
from somscope.nets.dense import DenseAutoencoder
from somscope.objectives.losses import Losses
from somscope.objectives.mixture import joint_log_density
from somscope.training import Batch, Engine, Feed

__all__ = ["MixtureClusterer", "MixtureModule", "MixtureTask"]

_STARTS = 5
_EMPTY = (
    "a component of the mixture without items was put on the code that the mixture explains least; n_reseeded_ "
    "counts how often"
)


class MixtureModule(DeepModule):
    """An autoencoder and a mixture among its codes: p(z) = sum_c pi_c N(z; mu_c, diag sigma_c^2).

    The means mu (K, L) are the prototypes; logits (K,): pi = softmax(logits); log_variances (K, L): log sigma^2.
    """

    def __init__(self, net: DenseAutoencoder, n_clusters: int, latent_dim: int) -> None:
        super().__init__(n_clusters, latent_dim)
        self.net = net
        self.logits = nn.Parameter(torch.zeros(n_clusters))
        self.log_variances = nn.Parameter(torch.zeros(n_clusters, latent_dim))

    def encode(self, items: Tensor) -> Tensor:
        return self.net.encode(items)

    def decode(self, codes: Tensor) -> Tensor:
        return self.net.decode(codes)

    def joint(self, codes: Tensor) -> Tensor:
        """(b, L) -> (b, K) log pi_c + log N(z; mu_c, diag sigma_c^2)."""
        return joint_log_density(codes, self.logits, self.prototypes, self.log_variances)

    def costs(self, codes: Tensor, squared: Tensor) -> Tensor:
        """(b, K) -log p(c, z): an item belongs to the component that is most probable for its code."""
        return -self.joint(codes)

    @torch.no_grad()
    def start(self, codes: NDArray[np.floating], seed: int) -> None:
        """Put the mixture on codes (n, L): the likeliest of 5 that scikit-learn finds, each from k-means.

        Its components are ordered by their means: which of several equal mixtures is likeliest is a matter of rounding.
        """
        mixture = GaussianMixture(
            len(self.prototypes), covariance_type="diag", n_init=_STARTS, random_state=seed
        )
        with warnings.catch_warnings():  # a start need not have converged, nor have items in every component
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(codes.astype(np.float64))
        order = np.lexsort(mixture.means_.T[::-1])
        self.prototypes.copy_(torch.from_numpy(mixture.means_[order]))
        self.log_variances.copy_(torch.from_numpy(np.log(mixture.covariances_[order])))
        self.logits.copy_(torch.from_numpy(np.log(mixture.weights_[order])))


class MixtureTask(UnitTask):
    """Begins with a mixture on the codes of all items, and re-seeds components to which no item came in an epoch.

    seed: of the mixture's start. Counted in `module.n_reseeded`; `module.won` (K,) are the items of each component in
    this epoch.
    """

    module: MixtureModule

    def __init__(self, module: MixtureModule, seed: int) -> None:
        self.module, self.seed = module, seed
        module.remember("n_reseeded", torch.zeros((), dtype=torch.int64))
        module.remember("won", torch.zeros(len(module.prototypes)))

    @torch.no_grad()
    def begin(self, feed: Feed, engine: Engine) -> None:
        self.module.start(all_codes(self.module, feed).float().cpu().numpy(), self.seed)

    def update(self, batch: Batch, step: int, engine: Engine) -> Losses:
        before = self.module.counts.clone()
        losses = super().update(batch, step, engine)
        self.module.get_buffer("won").add_(self.module.counts - before)
        return losses

    @torch.no_grad()
    def at_epoch(self, epoch: int, feed: Feed, engine: Engine) -> None:
        won = self.module.get_buffer("won")
        if epoch and not bool(won.all()):
            self.reseed(all_codes(self.module, feed), engine)
        won.zero_()

    @torch.no_grad()
    def reseed(self, codes: Tensor, engine: Engine) -> None:
        """Put each component that none of the codes (n, L) belongs to on one of those of the least density.

        It gets the mean variances and the mean weight of the others.
        """
        module = self.module
        joint = module.joint(codes)
        used = torch.bincount(joint.argmax(1), minlength=len(module.prototypes)) > 0
        empty = (~used).nonzero()[:, 0]
        if not len(empty):
            return
        least = joint.logsumexp(1).topk(len(empty), largest=False).indices
        module.prototypes[empty] = codes[least].to(module.prototypes.dtype)
        module.log_variances[empty] = module.log_variances[used].exp().mean(0).log()
        module.logits[empty] = module.logits[used].exp().mean().log()
        module.get_buffer("n_reseeded").add_(len(empty))
        engine.warn(_EMPTY)


class MixtureClusterer(DeepClusterer):
    """A clusterer whose clusters are the components of a mixture, to which items belong by their probability.

    Attributes
    ----------
    weights_ (K,) pi; variances_ (K, L) sigma^2; and those of every deep clusterer, see `clusterer.DeepClusterer`:
    cluster_centers_ are the means mu. labels_ and predict are the components that are most probable for the items'
    codes; transform and the distances of best_units are those to the means.
    """

    module_: MixtureModule
    weights_: Codes
    variances_: Codes

    def predict_proba(self, X: Any) -> Floats:
        """(n, K) probability of each component for each item's code; rows sum to 1."""
        check_is_fitted(self)
        items = as_training_items(self, X, reset=False)
        with torch.inference_mode():
            parts = [self.module_.joint(z.double()).softmax(1).cpu().numpy() for z in self._codes(items)]
        return np.concatenate(parts)

    def _settle(self, items: NDArray[Any], seed: int) -> None:
        if not self.module_.prototypes.any():  # interrupted before there was a mixture
            self.module_.start(np.concatenate(list(self._coded(items))), seed)
        super()._settle(items, seed)

    def _describe(self) -> None:
        super()._describe()
        self.weights_ = self.module_.logits.softmax(0).cpu().numpy()
        self.variances_ = self.module_.log_variances.exp().cpu().numpy()
