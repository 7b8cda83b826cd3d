"""Pairs: aligned by name, with what is left over named."""

from __future__ import annotations

import numpy as np
import pytest

from somscope.data import Collection, Pairs, open_collection
from somscope.errors import InputError


def _of(name, ids, files=False):
    paths = np.array(ids) if files else None
    features = np.array([[float(sum(map(ord, i)))] for i in ids])
    return Collection(name=name, kind="vectors", features=features, ids=np.array(ids), paths=paths)


def test_align_by_name_without_extension():
    a, b = _of("a", ["x/2.png", "x/1.png", "x/9.png"], True), _of("b", ["x/1.jpg", "x/2.jpg", "y.jpg"], True)
    pairs = Pairs.align(a, b)
    assert pairs.names == ("x/1", "x/2")
    assert pairs.a.ids.tolist() == ["x/1.png", "x/2.png"]
    assert pairs.b.ids.tolist() == ["x/1.jpg", "x/2.jpg"]
    assert (pairs.unmatched_a, pairs.unmatched_b) == (("x/9.png",), ("y.jpg",))
    assert pairs.summary() == "2 pairs; 1 of a without a partner (x/9.png); 1 of b without a partner (y.jpg)"


def test_order_does_not_matter():
    ids = [f"n{i}" for i in range(20)]
    shuffled = np.random.default_rng(0).permutation(ids).tolist()
    pairs = Pairs.align(_of("a", ids), _of("b", shuffled))
    np.testing.assert_array_equal(pairs.a.features, pairs.b.features)
    assert pairs.unmatched_a == pairs.unmatched_b == ()


def test_ids_that_are_no_files_keep_their_dots():
    pairs = Pairs.align(_of("a", ["v1.5", "v1.6"]), _of("b", ["v1.6", "v1.5"]))
    assert pairs.names == ("v1.5", "v1.6")


def test_refusals():
    with pytest.raises(InputError, match="share no name"):
        Pairs.align(_of("a", ["p"]), _of("b", ["q"]))
    with pytest.raises(InputError, match="both have the name 'p'"):
        Pairs.align(_of("a", ["p.jpg", "p.png"], True), _of("b", ["p"]))
    with pytest.raises(InputError, match="equally many"):
        Pairs(_of("a", ["p"]), _of("b", ["p", "q"]), ("p",))


def test_pix2pix_triples(data_folder):
    both = open_collection(data_folder / "pix2pix-pretrained" / "map2sat")
    ends = {end: np.flatnonzero(np.char.endswith(both.ids, f"_{end}.png")) for end in ("fake_B", "real_B")}
    pairs = Pairs.align(both.take(ends["fake_B"]), both.take(ends["real_B"]), "_fake_B", "_real_B")
    assert len(pairs) == 50
    assert pairs.summary() == "50 pairs"
