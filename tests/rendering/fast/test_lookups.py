"""Look-ups in textures, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from specsia_build.jit import compiled
from specsia_build.rendering.colour import linear_to_srgb, srgb_to_linear
from specsia_build.rendering.fast.lookups import LOOKS, bilinear, look_row, mean_row
from specsia_build.rendering.fast.rows import padded
from specsia_build.rendering.fast.textures import halve


@compiled
def _texel(texels, width, u, v):  # type: ignore[no-untyped-def]
    return bilinear(texels, 0, width, np.float32(u), np.float32(v))


@compiled
def _row(texels, color, at, count, width, u, v, du, dv):  # type: ignore[no-untyped-def]
    count, width = np.int32(count), np.int32(width)
    start = np.float32(u), np.float32(v)
    look_row(texels, color, at, count, np.int32(0), width, start[0], start[1], np.float32(du), np.float32(dv))


@compiled
def _mean(looks, count, color, at, room, most):  # type: ignore[no-untyped-def]
    return mean_row(looks, count, color, at, np.int32(room), np.float32(most))


def _image(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 4), dtype=np.uint8)


def _between(image: np.ndarray, u: float, v: float) -> np.ndarray:
    x, y = int(u), int(v)
    s, t = u - x, v - y
    corners = image[y : y + 2, x : x + 2].astype(float)
    upper, lower = ((1 - s) * row[0] + s * row[1] for row in corners)
    return np.asarray((1 - t) * upper + t * lower)


@given(st.integers(0, 2**32 - 1), st.integers(0, 6 * 64 - 1), st.integers(0, 4 * 64 - 1))
def test_a_look_up_mixes_four_texels(seed: int, across: int, down: int) -> None:
    image = _image(seed, 5, 7)
    u, v = across / 64, down / 64
    assert_allclose(_texel(image.reshape(-1, 4), 7, u, v), _between(image, u, v), atol=1e-3)


@given(st.integers(0, 2**32 - 1), st.integers(1, 2 * LOOKS), st.integers(0, 8), st.integers(0, 8))
def test_pixels_of_a_row_are_looked_up_together(seed: int, count: int, right: int, down: int) -> None:
    image = _image(seed, 6, 8)
    color = padded((3, 5, 4), np.uint8)
    color[:] = 7
    du, dv = right / 16, down / 16
    _row(image.reshape(-1, 4), color, 6, count, 8, 1.25, 0.5, du, dv)
    shown = color.reshape(-1, 4)
    for k in range(min(count, LOOKS)):
        expected = _between(image, 1.25 + du * k, 0.5 + dv * k)[:3]
        assert_allclose(shown[6 + k, :3].astype(float), expected, atol=0.51)
        assert shown[6 + k, 3] == 255
    rest = np.ones(15, bool)
    rest[6 : 6 + min(count, LOOKS)] = False
    assert (shown[rest] == 7).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 2 * LOOKS), st.integers(0, 255))
def test_the_mean_of_look_ups_is_shown_and_told_where_they_differ(seed: int, count: int, room: int, most: int) -> None:
    looks = _image(seed, 12, LOOKS).astype(np.float32).reshape(12, 4 * LOOKS) + np.float32(0.25)
    color = padded((3, 5, 4), np.uint8)
    color[:] = 7
    bits = _mean(looks, count, color, 6, room, most)
    total = np.zeros(4 * LOOKS, np.float32)
    for row in looks[:count]:
        total += row
    expected = (total / np.float32(count) + np.float32(0.5)).astype(np.uint8).reshape(LOOKS, 4)
    expected[:, 3] = 255
    shown = color.reshape(-1, 4)
    shown_of_run = shown[6 : 6 + min(room, LOOKS)].copy()
    assert_array_equal(shown_of_run, expected[: min(room, LOOKS)])
    shown[6 : 6 + min(room, LOOKS)] = 7
    assert (shown == 7).all()
    uneven = np.ptp(looks[:count], axis=0) > most
    uneven[3::4] = False
    assert bits == sum(1 << k for k in np.flatnonzero(uneven).tolist())


@pytest.mark.parametrize("shape", [(8, 16), (6, 10), (7, 9), (2, 2), (1, 12), (12, 1), (1, 1)])
@pytest.mark.parametrize("opaque", [True, False])
@pytest.mark.parametrize("spread", [4, 200])
def test_a_mip_level_is_the_mean_of_light_weighted_by_opacity(
    shape: tuple[int, int], opaque: bool, spread: int
) -> None:
    image = _image(5, *shape) % spread + np.uint8(40)
    image[..., 3] = 255 if opaque else _image(6, *shape)[..., 3]
    rows, columns = max(1, shape[0] // 2), max(1, shape[1] // 2)
    y, x = np.minimum(np.arange(2 * rows), shape[0] - 1), np.minimum(np.arange(2 * columns), shape[1] - 1)
    four = image[y][:, x].reshape(rows, 2, columns, 2, 4).astype(float)
    light = srgb_to_linear(four[..., :3] / 255) * four[..., 3:]
    mean = light.sum((1, 3)) / np.maximum(four[..., 3:].sum((1, 3)), 1e-9)
    found = halve(image)
    assert_allclose(found[..., :3], linear_to_srgb(mean) * 255, atol=1.0)
    assert_array_equal(found[..., 3], np.floor(four[..., 3].mean((1, 3)) + 0.5))
