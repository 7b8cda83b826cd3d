"""Networks: shapes, first weights, what batch normalisation does to the decoder, and sizes that are refused."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from somscope.errors import InputError
from somscope.nets.conv import ConvAutoencoder, check_side, to_planes
from somscope.nets.dense import DenseAutoencoder
from somscope.nets.initialise import check_sizes, glorot_uniform, truncated_normal


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_dense_net_is_the_published_one():
    net = DenseAutoencoder(784, generator=generator())
    sizes = [tuple(part.weight.shape) for part in net.modules() if isinstance(part, nn.Linear)]
    assert sizes == [
        (500, 784),
        (500, 500),
        (2000, 500),
        (10, 2000),
        (2000, 10),
        (500, 2000),
        (500, 500),
        (784, 500),
    ]
    x = torch.rand(3, 784)
    h = x
    for i, weight in enumerate(p for p in net.encoder if isinstance(p, nn.Linear)):
        h = h @ weight.weight.T + weight.bias
        h = h.clamp_min(0) if i < 3 else h
    torch.testing.assert_close(net.encode(x.reshape(3, 28, 28, 1)), h)
    assert float(h.detach().min()) < 0  # the code is linear
    assert net.decode(h).shape == (3, 784)


def test_glorot_weights_come_from_the_generator_alone():
    state = torch.random.get_rng_state()
    nets = []
    for seed in (0, 0, 1):
        net = nn.Linear(300, 200)
        torch.random.set_rng_state(state)
        glorot_uniform(net, generator(seed))
        assert torch.equal(torch.random.get_rng_state(), state)
        nets.append(net)
    assert torch.equal(nets[0].weight, nets[1].weight)
    assert not torch.equal(nets[0].weight, nets[2].weight)
    limit = math.sqrt(6 / 500)
    assert 0.99 * limit < float(nets[0].weight.detach().abs().max()) <= limit
    assert float(nets[0].weight.detach().std()) == pytest.approx(limit / math.sqrt(3), rel=0.02)
    assert not nets[0].bias.any()


def test_a_net_without_a_generator_keeps_its_weights():
    net = nn.Linear(3, 2)
    before = net.weight.clone()
    glorot_uniform(net, None)
    assert torch.equal(net.weight, before)


def test_truncated_normal_ends_at_two_deviations():
    weight = torch.empty(100, 100)
    truncated_normal(weight, 0.1, generator())
    assert 0.19 < float(weight.abs().max()) <= 0.2
    assert float(weight.std()) == pytest.approx(0.088, rel=0.03)


def test_the_decoder_alone_has_its_batch_normalisation():
    net = DenseAutoencoder(6, (5, 7), 2, batch_norm=True, generator=generator())
    norms = [part for part in net.decoder if isinstance(part, nn.BatchNorm1d)]
    assert [norm.num_features for norm in norms] == [7, 5]
    net.eval()
    before = net.decode(torch.ones(1, 2))
    with torch.no_grad():
        norms[0].running_mean += 1.0
    assert not torch.allclose(net.decode(torch.ones(1, 2)), before)


@pytest.mark.parametrize(
    ("side", "halvings", "code", "padding"),
    [(28, 3, 4, 0), (32, 3, 4, 1), (8, 3, 1, 1), (12, 3, 2, 0), (28, 2, 7, 1)],
)
def test_sides_that_come_back_whole(side, halvings, code, padding):
    assert check_side(side, halvings) == (code, padding)


@pytest.mark.parametrize(
    ("side", "near"), [(30, "28 or 32"), (27, "24 or 28"), (5, "4 or 8"), (1, "4 pixels")]
)
def test_sides_that_do_not(side, near):
    with pytest.raises(
        InputError, match=f"{side} pixels cannot be halved 3 times and doubled back; .* {near}"
    ):
        check_side(side, 3)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 16, 3), (12, 8, 1)])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_convolutional_net_gives_images_back(shape, batch_norm):
    net = ConvAutoencoder(shape, (4, 6, 5), 3, batch_norm=batch_norm, generator=generator())
    flat = torch.rand(2, math.prod(shape))
    z = net.encode(flat)
    assert z.shape == (2, 3)
    torch.testing.assert_close(net.encode(flat.reshape(2, *shape)), z)
    assert net.decode(z).shape == flat.shape


def test_the_convolutional_net_is_the_published_one():
    net = ConvAutoencoder((28, 28, 1), generator=generator())
    sizes = [tuple(p.weight.shape) for p in net.modules() if isinstance(p, nn.Conv2d)]
    assert sizes == [
        (32, 1, 3, 3), (64, 32, 3, 3), (64, 64, 3, 3), (64, 64, 3, 3), (64, 64, 3, 3), (32, 64, 3, 3), (1, 32, 3, 3)
    ]  # fmt: skip
    assert net.to_code.weight.shape == (4 * 4 * 64, 10)


def test_planes_keep_every_pixel_in_its_place():
    items = torch.arange(2 * 3 * 4 * 2.0).reshape(2, -1)
    planes = to_planes(items, (3, 4, 2))
    assert planes[1, 1, 2, 3] == items.reshape(2, 3, 4, 2)[1, 2, 3, 1]


def test_a_shifted_image_has_a_shifted_reconstruction_inside():
    """What the convolutions are for: no weight belongs to a place but those of the dense code."""
    net = ConvAutoencoder((16, 16, 1), (2,), 4, generator=generator())
    x = torch.zeros(1, 1, 16, 16)
    x[0, 0, 6:9, 6:9] = 1.0
    down = net.encoder[:3]
    torch.testing.assert_close(down(x.roll(2, 3))[..., 2:-2, 2:-2], down(x).roll(1, 3)[..., 2:-2, 2:-2])


@pytest.mark.parametrize("sizes", [(0,), (5, -1), (2.5,), (True,), "500", 500, (2**20, 2**20)])
def test_sizes_that_are_refused(sizes):
    with pytest.raises(InputError, match="hidden="):
        check_sizes("hidden", sizes)
    assert check_sizes("hidden", [3, 4]) == (3, 4)
