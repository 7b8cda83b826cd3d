"""The nets of SOM-VAE: the padding of an even filter, first weights, shapes, and sides that are refused."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from somscope.errors import InputError
from somscope.nets.som_vae import dense_decoder, dense_encoder, image_decoder, image_encoder


def generator():
    return torch.Generator().manual_seed(0)


def test_an_even_filter_is_padded_as_tensorflow_pads():
    """SAME with 4x4: one pixel before, two after."""
    conv = image_encoder((8, 8, 1), 3, 2, generator())[1]
    plane = torch.rand(1, 1, 8, 8)
    wide = torch.zeros(1, 1, 11, 11)
    wide[..., 1:9, 1:9] = plane
    out = conv(plane)
    assert out.shape == (1, 2, 8, 8)
    for f, i, j in ((0, 0, 0), (1, 7, 7), (0, 3, 5)):
        wanted = (wide[0, 0, i : i + 4, j : j + 4] * conv.weight[f, 0]).sum() + conv.bias[f]
        torch.testing.assert_close(out[0, f, i, j], wanted)


def test_a_doubled_plane_is_never_made_and_nothing_changes():
    decoder = image_decoder((12, 8, 3), 5, 4, generator()).double()
    z = torch.randn(3, 5, generator=generator(), dtype=torch.float64)
    planes = decoder[1](decoder[0](z))
    for place, act in ((2, torch.relu), (4, torch.sigmoid)):
        conv = decoder[place]
        doubled = planes.repeat_interleave(2, 2).repeat_interleave(2, 3)
        wide = nn.functional.pad(doubled, (1, 2, 1, 2))
        planes = act(nn.functional.conv2d(wide, conv.weight, conv.bias))
    torch.testing.assert_close(decoder(z).reshape(3, 12, 8, 3), planes.permute(0, 2, 3, 1))


def test_first_weights_are_the_published_ones():
    net = image_encoder((28, 28, 1), 64, 256, generator())
    convolutions = [part for part in net if isinstance(part, nn.Conv2d)]
    assert [tuple(part.weight.shape) for part in convolutions] == [(256, 1, 4, 4), (256, 256, 4, 4)]
    for part in convolutions:
        assert 0.19 < float(part.weight.detach().abs().max()) <= 0.2
        assert (part.bias == 0.1).all()
    assert net[-1].weight.shape == (64, 7 * 7 * 256)
    assert not net[-1].bias.any()


@pytest.mark.parametrize("shape", [(8, 8, 1), (12, 4, 3)])
def test_images_come_back_in_their_order(shape):
    size = math.prod(shape)
    encoder, decoder = (make(shape, 5, 3, generator()) for make in (image_encoder, image_decoder))
    x = torch.rand(2, size)
    z = encoder(x)
    assert z.shape == (2, 5)
    back = decoder(z)
    assert back.shape == (2, size)
    assert float(back.detach().min()) > 0.0
    assert float(back.detach().max()) < 1.0
    planes = decoder[:-1](z)
    assert back.reshape(2, *shape)[1, 2, 3, 0] == planes[1, 0, 2, 3]


@pytest.mark.parametrize("shape", [(10, 8, 1), (8, 7, 1)])
def test_sides_that_cannot_be_halved_twice(shape):
    with pytest.raises(InputError, match="cannot be halved twice; both sides must be multiples of 4"):
        image_encoder(shape, 3, 2, None)


def test_dense_nets_are_bounded_where_asked():
    x = torch.randn(20, 6)
    linear = dense_encoder(6, 3, (8, 4), False, generator())(x)
    rectified = dense_encoder(6, 3, (8, 4), True, generator())(x)
    torch.testing.assert_close(rectified, linear.relu())
    assert float(linear.detach().min()) < 0
    free = dense_decoder(6, 3, (8, 4), False, generator())
    bounded = dense_decoder(6, 3, (8, 4), True, generator())
    torch.testing.assert_close(bounded(linear), free(linear).sigmoid())
    assert [tuple(p.weight.shape) for p in free.modules() if isinstance(p, nn.Linear)] == [
        (4, 3),
        (8, 4),
        (6, 8),
    ]
