"""Named data sets: the table, places, checksums, downloads (with stand-ins for the network), and being offline."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from scipy import sparse
from sklearn.utils import Bunch

from somscope.data import digests, get_named, list_named, open_collection
from somscope.data import download as fetch
from somscope.data import named_images as images
from somscope.data import named_text as text
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


@pytest.fixture
def online(nowhere, monkeypatch):
    """Addresses answer; what is fetched is given by online(bunch)."""
    monkeypatch.setattr(urllib.request, "urlopen", lambda *args, **kwargs: io.BytesIO())

    def serve(bunch):
        import sklearn.datasets

        for name in ("fetch_openml", "fetch_rcv1"):
            monkeypatch.setattr(sklearn.datasets, name, lambda *args, **kwargs: bunch)
        return nowhere

    return serve


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


def test_mnist_download_is_checked_and_whole(online, data_folder):
    parts = {}
    for part, stem in (("train", "train"), ("test", "t10k")):
        folder = data_folder / "mnist"
        parts[part] = [
            read_idx(folder / f"{stem}-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1")
        ]
    pixels = np.concatenate([parts["train"][0], parts["test"][0]]).reshape(70_000, 784)
    labels = np.concatenate([parts["train"][1], parts["test"][1]]).astype(str)
    root = online(Bunch(data=pixels, target=labels))
    folder = root / "cache" / "data" / "mnist"
    collection = get_named("mnist:test")
    np.testing.assert_array_equal(collection.features[..., 0], parts["test"][0])
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["SHA256SUMS"]
        + [f"{stem}-{kind}-ubyte.gz" for stem in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    )
    shutil.rmtree(folder)
    online(Bunch(data=pixels[::-1], target=labels))
    with pytest.raises(DataError, match="SHA-256"):
        get_named("mnist:test")
    assert not folder.exists()


def test_a_cache_that_cannot_be_written(online, monkeypatch):
    root = online(None)
    (root / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot be written.*set SOMSCOPE_CACHE"):
        get_named("mnist")


def test_openml_errors_are_told(online, monkeypatch):
    online(None)

    def broken(*args, **kwargs):
        raise ValueError("md5 checksum of local file does not match description")

    monkeypatch.setattr("sklearn.datasets.fetch_openml", broken)
    with pytest.raises(DataError, match="OpenML data set 554: md5 checksum"):
        get_named("mnist")


def test_cifar10_download_and_binary_layout(online):
    rng = np.random.default_rng(0)
    planes = np.tile(rng.integers(0, 256, (100, 3, 32, 32), dtype=np.uint8) // 64, (600, 1, 1, 1))
    labels = np.tile(
        np.arange(10), 6_000
    )  # as many of each class, in the authors' order at the start of each part
    for start, part in ((0, "train"), (50_000, "test")):
        first = fetch._CIFAR_LABELS[part]
        rest = np.repeat(np.arange(10), 10 - np.bincount(first, minlength=10))
        labels[start : start + 100] = [*first, *rest]
    root = online(Bunch(data=planes.reshape(60_000, -1), target=labels.astype(str)))
    test = get_named("cifar10:test")
    np.testing.assert_array_equal(test.features, planes[50_000:].transpose(0, 2, 3, 1))
    assert test.labels.tolist() == labels[50_000:].tolist()
    shutil.rmtree(root / "cache")
    folder = root / "cache" / "data" / "cifar10" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    records = np.concatenate(
        [labels[50_000:, None].astype(np.uint8), planes[50_000:].reshape(10_000, -1)], axis=1
    )
    records.tofile(folder / "test_batch.bin")
    assert get_named("cifar10:test").fingerprint == test.fingerprint
    records[0, 0] = (records[0, 0] + 1) % 10
    records.tofile(folder / "test_batch.bin")
    with pytest.raises(DataError, match="images of each class"):
        get_named("cifar10:test")
    records[:5].tofile(folder / "test_batch.bin")
    with pytest.raises(DataError, match=r"test_batch\.bin has 15,365 bytes, expected 30,730,000"):
        get_named("cifar10:test")


def test_cifar10_in_another_order_is_refused(online):
    data = np.broadcast_to(np.zeros((1, 3072), np.uint8), (60_000, 3072))
    online(Bunch(data=data, target=np.zeros(60_000).astype(int).astype(str)))
    with pytest.raises(DataError, match="not in the authors' order"):
        get_named("cifar10")


def _usps(part, rng):
    labels = np.repeat(np.arange(10), images.USPS_COUNTS[part])
    rng.shuffle(labels)
    return np.round(rng.uniform(-1, 1, (len(labels), 256)), 1) * (rng.random((len(labels), 1)) < 0.1), labels


def test_usps_download_and_libsvm(online, monkeypatch):
    import bz2

    from sklearn.datasets import dump_svmlight_file

    rng = np.random.default_rng(0)
    (x, y), (xt, yt) = _usps("train", rng), _usps("test", rng)
    root = online(Bunch(data=np.concatenate([x, xt]), target=(np.concatenate([y, yt]) + 1).astype(str)))
    test = get_named("usps:test")
    assert (len(test), test.image_shape, test.labels.tolist()) == (2007, (16, 16, 1), yt.tolist())
    assert np.abs(test.matrix() - (xt + 1) / 2).max() <= 1 / 510 + 1e-6
    assert len(get_named("usps:train+test")) == 9298
    shutil.rmtree(root / "cache")
    folder = root / "cache" / "data" / "usps"
    folder.mkdir(parents=True)
    content = io.BytesIO()
    dump_svmlight_file(xt, yt + 1, content, zero_based=False)
    (folder / "usps.t.bz2").write_bytes(bz2.compress(content.getvalue()))
    with pytest.raises(DataError, match=r"usps\.t\.bz2 is not the published file of that name: SHA-256"):
        get_named("usps:test")
    monkeypatch.setattr(digests, "FILE_SHA256", {})
    assert get_named("usps:test").fingerprint == test.fingerprint
    (folder / "usps.t.bz2").write_bytes(b"junk")
    with pytest.raises(DataError, match="cannot be read as LIBSVM"):
        get_named("usps:test")
    shutil.rmtree(root / "cache")
    online(Bunch(data=np.concatenate([xt, x]), target=(np.concatenate([yt, y]) + 1).astype(str)))
    with pytest.raises(DataError, match="not in the usual order"):
        get_named("usps")


def _rcv1(n, n_words, seed=0):
    rng = np.random.default_rng(seed)
    data = sparse.random(n, n_words, 0.02, format="csr", random_state=seed)
    names = np.array(["C1", "CCAT", "E1", "ECAT", "GCAT", "M1", "MCAT"])
    target = sparse.csr_matrix((rng.random((n, 7)) < 0.35).astype(np.uint8))
    return Bunch(data=data, target=target, target_names=names, sample_id=np.arange(n) + 2286)


def test_rcv1_selection_against_a_plain_loop():
    bunch = _rcv1(120, 2600)
    features, labels, numbers = text.build_rcv1(bunch)
    roots = ["CCAT", "ECAT", "GCAT", "MCAT"]
    target, data = bunch.target.toarray(), bunch.data.toarray()
    kept, classes = [], []
    for row in range(120):
        mine = [root for root in roots if target[row, list(bunch.target_names).index(root)]]
        if len(mine) == 1:
            kept.append(row)
            classes.append(roots.index(mine[0]))
    assert labels.tolist() == classes
    assert numbers.tolist() == [row + 2286 for row in kept]
    frequency = [(-(data[kept, word] > 0).sum(), word) for word in range(2600)]
    words = sorted(word for _, word in sorted(frequency)[:2000])
    expected = data[kept][:, words]
    expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-300)
    np.testing.assert_allclose(features.toarray(), expected, rtol=1e-6)


def test_rcv1_download(online):
    root = online(_rcv1(300, 2100))
    every, sample = get_named("reuters-rcv1:all"), get_named("reuters-rcv1")
    assert every.features.shape[1] == sample.features.shape[1] == 2000
    assert every.label_names == ("corporate/industrial", "economics", "government/social", "markets")
    assert len(every) == len(sample), "the sample has at most 10,000 documents"
    assert every.ids[0] == str(text.build_rcv1(_rcv1(300, 2100))[2][0])
    assert sorted(path.name for path in (root / "cache/data/reuters-rcv1").iterdir()) == [
        "SHA256SUMS",
        "rcv1-10k.npz",
        "rcv1-all.npz",
    ]


def test_a_download_that_changed_in_the_cache_is_refused(online):
    root = online(_rcv1(300, 2100))
    folder = root / "cache" / "data" / "reuters-rcv1"
    whole = get_named("reuters-rcv1").fingerprint
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    assert lines[0] == f"{hashlib.sha256((folder / 'rcv1-10k.npz').read_bytes()).hexdigest()}  rcv1-10k.npz"
    shutil.copy(folder / "rcv1-10k.npz", root / "kept")
    online(_rcv1(300, 2100, seed=1))
    text.download_rcv1(root / "other")
    shutil.copy(root / "other" / "rcv1-10k.npz", folder / "rcv1-10k.npz")
    with pytest.raises(DataError, match=r"rcv1-10k\.npz is not what SHA256SUMS says: SHA-256"):
        get_named("reuters-rcv1")
    shutil.copy(root / "kept", folder / "rcv1-10k.npz")
    assert get_named("reuters-rcv1").fingerprint == whole
    (folder / "SHA256SUMS").unlink()
    assert get_named("reuters-rcv1").fingerprint == whole, "files that nobody noted are read as they are"


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
