"""Broken and hostile files: whatever reads files reads them, or refuses them by one of somscope's own errors."""

from __future__ import annotations

import json
import zipfile
from base64 import b64decode
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest
from benchmarks.faults.hostile import MEMORY, Prepared, attempt, bounded
from benchmarks.faults.loaders import LOADERS
from benchmarks.faults.mutate import broken
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from somscope.audit.record import AuditRecord
from somscope.codes.index import CodeIndex
from somscope.codes.index_file import read_index, write_index
from somscope.data.open import open_collection
from somscope.data.reuters_sgml import parse_stories
from somscope.errors import DataError, RunError
from somscope.runs.run import Run

# Seconds to make or to read; the command of the benchmark tries them.
_SLOW = {
    "checkpoint, resumed",
    "audit",
    "run of codes",
    "run of texts",
    "model, BinGAN",
    "model, ContrastiveSOM",
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory):
    """The valid files of a loader, made once."""
    return cache(lambda name: Prepared(LOADERS[name], tmp_path_factory.mktemp("files")))


@pytest.mark.parametrize("name", [name for name in LOADERS if name not in _SLOW])
def test_broken_files_are_read_or_refused(name: str, prepared) -> None:
    files = prepared(name)
    files.load()

    @settings(max_examples=12)
    @given(st.randoms(use_true_random=False))
    def check(random: Random) -> None:
        files.break_one(random)
        assert attempt(files) in ("read", "refused")

    check()


@settings(max_examples=200)
@given(st.randoms(use_true_random=False))
def test_broken_stories_of_reuters_are_read_or_refused(random: Random) -> None:
    whole = b"".join(
        b'<REUTERS TOPICS="YES" LEWISSPLIT="TRAIN" NEWID="%d"><TOPICS><D>gold</D></TOPICS><TEXT>\n<TITLE>T</TITLE>'
        b"<BODY>mine &amp; ore\n&#3;</BODY></TEXT></REUTERS>" % number
        for number in range(3)
    )
    stories = []
    with suppress(DataError):
        stories = list(parse_stories(broken(whole, random).decode("latin-1")))
    assert all(isinstance(story["id"], int) for story in stories)


@given(st.binary(min_size=1, max_size=200), st.integers(0, 2**32))
def test_broken_content_repeats_and_most_of_it_differs(content: bytes, seed: int) -> None:
    made = {broken(content, Random(seed + i)) for i in range(20)}
    assert made == {broken(content, Random(seed + i)) for i in range(20)}
    assert len(made - {content}) >= 5


def test_a_structure_that_points_outside_of_itself_is_refused(tmp_path: Path) -> None:
    index = CodeIndex(16, "hnsw")
    index.add(np.random.default_rng(0).integers(0, 256, (50, 2), dtype=np.uint8))
    index.search(index.codes[:1], 1)
    path = index.save(tmp_path / "codes.index")
    described, ids, codes, built = read_index(path, memory_map=False)
    links = np.frombuffer(built.tobytes()[: len(built) // 4 * 4], "<i4")
    refused = 0
    for at in range(
        0, len(links), 97
    ):  # some of these are links, others numbers of which all values are allowed
        changed = links.copy()
        changed[at] = 2**30
        write_index(path, described, ids, codes, changed.view(np.uint8))
        try:
            with bounded(MEMORY):
                CodeIndex.load(path).search(codes, 3)
        except DataError:
            refused += 1
    assert refused > len(range(0, len(links), 97)) / 2


def test_thumbnails_that_unpack_to_more_than_they_may_are_refused(tmp_path: Path) -> None:
    (tmp_path / "audit.json").write_text(json.dumps({"format": 2}))
    path = tmp_path / "thumbnails.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("real.npy", "w") as file:
        for _ in range(1030):
            file.write(bytes(2**20))
    assert path.stat().st_size < 2_000_000
    with bounded(MEMORY // 4), pytest.raises(RunError, match="declares 1,080,033,280 bytes"):
        AuditRecord.load(tmp_path)


def test_a_run_of_more_units_than_there_can_be_is_refused(prepared, tmp_path: Path) -> None:
    files = prepared("run")
    part = next(part for part in LOADERS["run"].parts if part.name == "run/config.json")
    config = json.loads(files.whole(part))
    config["lattice"]["rows"] = 10**12
    files.put(part, json.dumps(config).encode())
    with pytest.raises(RunError, match="declares 3,000,000,000,000 units"):
        Run.open(files.folder / "run")


_PNG_OF_GIGABYTES = (  # its pixels are followed by a piece that says so; found by atheris
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAMCAIAAADkharWAAAAGmVYSWZNTQAqAAAACAABARIAAwAAAAEABgAAAAAAAN"
    "ZnS2nDAAJXSURBVHicAUyJUE5HArP9AF8NChoKgsLZz+sPoyHXAAA="
)


def test_a_png_that_says_that_a_piece_has_gigabytes_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b64decode(_PNG_OF_GIGABYTES))
    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(tmp_path / "b.png")
    with bounded(MEMORY):
        collection = open_collection(tmp_path)
    assert [item.where for item in collection.skipped] == ["a.png"]


class Bomb:
    """Unpickled, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["labels.npy", "x.npy", "x.npz"])
def test_nothing_that_is_pickled_is_run(tmp_path: Path, name: str) -> None:
    objects = np.array([Bomb(tmp_path / "ran")] * 3, dtype=object)
    (np.savez if name.endswith("z") else np.save)(tmp_path / name, objects)
    source = (np.zeros((3, 2)),) if name == "labels.npy" else (tmp_path / name,)
    options = {"labels": tmp_path / name} if name == "labels.npy" else {}
    with pytest.raises(DataError, match="Python objects"):
        open_collection(*source, **options)
    assert not (tmp_path / "ran").exists()


def test_texts_with_nul_and_labels_without_end(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"lattice\0cell\nneighbour \0\n\0\n")
    assert len(open_collection(tmp_path / "x.txt")) in (2, 3)
    with (tmp_path / "labels.txt").open("wb") as file:
        file.truncate(2**40)  # sparse
    with bounded(MEMORY), pytest.raises(DataError, match="larger than the limit"):
        open_collection(np.zeros((3, 2)), labels=tmp_path / "labels.txt")
