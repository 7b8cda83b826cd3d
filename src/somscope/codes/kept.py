"""Fitted estimators on disk, as model.json and model.safetensors, and the fingerprint of what they learned."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from somscope.errors import RunError
from somscope.maps.storage import read_model, split_parameters, write_model

__all__ = ["Arrays", "Kept"]

Arrays = dict[str, NDArray[Any]]
_PARAMETER = "parameter."  # arrays that are parameters
_KEPT = "kept."  # arrays that are for people to see


class Kept(BaseEstimator, ABC):  # type: ignore[misc]
    """An estimator that can be saved and loaded, and that knows the fingerprint of what it learned."""

    model_name: ClassVar[str]  # by which its files and the command line know it

    n_features_in_: int

    @abstractmethod
    def _state(self) -> tuple[dict[str, Any], Arrays]:
        """All that its results depend on: what JSON can hold, and arrays. The fingerprint is made of it."""

    @abstractmethod
    def _restore(self, described: Mapping[str, Any], arrays: Arrays) -> None:
        """Undo `_state`, with the parameters and n_features_in_ set. Raises KeyError, TypeError or ValueError for what
        is not like it."""

    def _kept(self) -> dict[str, Any]:
        """Other fitted attributes by name, plain values, such as a history: no result depends on them."""
        return {}

    def _kept_arrays(self) -> Arrays:
        """The same of arrays."""
        return {}

    def _check(self) -> None:
        """Raise ValueError where loaded parameters and attributes do not fit each other."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the name and all that was learned: what equal fingerprints give can be compared, and
        nothing else."""
        check_is_fitted(self)
        described, arrays = self._state()
        head = {"model": self.model_name, "features": self.n_features_in_, "state": described}
        digest = hashlib.sha256(json.dumps(head, sort_keys=True, allow_nan=False).encode())
        for name, array in sorted(arrays.items()):
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def save(self, folder: str | Path) -> Path:
        """Write model.json and model.safetensors into a folder, in place of a model that is there; loading executes
        no code.

        Raises InputError for a parameter that a file cannot hold, such as a function.
        """
        check_is_fitted(self)
        parameters, given = split_parameters(
            {n: str(v) if isinstance(v, Path) else v for n, v in self.get_params(deep=False).items()}
        )
        described, arrays = self._state()
        description = {
            "parameters": parameters,
            "state": described,
            "fitted": {"n_features_in_": self.n_features_in_, **self._kept()},
            "fingerprint": self.fingerprint,
        }
        whole = (
            arrays
            | {_PARAMETER + n: a for n, a in given.items()}
            | {_KEPT + n: a for n, a in self._kept_arrays().items()}
        )
        return write_model(
            Path(folder),
            self.model_name,
            description,
            {n: np.asarray(a, order="C") for n, a in whole.items()},
        )

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote; RunError says which file is missing, broken or of another model."""
        folder = Path(folder)
        description, arrays = read_model(folder, cls.model_name)
        try:
            return cls._loaded(description, arrays)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise RunError(
                f"{folder / 'model.json'} is not a whole description of {cls.model_name!r}: {error!r}"
            ) from None

    @classmethod
    def _loaded(cls, description: Mapping[str, Any], arrays: Arrays) -> Self:
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"{name} holds a value that is not finite")
        loaded = cls()
        plain = {n: tuple(v) if isinstance(v, list) else v for n, v in description["parameters"].items()}
        loaded.set_params(**plain, **_under(_PARAMETER, arrays))
        for name, value in (description["fitted"] | _under(_KEPT, arrays)).items():
            if not name.endswith("_") or name.startswith("_"):
                raise ValueError(f"{name} is no fitted attribute")
            setattr(loaded, name, value)
        if type(loaded.n_features_in_) is not int or loaded.n_features_in_ < 1:
            raise ValueError(f"n_features_in_ is {loaded.n_features_in_!r}")
        loaded._check()
        own = {n: a for n, a in arrays.items() if not n.startswith((_PARAMETER, _KEPT))}
        loaded._restore(description["state"], own)
        if loaded.fingerprint != description["fingerprint"]:
            raise ValueError("the fingerprint is not that of the arrays")
        return loaded


def _under(prefix: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
