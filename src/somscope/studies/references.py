"""The models that a study compares with and that are not ours: scikit-learn's k-means and the real MiniSom.

They take the same calls as our estimators: fit, then prototypes_ and lattice_ (None where units have no neighbours).
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.errors import RunError
from somscope.maps.inputs import as_matrix
from somscope.maps.lattice import Lattice

__all__ = ["EncodedMiniSomReference", "KMeansReference", "MiniSomReference"]


class KMeansReference:
    """scikit-learn's k-means (Lloyd, k-means++): the best of `n_init` starts by inertia."""

    prototypes_: NDArray[np.floating]
    lattice_: Lattice | None

    def __init__(self, n_clusters: int = 64, n_init: int = 10, random_state: int = 0) -> None:
        self.n_clusters = n_clusters
        self.n_init = n_init
        self.random_state = random_state

    def fit(self, X: Any) -> KMeansReference:
        """Cluster (n, d) items."""
        from sklearn.cluster import KMeans

        kmeans = KMeans(self.n_clusters, n_init=self.n_init, random_state=self.random_state)
        self.prototypes_ = kmeans.fit(as_matrix(X)).cluster_centers_
        self.lattice_ = None
        return self


class MiniSomReference:
    """The real MiniSom, trained as DESOM's authors call it: `train_batch`, one item after the other in their order.

    The name misleads: it is online training without a random order, n_epochs looks at each item. Prototypes start at
    random items; learning rate and sigma fall as 1 / (1 + 2t), t from 0 to 1. sigma: in lattice steps.
    Raises RunError where the package minisom is not installed.
    """

    prototypes_: NDArray[np.floating]
    lattice_: Lattice | None

    def __init__(
        self,
        grid: tuple[int, int] = (8, 8),
        sigma: float = 1.0,
        learning_rate: float = 0.5,
        n_epochs: int = 1,
        random_state: int = 0,
    ) -> None:
        self.grid = grid
        self.sigma = sigma
        self.learning_rate = learning_rate
        self.n_epochs = n_epochs
        self.random_state = random_state

    def fit(self, X: Any) -> MiniSomReference:
        """Train on (n, d) items."""
        package = _minisom()
        items = as_matrix(X)
        rows, columns = self.grid
        som = package.MiniSom(
            rows,
            columns,
            items.shape[1],
            sigma=self.sigma,
            learning_rate=self.learning_rate,
            random_seed=self.random_state,
        )
        som.random_weights_init(items)
        som.train_batch(items, self.n_epochs * len(items))
        self.prototypes_ = som.get_weights().reshape(rows * columns, -1).astype(np.float32)
        self.lattice_ = Lattice(rows, columns)
        return self


def _minisom() -> Any:
    try:
        return importlib.import_module("minisom")  # it has no types, and not everyone has it
    except ImportError:
        raise RunError("minisom is not installed: pip install minisom") from None


class EncodedMiniSomReference:
    """The real MiniSom on the codes of an autoencoder that was trained before, the one of our AE-SOM.

    grid, sigma, minisom_rate (its learning_rate), n_epochs: of `MiniSomReference`; pretrain_epochs, autoencoder,
    device, precision, checkpoints, resume: of `somscope.models.ae_som.AESOM`. Prototypes lie among the codes.
    """

    prototypes_: NDArray[np.floating]
    lattice_: Lattice | None
    stop_reason_: str
    device_: str
    precision_: str
    seconds_: float

    def __init__(
        self,
        grid: tuple[int, int] = (8, 8),
        sigma: float = 1.0,
        minisom_rate: float = 0.5,
        n_epochs: int = 1,
        hidden: tuple[int, ...] = (500, 500, 2000),
        latent_dim: int = 10,
        pretrain_epochs: int = 200,
        autoencoder: str | Path | None = None,
        random_state: int = 0,
        device: str = "auto",
        precision: str = "auto",
        checkpoints: Path | None = None,
        resume: bool = False,
    ) -> None:
        self.grid = grid
        self.sigma = sigma
        self.minisom_rate = minisom_rate
        self.n_epochs = n_epochs
        self.hidden = hidden
        self.latent_dim = latent_dim
        self.pretrain_epochs = pretrain_epochs
        self.autoencoder = autoencoder
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.checkpoints = checkpoints
        self.resume = resume

    def fit(self, X: Any) -> EncodedMiniSomReference:
        """Train on (n, d) items; Ctrl-C during the autoencoder leaves stop_reason_ "interrupted"."""
        from somscope.models.ae_som import AESOM

        _minisom()  # before hours of training
        autoencoder = AESOM(
            self.grid,
            self.latent_dim,
            method="batch",
            hidden=self.hidden,
            pretrain_epochs=self.pretrain_epochs,
            autoencoder=self.autoencoder,
            random_state=self.random_state,
            device=self.device,
            precision=self.precision,
            checkpoints=self.checkpoints,
            resume=self.resume,
            verbose=False,
        ).fit(X)
        som = MiniSomReference(
            self.grid, self.sigma, self.minisom_rate, self.n_epochs, self.random_state
        ).fit(autoencoder.encode(X))
        self._autoencoder = autoencoder
        self.prototypes_, self.lattice_ = som.prototypes_, som.lattice_
        self.stop_reason_, self.seconds_ = autoencoder.stop_reason_, autoencoder.seconds_
        self.device_, self.precision_ = autoencoder.device_, autoencoder.precision_
        return self

    def encode(self, X: Any) -> NDArray[np.float32]:
        """(n, L) code of each item."""
        return self._autoencoder.encode(X)
