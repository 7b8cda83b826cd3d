"""SGD-SOM, the "kerasom" of the DESOM paper: a map of the items themselves, learned by gradient descent.

    L_som = 1/b sum_i sum_k exp(-d(b_i, k)^2 / T^2) ||x_i - m_k||^2,  minimised by Adam over the prototypes alone

(Forest et al., ESANN 2019, a baseline of Table 2.) It is not Kohonen's rule: the step size is Adam's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from somscope.maps.decay import Decay
from somscope.models.checks import check_common, check_number, check_whole
from somscope.models.deep_map import DeepMap
from somscope.models.module import DeepMapModule, SOMModule
from somscope.models.schedule import check_schedule, temperatures
from somscope.models.tasks import MapTask, draw_rows
from somscope.objectives.losses import Losses
from somscope.training import Batch, Phase

__all__ = ["SGDSOM", "GradientSOM", "GradientSOMTask"]


class GradientSOM(SOMModule):
    """Prototypes among the items: the code of an item is the item."""

    def encode(self, items: Tensor) -> Tensor:
        return items.flatten(1)

    def decode(self, codes: Tensor) -> Tensor:
        return codes

    def loss(self, items: Tensor, temperature: float) -> Losses:
        """Items (b, d) -> L_som, with the term "som"."""
        som, _ = self.map_loss(self.encode(items), temperature)
        return Losses(som, {"som": som})


class GradientSOMTask(MapTask):
    """Adam on the prototypes, which start on items."""

    module: GradientSOM

    def losses(self, batch: Batch, step: int) -> Losses:
        return self.module.loss(batch.items, float(self.temperatures[step]))


class SGDSOM(DeepMap):
    """A self-organizing map of the items, learned by Adam on mini-batches.

    Parameters
    ----------
    grid, lattice, toroidal, n_steps, batch_size, temperature, decay, neighbourhood, lattice_distance, learning_rate,
    device, precision, random_state, checkpoints, resume, training, verbose: as of `DESOM`.
    legacy: True repeats the authors' code: its lattice distance (up to 1 too small), batches in the order of the items,
        and Keras's Adam.

    Attributes are those of every deep map, see `deep_map.DeepMap`; codes are items.
    """

    model_name: ClassVar[str] = "sgd-som"
    module_: GradientSOM

    def __init__(
        self,
        grid: str | int | tuple[int, int] = (8, 8),
        *,
        lattice: str = "rectangular",
        toroidal: bool = False,
        legacy: bool = False,
        n_steps: int = 10_000,
        batch_size: int = 256,
        temperature: tuple[float, float] = (10.0, 0.1),
        decay: Decay = "exponential",
        neighbourhood: str = "gaussian",
        lattice_distance: str = "manhattan",
        learning_rate: float = 1e-3,
        device: str = "auto",
        precision: str = "auto",
        random_state: Any = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        training: Mapping[str, Any] | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.grid = grid
        self.lattice = lattice
        self.toroidal = toroidal
        self.legacy = legacy
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.temperature = temperature
        self.decay = decay
        self.neighbourhood = neighbourhood
        self.lattice_distance = lattice_distance
        self.learning_rate = learning_rate
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.checkpoints = checkpoints
        self.resume = resume
        self.training = training
        self.verbose = verbose

    def _check_choices(self) -> None:
        check_common(self.get_params(deep=False))
        check_schedule(self)
        check_whole("n_steps", self.n_steps, 1)
        check_number("learning_rate", self.learning_rate)

    def _module(self, generator: torch.Generator | None) -> GradientSOM:
        return GradientSOM(
            self.lattice_,
            self.n_features_in_,
            distance="legacy" if self.legacy else self.lattice_distance,
            neighbourhood=self.neighbourhood,
        )

    def _phases(self, module: DeepMapModule, items: NDArray[Any], generator: torch.Generator) -> list[Phase]:
        assert isinstance(module, GradientSOM)
        task = GradientSOMTask(
            module,
            temperatures(self),
            draw_rows(len(items), self.lattice_.n_units, generator),
            self.learning_rate,
            eps_hat=1e-7 if self.legacy else None,
        )
        how = {"batch_size": self.batch_size, "n_steps": self.n_steps}
        return [Phase("map", task, shuffle=not self.legacy, **how)]
