"""Motions of a humanoid as they are planned in a body's own terms, and as keys of the nodes of its skeleton.

A plan says where hips and ankles are, where arms point and how the trunk turns. Legs reach their ankles by two bones'
geometry, so that feet that stand neither sink nor slide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.motion import ROTATION, TRANSLATION, Motion, Track
from specsia_build.animation.skeleton import Skeleton

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]

SIDES = ("left", "right")

NEEDED = (
    "hips",
    "head",
    *(f"{side}{part}" for side in SIDES for part in ("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand")),
)
"""Bones, by VRM's names, without which a gait cannot be planned."""

_LIMBS = (("UpperLeg", "LowerLeg"), ("LowerLeg", "Foot"), ("UpperArm", "LowerArm"), ("LowerArm", "Hand"))

_ALONG = 1 - 1e-9
"""Cosine from which a bone points along an axis."""

TRAILING = ("leftEar", "rightEar", "tail1", "tail2", "tail3")
"""Nodes of these names move with the body; they are no bones of a humanoid."""

AHEAD = np.deg2rad(35)
"""How far before the body's sides arms are lifted, to pass by the head."""


@dataclass(frozen=True)
class Body:
    """What a gait knows of a humanoid at rest; lengths in the file's units, in axes left, up and front.

    Attributes:
        places: (3,) by bone.
        axes: (3, 3), rows left, up and front in the file's coordinates.
        leg: from hip to ankle.
        height: of the head's joint over the ankles.
        foot: from ankle to toes.
        hang, lift: radians below the horizontal, and above it `AHEAD` of the body, that the arms take at most.
    """

    places: Mapping[str, Array]
    axes: Array
    leg: float
    height: float
    foot: float
    hang: float
    lift: float


@dataclass
class Plan:
    """T poses of a body in its own axes, ends included.

    Attributes:
        seconds: of the whole.
        hips: (T, 3), the hips' place from the rest one.
        ankles: by side (T, 3), from the rest place.
        soles: by side (T,), how far the toes point down.
        headings: by side (T,), where a foot points, counter-clockwise seen from above.
        turns: by bone (T, 3), angles about left, up and front against what the bone hangs on.
        arms: by side (T, 4): how far below the horizontal, how far swung forward about the shoulders' line, how far
            the elbow is bent that way, and how far ahead of the body the whole points.
        forearms: by side (T,), how far the forearm alone is lifted.
    """

    seconds: float
    hips: Array
    ankles: dict[str, Array]
    soles: dict[str, Array]
    headings: dict[str, Array]
    turns: dict[str, Array] = field(default_factory=dict)
    arms: dict[str, Array] = field(default_factory=dict)
    forearms: dict[str, Array] = field(default_factory=dict)


def body_of(skeleton: Skeleton, bones: Mapping[str, int], hang_deg: float, lift_deg: float) -> Body:
    """The body of a humanoid that stands upright along one of its file's axes.

    Args:
        skeleton: of it.
        bones: its nodes by VRM's names.
        hang_deg, lift_deg: as in `Body`, in degrees.

    Raises:
        ValueError: if some of `NEEDED` are missing, lie in one place, or do not say which way they bend.
    """
    if missing := [name for name in NEEDED if name not in bones]:
        raise ValueError(f"bones are missing: {', '.join(missing)}")
    found = {name: skeleton.rest_worlds[node, :3, 3] for name, node in bones.items()}
    left = _axis(found["leftUpperLeg"] - found["rightUpperLeg"], None)
    up = _axis(found["head"] - (found["leftFoot"] + found["rightFoot"]) / 2, left)
    axes = np.stack([left, up, np.cross(left, up)])
    places = {name: axes @ place for name, place in found.items()}
    limbs = [(f"{side}{start}", f"{side}{end}") for side in SIDES for start, end in _LIMBS]
    lengths = {start: _length(places, start, end) for start, end in limbs}
    leg, height = lengths["leftUpperLeg"] + lengths["leftLowerLeg"], float(places["head"][1] - places["leftFoot"][1])
    if short := [bone for bone, length in lengths.items() if not length > 1e-6 * height]:
        raise ValueError(f"bones have no length: {', '.join(short)}")
    ways = {start: np.abs(places[end] - places[start]) / lengths[start] for start, end in limbs}
    # Turned about the axis that they point along they look the same.
    if rigid := [bone for bone, way in ways.items() if not way[2 if "Arm" in bone else 0] < _ALONG]:
        raise ValueError(f"bones rest straight ahead (arms) or straight aside (legs): {', '.join(rigid)}")
    foot = _length(places, "leftFoot", "leftToes") if "leftToes" in places else 0.3 * leg
    return Body(places, axes, leg, height, foot, np.deg2rad(hang_deg), np.deg2rad(lift_deg))


def _axis(direction: Array, apart: Array | None) -> Array:
    """The axis of the file, or its opposite, that a direction is nearest to; none along `apart`."""
    size = np.abs(direction if apart is None else direction * (apart == 0))
    found = np.zeros(3)
    found[np.argmax(size)] = np.sign(direction[np.argmax(size)])
    if not np.isfinite(size).all() or not size.max() > 0:
        raise ValueError("its hips and head do not say which way is up")
    return found


def _length(places: Mapping[str, Array], start: str, end: str) -> float:
    return float(np.linalg.norm(places[end] - places[start]))


def _about(axis: int, angles: Array) -> Rotation:
    """Turns about left, up or front, by radians (T,)."""
    return scipy.spatial.transform.Rotation.from_rotvec(angles[:, None] * np.eye(3)[axis])


def _frames(along: Array, beside: Array) -> Rotation:
    """Turns of a frame that points `along` (..., 3) and whose side is as near to `beside` as it goes."""
    first = along / np.linalg.norm(along, axis=-1, keepdims=True)
    side = beside - first * np.sum(beside * first, axis=-1, keepdims=True)
    side = side / np.linalg.norm(side, axis=-1, keepdims=True)
    return scipy.spatial.transform.Rotation.from_matrix(np.stack([first, side, np.cross(first, side)], axis=-1))


def baked(name: str, plan: Plan, body: Body, skeleton: Skeleton, bones: Mapping[str, int]) -> Motion:
    """A plan as keys of the nodes: what each bone turns in the world since rest, taken to its parent's coordinates."""
    count = len(plan.hips)
    turns: dict[int, Rotation] = {}
    own = {
        bones[bone]: scipy.spatial.transform.Rotation.from_rotvec(angles)
        for bone, angles in plan.turns.items()
        if bone in bones
    }
    limbs = {bones[bone]: bone for bone in bones}
    identity = scipy.spatial.transform.Rotation.identity(count)
    worlds = skeleton.rest_worlds
    solved: dict[str, Rotation] = {}
    tracks: list[Track] = []
    times = np.linspace(0.0, plan.seconds, count)
    for node, parent in enumerate(skeleton.parents.tolist()):
        carried = turns.get(parent, identity)
        bone = limbs.get(node, "")
        if bone == "hips":
            turns[node] = carried * own.get(node, identity)
            solved |= _legs(plan, body, turns[node])
        elif bone in solved:
            turns[node] = solved[bone]
        elif bone.endswith("UpperArm"):
            solved |= _arms(plan, body, bone.removesuffix("UpperArm"), carried)
            turns[node] = solved[bone]
        else:
            turns[node] = carried * own.get(node, identity)
        if bone in solved or node in own or bone == "hips":
            tracks.append(_rotation(node, turns[node], carried, times, skeleton, body))
        if bone == "hips":
            place = worlds[node, :3, 3] + plan.hips @ body.axes
            above = np.eye(4) if parent < 0 else worlds[parent]
            local = (place - above[:3, 3]) @ np.linalg.inv(above[:3, :3]).T
            tracks.append(Track(node, TRANSLATION, times, local))
    return Motion(name, tuple(tracks), 0.0, plan.seconds)


def _rotation(node: int, turn: Rotation, carried: Rotation, times: Array, skeleton: Skeleton, body: Body) -> Track:
    """The keys of a node that has turned since rest as `turn` says, and its parent as `carried`; in the body's axes."""
    since = (carried.inv() * turn).as_matrix()
    parent = int(skeleton.parents[node])
    above = _unscaled(skeleton.rest_worlds[parent, :3, :3]) if parent >= 0 else np.eye(3)
    at_rest = _unscaled(skeleton.rest_worlds[node, :3, :3])
    world = body.axes.T @ since @ body.axes @ at_rest
    values = scipy.spatial.transform.Rotation.from_matrix(above.T @ world).as_quat()
    flips = np.cumprod(np.where(np.sum(values[1:] * values[:-1], axis=1) < 0, -1.0, 1.0))
    values[1:] *= flips[:, None]
    return Track(node, ROTATION, times, values)


def _unscaled(matrix: Array) -> Array:
    """The turn of a (3, 3) matrix that also scales."""
    return np.asarray(matrix / np.linalg.norm(matrix, axis=0))


def _legs(plan: Plan, body: Body, hips: Rotation) -> dict[str, Rotation]:
    """What thighs, shins and feet turn since rest so that the ankles are where they are to be."""
    found: dict[str, Rotation] = {}
    for side in SIDES:
        hip, knee, ankle = (body.places[f"{side}{part}"] for part in ("UpperLeg", "LowerLeg", "Foot"))
        upper, lower = float(np.linalg.norm(knee - hip)), float(np.linalg.norm(ankle - knee))
        beside = np.asarray(hips.apply((1.0, 0.0, 0.0)))
        start = body.places["hips"] + plan.hips + hips.apply(hip - body.places["hips"])
        way = ankle + plan.ankles[side] - start
        span = np.clip(np.linalg.norm(way, axis=1), abs(upper - lower) + 1e-6, (upper + lower) * (1 - 1e-6))
        along = way / np.linalg.norm(way, axis=1, keepdims=True)
        cosine = (upper**2 + span**2 - lower**2) / (2 * upper * span)
        forward = np.cross(along, beside)
        forward = forward / np.linalg.norm(forward, axis=1, keepdims=True)
        sine = np.sqrt(np.maximum(1 - cosine**2, 0.0))
        thigh = along * cosine[:, None] + forward * sine[:, None]
        shin = along * span[:, None] - thigh * upper
        left = np.array([1.0, 0.0, 0.0])
        found[f"{side}UpperLeg"] = _frames(thigh, beside) * _frames(knee - hip, left).inv()
        found[f"{side}LowerLeg"] = _frames(shin, beside) * _frames(ankle - knee, left).inv()
        sole = scipy.spatial.transform.Rotation.from_euler(
            "YX", np.stack([plan.headings[side], plan.soles[side]], axis=1)
        )
        found[f"{side}Foot"] = sole
    return found


def _arms(plan: Plan, body: Body, side: str, trunk: Rotation) -> dict[str, Rotation]:
    """What an arm turns since rest so that it points where it is to, as the trunk carries it."""
    shoulder, elbow, hand = (body.places[f"{side}{part}"] for part in ("UpperArm", "LowerArm", "Hand"))
    way = 1.0 if side == "left" else -1.0
    hang, swing, bend, ahead = plan.arms[side].T
    lift, front = plan.forearms[side], np.array([0.0, 0.0, 1.0])
    found: dict[str, Rotation] = {}
    parts = (("UpperArm", elbow - shoulder, hang, swing), ("LowerArm", hand - elbow, hang - lift, swing + bend))
    for part, rest, below, forward in parts:
        turn = _about(1, -way * ahead) * _about(0, -forward)
        pointing = turn.apply(np.stack([way * np.cos(below), -np.sin(below), np.zeros_like(below)], axis=1))
        found[f"{side}{part}"] = trunk * _frames(pointing, turn.apply(front)) * _frames(rest, front).inv()
    return found
