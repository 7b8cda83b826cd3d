"""The named data sets: one table, and how a name becomes a collection."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from somscope.data import download as fetch
from somscope.data import named_images as images
from somscope.data import named_text as text
from somscope.data.collection import Collection
from somscope.data.concat import concatenate
from somscope.data.digests import check_files
from somscope.data.named_set import Layout, NamedSet
from somscope.data.places import cache_folder, places
from somscope.data.reuters_sgml import SGML_FILES, SGML_TAR
from somscope.errors import DataError, InputError, check_choice

__all__ = ["NAMED", "Listed", "get_named", "is_named", "list_named", "places_of"]

_DIGITS = tuple(str(digit) for digit in range(10))
_TRAIN_TEST = ("train", "test")


def _idx_layouts(name: str, classes: tuple[str, ...], parts: tuple[str, ...]) -> tuple[Layout, ...]:
    """The four canonical IDX files, gzipped or not."""
    return tuple(
        Layout(
            images.idx_files(parts, suffix=suffix),
            partial(images.load_idx_part, name, classes, suffix=suffix),
        )
        for suffix in (".gz", "")
    )


NAMED: dict[str, NamedSet] = {
    named.name: named
    for named in (
        NamedSet(
            name="mnist",
            kind="images",
            parts={"train": 60_000, "test": 10_000},
            folders=("mnist",),
            layouts=_idx_layouts("mnist", _DIGITS, _TRAIN_TEST),
            download=partial(fetch.download_mnist_like, "mnist", 554),
            terms="CC BY-SA 3.0",
            about="Handwritten digits, 28 x 28 grey (LeCun et al. 1998); OpenML 554.",
        ),
        NamedSet(
            name="fashion-mnist",
            kind="images",
            parts={"train": 60_000, "test": 10_000, "sample": 10_000},
            folders=("fashion-mnist",),
            layouts=_idx_layouts("fashion-mnist", images.FASHION_CLASSES, ("train", "test", "sample")),
            download=partial(fetch.download_mnist_like, "fashion-mnist", 40996),
            terms="MIT, Zalando SE",
            about="Photographs of clothing, 28 x 28 grey (Xiao et al. 2017); OpenML 40996. "
            "The sample is the test part, and comes with somscope.",
        ),
        NamedSet(
            name="cifar10",
            kind="images",
            parts={"train": 50_000, "test": 10_000},
            folders=("cifar10",),
            layouts=(
                Layout(images.idx_files(_TRAIN_TEST, images="idx4", suffix=""), images.load_cifar10_idx),
                Layout(images.CIFAR_BINARY, images.load_cifar10_binary),
                Layout({part: (f"{part}.parquet",) for part in _TRAIN_TEST}, images.load_cifar10_parquet),
            ),
            download=fetch.download_cifar10,
            terms="research use; no licence stated",
            about="Photographs of ten classes, 32 x 32 RGB (Krizhevsky 2009); OpenML 40927 (lossless). Copies in "
            "the Parquet layout may be re-compressed JPEG: the collection's source then says so.",
        ),
        NamedSet(
            name="usps",
            kind="images",
            parts={"train": 7_291, "test": 2_007},
            folders=("usps",),
            layouts=(
                Layout(images.idx_files(_TRAIN_TEST), images.load_usps_idx),
                Layout({"train": ("usps.bz2",), "test": ("usps.t.bz2",)}, images.load_usps_libsvm),
            ),
            download=fetch.download_usps,
            terms="research use; no licence stated",
            about="Handwritten digits of envelopes, 16 x 16 grey (Hull 1994); OpenML 41082, rounded to 8 bits.",
        ),
        NamedSet(
            name="digits",
            kind="images",
            parts={"all": 1_797},
            folders=("digits",),
            layouts=(Layout({"all": ()}, images.load_digits_set),),
            download=None,
            terms="CC BY 4.0",
            about="Handwritten digits, 8 x 8 grey with 17 levels (UCI optical digits); part of scikit-learn.",
        ),
        NamedSet(
            name="reuters-rcv1",
            kind="text",
            parts={"10k": 10_000, "all": 685_071},
            folders=("reuters-rcv1",),
            layouts=(Layout(text.RCV1_FILES, text.load_rcv1),),
            download=text.download_rcv1,
            terms="research use, Reuters/NIST agreement",
            about="News under exactly one of four root categories, TF-IDF of 2,000 words (Lewis et al. 2004; the "
            "selection of DEC). The 10k part is a random sample with seed 0. No texts, vectors only.",
        ),
        NamedSet(
            name="reuters-21578",
            kind="text",
            parts={"train": 6_532, "test": 2_568},
            folders=("reuters-21578", "reuters21578"),
            layouts=(
                Layout(dict.fromkeys(_TRAIN_TEST, (SGML_TAR,)), text.load_reuters_sgml),
                Layout(dict.fromkeys(_TRAIN_TEST, SGML_FILES), text.load_reuters_sgml),
                Layout(dict.fromkeys(_TRAIN_TEST, ("reuters21578.parquet",)), text.load_reuters_parquet),
            ),
            download=text.download_reuters,
            terms="research use, Reuters and Carnegie Group",
            about="Newswire of 1987, single-topic stories of the ModApte split whose topic is in both parts "
            "(52 topics, R52); TF-IDF of the 2,000 most frequent words of the training part.",
        ),
    )
}


@dataclass(frozen=True)
class Listed:
    """One part of a named set. where: the folder that has it, or None when it is not on this machine."""

    name: str
    kind: str
    n_items: int
    where: Path | None
    terms: str
    about: str


def is_named(text: str) -> bool:
    """Whether this is the name of a set, with or without parts ("mnist", "mnist:train+test")."""
    return text.split(":", 1)[0] in NAMED


def list_named() -> list[Listed]:
    """Every part of every named set, and where it was found; nothing is read or downloaded."""
    listed = []
    for named in NAMED.values():
        for part, n_items in named.parts.items():
            found = _find(named, part)
            where = None if found is None else found[0]
            listed.append(
                Listed(f"{named.name}:{part}", named.kind, n_items, where, named.terms, named.about)
            )
    return listed


def get_named(name: str, *, download: bool = True) -> Collection:
    """The collection behind a name: "mnist" (its first part), "mnist:test", "mnist:train+test".

    Looked up in `SOMSCOPE_DATA`, the system's folders, the cache and the package, then downloaded into the cache.
    Raises InputError for an unknown name or part (listing the allowed), DataError when the set is neither here nor
    can be fetched (listing where it may be put), or a file is not what it should be.
    """
    named, parts = _parse(name)
    collections = [_load(named, part, download) for part in parts]
    collection = collections[0] if len(parts) == 1 else concatenate(collections, named.name)
    collection.source["path"] = f"{named.name}:{'+'.join(parts)}"
    return collection


def places_of(name: str) -> list[tuple[str, Path]]:
    """The parts that a name means and the folder of each; parts that are not on this machine are left out."""
    named, parts = _parse(name)
    found = [(part, _find(named, part)) for part in parts]
    return [(f"{named.name}:{part}", place[0]) for part, place in found if place is not None]


def _parse(name: str) -> tuple[NamedSet, list[str]]:
    base, _, wanted = name.partition(":")
    check_choice("data set", base, NAMED)
    named = NAMED[base]
    parts = wanted.split("+") if wanted else [named.default_part]
    for part in parts:
        check_choice(f"part of {base}", part, named.parts)
    if len(set(parts)) < len(parts):
        raise InputError(f"{name}: a part is named twice")
    return named, parts


def _find(named: NamedSet, part: str) -> tuple[Path, Layout] | None:
    if not named.layouts[0].files[part]:
        return Path("scikit-learn"), named.layouts[0]
    for folder in places(named.folders):
        for layout in named.layouts:
            if layout.present(folder, part):
                return folder, layout
    return None


def _load(named: NamedSet, part: str, download: bool) -> Collection:
    found = _find(named, part)
    if found is None:
        why = "downloading was not allowed"
        if download and named.download is not None:
            try:
                named.download(cache_folder() / "data" / named.folders[0])
                why = "the download did not bring it"
            except DataError as error:
                why = f"downloading failed: {error}"
        found = _find(named, part)
        if found is None:
            raise DataError(_absent(named, part, why))
    folder, layout = found
    check_files(folder, layout.files[part])
    return layout.load(folder, part)


def _absent(named: NamedSet, part: str, why: str) -> str:
    files = " or ".join(_few(layout.files[part]) for layout in named.layouts if part in layout.files)
    folders = "".join(f"\n  {folder}" for folder in places(named.folders)[: -len(named.folders)])
    hint = (
        ""
        if "sample" not in named.parts
        else f"\n{named.name}:sample comes with somscope and is always there."
    )
    variable = (
        ""
        if "SOMSCOPE_DATA" in os.environ
        else f"\n  {named.folders[0]} in a folder that the variable SOMSCOPE_DATA names"
    )
    return (
        f"{named.name}:{part} is not on this machine, and {why}.\n"
        f"Put {files} into one of:{folders}{variable}{hint}"
    )


def _few(names: tuple[str, ...]) -> str:
    return " and ".join(names) if len(names) <= 2 else f"{names[0]} ... {names[-1]} ({len(names)} files)"
