"""Joints of a character, and what its vertices hang on: the nearest bones that their piece may hang on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from specsia_build.animation.plans import AHEAD
from specsia_build.characters.bicar_rig import Skin, StoredRig
from specsia_build.characters.samples.body import SIDES, Body
from specsia_build.characters.samples.extras import tail_points
from specsia_build.characters.samples.head import MOVING_EARS, Skull
from specsia_build.characters.samples.shapes import Array, Piece, by

_SEAM = 0.05
"""How much farther than the nearest bone another may be to have a share."""

MOST_DEG = 75
"""Farther from the horizontal no arm goes, whatever room there is."""


def joints_of(body: Body, skull: Skull) -> dict[str, tuple[str, Array]]:
    """Parent and place of each joint by VRM's name for it, or `leftEar`, `tail1` and so on; parents before children."""
    build, frame, mirror = body.build, body.frame, np.array([-1.0, 1.0, 1.0])
    joints: dict[str, tuple[str, Array]] = {}
    trunk = {"hips": frame.trunk(0.2), "spine": frame.trunk(0.36), "chest": frame.trunk(0.6), "neck": frame.trunk(0.96)}
    above = ""
    for name, height in (trunk | {"head": max(1.8 - 2 * build.head[1], build.neck)}).items():
        joints[name] = above, np.array([0.0, height, 0.0])
        above = name
    toes = by(build.gap, 0.0, build.toe)
    limbs = {
        "UpperArm": ("chest", frame.shoulder), "LowerArm": ("UpperArm", (frame.shoulder + frame.wrist) / 2),
        "Hand": ("LowerArm", frame.wrist), "UpperLeg": ("hips", frame.hip),
        "LowerLeg": ("UpperLeg", (frame.hip + frame.ankle) / 2), "Foot": ("LowerLeg", frame.ankle),
        "Toes": ("Foot", toes),
    }  # fmt: skip
    if body.traits.kind.ears in MOVING_EARS:
        low = body.traits.kind.ears in ("side", "fin", "elf")
        limbs["Ear"] = "head", skull.at(0.8, 0.1, -0.05) if low else skull.at(0.6, 0.65, -0.05)
    for side in SIDES:
        for name, (parent, place) in limbs.items():
            joints[side + name] = (
                (side + parent if parent in limbs else parent),
                place * (mirror if side == "right" else 1),
            )
    for k, place in enumerate(tail_points(body)[:3]):
        joints[f"tail{k + 1}"] = f"tail{k}" if k else "hips", place
    return joints


def weights_of(
    pieces: Sequence[Piece], vertices: Sequence[Array], joints: dict[str, tuple[str, Array]], body: Body
) -> Array:
    """Shares of the joints in each vertex of all pieces, (V, J), each row summing to 1."""
    names = list(joints)
    ends = {name: place for name, (_, place) in joints.items()}
    for parent, place in joints.values():
        # The first child ends a bone; of the hips and the chest that is the next of the spine.
        if parent and ends[parent] is joints[parent][1]:
            ends[parent] = place
    for side, way in zip(SIDES, (1, -1), strict=True):
        ends[side + "Hand"] = ends[side + "Hand"] + body.frame.along * (way * 0.15, 0.15, 0)
    found = []
    for piece, points in zip(pieces, vertices, strict=True):
        shares = np.zeros((len(points), len(names)))
        if piece.bones in (("skirt",), ("cape",)):
            _hang(points, shares, names, body, 1.0 if piece.bones == ("skirt",) else 0.35)
        else:
            bones = [bone for bone in piece.bones if bone in joints] or ["head"]
            away = np.stack([_distance(points, joints[bone][1], ends[bone]) for bone in bones], axis=1)
            say = np.clip(1 - (away - away.min(axis=1, keepdims=True)) / _SEAM, 0, 1) ** 2
            shares[:, [names.index(bone) for bone in bones]] = say
        found.append(shares / shares.sum(axis=1, keepdims=True))
    return np.concatenate(found)


def _distance(points: Array, start: Array, end: Array) -> Array:
    way = end - start
    along = np.clip((points - start) @ way / max(float(way @ way), 1e-12), 0, 1)
    return np.asarray(np.linalg.norm(points - start - along[:, None] * way, axis=1))


def _hang(points: Array, shares: Array, names: list[str], body: Body, follow: float) -> None:
    """Cloth around the legs or down the back: the lower it hangs, the more it goes where the nearer foot goes.

    Thighs would tilt what stands far off them into the ground; a foot that stands stays upright.
    """
    top, low = body.frame.trunk(0.4), body.build.crotch
    fall = follow * np.clip((low - points[:, 1]) / (low - body.frame.ankle[1]), 0, 1)
    left = np.clip(points[:, 0] / (2 * (body.build.gap + body.build.leg)) + 0.5, 0, 1)
    upper = np.clip((points[:, 1] - top) / (body.frame.trunk(0.9) - top), 0, 1) * (1 - fall)
    shares[:, names.index("hips")] = 1 - fall - upper
    shares[:, names.index("chest")] = upper
    shares[:, names.index("leftFoot")] = fall * left
    shares[:, names.index("rightFoot")] = fall * (1 - left)


def free_angle(body: Body, rest: Array, way: int) -> float:
    """Degrees from the horizontal that both arms may take: down for `way` -1; up and `AHEAD` of the body for 1.

    Args:
        body: whose arms.
        rest: (N, 3) vertices of all that is no arm.
        way: up or down.
    """
    frame, build = body.frame, body.build
    out = np.linspace(0.5, 1.2, 6) * build.reach
    radius = max(build.arm, build.wrist) + 0.02
    beside = np.abs(rest) * (1, 0, 0) + rest * (0, 1, 1)
    start = round(-way * np.rad2deg(build.drop))
    free = start
    for angle in range(start, MOST_DEG + 1, 3):
        turn, ahead = np.deg2rad(angle), AHEAD if way > 0 else 0.0
        direction = np.array([np.cos(turn) * np.cos(ahead), way * np.sin(turn), np.cos(turn) * np.sin(ahead)])
        arm = frame.shoulder + out[:, None] * direction
        clear = ((beside[:, None] - arm) ** 2).sum(axis=2).min()
        if (clear < radius**2 or arm[:, 1].min() < radius) and angle > start:
            break
        free = angle
    return float(free)


def rig_of(pieces: Sequence[Piece], vertices: Sequence[Array], body: Body, skull: Skull) -> StoredRig:
    """The rig of a character's pieces."""
    joints = joints_of(body, skull)
    names = tuple(joints)
    weights = weights_of(pieces, vertices, joints, body)
    order = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    kept = np.take_along_axis(weights, order, axis=1)
    skin = Skin(order.astype(np.int32), kept / kept.sum(axis=1, keepdims=True))
    parents = [names.index(parent) if parent else -1 for parent, _ in joints.values()]
    still = [
        v for p, v in zip(pieces, vertices, strict=True) if not any("Arm" in bone or "Hand" in bone for bone in p.bones)
    ]
    hang, lift = (free_angle(body, np.concatenate(still), way) for way in (-1, 1))
    places = np.stack([place for _, place in joints.values()])
    return StoredRig(names, np.array(parents, np.int32), places, {"m": skin}, hang, lift)
