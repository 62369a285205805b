"""What is found and filled in many pixels of a row at once, against NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from specsia_build.jit import compiled
from specsia_build.rendering.fast.close import close_from, next_close, number_marked
from specsia_build.rendering.fast.raster import NO_FACE, OUTLINE
from specsia_build.rendering.fast.rows import (
    ROW,
    contrasting,
    padded,
    reaching,
    see_row,
)

SEEDS = st.integers(0, 2**32 - 1)
EDGES = st.tuples(*[st.integers(-(1 << 20), 1 << 20)] * 3)
STEPS = st.tuples(*[st.integers(-(1 << 16), 1 << 16)] * 3)


@compiled
def _contrasting(color, at, other, least):  # type: ignore[no-untyped-def]
    return contrasting(color, at, other, least)


@compiled
def _three(values):  # type: ignore[no-untyped-def]
    return np.int32(values[0]), np.int32(values[1]), np.int32(values[2])


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


def _bits(held: np.ndarray) -> int:
    return sum(1 << k for k in range(len(held)) if held[k])


def _along(edges: tuple[int, ...], steps: tuple[int, ...]) -> np.ndarray:
    """Which of `ROW` pixels lie inside three edges."""
    return np.asarray(np.all([e + s * np.arange(ROW) >= 0 for e, s in zip(edges, steps, strict=True)], axis=0))


@given(SEEDS, st.integers(0, 30), st.integers(0, 30), st.integers(0, 255))
def test_pixels_whose_colour_differs_by_more(seed: int, at: int, other: int, least: int) -> None:
    color = padded((31, 1, 4), np.uint8)
    color[:] = np.random.default_rng(seed).integers(0, 256, color.shape)
    whole = np.concatenate([color[:, 0].astype(int), np.zeros((ROW, 4), int)])[:, :3]
    step = np.abs(whole[at : at + ROW] - whole[other : other + ROW]).max(axis=1)
    assert _contrasting(color, at, other, least) == _bits(step > least)


@given(SEEDS, EDGES, STEPS, st.integers(0, 40), st.integers(-1, 2 * ROW))
def test_a_face_is_seen_where_it_is_inside_and_nearest(
    seed: int, edges: tuple[int, ...], steps: tuple[int, ...], at: int, count: int
) -> None:
    rng = np.random.default_rng(seed)
    nearest, ids = padded((41,), np.float32), padded((41,), np.int32)
    nearest[:], ids[:] = rng.uniform(-1, 1, 41), NO_FACE
    z = np.float32(0.1) + np.float32(-0.02) * np.arange(3, 3 + ROW, dtype=np.float32)
    wins = _along(edges, steps) & (np.arange(ROW) < count)
    depths, faces = np.pad(nearest, (0, ROW)), np.pad(ids, (0, ROW))
    wins &= z < depths[at : at + ROW]
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
    shown = _along(edges, steps) & (np.arange(ROW) < count) & (z <= here) & (np.float32(-0.5) <= here)
    assert _reaching(far, at, count, edges, steps, -0.5, 0.1, -0.02) == _bits(shown)


@given(SEEDS, st.sampled_from([37, 64, 130]), st.floats(0, 0.3))
def test_close_pixels_are_numbered_and_found_again(seed: int, size: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    marked, far = padded((size, size), np.uint8), padded((size, size), np.float32)
    marked[:] = np.where(rng.random((size, size)) < share, OUTLINE, rng.integers(0, OUTLINE, (size, size)))
    top, bottom = sorted(rng.integers(0, size + 1, 2).tolist())
    left, right = sorted(rng.integers(0, size + 1, 2).tolist())
    close = number_marked(marked, (top, bottom, left, right), np.empty((size, size), np.int32), far)
    inside = np.zeros((size, size), bool)
    inside[top:bottom, left:right] = marked[top:bottom, left:right] == OUTLINE
    assert_array_equal(close.pixels, np.flatnonzero(inside))
    assert_array_equal(close.slots.reshape(-1)[close.pixels], np.arange(len(close.pixels)))
    assert_array_equal(np.isinf(far), inside)
    for y, x in rng.integers(0, size, (20, 2)).tolist():
        last = int(rng.integers(x, size))
        ahead = np.flatnonzero(inside[y, x:])
        first = x + int(ahead[0]) if len(ahead) else size
        found = int(_next(close.rows, y, x, last))
        assert found == first if first <= last else found > last
        assert int(_from(close.rows, y, x)) == _bits(np.pad(inside[y], (0, ROW))[x : x + ROW])
