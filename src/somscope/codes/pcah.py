"""PCA hashing (Wang, Kumar and Chang, CVPR 2010, their baseline): the signs of the first principal components."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import NDArray

from somscope.codes.linear import LinearCoder, learned_from, principal_components

__all__ = ["PCAH"]


class PCAH(LinearCoder):
    """bit_k = [w_k . (x - mean) >= 0], w_k the k-th principal direction.

    Items that vary in fewer than K directions leave bits that are always 0; `effective_bits_` counts the others.

    Parameters
    ----------
    bits: K, a multiple of 8. random_state: of the randomised PCA, which scikit-learn takes for wide items.

    Attributes
    ----------
    mean_ (d,); components_ (d, K) the w_k in columns; and those of `Coder`.
    """

    model_name: ClassVar[str] = "pcah"

    def __init__(self, bits: int = 32, *, random_state: Any = None) -> None:
        self.bits = bits
        self.random_state = random_state

    def _fit(self, items: NDArray[Any]) -> None:
        self.mean_, self.components_ = principal_components(learned_from(items), self.bits, self.random_state)
