"""Points follow by their positions: where they went is known, and what is covered or new is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.dravie.metrics import Step, clip_flicker, follow, steps_between
from tests.dravie.pairs import make_pair

SIZE = 48


def board(left: int, top: int, levels: float = 3.0, depth: int = 40) -> NDArray[np.uint8]:
    """Zpos of a square of 24 pixels whose colours run along it."""
    pos = np.zeros((SIZE, SIZE, 4), np.uint8)
    along = np.floor(np.arange(24) * levels).astype(np.uint8)
    square = np.stack(np.broadcast_arrays(along[None, :], along[:, None], np.uint8(depth), np.uint8(255)), axis=-1)
    pos[top : top + 24, left : left + 24] = square
    return pos


@pytest.mark.parametrize(("levels", "off"), [(3.0, 0), (0.5, 1)])
def test_points_are_found_where_they_went(levels: float, off: int) -> None:
    step = follow(board(4, 10, levels), board(15, 7, levels))
    assert len(step.here) == 24 * 24
    rows, columns = (
        there - here for here, there in zip(*(np.divmod(p, SIZE) for p in (step.here, step.there)), strict=True)
    )
    assert np.abs(columns - 11).max() <= off and np.abs(rows + 3).max() <= off


def test_what_is_covered_or_was_not_there_is_not() -> None:
    here, there = board(4, 10), board(4, 10)
    there[10:34, 20:40] = board(20, 10, depth=200)[10:34, 20:40]
    step = follow(here, there)
    columns = step.here % SIZE
    # What is covered next to what is not is taken for that, a pixel away.
    assert set(range(4, 20)) <= set(columns.tolist()) <= set(range(4, 21))
    assert (step.here == step.there)[columns < 20].all()


def test_half_covered_pixels_and_empty_frames_show_no_point() -> None:
    here = board(4, 10)
    here[10, :, 3] //= 2
    assert len(follow(here, board(4, 10)).here) == 23 * 24
    for one, other in ((here, np.zeros_like(here)), (np.zeros_like(here), here)):
        assert len(follow(one, other).here) == 0


def test_steps_are_between_neighbouring_frames_of_a_clip() -> None:
    pair = replace(make_pair(0, SIZE), pos=board(4, 10))
    frames = [replace(pair, clip="walk", frame=number) for number in (0, 1, 3)]
    assert [len(step.here) for step in steps_between(frames)] == [24 * 24, 0]
    assert steps_between([pair, pair]) == []


def test_clip_flicker_is_the_change_that_the_truth_does_not_have() -> None:
    rng = np.random.default_rng(0)
    first = np.full((8, 8, 4), 255, np.uint8)
    first[..., :3] = rng.integers(0, 200, (8, 8, 3))
    moved = np.roll(first, 2, axis=1)
    here = np.arange(64, dtype=np.int32).reshape(8, 8)
    step = Step(here[:, :6].ravel(), here[:, 2:].ravel())
    truths = [first, moved]
    assert clip_flicker(truths, truths, [step]) == 0
    assert clip_flicker([np.full_like(first, 9)] * 2, truths, [step]) == pytest.approx(0, abs=1e-7)
    assert clip_flicker(
        [first, moved + np.uint8(51) * np.array([1, 1, 1, 0], np.uint8)], truths, [step]
    ) == pytest.approx(0.2)
    still = clip_flicker([first, first], truths, [step])
    assert still is not None and still > 0.1
    nothing = np.zeros(0, np.int32)
    assert clip_flicker(truths, truths, [Step(nothing, nothing)]) is None
