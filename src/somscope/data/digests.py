"""SHA-256 digests: whether the files of a named data set hold what they should.

Three kinds, because data sets come in three ways. Of what authors distribute as one archive, the published digest of
that file. Of sets that may lie in other containers, a digest of their content, which no container and no compression
changes. Of what was fetched from elsewhere and then written here, the digests noted when it was written (the fetching
itself is verified by scikit-learn), so that a file that changed in the cache is found out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.errors import DataError

__all__ = ["check_content", "check_files", "check_idx", "content_sha256", "note_files", "noted_last"]

_SUMS = "SHA256SUMS"

FILE_SHA256 = {
    # As torchvision's prototype data sets publish them.
    "usps.bz2": "3771e9dd6ba685185f89867b6e249233dd74652389f263963b3b741e994b034f",
    "usps.t.bz2": "a9c0164e797d60142a50604917f0baa604f326e9a689698763793fa5d12ffc4e",
    # As scikit-learn's example of out-of-core classification publishes it.
    "reuters21578.tar.gz": "3bae43c9b14e387f76a61b6d82bf98a4fb5d3ef99ef7e7075ff2ccbcf59f9d30",
}

# See `content_sha256`; the items of images are their pixels (or, of JPEG copies, the encoded bytes).
CONTENT_SHA256 = {
    "cifar10:train (JPEG)": "b09195c8f13921bb736f0624c6a6a2fb15a3760abb910f5c03d598c70dcfb918",
    "cifar10:test (JPEG)": "c70ff589340ddf4723edf555a89d1f1be99b34bccf5f42a5ed8f52976ef5a2db",
    "digits:all": "7b38e73c5519f2f77fc498d525b2035cb870545e77ddd48468b72f6e18351e09",
    "reuters-21578:train": "0fbadf597880d8067f61111758248f97f6e90ce27e9e8eb7a290a84d5d5439fa",
    "reuters-21578:test": "fac1c14f43b395e763947ef062f80e5f34ae68cf088d463e86ebe0ba6358c2b9",
}

# SHA-256 of the IDX content after gzip is undone (a gzip file also holds its own name and time, so copies differ).
IDX_SHA256 = {
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}


def content_sha256(items: Iterable[bytes], labels: Iterable[Any]) -> str:
    """SHA-256 (hex) over what items are: the length and the bytes of each, then the label of each as text."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(len(item).to_bytes(8, "little"))
        digest.update(item)
    for label in labels:
        digest.update(f"{label}\0".encode())
    return digest.hexdigest()


def check_content(name: str, where: Path | str, found: str) -> None:
    """Raise DataError when the digest `found` is not that of `name` in CONTENT_SHA256."""
    _check(f"the content of {name}", where, found, CONTENT_SHA256[name])


def check_idx(name: str, path: Path, array: NDArray[Any]) -> None:
    """Raise DataError when an unsigned-byte IDX array is not the canonical one of that set and file."""
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    digest = hashlib.sha256(head)
    digest.update(np.ascontiguousarray(array, dtype=np.uint8).data)
    expected = IDX_SHA256[name][path.name.removesuffix(".gz")]
    _check(f"the {name} file of that name", path, digest.hexdigest(), expected)


def check_files(folder: Path, names: Sequence[str]) -> None:
    """Raise DataError when a file is not the published one (FILE_SHA256), or not what SHA256SUMS beside it says."""
    noted = _noted(folder)
    for name in names:
        for what, sums in (("the published file of that name", FILE_SHA256), (f"what {_SUMS} says", noted)):
            if name in sums:
                _check(what, folder / name, _file_sha256(folder / name), sums[name])


def note_files(folder: Path) -> None:
    """Write SHA256SUMS, in the form that `sha256sum --check` reads, of all files directly in `folder`."""
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    (folder / _SUMS).write_text("".join(f"{_file_sha256(path)}  {path.name}\n" for path in paths))


def noted_last(folder: Path) -> list[Path]:
    """The files directly in `folder`, SHA256SUMS after all that it vouches for: the order to move them in."""
    return sorted(
        (path for path in folder.iterdir() if path.is_file()), key=lambda p: (p.name == _SUMS, p.name)
    )


def _noted(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / _SUMS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{folder / _SUMS} cannot be read: {error}") from error
    parts = [line.split(maxsplit=1) for line in lines]
    return {part[1].removeprefix("*"): part[0].lower() for part in parts if len(part) == 2}


def _file_sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _check(what: str, where: Path | str, found: str, expected: str) -> None:
    if found != expected:
        raise DataError(
            f"{where} is not {what}: SHA-256 is {found}, expected {expected}; remove it, or open it by its path if you "
            "mean this file"
        )
