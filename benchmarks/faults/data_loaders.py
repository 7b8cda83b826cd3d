"""Files of data that somscope reads: how a valid one is made, what of it to break, how it is read."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.faults.parts import Loader, Part, numbers
from PIL import Image

from somscope.data.aligned import read_aligned
from somscope.data.open import open_collection
from somscope.data.pack import pack
from somscope.data.patch_sets import read_brown, read_hpatches

__all__ = ["DATA", "member"]


def _file(name: str, make: Callable[[Path], object], *parts: Part, **options: Any) -> Loader:
    """A loader of one file that `open_collection` reads."""

    def load(folder: Path) -> None:
        collection = open_collection(folder / name, **options)
        np.asarray(collection.features[:3] if not hasattr(collection.features, "tocsr") else 0)

    return Loader(lambda folder: make(folder / name), parts or (Part(name),), load)


def _npz(members: dict[str, Any]) -> Callable[[Path], object]:
    return lambda path: np.savez_compressed(path, **members)


def member(name: str, others: Mapping[str, Any] | None = None) -> Part:
    """One array inside of data.npz, beside others that stay as they are."""

    def unwrap(content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.read(f"{name}.npy")

    def wrap(content: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.npy", content)
            for other, array in (others or {}).items():
                if other != name:
                    with archive.open(f"{other}.npy", "w") as file:
                        np.save(file, array)
        return buffer.getvalue()

    return Part("data.npz", unwrap, wrap)


def _sparse(path: Path) -> None:
    from scipy import sparse

    sparse.save_npz(path, sparse.random(30, 20, 0.2, "csr", random_state=0))


def _idx(path: Path) -> None:
    from somscope.data.idx import write_idx

    write_idx(path, np.random.default_rng(0).integers(0, 256, (30, 5, 4), dtype=np.uint8))


def _table(path: Path) -> None:
    import pyarrow as pa
    from pyarrow import csv, parquet

    x = numbers()
    table = pa.table(
        {"a": x[:, 0], "b": x[:, 1], "label": ["x", "y"] * 20, "text": ["some words", "none of them"] * 20}
    )
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    elif path.suffix == ".csv":
        csv.write_csv(table, path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))


def _pictures(folder: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        pixels = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(
            folder / f"{name}.{kind}", exif=_EXIF if kind in ("jpg", "png", "webp") else b""
        )


_EXIF = Image.Exif()
_EXIF[0x0112] = 6


def _images(kind: str) -> Loader:
    """Two images, of which one gets broken: it is skipped, or read."""

    def load(folder: Path) -> None:
        collection = open_collection(folder)
        assert len(collection) + len(collection.skipped) == 2

    return Loader(lambda folder: _pictures(folder, kind), [Part(f"a.{kind}")], load)


def _tar(path: Path) -> None:
    with tarfile.open(path, "w") as tar:
        for name in "ab":
            buffer = io.BytesIO()
            Image.fromarray(np.full((8, 8, 3), ord(name), np.uint8)).save(buffer, "PNG")
            members = {"png": buffer.getvalue(), "cls": b"1", "json": b'{"label": "x", "width": 8}'}
            for suffix, content in members.items():
                member = tarfile.TarInfo(f"{name}.{suffix}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def _make_pack(folder: Path) -> None:
    _table(folder / "data.csv")
    pack(folder / "data.csv", folder / "pack")


def _metadata(kind: str) -> Loader:
    def make(folder: Path) -> None:
        import pyarrow as pa
        from pyarrow import csv, parquet

        _pictures(folder, "png")
        table = pa.table({"file_name": ["a.png", "b.png"], "label": ["x", "y"], "width": [1, 2]})
        writers = {"csv": csv.write_csv, "parquet": parquet.write_table}
        writers[kind](table, folder / f"metadata.{kind}")

    return Loader(make, [Part(f"metadata.{kind}")], open_collection)


def _labels(name: str) -> Loader:
    def make(folder: Path) -> None:
        np.save(folder / "x.npy", numbers())
        labels = np.arange(40) % 3 if name != "words.npy" else np.array(["cell", "map"] * 20)
        if name.endswith(".npy"):
            np.save(folder / name, labels)
        else:
            (folder / name).write_text("\n".join(map(str, labels)))

    return Loader(make, [Part(name)], lambda folder: open_collection(folder / "x.npy", labels=folder / name))


def _make_brown(folder: Path) -> None:
    sheet = np.random.default_rng(0).integers(0, 256, (64, 128), dtype=np.uint8)
    Image.fromarray(sheet).save(folder / "patches0000.bmp")
    (folder / "info.txt").write_text("0 0\n1 0\n")
    (folder / "m50_100000_100000_0.txt").write_text("0 0 0 1 1 0 0\n0 0 0 0 0 0 0\n")


def _make_hpatches(folder: Path) -> None:
    (folder / "i_place").mkdir()
    for name in ("ref", "e1"):
        column = np.random.default_rng(0).integers(0, 256, (130, 65), dtype=np.uint8)
        Image.fromarray(column).save(folder / "i_place" / f"{name}.png")


_GZIPPED = Part("data.idx.gz", gzip.decompress, gzip.compress)

DATA: dict[str, Loader] = {
    "npy": _file("data.npy", lambda path: np.save(path, numbers())),
    "npz": _file("data.npz", _npz({"X": numbers(), "y": np.arange(40)}), Part("data.npz"), member("X")),
    "sparse npz": _file("data.npz", _sparse),
    "IDX": _file("data.idx", _idx),
    "IDX, gzipped": _file("data.idx.gz", _idx, Part("data.idx.gz"), _GZIPPED),
    "CSV": _file("data.csv", _table),
    "JSON lines": _file("data.jsonl", _table),
    "Parquet": _file("data.parquet", _table),
    "texts": _file("data.txt", lambda path: path.write_text("some words here\nand some there\n" * 9)),
    "texts in Parquet": _file("data.parquet", _table, text_column="text"),
    "tar shard": _file("data.tar", _tar),
    "Parquet folder": Loader(
        lambda folder: _table(folder / "part.parquet"), [Part("part.parquet")], open_collection
    ),
    "pack": Loader(
        _make_pack,
        [Part(f"pack/{name}") for name in ("collection.json", "features.npy", "items.parquet")],
        lambda folder: open_collection(folder / "pack"),
    ),
    "labels, npy": _labels("labels.npy"),
    "labels, words in npy": _labels("words.npy"),
    "labels, text": _labels("labels.txt"),
    **{f"images, {kind}": _images(kind) for kind in ("png", "jpg", "gif", "webp", "bmp", "tiff")},
    "patches of Brown": Loader(
        _make_brown,
        [Part(name) for name in ("patches0000.bmp", "info.txt", "m50_100000_100000_0.txt")],
        read_brown,
    ),
    "patches of HPatches": Loader(
        _make_hpatches, [Part(f"i_place/{name}.png") for name in ("ref", "e1")], read_hpatches
    ),
    "image pairs": Loader(lambda folder: _pictures(folder, "png"), [Part("a.png")], read_aligned),
    "metadata.csv": _metadata("csv"),
    "metadata.parquet": _metadata("parquet"),
}
