"""Ultra-Dense Pose, as CoNR reads it: each pixel's position on the standing body."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.dummy import dummy
from specsia_build.animation.figure import Figure, figure_of
from specsia_build.animation.humanoid import spoken
from specsia_build.animation.motion import ROTATION, Motion, Track, poses
from specsia_build.animation.retarget import retargeted
from specsia_build.animation.rig import Rig
from specsia_build.errors import CharacterError, some
from specsia_build.jit import compiled, ready
from specsia_build.rendering.layers import HALF_COVERED, Layers
from specsia_build.rendering.mesh import Mesh

BELOW_DEG = 30.0  # Angle of the arms of the A-pose below the horizontal; its legs are straight down


@dataclass(frozen=True)
class Landmarks:
    """Places of the vertices of a standing character (V, 3), 0 to 1 over its box along each axis.

    x goes from its right to its left, y from front to back, z upwards; 0 along an axis on which the box is flat.
    `warning` is a sentence if they are of the rest pose, and empty if they are of the A-pose.
    """

    values: NDArray[np.float32]
    warning: str


def landmarks(mesh: Mesh, rig: Rig, stated: Mapping[str, int]) -> Landmarks:
    """Compute the landmarks of a character: of a humanoid in the A-pose, of any other in its rest pose.

    The mesh is at rest; `stated` has the node of each humanoid bone by the character's file, or is empty.
    """
    figure, vertices, reason = figure_of(rig, stated), mesh.vertices, ""
    if figure.human.missing:
        reason = f"it has no joints for {some([spoken(bone) for bone in figure.human.missing], 3)}"
    else:
        try:
            with np.errstate(all="ignore"):
                pose = retargeted(*_a_pose(), figure)
            vertices = rig.vertices(poses(figure.skeleton, pose.motion, np.zeros(1)), 0)
        except CharacterError as error:
            reason = str(error)
    if not np.isfinite(vertices).all():
        vertices, reason = mesh.vertices, "its skeleton takes vertices to positions that are not numbers"
    low = vertices.min(axis=0)
    extent = vertices.max(axis=0) - low
    values = np.divide(vertices - low, extent, out=np.zeros_like(vertices), where=extent > 0)
    warning = (
        f"its Ultra-Dense Pose is of its rest pose, not of the A-pose that people share: {reason}" if reason else ""
    )
    return Landmarks(values, warning)


def _a_pose() -> tuple[Motion, Figure]:
    """The A-pose as a motion of length 0, and its figure."""
    skeleton = dummy()
    bones = {name: node for node, name in enumerate(skeleton.names)}
    tracks = []
    for side, turn in (("left", BELOW_DEG), ("right", -BELOW_DEG)):
        lowered = scipy.spatial.transform.Rotation.from_euler("y", turn, degrees=True).as_quat()
        tracks.append(Track(bones[f"{side}UpperArm"], ROTATION, np.zeros(1), lowered[None]))
    return Motion("A-pose", tuple(tracks), 0.0, 0.0), Figure(skeleton, np.eye(3), bones)


def udp(layers: Layers, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the Ultra-Dense Pose of a frame drawn with `seen`, from `Landmarks.values`.

    Returns:
        (S, S, 4), 0 to 1: the landmark of the visible point, and 1 for occupied; 0 in pixels that the figure covers by
        less than half.
    """
    assert layers.seen is not None
    pose: NDArray[np.float32] = _occupied(layers.seen.values(values), ready(layers.mask))
    return pose


@compiled
def _occupied(values, mask):  # type: ignore[no-untyped-def]
    out = np.zeros((*mask.shape, 4), np.float32)
    for row in range(mask.shape[0]):
        for column in range(mask.shape[1]):
            if mask[row, column] >= HALF_COVERED:
                for k in range(3):
                    out[row, column, k] = min(max(values[row, column, k], np.float32(0)), np.float32(1))
                out[row, column, 3] = 1
    return out
