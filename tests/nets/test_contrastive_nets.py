"""The encoders and the decoder of contrastive models: shapes at every size, first weights, what they keep apart."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from somscope.nets.contrastive import CodeDecoder, DenseEncoder, ImageEncoder, projector


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("network", ["small", "medium", "resnet10", "resnet18"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (28, 28, 1), (32, 20, 3), (48, 48, 3), (70, 33, 4)])
def test_every_image_has_a_code(network: str, shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    net = ImageEncoder(shape, 5, network, generator()).eval()
    planes = torch.rand(2, channels, height, width, generator=generator(1))
    codes = net(planes)
    assert codes.shape == (2, 5)
    assert torch.isfinite(codes).all()
    torch.testing.assert_close(net(planes[:1]), codes[:1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("side", "wanted"), [(32, 4), (33, 3), (64, 4), (65, 3), (96, 3)])
@pytest.mark.parametrize(("network", "times"), [("resnet10", 1), ("medium", 2)])
def test_large_images_are_halved_before_the_stages(network: str, times: int, side: int, wanted: int) -> None:
    net = ImageEncoder((side, side, 3), 5, network, generator()).eval()
    pooled = next(part for part in net.net if isinstance(part, nn.AdaptiveAvgPool2d))
    seen = []
    pooled.register_forward_hook(lambda _, given, __: seen.append(given[0].shape))
    net(torch.zeros(1, 3, side, side))
    assert seen[0][1:] == (256, -(-wanted // times), -(-wanted // times))


def test_resnet18_has_the_weights_of_the_published_one() -> None:
    """He et al. (2016), table 1, but for the first convolution (3x3 for small images) and the last layer."""
    net = ImageEncoder((32, 32, 3), 10, "resnet18")
    convolutions = [part for part in net.modules() if isinstance(part, nn.Conv2d)]
    assert len(convolutions) == 1 + 16 + 3
    assert sum(p.numel() for p in net.parameters()) == 11_173_962  # as ResNet-18 for CIFAR-10 has


def test_first_weights_are_the_generators_alone() -> None:
    state = torch.random.get_rng_state()
    for make in (
        lambda g: ImageEncoder((8, 8, 1), 3, "small", g),
        lambda g: DenseEncoder(7, (5, 4), 3, g),
        lambda g: projector(3, g),
        lambda g: CodeDecoder(3, (5,), 7, None, g),
    ):
        with torch.random.fork_rng():
            one, same, other = (list(make(generator(s)).parameters()) for s in (0, 0, 1))
        assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
        assert any(not torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_rows_and_images_are_rows_to_the_dense_encoder() -> None:
    net = DenseEncoder(12, (5,), 3, generator()).eval()
    x = torch.rand(4, 12)
    assert torch.equal(net(x), net(x.view(4, 3, 2, 2)))


def test_the_decoder_draws_images_between_0_and_1_and_rows_anywhere() -> None:
    codes = 50.0 * torch.randn(6, 3, generator=generator())
    for shape in ((8, 8, 1), (40, 20, 3), (100, 64, 3)):
        d = shape[0] * shape[1] * shape[2]
        x = CodeDecoder(3, (5,), d, shape, generator())(codes).detach()
        assert x.shape == (6, d)
        assert 0 <= float(x.min()) <= float(x.max()) <= 1
    assert float(CodeDecoder(3, (5,), 30, None, generator())(codes).detach().abs().max()) > 1


def test_large_pictures_are_enlarged_ones_in_the_order_of_pixels() -> None:
    shape = (64, 64, 3)
    net = CodeDecoder(2, (), 64 * 64 * 3, shape, generator())
    assert net.drawn == (32, 32, 3)
    (last,) = (part for part in net.net if isinstance(part, nn.Linear))
    with torch.no_grad():
        last.weight.zero_()
        picture = torch.zeros(32, 32, 3)
        picture[:16, :, 0] = 8.0  # red above
        picture[:, 16:, 2] = 8.0  # blue on the right
        last.bias.copy_((picture - 4.0).flatten())
        seen = net(torch.zeros(1, 2)).view(shape)
    assert float(seen[10, 10, 0]) > 0.9
    assert float(seen[50, 10, 0]) < 0.1
    assert float(seen[50, 50, 2]) > 0.9
    assert float(seen[..., 1].max()) < 0.1
