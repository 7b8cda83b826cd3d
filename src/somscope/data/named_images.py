"""Loaders of the named sets of images: MNIST and its like (IDX), CIFAR-10, USPS, and scikit-learn's digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.data.arrays import collection_from_array
from somscope.data.collection import Collection
from somscope.data.digests import check_content, check_idx, content_sha256
from somscope.data.idx import read_idx
from somscope.data.table_files import read_table
from somscope.data.tables import collection_from_table
from somscope.errors import DataError

__all__ = [
    "CIFAR10_CLASSES",
    "CIFAR_BINARY",
    "FASHION_CLASSES",
    "idx_files",
    "load_cifar10_binary",
    "load_cifar10_idx",
    "load_cifar10_parquet",
    "load_digits_set",
    "load_idx_part",
    "load_usps_idx",
    "load_usps_libsvm",
]

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_STEMS = {"train": "train", "test": "t10k", "sample": "t10k"}
CIFAR_BINARY = {
    "train": tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("cifar-10-batches-bin/test_batch.bin",),
}
# Items of each digit in USPS as it is split everywhere (Hastie et al., zip.info): checks that a copy has that order.
USPS_COUNTS = {
    "train": (1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644),
    "test": (359, 264, 198, 166, 200, 160, 170, 147, 166, 177),
}


def idx_files(parts: Sequence[str], images: str = "idx3", suffix: str = ".gz") -> dict[str, tuple[str, ...]]:
    """The canonical names of the IDX files of each part: images, labels."""
    return {
        part: (f"{_STEMS[part]}-images-{images}-ubyte{suffix}", f"{_STEMS[part]}-labels-idx1-ubyte{suffix}")
        for part in parts
    }


def load_idx_part(
    name: str, classes: Sequence[str], folder: Path, part: str, suffix: str = ".gz"
) -> Collection:
    """Images and labels of one part, checked by SHA-256. The sample has the ids of the test images."""
    images, labels = (folder / file for file in idx_files([part], suffix=suffix)[part])
    pixels, numbers = read_idx(images), read_idx(labels)
    check_idx(name, images, pixels)
    check_idx(name, labels, numbers)
    return _images(name, "test" if part == "sample" else part, pixels, numbers, classes)


def _images(
    name: str, part: str, pixels: NDArray[Any], numbers: NDArray[Any], classes: Sequence[str]
) -> Collection:
    return collection_from_array(
        pixels,
        name=name,
        labels=numbers,
        label_names=classes,
        ids=[f"{part}/{row}" for row in range(len(pixels))],
        source={"reader": "named", "part": part},
    )


def load_cifar10_parquet(folder: Path, part: str) -> Collection:
    """The Hugging Face layout: `img` (struct of bytes and path) and `label`.

    A copy that was re-compressed as JPEG must be the known one, by SHA-256 of its images as they are stored (decoders
    differ) and of its labels; the collection's source says so. Of lossless copies the shapes and counts are checked.
    """
    path = folder / f"{part}.parquet"
    table = read_table(path)
    loaded = collection_from_table(
        table, image_column="img", label_column="label", label_names=CIFAR10_CLASSES
    )
    _check_cifar10(path, loaded, part)
    source: dict[str, Any] = {"reader": "named", "part": part}
    stored = [image["bytes"] for image in table["img"].to_pylist()]
    if stored[0].startswith(b"\xff\xd8"):
        check_content(f"cifar10:{part} (JPEG)", path, content_sha256(stored, table["label"].to_pylist()))
        source["note"] = "this copy was re-compressed as JPEG; CIFAR-10 itself is lossless"
    ids = np.array([f"{part}/{row}" for row in range(len(loaded))])
    return replace(loaded, name="cifar10", ids=ids, metadata=None, source=source)


def _check_cifar10(where: Path, loaded: Collection, part: str) -> None:
    expected = 50_000 if part == "train" else 10_000
    if loaded.skipped or len(loaded) != expected or loaded.image_shape != (32, 32, 3):
        raise DataError(
            f"{where} is not CIFAR-10's {part} part: {len(loaded)} images of {loaded.image_shape} "
            f"({len(loaded.skipped)} unreadable), expected {expected} of (32, 32, 3)"
        )
    counts = np.bincount(np.asarray(loaded.labels), minlength=10)
    if set(counts.tolist()) != {expected // 10}:
        raise DataError(
            f"{where} is not CIFAR-10's {part} part: images of each class {counts.tolist()}, expected {expected // 10}"
        )


def load_cifar10_binary(folder: Path, part: str) -> Collection:
    """The authors' binary version: records of one label byte and 3072 bytes (red, green, blue planes of 32 x 32)."""
    records = []
    for name in CIFAR_BINARY[part]:
        values = np.fromfile(folder / name, dtype=np.uint8)
        if values.size != 10_000 * 3073:
            raise DataError(f"{folder / name} has {values.size:,} bytes, expected {10_000 * 3073:,}")
        records.append(values.reshape(10_000, 3073))
    table = np.concatenate(records)
    pixels = np.ascontiguousarray(table[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    loaded = _images("cifar10", part, pixels, table[:, 0], CIFAR10_CLASSES)
    _check_cifar10(folder, loaded, part)
    return loaded


def load_cifar10_idx(folder: Path, part: str) -> Collection:
    """Four-dimensional IDX, as our download writes it: images (n, 32, 32, 3); not gzipped, it would not shrink."""
    images, labels = (folder / file for file in idx_files([part], images="idx4", suffix="")[part])
    loaded = _images("cifar10", part, read_idx(images), read_idx(labels), CIFAR10_CLASSES)
    _check_cifar10(images, loaded, part)
    return loaded


def load_usps_idx(folder: Path, part: str) -> Collection:
    """IDX, as our download writes it: images (n, 16, 16)."""
    images, labels = (folder / file for file in idx_files([part])[part])
    return _usps(images, part, read_idx(images), read_idx(labels))


def load_usps_libsvm(folder: Path, part: str) -> Collection:
    """The LIBSVM files usps.bz2 and usps.t.bz2: grey values -1..1, classes 1..10 for the digits 0..9."""
    from sklearn.datasets import load_svmlight_file

    path = folder / ("usps.bz2" if part == "train" else "usps.t.bz2")
    try:
        values, classes = load_svmlight_file(str(path), n_features=256)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read as LIBSVM data: {error}") from error
    return _usps(path, part, usps_pixels(values.toarray()), (classes - 1).astype(np.uint8))


def usps_pixels(values: NDArray[Any]) -> NDArray[np.uint8]:
    """(n, 16, 16) uint8 from (n, 256) grey values in -1..1: round(127.5 * (value + 1)), off by at most 1/510."""
    if values.shape[1:] != (256,) or values.min() < -1.001 or values.max() > 1.001:
        raise DataError(
            f"USPS needs (n, 256) values in -1..1, got {values.shape} in {values.min():g}..{values.max():g}"
        )
    grey: NDArray[np.uint8] = np.rint(127.5 * (np.clip(values, -1, 1) + 1)).astype(np.uint8)
    return grey.reshape(-1, 16, 16)


def _usps(path: Path, part: str, pixels: NDArray[Any], numbers: NDArray[Any]) -> Collection:
    counts = tuple(np.bincount(numbers, minlength=10).tolist())
    if counts != USPS_COUNTS[part]:
        raise DataError(
            f"{path} is not USPS's {part} part: items of each digit {counts}, expected {USPS_COUNTS[part]}"
        )
    return _images("usps", part, pixels, numbers, [str(digit) for digit in range(10)])


def load_digits_set(folder: Path, part: str) -> Collection:
    """scikit-learn's copy of the UCI optical digits: 8 x 8 pixels with 17 grey levels, here times 255 / 16."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    loaded = _images("digits", part, pixels, bunch.target, [str(digit) for digit in range(10)])
    check_content(
        f"digits:{part}", "scikit-learn's load_digits", content_sha256(map(bytes, pixels), bunch.target)
    )
    return loaded
