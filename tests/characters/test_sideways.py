"""Who stands sideways is told where nothing says which end is ahead; whose shape and face disagree is left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from specsia_build.characters.facing import front_of
from tests.characters.test_facing import CORNERS, into_file, read, write_obj
from tests.characters.test_looks import EYES, HEAD, MOUTH, TRUNK, Box, figure

BOAR = [
    CORNERS * (0.4, 1.2, 0.5),
    CORNERS * (0.3, 0.4, 0.9) + (0, -0.3, 0.3),
    CORNERS * (0.2, 0.5, 0.5) + (0, 0.2, -0.3),
]
"""Mirrored left to right alone, as high as long, on one foot: Z up, facing -Y."""


@pytest.mark.parametrize("front", ["-y", "+x", "+y", "-x"])
def test_a_shape_that_tells_the_axis_alone_is_told_where_view_0_shows_its_side(tmp_path: Path, front: str) -> None:
    character = read(write_obj(tmp_path / "boar.obj", into_file("+y", front), BOAR))
    assert character.front == "-y"
    told = (
        "boar.obj faces along x by its mirrored shape, so that view 0 shows its side, and nothing says which end is "
        'ahead: "front": "+x" in its manifest line turns it if it looks to the right there, "-x" if to the left'
    )
    assert character.warnings == ((told,) if front[1] == "x" else ())
    assert character.unsure is not None
    assert character.doubts == ((told,) if front[1] == "x" else (character.unsure,))


def test_what_is_mirrored_a_little_better_across_says_nothing(tmp_path: Path) -> None:
    solids = [*BOAR, CORNERS * (0.9, 0.1, 0.3) + (0.3, 0.1, 0.4)]
    assert read(write_obj(tmp_path / "boar.obj", into_file("+y", "+x"), solids)).warnings == ()


def test_several_that_stand_apart_are_no_one_s_sides(tmp_path: Path) -> None:
    pair = [box + np.array((0, y, 0)) for y in (-1.2, 1.2) for box in BOAR]
    assert not any(
        "along" in line for line in read(write_obj(tmp_path / "a.obj", into_file("+y", "+x"), pair)).warnings
    )


def test_a_rider_does_not_face_where_its_mount_s_shape_does_against_its_own_face() -> None:
    toes: list[Box] = [((x, 0.15, -0.2), (0.12, 0.5, 0.08), False) for x in (-0.15, 0.15)]
    legs: list[Box] = [((x, 0, -0.1), (0.1, 0.1, 0.25), False) for x in (-0.15, 0.15)]
    faceless, rider = figure(boxes=(TRUNK, HEAD, *legs, *toes)), figure(boxes=(TRUNK, HEAD, *EYES, MOUTH, *legs, *toes))
    assert front_of(faceless, (), usual=None).axis == "+y"
    assert front_of(rider, (), usual=None).axis is None
