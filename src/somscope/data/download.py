"""Downloads through scikit-learn (OpenML and RCV1) into a folder of files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.data.digests import check_files, check_idx, note_files, noted_last
from somscope.data.idx import write_idx
from somscope.data.named_images import USPS_COUNTS, idx_files, usps_pixels
from somscope.data.reuters_sgml import SGML_TAR, read_sgml
from somscope.errors import DataError

__all__ = [
    "download_cifar10",
    "download_mnist_like",
    "download_sgml",
    "download_usps",
    "fetch_rcv1",
    "staged",
]

_OPENML = "https://www.openml.org"
_RCV1 = "https://ndownloader.figshare.com"
_REUTERS = "https://kdd.ics.uci.edu/databases/reuters21578/reuters21578.tar.gz"
_MAX_TAR_BYTES = 64 * 1024**2
_TIMEOUT = 20  # seconds until an address counts as out of reach
# The first ten labels of each part in the authors' order: a copy in another order cannot be cut into parts.
_CIFAR_LABELS = {"train": (6, 9, 9, 4, 1, 1, 2, 7, 8, 3), "test": (3, 8, 8, 0, 6, 6, 1, 6, 3, 1)}


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A temporary folder in `folder`; its files move into `folder` when the block ends well, and then SHA256SUMS."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=".download-", dir=folder))
    except OSError as error:
        raise DataError(
            f"the cache folder {folder} cannot be written: {error}; set SOMSCOPE_CACHE"
        ) from error
    try:
        yield stage
        note_files(stage)
        for path in noted_last(stage):
            os.replace(path, folder / path.name)
    except OSError as error:
        raise DataError(f"download into {folder} failed: {error}") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()  # leaves no empty folder behind when nothing came


def _check_reachable(address: str) -> None:
    """Raise DataError soon when there is no network, instead of after scikit-learn's retries."""
    try:
        request = urllib.request.Request(address, method="HEAD")
        urllib.request.urlopen(request, timeout=_TIMEOUT).close()
    except urllib.error.HTTPError:
        return  # it answered: that is enough
    except OSError as error:
        raise DataError(f"{address} cannot be reached ({getattr(error, 'reason', error)})") from error


def _fetch_openml(number: int, stage: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    from sklearn.datasets import fetch_openml

    _check_reachable(_OPENML)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # scikit-learn warns of each retry; failing ends in the error below
            # fetch_openml verifies the MD5 checksum that OpenML declares.
            bunch = fetch_openml(
                data_id=number, as_frame=False, parser="liac-arff", data_home=str(stage / "openml")
            )
    except (OSError, ValueError) as error:
        raise DataError(f"OpenML data set {number}: {error}") from error
    return np.asarray(bunch.data), np.asarray(bunch.target).astype(np.int64)


def download_mnist_like(name: str, number: int, folder: Path) -> None:
    """MNIST or Fashion-MNIST (OpenML data set `number`) as the four canonical IDX files, each checked by SHA-256."""
    with staged(folder) as stage:
        pixels, labels = _fetch_openml(number, stage)
        for part, rows in (("train", slice(0, 60_000)), ("test", slice(60_000, 70_000))):
            images_name, labels_name = idx_files([part])[part]
            images = pixels[rows].reshape(-1, 28, 28).astype(np.uint8)
            numbers = labels[rows].astype(np.uint8)
            check_idx(name, stage / images_name, images)
            check_idx(name, stage / labels_name, numbers)
            write_idx(stage / images_name, images)
            write_idx(stage / labels_name, numbers)


def download_cifar10(folder: Path) -> None:
    """CIFAR-10 (lossless, OpenML 40927): the authors' training batches 1 to 5, then their test batch."""
    with staged(folder) as stage:
        pixels, labels = _fetch_openml(40927, stage)
        for part, rows in (("train", slice(0, 50_000)), ("test", slice(50_000, 60_000))):
            if tuple(labels[rows][:10].tolist()) != _CIFAR_LABELS[part]:
                raise DataError(
                    "OpenML's CIFAR_10 is not in the authors' order: it has no train and test part"
                )
            images_name, labels_name = idx_files([part], images="idx4", suffix="")[part]
            planes = pixels[rows].astype(np.uint8).reshape(-1, 3, 32, 32)
            write_idx(stage / images_name, planes.transpose(0, 2, 3, 1))
            write_idx(stage / labels_name, labels[rows].astype(np.uint8))


def download_usps(folder: Path) -> None:
    """USPS (OpenML 41082): 7,291 training rows, then 2,007 test rows; classes 1..10 are the digits 0..9."""
    with staged(folder) as stage:
        values, classes = _fetch_openml(41082, stage)
        pixels, digits = usps_pixels(values), classes - 1
        for part, rows in (("train", slice(0, 7_291)), ("test", slice(7_291, 9_298))):
            counts = tuple(np.bincount(digits[rows], minlength=10).tolist())
            if counts != USPS_COUNTS[part]:
                raise DataError(f"OpenML's USPS is not in the usual order: {part} has {counts} of each digit")
            images_name, labels_name = idx_files([part])[part]
            write_idx(stage / images_name, pixels[rows])
            write_idx(stage / labels_name, digits[rows].astype(np.uint8))


def fetch_rcv1(stage: Path) -> Any:
    """scikit-learn's RCV1 Bunch (804,414 documents); scikit-learn verifies the SHA-256 of what it downloads."""
    import sklearn.datasets

    _check_reachable(_RCV1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return sklearn.datasets.fetch_rcv1(data_home=str(stage / "rcv1"), subset="all")
    except (OSError, ValueError) as error:
        raise DataError(f"RCV1: {error}") from error


def download_sgml(folder: Path) -> None:
    """D. Lewis's distribution of Reuters-21578 (8 MB), as one archive."""
    with staged(folder) as stage:
        try:
            with urllib.request.urlopen(_REUTERS, timeout=_TIMEOUT) as answer:
                (stage / SGML_TAR).write_bytes(answer.read(_MAX_TAR_BYTES))
        except OSError as error:
            raise DataError(f"{_REUTERS} cannot be reached ({getattr(error, 'reason', error)})") from error
        check_files(stage, [SGML_TAR])
        read_sgml(stage)  # raises DataError unless all 21,578 stories are there
