"""Packs: every kind of source once into a folder, the same collection out of it, and never much of it in memory."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from somscope.atomic import locked
from somscope.data import open_collection, pack
from somscope.data.room import room
from somscope.errors import DataError, InputError


def png(value, size=8, mode="L"):
    buffer = io.BytesIO()
    Image.new(mode, (size, size), value if mode == "L" else (value, 0, 255)).save(buffer, "PNG")
    return buffer.getvalue()


def add(tar, name, content):
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


@pytest.fixture
def shards(tmp_path):
    """Two tars of ten grey images, with labels in .cls or .json, and what is no image."""
    folder = tmp_path / "shards"
    folder.mkdir()
    for shard in range(2):
        with tarfile.open(folder / f"s-{shard}.tar", "w") as tar:
            for item in range(10):
                key = f"train/{item:03d}"
                add(tar, f"{key}.png", png(20 * item + shard) if (shard, item) != (1, 4) else b"broken")
                if shard == 0:
                    add(tar, f"{key}.cls", str(item % 3).encode())
                else:
                    add(tar, f"{key}.json", json.dumps({"label": item % 3, "more": [1]}).encode())
            add(tar, "train/alone.cls", b"1")
            add(tar, "train/evil.pyd", b"cos\nsystem\n(S'exit 1'\ntR.")
            link = tarfile.TarInfo("train/out.png")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(link)
    return folder


@pytest.fixture
def tables(tmp_path):
    """Three Parquet files of 1,000 rows with a vector of 16 numbers, a class and a name."""
    folder = tmp_path / "tables"
    folder.mkdir()
    random = np.random.default_rng(0)
    x = random.normal(size=(3000, 16)).astype(np.float32)
    for part in range(3):
        rows = slice(1000 * part, 1000 * part + 1000)
        flat = pa.array(x[rows].ravel())
        columns = {
            "vector": pa.FixedSizeListArray.from_arrays(flat, 16),
            "label": pa.array([f"c{i % 4}" for i in range(1000)]),
            "name": pa.array([f"item {i}" for i in range(1000 * part, 1000 * part + 1000)]),
        }
        pq.write_table(pa.table(columns), folder / f"part-{part}.parquet", row_group_size=300)
    return folder, x


def same(one, other):
    """Equal collections, but for how they were read."""
    assert (one.kind, one.label_names, one.skipped) == (other.kind, other.label_names, other.skipped)
    np.testing.assert_array_equal(one.features, other.features)
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert one.fingerprint == other.fingerprint


def test_tar_shards_are_images_with_classes(shards, tmp_path):
    read = open_collection(shards)
    assert (read.n_items, read.image_shape) == (19, (8, 8, 1))
    assert read.ids[:2].tolist() == ["s-0/train/000", "s-0/train/001"]
    assert read.features[:, 0, 0, 0].tolist() == [
        20 * i + s for s in range(2) for i in range(10) if (s, i) != (1, 4)
    ]
    assert read.label_names == ("0", "1", "2")
    assert read.labels[:5].tolist() == [0, 1, 2, 0, 1]
    assert sorted((s.where, s.why.split(":")[0]) for s in read.skipped) == [
        ("s-0/train/alone", "no image of this key in the tar"),
        ("s-0/train/evil", "no image of this key in the tar"),
        ("s-1/train/004", "not an image in a known format (JPEG, PNG, WEBP, GIF, BMP, TIFF)"),
        ("s-1/train/alone", "no image of this key in the tar"),
        ("s-1/train/evil", "no image of this key in the tar"),
    ]
    one = open_collection(shards / "s-0.tar", limit=3)
    assert one.ids.tolist() == ["train/000", "train/001", "train/002"]
    same(pack(shards, tmp_path / "p"), read)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p", "shards"]


def test_what_is_no_plain_tar_is_refused(shards, tmp_path):
    whole = (shards / "s-0.tar").read_bytes()
    for name, content in (("a", b"x" * 2000), ("b", whole[:700]), ("c", b"")):
        (tmp_path / f"{name}.tar").write_bytes(content)
        with pytest.raises(DataError):
            open_collection(tmp_path / f"{name}.tar")
    with tarfile.open(tmp_path / "d.tar", "w:gz") as tar:
        add(tar, "a.png", png(3))
    with pytest.raises(DataError, match="not compressed"):
        open_collection(tmp_path / "d.tar")


def test_a_folder_of_parquet_files_is_one_table(tables, tmp_path):
    folder, x = tables
    read = open_collection(folder, columns="vector", id_column="name")
    np.testing.assert_array_equal(read.features, x)
    assert read.ids[2999] == "item 2999"
    assert read.label_names == ("c0", "c1", "c2", "c3")
    assert read.feature_names[15] == "vector[15]"
    same(pack(folder, tmp_path / "p", columns="vector", id_column="name"), read)
    assert isinstance(open_collection(tmp_path / "p").features, np.memmap)
    other = pa.table({"vector": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(6)), 3)})
    pq.write_table(other.append_column("label", pa.array(["c0", "c1"])), folder / "x.parquet")
    with pytest.raises(InputError, match=r"x\.parquet, rows from 0: 3 features, and 16 before them"):
        open_collection(folder, columns=["vector"])


def test_images_in_a_folder_of_parquet_files(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for part, mode in enumerate(("L", "RGB")):
        blobs = [png(10 * i, mode=mode) for i in range(5)] + [b"no image"]
        pq.write_table(
            pa.table({"image": pa.array(blobs, pa.binary()), "label": [0, 1, 0, 1, 0, 1]}),
            folder / f"{part}.pq",
        )
    read = open_collection(folder)
    assert (read.n_items, read.image_shape) == (10, (8, 8, 3))  # one is in colour
    assert read.labels.tolist() == [0, 1, 0, 1, 0] * 2
    assert read.ids.tolist() == [str(i) for i in range(12) if i % 6 < 5]
    assert [s.where for s in read.skipped] == ["row 5", "row 11"]
    same(pack(folder, tmp_path / "p"), read)


def test_a_pack_of_the_same_files_is_used_as_it_is_and_another_one_kept(shards, tmp_path):
    first = pack(shards, tmp_path / "p")
    written = (tmp_path / "p" / "features.npy").stat().st_mtime_ns
    pack(shards, tmp_path / "p")
    assert (tmp_path / "p" / "features.npy").stat().st_mtime_ns == written
    with pytest.raises(DataError, match="overwrite replaces it"):
        pack(shards, tmp_path / "p", image_size=4)
    assert pack(shards, tmp_path / "p", image_size=4, overwrite=True).image_shape == (4, 4, 1)
    (tmp_path / "full").mkdir()
    with pytest.raises(DataError, match="is no pack"):
        pack(shards, tmp_path / "full")
    assert first.image_shape == (8, 8, 1)


def test_a_second_process_does_not_write_the_same_pack(shards, tmp_path):
    with locked(tmp_path / ".p.lock") as ours:
        assert ours
        with pytest.raises(DataError, match=rf"another process is writing .*p \(process {os.getpid()}\)"):
            pack(shards, tmp_path / "p")
    assert list(tmp_path.glob("*p")) == []
    assert len(pack(shards, tmp_path / "p")) > 0


def test_what_a_killed_process_left_of_a_pack_is_removed_or_put_back(shards, tmp_path):
    script = (
        "import os, signal, sys\nfrom somscope.data import pack\nfrom somscope import atomic\n"
        "atomic.flush_to_disk = lambda path: os.kill(os.getpid(), signal.SIGKILL)\n"
        "pack(sys.argv[1], sys.argv[2])\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(shards), str(tmp_path / "a")])
    assert done.returncode == -9
    assert sorted(p.name for p in tmp_path.glob(".*")) == [".a.lock", ".a.partial"]
    pack(shards, tmp_path / "b")  # of another name
    assert list(tmp_path.glob(".*")) == []
    assert not (tmp_path / "a").exists()
    (tmp_path / "b").rename(tmp_path / ".b.old")  # it died between the two renames
    (tmp_path / ".b.lock").write_text("somscope 1\n")
    pack(shards, tmp_path / "a")
    assert sorted(p.name for p in tmp_path.iterdir() if p != shards) == ["a", "b"]
    assert len(pack(shards, tmp_path / "b")) == len(pack(shards, tmp_path / "a"))


def test_arrays_and_folders_of_images_are_packed_too(tmp_path):
    x = np.random.default_rng(0).normal(size=(50, 3))
    np.save(tmp_path / "x.npy", x)
    packed = pack(tmp_path / "x.npy", tmp_path / "p")
    assert packed.features.dtype == np.float32
    np.testing.assert_array_equal(packed.features, x.astype(np.float32))
    for i in range(6):
        (tmp_path / "photos" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / "ab"[i % 2] / f"{i}.png").write_bytes(png(i) if i else b"")
    photos = pack(tmp_path / "photos", tmp_path / "q")
    same(photos, open_collection(tmp_path / "photos"))
    assert photos.paths[0].endswith("2.png")
    (tmp_path / "words.txt").write_text("red apples\ngreen pears\n")
    with pytest.raises(InputError, match="sparse or text"):
        pack(tmp_path / "words.txt", tmp_path / "r")
    assert not (tmp_path / "r").exists()
    assert not list(tmp_path.glob(".*"))


def test_broken_packs_say_so(shards, tmp_path):
    pack(shards, tmp_path / "p")
    described = json.loads((tmp_path / "p" / "collection.json").read_text())
    for change in ({"n_items": 3}, {"format": 9}, {"kind": "x"}, {"label_names": None}):
        (tmp_path / "p" / "collection.json").write_text(json.dumps(described | change))
        with pytest.raises((DataError, InputError)):
            open_collection(tmp_path / "p")
    (tmp_path / "p" / "collection.json").write_text(json.dumps(described))
    (tmp_path / "p" / "features.npy").write_bytes((tmp_path / "p" / "features.npy").read_bytes()[:-9])
    with pytest.raises(DataError, match=r"truncated|cannot be read as npy"):
        open_collection(tmp_path / "p")


def test_memory_has_a_limit_that_the_disk_has_not():
    with pytest.raises(DataError, match="somscope data pack"):
        room("big", (10**9, 1000), np.uint8)


LIMITED = """
import sys
import pyarrow.parquet
from somscope.data import pack
from somscope.studies.memory import MemoryPeak

peak = MemoryPeak("cpu")
packed = pack(sys.argv[1], sys.argv[2])
print(packed.features.nbytes / 1e6, peak.megabytes(), packed.n_items)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say")
def test_a_parquet_data_set_is_packed_in_less_memory_than_it_has(tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    random = np.random.default_rng(0)
    for part in range(6):
        x = random.random((50_000, 256), dtype=np.float32)
        columns = {"x": pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), 256)}
        pq.write_table(
            pa.table(columns), folder / f"{part}.parquet", row_group_size=10_000, compression="none"
        )
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder), str(tmp_path / "pack")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    size, peak, n_items = map(float, done.stdout.split())
    assert (size, n_items) == (pytest.approx(307.2), 300_000)
    assert peak < 220
    assert Path(tmp_path / "pack" / "features.npy").stat().st_size == 307_200_128
