"""A run of binary codes: the coder, what stands before it, and the index of the collection, in one folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from somscope.codes import GIST, CodeIndex, Coder, KMeansPatches
from somscope.data.collection import Collection
from somscope.errors import InputError, RunError
from somscope.models.table import coder_class, model_class
from somscope.runs.jsonfile import read_object
from somscope.runs.run import FORMAT, Run

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FEATURES", "CodeRun", "Encoder", "Features", "learn_features"]

FEATURES = ("pixels", "gist", "kmeans")  # or a run folder, whose model encodes
INDEX = "codes.index"
Value = TypeVar("Value")
_MAKERS: dict[str, type[GIST | KMeansPatches]] = {"gist": GIST, "kmeans": KMeansPatches}


@dataclass(frozen=True)
class Features:
    """What a coder gets of a collection.

    name: of FEATURES, or "latent". model: None for pixels (or other features as they are), a fitted transformer, or
    the model of a run, whose codes are taken. model_name: by which the table knows that model.
    """

    name: str
    model: Any = None
    model_name: str = ""

    def of(self, collection: Collection) -> Any:
        """What the coder is to learn from or to encode."""
        if self.model is None:
            return collection
        return self.model.encode(collection) if self.name == "latent" else self.model.transform(collection)

    def save(self, folder: Path) -> None:
        """Write what was learned, where something was."""
        if self.model is not None:
            self.model.save(folder / "features")

    @classmethod
    def load(cls, folder: Path, record: dict[str, Any]) -> Features:
        """Read what `save` wrote. Raises RunError for what is missing or broken."""
        name = record["name"]
        if name == "latent":
            made = model_class(record["model"])
            return cls(name, made.load(folder / "features"), record["model"])
        return cls(name, _MAKERS[name].load(folder / "features") if name in _MAKERS else None)

    @property
    def fingerprint(self) -> str:
        """Of what the features depend on."""
        if self.model is None:
            return self.name
        if self.name != "latent":
            return str(self.model.fingerprint)
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.module_.state_dict().items()):
            digest.update(name.encode() + np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes())
        return digest.hexdigest()


def learn_features(name: str, collection: Collection, seed: int) -> Features:
    """The features called `name`, learned from a collection; or of the model of a run, where it is a run folder.

    Raises InputError for another name, and for a run whose model has no codes of its own.
    """
    if name == "pixels":
        return Features("pixels")
    if name in _MAKERS:
        maker = GIST() if name == "gist" else KMeansPatches(random_state=seed)
        return Features(name, maker.fit(collection))
    if not (Path(name) / "config.json").is_file():
        raise InputError(
            f"features={name!r}; allowed: {', '.join(FEATURES)}, or the folder of a run with a network"
        )
    run = Run.open(name)
    model = run.model()
    if not hasattr(model, "encode"):
        raise InputError(
            f"{name} is a run of {run.config['model']['name']}, which has no codes: train a deep map"
        )
    return Features("latent", model, run.config["model"]["name"])


@dataclass(frozen=True)
class Encoder:
    """A coder and what stands before it."""

    features: Features
    coder: Coder

    def encode(self, collection: Collection) -> Any:
        """(n, bits / 8) codes."""
        return self.coder.encode(self.features.of(collection))

    @property
    def fingerprint(self) -> str:
        """Of both: codes of equal fingerprints can be compared."""
        return hashlib.sha256(f"{self.features.fingerprint} {self.coder.fingerprint}".encode()).hexdigest()


@dataclass(frozen=True)
class CodeRun:
    """A folder that `somscope codes` wrote; what is large is read when it is asked for."""

    path: Path
    config: dict[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> CodeRun:
        """Raises RunError where the folder is no run of codes."""
        path = Path(path).expanduser()
        if not (path / "config.json").is_file():
            raise RunError(f"{path} is not a run folder: it has no config.json")
        config = read_object(path / "config.json")
        if config.get("format") != FORMAT or not isinstance(config.get("codes"), dict):
            raise RunError(f"{path} is not a run of codes of this version: make one with `somscope codes`")
        return cls(path, config)

    @cached_property
    def encoder(self) -> Encoder:
        """The coder with its features. Raises RunError for broken files."""
        return self._read(
            lambda: Encoder(
                Features.load(self.path, self.config["codes"]["features"]),
                coder_class(self.config["model"]["name"]).load(self.path),
            )
        )

    @cached_property
    def index(self) -> CodeIndex:
        """The codes of the collection; InputError where they are of another coder."""
        return CodeIndex.load(self.path / INDEX, fingerprint=self.encoder.fingerprint)

    def items(self) -> pa.Table:
        """id, label, and thumbnail of images, in the order of the ids in the index."""
        import pyarrow.parquet as pq

        return self._read(lambda: pq.read_table(self.path / "items.parquet"))

    def metrics(self) -> dict[str, float]:
        """Measures of the codes of the collection."""
        return self._read(lambda: read_object(self.path / "metrics.json"))

    def _read(self, read: Callable[[], Value]) -> Value:
        try:
            return read()
        except (
            KeyError,
            TypeError,
            ValueError,
            OSError,
            AttributeError,
            MemoryError,
            NotImplementedError,
        ) as error:
            if isinstance(error, InputError):
                raise
            raise RunError(f"{self.path} is not a whole run of codes: {error}") from None
