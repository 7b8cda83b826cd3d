"""What every coder is: an estimator that turns an item into a few bits, and knows its own fingerprint."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from somscope.codes.kept import Arrays, Kept
from somscope.codes.packing import Packed, check_bits, pack_signs, unpack
from somscope.data.collection import Collection
from somscope.errors import InputError
from somscope.interrupt import catch_interrupt
from somscope.mapped import blocks_of_rows, release
from somscope.maps.inputs import as_matrix

__all__ = ["Arrays", "Coder"]

_BLOCK = 2**26  # bytes of items, in float64, that are encoded at once
_log = logging.getLogger(__name__)


class Coder(TransformerMixin, Kept):  # type: ignore[misc]
    """Items -> codes of K bits, packed into K / 8 bytes: bit k of an item is 1 where value k of `project` is 0 or more.

    A coder has a parameter `bits`, a multiple of 8, and gives four things: `_fit` learns from items, `_project` gives
    the values of a block of items, `_state` and `_restore` are its files. A coder of images overrides `_items`, too.

    Attributes
    ----------
    bit_means_ (K,) share of ones of each bit over the training items; effective_bits_ number of bits that are not the
    same for all of them; warnings_ what went wrong without ending the training; n_features_in_.
    """

    of_images: ClassVar[bool] = False  # rather than of feature vectors

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

    def _items(self, X: Any, reset: bool) -> NDArray[Any]:
        """Items (n, ...) in an array, checked: of this class (n, d) numbers, and images (n, H, W, C) uint8 as rows of
        pixels / 255, as of a collection.

        Raises InputError for NaN and infinity, other shapes, and another number of features than in `fit`.
        """
        if getattr(X, "ndim", 0) == 4 and str(X.dtype) in ("uint8", "torch.uint8"):
            X = Collection("images", "images", np.asarray(X)).matrix()
        try:
            items = validate_data(
                self, as_matrix(X), reset=reset, dtype=[np.float64, np.float32], ensure_all_finite=False
            )
        except ValueError as error:
            raise InputError(str(error)) from None
        finite = [np.isfinite(rows).all(axis=1) for _, rows in blocks_of_rows(items, _BLOCK)]
        wrong = np.flatnonzero(~np.concatenate(finite))
        if len(wrong):
            raise InputError(
                f"X contains NaN or inf: {len(wrong)} of {len(items)} items do, the first in row {wrong[0]}"
            )
        return np.asarray(items)

    # Training and use

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from a collection or an array. y is ignored: labels never reach a coder. Ctrl-C after the training ends
        the counting of its bits, and loses nothing else.

        A bit that is the same for all training items says nothing; how many there are stands in warnings_.
        Raises InputError for bits that are no multiple of 8, and for items that cannot be used.
        """
        check_bits(self.bits)
        items = self._items(X, reset=True)
        self.warnings_: list[str] = []
        self._fit(items)
        ones, seen = np.zeros(self.bits, dtype=np.int64), 0
        with catch_interrupt("the coder is trained; its bits are counted over the items so far") as interrupt:
            for values in self._projected(items):
                ones += unpack(pack_signs(values), self.bits).sum(axis=0, dtype=np.int64)
                seen += len(values)
                if interrupt.requested:
                    break
        if seen < len(items):
            self.warnings_.append(f"interrupted: bits are counted over {seen} of {len(items)} training items")
        self.bit_means_ = ones / seen
        constant = int(np.isin(ones, (0, seen)).sum())
        self.effective_bits_ = self.bits - constant
        if constant:
            message = (
                f"{constant} of {self.bits} bits are the same for all {seen} training items: "
                f"{self.effective_bits_} effective bits"
            )
            self.warnings_.append(message)
            _log.warning("%s: %s", self.model_name, message)
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
            release(items)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # codes are bytes
        return tags

    # Files

    def _kept(self) -> dict[str, Any]:
        return {"effective_bits_": self.effective_bits_, "warnings_": self.warnings_}

    def _kept_arrays(self) -> Arrays:
        return {"bit_means_": self.bit_means_}

    def _check(self) -> None:
        check_bits(self.bits)
        if self.bit_means_.shape != (self.bits,):
            raise ValueError(f"{self.bit_means_.shape} bit_means_ for {self.bits} bits")
