"""What is computed several numbers at once, against NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from specsia_build.jit import compiled
from specsia_build.rendering.fragments import MOMENTS, SAMPLE_X, SAMPLE_Y, SAMPLES
from specsia_build.rendering.lanes import LANES, bilinear, half_plane

not_negative = half_plane(SAMPLE_X, SAMPLE_Y)


@compiled
def _bits(at, step_x, step_y):  # type: ignore[no-untyped-def]
    return not_negative(np.float32(at), np.float32(step_x), np.float32(step_y))


@compiled
def _texel(texels, width, u, v):  # type: ignore[no-untyped-def]
    return bilinear(texels, 0, width, np.float32(u), np.float32(v))


WHOLE = st.integers(-(1 << 14), 1 << 14)


@given(WHOLE, WHOLE, WHOLE)
def test_a_half_plane_holds_the_samples_on_its_side(at: int, step_x: int, step_y: int) -> None:
    inside = at + step_x * SAMPLE_X.astype(np.int64) + step_y * SAMPLE_Y.astype(np.int64) >= 0
    assert int(_bits(at, step_x, step_y)) == sum(1 << s for s in range(LANES) if inside[s])


@given(st.integers(0, (1 << SAMPLES) - 1))
def test_moments_add_up_to_a_masks(mask: int) -> None:
    held = np.array([mask >> s & 1 for s in range(SAMPLES)])
    found = sum(MOMENTS[k, mask >> 8 * k & 255].astype(int) for k in range(len(MOMENTS)))
    assert list(found) == [held.sum(), (held * SAMPLE_X[:SAMPLES]).sum(), (held * SAMPLE_Y[:SAMPLES]).sum()]


@given(st.integers(0, 2**32 - 1), st.integers(0, 6 * 64 - 1), st.integers(0, 4 * 64 - 1))
def test_a_look_up_mixes_four_texels(seed: int, across: int, down: int) -> None:
    u, v = across / 64, down / 64
    image = np.random.default_rng(seed).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    x, y = int(u), int(v)
    s, t = u - x, v - y
    corners = image[y : y + 2, x : x + 2].astype(float)
    expected = (1 - t) * ((1 - s) * corners[0, 0] + s * corners[0, 1]) + t * (
        (1 - s) * corners[1, 0] + s * corners[1, 1]
    )
    assert_allclose(_texel(image.reshape(-1, 4), 7, u, v), expected, atol=1e-3)
