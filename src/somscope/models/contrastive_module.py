"""The network of a contrastive map, and its phases of training: encoder, both together, decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from somscope.data.augment import Augmentation, ImageAugmentation
from somscope.errors import InputError
from somscope.mapped import blocks_of_rows
from somscope.maps.lattice import Lattice
from somscope.maps.neighbourhood import neighbourhood
from somscope.models.inputs import ImageShape
from somscope.models.module import DeepMapModule
from somscope.models.similar import Similar
from somscope.models.tasks import UnitTask, all_codes, organised
from somscope.nets.conv import to_planes
from somscope.objectives.contrastive import nt_xent_loss, spread_loss, swapped_loss, unit_targets
from somscope.objectives.losses import Losses, weighted
from somscope.objectives.reconstruction import squared_error
from somscope.parts import gathered, own_rows
from somscope.training import Batch, Engine, Feed, Schedule, Task, adam, cosine

__all__ = ["AgainTask", "ContrastiveModule", "DecoderTask", "EncoderTask", "JointTask"]

_COLLAPSED = 0.05  # variance of codes on the unit sphere below which they are one point; 1 is even spread
_SPREAD = 1.0  # weight of the spread when a collapsed encoder is trained again
_SHARPNESS = 0.05  # of the targets, SwAV's
_NEVER = 2**62
_BLOCK = 16 * 2**20  # bytes of items whose deviations are added up at once
_LEAST = float(np.finfo(np.float32).tiny)  # deviation by which float32 can be divided


class ContrastiveModule(DeepMapModule):
    """Codes on the unit sphere, prototypes among them, and a decoder that learns from codes and teaches them nothing.

    centre, width: (d,) what is taken from each feature, and what it is then divided by, before the encoder sees it.
    unit_groups: (K,) the group of each unit. augmentation: makes the views. image_shape: (H, W, C), or None for rows of
    numbers.
    """

    centre: Tensor
    width: Tensor
    unit_groups: Tensor
    squared_lattice: Tensor
    collapsed: Tensor

    def __init__(
        self,
        lattice: Lattice,
        n_features: int,
        latent_dim: int,
        encoder: nn.Module,
        projector: nn.Module,
        decoder: nn.Module,
        augmentation: Augmentation,
        image_shape: ImageShape | None,
        temperature: float,
    ) -> None:
        super().__init__(lattice, latent_dim)
        self.encoder, self.projector, self.decoder = encoder, projector, decoder
        self.augmentation, self.image_shape, self.temperature = augmentation, image_shape, temperature
        self.register_buffer("centre", torch.zeros(n_features))
        self.register_buffer("width", torch.ones(n_features))
        self.register_buffer("unit_groups", torch.arange(lattice.n_units))
        squared = torch.from_numpy(lattice.squared_distances().astype(np.float32))
        self.register_buffer("squared_lattice", squared, persistent=False)

    def measured(self, items: Tensor) -> Tensor:
        """(b, ...), bytes or numbers -> (b, d): every feature as the encoder and the loss of the decoder see it."""
        x = items.float() / 255.0 if items.dtype == torch.uint8 else items
        return (x.flatten(1) - self.centre) / self.width

    def standardise(self, items: NDArray[Any]) -> None:
        """Have the columns of (n, d) measured from their means in their standard deviations, block by block."""
        parts = [rows.sum(0, dtype=np.float64) for _, rows in blocks_of_rows(items, _BLOCK)]
        mean = np.sum(parts, axis=0) / len(items)
        squared = np.sum([((rows - mean) ** 2).sum(0) for _, rows in blocks_of_rows(items, _BLOCK)], axis=0)
        deviation = np.sqrt(squared / len(items))
        self.centre.copy_(torch.from_numpy(mean))
        self.width.copy_(torch.from_numpy(np.where(deviation >= _LEAST, deviation, 1.0)))

    def seen(self, items: Tensor) -> Tensor:
        """(b, ...) as they are stored -> (b, d), or (b, C, H, W) of images: what the encoder sees."""
        x = self.measured(items)
        return x if self.image_shape is None else to_planes(x, self.image_shape)

    def encode(self, items: Tensor) -> Tensor:
        """(b, ...) -> (b, L) of length 1."""
        z: Tensor = self.encoder(self.seen(items))
        return functional.normalize(z.float(), dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        x: Tensor = self.decoder(codes)
        return x * self.width + self.centre

    def views(self, items: Tensor, others: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(b, ...), (b, ...) as they are stored -> (b, d), (b, d): a random view of each, in float32."""
        both = torch.cat([items, others])
        with torch.no_grad(), torch.autocast(items.device.type, enabled=False):
            if isinstance(self.augmentation, ImageAugmentation):
                assert self.image_shape is not None
                planes = self.augmentation(to_planes(both, self.image_shape), generator)
                seen = planes.permute(0, 2, 3, 1).flatten(1)
            else:
                seen = self.augmentation(both.flatten(1), generator)
        first, second = seen.chunk(2)
        return first, second

    def contrast(self, codes: tuple[Tensor, Tensor]) -> Tensor:
        """NT-Xent of two views' codes, through the projector."""
        first, second = gathered(self.projector(torch.cat(codes))).chunk(2)
        return nt_xent_loss(first, second, self.temperature)

    def scores(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """(b, L) -> squared distances d (b, K), and -d / 2, of which probabilities of units are made."""
        squared = self.squared_distances(codes)
        return squared, -0.5 * squared

    @torch.no_grad()
    def memberships(self, squared: Tensor, sharpness: float) -> Tensor:
        """(b, K) squared distances -> (b, G) probability of each group of units."""
        q = (-0.5 * squared / sharpness).softmax(1)
        groups = torch.zeros(len(q), int(self.unit_groups.max()) + 1, dtype=q.dtype, device=q.device)
        return groups.index_add_(1, self.unit_groups, q)


class EncoderTask(Task):
    """The encoder alone: contrast of two views of each item, or of one and one of a similar item.

    similar: where that is found, or None. spread: weight of `objectives.contrastive.spread_loss`.
    """

    module: ContrastiveModule
    generator: torch.Generator  # of the training, on its device
    raw = True

    def __init__(
        self,
        module: ContrastiveModule,
        n_steps: int,
        learning_rate: float,
        similar: Similar | None,
        spread: float = 0.0,
    ) -> None:
        self.module, self.n_steps, self.rate = module, n_steps, learning_rate
        self.similar, self.spread = similar, spread

    def weights(self) -> list[nn.Parameter]:
        """All that learns."""
        return [*self.module.encoder.parameters(), *self.module.projector.parameters()]

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam(self.weights(), lr=self.rate)}

    def schedules(self) -> Mapping[str, Schedule]:
        return {"adam": Schedule(cosine(self.n_steps))}

    def update(self, batch: Batch, step: int, engine: Engine) -> Losses:
        self.generator = engine.generator
        return super().update(batch, step, engine)

    def losses(self, batch: Batch, step: int) -> Losses:
        codes = self.codes(batch)
        terms = {"contrast": self.module.contrast(codes)}
        if self.spread:
            terms["spread"] = spread_loss(gathered(torch.cat(codes)))
        return weighted(terms, {"spread": self.spread} if self.spread else {})

    def codes(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(b, L), (b, L) of two views, through the encoder together, so that they share the statistics of one batch."""
        others = batch.items if self.similar is None else self.similar.beside(batch, self.generator)
        views = self.module.views(batch.items, others, self.generator)
        first, second = self.module.encode(torch.cat(views)).chunk(2)
        return first, second


def _reconstruction(module: ContrastiveModule, batch: Batch, codes: Tensor) -> Tensor:
    """Mean squared error of what the decoder makes of codes (b, L)."""
    return squared_error(module.decoder(codes), module.measured(batch.items))


class AgainTask(EncoderTask):
    """The same from other weights, if the codes of the first training are all one point; otherwise it ends at once.

    n_steps: 0 for an encoder that was trained elsewhere, whose collapse is noted and no more. fresh: the first weights
    of encoder and projector.
    """

    every = _NEVER  # asks at step 0 only

    def __init__(
        self,
        module: ContrastiveModule,
        n_steps: int,
        learning_rate: float,
        similar: Similar | None,
        fresh: Mapping[str, Mapping[str, Tensor]],
    ) -> None:
        super().__init__(module, n_steps, learning_rate, similar, spread=_SPREAD)
        self.fresh = fresh

    def begin(self, feed: Feed, engine: Engine) -> None:
        variance = _variance(all_codes(self.module, feed))
        self.module.collapsed.fill_(variance < _COLLAPSED)
        if self.module.collapsed and self.n_steps:
            engine.warn(
                f"the encoder has collapsed, its codes have {variance:.2g} of the variance of an even spread: it is "
                "trained again, and made to spread them"
            )
            for name, weights in self.fresh.items():
                getattr(self.module, name).load_state_dict(weights)

    def at_interval(self, step: int, feed: Feed, engine: Engine) -> str | None:
        return None if self.module.collapsed else "the encoder has not collapsed"


def _variance(codes: Tensor) -> float:
    """Of codes (n, L) on the unit sphere: mean squared distance to their mean, 1 if they are spread evenly."""
    return float(codes.double().var(0, correction=0).sum())


class JointTask(UnitTask, EncoderTask):
    """Encoder and prototypes together: the unit of each view is foretold from the other one.

    The prototypes start as a batch SOM of all codes. radii: (n_steps,) of the neighbourhood that targets are smoothed
    with, in lattice steps; sharpness: of the probabilities; keep: weight of what the encoder learned by before;
    rounds: of `unit_targets`; seed: of that SOM, start_radius: its last; None: the prototypes stay where they are.
    """

    module: ContrastiveModule

    def __init__(
        self,
        module: ContrastiveModule,
        radii: NDArray[np.float64],
        learning_rate: float,
        similar: Similar | None,
        *,
        sharpness: float,
        keep: float,
        rounds: int,
        start_radius: float | None,
        seed: int,
    ) -> None:
        super().__init__(module, len(radii), learning_rate, similar)
        self.radii, self.sharpness, self.keep, self.rounds = radii, sharpness, keep, rounds
        self.start_radius, self.seed = start_radius, seed

    def begin(self, feed: Feed, engine: Engine) -> None:
        codes = all_codes(self.module, feed)
        if self.module.collapsed and _variance(codes) < _COLLAPSED:
            engine.warn("the encoder has collapsed again: this map says nothing about the items")
        if bool((codes == codes[:1]).all()):
            raise InputError(
                f"all {len(codes)} items got the same code, and there is nothing to map; try another augmentation or "
                "random_state, or a smaller learning_rate"
            )
        if self.start_radius is None:
            return
        with torch.no_grad():
            start = organised(codes.cpu().numpy(), self.module.lattice, self.start_radius, self.seed)
            self.module.prototypes.copy_(start)

    def weights(self) -> list[nn.Parameter]:
        return [*super().weights(), self.module.prototypes]

    def losses(self, batch: Batch, step: int) -> Losses:
        module, codes = self.module, self.codes(batch)
        squared, scores = module.scores(torch.cat(codes))
        first, second = scores.chunk(2)
        kernel: Tensor = neighbourhood("gaussian", module.squared_lattice, float(self.radii[step]))
        targets = [
            own_rows(unit_targets(gathered(view.detach()), kernel, _SHARPNESS, self.rounds))
            for view in (first, second)
        ]
        units = squared.detach().argmin(1)
        module.units = units[: len(first)]
        terms = {
            "swapped": swapped_loss(
                (first / self.sharpness, second / self.sharpness), (targets[0], targets[1])
            ),
            **({"contrast": module.contrast(codes)} if self.keep else {}),
        }
        return weighted(terms, {"contrast": self.keep} if self.keep else {})

    def scalars(self, step: int) -> Mapping[str, float]:
        return {"radius": float(self.radii[step])}


class DecoderTask(Task):
    """The decoder alone, on the codes of an encoder that it cannot change."""

    raw = True

    def __init__(self, whole: ContrastiveModule, n_steps: int, learning_rate: float) -> None:
        self.whole, self.module = whole, whole.decoder  # the rest stays in eval mode
        self.n_steps, self.rate = n_steps, learning_rate

    @property
    def watched(self) -> nn.Module:
        return self.whole

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam(self.module.parameters(), lr=self.rate)}

    def schedules(self) -> Mapping[str, Schedule]:
        return {"adam": Schedule(cosine(self.n_steps))}

    def losses(self, batch: Batch, step: int) -> Losses:
        with torch.no_grad():
            codes = self.whole.encode(batch.items)
        loss = _reconstruction(self.whole, batch, codes)
        return Losses(loss, {"reconstruction": loss})
