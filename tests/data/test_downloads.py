"""Named data that is fetched: every file is checked, and nothing half-fetched is left."""

from __future__ import annotations

import hashlib
import io
import shutil
import urllib.error
import urllib.request

import numpy as np
import pytest
from scipy import sparse
from sklearn.utils import Bunch

from somscope.data import digests, get_named
from somscope.data import download as fetch
from somscope.data import named_images as images
from somscope.data import named_text as text
from somscope.data.idx import read_idx
from somscope.errors import DataError


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
