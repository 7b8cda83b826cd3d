"""The nets of BinGAN: weight norm and its first batch, the layers' sizes, and what the generator normalises by."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from somscope.nets.bingan import (
    NOISE,
    Discriminator,
    Generator,
    WeightNorm,
    draw_weights,
    initialise_from,
)


@pytest.fixture(autouse=True)
def own_random_state():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def generator():
    return torch.Generator().manual_seed(0)


LAYERS = {
    "convolution": (lambda: nn.Conv2d(3, 4, 3, padding=1), (6, 3, 5, 5)),
    "transposed": (lambda: nn.ConvTranspose2d(3, 4, 5, stride=2, padding=2, output_padding=1), (6, 3, 5, 5)),
    "linear": (lambda: nn.Linear(3, 4), (6, 3)),
}


@pytest.mark.parametrize(("make", "shape"), LAYERS.values(), ids=LAYERS.keys())
def test_weights_have_a_length_and_a_direction(make, shape):
    """One output after the other: w = g v / sqrt(1e-6 + |v|^2)."""
    layer = WeightNorm(make(), trained=True)
    with torch.no_grad():
        layer.scale.copy_(torch.tensor([0.5, 1.0, 2.0, -3.0]))
    plain = make()
    plain.load_state_dict(layer.layer.state_dict())
    with torch.no_grad():
        for k in range(4):
            v = plain.weight[:, k] if isinstance(plain, nn.ConvTranspose2d) else plain.weight[k]
            v.mul_(layer.scale[k] / (1e-6 + (v**2).sum()) ** 0.5)
    x = torch.randn(shape)
    torch.testing.assert_close(layer(x), plain(x))
    layer(x).sum().backward()
    assert layer.scale.grad is not None
    assert "scale" not in dict(WeightNorm(make()).named_parameters())


@pytest.mark.parametrize("deviation", [1.0, 0.1])
@pytest.mark.parametrize(("make", "shape"), LAYERS.values(), ids=LAYERS.keys())
def test_the_first_batch_sets_scale_and_bias(make, shape, deviation):
    layer = WeightNorm(make(), deviation)
    direction = layer.layer.weight.clone()
    x = 3.0 + 2.0 * torch.randn(shape)
    initialise_from(layer, x)
    out = layer(x)
    across = [axis for axis in range(out.ndim) if axis != 1]
    torch.testing.assert_close(out.mean(across), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std(across, correction=0), torch.full((4,), deviation))
    assert torch.equal(layer.layer.weight, direction)
    before = copy.deepcopy(layer.state_dict())
    layer(x)  # and no batch after it
    for name, tensor in layer.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_every_layer_of_a_net_standardises_what_the_one_before_it_gives():
    net = Discriminator(16, width=0.1)
    draw_weights(net, generator())
    x = torch.rand(40, 3, 16, 16) * 2 - 1
    state = torch.get_rng_state()
    initialise_from(net, x)
    outs = []
    for module in net.modules():
        if isinstance(module, WeightNorm):
            module.register_forward_hook(lambda layer, given, out: outs.append((layer.deviation, out)))
    torch.set_rng_state(state)  # with the same units dropped
    net(x)
    assert len(outs) == 11
    for deviation, out in outs:
        across = [axis for axis in range(out.ndim) if axis != 1]
        torch.testing.assert_close(out.mean(across), torch.zeros(out.shape[1]), atol=1e-4, rtol=0)
        torch.testing.assert_close(
            out.std(across, correction=0), torch.full((out.shape[1],), deviation), rtol=1e-3, atol=0
        )


def test_an_output_that_is_the_same_everywhere_keeps_its_scale():
    layer = WeightNorm(nn.Linear(3, 4))
    initialise_from(layer, torch.full((10, 3), 0.5))
    assert torch.equal(layer.scale, torch.ones(4))
    torch.testing.assert_close(layer(torch.full((1, 3), 0.5)), torch.zeros(1, 4), atol=1e-6, rtol=0)


def sizes(net, x):
    return [tuple(part.shape) for part in net(x)]


def test_the_discriminator_is_the_published_one():
    """96-96-96 and four of 192 or 128; 1.41 million weights for 32 bits in colour."""
    x = torch.rand(2, 3, 32, 32)
    with torch.device("meta"):
        retrieval, matching = Discriminator(32), Discriminator(256, "matching")
    assert sum(p.numel() for p in retrieval.parameters()) == 1_411_140
    assert sizes(retrieval, x.to("meta")) == [(2, 32), (2, 192), (2, 32), (2, 2)]
    assert sizes(matching, x.to("meta")) == [(2, 256), (2, 128 * 6 * 6), (2, 128), (2, 2)]
    filters = [m.weight.shape[0] for m in matching.modules() if isinstance(m, nn.Conv2d)]
    assert filters == [96, 96, 96, 128, 128, 128, 128, 256, 128]
    assert [m.p for m in matching.modules() if isinstance(m, nn.Dropout)] == [0.2, 0.5, 0.5]
    trained = {n for n, _ in retrieval.named_parameters() if n.endswith("scale")}
    assert trained == {"code.scale", "output.scale"}


@pytest.mark.parametrize("task", ["retrieval", "matching"])
def test_bits_are_signs_of_f_and_do_not_depend_on_other_images(task):
    net = Discriminator(16, task, width=0.1).eval()
    draw_weights(net, generator())
    x = torch.rand(5, 3, 16, 16)
    features = net(x)
    torch.testing.assert_close(net.low(x), features.low)
    torch.testing.assert_close(net.low(x[2:3]), features.low[2:3])
    if task == "retrieval":
        assert features.matched is features.low
        torch.testing.assert_close(features.output, net.output(features.low))
    else:
        maps = net.convolutions(x)
        torch.testing.assert_close(features.high, maps.reshape(5, -1))
        torch.testing.assert_close(features.low, net.first(maps).flatten(2).mean(2))
        pooled = net.second(net.first(maps)).flatten(2).mean(2)
        torch.testing.assert_close(features.matched, pooled)
        other = Discriminator(16, task, width=0.1, pooled_high=True).eval()
        other.load_state_dict(net.state_dict())
        torch.testing.assert_close(other(x).high, pooled)


def test_the_generator_is_the_published_one():
    with torch.device("meta"):
        net = Generator()
        assert tuple(net(torch.rand(2, NOISE)).shape) == (2, 3, 32, 32)
    assert sum(p.numel() for p in net.parameters() if p.requires_grad) == 4_941_958 - 512 * 16 - 256 - 128
    small = Generator(16, 24, 0.05)
    draw_weights(small, generator())
    images = small(torch.rand(7, NOISE))
    assert images.shape == (7, 3, 16, 24)
    assert images.abs().max() < 1


def test_the_generator_takes_the_statistics_of_its_batch_always():
    net = Generator(16, 16, 0.05)
    draw_weights(net, generator())
    noise = torch.rand(6, NOISE)
    trained = net(noise)
    torch.testing.assert_close(net.eval()(noise), trained)
    assert not torch.allclose(net(noise[:3]), trained[:3], atol=1e-3)
    assert not [name for name, _ in net.named_buffers() if "running" in name]
    shifts_alone = {n for n, p in net.named_parameters() if p.requires_grad and n.startswith("layers.1.")}
    assert shifts_alone == {"layers.1.bias"}


def test_first_weights_come_from_the_generator_given():
    one, two = Generator(16, 16, 0.1), Generator(16, 16, 0.1)
    draw_weights(one, generator())
    draw_weights(two, generator())
    assert torch.equal(one.layers[0].weight, two.layers[0].weight)
    assert float(one.layers[0].weight.detach().std()) == pytest.approx(0.05, rel=0.02)
    assert not one.layers[10].layer.bias.detach().any()
    before = one.layers[0].weight.clone()
    draw_weights(one, None)
    assert torch.equal(one.layers[0].weight, before)
