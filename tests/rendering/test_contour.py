"""The external contour: its thickness, where it lies, its grey, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from specsia_build.rendering.colour import linear_to_srgb, srgb_to_linear
from specsia_build.rendering.contour import draw_contour

SIZE = 64
FINE = 16


def covered(inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Coverage of a shape given at `FINE` x `FINE` points of every pixel."""
    share = inside.reshape(SIZE, FINE, SIZE, FINE).mean(axis=(1, 3))
    return np.asarray(share * 255 + 0.5).astype(np.uint8)


def fine_points() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    at = (np.arange(SIZE * FINE) + 0.5) / FINE
    return np.meshgrid(at, at)


def square(x: float, y: float, half: float, degrees: float) -> NDArray[np.uint8]:
    u, v = fine_points()
    a = np.deg2rad(degrees)
    right, down = (u - x) * np.cos(a) + (v - y) * np.sin(a), (v - y) * np.cos(a) - (u - x) * np.sin(a)
    return covered((np.abs(right) <= half) & (np.abs(down) <= half))


def painted(coverage: NDArray[np.uint8], rgb: tuple[int, int, int] = (200, 40, 90)) -> NDArray[np.uint8]:
    color = np.zeros((*coverage.shape, 4), np.uint8)
    color[..., :3] = np.where(coverage[..., None] > 0, rgb, 0)
    color[..., 3] = coverage
    return color


@pytest.mark.parametrize("thickness", [1, 2, 3, 4])
@pytest.mark.parametrize("degrees", [0, 15, 30, 45, 63])
def test_along_the_sides_of_a_square(thickness: int, degrees: float) -> None:
    coverage = square(32.3, 31.8, 13, degrees)
    out = draw_contour(painted(coverage), coverage, thickness, 0)
    v, u = np.mgrid[:SIZE, :SIZE] + 0.5
    a = np.deg2rad(degrees)
    right, down = (u - 32.3) * np.cos(a) + (v - 31.8) * np.sin(a), (v - 31.8) * np.cos(a) - (u - 32.3) * np.sin(a)
    for along, across in ((right, down), (down, right)):
        for side in (-1, 1):
            beside = (np.abs(across) < 8) & (along * side > 0)
            width = (out[..., 3][beside].astype(float).sum() / 255 - coverage[beside].astype(float).sum() / 255) / 16
            assert width == pytest.approx(thickness, abs=0.15)


def test_line_and_figure_mix_in_linear_light() -> None:
    coverage = np.zeros((9, 9), np.uint8)
    coverage[:, :4] = 255
    coverage[:, 4] = 64
    out = draw_contour(painted(coverage, (255, 128, 0)), coverage, 2, 50)
    share = 64 / 255
    figure, line = srgb_to_linear(np.array([255, 128, 0]) / 255), srgb_to_linear(np.array([50.0]) / 255)
    expected = linear_to_srgb(share * figure + (1 - share) * line) * 255
    assert_allclose(out[4, 4, :3], expected, atol=1)
    assert out[4, 4, 3] == 255
    # The border lies a quarter of the way into column 4, so that the line ends a quarter of the way into column 6.
    assert_allclose(out[4, 4:8, 3], [255, 255, 64, 0], atol=2)
