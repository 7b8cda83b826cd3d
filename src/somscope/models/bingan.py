"""BinGAN: binary codes out of the discriminator of a regularized GAN (Zieba et al., NeurIPS 2018).

    L = L_D + lambda_DMR L_DMR + lambda_BRE (L_ME + L_MAC),   L_G = feature matching

The terms stand in `objectives.binary`, the nets in `nets.bingan`; both regularizers see real images only. Bits are the
signs of the low layer f, 1 where f >= 0, with dropout off.

Text and published code do not agree everywhere, or the text is silent; `variant` chooses:

| what                          | variant="paper"                    | variant="code"                          |
|-------------------------------|------------------------------------|-----------------------------------------|
| Z of L_MAC                    | sum of alpha ("normalisation")     | N (N - 1)                               |
| sign of h at 0, in training   | 1, as of the bits (text: a / |a|)  | 0                                       |
| high layer h, in matching     | mean of the last 1x1 layer (128)   | last convolution, flattened (128 x 6 x 6) |

Where the text says nothing, both do as the code: L_D with two outputs, alpha = exp(-|b.b'| / (2 M)), all of the nets,
f of matching (the mean of the first 1x1 layer), Adam, lambda_DMR, and lambda_BRE, ten times larger in matching. Three
things differ from the code in both: its Adam has an eps of 1e-8 inside of the root, and ours 1e-4 outside, which is the
same within a factor of 1.42; the last batch of an epoch may be short; and its learning rate would fall after epoch 800,
which its 400 epochs do not reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.optim import Optimizer

from somscope.codes.packing import check_bits
from somscope.errors import InputError, check_choice
from somscope.models.checks import check_number, check_run, check_whole
from somscope.models.deep_coder import CoderModule, DeepCoder
from somscope.models.inputs import ImageShape
from somscope.nets.bingan import NOISE, TASKS, Discriminator, Generator, draw_weights, initialise_from
from somscope.objectives.binary import (
    balance_loss,
    discriminator_loss,
    distance_matching,
    feature_matching,
    hard_sign,
    soft_sign,
    weighted_correlation,
)
from somscope.objectives.losses import Losses, weighted
from somscope.parts import gathered, own_rows, whole_size
from somscope.seeds import random_source
from somscope.training import Batch, Engine, Feed, Phase, Task, adam
from somscope.training.order import epoch_order

__all__ = ["PRESETS", "VARIANTS", "BinGAN", "BinGANModule", "BinGANTask", "Recipe"]

VARIANTS = ("paper", "code")
_FIRST = 500  # training images that the nets are initialised from


@dataclass(frozen=True)
class Recipe:
    """What a preset stands for, see `BinGAN`."""

    width: float
    n_epochs: int
    batch_size: int
    lambda_dmr: float
    lambda_bre: float


PRESETS = {
    "full": Recipe(1.0, 400, 25, 0.05, 0.001),
    # Small generators lose to their discriminators at once, which then gives all images the same code: the published
    # regularizers are too weak to prevent it.
    "cpu": Recipe(0.25, 5, 25, 0.5, 1.0),
}


class BinGANModule(CoderModule):
    """A generator and a discriminator.

    width: factor for their filters. gamma, beta: of the soft signs and of alpha.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        bits: int,
        task: str = "retrieval",
        width: float = 1.0,
        *,
        variant: str = "code",
        gamma: float = 1e-3,
        beta: float = 2.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(image_shape)
        self.paper, self.gamma, self.beta = variant == "paper", gamma, beta
        self.discriminator = Discriminator(bits, task, width, pooled_high=self.paper)
        self.generator = Generator(image_shape[0], image_shape[1], width)
        draw_weights(self, generator)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # fastest
        self.block = max(16, round(2**24 / (96 * max(width, 0.04) * image_shape[0] * image_shape[1])))

    def images(self, items: Tensor) -> Tensor:
        """(b, H W C) pixels / 255 -> (b, 3, H, W) (pixel - 127.5) / 128; grey three times."""
        return ((self.planes(items) - 0.5) * (255.0 / 128.0)).expand(-1, 3, -1, -1)

    def project(self, items: Tensor) -> Tensor:
        return self.discriminator.low(self.images(items))

    def discriminator_loss(self, images: Tensor, noise: Tensor, weights: Mapping[str, float]) -> Losses:
        """Images (b, 3, H, W) and noise -> L, with the terms "adversarial" (L_D), "distance" (L_DMR), "balance" (L_ME)
        and "correlation" (L_MAC); weights: of the last three."""
        with torch.no_grad():
            generated = self.generator(noise)
        both = self.discriminator(torch.cat([images, generated.to(images.dtype)]))
        n = len(images)
        soft = gathered(soft_sign(both.low[:n], self.gamma))
        signs = gathered(hard_sign(both.high[:n], "one" if self.paper else "zero"))
        terms = {
            "adversarial": discriminator_loss(both.output[:n], both.output[n:]),
            "distance": distance_matching(signs, soft),
            "balance": balance_loss(soft),
            "correlation": weighted_correlation(signs, soft, self.beta, normalised=self.paper),
        }
        return weighted(terms, weights)

    def generator_loss(self, images: Tensor, noise: Tensor) -> Tensor:
        """Images (b, 3, H, W) and noise -> (): the distance of the means of their features."""
        with torch.no_grad():
            real = gathered(self.discriminator(images).matched)
        made = self.discriminator(self.generator(noise)).matched
        return feature_matching(real, gathered(made))


class BinGANTask(Task):
    """A step of the discriminator, then one of the generator, on images from a shuffled copy of the data.

    items: the data of the training. weights: of the regularizers. seed: of the copy's order.
    """

    module: BinGANModule

    def __init__(
        self,
        module: BinGANModule,
        items: NDArray[Any],
        batch_size: int,
        weights: Mapping[str, float],
        learning_rate: float,
        seed: int,
    ) -> None:
        self.module, self.items, self.seed = module, items, seed
        self.weights, self.rate = dict(weights), learning_rate
        self.per_epoch = -(-len(items) // batch_size)
        self.feed: Feed | None = None
        self.order: tuple[int, Tensor] | None = None

    def begin(self, feed: Feed, engine: Engine) -> None:
        """Initialise the layers with weight norm, one after the other, from the first images and as much noise."""
        first = feed.batch(torch.arange(min(_FIRST, len(feed)), device=feed.index_device))
        noise = torch.rand(_FIRST, NOISE, generator=engine.generator, device=engine.device)
        initialise_from(self.module.generator, noise)
        initialise_from(self.module.discriminator, self.module.images(first.items))

    def at_epoch(self, epoch: int, feed: Feed, engine: Engine) -> None:
        self.feed = feed

    def optimizers(self) -> Mapping[str, Optimizer]:
        parts = {"discriminator": self.module.discriminator, "generator": self.module.generator}
        return {
            name: adam(
                (p for p in part.parameters() if p.requires_grad), lr=self.rate, betas=(0.5, 0.999), eps=1e-4
            )
            for name, part in parts.items()
        }

    def update(self, batch: Batch, step: int, engine: Engine) -> Losses:
        module = self.module
        size = whole_size(len(batch.items))
        noise = torch.rand((2, max(2, size), NOISE), generator=engine.generator, device=engine.device)
        if size > 1:  # batch normalisation needs two, also for one image
            noise = torch.stack([own_rows(part) for part in noise])
        with engine.autocast():
            losses = module.discriminator_loss(module.images(batch.items), noise[0], self.weights)
        engine.step(losses.total, "discriminator")
        others = self._others(batch, step, engine)
        with engine.autocast():
            matching = module.generator_loss(module.images(others), noise[1])
        engine.step(matching, "generator")
        return Losses(losses.total, {**losses.terms, "feature_matching": matching})

    def _others(self, batch: Batch, step: int, engine: Engine) -> Tensor:
        """As many images, from an order of the epoch that is independent of the batch's; a function of the step, so
        that it is the same after a resume."""
        if self.feed is None:  # resumed in the middle of an epoch
            self.feed = Feed(self.items, engine.device)
        epoch = step // self.per_epoch
        if self.order is None or self.order[0] != epoch:
            order = epoch_order(len(self.feed), True, self.seed, 0, epoch).to(self.feed.index_device)
            self.order = (epoch, order)
        return self.feed.batch(self.order[1][batch.indices.to(self.feed.index_device)]).items


class BinGAN(DeepCoder):
    """Binary codes of images from a regularized GAN, without labels.

    Parameters
    ----------
    bits: K, a multiple of 8; 16, 32 or 64 for retrieval and 256 for matching in the paper.
    task: "retrieval", or "matching" for codes of grey patches; see `nets.bingan.Discriminator`. Sides of the images
        are multiples of 8, from 16 on; 32 in the paper. Grey becomes three equal channels.
    preset: "full", the published sizes and weights, and 400 epochs in batches of 25, a job for a GPU; "cpu", a quarter
        of the filters, 5 epochs, and regularizers that are stronger, 0.5 and 1, because the published ones do not keep
        the bits of small nets from becoming constant; minutes for a few thousand images; "auto", by where it runs.
    variant: "code" or "paper", see the module's table.
    width: factor for the published filters; n_epochs, batch_size: of the training; None leaves them to the preset.
        Batches larger than 25 use a GPU better, and are another recipe: the regularizers see more pairs, and there are
        fewer steps.
    lambda_dmr, lambda_bre: weights of the distance-matching regularizer and of the binarization entropy; None leaves
        them to the preset: 0.05, and 0.001 in retrieval or 0.01 in matching, as published. gamma, beta: of the soft
        signs, and of alpha.
    learning_rate: of both Adams.
    device, precision, random_state, checkpoints, resume, training, verbose: as of `DESOM`. precision="bf16" computes
        both nets' products in bfloat16, and all terms of the loss in float32.

    Attributes are those of a `deep_coder.DeepCoder`. The history has the terms "adversarial", "distance", "balance",
    "correlation" and "feature_matching", each without its weight.

    >>> codes = BinGAN(bits=32).fit(images).encode(images)   # (n, 4) uint8
    """

    model_name: ClassVar[str] = "bingan"
    _least_side: ClassVar[int] = 16
    _multiple: ClassVar[int] = 8
    module_: BinGANModule

    def __init__(
        self,
        bits: int = 32,
        task: str = "retrieval",
        *,
        preset: str = "auto",
        variant: str = "code",
        width: float | None = None,
        n_epochs: int | None = None,
        batch_size: int | None = None,
        lambda_dmr: float | None = None,
        lambda_bre: float | None = None,
        gamma: float = 1e-3,
        beta: float = 2.0,
        learning_rate: float = 3e-4,
        device: str = "auto",
        precision: str = "auto",
        random_state: Any = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        training: Mapping[str, Any] | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.bits = bits
        self.task = task
        self.preset = preset
        self.variant = variant
        self.width = width
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.lambda_dmr = lambda_dmr
        self.lambda_bre = lambda_bre
        self.gamma = gamma
        self.beta = beta
        self.learning_rate = learning_rate
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.checkpoints = checkpoints
        self.resume = resume
        self.training = training
        self.verbose = verbose

    def generate(self, n: int, random_state: Any = 0) -> NDArray[np.uint8]:
        """(n, H, W, 3) images from the generator, n of 2 or more: each depends a little on the others of its batch."""
        check_is_fitted(self)
        check_whole("n", n, 2)
        noise = random_source(random_state).random_sample((n, NOISE)).astype(np.float32)
        device = next(self.module_.parameters()).device
        with torch.inference_mode():
            images = self.module_.generator(torch.from_numpy(noise).to(device))
            pixels = (images * 128.0 + 127.5).round().clamp(0, 255).to(torch.uint8)
        return np.asarray(pixels.permute(0, 2, 3, 1).cpu().numpy())

    def _check_choices(self) -> None:
        check_bits(self.bits)
        check_choice("task", self.task, TASKS)
        check_choice("preset", self.preset, ("auto", *PRESETS))
        check_choice("variant", self.variant, VARIANTS)
        check_run({**self.get_params(deep=False), "batch_size": self.batch_size or 1})
        for name, least in (("n_epochs", 1), ("batch_size", 2)):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), least)
        for name in ("width", "lambda_dmr", "lambda_bre"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), zero=name != "width")
        if self.width is not None and not 1 / 96 <= self.width <= 16:
            raise InputError(f"width={self.width!r}; allowed: a number from 1/96 to 16, or None")
        for name in ("gamma", "beta", "learning_rate"):
            check_number(name, getattr(self, name))

    def _recipe(self) -> Recipe:
        """The preset, and what was given in its place."""
        recipe = PRESETS[self._preset()]
        if self.task == "matching" and self._preset() == "full":
            recipe = replace(recipe, lambda_bre=0.01)
        given = {name: getattr(self, name) for name in asdict(recipe) if getattr(self, name) is not None}
        return replace(recipe, **given)

    def _preset(self) -> str:
        if self.preset != "auto":
            return self.preset
        return "full" if self.device != "cpu" and torch.cuda.is_available() else "cpu"

    def _choose(self, items: NDArray[Any]) -> dict[str, Any]:
        recipe, name = self._recipe(), self._preset()
        if self.preset == "auto":
            where = "a GPU is at hand" if name == "full" else "the training runs on a CPU"
            self.chosen_["preset"] = (
                f"{name}: {where}; width {recipe.width:g}, {recipe.n_epochs} epochs in batches of {recipe.batch_size}"
            )
        return {"width": float(recipe.width)}

    def _settings(self) -> dict[str, Any]:
        return asdict(self._recipe())

    def _module(self, chosen: Mapping[str, Any], generator: torch.Generator | None) -> BinGANModule:
        width = chosen["width"]
        if not isinstance(width, float) or not 1 / 96 <= width <= 16:
            raise ValueError(f"width is {width!r}")
        how: dict[str, Any] = {"variant": self.variant, "gamma": self.gamma, "beta": self.beta}
        return BinGANModule(self.image_shape_, self.bits, self.task, width, **how, generator=generator)

    def _phases(self, module: Any, items: NDArray[Any], generator: torch.Generator) -> list[Phase]:
        recipe = self._recipe()
        entropy = recipe.lambda_bre
        weights = {"distance": recipe.lambda_dmr, "balance": entropy, "correlation": entropy}
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        task = BinGANTask(module, items, recipe.batch_size, weights, self.learning_rate, seed)
        return [Phase("adversarial", task, n_epochs=recipe.n_epochs, batch_size=recipe.batch_size)]
