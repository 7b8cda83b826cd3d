"""The net of VaDE: two outputs of one encoder, the first of which is the plain autoencoder's code."""

from __future__ import annotations

import torch

from somscope.nets.dense import DenseAutoencoder
from somscope.nets.gaussian import DiagonalAutoencoder


def test_mean_and_log_variance_are_linear_in_the_same_features():
    net = DiagonalAutoencoder(6, (8, 5), 3, generator=torch.Generator().manual_seed(0))
    x = torch.rand(7, 2, 3)
    assert not net.posterior(x)[1].any()  # variances of 1
    torch.nn.init.normal_(net.log_variance.weight, generator=torch.Generator().manual_seed(1))
    first, second, third = (net.encoder[i] for i in (0, 2, 4))
    h = (x.flatten(1) @ first.weight.T + first.bias).clamp_min(0)
    h = (h @ second.weight.T + second.bias).clamp_min(0)
    mean, log_variance = net.posterior(x)
    torch.testing.assert_close(mean, h @ third.weight.T + third.bias)
    torch.testing.assert_close(log_variance, h @ net.log_variance.weight.T + net.log_variance.bias)
    torch.testing.assert_close(net.encode(x), mean)
    assert float((mean - log_variance).detach().abs().max()) > 0.1


def test_it_begins_as_the_plain_autoencoder():
    options = [torch.Generator().manual_seed(4) for _ in range(2)]
    plain, net = (
        cls(6, (8,), 3, generator=g)
        for cls, g in zip((DenseAutoencoder, DiagonalAutoencoder), options, strict=True)
    )
    x = torch.rand(5, 6)
    torch.testing.assert_close(net.decode(net.encode(x)), plain.decode(plain.encode(x)))


def test_the_posterior_is_in_single_precision_under_autocast():
    net = DiagonalAutoencoder(6, (8,), 3, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert [part.dtype for part in net.posterior(torch.rand(2, 6))] == [torch.float32] * 2
