"""Drawings of a side and a back that are matched to the rows of a front."""

import numpy as np
import pytest

from specsia_build.backends.sides import ALIKE, UNLIKE, matched, matched_back
from specsia_build.pictures.masks import box_around
from tests.backends.drawings import Image, iou
from tests.backends.turnarounds import ANIMAL, PERSON, drawn, moved


def rows_of(picture: Image) -> slice:
    return box_around(picture[..., 3] >= 128)[0]


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 9), (0.7, 3), (1.6, 20)])
def test_rows_of_a_side_at_another_scale(scale: float, shift: int) -> None:
    front, side = drawn(ANIMAL, 0), drawn(ANIMAL, 90)
    picture, difference = matched(moved(side, scale, shift), front)
    assert len(picture) == len(front)
    assert abs(rows_of(picture).start - rows_of(front).start) <= 1
    assert abs(rows_of(picture).stop - rows_of(front).stop) <= 1
    columns = box_around(picture[..., 3] >= 128)[1]
    wanted = box_around(side[..., 3] >= 128)[1]
    assert abs((columns.stop - columns.start) - (wanted.stop - wanted.start)) <= 2
    assert difference < ALIKE


def test_side_with_a_plume_that_the_front_lacks() -> None:
    front, side = drawn(PERSON, 0), drawn(PERSON, 90)
    exact = matched(side, front).picture
    rows, columns = box_around(side[..., 3] >= 128)
    middle = (columns.start + columns.stop) // 2
    side[rows.start - 2 : rows.start, middle - 1 : middle + 1] = (20, 20, 20, 255)
    padded = np.pad(matched(side, front).picture, ((0, 0), (0, 9), (0, 0)))
    assert iou(padded[:, : exact.shape[1]], exact) > 0.9


def test_another_figure_is_unlike() -> None:
    assert matched(drawn(PERSON, 90), drawn(ANIMAL, 0)).difference > UNLIKE
    assert matched(drawn(ANIMAL, 90), drawn(PERSON, 0)).difference > UNLIKE
    assert matched(drawn(PERSON, 90), drawn(PERSON, 0)).difference < ALIKE


def test_back_lies_behind_the_front() -> None:
    front, back = drawn(ANIMAL[:6], 20), drawn(ANIMAL[:6], 200)
    assert iou(matched_back(moved(back, 1.5, 7), front).picture, back) > 0.93
    # What lies to the right of the middle from the front lies to its left from behind.
    aside = matched_back(back, np.roll(front, 12, axis=1)).picture
    assert iou(aside, np.roll(back, -12, axis=1)) > 0.93
