"""The published pix2pix networks once more, written as functions of their state dict, for the tests to compare with."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def unet_keys(n=8):
    """The keys of the official U-Net with batch normalisation."""
    names = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    keys = ["model.model.0.weight", "model.model.3.weight", "model.model.3.bias"]
    for k in range(2, n + 1):
        place = "model.model.1" + ".model.3" * (k - 2) + ".model."
        if k < n:
            keys += [place + "1.weight", place + "5.weight"]
            keys += [f"{place}{at}.{name}" for at in (2, 6) for name in names]
        else:
            keys += [place + "1.weight", place + "3.weight"]
            keys += [f"{place}4.{name}" for name in names]
    return keys


def norm(x, state, place, mode):
    """Batch normalisation by hand; mode "eval" by running statistics, else by those of x itself."""
    if mode == "eval":
        mean, variance = state[place + ".running_mean"], state[place + ".running_var"]
    else:
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
    z = (x - mean[:, None, None]) / torch.sqrt(variance[:, None, None] + 1e-5)
    return z * state[place + ".weight"][:, None, None] + state[place + ".bias"][:, None, None]


def unet(state, x, mode, n=8, dropout=None):
    """The published U-Net on ONE image (1, c, H, W). dropout: x -> x, at levels 5 to n - 1."""
    place = ["", "model.model."] + [
        "model.model.1" + ".model.3" * (k - 2) + ".model." for k in range(2, n + 1)
    ]
    skips = []
    h = F.conv2d(x, state["model.model.0.weight"], stride=2, padding=1)
    for k in range(2, n + 1):
        skips.append(h)
        h = F.conv2d(F.leaky_relu(h, 0.2), state[place[k] + "1.weight"], stride=2, padding=1)
        if k < n:
            h = norm(h, state, place[k] + "2", mode)
    for k in range(n, 1, -1):
        conv, after = ("3", "4") if k == n else ("5", "6")
        h = F.conv_transpose2d(F.relu(h), state[place[k] + conv + ".weight"], stride=2, padding=1)
        h = norm(h, state, place[k] + after, mode)
        if dropout is not None and 5 <= k < n:
            h = dropout(h)
        h = torch.cat([skips.pop(), h], 1)
    h = F.conv_transpose2d(
        F.relu(h), state["model.model.3.weight"], state["model.model.3.bias"], stride=2, padding=1
    )
    return torch.tanh(h)


def resnet(state, x, n_blocks):
    """The published residual generator with instance normalisation and without dropout."""

    def conv(h, place, pad, **options):
        h = F.pad(h, (pad,) * 4, mode="reflect") if pad else h
        return F.conv2d(h, state[place + ".weight"], state[place + ".bias"], **options)

    def norm_relu(h):
        return F.relu(F.instance_norm(h))

    h = norm_relu(conv(x, "model.1", 3))
    h = norm_relu(conv(h, "model.4", 0, stride=2, padding=1))
    h = norm_relu(conv(h, "model.7", 0, stride=2, padding=1))
    for i in range(10, 10 + n_blocks):
        g = norm_relu(conv(h, f"model.{i}.conv_block.1", 1))
        h = h + F.instance_norm(conv(g, f"model.{i}.conv_block.5", 1))
    for i in (10 + n_blocks, 13 + n_blocks):
        weight, bias = state[f"model.{i}.weight"], state[f"model.{i}.bias"]
        h = norm_relu(F.conv_transpose2d(h, weight, bias, stride=2, padding=1, output_padding=1))
    return torch.tanh(conv(h, f"model.{17 + n_blocks}", 3))


def patchgan(state, x):
    """The 70x70 discriminator in train mode: statistics of the batch."""
    h = F.leaky_relu(F.conv2d(x, state["model.0.weight"], state["model.0.bias"], stride=2, padding=1), 0.2)
    for at, stride in ((2, 2), (5, 2), (8, 1)):
        h = F.conv2d(h, state[f"model.{at}.weight"], stride=stride, padding=1)
        h = F.leaky_relu(norm(h, state, f"model.{at + 1}", "train"), 0.2)
    return F.conv2d(h, state["model.11.weight"], state["model.11.bias"], padding=1)
