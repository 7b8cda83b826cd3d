"""What every coder is: an estimator that turns an item into a few bits, and knows its own fingerprint."""

from __future__ import annotations

import hashlib
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from somscope.codes.packing import Packed, check_bits, pack_signs, unpack
from somscope.errors import InputError, RunError
from somscope.maps.inputs import as_matrix
from somscope.maps.storage import read_model, split_parameters, write_model

__all__ = ["Arrays", "Coder"]

Arrays = dict[str, NDArray[Any]]
_BLOCK = 2**26  # bytes of items, in float64, that are encoded at once
_PARAMETER = "parameter."  # arrays that are parameters, not results
_log = logging.getLogger(__name__)


class Coder(TransformerMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """Items -> codes of K bits, packed into K / 8 bytes: bit k of an item is 1 where value k of `project` is 0 or more.

    A coder has a parameter `bits`, a multiple of 8, and gives four things: `_fit` learns from items, `_project` gives
    the values of a block of items, `_state` and `_restore` are its files. A coder of images overrides `_items`, too.

    Attributes
    ----------
    bit_means_ (K,) share of ones of each bit over the training items; effective_bits_ number of bits that are not the
    same for all of them; warnings_ what went wrong without ending the training; n_features_in_.
    """

    coder_name: ClassVar[str]  # by which its files and the command line know it

    bits: int

    bit_means_: NDArray[np.float64]
    effective_bits_: int
    warnings_: list[str]
    n_features_in_: int

    # What a coder gives

    @abstractmethod
    def _fit(self, items: NDArray[Any]) -> None:
        """Learn from items, as `_items` returns them; labels are not there to be seen."""

    @abstractmethod
    def _project(self, items: NDArray[Any]) -> NDArray[np.floating]:
        """(m, K) values of a block of items, whose signs are the bits; of one item they do not depend on the others."""

    @abstractmethod
    def _state(self) -> tuple[dict[str, Any], Arrays]:
        """All that was learned: what JSON can hold, and arrays. Both count for the fingerprint, so that what does not
        change a code (losses, seconds) goes into `_record` instead."""

    @abstractmethod
    def _restore(self, described: Mapping[str, Any], arrays: Arrays) -> None:
        """Undo `_state`, with n_features_in_ set. Raises KeyError, TypeError or ValueError for what is not like it."""

    def _record(self) -> dict[str, Any]:
        """Fitted attributes to keep besides, by their names, such as a history; plain values."""
        return {}

    def _items(self, X: Any, reset: bool) -> NDArray[Any]:
        """Items (n, ...) in an array, checked: of this class (n, d) numbers, and images as pixels / 255.

        Raises InputError for NaN and infinity, other shapes, and another number of features than in `fit`.
        """
        try:
            items = validate_data(
                self, as_matrix(X), reset=reset, dtype=[np.float64, np.float32], ensure_all_finite=False
            )
        except ValueError as error:
            raise InputError(str(error)) from None
        wrong = np.flatnonzero(~np.isfinite(items).all(axis=1))
        if len(wrong):
            raise InputError(
                f"X contains NaN or inf: {len(wrong)} of {len(items)} items do, the first in row {wrong[0]}"
            )
        return np.asarray(items)

    # Training and use

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from a collection or an array. y is ignored: labels never reach a coder.

        A bit that is the same for all training items says nothing; how many there are stands in warnings_.
        Raises InputError for bits that are no multiple of 8, and for items that cannot be used.
        """
        check_bits(self.bits)
        items = self._items(X, reset=True)
        self.warnings_: list[str] = []
        self._fit(items)
        ones = sum(
            unpack(pack_signs(v), self.bits).sum(axis=0, dtype=np.int64) for v in self._projected(items)
        )
        self.bit_means_ = np.asarray(ones, dtype=np.float64) / len(items)
        constant = int(np.isin(ones, (0, len(items))).sum())
        self.effective_bits_ = self.bits - constant
        if constant:
            message = (
                f"{constant} of {self.bits} bits are the same for all {len(items)} training items: "
                f"{self.effective_bits_} effective bits"
            )
            self.warnings_.append(message)
            _log.warning("%s: %s", self.coder_name, message)
        return self

    def encode(self, X: Any) -> Packed:
        """(n, bits / 8) uint8, MSB first. Raises InputError for items that cannot be used."""
        check_is_fitted(self)
        items = self._items(X, reset=False)
        return np.concatenate([pack_signs(values) for values in self._projected(items)])

    def transform(self, X: Any) -> Packed:
        """What `encode` gives, under the name that pipelines know."""
        return self.encode(X)

    def project(self, X: Any) -> NDArray[np.floating]:
        """(n, bits) values whose signs are the bits."""
        check_is_fitted(self)
        return np.concatenate(list(self._projected(self._items(X, reset=False))))

    def _projected(self, items: NDArray[Any]) -> Iterator[NDArray[np.floating]]:
        width = max(1, int(np.prod(items.shape[1:])))
        rows = max(1, _BLOCK // (8 * width))
        for start in range(0, len(items), rows):
            yield self._project(items[start : start + rows])

    # Files

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the name of the coder, its bits and all that was learned: codes of equal fingerprints can
        be compared with each other, others cannot."""
        check_is_fitted(self)
        described, arrays = self._state()
        head = {"coder": self.coder_name, "bits": int(self.bits), "state": described}
        digest = hashlib.sha256(json.dumps(head, sort_keys=True, allow_nan=False).encode())
        for name, array in sorted(arrays.items()):
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def save(self, folder: str | Path) -> Path:
        """Write model.json and model.safetensors into a folder; loading them executes no code.

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
            "fitted": {
                "n_features_in_": self.n_features_in_,
                "effective_bits_": self.effective_bits_,
                "warnings_": self.warnings_,
                **self._record(),
            },
            "fingerprint": self.fingerprint,
        }
        whole = {"bit_means_": self.bit_means_, **arrays} | {_PARAMETER + n: a for n, a in given.items()}
        return write_model(
            Path(folder), self.coder_name, description, {n: np.ascontiguousarray(a) for n, a in whole.items()}
        )

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote; RunError says which file is missing, broken or of another coder."""
        folder = Path(folder)
        description, arrays = read_model(folder, cls.coder_name)
        try:
            return cls._loaded(description, arrays)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise RunError(
                f"{folder / 'model.json'} is not a whole description of a coder {cls.coder_name!r}: {error!r}"
            ) from None

    @classmethod
    def _loaded(cls, description: Mapping[str, Any], arrays: Arrays) -> Self:
        coder = cls()
        given = {n.removeprefix(_PARAMETER): a for n, a in arrays.items() if n.startswith(_PARAMETER)}
        own = {n: a for n, a in arrays.items() if not n.startswith(_PARAMETER)}
        plain = {n: tuple(v) if isinstance(v, list) else v for n, v in description["parameters"].items()}
        coder.set_params(**plain, **given)
        check_bits(coder.bits)
        for name, value in description["fitted"].items():
            if not name.endswith("_"):
                raise ValueError(f"{name} is no fitted attribute")
            setattr(coder, name, value)
        if type(coder.n_features_in_) is not int or coder.n_features_in_ < 1:
            raise ValueError(f"n_features_in_ is {coder.n_features_in_!r}")
        coder.bit_means_ = own.pop("bit_means_")
        if coder.bit_means_.shape != (coder.bits,):
            raise ValueError(f"{coder.bit_means_.shape} bit_means_ for {coder.bits} bits")
        for name, array in own.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"{name} holds a value that is not finite")
        coder._restore(description["state"], own)
        if coder.fingerprint != description["fingerprint"]:
            raise ValueError("the fingerprint is not that of the arrays")
        return coder
