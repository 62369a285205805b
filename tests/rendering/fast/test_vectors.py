"""Functions on several samples, pixels or texels at once, against NumPy, and on processors of other widths."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from specsia_build.jit import compiled
from specsia_build.rendering.colour import linear_to_srgb, srgb_to_linear
from specsia_build.rendering.contour import outside_distance
from specsia_build.rendering.fast.buffers import close_from, next_close, number_marked
from specsia_build.rendering.fast.fragments import SAMPLE_X, SAMPLE_Y, SAMPLES, sample_sums
from specsia_build.rendering.fast.lanes import LANES, half_plane, triangle
from specsia_build.rendering.fast.lookups import LOOKS, bilinear, look_row, mean_row
from specsia_build.rendering.fast.raster import NO_FACE, OUTLINE
from specsia_build.rendering.fast.rows import ROW, contrasting, padded, reaching, see_row
from specsia_build.rendering.fast.textures import halve

SEEDS = st.integers(0, 2**32 - 1)

not_negative = half_plane(SAMPLE_X, SAMPLE_Y)
inside = triangle(SAMPLE_X, SAMPLE_Y)


@compiled
def _three(values):  # type: ignore[no-untyped-def]
    return np.int32(values[0]), np.int32(values[1]), np.int32(values[2])


@compiled
def _half_plane(at, step_x, step_y):  # type: ignore[no-untyped-def]
    return not_negative(np.float32(at), np.float32(step_x), np.float32(step_y))


@compiled
def _triangle(at, right, down):  # type: ignore[no-untyped-def]
    return inside(_three(at), _three(right), _three(down))


@compiled
def _moments(mask):  # type: ignore[no-untyped-def]
    return sample_sums(mask)


@compiled
def _contrasting(color, at, other, least):  # type: ignore[no-untyped-def]
    return contrasting(color, at, other, least)


@compiled
def _see(nearest, ids, at, count, f, edges, steps, z, z_x, skipped):  # type: ignore[no-untyped-def]
    face, depth, slope = np.int32(f), np.float32(z), np.float32(z_x)
    see_row(nearest, ids, at, np.int32(count), face, _three(edges), _three(steps), depth, slope, np.int32(skipped))


@compiled
def _reaching(far, at, count, edges, steps, front, z, z_x):  # type: ignore[no-untyped-def]
    least, depth, slope = np.float32(front), np.float32(z), np.float32(z_x)
    return reaching(far, at, np.int32(count), _three(edges), _three(steps), least, depth, slope)


@compiled
def _next(rows, y, x, last):  # type: ignore[no-untyped-def]
    return next_close(rows, y, x, last)


@compiled
def _from(rows, y, x):  # type: ignore[no-untyped-def]
    return close_from(rows, y, x)


@compiled
def _texel(texels, width, u, v):  # type: ignore[no-untyped-def]
    return bilinear(texels, 0, width, np.float32(u), np.float32(v))


@compiled
def _look(texels, color, at, count, width, u, v, du, dv):  # type: ignore[no-untyped-def]
    count, width = np.int32(count), np.int32(width)
    start = np.float32(u), np.float32(v)
    look_row(texels, color, at, count, np.int32(0), width, start[0], start[1], np.float32(du), np.float32(dv))


@compiled
def _mean(looks, count, color, at, room, most):  # type: ignore[no-untyped-def]
    return mean_row(looks, count, color, at, np.int32(room), np.float32(most))


def bits(held: np.ndarray) -> int:
    return sum(1 << k for k in np.flatnonzero(held).tolist())


# Samples of a pixel.

WHOLE = st.integers(-(1 << 14), 1 << 14)

# As far as a face may reach: an edge of 2^20, and its function cut at what it grows within half a pixel.
FAR = st.tuples(*[st.integers(-(1 << 28), 1 << 28)] * 3)
STEEP = st.tuples(*[st.integers(-(1 << 20), 1 << 20)] * 3)


def at_samples(at: int, right: int, down: int) -> np.ndarray:
    return np.asarray(at + right * SAMPLE_X.astype(np.int64) + down * SAMPLE_Y.astype(np.int64))[:LANES]


@given(WHOLE, WHOLE, WHOLE)
def test_a_half_plane_holds_the_samples_on_its_side(at: int, step_x: int, step_y: int) -> None:
    assert int(_half_plane(at, step_x, step_y)) == bits(at_samples(at, step_x, step_y) >= 0)


@given(FAR, STEEP, STEEP)
def test_a_triangle_holds_the_samples_inside_its_edges(
    at: tuple[int, int, int], right: tuple[int, int, int], down: tuple[int, int, int]
) -> None:
    held = np.all([at_samples(at[k], right[k], down[k]) >= 0 for k in range(3)], axis=0)
    assert int(_triangle(at, right, down)) == bits(held)


@given(st.integers(0, (1 << SAMPLES) - 1))
def test_sums_over_the_samples_of_a_mask(mask: int) -> None:
    held = np.array([mask >> s & 1 for s in range(SAMPLES)])
    right, down = SAMPLE_X[:SAMPLES] + 128, SAMPLE_Y[:SAMPLES] + 128
    assert _moments(np.uint64(mask)) == (held.sum(), (held * right).sum(), (held * down).sum())


# Pixels of a row.

EDGES = st.tuples(*[st.integers(-(1 << 20), 1 << 20)] * 3)
STEPS = st.tuples(*[st.integers(-(1 << 16), 1 << 16)] * 3)


def along(edges: tuple[int, ...], steps: tuple[int, ...], count: int) -> np.ndarray:
    """Which of `ROW` pixels, at most `count`, lie inside three edges."""
    held = np.all([e + s * np.arange(ROW) >= 0 for e, s in zip(edges, steps, strict=True)], axis=0)
    return np.asarray(held & (np.arange(ROW) < count))


@given(SEEDS, st.integers(0, 30), st.integers(0, 30), st.integers(0, 255))
def test_pixels_whose_colour_differs_by_more(seed: int, at: int, other: int, least: int) -> None:
    color = padded((31, 1, 4), np.uint8)
    color[:] = np.random.default_rng(seed).integers(0, 256, color.shape)
    whole = np.concatenate([color[:, 0].astype(int), np.zeros((ROW, 4), int)])[:, :3]
    step = np.abs(whole[at : at + ROW] - whole[other : other + ROW]).max(axis=1)
    assert _contrasting(color, at, other, least) == bits(step > least)


@given(SEEDS, EDGES, STEPS, st.integers(0, 40), st.integers(-1, 2 * ROW))
def test_a_face_is_seen_where_it_is_inside_and_nearest(
    seed: int, edges: tuple[int, ...], steps: tuple[int, ...], at: int, count: int
) -> None:
    nearest, ids = padded((41,), np.float32), padded((41,), np.int32)
    nearest[:], ids[:] = np.random.default_rng(seed).uniform(-1, 1, 41), NO_FACE
    z = np.float32(0.1) + np.float32(-0.02) * np.arange(3, 3 + ROW, dtype=np.float32)
    depths, faces = np.pad(nearest, (0, ROW)), np.pad(ids, (0, ROW))
    wins = along(edges, steps, count) & (z < depths[at : at + ROW])
    depths[at : at + ROW][wins], faces[at : at + ROW][wins] = z[wins], 9
    _see(nearest, ids, at, count, 9, edges, steps, 0.1, -0.02, 3)
    assert_array_equal(nearest, depths[:41])
    assert_array_equal(ids, faces[:41])


@given(SEEDS, EDGES, STEPS, st.integers(0, 40), st.integers(-1, 2 * ROW))
def test_a_face_reaches_pixels_that_hide_nothing_of_it(
    seed: int, edges: tuple[int, ...], steps: tuple[int, ...], at: int, count: int
) -> None:
    far = padded((41,), np.float32)
    far[:] = np.random.default_rng(seed).uniform(-1, 1, 41)
    here = np.pad(far, (0, ROW))[at : at + ROW]
    z = np.float32(0.1) + np.float32(-0.02) * np.arange(ROW, dtype=np.float32)
    shown = along(edges, steps, count) & (z <= here) & (np.float32(-0.5) <= here)
    assert _reaching(far, at, count, edges, steps, -0.5, 0.1, -0.02) == bits(shown)


@given(SEEDS, st.sampled_from([37, 64, 130]), st.floats(0, 0.3))
def test_close_pixels_are_numbered_and_found_again(seed: int, size: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    marked, far = padded((size, size), np.uint8), padded((size, size), np.float32)
    marked[:] = np.where(rng.random((size, size)) < share, OUTLINE, rng.integers(0, OUTLINE, (size, size)))
    top, bottom = sorted(rng.integers(0, size + 1, 2).tolist())
    left, right = sorted(rng.integers(0, size + 1, 2).tolist())
    close = number_marked(marked, (top, bottom, left, right), np.empty((size, size), np.int32), far)
    held = np.zeros((size, size), bool)
    held[top:bottom, left:right] = marked[top:bottom, left:right] == OUTLINE
    assert_array_equal(close.pixels, np.flatnonzero(held))
    assert_array_equal(close.slots.reshape(-1)[close.pixels], np.arange(len(close.pixels)))
    assert_array_equal(np.isinf(far), held)
    for y, x in rng.integers(0, size, (20, 2)).tolist():
        last = int(rng.integers(x, size))
        ahead = np.flatnonzero(held[y, x:])
        first = x + int(ahead[0]) if len(ahead) else size
        result = int(_next(close.rows, y, x, last))
        assert result == first if first <= last else result > last
        assert int(_from(close.rows, y, x)) == bits(np.pad(held[y], (0, ROW))[x : x + ROW])


# Texels.


def image_of(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 4), dtype=np.uint8)


def between(image: np.ndarray, u: float, v: float) -> np.ndarray:
    x, y = int(u), int(v)
    s, t = u - x, v - y
    upper, lower = ((1 - s) * row[0] + s * row[1] for row in image[y : y + 2, x : x + 2].astype(float))
    return np.asarray((1 - t) * upper + t * lower)


@given(SEEDS, st.integers(0, 6 * 64 - 1), st.integers(0, 4 * 64 - 1))
def test_a_look_up_mixes_four_texels(seed: int, across: int, down: int) -> None:
    image = image_of(seed, 5, 7)
    u, v = across / 64, down / 64
    assert_allclose(_texel(image.reshape(-1, 4), 7, u, v), between(image, u, v), atol=1e-3)


@given(SEEDS, st.integers(1, 2 * LOOKS), st.integers(0, 8), st.integers(0, 8))
def test_pixels_of_a_row_are_looked_up_together(seed: int, count: int, right: int, down: int) -> None:
    image = image_of(seed, 6, 8)
    color = padded((3, 5, 4), np.uint8)
    color[:] = 7
    du, dv = right / 16, down / 16
    _look(image.reshape(-1, 4), color, 6, count, 8, 1.25, 0.5, du, dv)
    shown = color.reshape(-1, 4)
    for k in range(min(count, LOOKS)):
        expected = between(image, 1.25 + du * k, 0.5 + dv * k)[:3]
        assert_allclose(shown[6 + k, :3].astype(float), expected, atol=0.51)
        assert shown[6 + k, 3] == 255
    assert (np.delete(shown, np.s_[6 : 6 + min(count, LOOKS)], axis=0) == 7).all()


@given(SEEDS, st.integers(1, 12), st.integers(1, 2 * LOOKS), st.integers(0, 255))
def test_the_mean_of_look_ups_is_shown_with_bits_where_they_differ(seed: int, count: int, room: int, most: int) -> None:
    looks = image_of(seed, 12, LOOKS).astype(np.float32).reshape(12, 4 * LOOKS) + np.float32(0.25)
    color = padded((3, 5, 4), np.uint8)
    color[:] = 7
    differing = _mean(looks, count, color, 6, room, most)
    total = np.zeros(4 * LOOKS, np.float32)
    for row in looks[:count]:
        total += row
    expected = (total / np.float32(count) + np.float32(0.5)).astype(np.uint8).reshape(LOOKS, 4)
    expected[:, 3] = 255
    shown, run = color.reshape(-1, 4), np.s_[6 : 6 + min(room, LOOKS)]
    assert_array_equal(shown[run], expected[: min(room, LOOKS)])
    assert (np.delete(shown, run, axis=0) == 7).all()
    uneven = np.ptp(looks[:count], axis=0) > most
    uneven[3::4] = False
    assert differing == bits(uneven)


@pytest.mark.parametrize("shape", [(8, 16), (6, 10), (7, 9), (2, 2), (1, 12), (12, 1), (1, 1)])
@pytest.mark.parametrize("opaque", [True, False])
@pytest.mark.parametrize("spread", [4, 200])
def test_a_mip_level_is_the_mean_of_light_weighted_by_opacity(
    shape: tuple[int, int], opaque: bool, spread: int
) -> None:
    image = image_of(5, *shape) % spread + np.uint8(40)
    image[..., 3] = 255 if opaque else image_of(6, *shape)[..., 3]
    rows, columns = max(1, shape[0] // 2), max(1, shape[1] // 2)
    y, x = np.minimum(np.arange(2 * rows), shape[0] - 1), np.minimum(np.arange(2 * columns), shape[1] - 1)
    four = image[y][:, x].reshape(rows, 2, columns, 2, 4).astype(float)
    light = srgb_to_linear(four[..., :3] / 255) * four[..., 3:]
    mean = light.sum((1, 3)) / np.maximum(four[..., 3:].sum((1, 3)), 1e-9)
    level = halve(image)
    assert_allclose(level[..., :3], linear_to_srgb(mean) * 255, atol=1.0)
    assert_array_equal(level[..., 3], np.floor(four[..., 3].mean((1, 3)) + 0.5))


# Processors.

COMPUTE = "from tests.rendering.fast.test_vectors import digest; print(digest())"


def digest() -> str:
    """Digest of what the functions that are written for vectors compute from random numbers."""
    rng, results = np.random.default_rng(0), hashlib.sha256()
    texels, color = rng.integers(0, 256, (64, 4)).astype(np.uint8), padded((8, 8, 4), np.uint8)
    nearest, ids = padded((64,), np.float32), padded((64,), np.int32)
    for _ in range(100):
        edges, steps, down = (tuple(rng.integers(-(1 << 12), 1 << 12, 3).tolist()) for _ in range(3))
        u, v, du, dv, z, slope = rng.uniform(0, 0.9, 6).tolist()
        nearest[:], ids[:] = rng.uniform(-1, 1, 64), NO_FACE
        color[:] = rng.integers(0, 256, color.shape)
        looks = rng.uniform(0, 255, (8, 4 * LOOKS)).astype(np.float32)
        numbers = (
            _half_plane(*edges),
            _triangle(edges, steps, down),
            _contrasting(color, 5, 6, 24),
            _reaching(nearest, 7, 13, edges, steps, -0.5, z, slope),
            *_texel(texels, 8, u, v),
            _mean(looks, 8, color, 9, 3, 8),
        )
        _see(nearest, ids, 7, 13, 9, edges, steps, z, slope, 3)
        _look(texels, color, 20, 4, 8, u, v, du, dv)
        results.update(repr([float(number) for number in numbers]).encode())
        for array in (nearest, ids, color, outside_distance(color[..., 0], 6.0)):
            results.update(array.tobytes())
    return results.hexdigest()


@pytest.mark.slow
def test_a_processor_without_wide_vectors_computes_the_same_bytes(tmp_path: Path) -> None:
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    command, top = [sys.executable, "-c", COMPUTE], Path(__file__).parents[3]
    ran = subprocess.run(command, env=os.environ | plain, cwd=top, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == digest()
