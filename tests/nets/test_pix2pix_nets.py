"""The networks of pix2pix: keys, sizes and outputs of the published ones, in every way of using them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nets.published_pix2pix import norm, patchgan, resnet, unet, unet_keys
from somscope.errors import InputError
from somscope.nets.generators import Architecture, padded, parse_generator, unet_for
from somscope.nets.initialise import gan_normal
from somscope.nets.normalise import BatchNorm, set_mode
from somscope.nets.patchgan import PatchGAN, PixelGAN
from somscope.nets.resnet import ResNet
from somscope.nets.unet import UNet


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def randomised(net, seed=0):
    """Weights as after training, and running statistics that are none of a batch."""
    g = generator(seed)
    gan_normal(net, g, 0.05)
    for name, value in net.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            value.uniform_(0.5, 1.5, generator=g)
    return net


def images(n=2, channels=3, side=32, seed=3):
    return torch.rand((n, channels, side, side), generator=generator(seed)) * 2 - 1


def test_the_published_sizes():
    with torch.device("meta"):
        net, judge = UNet(), PatchGAN()
    assert PatchGAN(filters=2)(torch.zeros(1, 6, 256, 256)).shape == (1, 1, 30, 30)
    assert sum(p.numel() for p in net.parameters()) == 54_413_955
    assert sum(p.numel() for p in judge.parameters()) == 2_768_705
    assert len(net.state_dict()) == 82
    assert sorted(net.state_dict()) == sorted(unet_keys())
    assert {key.split(".")[1] for key in judge.state_dict()} == {"0", "2", "3", "5", "6", "8", "9", "11"}
    assert net.state_dict()["model.model.3.weight"].shape == (128, 3, 4, 4)


@pytest.mark.parametrize(("n", "side"), [(8, 256), (5, 32), (7, 128)], ids=str)
@pytest.mark.parametrize("mode", ["deterministic", "official", "eval"])
def test_the_unet_is_the_published_one(n, side, mode):
    net = randomised(UNet(n_levels=n, filters=4))
    assert sorted(net.state_dict()) == sorted(unet_keys(n))
    set_mode(net, mode)
    dropout = nn.Dropout(0.5) if mode == "official" else None
    x = images(1, side=side)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(7)
        found = net(x)
        torch.manual_seed(7)
        wanted = unet(net.state_dict(), x, mode, n, dropout)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    assert all(
        torch.equal(before[name], value) for name, value in net.state_dict().items()
    )  # nothing is counted
    assert float(found.std()) > 0.01


def test_modes_differ_and_one_image_does_not_see_the_others():
    net, x = randomised(UNet(n_levels=6, filters=4)), images(4, side=64)
    made = {}
    with torch.no_grad():
        for mode in ("deterministic", "official", "eval"):
            set_mode(net, mode)
            made[mode] = net(x)
        set_mode(net, "deterministic")
        alone = torch.cat([net(one[None]) for one in x])
        torch.testing.assert_close(made["deterministic"], alone, rtol=0, atol=1e-6)
        net.train()
        for part in net.modules():
            if isinstance(part, nn.Dropout):
                part.eval()
        as_trained = torch.cat([net(one[None]) for one in x])
        together = net(x)
    torch.testing.assert_close(alone, as_trained, rtol=0, atol=1e-6)  # batch statistics of a batch of one
    assert float((together - alone).abs().max()) > 1e-3
    assert float((made["official"] - alone).abs().max()) > 1e-2
    assert float((made["eval"] - alone).abs().max()) > 1e-2


@pytest.mark.parametrize("n_blocks", [6, 9])
def test_the_resnet_is_the_published_one(n_blocks):
    net = randomised(ResNet(3, 1, n_blocks, filters=4, norm="instance", dropout=False))
    x = images(2, side=16)
    set_mode(net, "deterministic")
    with torch.no_grad():
        torch.testing.assert_close(net(x), resnet(net.state_dict(), x, n_blocks), rtol=0, atol=1e-5)
    assert len(net.state_dict()) == 2 * (6 + 2 * n_blocks)
    with_dropout = ResNet(3, 1, n_blocks, filters=4, norm="instance", dropout=True)
    assert "model.10.conv_block.6.weight" in with_dropout.state_dict()


def test_the_discriminator_is_the_published_one():
    net, x = randomised(PatchGAN(6, filters=4)), images(2, 6, 64)
    with torch.no_grad():
        torch.testing.assert_close(patchgan(net.state_dict(), x), net(x), rtol=0, atol=1e-5)
    assert PatchGAN(6, 1, 4)(x).shape == (2, 1, 30, 30)
    assert PixelGAN(6, 4)(x).shape == (2, 1, 64, 64)
    assert set(PixelGAN(6, 4, "instance").state_dict()) == {
        f"net.{at}.{name}" for at in (0, 2, 5) for name in ("weight", "bias")
    }


def test_a_patch_is_70_pixels_wide():
    """How far an input pixel reaches: one logit depends on 70 x 70 of them."""
    net = randomised(PatchGAN(1, filters=2, norm="none"))
    x = images(1, 1, 128).requires_grad_()
    net(x)[0, 0, 7, 7].backward()
    touched = torch.nonzero(x.grad[0, 0].abs().sum(0))
    assert int(touched.max() - touched.min()) + 1 == 70


def test_normalisation_by_image_is_that_by_hand():
    layer, x = randomised(BatchNorm(3)), images(2)
    set_mode(layer, "deterministic")
    state = {f"n.{name}": value for name, value in layer.state_dict().items()}
    wanted = torch.cat([norm(one[None], state, "n", "train") for one in x])
    torch.testing.assert_close(layer(x), wanted.detach(), check_stride=False)
    layer.train()  # back to batch statistics
    torch.testing.assert_close(layer(x), norm(x, state, "n", "train"))


def test_first_weights():
    net = UNet(n_levels=4, filters=16)
    gan_normal(net, generator())
    net.requires_grad_(False)
    weights = torch.cat([p.flatten() for p in net.parameters() if p.ndim == 4])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.02)
    norms = [m for m in net.modules() if isinstance(m, BatchNorm)]
    assert float(torch.cat([m.weight for m in norms]).mean()) == pytest.approx(1, abs=0.01)
    assert float(torch.cat([m.weight for m in norms]).std()) == pytest.approx(0.02, rel=0.2)
    assert not any(m.bias.any() for m in norms)
    assert not net.state_dict()["model.model.3.bias"].any()
    again = UNet(n_levels=4, filters=16)
    gan_normal(again, generator())
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("side", [(30, 33), (32, 32), (5, 70)], ids=str)
def test_sizes_that_are_no_multiple_are_padded_and_cut(side):
    net = randomised(UNet(n_levels=4, filters=4))
    set_mode(net, "deterministic")
    x = torch.rand((1, 3, *side), generator=generator())
    with torch.no_grad():
        out = padded(net, x)
        assert out.shape == x.shape
        if side == (32, 32):
            assert torch.equal(out, net(x))
        if side == (30, 33):
            wide = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2)
            left, right = 7, 8
            wide = torch.cat([wide[..., :1]] * left + [wide] + [wide[..., -1:]] * right, 3)
            torch.testing.assert_close(out, net(wide)[:, :, 1:31, left : left + 33])
    assert padded(ResNet(3, 3, 1, 4).eval(), images(1, side=3)).shape == (1, 3, 3, 3)


def test_names_of_generators():
    assert parse_generator("unet_256") == ("unet", 8)
    assert parse_generator("unet_32") == ("unet", 5)
    assert parse_generator("resnet_9blocks") == ("resnet", 9)
    assert [unet_for(*size) for size in ((256, 256), (600, 700), (28, 28), (128, 64), (3, 3))] == [
        "unet_256", "unet_256", "unet_16", "unet_64", "unet_4",
    ]  # fmt: skip
    assert isinstance(Architecture("resnet_6blocks", filters=4).build(), ResNet)
    assert str(Architecture()) == "unet_256, batch norm, 64 filters, 3 to 3 channels"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "unet_100"}, "generator 'unet_100' is not known; allowed: unet_256, unet_128"),
        ({"name": "unet_2"}, "unet_2"),
        ({"name": "resnet_0blocks"}, "resnet_0blocks"),
        ({"name": 8}, "generator 8"),
        ({"norm": "layer"}, "norm='layer' is not known; allowed: batch, instance, none"),
        ({"filters": 0}, "filters=0; allowed: a whole number from 1 to 1024"),
        ({"in_channels": True}, "in_channels=True"),
        ({"dropout": 1}, "dropout=1; allowed: True or False"),
    ],
    ids=str,
)
def test_architectures_that_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Architecture(**options)
