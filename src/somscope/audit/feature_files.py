"""Features that were computed elsewhere, in a NumPy file; FID and KID of those of the Inception network.

somscope has no Inception weights and cannot fetch any, and a network that cannot be compared with its weights would not
be the one that FID is defined on. So the features come in a file, from whatever program computes them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from somscope.audit.images import AuditImages
from somscope.audit.numbers import How, Number, judged
from somscope.data.array_files import npz_arrays
from somscope.errors import DataError
from somscope.measures.frechet import frechet_distance, kernel_distance
from somscope.measures.permutation import swapped_labels

__all__ = ["inception_numbers", "read_features"]

_INCEPTION = 2048  # features of its last pooling layer
_TESTED = 400  # images of both sets beyond which FID and KID have no permutations
_FEWER = 99

Floats = NDArray[np.float64]


def read_features(path: str | Path, images: AuditImages, *, inception: bool) -> dict[str, Floats]:
    """part -> (n, d) features of the images, found by name.

    path: an .npz file with, for each part (target, generated and, where there is one, source), an array of that name,
    (k, d) numbers, and one of its names, "target_names" and so on, (k,) strings: those of the report, the path inside
    the folder, for pairs without extension (and without _real_A, ... of pix2pix). Further rows are ignored.
    inception: d must be 2,048. Nothing in the file is executed. Raises DataError for anything else.
    """
    path = Path(path)
    arrays = npz_arrays(path)
    return {part: _part(path, arrays, part, images.names[part], inception) for part in images.parts()}


def _part(
    path: Path, arrays: dict[str, NDArray[np.generic]], part: str, wanted: tuple[str, ...], inception: bool
) -> Floats:
    for name in (part, f"{part}_names"):
        if name not in arrays:
            raise DataError(f"{path} has no array {name!r}; it has {', '.join(sorted(arrays)) or 'none'}")
    features, names = arrays[part], arrays[f"{part}_names"].ravel().tolist()
    if features.ndim != 2 or len(features) != len(names) or features.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: {part} has shape {features.shape}, {features.dtype}, and {len(names)} names; "
            "allowed: (k, d) numbers and k names"
        )
    if inception and features.shape[1] != _INCEPTION:
        raise DataError(
            f"{path}: {part} has {features.shape[1]} features, and Inception's pooling layer {_INCEPTION}; "
            f"for other embeddings give features:{path.name}"
        )
    place = {str(name): at for at, name in enumerate(names)}
    missing = [name for name in wanted if name not in place]
    if missing:
        raise DataError(
            f"{path} has no features of {len(missing)} {part} images, such as {missing[0]!r}; its names are like "
            f"{next(iter(place), 'none')!r}"
        )
    chosen = features[[place[name] for name in wanted]].astype(np.float64)
    if not np.isfinite(chosen).all():
        raise DataError(f"{path}: {part} holds NaN or infinite values; allowed: finite numbers")
    return chosen


def inception_numbers(real: Floats, generated: Floats, how: How, *, paired: bool) -> list[Number]:
    """FID and KID; of at most 400 images of both sets together with 99 permutations, of more without."""
    pool = np.concatenate([real, generated])
    n, m = len(real), len(generated)
    tested = len(pool) <= _TESTED
    many = min(how.permutations, _FEWER) if tested else 0
    labels = swapped_labels(n, m, many, how.generator(), paired=paired)
    numbers = []
    for name, measure in (("FID", frechet_distance), ("KID", kernel_distance)):
        values = np.array([measure(pool[~row], pool[row]) for row in labels])
        if tested:
            made = judged(values[None], measure=name, comparison="real-generated", space=how.space, n=n)
        else:
            made = Number(name, "real-generated", how.space, "", n, 1, 0, float(values[0]))
        numbers.append(made)
    return numbers
