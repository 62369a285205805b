"""Limits of the evidence on up and front: each just within and just beyond."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from specsia_build.characters.character import Landmark
from specsia_build.characters.checks import axes, joints
from specsia_build.characters.checks.probe import Probe, probe_of
from specsia_build.characters.front import AROUND
from tests.characters.bodies import JOINTS, box, boxes, mesh_of
from tests.shapes import BOX

RIG = tuple(JOINTS.items())


def body(landmarks: Sequence[Landmark] = ()) -> Probe:
    """A box, two high, on the ground."""
    return probe_of(mesh_of([BOX * (1, 1, 2) + (0, 0, 1)]), landmarks=landmarks)


def tilted(axis: str, degrees: float) -> tuple[Landmark, ...]:
    return joints.turned(RIG, Rotation.from_euler(axis, degrees, degrees=True).as_matrix())


@pytest.mark.parametrize(("degrees", "found"), [(29, "-y"), (31, None), (61, "+x"), (-61, "-x"), (180, "+y")])
def test_front_off_an_axis(degrees: float, found: str | None) -> None:
    assert joints.front_axis(tilted("z", degrees)) == found


@pytest.mark.parametrize(("degrees", "found"), [(35, "+z"), (37, None), (55, "-y"), (-55, "+y"), (180, "-z")])
def test_up_off_an_axis(degrees: float, found: str | None) -> None:
    assert joints.up_axis(tilted("x", degrees)) == found


@pytest.mark.parametrize(("reversed_", "found"), [(0, "-y"), (2, "-y"), (3, None), (7, None), (8, "+y")])
def test_pairs_named_the_wrong_way_round(reversed_: int, found: str | None) -> None:
    sides = [-0.3] * reversed_ + [0.3] * (10 - reversed_)
    pairs = [
        (f"Bone{k}.{side}", (x * sign, 0.0, k / 10)) for k, x in enumerate(sides) for side, sign in SIDES
    ]
    # Pairs in one place and joints of two sides say nothing.
    spare = [(f"Bone{k}.{side}", (0.0, sign * 1e-9, 1.0)) for k in range(10, 30) for side, sign in SIDES]
    assert joints.front_axis([*pairs, *spare, ("Left to right", (9.0, 9.0, 9.0))]) == found
    assert joints.front_axis(pairs[:2]) is None


SIDES = (("L", 1), ("R", -1))


@pytest.mark.parametrize(("aside", "found"), [(2, "-y"), (3, None)])
def test_pairs_that_point_aside_do_not_agree(aside: int, found: str | None) -> None:
    turn = np.radians(80)
    ways = [(np.cos(turn), np.sin(turn))] * aside + [(1.0, 0.0)] * (10 - aside)
    pairs = [
        (f"Bone{k}.{side}", (x * sign, y * sign, k)) for k, (x, y) in enumerate(ways) for side, sign in SIDES
    ]
    assert joints.front_axis(pairs) == found


AHEAD: list[tuple[list[Landmark], str | None]] = [
    ([("Foot", (0, 0, 0)), ("Toe", (0, -0.21, 0))], "-y"),
    ([("Foot", (0, 0, 0)), ("Toe", (0, -0.19, 0))], None),
    ([("Foot", (0, 0, 0)), ("Toe", (0.21, -0.2, 0))], "+x"),
    ([("Head", (0, 0, 1)), ("Eye", (0.3, 0, 1))], "+x"),
    ([("Head", (0, 0, 1)), ("Face", (0.3, 0, 1))], None),
    ([("Head", (0, 0, 1)), ("Tail", (0.3, 0, 0))], "-x"),
    ([("Head", (0, 0, 1)), ("Tail", (0.19, 0, 0))], None),
    ([("Foot", (0, 0, 0)), ("Toe", (0, -0.022, 0)), ("Head", (0, 0, 1)), ("Eye", (0, -0.022, 1))], "-y"),
    ([("Foot", (0, 0, 0)), ("Toe", (0, -0.018, 0)), ("Head", (0, 0, 1)), ("Eye", (0, -0.022, 1))], None),
    ([("Foot", (0, 0, 0)), ("Toe", (0, -0.022, 0)), ("Head", (0, 0, 1)), ("Eye", (0, -0.018, 1))], None),
]


@pytest.mark.parametrize(("landmarks", "found"), AHEAD)
def test_votes_of_what_lies_ahead(landmarks: list[Landmark], found: str | None) -> None:
    evidence = axes.front_of(body(landmarks), taken="-y")
    assert (evidence.axis, evidence.strong) == (found, False)


def test_sides_against_the_format() -> None:
    toes: list[Landmark] = [("Foot", (0, 0, 0.1)), ("Toe", (0, -0.1, 0.1))]
    for landmarks, usual, found in (
        (RIG, "+y", None),
        ((*RIG, *toes), "+y", "-y"),
        (RIG, "+x", "-y"),
        (RIG, "-y", "-y"),
    ):
        evidence = axes.front_of(body(landmarks), usual, "-y")
        assert (evidence.axis, evidence.strong, evidence.along) == (found, True, None if found else "y")


TOES_AHEAD: list[Landmark] = [("Foot", (0, 0, 0)), ("Toe", (0, -0.21, 0))]


@pytest.mark.parametrize(
    ("landmarks", "usual", "logits", "axis"),
    [
        # Joints of both sides are enough, but where the format says the opposite.
        (RIG, None, (0, 0, 9, 0), "-y"),
        (RIG, "+y", (2.4, 0, 0, 0), "-y"),
        (RIG, "+y", (0.7, 0, 0, 0), None),
        # Other joints are not: looks agree, or nothing is found.
        (TOES_AHEAD, None, (0, 0, 0, 0), "-y"),
        (TOES_AHEAD, None, (0, 0, 1.6, 0), None),
    ],
)
def test_looks_beside_joints(
    monkeypatch: pytest.MonkeyPatch,
    landmarks: Sequence[Landmark],
    usual: str | None,
    logits: tuple[float, ...],
    axis: str | None,
) -> None:
    monkeypatch.setattr(axes, "front_logits", lambda _views: dict(zip(AROUND, logits, strict=True)))
    assert axes.front_of(body(landmarks), usual).axis == axis


@pytest.mark.parametrize(
    ("logits", "usual", "axis", "along"),
    [
        ((1.6, 0, 0, 0), None, "-y", None),
        ((1.4, 0, 0, 0), None, None, None),
        ((0, 0, 0, 1.6), "-x", "-x", None),
        ((0.8, 0, 0, 0), "-y", "-y", None),
        ((0.7, 0, 0, 0), "-y", None, None),
        ((0, 2.2, 0, 0), "-y", None, "x"),
        ((0, 2.3, 0, 0), "-y", "+x", None),
        ((1.6, 0, 1.6, 0), None, None, "y"),
        ((1.4, 0, 1.4, 0), None, None, None),
        ((0, 1.6, 0, 1.6), None, None, "x"),
    ],
)
def test_votes_of_looks(
    monkeypatch: pytest.MonkeyPatch,
    logits: tuple[float, ...],
    usual: str | None,
    axis: str | None,
    along: str | None,
) -> None:
    monkeypatch.setattr(axes, "front_logits", lambda _views: dict(zip(AROUND, logits, strict=True)))
    evidence = axes.front_of(body(), usual)
    assert (evidence.axis, evidence.strong, None if axis else evidence.along) == (axis, False, along)


@pytest.mark.parametrize(
    ("low", "aside", "found"),
    [
        *((0.0, 0.0, "+z"), (-0.019, 0.0, "+z"), (-0.021, 0.0, None), (0.021, 0.0, None)),
        *((0.0, 0.118, "+z"), (0.0, 0.122, None), (0.0, -0.118, "+z"), (0.0, -0.122, None)),
    ],
)
def test_up_of_what_stands_on_the_origin(low: float, aside: float, found: str | None) -> None:
    post = mesh_of([BOX * (0.5, 0.4, 1) + (0, aside, 0.5 + low)])
    assert axes.up_of(probe_of(post), "+y").axis == found


LEGS: tuple[Landmark, ...] = (("Spine", (0, 0, 1.0)), ("Neck", (0, 0, 1.5)))


@pytest.mark.parametrize(
    ("landmarks", "found"),
    [
        ((*LEGS, ("Foot.L", (0, 0, 0))), "+z"),
        (LEGS, None),
        ((*LEGS[:1], ("Foot.L", (0, 0, 0))), None),
        ((*LEGS, ("Leg_end", (0, 0, 0)), ("Leg", (0, 0, 0.5))), "+z"),
        ((*LEGS, ("Foot", (0, 0, 0)), ("Tail", (0, 0, -0.09))), None),
        ((*LEGS, ("Foot", (0, 0, 0)), ("Tail", (0, 0, -0.07))), "+z"),
        ((*LEGS, ("Foot", (0, 0, 0)), ("Leg", (0, 0.75, 0.45)), ("Arm", (0, -0.75, 1.2))), "+z"),
        ((*LEGS, ("Foot", (0, 0, 0)), ("Leg", (0, 0.82, 0.45)), ("Arm", (0, -0.82, 1.2))), None),
        ((*LEGS, *((f"Control{k}", (0, 0, -3.0)) for k in range(9)), ("Foot", (0, 0, -2))), "+z"),
        ((*LEGS, ("Foot", (0, 0, 1.25))), None),
    ],
)
def test_up_from_feet(landmarks: tuple[Landmark, ...], found: str | None) -> None:
    assert joints.up_axis(landmarks) == found


def test_a_shape_may_mirror_about_the_middle_of_its_extent() -> None:
    """Neither the mean of its surface nor the median lies there, as one side has more of it."""
    layers = [box((3.97, 0, 1), (0.02, 1, 2))[0]] * 4
    assert probe_of(mesh_of([box((3, 0, 1), (2, 1, 2))[0], *layers])).mirror_distance[0] < 0.06


def test_a_standing_body_has_two_feet_and_a_head() -> None:
    whole = [solid + np.array((0, 5, 0)) for solid in boxes()]
    head = [solid + np.array((0.3, 0, 0)) for solid in whole[2:4]]
    spike = BOX * (0.02, 0.02, 0.5) + np.array((0, 5, 1.7))
    # As its belly, nose and feet lie less far ahead, its sides are no more alike than front and back.
    ahead = [solid.mean(axis=0)[1] * np.array((0, 1, 0)) for solid in boxes()]
    lean, flat = (
        [solid - share * way for solid, way in zip(whole, ahead, strict=True)] for share in (0.65, 0.8)
    )
    for solids, found in (
        (whole, "+z"),
        (lean, "+z"),
        (flat, None),
        ([*whole[:2], *head, *whole[4:]], None),
        ([*whole[:2], spike, *whole[4:]], None),
        ([*whole[:7], whole[8]], None),
        ([*whole[:9], whole[9] * (0.3, 0.3, 1) + np.array((-0.11, 3.5, 0))], None),
        ([*whole[:8], whole[8] * (0.3, 0.3, 1) + np.array((0.11, 3.5, 0)), whole[9]], None),
        ([solid * (1, 1, 0.25) for solid in whole], None),
    ):
        assert axes.up_of(probe_of(mesh_of(solids)), "+y").axis == found


def test_axes_are_signed() -> None:
    found = [joints.nearest_axis(np.array(way), 30.0) for way in ((1, 0.5), (-1, 0.5), (0.5, 1), (0.5, -1))]
    assert found == ["+x", "-x", "+y", "-y"]
    assert joints.nearest_axis(np.zeros(2), 45.0) is None and joints.nearest_axis(np.ones(2), 44.0) is None
