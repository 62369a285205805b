"""Ultra-Dense Pose, as CoNR reads it: each pixel's position on the standing body."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.figure import Figure, figure_of
from specsia_build.animation.humanoid import spoken
from specsia_build.animation.motion import ROTATION, Motion, Track, poses
from specsia_build.animation.retarget import retargeted
from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import Skeleton
from specsia_build.config import UdpScale
from specsia_build.errors import CharacterError, some
from specsia_build.rendering.layers import HALF_COVERED, Layers
from specsia_build.rendering.mesh import Mesh
from specsia_build.warning import Warning

BELOW_DEG = 30.0  # Angle of the arms of the A-pose below the horizontal; its legs are straight down

_JOINTS = {
    "hips": ("", (0.0, 0.0, 0.92)),
    "spine": ("hips", (0.0, 0.0, 1.02)),
    "chest": ("spine", (0.0, 0.0, 1.17)),
    "neck": ("chest", (0.0, 0.0, 1.42)),
    "head": ("neck", (0.0, 0.0, 1.5)),
    "UpperLeg": ("hips", (0.09, 0.0, 0.88)),
    "LowerLeg": ("UpperLeg", (0.09, -0.005, 0.48)),
    "Foot": ("LowerLeg", (0.09, 0.0, 0.08)),
    "Toes": ("Foot", (0.09, -0.13, 0.02)),
    "Shoulder": ("chest", (0.03, 0.0, 1.38)),
    "UpperArm": ("Shoulder", (0.17, 0.0, 1.38)),
    "LowerArm": ("UpperArm", (0.43, 0.0, 1.38)),
    "Hand": ("LowerArm", (0.67, 0.0, 1.38)),
}
"""Parent and position (left, -front, up) in metres of each joint of a person in a T-pose; of pairs, which
begin with capitals, the left one's."""


@dataclass(frozen=True)
class Landmarks:
    """Places of the vertices of a standing character (V, 3), 0 to 1.

    x goes from its right to its left, y from front to back, z upwards. They are shares of its box along each
    axis, 0 where the box is flat; or, in one scale, of its height, 0.5 in the middle of the box of x and y.
    """

    values: NDArray[np.float32]
    warning: Warning | None  # If they are of the rest pose, not of the A-pose


def landmarks(mesh: Mesh, rig: Rig, stated: Mapping[str, int], scale: UdpScale = "box") -> Landmarks:
    """Compute the landmarks of a character: of a humanoid in the A-pose, of any other in its rest pose.

    The mesh is at rest; `stated` has the node of each humanoid bone by the character's file, or is empty. In
    the scale `height`, a character that is longer than tall is measured by its longest side.
    """
    figure = figure_of(rig, stated)
    vertices, reason = mesh.vertices, ""
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
    if scale == "height":
        low[:2] -= (extent.max() - extent[:2]) / 2
        extent[:] = extent.max()
    values = np.divide(vertices - low, extent, out=np.zeros_like(vertices), where=extent > 0)
    problem = "its Ultra-Dense Pose is of its rest pose, not of the A-pose that people share"
    return Landmarks(values, Warning("rest-pose", f"{problem}: {reason}", "skeleton") if reason else None)


def _a_pose() -> tuple[Motion, Figure]:
    """The A-pose as a motion of length 0, and the figure that it is of."""
    bones = dict[str, int]()
    parents = list[int]()
    places = list[NDArray[np.float64]]()
    for name, (parent, place) in _JOINTS.items():
        for side, sign in (("left", 1.0), ("right", -1.0)) if name[0].isupper() else (("", 1.0),):
            parents.append(bones.get(side + parent, bones.get(parent, -1)))
            bones[side + name] = len(bones)
            places.append(np.array(place) * (sign, 1.0, 1.0))
    offsets = [place - places[k] if k >= 0 else place for place, k in zip(places, parents, strict=True)]
    skeleton, tracks = Skeleton.unturned(tuple(bones), parents, offsets), []
    for side, turn in (("left", BELOW_DEG), ("right", -BELOW_DEG)):
        lowered = scipy.spatial.transform.Rotation.from_euler("y", turn, degrees=True).as_quat()
        tracks.append(Track(bones[f"{side}UpperArm"], ROTATION, np.zeros(1), lowered[None]))
    return Motion("A-pose", tuple(tracks), 0.0, 0.0), Figure(skeleton, np.eye(3), bones)


def udp(layers: Layers, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the Ultra-Dense Pose (S, S, 4), 0 to 1, of a frame drawn with `seen`, from `Landmarks.values`.

    It is the landmark of the visible point, and 1; 0 in pixels that the figure covers by less than half.
    """
    assert layers.seen is not None
    covered = layers.mask >= HALF_COVERED
    out = np.zeros((*covered.shape, 4), np.float32)
    out[covered, :3] = layers.seen.values(values)[covered].clip(0, 1)
    out[covered, 3] = 1
    return out
