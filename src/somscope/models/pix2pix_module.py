"""pix2pix: paired image translation by a conditional GAN (Isola, Zhu, Zhou & Efros, CVPR 2017).

    G* = arg min_G max_D  E log D(a, b) + E log(1 - D(a, G(a))) + lambda E |b - G(a)|_1       (eqs. 1, 3 and 4)

as its authors' PyTorch code trains it: each step D first, on half of its loss and with G held, then G, with D held, on
-log D(a, G(a)) + lambda |b - G(a)|; |.|_1 is the mean over pixels and channels, lambda 100.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from somscope.models.pictures import jitter, to_planes
from somscope.nets.generators import padded
from somscope.objectives.adversarial import adversarial_loss
from somscope.objectives.losses import Losses
from somscope.objectives.wasserstein import gradient_penalty
from somscope.parts import gathered, own_rows
from somscope.training import Batch, Engine, Schedule, Task, adam

__all__ = ["Pix2PixModule", "Pix2PixTask", "linear_decay"]

_PENALTY = 10.0  # lambda of the gradient penalty (Gulrajani et al. 2017)


class Pix2PixModule(nn.Module):
    """Generator and discriminator, and the pool of pairs that were made before.

    pool: (p, channels of both, H, W) in -1 .. 1; pool_count: () how many of its places are taken.
    """

    pool: Tensor
    pool_count: Tensor

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, objective: str = "vanilla", l1: float = 100.0,
        pool_shape: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> None:  # fmt: skip
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.objective, self.l1 = objective, l1
        self.register_buffer("pool", torch.zeros(pool_shape))
        self.register_buffer("pool_count", torch.zeros((), dtype=torch.int64))

    def translate(self, source: Tensor) -> Tensor:
        """(b, c, H, W) -> (b, c', H, W), both in -1 .. 1."""
        return padded(self.generator, source)

    def discriminator_terms(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """ "fake" and "real" of pairs (b, channels of both, H, W), and with wgangp the "penalty" between the two."""
        fake = fake.detach()
        terms = {
            "fake": adversarial_loss(self.discriminator(fake), False, self.objective),
            "real": adversarial_loss(self.discriminator(real), True, self.objective),
        }
        if self.objective == "wgangp":
            terms["penalty"] = gradient_penalty(self._critic(real), real.flatten(1), fake.flatten(1))
        return terms

    def _critic(self, like: Tensor) -> Callable[[Tensor], Tensor]:
        """Flat pairs -> their mean score over patches, which is what the loss takes of them."""
        return lambda flat: self.discriminator(flat.view(-1, *like.shape[1:])).flatten(1).mean(1)

    def discriminator_loss(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Half the sum of "fake" and "real", and ten times the penalty."""
        loss = 0.5 * (terms["fake"] + terms["real"])
        return loss + _PENALTY * terms["penalty"] if "penalty" in terms else loss

    def generator_terms(self, source: Tensor, target: Tensor, made: Tensor) -> dict[str, Tensor]:
        """ "gan": what the discriminator has against the made images, and "l1" (-1 .. 1 is the range of a pixel)."""
        judged = self.discriminator(torch.cat([source, made], 1))
        return {
            "gan": adversarial_loss(judged, True, self.objective),
            "l1": (made.float() - target).abs().mean(),
        }

    def generator_loss(self, terms: Mapping[str, Tensor]) -> Tensor:
        """gan + lambda l1."""
        return terms["gan"] + self.l1 * terms["l1"]

    @torch.no_grad()
    def from_pool(self, pairs: Tensor, generator: torch.Generator) -> Tensor:
        """Made pairs for the discriminator: until the pool is full, those given; then for each with a chance of 1/2 one
        from the pool, whose place it takes (Shrivastava et al., CVPR 2017). The places of a batch differ.
        """
        size = len(self.pool)
        if size == 0:
            return pairs
        count = int(self.pool_count)
        if count < size:
            fitting = min(len(pairs), size - count)
            self.pool[count : count + fitting] = pairs[:fitting]
            self.pool_count += fitting
            return pairs
        place = torch.rand(size, generator=generator, device=pairs.device).argsort()[: len(pairs)]
        swap = torch.rand((len(pairs), 1, 1, 1), generator=generator, device=pairs.device) < 0.5
        before = self.pool[place]
        self.pool[place] = torch.where(swap, pairs, before)
        return torch.where(swap, before, pairs)


class Pix2PixTask(Task):
    """D and G in turn, on jittered pairs: items (b, H, W, channels of source and target) bytes.

    channels: of the source. enlarge, flip: see `pictures.jitter`. n_epochs and n_decay_epochs: see `linear_decay`.
    """

    module: Pix2PixModule
    raw = True

    def __init__(
        self, module: Pix2PixModule, channels: int, *, learning_rate: float, n_epochs: int, n_decay_epochs: int,
        enlarge: float, flip: bool,
    ) -> None:  # fmt: skip
        self.module, self.channels, self.rate = module, channels, learning_rate
        self.n_epochs, self.n_decay_epochs = n_epochs, n_decay_epochs
        self.enlarge, self.flip = enlarge, flip

    def optimizers(self) -> Mapping[str, Optimizer]:
        if next(self.module.parameters()).device.type == "cuda":
            self.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        nets = {"discriminator": self.module.discriminator, "generator": self.module.generator}
        return {name: adam(net.parameters(), lr=self.rate, betas=(0.5, 0.999)) for name, net in nets.items()}

    def schedules(self) -> Mapping[str, Schedule]:
        falling = Schedule(lambda epoch: linear_decay(epoch, self.n_epochs, self.n_decay_epochs), by="epoch")
        return {"discriminator": falling, "generator": falling}

    def update(self, batch: Batch, step: int, engine: Engine) -> Losses:
        module = self.module
        planes = to_planes(jitter(batch.items, self.enlarge, self.flip, engine.generator))
        source, target = planes[:, : self.channels], planes[:, self.channels :]
        with engine.autocast():
            made = module.translate(source).float()
            pairs = gathered(torch.cat([source, made.detach()], 1))
            fake = own_rows(module.from_pool(pairs, engine.generator))
            judged = module.discriminator_terms(planes, fake)
        engine.step(module.discriminator_loss(judged), "discriminator")
        with engine.autocast():
            terms = module.generator_terms(source, target, made)
        loss = module.generator_loss(terms)
        engine.step(loss, "generator")
        return Losses(loss, {**terms, **{f"discriminator_{name}": term for name, term in judged.items()}})


def linear_decay(epoch: int, n_epochs: int, n_decay_epochs: int) -> float:
    """1 in the first n epochs (from 0), then in even steps towards 0: 1 - max(0, epoch + 1 - n) / (n_decay + 1)."""
    return 1.0 - max(0, epoch + 1 - n_epochs) / (n_decay_epochs + 1)
