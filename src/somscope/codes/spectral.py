"""Spectral hashing (Weiss, Torralba and Fergus, NIPS 2008): eigenfunctions of a box along the principal directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from somscope.codes.coder import Arrays, Coder
from somscope.codes.linear import learned_from, principal_components

__all__ = ["SpectralHashing"]


class SpectralHashing(Coder):
    """bit = [cos(j pi (v_i - a_i) / (b_i - a_i)) >= 0], v_i the i-th principal component, which lies in [a_i, b_i].

    Of all pairs of a direction i and a mode j = 1, 2, ... those K are taken whose frequency j / (b_i - a_i) is lowest:
    the eigenvalue 1 - exp(-eps^2 / 2 |j pi / (b_i - a_i)|^2) (equation 9) grows with it, whatever eps is. Items beyond
    the box of the training items are taken as they come, as the authors' code does.

    Parameters
    ----------
    bits: K, a multiple of 8. random_state: of the randomised PCA, which scikit-learn takes for wide items.

    Attributes
    ----------
    mean_ (d,); directions_ (d, K) principal directions; lows_ (K,) the a_i and frequencies_ (K,) the j pi / (b_i - a_i)
    of the bits, directions_ being those of the bits, too, so that one may occur several times; and those of `Coder`.
    """

    model_name: ClassVar[str] = "spectral"

    def __init__(self, bits: int = 32, *, random_state: Any = None) -> None:
        self.bits = bits
        self.random_state = random_state

    def _fit(self, items: NDArray[Any]) -> None:
        items = learned_from(items)
        self.mean_, directions = principal_components(items, self.bits, self.random_state)
        v = (items - self.mean_) @ directions
        low, width = v.min(axis=0), np.ptp(v, axis=0)
        modes = np.arange(1, self.bits + 1)
        with np.errstate(divide="ignore"):
            frequency = modes[:, None] * np.pi / width  # (modes, directions); infinite where nothing varies
        lowest = np.argsort(frequency, axis=None, kind="stable")[: self.bits]
        self.frequencies_ = frequency.ravel()[lowest]
        which = lowest % len(width)
        self.directions_, self.lows_ = directions[:, which], low[which]
        same = ~np.isfinite(self.frequencies_)
        self.frequencies_[same], self.directions_[:, same], self.lows_[same] = (
            np.pi,
            0.0,
            -1.0,
        )  # cos(pi): bit 0

    def _project(self, items: NDArray[Any]) -> NDArray[np.floating]:
        v = (items - self.mean_) @ self.directions_
        return np.asarray(np.cos((v - self.lows_) * self.frequencies_))

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        return {}, {name: getattr(self, name) for name in self._shapes()}

    def _restore(self, described: Mapping[str, Any], arrays: Arrays) -> None:
        for name, shape in self._shapes().items():
            if arrays[name].shape != shape:
                raise ValueError(f"{name} has shape {arrays[name].shape}, not {shape}")
            setattr(self, name, arrays[name])

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        d, k = self.n_features_in_, self.bits
        return {"mean_": (d,), "directions_": (d, k), "lows_": (k,), "frequencies_": (k,)}
