"""Skin weights from the solid: each primitive knows its joints, and near a seam several have a say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.bicar_rig import Skin, StoredRig
from specsia_build.characters.samples import field
from specsia_build.characters.samples.body import Frame
from specsia_build.characters.samples.joints import SIDES, Joints
from specsia_build.characters.samples.parts import ABOVE_NECK, Part
from specsia_build.characters.samples.reach import free_angle, of_arm
from specsia_build.characters.samples.traits import Build, Outfit

Points = NDArray[np.float64]
Weights = NDArray[np.float64]
"""(N, joints), each row summing to 1."""

SHARES = 6
"""Joints that move one vertex, at most."""

_LEG = {Part.LEG, Part.TROUSER, Part.SOCK}
_FOOT = {Part.SHOE, Part.SOLE}
_TAIL = {Part.TAIL, Part.TAIL_TIP}
_UPPER = {Part.COLLAR, Part.WING, Part.SCARF, Part.BOW}


def _ramp(s: Points, middle: float, half: float) -> Points:
    """0 to 1 smoothly, from `half` before the middle to `half` after it."""
    t = np.clip((s - middle) / (2 * half) + 0.5, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


class Anatomy:
    """What each place of a body hangs on, part by part."""

    def __init__(self, joints: Joints, build: Build, frame: Frame, outfit: Outfit) -> None:
        self.joints, self.build, self.frame, self.outfit = joints, build, frame, outfit
        self.span = build.neck - build.crotch

    def _along(self, s: Points, names: Sequence[str], bends: Sequence[tuple[float, float]]) -> Weights:
        """From one joint to the next where `s` passes each of the bends: their middles and half widths."""
        found, rest = np.zeros((len(s), len(self.joints.names))), np.ones(len(s))
        for name, (middle, half) in zip(names, bends, strict=False):
            passed = _ramp(s, middle, half)
            found[:, self.joints[name]] += rest * (1 - passed)
            rest = rest * passed
        found[:, self.joints[names[-1]]] += rest
        return found

    def rigid(self, points: Points, name: str) -> Weights:
        return self._along(points[:, 1], [name], [])

    def torso(self, points: Points) -> Weights:
        hips, chest = self.build.crotch + 0.32 * self.span, self.build.crotch + 0.58 * self.span
        half = 0.16 * self.span
        return self._along(points[:, 1], ["hips", "spine", "chest"], [(hips, half), (chest, half)])

    def neck(self, points: Points) -> Weights:
        low, high = self.joints.heights("neck", "head")
        return self._along(points[:, 1], ["chest", "neck", "head"], [(low, 0.05), (high, 0.05)])

    def arm(self, points: Points, side: str) -> Weights:
        start, end = self.joints.at(f"{side}UpperArm"), self.joints.at(f"{side}Hand")
        reach = float(np.linalg.norm(end - start))
        s = (points - start) @ ((end - start) / reach)
        radius, wrist = self.build.arm, self.build.wrist
        bends = [
            (0.3 * radius, 1.0 * radius),
            (0.5 * reach, min(0.9 * radius, 0.22 * reach)),
            (reach, min(0.6 * wrist, 0.15 * reach)),
        ]
        return self._along(s, ["chest", f"{side}UpperArm", f"{side}LowerArm", f"{side}Hand"], bends)

    def leg(self, points: Points, side: str) -> Weights:
        top, knee, ankle = self.joints.heights(f"{side}UpperLeg", f"{side}LowerLeg", f"{side}Foot")
        reach = top - ankle
        bends = [
            (0.15 * reach, 0.15 * reach),
            (top - knee, min(0.9 * self.build.leg, 0.2 * reach)),
            (reach, min(0.05, 0.15 * reach)),
        ]
        names = ["hips", f"{side}UpperLeg", f"{side}LowerLeg", f"{side}Foot"]
        return self._along(top - points[:, 1], names, bends)

    def skirt(self, points: Points, follow: float) -> Weights:
        """Cloth around the legs: the lower it hangs, the more it goes where the nearer foot goes.

        Thighs would tilt what stands far off them into the ground; a foot that stands stays upright.
        """
        ankle = self.frame.ankle[1]
        fall = follow * np.clip((self.build.crotch - points[:, 1]) / (self.build.crotch - ankle), 0.0, 1.0)[:, None]
        left = _ramp(points[:, 0], 0.0, self.build.gap + self.build.leg)[:, None]
        feet = left * self.rigid(points, "leftFoot") + (1 - left) * self.rigid(points, "rightFoot")
        return np.asarray((1 - fall) * self.torso(points) + fall * feet)

    def tail(self, points: Points) -> Weights:
        """From joint to joint by the way along them, and to the hips where it grows out of them."""
        names = [name for name in self.joints.names if name.startswith("tail")]
        way = np.zeros(len(points))
        bends: list[tuple[float, float]] = []
        for start, end in pairwise(self.joints.at(name) for name in names):
            length, before = float(np.linalg.norm(end - start)), bends[-1][0] + bends[-1][1] if bends else 0.0
            way += np.clip((points - start) @ (end - start) / length, 0.0, length)
            bends.append((before + 0.7 * length, 0.3 * length))
        out = _ramp(self.joints.at("tail1")[2] - points[:, 2], 0.0, 0.05)[:, None]
        return np.asarray((1 - out) * self.rigid(points, "hips") + out * self._along(way, names, bends))

    def ear(self, points: Points, side: str) -> Weights:
        if f"{side}Ear" not in self.joints:
            return self.rigid(points, "head")
        away = np.linalg.norm(points - self.joints.at(f"{side}Ear"), axis=1)
        return self._along(away, ["head", f"{side}Ear"], [(0.12, 0.12)])

    def of(self, row: NDArray[np.float64]) -> Callable[[Points], Weights]:
        """What the surface of a primitive, a row of the solid's table, hangs on."""
        part, (x, y, _) = Part(int(row[field.PART])), row[field.CENTRE : field.AXES]
        side = SIDES[0][1] if x > 0 else SIDES[1][1]
        if of_arm(row, self.build):
            return lambda points: self.arm(points, side)
        if part in _LEG or (part == Part.CUFF and x != 0):
            return lambda points: self.leg(points, side)
        if part in _FOOT:
            return (lambda points: self.rigid(points, f"{side}Foot")) if y < 0.1 else lambda p: self.leg(p, side)
        if part in (Part.SKIRT, Part.CUFF):
            return lambda points: self.skirt(points, 1.0)
        if part == Part.CAPE:
            return lambda points: self.skirt(points, 0.5)
        if part in _TAIL:
            return self.tail
        if part == Part.EAR:
            return lambda points: self.ear(points, side)
        if part == Part.HEAD and row[field.KIND] == field.ROUND_CONE and y < self.build.neck:
            return self.neck
        if part in ABOVE_NECK or (part == Part.SPINE and y > self.build.neck):
            return lambda points: self.rigid(points, "head")
        if part in _UPPER or (part in (Part.BAG, Part.FLAP) and x == 0):
            return lambda points: self.rigid(points, "chest")
        if part in (Part.BAG, Part.FLAP):
            return lambda points: self.rigid(points, "hips")
        return self.torso


def skin_weights(table: NDArray[np.float64], anatomy: Anatomy, points: Points) -> Weights:
    """What each vertex (N, 3) of the solid's surface hangs on.

    The primitives near a vertex have a say by how near they are, over a width that grows with the fillet between them,
    so that weights change smoothly all over the surface.
    """
    distances = np.stack([field.distance(row[None], points) for row in table], axis=1)
    nearest = distances.min(axis=1)
    found = np.zeros((len(points), len(anatomy.joints.names)))
    for k, row in enumerate(table):
        say = np.clip(1 - (distances[:, k] - nearest) / (0.02 + row[field.BLEND]), 0.0, 1.0)
        near = np.flatnonzero(say)
        found[near] += say[near, None] ** 2 * anatomy.of(row)(points[near])
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _skin(weights: Weights) -> Skin:
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :SHARES]
    kept = np.take_along_axis(weights, joints, axis=1)
    return Skin(joints.astype(np.int32), kept / kept.sum(axis=1, keepdims=True))


def rig_of(table: NDArray[np.float64], anatomy: Anatomy, body: Points, eyes: Points) -> StoredRig:
    """The rig of a character.

    Args:
        table: its solid.
        anatomy: of it.
        body, eyes: (N, 3) vertices of its meshes.
    """
    joints = anatomy.joints
    skins = {"m": _skin(skin_weights(table, anatomy, body)), "e": _skin(anatomy.rigid(eyes, "head"))}
    hang, lift = (free_angle(table, anatomy.build, anatomy.frame, anatomy.outfit, way) for way in (-1, 1))
    return StoredRig(
        tuple(joints.names), np.array(joints.parents, np.int32), np.stack(joints.places), skins, hang, lift
    )
