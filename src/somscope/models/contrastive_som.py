"""ContrastiveSOM: a map of codes that tell items from each other, whatever random changes leave them what they are.

    L_1 = NT-Xent of two random views of each item                                     (SimCLR, ICML 2020, eq. 1)
    L_2 = 1/2 sum over views v of -sum_k t_ik^{other view} log p_ik^v  +  keep L_1
    p_ik = softmax_k(-||z_i - m_k||^2 / 2 s),  t = even_use(softmax_k(-||z_i - m_k||^2 / 2 e)) H_r, rows divided by sums

First the encoder learns alone, by L_1. A batch SOM is laid over its codes, and both learn together by L_2: the unit of
each view is foretold from the other one (SwAV, NeurIPS 2020), among targets that use all units alike and that are
smoothed by the neighbourhood H_r of the map, whose radius r falls. Then a decoder learns what the codes look like,
which teaches them nothing. The combination is ours; no paper has it.

Rows of numbers have no views that are known to leave them what they are. For them the pair is an item and one of those
that are most similar to it, of both of which random values were replaced (SCARF) or left out. Of fewer than 500 images
or texts nothing is learned by gradient descent: see `nets.fixed`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import nn

from somscope.data.augment import AUGMENTATIONS, ImageAugmentation, choose_augmentation
from somscope.errors import InputError, check_choice
from somscope.maps.batch import batch_step
from somscope.maps.defaults import parse_grid
from somscope.maps.units import check_clusters, group_units
from somscope.models.checks import check_common, check_number, check_pair, check_whole
from somscope.models.contrastive_module import (
    AgainTask,
    ContrastiveModule,
    DecoderTask,
    EncoderTask,
    JointTask,
)
from somscope.models.deep_map import DeepMap
from somscope.models.deep_model import Floats
from somscope.models.inputs import as_training_items
from somscope.models.similar import similar_items, spread
from somscope.nets.contrastive import NETWORKS, CodeDecoder, DenseEncoder, ImageEncoder, projector
from somscope.nets.fixed import FEW_ITEMS, FIXED, ProjectionEncoder
from somscope.nets.initialise import check_sizes
from somscope.training import Phase, Task

__all__ = ["ContrastiveSOM"]

_SMALL_SIDE = 32  # pixels, up to which small finds nearly as much as medium, four times as fast
_LAST_PASSES = 10
_NEIGHBOURS = 5  # of an item of which no views are known
_OF_VIEWS, _OF_SIMILAR = 0.3, 0.5  # temperatures: what is similar is told apart less sharply than views
_START_RADIUS = 0.35  # last radius of the batch SOM that the joint training starts on, in lattice steps
_OF_THE_ENCODER = (
    "n_features_in_",
    "image_shape_",
    "lattice_",
    "augmentation_",
    "network_",
    "latent_dim",
    "hidden",
    "n_steps",
    "batch_size",
    "_temperature",
    "_neighbours",
    "learning_rate",
)
_OF_THE_MAP = ("_joint_steps", "_decoder_steps", "sharpness", "keep", "sinkhorn_rounds", "radius")


class ContrastiveSOM(DeepMap):
    """A deep map of images by what random views of them have in common; of rows of numbers by their neighbours.

    Parameters
    ----------
    grid: "8x8", (rows, columns), a number for a chain, or "auto". latent_dim: L, dimensions of a code, which lies on
        the unit sphere.
    n_clusters: merge the units into so many groups of neighbours, parted where few items lie between units (see
        `maps.units.group_units`); labels_ and predict are then these groups, and best_units gives the units.
    augmentation: what views are made by, of `data.augment.AUGMENTATIONS`: "digits", "objects" or "photos" for images,
        "vectors" or "text" for all items (nothing is then taken for granted about them, and the encoder learns from
        similar ones); "auto" chooses by the items, and chosen_ says why.
    network: the encoder: "small", "medium", "resnet10" or "resnet18" for images, "dense"; or one that does not learn,
        so that the map is a batch SOM on known features: "gradients" of images, "lsa" of rows. "auto": small for
        images up to 32 pixels, medium for larger ones, dense for rows; but gradients for fewer than 500 images, lsa
        for fewer than 500 texts, if augmentation is "auto", too. The ResNets are for a GPU.
    hidden: sizes of the dense encoder's hidden layers and, mirrored, of the decoder's.
    n_steps, joint_steps, decoder_steps: of the encoder alone, of encoder and map (None: two fifths of n_steps; 0: the
        map is a batch SOM on the codes, as by default that of texts, which are rarely spread evenly over their topics),
        of the decoder (None: three tenths). batch_size: of all.
    temperature: t of NT-Xent; None: .3 with two views of each item, .5 with similar items. sharpness: s of the
        probabilities of units. keep: weight of L_1 in the joint training.
    neighbours: 0 for two views of each item; or the other view is one of this many items that are most similar to it,
        among 10,000, by the angle in the 64 directions of most variance. None: 0 with the augmentations of images, else
        5.
    radius: (first, last) r of the joint training, in lattice steps, exp(-d^2 / 2 r^2): a smaller last one is closer to
        the items, a larger one better ordered. One far below a step, (.1, .1), leaves targets as they are.
    sinkhorn_rounds: after each of which the targets of a batch use its units more alike; 0: as it comes.
    final_radius: of ten last passes of the batch SOM on all codes: a smaller one (.35) makes the map purer, uses units
        more evenly and orders them less; None keeps the prototypes as they were learned, the best order.
    lattice: "rectangular" or "hexagonal"; toroidal joins opposite edges. learning_rate: of Adam, half of it in the
        joint training; it falls to 0 in each phase.
    start: folder of a trained model with these settings, whose trainings are not repeated: of the encoder, if that
        model has joint_steps=0; all, if it has final_radius=None: only the last passes are then left.
    device, precision, random_state, checkpoints, resume, training, verbose: as of `DESOM`.

    An encoder whose codes are all one point is trained again once, with a loss on their spread; warnings_ says so.

    Attributes are those of every deep map, see `deep_map.DeepMap`; and unit_clusters_ (K,) with n_clusters;
    augmentation_ and network_, as they came out.

    >>> model = ContrastiveSOM(n_clusters=10).fit(images)
    >>> model.best_units(images), model.uncertainty(images), model.decoded_prototypes_
    """

    model_name: ClassVar[str] = "contrastive-som"
    _own_fitted: ClassVar[tuple[str, ...]] = ("augmentation_", "network_")
    module_: ContrastiveModule
    augmentation_: str
    network_: str
    unit_clusters_: NDArray[np.int64]

    def __init__(
        self,
        grid: str | int | tuple[int, int] = (8, 8),
        latent_dim: int = 64,
        n_clusters: int | None = None,
        *,
        augmentation: str = "auto",
        network: str = "auto",
        hidden: tuple[int, ...] = (512, 256),
        n_steps: int = 1000,
        joint_steps: int | None = None,
        decoder_steps: int | None = None,
        batch_size: int = 512,
        temperature: float | None = None,
        neighbours: int | None = None,
        sharpness: float = 0.1,
        keep: float = 0.3,
        sinkhorn_rounds: int = 3,
        radius: tuple[float, float] = (0.9, 0.45),
        final_radius: float | None = 0.45,
        lattice: str = "rectangular",
        toroidal: bool = False,
        learning_rate: float = 1e-3,
        start: str | Path | None = None,
        device: str = "auto",
        precision: str = "auto",
        random_state: Any = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        training: Mapping[str, Any] | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.grid = grid
        self.latent_dim = latent_dim
        self.n_clusters = n_clusters
        self.augmentation = augmentation
        self.network = network
        self.hidden = hidden
        self.n_steps = n_steps
        self.joint_steps = joint_steps
        self.decoder_steps = decoder_steps
        self.batch_size = batch_size
        self.temperature = temperature
        self.neighbours = neighbours
        self.sharpness = sharpness
        self.keep = keep
        self.sinkhorn_rounds = sinkhorn_rounds
        self.radius = radius
        self.final_radius = final_radius
        self.lattice = lattice
        self.toroidal = toroidal
        self.learning_rate = learning_rate
        self.start = start
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.checkpoints = checkpoints
        self.resume = resume
        self.training = training
        self.verbose = verbose

    def _check_choices(self) -> None:
        check_common(self.get_params(deep=False))
        check_choice("augmentation", self.augmentation, ("auto", *AUGMENTATIONS))
        check_choice("network", self.network, ("auto", *NETWORKS, *FIXED))
        check_sizes("hidden", self.hidden)
        for name, least in (("latent_dim", 1), ("n_steps", 1), ("sinkhorn_rounds", 0)):
            check_whole(name, getattr(self, name), least)
        for name in ("joint_steps", "decoder_steps", "neighbours"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), 0)
        for name in ("sharpness", "learning_rate"):
            check_number(name, getattr(self, name))
        for name in ("temperature", "final_radius"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name))
        check_number("keep", self.keep, zero=True)
        check_pair("radius", self.radius)
        if self.n_clusters is not None:
            check_whole("n_clusters", self.n_clusters, 1)
            if (
                sides := parse_grid(self.grid)
            ) is not None:  # else the items choose it, and it is checked then
                check_clusters(self.n_clusters, math.prod(sides))

    def _read(self, X: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        # Few different words leave few zeros to tell texts by.
        self._of_texts = getattr(X, "kind", None) == "text"
        try:
            return super()._read(X)
        finally:
            del self._of_texts

    def _prepare(self, items: NDArray[Any]) -> None:
        super()._prepare(items)
        if self.n_clusters is not None:  # of an automatic grid
            check_clusters(self.n_clusters, self.lattice_.n_units)

    def _arranged(self, items: NDArray[Any]) -> NDArray[Any]:
        """Choose what depends on what the items are; they stay as they are."""
        self.augmentation_ = self.augmentation
        if self.augmentation == "auto" and self._of_texts:
            self.augmentation_, self.chosen_["augmentation"] = "text", "text: the collection is one of texts"
        elif self.augmentation == "auto":
            self.augmentation_, self.chosen_["augmentation"] = choose_augmentation(items, self.image_shape_)
        of_images = isinstance(AUGMENTATIONS[self.augmentation_], ImageAugmentation)
        shape = self.image_shape_
        if of_images and shape is None:
            raise InputError(
                f"augmentation={self.augmentation!r} is for images: (n, H, W, C) uint8, or a collection of images"
            )
        self.network_ = self.network if self.network != "auto" else self._network(len(items))
        allowed = ("dense", "lsa") if shape is None else ("gradients", *NETWORKS)
        if self.network_ not in allowed:
            items_are = "rows of numbers" if shape is None else "images"
            raise InputError(
                f"network={self.network!r} is not for {items_are}; allowed: {', '.join(allowed)}"
            )
        if self.network_ in FIXED:
            self.chosen_.pop("augmentation", None)  # nothing is made of views
        elif self.neighbours is None and self._neighbours:
            self.chosen_["neighbours"] = (
                f"{_NEIGHBOURS}: a pair is of similar items, for which no views are known"
            )
        return items

    def _network(self, n_items: int) -> str:
        """The encoder for what the items are; chosen_ says where it does not learn."""
        shape = self.image_shape_
        if n_items < FEW_ITEMS and self.augmentation == "auto":
            few = f"items are too few to learn from (below {FEW_ITEMS}); a batch SOM lies on"
            if shape is not None:
                self.chosen_["network"] = (
                    f"gradients: {n_items} {few} histograms of their gradients, with colours"
                )
                return "gradients"
            if self.augmentation_ == "text":
                self.chosen_["network"] = f"lsa: {n_items} {few} their directions of most variance"
                return "lsa"
        return "dense" if shape is None else "small" if max(shape[:2]) <= _SMALL_SIDE else "medium"

    def _module(self, generator: torch.Generator | None) -> ContrastiveModule:
        shape, d, hidden = self.image_shape_, self.n_features_in_, tuple(self.hidden)
        encoder: nn.Module
        if self.network_ in FIXED:
            encoder = ProjectionEncoder(d, self.latent_dim, channels=None if shape is None else shape[2])
        elif self.network_ == "dense":
            encoder = DenseEncoder(d, hidden, self.latent_dim, generator)
        else:
            if shape is None:  # only of a file that was edited
                raise InputError(f"network={self.network_!r} is for images, and image_shape is missing")
            encoder = ImageEncoder(shape, self.latent_dim, self.network_, generator)
        module = ContrastiveModule(
            self.lattice_,
            d,
            self.latent_dim,
            encoder,
            projector(self.latent_dim, generator),
            CodeDecoder(self.latent_dim, hidden[::-1], d, shape, generator),
            AUGMENTATIONS[self.augmentation_],
            shape,
            self._temperature,
        )
        module.block = max(16, min(2048, 2**22 // d))
        return module

    def _phases(self, module: Any, items: NDArray[Any], generator: torch.Generator) -> list[Phase]:
        assert isinstance(module, ContrastiveModule)
        map_taken = self.start is not None and self._take_start(module)
        if self.augmentation_ == "vectors" and items.dtype != np.uint8:
            module.standardise(items)
        module.remember("collapsed", torch.tensor(False))
        with torch.random.fork_rng(devices=[]):  # PyTorch draws first weights of its own
            fresh = self._module(generator)
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        first, last = check_pair("radius", self.radius)
        n_encoder = 0 if self.start is not None else self.n_steps
        n_joint, n_decoder = (0, 0) if map_taken else (self._joint_steps, self._decoder_steps)
        rate, similar = self.learning_rate, None
        if self._neighbours and self.network_ not in FIXED and n_encoder + n_joint:
            similar = similar_items(items, module.measured, self._neighbours, module.block, seed)
        joint = JointTask(
            module,
            np.geomspace(first, last, n_joint),
            rate / 2,
            similar,
            sharpness=self.sharpness,
            keep=self.keep,
            rounds=self.sinkhorn_rounds,
            start_radius=None if map_taken else _START_RADIUS,
            seed=seed,
        )
        parts: list[tuple[str, Task, int]] = [("joint", joint, n_joint)]
        if isinstance(module.encoder, ProjectionEncoder):
            rows = spread(len(items))
            blocks = np.split(rows, range(module.block, len(rows), module.block))
            module.encoder.learn((module.seen(torch.from_numpy(items[some])) for some in blocks), seed)
        else:
            weights = {name: getattr(fresh, name).state_dict() for name in ("encoder", "projector")}
            alone = EncoderTask(module, n_encoder, rate, similar)
            again = AgainTask(module, n_encoder, rate, similar, weights)
            parts = [("encoder", alone, n_encoder), ("again", again, n_encoder), *parts]
        parts.append(("decoder", DecoderTask(module, n_decoder, rate), n_decoder))
        return [Phase(name, task, n_steps=n, batch_size=self.batch_size) for name, task, n in parts]

    @property
    def _neighbours(self) -> int:
        if self.neighbours is not None:
            return self.neighbours
        return 0 if isinstance(AUGMENTATIONS[self.augmentation_], ImageAugmentation) else _NEIGHBOURS

    @property
    def _temperature(self) -> float:
        if self.temperature is not None:
            return self.temperature
        return _OF_SIMILAR if self._neighbours else _OF_VIEWS

    @property
    def _joint_steps(self) -> int:
        if self.network_ in FIXED:
            return 0
        if self.joint_steps is not None:
            return self.joint_steps
        return 0 if self.augmentation_ == "text" else -(-2 * self.n_steps // 5)

    @property
    def _decoder_steps(self) -> int:
        return -(-3 * self.n_steps // 10) if self.decoder_steps is None else self.decoder_steps

    def _take_start(self, module: ContrastiveModule) -> bool:
        """Give the module the state of `start`; whether map and decoder were trained there, too.

        Raises InputError for a model of other settings.
        """
        trained = type(self).load(Path(str(self.start)))
        both = trained._joint_steps > 0
        for name in (*_OF_THE_ENCODER, *(_OF_THE_MAP if both else ())):
            theirs, ours = getattr(trained, name), getattr(self, name)
            if theirs != ours:
                raise InputError(
                    f"start {self.start} has {name.strip('_')} {theirs}; this model has {ours}"
                    + ("; a start with joint_steps=0 gives the encoder alone" if name in _OF_THE_MAP else "")
                )
        if both and trained.final_radius is not None:
            raise InputError(
                f"start {self.start} has had its last passes; it must be one with final_radius=None"
            )
        module.load_state_dict(trained.module_.state_dict())
        module.unit_groups.copy_(torch.arange(self.lattice_.n_units))
        return both

    def _settle(self, items: NDArray[Any], seed: int) -> None:
        super()._settle(items, seed)
        self.module_.forget()
        if self.final_radius is not None:
            codes = np.concatenate(list(self._coded(items)))
            prototypes = self.module_.prototypes.detach().cpu().numpy()
            for _ in range(_LAST_PASSES):
                prototypes, _, _ = batch_step(prototypes, codes, self.lattice_, self.final_radius)
            self.module_.prototypes.copy_(torch.from_numpy(prototypes))
        if self.n_clusters is not None:
            nearest, _ = self._nearest(items, min(2, self.lattice_.n_units))
            prototypes = self.module_.prototypes.detach().cpu().numpy()
            groups = group_units(nearest, prototypes, self.lattice_, self.n_clusters)
            self.module_.unit_groups.copy_(torch.from_numpy(groups))

    def _describe(self) -> None:
        super()._describe()
        if self.n_clusters is not None:
            self.unit_clusters_ = self.module_.unit_groups.cpu().numpy().copy()

    def _place(self, module: Any, trained: Any, items: NDArray[Any], seed: int) -> None:
        super()._place(module, trained, items, seed)
        if self.n_clusters is not None:
            self.labels_ = self.unit_clusters_[self.labels_]

    def predict(self, X: Any) -> NDArray[np.int64]:
        """(n,) best matching unit of each item, or with n_clusters the group of that unit."""
        units = super().predict(X)
        return units if self.n_clusters is None else self.unit_clusters_[units]

    def uncertainty(self, X: Any) -> Floats:
        """(n,) from 0 (one group alone) to 1 (all alike): entropy of the item's probabilities of the groups of units,
        or of the units without n_clusters, divided by that of all alike. Probabilities as in the training, p_ik."""
        check_is_fitted(self)
        rows = [
            self.module_.memberships(self.module_.squared_distances(codes.double()), self.sharpness)
            for codes in self._codes(as_training_items(self, X, reset=False))
        ]
        p = torch.cat(rows)
        entropy = -torch.xlogy(p, p).sum(1)
        return np.asarray((entropy / max(np.log(p.shape[1]), 1e-12)).clamp(0.0, 1.0).cpu().numpy())
