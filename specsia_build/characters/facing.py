"""Which way a character faces and which way is up: by its joints, or by its shape, with the evidence; never a guess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.names import SIDES, words_of
from specsia_build.characters.features import ways_of_features
from specsia_build.characters.landmarks import (
    Landmark,
    ankles_of,
    is_end_of_leg,
    is_of_foot,
    is_of_leg,
    is_of_tail,
    way_of_knees,
    ways_ahead,
)
from specsia_build.characters.looks import front_by_looks
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

LEAST_UPRIGHT = 0.8
"""Cosine between an axis and the way from the feet to the other joints."""

LEAST_HOVER = 0.02
"""How far the lowest point is from the origin's plane, in heights, where a character does not rest upon that."""

PROGRAMS_UP = ("+y", "+z")
"""Axes that programs have for up."""

_SAMPLES = 4000
_LEAST_FEET, _LEAST_HEAD, _LONG, _FLAT = 0.02, 0.1, 1.3, 0.05
_TALL, _LOW, _LEAST_BULK, _AGAINST = 1.2, 0.75, 0.05, 0.02
_MOST_OF_IT = 0.5

LEAST_ALONE = 0.1
"""How far eyes or toes lie ahead, in heights, where no sides are named that they could be weighed against."""

LEAST_REACH, MOST_SOLE = 0.01, 0.12
"""How far a foot's surface reaches ahead of its joint, in heights, and how far from that it is looked for."""


LEAST_ALONG_LEGS = 0.5
"""Cosine between the way up and that from feet to legs, which may bend."""

ONE_PLACE = 1e-3
"""Share of the way that joints are spread over within which two lie in one place."""

MOST_BELOW_FEET = 0.1
"""How far a tail hangs below the feet of who stands, in the way from these to the other joints."""


@dataclass(frozen=True)
class Evidence:
    """What was found out about an axis.

    Attributes:
        axis: signed axis such as ``-y``, or None where nothing is sure.
        why: what says so, or why nothing does.
        strong: whether it is enough to doubt what somebody stated, as names of joints or of parts are.
    """

    axis: str | None
    why: str
    strong: bool = False


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


def up_by_joints(landmarks: Sequence[Landmark]) -> Evidence:
    """The axis that the feet stand across, in the landmarks' own coordinates."""
    is_foot = is_of_foot if any(is_of_foot(name) for name, _ in landmarks) else is_end_of_leg
    feet = [place for name, place in landmarks if is_foot(name)]
    others = [place for name, place in landmarks if not is_foot(name)]
    if not feet or not others:
        return Evidence(None, "no joint is named as a foot")
    way = np.mean(_apart(others), axis=0) - np.mean(_apart(feet), axis=0)
    length = float(np.linalg.norm(way))
    if not np.isfinite(length) or length == 0:
        return Evidence(None, "its joints do not say which way is up")
    axis = max(AXES, key=lambda name: float(axis_vector(name) @ way))
    if float(axis_vector(axis) @ way) < LEAST_UPRIGHT * length:
        return Evidence(None, "its feet are not below its other joints")
    # An animal whose hind feet alone are named so has nearly all of itself ahead of them.
    if legs := [place for name, place in landmarks if is_of_leg(name) and not is_foot(name)]:
        _, nearest = scipy.spatial.cKDTree(feet).query(np.array(legs))
        up = (np.array(legs) - np.array(feet)[nearest]).mean(axis=0)
        if float(axis_vector(axis) @ up) < LEAST_ALONG_LEGS * float(np.linalg.norm(up)):
            return Evidence(None, "its legs stand across the way from its feet to its other joints")
    # The feet of a bird in flight trail behind it, but its tail further.
    beyond = [
        float(axis_vector(axis) @ (np.mean(feet, axis=0) - place)) for name, place in landmarks if is_of_tail(name)
    ]
    if max(beyond, default=0.0) > MOST_BELOW_FEET * length:
        return Evidence(None, "its tail lies beyond its feet")
    return Evidence(axis, f"its feet lie at the {_opposite(axis)} end", strong=True)


def _apart(places: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Places (N, 3) of joints without those that others lie at: controls may wait at a root by the hundred."""
    found = np.array(places, np.float64)
    step = ONE_PLACE * float(np.ptp(found, axis=0).max())
    rounded = np.round(found / step) if step > 0 else np.zeros_like(found)
    return found[np.sort(np.unique(rounded, axis=0, return_index=True)[1])]


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
    axis = max(AXES[:4], key=lambda name: float(axis_vector(name)[:2] @ front))
    if float(axis_vector(axis)[:2] @ front) < np.cos(np.radians(MOST_DEGREES)):
        return Evidence(None, "by its joints it faces between two axes")
    return Evidence(axis, f"by {plural(int(agreeing.sum()), 'pair')} of left and right joints", strong=True)


def front_by_shape(mesh: Mesh) -> Evidence:
    """The horizontal axis that a Z-up character faces, from its surface alone.

    A character is mirrored left to right, not front to back; its toes point ahead, and a long body carries its head
    there, or its bulk where it has no feet.
    """
    points = surface_points(mesh, _SAMPLES)
    if len(points) == 0:
        return Evidence(None, "it has no surface to look at")
    points = _main(points)
    extent = np.ptp(points, axis=0)
    if extent.min() < _FLAT * extent.max():
        return Evidence(None, "it is flat")
    shape = shape_of(points)
    if shape.side is None:
        return Evidence(None, "its shape is mirrored across no plane, or across several")
    if shape.lies:
        return Evidence(None, "it is as low as what lies")
    side, ahead = shape.side, 1 - shape.side
    signs = _signs_of_shape(shape, ahead, long=bool(extent[ahead] > _LONG * extent[side]))
    if not signs and not shape.feet:
        return Evidence(None, "its shape has no feet to say which side is the front")
    if not signs or len({value > 0 for value in signs.values()}) > 1:
        return Evidence(None, "its shape does not say which side is the front")
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


def up_by_shape(mesh: Mesh) -> Evidence:
    """The axis, ``+y``, ``+z`` or ``-z``, along which a mesh in its file's own coordinates stands on two feet or more.

    Nothing is sure where it stands along several or none, or would be lower standing than lying.
    """
    points = surface_points(mesh, _SAMPLES)
    if len(points) == 0:
        return Evidence(None, "it has no surface to look at")
    found = {axis: shape_of(points @ up_rotation(axis).T) for axis in ("+y", "+z", "-z")}
    standing = [axis for axis, shape in found.items() if shape.feet]
    # Toes and fingers of one who lies are apart as feet are.
    standing = [axis for axis in standing if not found[axis].lies] if len(standing) > 1 else standing
    # What stands on its head has feet above, not a head.
    if (
        len(standing) != 1
        or not found[standing[0]].head
        or found[standing[0]].height < max(shape.height for shape in found.values())
    ):
        return Evidence(None, "its shape does not say which way is up")
    return Evidence(standing[0], "it has feet below and a head above that way")


def _opposite(axis: str) -> str:
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
    if found.strong or (found.axis is not None and stated in (None, found.axis)):
        return found
    axis, why = front_by_looks(mesh, taken), "by the details of its face"
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
        return by_shape if by_shape.axis is not None else Evidence(None, f"{by_joints.why}, and {by_shape.why}")
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
    if by_shape.axis == _opposite(by_joints.axis):
        return Evidence(None, "its sides and its shape do not agree")
    if usual != _opposite(by_joints.axis):
        return by_joints
    limbs = _limbs(mesh, landmarks, by_joints.axis)
    if not limbs or not all(limbs.values()):
        return Evidence(None, "its sides may be named as a viewer sees them")
    return replace(by_joints, why=f"{by_joints.why} and by its {' and '.join(limbs)}")


def _weighed(by_joints: Evidence, signs: dict[str, bool], usual: str | None) -> Evidence:
    """What sides, which may be named as a viewer sees them, and signs of which some are against them say together."""
    axis = by_joints.axis or ""
    with_sides, against = ([name for name, agrees in signs.items() if agrees is side] for side in (True, False))
    if with_sides and len(with_sides) + 1 > len(against) + (usual == _opposite(axis)):
        return replace(by_joints, why=f"{by_joints.why} and by its {' and '.join(with_sides)}")
    if not with_sides and axis != usual and len(against) + (usual == _opposite(axis)) >= 2:
        why = f"by its {' and '.join(against)}, though its sides are named the other way round"
        return Evidence(_opposite(axis), why, strong=True)
    return Evidence(None, f"its sides and its {' and '.join(against)} do not agree")


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
    points = surface_points(mesh, _SAMPLES)
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


def up_of(mesh: Mesh, landmarks: Sequence[Landmark], usual: str, *, settled: bool = False) -> Evidence:
    """Which way is up in a file's own coordinates: its joints say, or else its shape.

    Args:
        mesh, landmarks: in those coordinates.
        usual: what the file's format states. What rests upon its origin that way, and not the other way, stands so.
        settled: whether exporters keep to that, so that a shape is a sign of no other axis than one of `PROGRAMS_UP`.
    """
    found = up_by_joints(landmarks)
    # A rig that is named, but has no feet below the rest, is of something that does not stand.
    if found.axis is None and len(left_of(landmarks)) < LEAST_PAIRS:
        shape = up_by_shape(mesh)
        sure = shape.axis is not None and (not settled or shape.axis in PROGRAMS_UP)
        found = replace(shape, strong=True) if sure else Evidence(None, f"{found.why}, and {shape.why}")
    if found.axis not in (None, usual) and _rests(mesh, usual) and not _rests(mesh, found.axis or usual):
        return Evidence(None, "it rests on the ground as its format has it")
    return found


def _rests(mesh: Mesh, up: str) -> bool:
    """Whether a mesh rests upon the plane through its origin that an axis is square to."""
    along = mesh.vertices[mesh.used] @ axis_vector(up)
    return bool(abs(along.min()) < LEAST_HOVER * np.ptp(along))


def rotated(landmarks: Sequence[Landmark], turn: NDArray[np.float64]) -> tuple[Landmark, ...]:
    """The landmarks under a rotation (3, 3)."""
    if not landmarks:
        return ()
    places = np.array([place for _, place in landmarks], np.float64) @ turn.T
    return tuple((name, (x, y, z)) for (name, _), (x, y, z) in zip(landmarks, places.tolist(), strict=True))
