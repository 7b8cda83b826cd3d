"""Folders of images: labels, ids, order, metadata, and folders with nothing in them."""

from __future__ import annotations

import json
import os

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from somscope.data import Skipped, open_collection, reopen
from somscope.errors import DataError, InputError


def test_subfolders_are_labels_and_ids_are_paths(save, photos):
    for name in ("cat/1.png", "dog/1.png", "cat/2.png", "dog/deep/3.png"):
        save(name, (len(name), 0, 0))
    collection = open_collection(photos)
    assert collection.ids.tolist() == ["cat/1.png", "cat/2.png", "dog/1.png", "dog/deep/3.png"]
    assert collection.labels.tolist() == [0, 0, 1, 1]
    assert collection.label_names == ("cat", "dog")
    assert collection.source["labels_from"] == "subfolders"
    assert collection.paths[3] == str(photos / "dog/deep/3.png")
    assert collection.name == "photos"
    ignored = open_collection(photos, subfolders="ignore")
    assert ignored.labels is None
    assert ignored.source["labels_from"] is None


def test_splits_are_no_classes(save, photos):
    for name in ("train/cat/1.png", "train/dog/1.png", "test/cat/2.png"):
        save(name)
    assert open_collection(photos).label_names == ("cat", "dog")
    save("bird/1.png")
    assert open_collection(photos).label_names == ("bird", "test", "train")


def test_one_subfolder_is_no_label_and_images_above_have_none(save, photos):
    save("holiday/1.png")
    assert open_collection(photos).labels is None
    save("top.png")
    assert open_collection(photos).labels is None
    save("work/1.png")
    assert open_collection(photos).labels.tolist() == [0, -1, 1]


def test_same_folder_same_fingerprint(save, photos, tmp_path):
    rng = np.random.default_rng(0)
    pictures = {f"{n}.png": rng.integers(0, 255, (9, 9, 3), dtype=np.uint8) for n in range(40)}
    for name, pixels in pictures.items():
        save(name, pixels)
    for name in reversed(pictures):  # another order of creation
        save(f"../again/{name}", pictures[name])
    prints = {open_collection(folder).fingerprint for folder in (photos, photos, tmp_path / "again")}
    assert len(prints) == 1


def test_hidden_files_and_loops_are_left_out(save, photos):
    save("a.png")
    save(".hidden.png")
    save(".git/b.png")
    save("__MACOSX/c.png")
    os.symlink(photos, photos / "loop")
    assert open_collection(photos).ids.tolist() == ["a.png"]


def test_empty_folder(photos, save):
    with pytest.raises(DataError, match=r"is an empty folder; images are files ending in \.jpg"):
        open_collection(photos)
    save("notes.pdf", b"x")
    with pytest.raises(DataError, match=r"holds 1 files \(notes.pdf, ...\) but no image"):
        open_collection(photos)


def _metadata(photos, kind, rows):
    if kind == "csv":
        lines = [",".join(rows[0])] + [",".join(map(str, row.values())) for row in rows]
        (photos / "metadata.csv").write_text("\n".join(lines))
    elif kind == "jsonl":
        (photos / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    else:
        parquet.write_table(pa.Table.from_pylist(rows), photos / "metadata.parquet")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_metadata_is_joined(save, photos, kind):
    for name in ("b.png", "sub/a.png", "c.png"):
        save(name)
    rows = [
        {"file_name": "sub/a.png", "label": "x", "year": 1999},
        {"file_name": "b.png", "label": "y", "year": 2001},
        {"file_name": "gone.png", "label": "z", "year": 2003},
    ]
    _metadata(photos, kind, rows)
    collection = open_collection(photos)
    assert collection.ids.tolist() == ["b.png", "c.png", "sub/a.png"]
    assert collection.metadata["year"].to_pylist() == [2001, None, 1999]
    assert collection.labels.tolist() == [1, -1, 0]
    assert collection.label_names == ("x", "y")
    assert collection.source["labels_from"] == f"column label of metadata.{kind}"
    assert [item.where for item in collection.skipped] == [f"metadata.{kind}: gone.png"]
    assert open_collection(photos, label_column="year").label_names == ("1999", "2001")


def test_metadata_that_cannot_be_joined(save, photos):
    save("a.png")
    _metadata(photos, "csv", [{"name": "a.png"}])
    with pytest.raises(DataError, match="no column file_name; its columns: name"):
        open_collection(photos)
    _metadata(photos, "csv", [{"file_name": "a.png"}, {"file_name": "a.png"}])
    with pytest.raises(DataError, match=r"'a\.png' occurs more than once"):
        open_collection(photos)
    _metadata(photos, "jsonl", [{"file_name": "a.png"}])
    with pytest.raises(DataError, match="keep one of them"):
        open_collection(photos)


def test_limit_and_seed(save, photos):
    for number in range(20):
        save(f"{number:02d}.png", (number, 0, 0))
    assert open_collection(photos, limit=3).ids.tolist() == ["00.png", "01.png", "02.png"]
    some = open_collection(photos, limit=5, seed=1)
    assert len(some) == 5
    assert sorted(some.ids) == some.ids.tolist()
    assert open_collection(photos, limit=5, seed=1).fingerprint == some.fingerprint
    assert open_collection(photos, limit=5, seed=2).fingerprint != some.fingerprint
    assert len(open_collection(photos, limit=99)) == 20


def test_reopen_repeats_the_reading(save, photos):
    for number in range(6):
        save(f"{number}.png", (number, 0, 0), size=(90, 80))
    first = open_collection(photos, image_size="20x30", limit=4, seed=3, name="holiday")
    again = reopen(json.loads(json.dumps(first.source)))
    assert (again.fingerprint, again.name, again.image_shape) == (first.fingerprint, "holiday", (20, 30, 3))


def test_pipes_dead_links_and_names_that_are_not_utf8(save, photos):
    save("a.png")
    os.mkfifo(photos / "pipe.png")
    os.symlink(photos / "gone.png", photos / "link.png")
    os.rename(photos / "a.png", os.path.join(os.fsencode(photos), b"caf\xe9.png"))
    collection = open_collection(photos)
    assert collection.ids.tolist() == ["caf\\xe9.png"]
    assert len(collection.fingerprint) == 64
    assert [item.where for item in collection.skipped] == ["link.png", "pipe.png"]
    assert "regular file" in collection.skipped[0].why


def test_unknown_choice(save, photos):
    save("a.png")
    with pytest.raises(InputError, match="labels, ignore"):
        open_collection(photos, subfolders="maybe")


def test_real_photographs(data_folder):
    collection = open_collection(data_folder / "matching")
    assert len(collection) == 14  # the .xml beside them is no image
    assert collection.image_shape == (64, 64, 3)
    assert not collection.skipped


@pytest.mark.parametrize("kind", ["images", "text"])
def test_a_folder_that_cannot_be_listed_is_named(save, photos, monkeypatch, kind):
    for name in ("a/1", "b/2", "c/3"):
        save(name + (".png" if kind == "images" else ".txt"), *([] if kind == "images" else [b"red fox"]))
    listed = os.scandir

    def refuse(place):
        if os.path.basename(place) == closed:
            raise PermissionError(13, "Permission denied", str(place))
        return listed(place)

    closed = "b"
    monkeypatch.setattr(os, "scandir", refuse)
    collection = open_collection(photos)
    assert len(collection) == 2
    assert collection.skipped == (Skipped("b/", "the folder cannot be listed: Permission denied"),)
    closed = "photos"
    with pytest.raises(DataError, match="photos cannot be listed: Permission denied"):
        open_collection(photos)


def test_names_that_are_written_alike_stay_apart(save, photos):
    accented, apart = "\u00e9.png", "e\u0301.png"  # the same letter, as one character and as two
    names = [b"A.png", b"a.png", b"caf\xe9.png", b"caf\\xe9.png", accented.encode(), apart.encode()]
    picture = save("A.png").read_bytes()
    for name in names:
        with open(os.path.join(os.fsencode(photos), name), "wb") as file:
            file.write(picture)
    if len(list(photos.iterdir())) < len(names):
        pytest.skip("this file system takes some of these names for one")
    expected = {"A.png", "a.png", "caf\\xe9.png", "caf\\\\xe9.png", accented, apart}
    assert set(open_collection(photos).ids.tolist()) == expected


@pytest.mark.parametrize("composed", [True, False])
def test_metadata_finds_names_composed_in_another_way(save, photos, composed):
    accented, apart = "\u00e9.png", "e\u0301.png"
    on_disk, in_table = (accented, apart) if composed else (apart, accented)
    save(on_disk)
    save("b.png")
    (photos / "metadata.csv").write_text(f"file_name,label\n{in_table},x\nb.png,y\n", encoding="utf-8")
    collection = open_collection(photos)
    assert dict(zip(collection.ids.tolist(), collection.labels.tolist(), strict=True)) == {
        on_disk: 0,
        "b.png": 1,
    }
    assert collection.skipped == ()


def test_labels_of_metadata_keep_their_zeros(save, photos):
    for name in ("a.png", "b.png"):
        save(name)
    (photos / "metadata.csv").write_text("file_name,label\na.png,01\nb.png,1\n")
    assert open_collection(photos).label_names == ("01", "1")


def test_a_label_that_is_no_class_is_told_by_the_name_of_its_image(save, photos):
    for name in ("a.png", "b.png"):
        save(name)
    (photos / "metadata.csv").write_text("file_name,label\na.png,1\nb.png,1.5\n")
    with pytest.raises(InputError, match=r"label 1\.5 of item b\.png is not a whole number"):
        open_collection(photos)


def test_links_that_lead_back_or_nowhere(save, photos):
    save("a/1.png")
    (photos / "a" / "up").symlink_to("..")
    (photos / "itself").symlink_to("itself")
    (photos / "dead.png").symlink_to(photos / "nothing.png")
    collection = open_collection(photos)
    assert collection.ids.tolist() == ["a/1.png"]
    assert [item.where for item in collection.skipped] == ["dead.png"]
