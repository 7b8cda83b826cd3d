"""pix2pix as an estimator: from pairs of images to a translator, and from its files to translations.

P. Isola, J.-Y. Zhu, T. Zhou, A. Efros: Image-to-image translation with conditional adversarial networks. CVPR 2017. The
mathematics is in `pix2pix_module`, the networks are in `nets`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from somscope.checkpoint import jsonable
from somscope.data.pairs import Pairs
from somscope.errors import InputError, RunError, check_choice
from somscope.maps.gpu import DEVICES
from somscope.maps.storage import read_model, write_model
from somscope.models.checks import check_flag, check_number, check_run, check_whole
from somscope.models.pictures import Pixels, as_pixels, to_bytes, to_planes, with_channels
from somscope.models.pix2pix_module import Pix2PixModule, Pix2PixTask
from somscope.models.storage import module_from
from somscope.models.trainable import Trainable
from somscope.nets.generators import Architecture, padded, parse_generator, unet_for
from somscope.nets.initialise import gan_normal
from somscope.nets.normalise import MODES, NORMS, set_mode
from somscope.nets.official import read_generator, write_generator
from somscope.nets.patchgan import PatchGAN, PixelGAN
from somscope.objectives.adversarial import ADVERSARIAL
from somscope.processes import n_processes
from somscope.training import Phase, train
from somscope.training.order import seed_for

__all__ = ["DIRECTIONS", "DISCRIMINATORS", "Pix2Pix"]

DIRECTIONS = ("AtoB", "BtoA")
DISCRIMINATORS = ("patch", "pixel")
_BLOCK = 2**20  # pixels translated at a time
_NAME = "pix2pix"
_FITTED = ("n_iter_", "stop_reason_", "seconds_", "history_", "warnings_", "device_", "precision_", "notes_")
_NOT_KEPT = ("checkpoints", "resume", "training")  # parameters of a training, not of what it left
_log = logging.getLogger(__name__)


class Pix2Pix(Trainable):
    """Translates images after pairs of examples.

    Parameters
    ----------
    direction: "AtoB" or "BtoA": which side of the pairs is given and which is made. A trained model has its direction:
        to go the other way, train another one. domain_names: of A and B, for people.
    generator: "unet_256", "unet_128", "resnet_9blocks", "resnet_6blocks" and the like (`nets.generators`), or "auto":
        the U-Net that halves the images down to one pixel, with eight levels at most. filters: of its first layer.
    discriminator: "patch" (n_layers=3 judges patches of 70x70 pixels) or "pixel". norm: "batch", "instance" or "none".
    dropout: of the generator. objective: "vanilla", "lsgan" or "wgangp" (`objectives.adversarial`). l1: lambda.
    n_epochs, n_decay_epochs: at the full learning rate, and falling to 0. batch_size: in pairs.
    enlarge, flip: jitter of the training (`pictures.jitter`); 1.0 and False are none.
    pool_size: made images that the discriminator is shown again; 0 is none, as in pix2pix.
    device, precision, random_state, checkpoints, resume, training, verbose: as of `DESOM`.

    Attributes
    ----------
    module_: the generator, in PyTorch. discriminator_: as it was left by `fit`; files do not hold it. architecture_: of
    the generator. image_size_: (height, width) that it was trained on, or None for a file of other origin. notes_: what
    was inferred from such a file. n_iter_, stop_reason_, history_, seconds_, warnings_, device_, precision_: see
    `Trainable`.
    """

    module_: nn.Module
    discriminator_: nn.Module
    architecture_: Architecture
    image_size_: tuple[int, int] | None
    notes_: list[str]

    def __init__(
        self,
        direction: str = "AtoB",
        *,
        domain_names: tuple[str, str] = ("A", "B"),
        generator: str = "auto",
        filters: int = 64,
        discriminator: str = "patch",
        n_layers: int = 3,
        discriminator_filters: int = 64,
        norm: str = "batch",
        dropout: bool = True,
        objective: str = "vanilla",
        l1: float = 100.0,
        n_epochs: int = 100,
        n_decay_epochs: int = 100,
        batch_size: int = 1,
        learning_rate: float = 2e-4,
        enlarge: float = 286 / 256,
        flip: bool = True,
        pool_size: int = 0,
        device: str = "auto",
        precision: str = "auto",
        random_state: Any = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        training: Mapping[str, Any] | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.direction = direction
        self.domain_names = domain_names
        self.generator = generator
        self.filters = filters
        self.discriminator = discriminator
        self.n_layers = n_layers
        self.discriminator_filters = discriminator_filters
        self.norm = norm
        self.dropout = dropout
        self.objective = objective
        self.l1 = l1
        self.n_epochs = n_epochs
        self.n_decay_epochs = n_decay_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.enlarge = enlarge
        self.flip = flip
        self.pool_size = pool_size
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.checkpoints = checkpoints
        self.resume = resume
        self.training = training
        self.verbose = verbose

    def check_parameters(self) -> None:
        """Raise InputError for parameters that no images could be used with."""
        check_run(self.get_params(deep=False))
        check_choice("direction", self.direction, DIRECTIONS)
        names = self.domain_names
        if (
            not isinstance(names, tuple | list)
            or len(names) != 2
            or not all(isinstance(n, str) and n for n in names)
        ):
            raise InputError(f"domain_names={names!r}; allowed: two names, of A and of B")
        if self.generator != "auto":
            parse_generator(self.generator)
        check_choice("discriminator", self.discriminator, DISCRIMINATORS)
        check_choice("norm", self.norm, NORMS)
        check_choice("objective", self.objective, ADVERSARIAL)
        for name in ("filters", "discriminator_filters", "n_layers"):
            check_whole(name, getattr(self, name), 1)
        for name in ("n_epochs", "n_decay_epochs", "pool_size"):
            check_whole(name, getattr(self, name), 0)
        for name in ("dropout", "flip"):
            check_flag(name, getattr(self, name))
        check_number("l1", self.l1, zero=True)
        check_number("learning_rate", self.learning_rate)
        check_number("enlarge", self.enlarge)
        if not 1.0 <= self.enlarge <= 2.0:
            raise InputError(f"enlarge={self.enlarge!r}; allowed: from 1 (no jitter of the place) to 2")
        if self.n_epochs + self.n_decay_epochs < 1:
            raise InputError("n_epochs and n_decay_epochs are both 0: there is nothing to train")
        if 0 < self.pool_size < self.batch_size:
            raise InputError(
                f"pool_size={self.pool_size}; allowed: 0, or at least batch_size={self.batch_size}"
            )
        if self.pool_size and n_processes() > 1:
            raise InputError(
                "pool_size is for one process: each would have a pool of its own; allowed here: 0"
            )

    # Training

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on `Pairs` of collections of images, or on images A as X and images B as y, (n, H, W, C) uint8 each.

        Ctrl-C keeps what was learned, with stop_reason_ "interrupted". Raises InputError for what cannot be used.
        """
        self.check_parameters()
        if isinstance(X, Pairs):
            X, y = X.a, X.b
        elif y is None:
            raise InputError("y is missing: give the images A as X and the images B as y, or Pairs as X")
        a, b = as_pixels(X, "A"), as_pixels(y, "B")
        if a.shape[:3] != b.shape[:3]:
            raise InputError(
                f"A has images {a.shape[:3]} and B {b.shape[:3]} (number, height, width); pairs need equally many of "
                "one size"
            )
        source, target = (a, b) if self.direction == "AtoB" else (b, a)
        self.image_size_ = (source.shape[1], source.shape[2])
        self.architecture_ = self._architecture(source.shape[3], target.shape[3])
        seed = self._seed()
        module = self._module(torch.Generator().manual_seed(seed))
        self._say_padding(*self.image_size_)
        task = Pix2PixTask(
            module, source.shape[3], learning_rate=self.learning_rate, n_epochs=self.n_epochs,
            n_decay_epochs=self.n_decay_epochs, enlarge=self.enlarge, flip=bool(self.flip),
        )  # fmt: skip
        n_epochs = self.n_epochs + self.n_decay_epochs
        phase = Phase("pix2pix", task, n_epochs=n_epochs, batch_size=self.batch_size)
        trained = train([phase], np.concatenate([source, target], axis=3), self._options(seed))
        self.discriminator_ = module.discriminator.requires_grad_(False).eval()
        self.notes_ = []
        self._keep(module.generator, trained)
        return self

    def _architecture(self, in_channels: int, out_channels: int) -> Architecture:
        assert self.image_size_ is not None
        name = unet_for(*self.image_size_) if self.generator == "auto" else self.generator
        return Architecture(name, in_channels, out_channels, int(self.filters), self.norm, bool(self.dropout))

    def _module(self, generator: torch.Generator) -> Pix2PixModule:
        """The untrained networks for architecture_ and image_size_."""
        assert self.image_size_ is not None
        channels = self.architecture_.in_channels + self.architecture_.out_channels
        shortest = min(self.image_size_)
        with torch.random.fork_rng(devices=[]):  # PyTorch draws first weights of its own
            made = self.architecture_.build()
            judge: nn.Module
            if self.discriminator == "pixel":
                judge = PixelGAN(channels, self.discriminator_filters, self.norm)
            else:
                if shortest // 2**self.n_layers < 3:
                    raise InputError(
                        f"images of {shortest} pixels are too small for a discriminator of patches with "
                        f"n_layers={self.n_layers}, which needs {3 * 2**self.n_layers}; give fewer, or "
                        "discriminator='pixel'"
                    )
                judge = PatchGAN(channels, self.n_layers, self.discriminator_filters, self.norm)
        for net in (made, judge):
            gan_normal(net, generator)
        pool = (self.pool_size, channels, *self.image_size_) if self.pool_size else (0, 0, 0, 0)
        return Pix2PixModule(made, judge, self.objective, self.l1, pool)

    def _say_padding(self, height: int, width: int) -> None:
        """Once for each size."""
        multiple, least = self.architecture_.sides
        said: set[Any] = self.__dict__.setdefault("_said", set())
        if (height, width) in said:
            return
        said.add((height, width))
        if any(side % multiple or side < least for side in (height, width)):
            _log.warning(
                "%s takes sides that are multiples of %d pixels, from %d: images of %dx%d are padded by repeating "
                "their edges, and cut back",
                self.architecture_.name, multiple, least, height, width,
            )  # fmt: skip

    def _say_mode(self, mode: str) -> None:
        """Once: that batches of several images teach what statistics of one image do not fit."""
        together = self.architecture_.norm == "batch" and self.image_size_ is not None and self.batch_size > 1
        said: set[Any] = self.__dict__.setdefault("_said", set())
        if together and mode != "eval" and "mode" not in said:
            said.add("mode")
            _log.warning(
                "trained in batches of %d, whose images batch norm took together; mode=%r takes the statistics of each "
                "image, which may look worse than mode='eval' (the running ones)",
                self.batch_size, mode,
            )  # fmt: skip

    # Use

    def transform(self, X: Any, *, mode: str = "deterministic", seed: int = 0) -> Pixels:
        """(n, H, W, C) uint8 translations of a collection of images, or of images (n, H, W, C) uint8 of any size.

        mode: "deterministic", "official" or "eval" (`nets.normalise.set_mode`). seed: of the dropout of "official": one
        seed and row give one result. After a training in batches of several images with batch norm, "eval" is the mode
        that fits, and a warning says so. Raises InputError for what cannot be used.
        """
        return np.concatenate(list(self.translate_blocks(X, mode, seed)))

    def translate_blocks(self, X: Any, mode: str = "deterministic", seed: int = 0) -> Iterator[Pixels]:
        """`transform` block by block."""
        check_is_fitted(self)
        check_choice("mode", mode, MODES)
        pixels = as_pixels(X, "source")
        self._say_padding(*pixels.shape[1:3])
        self._say_mode(mode)
        pixels = with_channels(pixels, self.architecture_.in_channels, "source")
        set_mode(self.module_, mode)
        size = 1 if mode == "official" else max(1, _BLOCK // (pixels.shape[1] * pixels.shape[2]))
        for start in range(0, len(pixels), size):
            yield self._translated(pixels[start : start + size], seed_for(seed, start))

    def _translated(self, pixels: Pixels, seed: int) -> Pixels:
        """One block, all dropout of which is drawn from the seed."""
        device = next(self.module_.parameters()).device
        with torch.inference_mode(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            block = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
            made: Pixels = to_bytes(padded(self.module_, to_planes(block))).cpu().numpy()
        return made

    def use_device(self, device: str) -> Self:
        """Translate on "cpu", "cuda", or where there is a GPU on it ("auto"). Raises InputError where there is none."""
        check_choice("device", device, DEVICES)
        if device == "cuda" and not torch.cuda.is_available():
            raise InputError("device='cuda': PyTorch sees no CUDA GPU here; use device='cpu' or 'auto'")
        self.device = device
        self.module_.cpu()
        self._put_on_device()
        return self

    # Files

    def save(self, folder: str | Path) -> Path:
        """Write model.json and model.safetensors into a folder; loading them executes no code."""
        check_is_fitted(self)
        parameters = {n: jsonable(v) for n, v in self.get_params(deep=False).items() if n not in _NOT_KEPT}
        if not isinstance(
            parameters["random_state"], int
        ):  # the state of a generator is of no use to a trained model
            parameters["random_state"] = None
        description = {
            "parameters": parameters,
            "architecture": asdict(self.architecture_),
            "image_size": self.image_size_,
            "fitted": {name: getattr(self, name) for name in _FITTED},
        }
        arrays = {
            name: t.detach().cpu().contiguous().numpy() for name, t in self.module_.state_dict().items()
        }
        return write_model(Path(folder), _NAME, description, arrays)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote. RunError for files that are missing, broken, edited or of another model."""
        description, arrays = read_model(Path(folder), _NAME)
        try:
            given: dict[str, Any] = description["parameters"]
            model: Self = cls().set_params(
                **{n: tuple(v) if isinstance(v, list) else v for n, v in given.items()}
            )
            model.check_parameters()
            model.architecture_ = Architecture(**description["architecture"])
            size = description["image_size"]
            model.image_size_ = None if size is None else (int(size[0]), int(size[1]))
            for name in _FITTED:
                setattr(model, name, description["fitted"][name])
            columns = {n: [math.nan if v is None else v for v in vs] for n, vs in model.history_.items()}
            model.history_ = columns
            model.module_ = module_from(model.architecture_.build, arrays)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise RunError(
                f"{Path(folder) / 'model.json'} does not describe a whole translator: {error!r}"
            ) from None
        model._put_on_device()
        return model

    @classmethod
    def from_official(
        cls, path: str | Path, *, generator: str | None = None, direction: str = "AtoB", dropout: bool | None = None,
        device: str = "auto",
    ) -> Self:  # fmt: skip
        """A `*_net_G.pth` of the authors' code; what it is comes from its keys (`notes_`, and the log).

        generator: the architecture that it has to be. direction and dropout are not in such files: the former is only
        noted. Raises RunError for other files, and never executes what is in one.
        """
        read = read_generator(path, generator, dropout)
        found = read.architecture
        model = cls(
            direction,
            generator=found.name,
            filters=found.filters,
            norm=found.norm,
            dropout=found.dropout,
            device=device,
        )
        model.check_parameters()
        model.architecture_, model.image_size_, model.notes_ = found, None, list(read.notes)
        with torch.random.fork_rng(devices=[]):
            model.module_ = found.build()
        model.module_.load_state_dict(read.state)
        model.module_.requires_grad_(False).eval()
        model.n_iter_, model.stop_reason_, model.history_ = 0, "read from a file", {}
        model.seconds_, model.warnings_, model.device_, model.precision_ = 0.0, [], "cpu", "fp32"
        model.use_device(device)
        for note in read.notes:
            _log.info("%s: %s", path, note)
        return model

    def export_official(self, path: str | Path) -> Path:
        """Write the generator as the authors' code reads it: as `checkpoints/NAME/latest_net_G.pth`."""
        check_is_fitted(self)
        write_generator(path, self.module_.state_dict())
        return Path(path)
