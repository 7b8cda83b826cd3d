"""Everything that somscope reads from a disk: how a valid one is made, which of its files to break, how it is read."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from somscope.audit import from_arrays
from somscope.audit.feature_files import read_features
from somscope.audit.record import AuditRecord
from somscope.auditing import audit_images
from somscope.codes import ITQ, CodeIndex, SpectralHashing
from somscope.codes.index_file import read_index, write_index
from somscope.coding import code_collection
from somscope.data.aligned import read_aligned
from somscope.data.open import open_collection
from somscope.data.pack import pack
from somscope.data.patch_sets import read_brown, read_hpatches
from somscope.mapping import map_collection
from somscope.maps.interop import read_somoclu
from somscope.maps.som import SOM
from somscope.maps.somrl import SOMRL
from somscope.models.bingan import BinGAN
from somscope.models.contrastive_som import ContrastiveSOM
from somscope.models.desom import DESOM
from somscope.nets.official import read_state
from somscope.runs.code_run import CodeRun
from somscope.runs.run import Run
from somscope.training.checkpoint import checkpoints_in, read_checkpoint

__all__ = ["LOADERS", "Loader", "Part"]


@dataclass(frozen=True)
class Part:
    """A file to break. unwrap: its content as it is to be broken; wrap: the file that holds such content; sign: mends
    the check sums that would otherwise refuse it before it is looked at."""

    name: str
    unwrap: Callable[[bytes], bytes] = bytes
    wrap: Callable[[bytes], bytes] = bytes
    sign: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Loader:
    """make: writes valid files into a folder. parts: which to break. load: reads all of it."""

    make: Callable[[Path], object]
    parts: Sequence[Part]
    load: Callable[[Path], object]


def _x(width: int = 4) -> Any:
    return np.random.default_rng(0).random((40, width))


def _file(name: str, make: Callable[[Path], object], *parts: Part, **options: Any) -> Loader:
    """A loader of one file that `open_collection` reads."""

    def load(folder: Path) -> None:
        collection = open_collection(folder / name, **options)
        np.asarray(collection.features[:3] if not hasattr(collection.features, "tocsr") else 0)

    return Loader(lambda folder: make(folder / name), parts or (Part(name),), load)


def _npz(members: dict[str, Any]) -> Callable[[Path], object]:
    return lambda path: np.savez_compressed(path, **members)


def _member(name: str, others: Mapping[str, Any] | None = None) -> Part:
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

    x = _x()
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

    def make(folder: Path) -> None:
        rng = np.random.default_rng(0)
        for name in "ab":
            picture = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
            extra = {"exif": _EXIF} if kind in ("jpg", "png", "webp") else {}
            picture.save(folder / f"{name}.{kind}", **extra)

    def load(folder: Path) -> None:
        collection = open_collection(folder)
        assert len(collection) + len(collection.skipped) == 2

    return Loader(make, [Part(f"a.{kind}")], load)


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


def _pairs(folder: Path) -> None:
    read_aligned(folder)


def _labels(name: str) -> Loader:
    def make(folder: Path) -> None:
        np.save(folder / "x.npy", _x())
        labels = np.arange(40) % 3 if name != "words.npy" else np.array(["cell", "map"] * 20)
        if name.endswith(".npy"):
            np.save(folder / name, labels)
        else:
            (folder / name).write_text("\n".join(map(str, labels)))

    return Loader(make, [Part(name)], lambda folder: open_collection(folder / "x.npy", labels=folder / name))


def _sign_model(folder: Path) -> None:
    """Make model.json say the check sum of model.safetensors, as one who edits a model would."""
    try:
        described = json.loads((folder / "model.json").read_text())
        described["sha256"] = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        (folder / "model.json").write_text(json.dumps(described))
    except (ValueError, TypeError, RecursionError):
        return


def _model(made: type[Any], make: Callable[[], Any]) -> Loader:
    def load(folder: Path) -> None:
        read = made.load(folder)
        (read.predict if hasattr(read, "predict") else read.encode)(_x(min(read.n_features_in_, 64)))

    parts = [Part(name, sign=_sign_model) for name in ("model.json", "model.safetensors")]
    return Loader(lambda folder: make().save(folder), parts, load)


def _som() -> SOM:
    return SOM((3, 3), n_passes=2, random_state=0).fit(_x())


def _somrl() -> SOMRL:
    return SOMRL(max_units=6, n_epochs=2, random_state=0).fit(_x())


def _desom() -> DESOM:
    return DESOM((2, 2), 2, hidden=(3,), n_steps=3, finish_steps=1, precision="fp32", random_state=0).fit(
        _x()
    )


def _contrastive() -> ContrastiveSOM:
    settings = {"network": "dense", "augmentation": "vectors", "latent_dim": 4, "hidden": (4,), "n_steps": 2}
    settings |= {
        "final_radius": None,
        "device": "cpu",
        "precision": "fp32",
        "random_state": 0,
        "verbose": False,
    }
    return ContrastiveSOM((2, 2), **settings).fit(_x())


def _spectral() -> SpectralHashing:
    return SpectralHashing(8, random_state=0).fit(_x())


def _colour(n: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)


def _make_bingan(folder: Path) -> None:
    settings = {"n_epochs": 1, "batch_size": 10, "device": "cpu", "random_state": 0, "verbose": False}
    BinGAN(8, preset="cpu", width=1 / 24, **settings).fit(_colour(20)).save(folder)


def _itq() -> ITQ:
    return ITQ(8, random_state=0).fit(np.random.default_rng(1).random((40, 8)))


def _index(kind: str, memory_map: bool = False) -> Loader:
    """The file as it is, and what FAISS built, in a file whose check sum fits."""

    def load(folder: Path) -> None:
        index = CodeIndex.load(folder / "codes.index", memory_map=memory_map)
        index.search(np.zeros((1, index.bits // 8), np.uint8), min(2, len(index)))

    parts = [Part("codes.index")]
    if kind in ("ivf", "hnsw"):
        parts.append(Part("codes.index", _structure_of, partial(_with_structure, kind)))
    return Loader(lambda folder: _index_of(kind).save(folder / "codes.index"), parts, load)


def _index_of(kind: str) -> CodeIndex:
    index = CodeIndex(16, kind)
    index.add(np.random.default_rng(0).integers(0, 256, (100, 2), dtype=np.uint8))
    index.search(index.codes[:1], 3)
    return index


def _with_file(content: bytes, use: Callable[[Path], Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "codes.index"
        path.write_bytes(content)
        return bytes(use(path))


def _structure_of(content: bytes) -> bytes:
    return _with_file(content, lambda path: np.array(read_index(path, memory_map=False)[3]).tobytes())


def _with_structure(kind: str, content: bytes) -> bytes:
    """The file of `_index_of(kind)` with something else built over its codes."""

    def write(path: Path) -> bytes:
        index = _index_of(kind)
        described = {"bits": 16, "kind": kind, "options": index.options, "fingerprint": None}
        built = np.frombuffer(content, np.uint8)
        return write_index(path, described, index.ids, index.codes, built).read_bytes()

    return _with_file(b"", write)


def _read_run(folder: Path) -> None:
    run = Run.open(folder / "run")
    run.assignments(), run.items(), run.history(), run.units(), run.vocabulary(), run.model()


_RUN = (
    "config.json",
    "metrics.json",
    "assignments.parquet",
    "items.parquet",
    "history.parquet",
    "units.parquet",
)


def _make_run(folder: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (30, 6, 6), dtype=np.uint8)
    map_collection(open_collection(x), folder / "run", parameters={"grid": (3, 3), "n_passes": 1})


def _make_codes(folder: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (30, 6, 6), dtype=np.uint8)
    code_collection(open_collection(x), folder / "run", bits=8)


def _read_codes(folder: Path) -> None:
    run = CodeRun.open(folder / "run")
    run.encoder, run.index, run.items(), run.metrics()


def _train(folder: Path, **options: Any) -> None:
    settings = {"hidden": (3,), "n_steps": 3, "finish_steps": 1, "precision": "fp32", "random_state": 0}
    DESOM((2, 2), 2, **settings, checkpoints=folder, **options).fit(_x())


def _make_run_of_texts(folder: Path) -> None:
    (folder / "x.txt").write_text(
        "units and hits\nprototypes of units\na lattice of units\nhits of a lattice\n" * 5
    )
    map_collection(open_collection(folder / "x.txt"), folder / "run", "som", {"grid": (2, 2), "n_passes": 1})


def _make_codebook(folder: Path) -> None:
    rows = [" ".join(f"{value:.6g}" for value in row) for row in _x()[:6]]
    (folder / "map.wts").write_text("\n".join(["% 2 3", "% 4", *rows]))


def _make_weights(folder: Path) -> None:
    import torch

    torch.save({"a.weight": torch.rand(3, 4), "a.bias": torch.rand(3)}, folder / "net.pth")


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


def _audited() -> Any:
    return from_arrays(None, _colour(6), _colour(6), paired=False)


def _features() -> dict[str, Any]:
    names = _audited().names
    numbers = {part: np.random.default_rng(0).random((6, 3)) for part in ("target", "generated")}
    return numbers | {f"{part}_names": np.array(names[part]) for part in numbers}


def _make_checkpoints(folder: Path) -> None:
    _train(folder)
    checkpoints_in(folder)[-1].rename(folder / "step-000000009")


def _read_checkpoint(folder: Path) -> None:
    checkpoint = read_checkpoint(folder / "step-000000009")
    checkpoint.tensors(list(checkpoint.shapes))


def _sign_checkpoint(folder: Path) -> None:
    path = folder / "step-000000009"
    try:
        facts = json.loads((path / "state.json").read_text())["facts"]
        facts["tensors_sha256"] = hashlib.sha256((path / "state.safetensors").read_bytes()).hexdigest()
        text = json.dumps(facts)
        digest = hashlib.sha256(text.encode()).hexdigest()
        (path / "state.json").write_text(f'{{"sha256": "{digest}", "facts": {text}}}')
    except (ValueError, TypeError, KeyError, RecursionError):
        return


def _make_audit(folder: Path) -> None:
    rng = np.random.default_rng(0)
    real, made = (rng.integers(0, 256, (12, 16, 16, 3), dtype=np.uint8) for _ in range(2))
    audit_images(from_arrays(None, real, made, paired=False), n_seeds=2, permutations=19).save(
        folder / "audit"
    )


_GZIPPED = Part("data.idx.gz", gzip.decompress, gzip.compress)

LOADERS: dict[str, Loader] = {
    "npy": _file("data.npy", lambda path: np.save(path, _x())),
    "npz": _file("data.npz", _npz({"X": _x(), "y": np.arange(40)}), Part("data.npz"), _member("X")),
    "sparse npz": _file("data.npz", _sparse),
    "IDX": _file("data.idx", _idx),
    "IDX, gzipped": _file(
        "data.idx.gz", _idx, Part("data.idx.gz"), Part("data.idx.gz", gzip.decompress, gzip.compress)
    ),
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
    "image pairs": Loader(lambda folder: _pictures(folder, "png"), [Part("a.png")], _pairs),
    "metadata.csv": _metadata("csv"),
    "metadata.parquet": _metadata("parquet"),
    "model, SOM": _model(SOM, _som),
    "model, SOMRL": _model(SOMRL, _somrl),
    "model, DESOM": _model(DESOM, _desom),
    "model, ContrastiveSOM": _model(ContrastiveSOM, _contrastive),
    "model, BinGAN": Loader(
        _make_bingan,
        [Part(name, sign=_sign_model) for name in ("model.json", "model.safetensors")],
        lambda folder: BinGAN.load(folder).encode(_colour(3)),
    ),
    "model, ITQ": _model(ITQ, _itq),
    "model, spectral hashing": _model(SpectralHashing, _spectral),
    "weights, pth": Loader(_make_weights, [Part("net.pth")], lambda folder: read_state(folder / "net.pth")),
    "codebook of Somoclu": Loader(
        _make_codebook, [Part("map.wts")], lambda folder: read_somoclu(folder / "map.wts")
    ),
    **{f"index, {kind}": _index(kind) for kind in ("exact", "ivf", "hnsw", "multi-hash")},
    "index, on the disk": _index("exact", memory_map=True),
    "run": Loader(_make_run, [Part(f"run/{name}") for name in _RUN], _read_run),
    "run of texts": Loader(
        _make_run_of_texts, [Part(f"run/{name}") for name in (*_RUN, "vocabulary.parquet")], _read_run
    ),
    "run of codes": Loader(
        _make_codes,
        [Part(f"run/{name}") for name in ("config.json", "metrics.json", "items.parquet")],
        _read_codes,
    ),
    "checkpoint": Loader(
        _make_checkpoints,
        [
            Part(f"step-000000009/{name}", sign=_sign_checkpoint)
            for name in ("state.json", "state.safetensors")
        ],
        _read_checkpoint,
    ),
    "checkpoint, resumed": Loader(
        _make_checkpoints,
        [
            Part(f"step-000000009/{name}", sign=_sign_checkpoint)
            for name in ("state.json", "state.safetensors")
        ],
        lambda folder: _train(folder, resume=True),
    ),
    "features of an audit": Loader(
        lambda folder: np.savez(folder / "data.npz", **_features()),
        [Part("data.npz"), *(_member(name, _features()) for name in ("target", "target_names"))],
        lambda folder: read_features(folder / "data.npz", _audited(), inception=False),
    ),
    "audit": Loader(
        _make_audit,
        [Part("audit/audit.json"), Part("audit/thumbnails.npz")],
        lambda folder: AuditRecord.load(folder / "audit"),
    ),
}
