"""Which way a character faces: by its joints, or by its shape, with the evidence; never a guess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.names import SIDES, words_of
from specsia_build.characters.features import ways_of_features
from specsia_build.characters.landmarks import (
    Landmark,
    ankles_of,
    way_of_knees,
    ways_ahead,
)
from specsia_build.characters.looks import IN_THE_BACK_OF_ALL, front_by_looks
from specsia_build.characters.shape import FOOT, HEAD, LEAST_GAP, SHIN, Shape, groups_of, shape_of, surface_points
from specsia_build.errors import plural
from specsia_build.frame import AXES, axis_vector, up_rotation
from specsia_build.rendering.mesh import Mesh

LEAST_PAIRS = 2
"""Pairs of a left and a right joint that are evidence."""

LEAST_AGREEMENT = 0.8
"""Share of the pairs that point within 45 degrees of where they point together."""

MOST_DEGREES = 30.0
"""From the nearest axis; further away a character is between two, turned or posed."""

SAMPLES = 4000
"""Points on a surface that its shape is told by."""

_LEAST_FEET, _LEAST_HEAD, _LONG, _FLAT = 0.02, 0.1, 1.3, 0.05
_TALL, _LOW, _LEAST_BULK, _AGAINST = 1.2, 0.75, 0.05, 0.02
_MOST_OF_IT = 0.5

LEAST_EVENNESS, ALL_OF_IT = 2.5, 0.9
"""Times by which a shape is better mirrored across one plane than across the other, and share of its surface that hangs
together, from which that alone says along which axis it faces."""

LEAST_ALONE = 0.1
"""How far eyes or toes lie ahead, in heights, where no sides are named that they could be weighed against."""

LEAST_REACH, MOST_SOLE = 0.01, 0.12
"""How far a foot's surface reaches ahead of its joint, in heights, and how far from that it is looked for."""


@dataclass(frozen=True)
class Evidence:
    """What was found out about an axis.

    Attributes:
        axis: signed axis such as ``-y``, or None where nothing is sure.
        why: what says so, or why nothing does.
        strong: whether it is enough to doubt what somebody stated, as names of joints or of parts are.
        along: where nothing says which end of an axis, the axis, ``x`` or ``y``, and what says that; else None.
    """

    axis: str | None
    why: str
    strong: bool = False
    along: tuple[str, str] | None = None


def pairs_of(landmarks: Iterable[Landmark]) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Where the left and the right joint (3,) of each name lie."""
    found: dict[str, dict[int, NDArray[np.float64]]] = {}
    for name, place in landmarks:
        words = words_of(name)
        sides = [SIDES[word] for word in words if word in SIDES]
        if len(sides) == 1:
            key = " ".join("*" if word in SIDES else word for word in words)
            found.setdefault(key, {})[sides[0]] = np.array(place, np.float64)
    return [(sides[1], sides[-1]) for sides in found.values() if len(sides) == 2]


def left_of(landmarks: Iterable[Landmark]) -> NDArray[np.float64]:
    """The way from each right joint to the left one of the same name, (N, 3)."""
    return np.array([left - right for left, right in pairs_of(landmarks)], np.float64).reshape(-1, 3)


def front_by_joints(landmarks: Sequence[Landmark]) -> Evidence:
    """The horizontal axis that a Z-up character faces, from its joints' names and places."""
    across = left_of(landmarks)[:, :2]
    lengths = np.linalg.norm(across, axis=1)
    told = lengths > 1e-3 * lengths.max(initial=0.0)
    across, lengths = across[told], lengths[told]
    if len(across) < LEAST_PAIRS:
        return Evidence(None, "no joints are named as left and right")
    ways = across / lengths[:, None]
    agreeing = ways @ ways.sum(axis=0) >= np.cos(np.pi / 4) * np.linalg.norm(ways.sum(axis=0))
    # A pair of thumbs may be named the wrong way round.
    if not agreeing.mean() >= LEAST_AGREEMENT:
        return Evidence(None, "its left and right joints do not agree")
    left = across[agreeing].sum(axis=0)
    # What a left hand points at, turned by a quarter clockwise seen from above, is ahead.
    front = np.array([left[1], -left[0]]) / np.linalg.norm(left)
    axis, other = sorted(AXES[:4], key=lambda name: -float(axis_vector(name)[:2] @ front))[:2]
    if float(axis_vector(axis)[:2] @ front) < np.cos(np.radians(MOST_DEGREES)):
        return Evidence(None, f"by its joints it faces between {axis} and {other}")
    return Evidence(axis, f"by {plural(int(agreeing.sum()), 'pair')} of left and right joints", strong=True)


def front_by_shape(mesh: Mesh) -> Evidence:
    """The horizontal axis that a Z-up character faces, from its surface alone.

    A character is mirrored left to right, not front to back; its toes point ahead, and a long body carries its head
    there, or its bulk where it has no feet.
    """
    points = surface_points(mesh, SAMPLES)
    if len(points) == 0:
        return Evidence(None, "it has no surface to look at")
    points, whole = _main(points), len(points)
    extent = np.ptp(points, axis=0)
    if extent.min() < _FLAT * extent.max():
        return Evidence(None, "it is flat")
    shape = shape_of(points)
    if shape.side is None:
        return Evidence(None, "its shape is mirrored across no plane, or across several")
    if shape.lies:
        return Evidence(None, "it is as low as what lies")
    side, ahead = shape.side, 1 - shape.side
    even = shape.evenness >= LEAST_EVENNESS and len(points) >= ALL_OF_IT * whole
    # Who lies faces neither end.
    even &= bool(shape.height >= _LOW * extent[ahead])
    along = ("xy"[ahead], "by its mirrored shape") if even else None
    signs = _signs_of_shape(shape, ahead, long=bool(extent[ahead] > _LONG * extent[side]))
    if not signs and not shape.feet:
        return Evidence(None, "its shape has no feet to say which side is the front", along=along)
    if not signs or len({value > 0 for value in signs.values()}) > 1:
        return Evidence(None, "its shape does not say which side is the front", along=along)
    axis = ("+" if next(iter(signs.values())) > 0 else "-") + "xy"[ahead]
    return Evidence(axis, f"by its mirrored shape and its {' and '.join(signs)}")


def _main(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 3) on a surface, without the little that lies apart: a pet beside a figure is no side of it."""
    groups = groups_of(points, LEAST_GAP * float(np.ptp(points[:, 2])))
    largest = max(groups, key=len)
    return points[np.sort(largest)] if len(largest) >= _MOST_OF_IT * len(points) else points


def _signs_of_shape(shape: Shape, ahead: int, *, long: bool) -> dict[str, float]:
    """What of a shape says which end of an axis is ahead, by its name: positive where that is the positive end."""
    points = shape.points
    length = max(float(np.ptp(points[:, ahead])), 1e-12)
    # Bodies that swim or fly carry their bulk before the middle, and taper to a tail.
    middle = float(points[:, ahead].min() + points[:, ahead].max()) / 2
    bulk = (float(np.median(points[:, ahead])) - middle) / length
    if not shape.feet:
        signs = {"soles": shape.overhang(ahead)} if shape.height > _TALL * length else {}
        swims = long and shape.height < length and abs(bulk) >= _LEAST_BULK and not _has_feet_at_an_end(points, ahead)
        signs |= {"bulk": bulk} if swims else {}
        return {name: sign for name, sign in signs.items() if sign}
    toes, sideways = (shape.centre(*FOOT, axis) - shape.centre(*SHIN, axis) for axis in (ahead, 1 - ahead))
    # Legs that spread to all sides, as a scorpion's do, have no toes ahead.
    stands = long or shape.height >= length
    signs = {"toes": toes} if stands and abs(toes) >= max(_LEAST_FEET, 2 * abs(sideways)) else {}
    if long:
        head = shape.centre(*HEAD, ahead) - float(points[:, ahead].mean()) / shape.height
        signs |= {"head": head} if abs(head) >= _LEAST_HEAD else {}
        # Fins below a fish lie apart as feet do, behind its bulk: toes alone do not make them feet.
        if set(signs) == {"toes"} and shape.height < _LOW * length and toes * bulk < 0 and abs(bulk) >= _AGAINST:
            return {}
    return signs


def _has_feet_at_an_end(points: NDArray[np.float64], axis: int) -> bool:
    """Whether a shape would stand on feet along a horizontal axis, so that it lies."""
    raised = [shape_of(points @ up_rotation(sign + "xy"[axis]).T) for sign in "+-"]
    return any(one.feet or (one.side is not None and one.overhang(1 - one.side)) for one in raised)


def opposite(axis: str) -> str:
    return ("-" if axis[0] == "+" else "+") + axis[1]


def front_of(
    mesh: Mesh,
    landmarks: Sequence[Landmark],
    usual: str | None = None,
    features: Mapping[str, NDArray[np.bool_]] | None = None,
    stated: str | None = None,
    taken: str | None = None,
) -> Evidence:
    """Which way a Z-up character faces: its joints say, or what is named as its face, its shape, or else its looks.

    A shape alone is not strong: what floats beside a figure may look like its head or tail.

    Args:
        mesh: Z up.
        landmarks: in its coordinates.
        usual: the front that the file's format states; None where exporters keep to none. Names of sides that say the
            opposite may be those that a viewer sees, so that they alone are not sure.
        features: the faces of the mesh that are named for features of its face, as `features_of` finds them.
        stated: the front that somebody states, which a shape that says another is weighed against by the looks, too.
        taken: the front that is taken where nothing is sure, which the looks need not be asked about, as where they say
            it nothing changes; None to ask them about each.
    """
    found = _front_by_build(mesh, landmarks, usual, features)
    if found.axis is not None and (found.strong or found.axis in (stated, usual)):
        return found
    if found.axis is not None and stated is None:
        # What rides or flies has its mount's or its wings' shape, and its own face.
        agrees = front_by_looks(mesh, found.axis) is None
        return found if agrees else Evidence(None, "its shape and the details of its face do not agree")
    axis, why = front_by_looks(mesh, taken), "by the details of its face"
    if axis is None and found.axis is None:
        sides = front_by_joints(landmarks)
        if sides.axis is not None and front_by_looks(mesh, times=IN_THE_BACK_OF_ALL) == sides.axis:
            return replace(sides, why=f"{sides.why} and {why}")
    if axis is None or found.axis not in (None, axis):
        return found
    return Evidence(axis, why if found.axis is None else f"{found.why}, and {why}", strong=True)


def _front_by_build(
    mesh: Mesh,
    landmarks: Sequence[Landmark],
    usual: str | None,
    features: Mapping[str, NDArray[np.bool_]] | None,
) -> Evidence:
    by_joints = front_by_joints(landmarks)
    low, high = mesh.bounds()
    ways = ways_ahead(landmarks, max(float(high[2] - low[2]), 1e-12))
    seen = ways_of_features(mesh, features or {})
    if features:
        # Where a part has its origin says less than where it is drawn.
        ways.pop("eyes", None)
    if by_joints.axis is None:
        far = {name: way for name, way in ways.items() if float(np.linalg.norm(way)) >= LEAST_ALONE}
        along = _front_along(far | seen)
        by_shape = along if along.axis is not None else front_by_shape(mesh)
        return by_shape if by_shape.axis else replace(by_shape, why=f"{by_joints.why}, and {by_shape.why}")
    signs = _signs(ways | seen, by_joints.axis)
    if not all(signs.values()):
        return _weighed(by_joints, signs, usual)
    if by_joints.axis == usual:
        return by_joints
    if signs:
        return replace(by_joints, why=f"{by_joints.why} and by its {' and '.join(signs)}")
    by_shape = front_by_shape(mesh)
    if by_shape.axis == by_joints.axis:
        return replace(by_joints, why=f"{by_joints.why} and {by_shape.why}")
    if by_shape.axis == opposite(by_joints.axis):
        return _either(by_joints, "its sides and its shape do not agree")
    if usual != opposite(by_joints.axis):
        return by_joints
    limbs = _limbs(mesh, landmarks, by_joints.axis)
    if not limbs or not all(limbs.values()):
        return Evidence(None, "its sides may be named as a viewer sees them")
    return replace(by_joints, why=f"{by_joints.why} and by its {' and '.join(limbs)}")


def _weighed(by_joints: Evidence, signs: dict[str, bool], usual: str | None) -> Evidence:
    """What sides, which may be named as a viewer sees them, and signs of which some are against them say together."""
    axis = by_joints.axis or ""
    with_sides, against = ([name for name, agrees in signs.items() if agrees is side] for side in (True, False))
    if with_sides and len(with_sides) + 1 > len(against) + (usual == opposite(axis)):
        return replace(by_joints, why=f"{by_joints.why} and by its {' and '.join(with_sides)}")
    if not with_sides and axis != usual and len(against) + (usual == opposite(axis)) >= 2:
        why = f"by its {' and '.join(against)}, though its sides are named the other way round"
        return Evidence(opposite(axis), why, strong=True)
    return _either(by_joints, f"its sides and its {' and '.join(against)} do not agree")


def _either(by_joints: Evidence, why: str) -> Evidence:
    """That nothing says which end of the axis that joints tell is ahead."""
    return Evidence(None, why, strong=True, along=((by_joints.axis or "")[1:], by_joints.why))


def _signs(ways: dict[str, NDArray[np.float64]], axis: str) -> dict[str, bool]:
    """Which of the ways point along an axis, and which against it; those across it say nothing."""
    along = {name: float(axis_vector(axis)[:2] @ way) / float(np.linalg.norm(way)) for name, way in ways.items()}
    return {name: value > 0 for name, value in along.items() if abs(value) >= np.cos(np.pi / 4)}


def _front_along(ways: dict[str, NDArray[np.float64]]) -> Evidence:
    """The axis that ways to the front agree on where no sides are named."""
    least = np.cos(np.radians(MOST_DEGREES))
    for axis in AXES[:4]:
        if ways and all(
            float(axis_vector(axis)[:2] @ way) >= least * float(np.linalg.norm(way)) for way in ways.values()
        ):
            return Evidence(axis, f"by its {' and '.join(ways)}", strong=True)
    return Evidence(None, "its joints do not say")


def _limbs(mesh: Mesh, landmarks: Sequence[Landmark], axis: str) -> dict[str, bool]:
    """Whether knees bend and feet reach along an axis: enough to confirm what sides say, too little to doubt it."""
    points = surface_points(mesh, SAMPLES)
    low, height = float(points[:, 2].min()), max(float(np.ptp(points[:, 2])), 1e-12)
    soles = []
    for ankle in ankles_of(landmarks):
        below = points[:, 2] < max(float(ankle[2]), low + FOOT[1] * height)
        near = below & (np.linalg.norm(points[:, :2] - ankle[:2], axis=1) < MOST_SOLE * height)
        if near.sum() >= 8:
            soles.append((points[near].mean(axis=0) - ankle)[:2] / height)
    feet = np.mean(soles, axis=0) if soles else np.full(2, np.nan)
    ways = {"knees": way_of_knees(landmarks, height), "feet": feet}
    along = {name: float(axis_vector(axis)[:2] @ way) for name, way in ways.items()}
    return {name: value > 0 for name, value in along.items() if abs(value) >= LEAST_REACH}


def rotated(landmarks: Sequence[Landmark], turn: NDArray[np.float64]) -> tuple[Landmark, ...]:
    """The landmarks under a rotation (3, 3)."""
    if not landmarks:
        return ()
    places = np.array([place for _, place in landmarks], np.float64) @ turn.T
    return tuple((name, (x, y, z)) for (name, _), (x, y, z) in zip(landmarks, places.tolist(), strict=True))
