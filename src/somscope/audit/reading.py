"""Images of an audit from files: the output layout of the official pix2pix test script, or one folder for each set.

A pair is used when all its images can be read; otherwise the whole pair is left out and named. Pairs are found by name
(path inside the folder, without extension), never by the order of a listing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from somscope.audit.images import AuditImages
from somscope.data.collection import Skipped
from somscope.data.folder import list_files, readable
from somscope.data.image_stack import parse_image_size, stack_images
from somscope.data.images import IMAGE_SUFFIXES, Header, UnusableImage, read_header
from somscope.errors import DataError

__all__ = ["SUFFIXES", "read_folders", "read_pix2pix", "read_unpaired"]

# The official script: real_A is what the generator was given (after --direction), real_B the other half of the pair.
SUFFIXES = {"source": "_real_A", "target": "_real_B", "generated": "_fake_B"}
_LARGEST = 256  # pixels a side, unless a size is asked for
_MOST_BYTES = 2**30  # of all sets together; beyond it images are read at half the size, and half again


def read_pix2pix(folder: str | Path, image_size: object = None) -> AuditImages:
    """Triples NAME_real_A, NAME_fake_B, NAME_real_B in one folder, as the official pix2pix test script writes them.

    folder: the one with the images, or the one above it that holds `images/` and index.html.
    image_size: pixels, see `somscope.data.image_stack`; by default the size that most images have, at most 256 a side.
    Raises DataError where no triple is whole.
    """
    folder = Path(folder)
    inside = folder / "images"
    place = inside if inside.is_dir() else folder
    found: dict[str, dict[str, Path]] = {part: {} for part in SUFFIXES}
    others = []
    for file, stem in _images(place):
        part = next((part for part, suffix in SUFFIXES.items() if stem.endswith(suffix)), None)
        if part is None:
            others.append(Skipped(readable(file), "its name ends in none of " + ", ".join(SUFFIXES.values())))
        else:
            _add(found[part], stem.removesuffix(SUFFIXES[part]), place / file, others)
    if not any(found.values()):
        raise DataError(
            f"{place} holds no image named NAME{SUFFIXES['source']}, NAME{SUFFIXES['generated']} or "
            f"NAME{SUFFIXES['target']}; for other layouts give one folder for each set (source, target, generated)"
        )
    return _paired(_name_of(folder), found, image_size, others, dict.fromkeys(SUFFIXES, place))


def read_folders(
    source: str | Path | None, target: str | Path, generated: str | Path, image_size: object = None
) -> AuditImages:
    """Two or three folders, paired by name: the path of a file inside its folder, without the extension.

    source: None where there is none. image_size: as in `read_pix2pix`. Raises DataError where no name is shared.
    """
    folders = {"source": source, "target": target, "generated": generated}
    left_out: list[Skipped] = []
    found: dict[str, dict[str, Path]] = {}
    for part, folder in folders.items():
        if folder is not None:
            found[part] = {}
            for file, stem in _images(Path(folder)):
                _add(found[part], stem, Path(folder) / file, left_out)
    used = {part: Path(folder) for part, folder in folders.items() if folder is not None}
    return _paired(_name_of(generated), found, image_size, left_out, used)


def read_unpaired(real: str | Path, generated: str | Path, image_size: object = None) -> AuditImages:
    """Two folders of any numbers of images that do not correspond. image_size: as in `read_pix2pix`."""
    folders = {"target": Path(real), "generated": Path(generated)}
    found = {
        part: {readable(file): folder / file for file, _ in _images(folder)}
        for part, folder in folders.items()
    }
    return _read(_name_of(generated), found, image_size, [], folders, paired=False)


def _name_of(folder: str | Path) -> str:
    """facades for results/facades/test_latest/images; otherwise the folder's own name."""
    path = Path(folder).resolve()
    while path.name in ("images", "test_latest") and path.parent != path:
        path = path.parent
    return path.name


def _images(folder: Path) -> list[tuple[str, str]]:
    """(path inside the folder, the same without its extension) of each image, sorted."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder")
    files = list_files(folder)
    images = [name for name in files if name.lower().endswith(IMAGE_SUFFIXES)]
    if not images:
        held = f"holds {len(files)} files but no image" if files else "is an empty folder"
        raise DataError(f"{folder} {held}; images are files ending in {', '.join(IMAGE_SUFFIXES)}")
    return [(name, readable(str(PurePosixPath(name).with_suffix("")))) for name in images]


def _add(part: dict[str, Path], name: str, path: Path, left_out: list[Skipped]) -> None:
    if name in part:
        left_out.append(Skipped(str(path), f"{part[name].name} has the same name without its extension"))
    else:
        part[name] = path


def _paired(
    name: str,
    found: Mapping[str, Mapping[str, Path]],
    image_size: object,
    left_out: list[Skipped],
    folders: Mapping[str, Path],
) -> AuditImages:
    common = sorted(set.intersection(*(set(files) for files in found.values())))
    for part, files in found.items():
        lacking = [other for other in found if other != part]
        for stem in sorted(files.keys() - set(common)):
            without = [other for other in lacking if stem not in found[other]]
            left_out.append(Skipped(str(files[stem]), f"{part} without {' and '.join(without)}"))
    if not common:
        examples = "; ".join(
            f"{part}: {', '.join(list(files)[:3]) or 'none'}" for part, files in found.items()
        )
        raise DataError(f"no name is in all sets ({examples}); images are paired by name without extension")
    whole = {part: {stem: files[stem] for stem in common} for part, files in found.items()}
    return _read(name, whole, image_size, left_out, folders, paired=True)


def _read(
    name: str,
    found: Mapping[str, Mapping[str, Path]],
    image_size: object,
    left_out: list[Skipped],
    folders: Mapping[str, Path],
    *,
    paired: bool,
) -> AuditImages:
    """Decode all; what cannot be read is left out, with its pair."""
    headers = {part: [_header(path) for path in files.values()] for part, files in found.items()}
    shape, remarks = _choose(headers, image_size)
    pixels: dict[str, NDArray[np.uint8]] = {}
    kept: dict[str, set[str]] = {}
    rows: dict[str, dict[str, int]] = {}
    for part, files in found.items():
        stack = stack_images(list(files.values()), [str(path) for path in files.values()], shape)
        stems = list(files)
        rows[part] = {stems[row]: place for place, row in enumerate(stack.kept.tolist())}
        kept[part] = set(rows[part])
        pixels[part] = stack.features
        left_out = [*left_out, *stack.skipped]
    if paired:
        whole = set.intersection(*kept.values())
        broken = sorted(set.union(*kept.values()) - whole)
        for stem in broken:
            bad = [part for part in found if stem not in kept[part]]
            left_out.append(
                Skipped(stem, f"the pair is left out: its {' and '.join(bad)} image cannot be read")
            )
        kept = dict.fromkeys(found, whole)
    names = {part: tuple(stem for stem in found[part] if stem in kept[part]) for part in found}
    chosen = {part: pixels[part][[rows[part][stem] for stem in names[part]]] for part in found}
    if len({array.shape[3] for array in chosen.values()}) > 1:
        grey = [part for part, array in chosen.items() if array.shape[3] == 1]
        remarks.append(f"{' and '.join(grey)} images are grey and the others coloured: compared as RGB")
        chosen = {part: np.repeat(a, 3, axis=3) if a.shape[3] == 1 else a for part, a in chosen.items()}
    if paired:
        remarks += _different_halves(found, headers)
    return AuditImages(
        name=name,
        source=chosen.get("source"),
        target=chosen["target"],
        generated=chosen["generated"],
        paired=paired,
        names=names,
        left_out=tuple(left_out),
        remarks=tuple(remarks),
        folders={part: readable(str(folder)) for part, folder in folders.items()},
    )


def _header(path: Path) -> Header | None:
    try:
        return read_header(path)
    except UnusableImage:
        return None


def _choose(
    headers: Mapping[str, Sequence[Header | None]], image_size: object
) -> tuple[tuple[int, int], list[str]]:
    """The (height, width) to read all images at, and what is to be said about sizes and colours."""
    known = {part: [header for header in row if header is not None] for part, row in headers.items()}
    every = [header for row in known.values() for header in row]
    sizes = Counter((header.height, header.width) for header in every)
    remarks = []
    if len(sizes) > 1:
        remarks.append("images have different sizes (height x width): " + _listed(sizes))
    for part, row in known.items():
        grey = sum(header.grey for header in row)
        if 0 < grey < len(row):
            remarks.append(f"{grey} of {len(row)} {part} images are grey, the others coloured")
    asked = parse_image_size(image_size)
    height, width = asked or (sizes.most_common(1)[0][0] if sizes else (_LARGEST, _LARGEST))
    if asked is None:
        while max(height, width) > _LARGEST or 3 * height * width * len(every) > _MOST_BYTES:
            height, width = max(1, height // 2), max(1, width // 2)
    if every and set(sizes) != {(height, width)}:
        remarks.append(f"resized to cover {height}x{width} pixels, centre cropped")
    return (height, width), remarks


def _listed(sizes: Counter[tuple[int, int]]) -> str:
    shown = [f"{height}x{width} ({count})" for (height, width), count in sizes.most_common(4)]
    return ", ".join(shown) + (", ..." if len(sizes) > 4 else "")


def _different_halves(
    found: Mapping[str, Mapping[str, Path]], headers: Mapping[str, Sequence[Header | None]]
) -> Iterable[str]:
    """Which pairs have images of different sizes."""
    differ = []
    for at, stem in enumerate(next(iter(found.values()))):
        row = [headers[part][at] for part in found]
        if len({(header.height, header.width) for header in row if header is not None}) > 1:
            differ.append(stem)
    if differ:
        shown = ", ".join(differ[:3]) + (", ..." if len(differ) > 3 else "")
        few = "1 pair has" if len(differ) == 1 else f"{len(differ)} pairs have"
        yield f"{few} images of different sizes ({shown})"
