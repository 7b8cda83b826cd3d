"""Codes without training: histograms of gradients against their formula, and the directions of rows against an SVD."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from somscope.nets.fixed import ProjectionEncoder, cell_colours, gradient_histograms


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_histograms_are_those_of_the_formula() -> None:
    """Pixel by pixel, in the words of the docstring."""
    planes = drawn(2, 3, 8, 12)
    wanted = np.zeros((2, 8, 4, 4))
    x = np.pad(planes.numpy().astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    for image in range(2):
        for turn in range(8):
            way = np.array([np.cos(2 * np.pi * turn / 8), np.sin(2 * np.pi * turn / 8)])
            for row in range(8):
                for column in range(12):
                    strongest = 0.0
                    for channel in range(3):
                        at = x[image, channel, row : row + 3, column : column + 3]
                        g = np.array([at[1, 2] - at[1, 0], at[2, 1] - at[0, 1]])
                        length = np.linalg.norm(g)
                        strongest = max(strongest, length * max(0.0, g @ way / max(length, 1e-6)) ** 9)
                    wanted[image, turn, row // 2, column // 3] += strongest / 6
    np.testing.assert_allclose(gradient_histograms(planes).numpy(), np.sqrt(wanted).reshape(2, -1), atol=1e-4)


def test_edges_of_one_orientation_are_in_one_bin() -> None:
    ramp = torch.linspace(0, 1, 16).expand(1, 1, 16, 16)
    for planes, turn in ((ramp, 0), (ramp.mT, 2), (1 - ramp, 4), (1 - ramp.mT, 6)):
        strength = gradient_histograms(planes).view(8, 16).sum(1)
        assert strength.argmax() == turn
        assert strength[turn] > 3 * strength[torch.arange(8) != turn].max()


def test_colours_are_means_of_cells() -> None:
    planes = drawn(2, 3, 8, 8)
    means = planes.view(2, 3, 4, 2, 4, 2).mean((3, 5)).flatten(1)
    torch.testing.assert_close(cell_colours(planes), torch.cat([means, 1 - means], 1) / 48**0.5)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 1), (40, 28, 3), (200, 64, 3)])
def test_every_image_has_a_code(shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    encoder = ProjectionEncoder(height * width * channels, 6, channels=channels)
    planes = drawn(9, channels, height, width)
    encoder.learn([planes[:5], planes[5:]], seed=0)
    codes = encoder(planes)
    assert codes.shape == (9, 6)
    assert torch.isfinite(codes).all()
    assert codes.norm(dim=1).min() > 0


def test_one_colour_is_not_another() -> None:
    planes = torch.linspace(0, 1, 10).view(10, 1, 1, 1).expand(10, 1, 6, 6)
    encoder = ProjectionEncoder(36, 4, channels=1)
    encoder.learn([planes], seed=0)
    codes = torch.nn.functional.normalize(encoder(planes), dim=1)
    assert (codes @ codes.T).argsort(1)[:, -2:].diff().abs().max() == 1  # nearest: itself and the next grey


def test_directions_are_the_right_singular_vectors() -> None:
    rows = drawn(40, 12) @ torch.diag(torch.linspace(5, 0.1, 12))
    encoder = ProjectionEncoder(12, 3, channels=None)
    encoder.learn(rows.split(16), seed=0)
    _, _, wanted = np.linalg.svd(rows.numpy())
    found = encoder.basis.numpy().T
    np.testing.assert_allclose(np.abs(np.sum(found * wanted[:3], axis=1)), 1.0, atol=1e-3)
    torch.testing.assert_close(encoder(rows), rows @ encoder.basis)
    few = ProjectionEncoder(12, 20, channels=None)
    few.learn([rows[:5]], seed=0)
    assert (few.basis[:, 5:] == 0).all()
    torch.testing.assert_close(few(rows[:5]).norm(dim=1), rows[:5].norm(dim=1), rtol=1e-3, atol=1e-3)
