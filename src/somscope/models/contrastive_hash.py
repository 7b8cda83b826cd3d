"""ContrastiveHash: bits that two random views of an image agree on, and those of other images do not.

    L = L_codes + L_features + beta L_balance + delta L_decorrelation
    b_k = 1 with probability sigmoid(v_k),  v = W E(x) + c

L_codes is NT-Xent of the sampled bits of two views, through which gradients pass straight, after CIBHash (Qiu et al.,
IJCAI 2021), which starts from an encoder that was trained on ImageNet. Here it starts from nothing, and learns from
NT-Xent of its features behind a projector, too (SimCLR: Chen et al., ICML 2020). The last two terms are ours in place
of CIBHash's divergence between the views: every bit on for half of the images, and no two bits the same
(`objectives.binary`). Codes are the signs of v, without sampling.

The views are prior knowledge about images, see `data.augment`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from somscope.codes.packing import check_bits
from somscope.data.augment import AUGMENTATIONS, ImageAugmentation, choose_augmentation
from somscope.errors import check_choice
from somscope.models.checks import check_number, check_run, check_whole
from somscope.models.deep_coder import CoderModule, DeepCoder
from somscope.models.inputs import ImageShape
from somscope.nets.contrastive import ImageEncoder, projector
from somscope.nets.initialise import glorot_uniform
from somscope.objectives.binary import balance_loss, decorrelation_loss, sampled_bits
from somscope.objectives.contrastive import nt_xent_loss
from somscope.objectives.losses import Losses, weighted
from somscope.parts import gathered
from somscope.training import Batch, Engine, Phase, Schedule, Task, adam, cosine

__all__ = ["ContrastiveHash", "ContrastiveHashModule", "ContrastiveHashTask", "Recipe"]

VIEWS = tuple(name for name, found in AUGMENTATIONS.items() if isinstance(found, ImageAugmentation))


@dataclass(frozen=True)
class Recipe:
    """How long an encoder is trained."""

    n_epochs: int
    batch_size: int


RECIPES = {"small": Recipe(40, 256), "resnet10": Recipe(200, 512), "resnet18": Recipe(500, 512)}


class ContrastiveHashModule(CoderModule):
    """An encoder, a linear layer of K behind it for the bits, and a projector for the contrast of its features."""

    def __init__(
        self,
        image_shape: ImageShape,
        bits: int,
        network: str = "small",
        latent_dim: int = 128,
        *,
        temperature: float = 0.3,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(image_shape)
        self.temperature = temperature
        self.encoder = ImageEncoder(image_shape, latent_dim, network, generator)
        self.projector = projector(latent_dim, generator)
        self.code = nn.Linear(latent_dim, bits)
        glorot_uniform(self.code, generator)
        filters = 32 if network == "small" else 64
        self.block = max(16, 2**24 // (filters * image_shape[0] * image_shape[1]))

    def project(self, items: Tensor) -> Tensor:
        values: Tensor = self.code(self.encoder(self.planes(items)))
        return values

    def loss(self, views: Tensor, weights: Mapping[str, float], generator: torch.Generator) -> Losses:
        """(2b, C, H, W), first views and then second ones of b images -> L, with the terms "codes", "features",
        "balance" and "decorrelation"."""
        latent = self.encoder(views)
        values, projected = self.code(latent).float(), self.projector(latent).float()
        with torch.autocast(views.device.type, enabled=False):
            soft = gathered(torch.tanh(0.5 * values))
            bits = sampled_bits(values, generator)
            terms = {
                "codes": nt_xent_loss(*_two(gathered(bits)), self.temperature),
                "features": nt_xent_loss(*_two(gathered(projected)), self.temperature),
                "balance": balance_loss(soft),
                "decorrelation": decorrelation_loss(soft),
            }
        return weighted(terms, weights)


def _two(views: Tensor) -> tuple[Tensor, Tensor]:
    first, second = views.chunk(2)
    return first, second


class ContrastiveHashTask(Task):
    """Two views of each image, and a step of Adam, whose rate falls to 0 along a cosine."""

    module: ContrastiveHashModule
    raw = True

    def __init__(
        self,
        module: ContrastiveHashModule,
        augmentation: ImageAugmentation,
        weights: Mapping[str, float],
        learning_rate: float,
        n_steps: int,
    ) -> None:
        self.module, self.augmentation, self.weights = module, augmentation, dict(weights)
        self.rate, self.n_steps = learning_rate, n_steps

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam(self.module.parameters(), lr=self.rate)}

    def schedules(self) -> Mapping[str, Schedule]:
        return {"adam": Schedule(cosine(self.n_steps))}

    def update(self, batch: Batch, step: int, engine: Engine) -> Losses:
        planes = self.module.planes(batch.items)
        views = self.augmentation(torch.cat([planes, planes]), engine.generator)
        with engine.autocast():
            losses = self.module.loss(views, self.weights, engine.generator)
        engine.step(losses.total)
        return losses


class ContrastiveHash(DeepCoder):
    """Binary codes of images by contrast of random views, without labels and without pretrained weights.

    Parameters
    ----------
    bits: K, a multiple of 8.
    network: the encoder, "small", "resnet10" or "resnet18", see `nets.contrastive.ImageEncoder`; "auto": resnet18 where
        there is a GPU, small elsewhere.
    augmentation: what makes the views, "digits", "objects" or "photos", see `data.augment`; "auto": by the images.
    latent_dim: features of the encoder.
    n_epochs, batch_size: of the training; None leaves them to the network: 40 and 256 for small, 200 and 512 for
        resnet10, 500 and 512 for resnet18.
    temperature: of both contrasts. features, balance, decorrelation: weights of those terms; codes have 1.
    learning_rate: of Adam, at first.
    device, precision, random_state, checkpoints, resume, training, verbose: as of `DESOM`.

    Attributes are those of a `deep_coder.DeepCoder`. The history has the terms "codes", "features", "balance" and
    "decorrelation", each without its weight.

    >>> codes = ContrastiveHash(bits=32).fit(images).encode(images)   # (n, 4) uint8
    """

    model_name: ClassVar[str] = "contrastive-hash"
    _least_side: ClassVar[int] = 8
    _multiple: ClassVar[int] = 1
    module_: ContrastiveHashModule

    def __init__(
        self,
        bits: int = 32,
        *,
        network: str = "auto",
        augmentation: str = "auto",
        latent_dim: int = 128,
        n_epochs: int | None = None,
        batch_size: int | None = None,
        temperature: float = 0.3,
        features: float = 1.0,
        balance: float = 1.0,
        decorrelation: float = 1.0,
        learning_rate: float = 2e-3,
        device: str = "auto",
        precision: str = "auto",
        random_state: Any = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        training: Mapping[str, Any] | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.bits = bits
        self.network = network
        self.augmentation = augmentation
        self.latent_dim = latent_dim
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.temperature = temperature
        self.features = features
        self.balance = balance
        self.decorrelation = decorrelation
        self.learning_rate = learning_rate
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.checkpoints = checkpoints
        self.resume = resume
        self.training = training
        self.verbose = verbose

    def _check_choices(self) -> None:
        check_bits(self.bits)
        check_choice("network", self.network, ("auto", *RECIPES))
        check_choice("augmentation", self.augmentation, ("auto", *VIEWS))
        check_run({**self.get_params(deep=False), "batch_size": self.batch_size or 1})
        check_whole("latent_dim", self.latent_dim, 1)
        for name, least in (("n_epochs", 1), ("batch_size", 2)):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), least)
        for name in ("features", "balance", "decorrelation"):
            check_number(name, getattr(self, name), zero=True)
        for name in ("temperature", "learning_rate"):
            check_number(name, getattr(self, name))

    def _network(self) -> str:
        if self.network != "auto":
            return self.network
        return "resnet18" if self.device != "cpu" and torch.cuda.is_available() else "small"

    def _recipe(self) -> Recipe:
        recipe = RECIPES[self._network()]
        given = {name: getattr(self, name) for name in asdict(recipe) if getattr(self, name) is not None}
        return replace(recipe, **given)

    def _choose(self, items: NDArray[Any]) -> dict[str, Any]:
        network, augmentation = self._network(), self.augmentation
        if self.network == "auto":
            where = "a GPU is at hand" if network == "resnet18" else "the training runs on a CPU"
            self.chosen_["network"] = f"{network}: {where}"
        if augmentation == "auto":
            augmentation, self.chosen_["augmentation"] = choose_augmentation(items, self.image_shape_)
        self._augmentation = augmentation
        return {"network": network}

    def _settings(self) -> dict[str, Any]:
        return {**asdict(self._recipe()), "network": self._network(), "augmentation": self._augmentation}

    def _module(self, chosen: Mapping[str, Any], generator: torch.Generator | None) -> ContrastiveHashModule:
        check_choice("network", chosen["network"], RECIPES)
        sizes = (self.image_shape_, self.bits, chosen["network"], self.latent_dim)
        return ContrastiveHashModule(*sizes, temperature=self.temperature, generator=generator)

    def _phases(self, module: Any, items: NDArray[Any], generator: torch.Generator) -> list[Phase]:
        recipe = self._recipe()
        augmentation = AUGMENTATIONS[self._augmentation]
        assert isinstance(augmentation, ImageAugmentation)
        weights = {name: getattr(self, name) for name in ("features", "balance", "decorrelation")}
        n_steps = recipe.n_epochs * -(-len(items) // recipe.batch_size)
        task = ContrastiveHashTask(module, augmentation, weights, self.learning_rate, n_steps)
        return [Phase("contrastive", task, n_steps=n_steps, batch_size=recipe.batch_size)]
