"""What is computed for all samples of a pixel at once, against NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from specsia_build.jit import compiled
from specsia_build.rendering.fast.fragments import SAMPLE_X, SAMPLE_Y, SAMPLES, sample_sums
from specsia_build.rendering.fast.lanes import LANES, half_plane, triangle

not_negative = half_plane(SAMPLE_X, SAMPLE_Y)
inside = triangle(SAMPLE_X, SAMPLE_Y)


@compiled
def _bits(at, step_x, step_y):  # type: ignore[no-untyped-def]
    return not_negative(np.float32(at), np.float32(step_x), np.float32(step_y))


@compiled
def _inside(at, right, down):  # type: ignore[no-untyped-def]
    return inside(
        (np.int32(at[0]), np.int32(at[1]), np.int32(at[2])),
        (np.int32(right[0]), np.int32(right[1]), np.int32(right[2])),
        (np.int32(down[0]), np.int32(down[1]), np.int32(down[2])),
    )


@compiled
def _moments(mask):  # type: ignore[no-untyped-def]
    return sample_sums(mask)


def _edge(at: int, right: int, down: int) -> np.ndarray:
    return np.asarray(at + right * SAMPLE_X.astype(np.int64) + down * SAMPLE_Y.astype(np.int64))


def _mask(held: np.ndarray) -> int:
    return sum(1 << s for s in range(LANES) if held[s])


WHOLE = st.integers(-(1 << 14), 1 << 14)

# As far as a face may reach: an edge of 2^20, and its function cut at what it grows within half a pixel.
FAR = st.tuples(*[st.integers(-(1 << 28), 1 << 28)] * 3)
STEPS = st.tuples(*[st.integers(-(1 << 20), 1 << 20)] * 3)


@given(WHOLE, WHOLE, WHOLE)
def test_a_half_plane_holds_the_samples_on_its_side(at: int, step_x: int, step_y: int) -> None:
    assert int(_bits(at, step_x, step_y)) == _mask(_edge(at, step_x, step_y) >= 0)


@given(FAR, STEPS, STEPS)
def test_a_triangle_holds_the_samples_inside_its_edges(
    at: tuple[int, int, int], right: tuple[int, int, int], down: tuple[int, int, int]
) -> None:
    held = np.all([_edge(at[k], right[k], down[k]) >= 0 for k in range(3)], axis=0)
    assert int(_inside(at, right, down)) == _mask(held)


@given(st.integers(0, (1 << SAMPLES) - 1))
def test_moments_add_up_to_a_masks(mask: int) -> None:
    held = np.array([mask >> s & 1 for s in range(SAMPLES)])
    right, down = SAMPLE_X[:SAMPLES] + 128, SAMPLE_Y[:SAMPLES] + 128
    assert _moments(np.uint64(mask)) == (held.sum(), (held * right).sum(), (held * down).sum())
