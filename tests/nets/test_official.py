"""Files of the authors' code: what versions of them there are, what is inferred, and what is refused."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch

from nets.published_pix2pix import unet, unet_keys
from somscope.errors import RunError
from somscope.nets.generators import Architecture
from somscope.nets.normalise import set_mode
from somscope.nets.official import generator_shapes, read_generator, read_state, write_generator

SMALL = Architecture("unet_32", 3, 1, 4)


def random_state(architecture=SMALL, seed=0):
    """Weights by the official keys, from nothing but names and shapes."""
    generator = torch.Generator().manual_seed(seed)
    state = OrderedDict()
    for key, shape in generator_shapes(architecture).items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(3)
        else:
            state[key] = torch.rand(shape, generator=generator) * 0.2 + (key.endswith("running_var"))
    return state


def saved(path, state, **options):
    torch.save(state, path, **options)
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_gives_the_published_outputs(tmp_path, zipped):
    state = random_state()
    assert sorted(state) == sorted(unet_keys(5))
    path = saved(tmp_path / "latest_net_G.pth", state, _use_new_zipfile_serialization=zipped)
    read = read_generator(path)
    assert read.architecture == SMALL
    assert read.notes == (
        "inferred from the keys: unet_32, batch norm, 4 filters, 3 to 1 channels",
        "dropout is not in the file: taken as on",
    )
    net = read.architecture.build()
    net.load_state_dict(read.state)
    set_mode(net, "deterministic")
    x = torch.rand((1, 3, 32, 32), generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(net(x), unet(state, x, "deterministic", 5), rtol=0, atol=1e-5)
    write_generator(tmp_path / "again.pth", net.state_dict())
    again = torch.load(tmp_path / "again.pth", weights_only=True)
    assert list(again) == list(net.state_dict())
    assert all(torch.equal(again[key], state[key]) for key in state)


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture("unet_4", 1, 2, 3),
        Architecture("unet_4", 1, 2, 3, "instance"),
        Architecture("unet_64", 1, 2, 3, "none"),
        Architecture("resnet_6blocks", 3, 3, 2, "instance", False),
        Architecture("resnet_9blocks", 2, 1, 2, "batch", True),
        Architecture("resnet_1blocks", 2, 1, 2, "none", False),
    ],
    ids=str,
)
def test_the_architecture_is_in_the_keys(tmp_path, architecture):
    assert (
        read_generator(saved(tmp_path / "net_G.pth", random_state(architecture))).architecture == architecture
    )


def test_dropout_of_a_unet_has_to_be_told(tmp_path):
    path = saved(tmp_path / "net_G.pth", random_state())
    read = read_generator(path, "unet_32", dropout=False)
    assert read.architecture.dropout is False
    assert "dropout is not in the file: taken as none" in read.notes


def test_old_files(tmp_path):
    state = random_state()
    old = OrderedDict((f"module.{k}", v) for k, v in state.items() if not k.endswith("num_batches_tracked"))
    read = read_generator(saved(tmp_path / "old.pth", old))
    assert read.architecture == SMALL
    assert read.notes[0] == 'the prefix "module." of DataParallel was removed'
    assert "num_batches_tracked was missing, as in old files, and is 0" in read.notes
    assert all(torch.equal(read.state[key], state[key]) for key in state if "num_batches" not in key)
    assert all(int(read.state[key]) == 0 for key in state if "num_batches" in key)
    instance = random_state(Architecture("resnet_6blocks", 3, 3, 2, "instance", False))
    stale = OrderedDict(instance)
    for at in (2, 5, 8):
        for name in ("running_mean", "running_var"):
            stale[f"model.{at}.{name}"] = torch.ones(2)
    read = read_generator(saved(tmp_path / "stale.pth", stale))
    assert list(read.state) == list(instance)
    assert read.notes[0] == "6 statistics of an old instance norm were left out"


def test_half_precision_and_gpu_files_become_float32_on_the_cpu(tmp_path):
    state = OrderedDict((k, v.half() if v.is_floating_point() else v) for k, v in random_state().items())
    read = read_generator(saved(tmp_path / "half.pth", state))
    assert {v.dtype for v in read.state.values()} == {torch.float32, torch.int64}


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("kind", ["pickle", "torch", "inside"])
def test_a_malicious_pickle_is_refused(tmp_path, kind):
    path, trace = tmp_path / "net_G.pth", tmp_path / "executed"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Malicious(trace)))
    else:
        torch.save(Malicious(trace) if kind == "torch" else {**random_state(), "x": Malicious(trace)}, path)
    with pytest.raises(RunError, match=r"net_G\.pth is refused: it holds more than weights"):
        read_generator(path)
    assert not trace.exists()


def broken(tmp_path):
    whole = saved(tmp_path / "whole.pth", random_state()).read_bytes()
    return {
        "empty": b"",
        "text": b"not weights",
        "truncated": whole[: len(whole) // 2],
        "cut": whole[:-20],
    }


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "cut"])
def test_broken_files(tmp_path, kind):
    path = tmp_path / "net_G.pth"
    path.write_bytes(broken(tmp_path)[kind])
    with pytest.raises(RunError, match=r"net_G\.pth (is broken or no file of PyTorch|is refused)"):
        read_generator(path)


def test_every_cut_of_a_file_is_an_error(tmp_path):
    whole = saved(tmp_path / "whole.pth", random_state(Architecture("unet_4", 1, 1, 1))).read_bytes()
    path = tmp_path / "net_G.pth"
    for at in range(0, len(whole) - 1, 997):
        path.write_bytes(whole[:at])
        with pytest.raises(RunError):
            read_generator(path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "holds a list, not named tensors"),
        ({}, "holds 0 named tensors; allowed: from 1 to 10,000"),
        ({"a": 1}, "holds 'a', which is no named tensor but a int"),
        ({"a": torch.ones(2).to_sparse()}, "a is no plain tensor"),
        ({"a": torch.ones(2, dtype=torch.complex64)}, "a is no plain tensor"),
        ({"a": torch.tensor([1.0, float("nan")])}, "a holds a value that is not finite"),
        ({"a.running_var": torch.tensor([1.0, -1e-3])}, "a.running_var holds a variance below 0"),
        ({"a": torch.ones(1).expand(2**40)}, "holds tensors of more than 4,294,967,296 bytes"),
    ],
    ids=["list", "empty", "number", "sparse", "complex", "nan", "variance", "huge view"],
)
def test_files_of_other_things(tmp_path, value, message):
    with pytest.raises(RunError, match=message):
        read_state(saved(tmp_path / "net_G.pth", value))


def test_a_zip_that_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr("somscope.nets.official._LARGEST", 100_000)
    path = tmp_path / "net_G.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1_000_000))
    with pytest.raises(
        RunError, match="unpacks to 1,000,000 bytes; allowed: files of weights of up to 100,000 bytes"
    ):
        read_state(path)
    (tmp_path / "large").write_bytes(bytes(100_001))
    with pytest.raises(RunError, match="large is 100,001 bytes"):
        read_state(tmp_path / "large")
    with pytest.raises(RunError, match="is a folder"):
        read_state(tmp_path)
    with pytest.raises(RunError, match="is missing: expected a generator"):
        read_state(tmp_path / "nothing")


def test_keys_that_do_not_fit(tmp_path):
    state = random_state()
    with pytest.raises(RunError, match="holds unet_32, batch norm, 4 filters, 3 to 1 channels, not unet_256"):
        read_generator(saved(tmp_path / "a.pth", state), "unet_256")
    more = OrderedDict(state)
    more["extra.weight"] = torch.ones(1)
    more["model.model.3.bias"] = torch.ones(7)
    del more["model.model.1.model.2.bias"]
    message = (
        r"closest to unet_32, .* has 1 key unknown \(extra.weight\); 1 key missing \(model.model.1.model.2.bias\); "
        r"1 key of another shape \(model.model.3.bias\)"
    )
    with pytest.raises(RunError, match=message):
        read_generator(saved(tmp_path / "b.pth", more))
    discriminator = {f"model.{i}.weight": torch.ones(1, 1, 4, 4) for i in (0, 2, 5)}
    message = r"no generator of pix2pix: its first unknown keys are model.0.weight.* closest architecture is resnet_"
    with pytest.raises(RunError, match=message):
        read_generator(saved(tmp_path / "c.pth", discriminator))
    cut = {name: t for name, t in state.items() if name != "model.model.0.weight"}
    message = (
        rf"the closest architecture is unet_32 with batch norm, which shares {len(cut)} of its {len(cut)} keys, "
        r"and has 1 that it lacks \(model.model.0.weight\)"
    )
    with pytest.raises(RunError, match=message):
        read_generator(saved(tmp_path / "e.pth", cut))
    huge = {**state, "model.model.0.weight": torch.ones(2000, 3, 4, 4)}
    with pytest.raises(RunError, match="no generator of pix2pix"):
        read_generator(saved(tmp_path / "d.pth", huge))
