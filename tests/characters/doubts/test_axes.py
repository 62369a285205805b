"""Up and front by votes of joints, shape and face: right or unsure, never a guess."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsia_build.characters.character import Character
from specsia_build.characters.doubts.axes import front_of, opposite, up_of
from specsia_build.characters.doubts.joints import front_axis, turned, up_axis
from specsia_build.characters.doubts.probe import Probe, probe_of
from specsia_build.characters.survey import facts_of
from specsia_build.frame import AXES, front_rotation, up_rotation
from tests.characters.bodies import JOINTS, box, boxes, into_file, mesh_of, read, write_obj
from tests.shapes import BOX

RIG = tuple(JOINTS.items())
TOES = tuple((f"Toe.{side}", (x, -0.2, 0.05)) for side, x in (("L", 0.16), ("R", -0.16)))
PLAIN = [BOX * (0.5, 0.5, 1.0) + (0, 0, 0.5), BOX * 0.4 + (0, 0, 1.2)]
FACE = [
    *box((0.1, -0.2, 1.25), (0.08, 0.01, 0.1)),
    *box((-0.1, -0.2, 1.25), (0.08, 0.01, 0.1)),
    *box((0, -0.2, 1.1), (0.16, 0.01, 0.03)),
]


def probe(solids: list[np.ndarray], front: str = "-y", dark: int = 0, **more: object) -> Probe:
    mesh = mesh_of(solids, dark).rotated(front_rotation(front).T)
    return probe_of(mesh, **more)  # type: ignore[arg-type]


def is_upright_and_ahead(character: Character) -> bool:
    """Whether the toes are at the lowest and foremost."""
    vertices = character.mesh.vertices
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    lowest = vertices[vertices[:, 2] < low[2] + 0.01]
    return bool(high[2] - low[2] > 1.8 and -lowest[:, 1].min() > 2 * lowest[:, 1].max())


@pytest.mark.parametrize("front", AXES[:4])
@pytest.mark.parametrize("up", ["+y", "+z"])
def test_an_obj_is_turned_as_its_shape_says(tmp_path: Path, up: str, front: str) -> None:
    character = read(write_obj(tmp_path / "figure.obj", {"": boxes()}, into_file(up, front)))
    assert is_upright_and_ahead(character)
    fixes = {fix.key: fix.value for fix in character.fixes}
    assert fixes == {key: axis for key, axis, own in (("up", up, "+y"), ("front", front, "-y")) if axis != own}
    assert facts_of(character).front == "front"


@pytest.mark.parametrize(
    "solids",
    [
        [BOX],
        [BOX * (1, 1, 2), BOX * 0.5 + (0, 0, 1.2)],
        [BOX, BOX * 0.4 + (0.5, 0.3, 0.4), BOX * 0.3 + (-0.1, -0.6, -0.2)],
        [BOX * (1, 0.001, 2)],
    ],
    ids=["a cube", "a tower", "without a mirror", "flat"],
)
def test_a_shape_that_says_nothing_is_left_and_marked(tmp_path: Path, solids: list[np.ndarray]) -> None:
    character = read(write_obj(tmp_path / "thing.obj", {"": solids}, into_file("+y", "-y")))
    assert (character.front, facts_of(character).front) == ("-y", "unsure")
    assert character.unsure in character.all_warnings


@pytest.mark.parametrize("front", AXES[:4])
def test_left_and_right_joints_say_the_front(front: str) -> None:
    joints = turned(RIG, front_rotation(front).T)
    assert front_axis(joints) == front
    assert front_axis(joints[:4]) is None
    found = front_of(probe([BOX], landmarks=joints))
    assert (found.axis, found.strong) == (front, True)


@given(st.sampled_from(AXES[:4]), st.sampled_from([(), TOES]))
def test_sides_named_as_a_viewer_sees_them_are_not_believed_against_the_format(front: str, toes: tuple) -> None:  # type: ignore[type-arg]
    viewed = tuple((name, (-x, y, z)) for name, (x, y, z) in (*RIG, *toes))
    joints = turned(viewed, front_rotation(front).T)
    assert front_of(probe([BOX], landmarks=joints), usual=front).axis in (None, front)
    sound = turned((*RIG, *TOES), front_rotation(front).T)
    assert front_of(probe([BOX], landmarks=sound), usual=opposite(front)).axis == front


@pytest.mark.parametrize("front", AXES[:4])
def test_a_face_says_the_front_where_it_shows_more_than_the_back(front: str) -> None:
    assert front_of(probe([*PLAIN, *FACE], front, 3)).axis == front


@pytest.mark.parametrize("front", ["-y", "+x"])
def test_who_stands_sideways_without_a_face_is_told(tmp_path: Path, front: str) -> None:
    boar = [
        BOX * (0.4, 1.2, 0.5),
        BOX * (0.3, 0.4, 0.9) + (0, -0.3, 0.3),
        BOX * (0.2, 0.5, 0.5) + (0, 0.2, -0.3),
    ]
    character = read(write_obj(tmp_path / "boar.obj", {"": boar}, into_file("+y", front)))
    assert (character.front, len(character.warnings)) == ("-y", int(front == "+x"))
    assert facts_of(character).front == ("turned 90°" if front == "+x" else "unsure")


@pytest.mark.parametrize("up", AXES[2:])
def test_joints_of_feet_say_up(up: str) -> None:
    assert up_axis(turned(RIG, up_rotation(up).T)) == up
    assert up_axis([(name, place) for name, place in RIG if "Foot" not in name]) is None


@pytest.mark.parametrize("up", ["+y", "+z", "-z"])
def test_feet_below_and_a_head_above_say_up(up: str) -> None:
    lying = mesh_of(boxes()).rotated(up_rotation(up).T)
    assert up_of(probe_of(lying), "+y").axis == up
    assert up_of(probe_of(mesh_of([BOX * (1, 2, 3)])), "+y").axis is None


def test_the_ground_through_its_origin_says_up() -> None:
    post = mesh_of([BOX * (0.5, 0.4, 1) + (0, 0, 0.5)])
    assert up_of(probe_of(post), "+y").axis == "+z"
    assert up_of(probe_of(post.rotated(up_rotation("+y").T)), "+y").axis in (None, "+y")
