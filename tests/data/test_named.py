"""Named data sets: the table, places, checksums, and being offline."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from somscope.data import digests, get_named, list_named, open_collection
from somscope.data import download as fetch
from somscope.data import named_images as images
from somscope.data import reuters_sgml as sgml
from somscope.data.idx import read_idx, write_idx
from somscope.data.named import NAMED, places_of
from somscope.data.places import BUNDLED, cache_folder, places
from somscope.errors import DataError, InputError


@pytest.fixture
def offline(nowhere, monkeypatch):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return nowhere


def test_the_table():
    assert list(NAMED) == [
        "mnist",
        "fashion-mnist",
        "cifar10",
        "usps",
        "digits",
        "reuters-rcv1",
        "reuters-21578",
    ]
    for named in NAMED.values():
        assert named.default_part == next(iter(named.parts))
        for layout in named.layouts:
            assert set(layout.files) == set(named.parts)


def test_sample_is_bundled_with_its_licence(offline):
    sample = open_collection("fashion-mnist:sample")
    assert (len(sample), sample.image_shape, sample.label_names) == (
        10_000,
        (28, 28, 1),
        images.FASHION_CLASSES,
    )
    assert np.bincount(sample.labels).tolist() == [1000] * 10
    assert sample.fingerprint == open_collection("fashion-mnist:test").fingerprint
    assert "Zalando SE" in (BUNDLED / "fashion-mnist" / "LICENSE").read_text()
    assert sum(path.stat().st_size for path in BUNDLED.rglob("*") if path.is_file()) < 4.5e6


def test_digits_need_no_file(offline):
    digits = get_named("digits")
    assert (len(digits), digits.image_shape, digits.features.max()) == (1797, (8, 8, 1), 255)
    assert digits.ids[:2].tolist() == ["all/0", "all/1"]


@pytest.mark.parametrize(
    "name", ["mnist", "fashion-mnist:train", "cifar10:test", "usps", "reuters-21578", "reuters-rcv1"]
)
def test_offline_and_absent_says_where_to_put_it(offline, name):
    with pytest.raises(DataError) as caught:
        open_collection(name)
    message = str(caught.value)
    base = name.partition(":")[0]
    assert "is not on this machine, and downloading failed" in message
    assert "cannot be reached" in message
    for place in (offline / "system" / "datasets" / base, offline / "cache" / "data" / base, "SOMSCOPE_DATA"):
        assert str(place) in message
    assert ("fashion-mnist:sample comes with somscope" in message) == (base == "fashion-mnist")
    assert not (offline / "cache" / "data" / base).exists(), "a failed download leaves nothing behind"


def test_absent_without_download(nowhere):
    with pytest.raises(DataError, match="downloading was not allowed"):
        get_named("mnist", download=False)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnits", r"allowed: mnist, fashion-mnist.*; did you mean 'mnist'\?"),
        ("Fashion_MNIST:test", r"did you mean 'fashion-mnist'\?"),
        ("zzz", r"allowed: mnist, .*reuters-21578$"),
        ("mnist:tests", r"part of mnist='tests' is not known; allowed: train, test; did you mean 'test'\?"),
        ("fashion-mnist:", None),
        ("mnist:test+test", "named twice"),
        ("mnist:test+", "allowed: train, test"),
    ],
)
def test_unknown_names(offline, name, message):
    with pytest.raises((InputError, DataError), match=message):
        get_named(name)


def test_places_in_order(nowhere, monkeypatch):
    monkeypatch.setenv("SOMSCOPE_DATA", str(nowhere / "mine"))
    order = [path.relative_to(nowhere).parts[0] for path in places(["x"])[:-1]]
    assert order == ["mine", "system", "cache"]
    for root in ("cache/data", "system/datasets", "mine"):
        folder = nowhere / root / "fashion-mnist"
        shutil.copytree(BUNDLED / "fashion-mnist", folder)
        assert places_of("fashion-mnist:test") == [("fashion-mnist:test", folder)]


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("SOMSCOPE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("SOMSCOPE_CACHE")
    for platform, variable in (("linux", "XDG_CACHE_HOME"), ("win32", "LOCALAPPDATA")):
        monkeypatch.setattr("sys.platform", platform)
        monkeypatch.setenv(variable, str(tmp_path))
        assert cache_folder().is_relative_to(tmp_path / "somscope")


def test_files_that_are_not_gzipped(nowhere):
    folder = nowhere / "cache" / "data" / "fashion-mnist"
    folder.mkdir(parents=True)
    for path in (BUNDLED / "fashion-mnist").glob("*.gz"):
        write_idx(folder / path.name.removesuffix(".gz"), read_idx(path))
    assert places_of("fashion-mnist:test")[0][1] == folder
    assert len(get_named("fashion-mnist:test")) == 10_000


def test_a_changed_file_is_refused(nowhere):
    folder = nowhere / "cache" / "data" / "fashion-mnist"
    shutil.copytree(BUNDLED / "fashion-mnist", folder)
    path = folder / "t10k-images-idx3-ubyte.gz"
    pixels = read_idx(path).copy()
    pixels[77, 3, 3] += 1
    write_idx(path, pixels)
    with pytest.raises(DataError, match="is not the fashion-mnist file of that name: SHA-256"):
        get_named("fashion-mnist:test")


def test_list_finds_without_reading(nowhere):
    where = {listed.name: listed.where for listed in list_named()}
    assert where["fashion-mnist:sample"] == BUNDLED / "fashion-mnist"
    assert where["fashion-mnist:train"] is None
    assert where["digits:all"] == Path("scikit-learn")
    assert len(where) == 14


STORY = """<REUTERS TOPICS="{has}" LEWISSPLIT="{split}" CGISPLIT="x" OLDID="1" NEWID="{id}">
<DATE>1</DATE><TOPICS>{topics}</TOPICS><PLACES><D>usa</D></PLACES>
<TEXT>{text}</TEXT>
</REUTERS>
"""


def _story(
    number, split="TRAIN", topics=("cocoa",), title="T &lt;X>", body="a &amp; b\n Reuter\n&#3;", has="YES"
):
    inside = f"\n<TITLE>{title}</TITLE><BODY>{body}</BODY>" if body else "&#2;\nBRIEF &lt;ONE>"
    marks = "".join(f"<D>{topic}</D>" for topic in topics)
    return STORY.format(id=number, split=split, topics=marks, text=inside, has=has)


def test_sgml_stories():
    whole = "<!DOCTYPE lewis>\n" + _story(1) + _story(2, "NOT-USED", (), body="", has="NO")
    first, second = sgml.parse_stories(whole)
    assert first == {
        "id": 1,
        "lewis_split": "train",
        "has_topics": True,
        "title": "T <X>",
        "body": "a & b\n Reuter",
        "topics": ["cocoa"],
    }
    assert (second["lewis_split"], second["has_topics"], second["topics"]) == ("not_used", False, [])
    assert "BRIEF" in second["body"]


@pytest.mark.parametrize("attribute", ['NEWID="1"', "LEWISSPLIT", "TOPICS="])
def test_stories_that_do_not_say_what_they_are(attribute):
    with pytest.raises(DataError, match="needed: LEWISSPLIT, TOPICS, a number NEWID"):
        list(sgml.parse_stories(_story(1).replace(attribute, "X", 1)))


def test_sgml_files_that_are_too_large(nowhere, monkeypatch):
    monkeypatch.setattr(sgml, "_MAX_FILE_BYTES", 100)
    folder = nowhere / "cache" / "data" / "reuters-21578"
    folder.mkdir(parents=True)
    for name in sgml.SGML_FILES:
        (folder / name).write_text(_story(1), encoding="latin-1")
    with pytest.raises(DataError, match=r"reut2-000\.sgm is larger than 100 bytes"):
        get_named("reuters-21578")


def test_sgml_files_and_archive(nowhere, monkeypatch):
    monkeypatch.setattr(sgml, "_N_STORIES", 4)
    folder = nowhere / "cache" / "data" / "reuters-21578"
    folder.mkdir(parents=True)
    stories = [
        _story(1, "TRAIN", body="beans rise"),
        _story(2, "TEST", body="beans fall"),
        _story(3, "TEST", ("gold",), body="mine"),
        _story(4, "TRAIN", ("cocoa", "gold"), body="both"),
    ]
    for name, story in zip(sgml.SGML_FILES, stories + [""] * 18, strict=True):
        (folder / name).write_text(story, encoding="latin-1")
    train, test = get_named("reuters-21578"), get_named("reuters-21578:test")
    assert (train.ids.tolist(), test.ids.tolist()) == (["train/1"], ["test/2"])
    assert train.label_names == test.label_names == ("cocoa",)
    assert train.feature_names == test.feature_names == ("beans", "rise"), "words come from the training part"
    np.testing.assert_allclose(test.features.toarray(), [[1, 0]])
    np.testing.assert_array_equal(test.idf, train.idf, "and so do their weights")
    with tarfile.open(folder / sgml.SGML_TAR, "w:gz") as tar:
        for name in sgml.SGML_FILES:
            tar.add(folder / name, name)
            (folder / name).unlink()
    with pytest.raises(DataError, match=r"tar\.gz is not the published file of that name"):
        get_named("reuters-21578")
    monkeypatch.setattr(digests, "FILE_SHA256", {})
    assert get_named("reuters-21578").fingerprint == train.fingerprint
    whole = (folder / sgml.SGML_TAR).read_bytes()
    (folder / sgml.SGML_TAR).write_bytes(whole[:-40])
    with pytest.raises(DataError, match=r"cannot be read|no usable"):
        get_named("reuters-21578")
    monkeypatch.setattr(sgml, "_N_STORIES", 21_578)
    (folder / sgml.SGML_TAR).write_bytes(whole)
    with pytest.raises(DataError, match="holds 4 Reuters stories, expected 21,578"):
        get_named("reuters-21578")


@pytest.mark.parametrize(
    ("name", "n", "shape"),
    [
        ("mnist", 60_000, (28, 28, 1)),
        ("mnist:test", 10_000, (28, 28, 1)),
        ("fashion-mnist", 60_000, (28, 28, 1)),
    ],
)
def test_real_idx_sets(data_folder, name, n, shape):
    collection = open_collection(name)
    assert (len(collection), collection.image_shape, len(collection.label_names)) == (n, shape, 10)


def test_real_parts_together(data_folder):
    both = open_collection("mnist:train+test")
    assert len(both) == 70_000
    assert both.ids[[0, 60_000]].tolist() == ["train/0", "test/0"]
    assert [part["part"] for part in both.source["parts"]] == ["train", "test"]
    np.testing.assert_array_equal(both.features[60_000:], open_collection("mnist:test").features)


def test_real_cifar10_says_that_it_is_jpeg(data_folder):
    test = open_collection("cifar10:test")
    assert (len(test), test.image_shape) == (10_000, (32, 32, 3))
    assert np.bincount(test.labels).tolist() == [1000] * 10
    assert "JPEG" in test.source["note"]


def _changed(data_folder, nowhere, name, change):
    """A copy of a Parquet file of real data in the cache, changed by `change` and compressed in another way."""
    table = change(parquet.read_table(data_folder / name))
    path = nowhere / "cache" / "data" / name
    path.parent.mkdir(parents=True)
    parquet.write_table(table, path, compression="none", row_group_size=1_000)


def test_real_content_is_checked_whatever_the_container(data_folder, nowhere):
    _changed(data_folder, nowhere, "cifar10/test.parquet", lambda table: table)
    _changed(data_folder, nowhere, "reuters21578/reuters21578.parquet", lambda table: table)
    assert len(get_named("cifar10:test")) == 10_000
    assert len(get_named("reuters-21578:test")) == 2_568


def test_real_cifar10_in_another_order_is_refused(data_folder, nowhere):
    order = np.arange(10_000)
    order[[0, 1]] = order[[1, 0]]
    _changed(data_folder, nowhere, "cifar10/test.parquet", lambda table: table.take(order))
    with pytest.raises(DataError, match=r"is not the content of cifar10:test \(JPEG\): SHA-256"):
        get_named("cifar10:test")


def test_real_reuters_with_a_changed_story_is_refused(data_folder, nowhere):
    def change(table):
        bodies = table["body"].to_pylist()
        row = table["title"].to_pylist().index("BAHIA COCOA REVIEW")
        bodies[row] = bodies[row].replace("Showers", "Shower", 1)
        return table.set_column(table.column_names.index("body"), "body", [bodies])

    _changed(data_folder, nowhere, "reuters21578/reuters21578.parquet", change)
    with pytest.raises(DataError, match="is not the content of reuters-21578:train: SHA-256"):
        get_named("reuters-21578")
    assert len(get_named("reuters-21578:test")) == 2_568, "the test part has its own digest"


def test_content_digest_against_plain_bytes():
    expected = hashlib.sha256(b"\2" + bytes(7) + b"ab" + bytes(8) + b"3\0cat\0").hexdigest()
    assert digests.content_sha256([b"ab", b""], [3, "cat"]) == expected
    assert digests.content_sha256([b"a", b"b"], [3, "cat"]) != expected, "items do not run into each other"


def test_digits_are_checked(nowhere, monkeypatch):
    from sklearn.datasets import load_digits

    bunch = load_digits()
    bunch.images[5, 3, 3] += 1
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda: bunch)
    with pytest.raises(DataError, match="load_digits is not the content of digits:all"):
        get_named("digits")


def test_real_reuters_is_r52(data_folder):
    train, test = open_collection("reuters-21578"), open_collection("reuters-21578:test")
    assert (len(train), len(test), len(train.label_names)) == (6532, 2568, 52)
    assert train.features.shape[1] == 2000
    lengths = np.sqrt(train.features.multiply(train.features).sum(axis=1))
    assert np.allclose(lengths[lengths > 0], 1, atol=1e-5)
    counts = dict(zip(train.label_names, np.bincount(train.labels), strict=True))
    assert (counts["earn"], counts["acq"], counts["crude"]) == (2840, 1596, 253)
    assert train.texts[0].startswith("BAHIA COCOA REVIEW")


def test_sums_come_after_the_files_that_they_vouch_for(tmp_path, monkeypatch):
    moved, real = [], fetch.os.replace

    def broken(source, target):
        if len(moved) == 1:
            raise OSError("the machine stops here")
        real(source, target)
        moved.append(target.name)

    monkeypatch.setattr(fetch.os, "replace", broken)

    def download():
        with fetch.staged(tmp_path / "set") as stage:
            (stage / "a-images").write_bytes(b"1")
            (stage / "z-labels").write_bytes(b"2")

    with pytest.raises(DataError, match="the machine stops here"):
        download()
    assert moved == ["a-images"], "sums without their files would make the next download look damaged"
