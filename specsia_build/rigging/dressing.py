"""Other poses, proportions, hair, clothes and things in hands for characters that joints are learnt from.

Game characters wear little and stand still; drawings show dresses, long hair, swords and crossed arms.
Places are Z up, a figure faces -Y, and its left side is at +X.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.motion import Poses
from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import rotation_between
from specsia_build.arrays import Doubles
from specsia_build.rendering.mesh import Material, Mesh, concatenate

Places = Mapping[str, Doubles]
"""Place (3,) of each humanoid bone that a figure has."""

_Colour = tuple[float, float, float]

_SIDES = (("left", 1.0), ("right", -1.0))
_RING = 20  # Points around a cone
_UPPER = {"hangs": (8, 12), "away": (45, 15), "level": (90, 12), "raised": (140, 20)}
_SPREAD = 9.0  # Standard deviation in degrees of a leg's turn sideways


def places_of(rig: Rig, bones: Mapping[str, int], worlds: Doubles) -> dict[str, Doubles]:
    """Where a skeleton's bones begin, of its worlds (J, 4, 4), in the mesh's coordinates."""
    return {bone: (rig.placement @ worlds[node][:, 3])[:3] for bone, node in bones.items()}


def with_limbs_moved(
    rig: Rig, bones: Mapping[str, int], pose: Poses, rng: np.random.Generator
) -> tuple[Poses, dict[str, Doubles]]:
    """A pose (of one frame) whose arms, each on its own, and legs point elsewhere; and its bones' places."""
    worlds = pose.worlds[0].copy()
    inverse = np.linalg.inv(rig.placement)

    def point(bone: str, tip: str, direction: Doubles) -> None:
        """Turn a bone and all below it so that its tip lies in a direction."""
        places = places_of(rig, bones, worlds)
        now = places[tip] - places[bone]
        turn = rotation_between(now, direction)
        move = np.eye(4)
        move[:3, :3] = turn
        move[:3, 3] = places[bone] - turn @ places[bone]
        below = rig.skeleton.below([bones[bone]])
        worlds[below] = inverse @ move @ rig.placement @ worlds[below]

    for side, out in _SIDES:
        upper, lower, hand = (f"{side}{part}" for part in ("UpperArm", "LowerArm", "Hand"))
        if upper in bones and lower in bones:
            shoulder, elbow = _arm(out, rng)
            point(upper, lower, shoulder)
            if hand in bones:
                point(lower, hand, elbow)
        thigh, knee = f"{side}UpperLeg", f"{side}LowerLeg"
        if thigh in bones and knee in bones and rng.random() < 0.5:
            places = places_of(rig, bones, worlds)
            angle = np.deg2rad(rng.normal(0, _SPREAD)) * out
            x, y, z = places[knee] - places[thigh]
            turned = (x * np.cos(angle) - z * np.sin(angle), y, x * np.sin(angle) + z * np.cos(angle))
            point(thigh, knee, np.array(turned))
    return dataclasses.replace(pose, worlds=worlds[None]), places_of(rig, bones, worlds)


def _arm(out: float, rng: np.random.Generator) -> tuple[Doubles, Doubles]:
    """Directions (3,) of an upper and a lower arm at the side `out`, 1 or -1, of the body."""
    style = ("hangs", "away", "level", "raised", "hip", "crossed", "forward")[int(rng.integers(7))]
    if style in _UPPER:
        middle, spread = _UPPER[style]
        angle = np.deg2rad(rng.normal(middle, spread))
        upper = np.array([out * np.sin(angle), -abs(rng.normal(0, 0.2)), -np.cos(angle)])
        bend = rng.normal((0, -0.2, 0.8 * (rng.random() < 0.25)), 0.3)
        return upper, upper + bend
    if style == "hip":
        return np.array([out * 0.7, 0.2, -0.7]), np.array([-out * 0.6, -0.5, -0.5 + rng.normal(0, 0.2)])
    if style == "crossed":
        upper = np.array([out * 0.25, -0.3, -0.9])
        return upper, np.array([-out * 0.9, -0.5, 0.2 + rng.normal(0, 0.25)])
    upper = np.array([out * rng.normal(0.2, 0.2), -0.6, -0.7])
    return upper, np.array([out * rng.normal(0, 0.3), -0.7, rng.normal(0.3, 0.5)])


def with_large_head(points: NDArray[np.float32], rig: Rig, head: int, factor: float) -> NDArray[np.float32]:
    """Vertices (V, 3) of a posed figure, those of its head scaled about the lowest of them."""
    below = rig.skeleton.below([head])[rig.nodes]
    share = (rig.weights * below[rig.slots]).sum(axis=1)[:, None]
    of_head = points[share[:, 0] > 0.9]
    if len(of_head) < 4:
        return points
    neck = np.array([of_head[:, 0].mean(), of_head[:, 1].mean(), of_head[:, 2].min()])
    return np.asarray(points + share * (factor - 1) * (points - neck), np.float32)


def dressed(mesh: Mesh, places: Places, rng: np.random.Generator) -> Mesh:
    """A posed figure with random clothes, hair, hat and things in its hands, none of them likely."""
    parts = [mesh]
    tall = float(np.ptp(mesh.vertices[:, 2]))
    if {"leftUpperLeg", "rightUpperLeg", "leftLowerLeg", "rightLowerLeg"} <= places.keys():
        parts += _skirt(places, tall, rng)
    parts += _hair(mesh, places, tall, rng)
    for side, _ in _SIDES:
        elbow, hand = places.get(f"{side}LowerArm"), places.get(f"{side}Hand")
        if elbow is None or hand is None:
            continue
        if rng.random() < 0.15:
            wide = tall * rng.uniform(0.03, 0.1)
            parts.append(_cone(elbow, hand, (tall * 0.03, wide), _colour(rng)))
        if rng.random() < 0.15:
            parts.append(_held(hand, hand - elbow, tall, rng))
    return concatenate(parts) if len(parts) > 1 else mesh


def _skirt(places: Places, tall: float, rng: np.random.Generator) -> list[Mesh]:
    if rng.random() > 0.3:
        return []
    left, right = places["leftUpperLeg"], places["rightUpperLeg"]
    knees = (places["leftLowerLeg"] + places["rightLowerLeg"]) / 2
    hips = (left + right) / 2
    hem = hips + (knees - hips) * rng.uniform(0.6, 2.0)
    waist = hips + (hips - knees) * rng.uniform(0.1, 0.5)
    narrow = max(abs(left[0] - right[0]), 0.1 * tall) * rng.uniform(0.7, 1.0)
    apart = abs(places["leftLowerLeg"][0] - places["rightLowerLeg"][0]) / 2
    wide = max(apart + 0.05 * tall, narrow) * rng.uniform(1.0, 1.9)
    return [_cone(waist, hem, (narrow, wide), _colour(rng), 0.75)]


def _hair(mesh: Mesh, places: Places, tall: float, rng: np.random.Generator) -> list[Mesh]:
    """Hair behind or around the head, and a hat."""
    if "head" not in places:
        return []
    neck, top = places["head"], float(mesh.vertices[:, 2].max())
    aside = np.abs(mesh.vertices[:, 0] - neck[0])
    near = mesh.vertices[(mesh.vertices[:, 2] > neck[2]) & (aside < 0.2 * tall)]
    if top - neck[2] < 0.05 * tall or len(near) < 8:
        return []
    middle, half = (near.max(0) + near.min(0)) / 2, np.ptp(near, axis=0) / 2
    parts: list[Mesh] = []
    colour = _colour(rng)
    if rng.random() < 0.3:
        root = middle + half * (0, 0.6, 1)
        low = middle + half * (0, 0.7, -rng.uniform(1.5, 6.0))
        wide = half[0] * rng.uniform(0.8, 1.4)
        parts.append(_cone(root, low, (half[0] * 0.6, wide), colour, 0.5))
    if rng.random() < 0.2:
        out = rng.uniform(1.0, 1.8)
        for side in (-1, 1):
            root = middle + half * (side * 0.9, 0, 0.3)
            end = root + half * (side * out * 0.6, 0.4, -rng.uniform(1, 5))
            parts.append(_cone(root, end, (half[0] * 0.25, half[0] * 0.15), colour))
    if rng.random() < 0.12:
        brim = middle + half * (0, 0, 0.5)
        tip = brim + half * (0, 0, rng.uniform(0.8, 2.2))
        wide, narrow = half[0] * rng.uniform(1.0, 1.8), half[0] * rng.uniform(0.05, 0.9)
        parts.append(_cone(brim, tip, (wide, narrow), _colour(rng)))
    return parts


def _held(hand: Doubles, along: Doubles, tall: float, rng: np.random.Generator) -> Mesh:
    """A stick, sword or shield at a hand."""
    if rng.random() < 0.3:
        thick, size = np.array([0, 0.02 * tall, 0]), tall * rng.uniform(0.06, 0.16)
        front = hand - (0, 0.05 * tall, 0)
        return _cone(front, front - thick, (size, size), _colour(rng))
    direction = np.array([rng.normal(0, 0.6), rng.normal(-0.3, 0.3), rng.normal(0.5, 0.8)]) + along / tall
    direction *= tall * rng.uniform(0.2, 0.8) / max(float(np.linalg.norm(direction)), 1e-6)
    radius = tall * rng.uniform(0.006, 0.025)
    return _cone(hand - direction * rng.uniform(0, 0.5), hand + direction, (radius, radius), _colour(rng))


def _colour(rng: np.random.Generator) -> _Colour:
    red, green, blue = rng.random(3) ** 1.5
    return float(red), float(green), float(blue)


def _cone(
    start: Doubles, end: Doubles, radii: tuple[float, float], colour: _Colour, flat: float = 1.0
) -> Mesh:
    """A closed cone between two places with a radius at each, along Y only `flat` of that, in one colour."""
    turn = rotation_between(np.array([0.0, 0.0, -1.0]), end - start)
    angles = np.arange(_RING) * 2 * np.pi / _RING
    circle = np.stack([np.cos(angles), np.sin(angles) * flat, 0 * angles], axis=1) @ turn.T
    points = np.concatenate([start + circle * radii[0], end + circle * radii[1], [start, end]])
    here = np.arange(_RING)
    after = (here + 1) % _RING
    sides = [
        np.stack([here, after, here + _RING], 1),
        np.stack([after, after + _RING, here + _RING], 1),
        np.stack([here, after, np.full(_RING, 2 * _RING)], 1),
        np.stack([here + _RING, after + _RING, np.full(_RING, 2 * _RING + 1)], 1),
    ]
    faces = np.concatenate(sides).astype(np.int32)
    material = Material(base_color=(*colour, 1.0))
    return Mesh(points.astype(np.float32), faces, (material,), np.zeros(len(faces), np.int32))
