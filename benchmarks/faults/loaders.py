"""Everything that somscope reads from a disk: how a valid one is made, which of its files to break, how it is read."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.faults.data_loaders import DATA, member
from benchmarks.faults.parts import Loader, Part, colour, numbers

from somscope.audit import from_arrays
from somscope.audit.feature_files import read_features
from somscope.audit.record import AuditRecord
from somscope.auditing import audit_images
from somscope.checkpoint import checkpoints_in, read_checkpoint
from somscope.codes import ITQ, CodeIndex, SpectralHashing
from somscope.codes.index_file import read_index, write_index
from somscope.coding import code_collection
from somscope.data.open import open_collection
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

__all__ = ["LOADERS"]


def _sign_model(folder: Path) -> None:
    """Make model.json say the check sum of model.safetensors, as one who edits a model would."""
    try:
        described = json.loads((folder / "model.json").read_text())
        described["sha256"] = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        (folder / "model.json").write_text(json.dumps(described))
    except (ValueError, TypeError, RecursionError):
        return


_MODEL = [Part(name, sign=_sign_model) for name in ("model.json", "model.safetensors")]


def _model(made: type[Any], make: Callable[[], Any]) -> Loader:
    def load(folder: Path) -> None:
        read = made.load(folder)
        (read.predict if hasattr(read, "predict") else read.encode)(numbers(min(read.n_features_in_, 64)))

    return Loader(lambda folder: make().save(folder), _MODEL, load)


def _som() -> SOM:
    return SOM((3, 3), n_passes=2, random_state=0).fit(numbers())


def _somrl() -> SOMRL:
    return SOMRL(max_units=6, n_epochs=2, random_state=0).fit(numbers())


def _desom() -> DESOM:
    return DESOM((2, 2), 2, hidden=(3,), n_steps=3, finish_steps=1, precision="fp32", random_state=0).fit(
        numbers()
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
    return ContrastiveSOM((2, 2), **settings).fit(numbers())


def _spectral() -> SpectralHashing:
    return SpectralHashing(8, random_state=0).fit(numbers())


def _make_bingan(folder: Path) -> None:
    settings = {"n_epochs": 1, "batch_size": 10, "device": "cpu", "random_state": 0, "verbose": False}
    BinGAN(8, preset="cpu", width=1 / 24, **settings).fit(colour(20)).save(folder)


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
    DESOM((2, 2), 2, **settings, checkpoints=folder, **options).fit(numbers())


def _make_run_of_texts(folder: Path) -> None:
    (folder / "x.txt").write_text(
        "units and hits\nprototypes of units\na lattice of units\nhits of a lattice\n" * 5
    )
    map_collection(open_collection(folder / "x.txt"), folder / "run", "som", {"grid": (2, 2), "n_passes": 1})


def _make_codebook(folder: Path) -> None:
    rows = [" ".join(f"{value:.6g}" for value in row) for row in numbers()[:6]]
    (folder / "map.wts").write_text("\n".join(["% 2 3", "% 4", *rows]))


def _make_weights(folder: Path) -> None:
    import torch

    torch.save({"a.weight": torch.rand(3, 4), "a.bias": torch.rand(3)}, folder / "net.pth")


def _audited() -> Any:
    return from_arrays(None, colour(6), colour(6), paired=False)


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


_CHECKPOINT = [
    Part(f"step-000000009/{name}", sign=_sign_checkpoint) for name in ("state.json", "state.safetensors")
]
LOADERS: dict[str, Loader] = DATA | {
    "model, SOM": _model(SOM, _som),
    "model, SOMRL": _model(SOMRL, _somrl),
    "model, DESOM": _model(DESOM, _desom),
    "model, ContrastiveSOM": _model(ContrastiveSOM, _contrastive),
    "model, BinGAN": Loader(
        _make_bingan,
        _MODEL,
        lambda folder: BinGAN.load(folder).encode(colour(3)),
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
        _CHECKPOINT,
        _read_checkpoint,
    ),
    "checkpoint, resumed": Loader(
        _make_checkpoints,
        _CHECKPOINT,
        lambda folder: _train(folder, resume=True),
    ),
    "features of an audit": Loader(
        lambda folder: np.savez(folder / "data.npz", **_features()),
        [Part("data.npz"), *(member(name, _features()) for name in ("target", "target_names"))],
        lambda folder: read_features(folder / "data.npz", _audited(), inception=False),
    ),
    "audit": Loader(
        _make_audit,
        [Part("audit/audit.json"), Part("audit/thumbnails.npz")],
        lambda folder: AuditRecord.load(folder / "audit"),
    ),
}
