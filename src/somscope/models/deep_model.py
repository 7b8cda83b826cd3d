"""The estimator that all deep models share: scikit-learn conventions around a module and its phases of training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted

from somscope.errors import InputError
from somscope.interrupt import catch_interrupt
from somscope.mapped import release
from somscope.maps.units import UnitLabels, label_units
from somscope.models.inputs import ImageShape, as_training_items, known_image_shape
from somscope.models.module import DeepModule
from somscope.models.trainable import Trainable
from somscope.training import Phase, Trained, train

__all__ = ["Codes", "DeepModel", "Floats"]

Floats = NDArray[np.float64]
Codes = NDArray[np.float32]


class DeepModel(ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, Trainable):  # type: ignore[misc]
    """Prototypes among the codes of a network: units of a map (`deep_map.DeepMap`), or centres of clusters
    (`deep_clusterer.DeepClusterer`). What is said of units here holds for both.

    All models have the parameters device, precision, random_state, checkpoints, resume, training, verbose.

    Attributes
    ----------
    module_: the network and the prototypes, in PyTorch. prototypes_ (K, L) float32 among the codes;
    decoded_prototypes_ (K, d) as items; labels_ (n,) unit of each training item; hits_ (K,) items of each unit;
    inertia_ mean distance of the training codes to the prototypes of their units; n_iter_ steps of training;
    stop_reason_ "completed", "interrupted", or what the model says ended it; seconds_ of the training, those before a
    resume included; history_ columns of the training's log; warnings_ what went wrong without ending the training, such
    as a collapsed map; chosen_ {what: why}; device_ and precision_ of the training; image_shape_ (H, W, C), or None;
    n_features_in_.
    """

    model_name: ClassVar[str]
    _noun: ClassVar[str]  # what a fitted model is, in messages
    _parts: ClassVar[str]  # and what its prototypes are
    _own_fitted: ClassVar[
        tuple[str, ...]
    ] = ()  # fitted attributes of this model alone that its file has to keep

    module_: DeepModule
    prototypes_: Codes
    decoded_prototypes_: Codes
    labels_: NDArray[np.int64]
    hits_: NDArray[np.int64]
    inertia_: float
    chosen_: dict[str, str]
    image_shape_: ImageShape | None

    # What a kind of model gives

    @property
    @abstractmethod
    def _n_units(self) -> int:
        """K of the fitted model."""

    @abstractmethod
    def _prepare(self, items: NDArray[Any]) -> None:
        """Choose what follows from the items (n, d). Raises InputError for items that cannot be used."""

    @abstractmethod
    def _settle(self, items: NDArray[Any], seed: int) -> None:
        """Right after the training: see that there are prototypes, and take from module_ what is not to stay in it."""

    def _described(self) -> dict[str, Any]:
        """What the file of such a model says besides; JSON can hold it."""
        return {}

    def _restore(self, description: Mapping[str, Any]) -> None:
        """Read what `_described` wrote. Raises KeyError, TypeError or ValueError for what is not like it."""

    # What a model gives

    @abstractmethod
    def _module(self, generator: torch.Generator | None) -> DeepModule:
        """The untrained module for n_features_in_, image_shape_ and what `_prepare` chose; None draws no weights."""

    @abstractmethod
    def _phases(self, module: Any, items: NDArray[Any], generator: torch.Generator) -> list[Phase]:
        """The phases of training on items (n, d)."""

    @abstractmethod
    def _check_choices(self) -> None:
        """Raise InputError for parameters that no data could be used with."""

    # Training

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on (n, d) numbers, images (n, H, W, C) uint8 (pixel / 255 is what the network sees) or a collection.

        y is ignored: labels never reach a loss. Ctrl-C keeps what was learned, with stop_reason_ "interrupted".
        Resumed without a random_state, the seed is that of the checkpoint.
        Raises InputError for what cannot be used, and says what is allowed.
        """
        items, arranged = self._read(X)
        seed = self._seed()
        module, phases = self._planned(items, seed)
        trained = train(phases, arranged, self._options(seed))
        with catch_interrupt(f"the {self._noun} is trained, and the items are being placed"):
            self._place(module, trained, items, seed)
        return self

    def _read(self, X: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """The items (n, d), and the same as they are trained on; all that is chosen by them is chosen."""
        self._check_choices()
        items = as_training_items(self, X, reset=True)
        self.chosen_ = {}
        self._prepare(items)
        self.image_shape_ = self._image_shape(known_image_shape(X))
        return items, self._arranged(items)

    def _planned(self, items: NDArray[Any], seed: int) -> tuple[DeepModule, list[Phase]]:
        """The untrained module for items that were read, and the phases of its training."""
        generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):  # PyTorch draws first weights of its own
            module = self._module(generator)
        return module, self._phases(module, items, generator)

    def _place(self, module: DeepModule, trained: Trained, items: NDArray[Any], seed: int) -> None:
        """All that is known once the module is trained."""
        self._keep(module, trained)
        self.module_.units = torch.zeros_like(module.units[:0])  # of the last batch
        self._settle(items, seed)
        self._describe()
        units, distances = self._nearest(items, 1)
        self.labels_ = units[:, 0]
        self.hits_ = np.bincount(self.labels_, minlength=self._n_units)
        self.inertia_ = float(distances.mean())

    # Use

    def predict(self, X: Any) -> NDArray[np.int64]:
        """(n,) best matching unit of each item."""
        return self.best_units(X, k=1)[0][:, 0]

    def best_units(self, X: Any, k: int = 2) -> tuple[NDArray[np.int64], Floats]:
        """The k nearest units (n, k) of each item, nearest first, and their distances (n, k) among the codes."""
        check_is_fitted(self)
        n_units = self._n_units
        if not 1 <= k <= n_units:
            raise InputError(
                f"k={k}: a {self._noun} of {n_units} {self._parts} has 1 to {n_units} best {self._parts}"
            )
        return self._nearest(as_training_items(self, X, reset=False), k)

    def transform(self, X: Any) -> Codes:
        """(n, K) distance of each item's code to each prototype."""
        check_is_fitted(self)
        parts = [
            self.module_.squared_distances(codes.double()).sqrt().float().cpu().numpy()
            for codes in self._codes(as_training_items(self, X, reset=False))
        ]
        return np.concatenate(parts)

    def encode(self, X: Any) -> Codes:
        """(n, L) code of each item."""
        check_is_fitted(self)
        return np.concatenate([z.cpu().numpy() for z in self._codes(as_training_items(self, X, reset=False))])

    def decode(self, Z: ArrayLike) -> Codes:
        """(m, L) codes -> (m, d) items. Raises InputError for codes of another shape, and for NaN."""
        check_is_fitted(self)
        try:
            codes = check_array(Z, dtype=np.float32, input_name="Z")
        except ValueError as error:
            raise InputError(str(error)) from None
        if codes.shape[1] != self.prototypes_.shape[1]:
            raise InputError(
                f"Z has {codes.shape[1]} columns; codes of this {self._noun}: {self.prototypes_.shape[1]}"
            )
        return self._in_blocks(self.module_.decode, codes)

    def quantization_error(self, X: Any) -> float:
        """Mean distance of the items' codes to their best prototypes."""
        return float(self.best_units(X, k=1)[1].mean())

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the quantization error: higher is better."""
        return -self.quantization_error(X)

    def label_units(self, X: Any, y: ArrayLike) -> UnitLabels:
        """Majority label and share of each label in each unit; y: (n,), where the number -1 means unknown."""
        return label_units(self.best_units(X, k=1)[0][:, 0], y, self._n_units)

    # Files

    def save(self, folder: str | Path) -> Path:
        """Write model.json and model.safetensors into a folder, in place of a model that is there; loading executes
        no code."""
        from somscope.models.storage import save_deep_model

        check_is_fitted(self)
        return save_deep_model(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote. RunError for files that are missing, broken, edited or of another model."""
        from somscope.models.storage import load_deep_model

        return load_deep_model(cls, Path(folder))

    def export_onnx(self, path: str | Path) -> Path:
        """Write encoder and assignment as an ONNX model: items (n, d) float32 -> latent, unit, distance.

        Needs the extra `onnx`. Images go in as pixel / 255, flattened.
        """
        from somscope.models.onnx_file import export_onnx

        check_is_fitted(self)
        return export_onnx(self.module_, self.n_features_in_, Path(path))

    # Inside

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.non_deterministic = False
        return tags

    @property
    def _n_features_out(self) -> int:
        return self._n_units

    def _arranged(self, items: NDArray[Any]) -> NDArray[Any]:
        """The items (n, d) as they are trained on: the same, or (sequences, steps, d). Called before there is a module.

        Raises InputError for items that this model cannot take.
        """
        return items

    def _image_shape(self, known: ImageShape | None) -> ImageShape | None:
        """The shape of the items as images; models that need one say so."""
        return known

    def _describe(self) -> None:
        """What follows from the module: prototypes and their decoded form."""
        self.prototypes_ = self.module_.prototypes.detach().cpu().numpy().copy()
        self.decoded_prototypes_ = self._in_blocks(self.module_.decode_prototypes, self.prototypes_)

    def _nearest(self, items: NDArray[Any], k: int) -> tuple[NDArray[np.int64], Floats]:
        units = np.empty((len(items), k), np.int64)
        distances = np.empty((len(items), k))
        at = 0
        for codes in self._codes(items):
            squared = self.module_.squared_distances(codes.double())  # no digits lost near a prototype
            costs = self.module_.costs(codes.double(), squared)
            found = costs.topk(k, dim=1, largest=False, sorted=True).indices
            part = slice(at, at := at + len(codes))
            units[part] = found.cpu().numpy()
            distances[part] = squared.gather(1, found).sqrt().cpu().numpy()
        return units, distances

    def _codes(self, items: NDArray[Any]) -> Iterator[torch.Tensor]:
        """The codes of the items, block by block, on the module's device."""
        device, size = self.module_.prototypes.device, self.module_.block
        with torch.inference_mode():
            for start in range(0, len(items), size):
                rows = items[start : start + size]
                block = torch.from_numpy(rows if rows.flags.writeable else rows.copy()).to(device)
                block = block.float().div_(255.0) if block.dtype == torch.uint8 else block
                yield self.module_.encode(block)
                release(items)

    def _coded(self, items: NDArray[Any]) -> Iterator[Codes]:
        for codes in self._codes(items):
            yield codes.cpu().numpy()

    def _in_blocks(self, decode: Callable[[torch.Tensor], torch.Tensor], codes: Codes) -> Codes:
        device, size = self.module_.prototypes.device, self.module_.block
        codes = np.require(codes, requirements="W")  # a copy of what is read-only, of which PyTorch warns
        with torch.inference_mode():
            parts = [
                decode(torch.from_numpy(codes[start : start + size]).to(device)).cpu().numpy()
                for start in range(0, len(codes), size)
            ]
        return np.concatenate(parts)
