"""Which way is up: by a character's joints, or by its shape, with the evidence; never a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.characters.facing import LEAST_PAIRS, SAMPLES, Evidence, left_of, opposite
from specsia_build.characters.landmarks import Landmark, is_end_of_leg, is_of_foot, is_of_leg, is_of_tail
from specsia_build.characters.shape import shape_of, surface_points
from specsia_build.frame import AXES, axis_vector, up_rotation
from specsia_build.rendering.mesh import Mesh

LEAST_UPRIGHT = 0.8
"""Cosine between an axis and the way from the feet to the other joints."""

LEAST_HOVER = 0.02
"""How far the lowest point is from the origin's plane, in heights, where a character does not rest upon that."""

LEAST_ASIDE = 0.2
"""Share of its extent along another axis that lies to either side of the origin, where a character stands upon it."""

PROGRAMS_UP = ("+y", "+z")
"""Axes that programs have for up."""

LEAST_ALONG_LEGS = 0.5
"""Cosine between the way up and that from feet to legs, which may bend."""

ONE_PLACE = 1e-3
"""Share of the way that joints are spread over within which two lie in one place."""

MOST_BELOW_FEET = 0.1
"""How far a tail hangs below the feet of who stands, in the way from these to the other joints."""


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
    return Evidence(axis, f"its feet lie at the {opposite(axis)} end", strong=True)


def _apart(places: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Places (N, 3) of joints without those that others lie at: controls may wait at a root by the hundred."""
    found = np.array(places, np.float64)
    step = ONE_PLACE * float(np.ptp(found, axis=0).max())
    rounded = np.round(found / step) if step > 0 else np.zeros_like(found)
    return found[np.sort(np.unique(rounded, axis=0, return_index=True)[1])]


def up_by_shape(mesh: Mesh) -> Evidence:
    """The axis, ``+y``, ``+z`` or ``-z``, along which a mesh in its file's own coordinates stands on two feet or more.

    Nothing is sure where it stands along several or none, or would be lower standing than lying.
    """
    points = surface_points(mesh, SAMPLES)
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


def up_of(mesh: Mesh, landmarks: Sequence[Landmark], usual: str, *, settled: bool = False) -> Evidence:
    """Which way is up in a file's own coordinates: its joints say, or else its shape.

    Where neither does, what it rests upon may: most are modelled upon their origin.

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
    if found.axis is None:
        found = _up_by_ground(mesh, usual) or found
    if found.axis not in (None, usual) and _rests(mesh, usual) and not _rests(mesh, found.axis or usual):
        return Evidence(None, "it rests on the ground as its format has it")
    return found


def _up_by_ground(mesh: Mesh, usual: str) -> Evidence | None:
    """The axis of a program along which a mesh rests upon its origin, while it lies on both sides of it as is usual."""
    along = mesh.vertices[mesh.used] @ axis_vector(usual)
    if min(-along.min(), along.max()) < LEAST_ASIDE * np.ptp(along):
        return None
    for axis in PROGRAMS_UP:
        if axis != usual and _rests(mesh, axis):
            why = f"it rests on the plane through its origin that way, but lies on both sides of it along {usual}"
            return Evidence(axis, why)
    return None


def _rests(mesh: Mesh, up: str) -> bool:
    """Whether a mesh rests upon the plane through its origin that an axis is square to."""
    along = mesh.vertices[mesh.used] @ axis_vector(up)
    return bool(abs(along.min()) < LEAST_HOVER * np.ptp(along))
