"""Joints of characters that have a rig of their own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.figure import figure_of
from specsia_build.characters.read import AnimatedCharacter
from specsia_build.frame import ORTHO_WIDTH, Camera
from specsia_build.rendering.fast.renderer import glance
from specsia_build.rendering.mesh import Material, Mesh
from specsia_build.repairing.drawing import Frontal, render_front
from specsia_build.repairing.reconstruction import read_single
from specsia_build.rigging.joints import JOINTS, Joints
from specsia_build.rigging.skeleton import PARENTS
from tests.shapes import BOX, TRIANGLES

SIZE = 512


def box(centre: tuple[float, float, float], size: tuple[float, float, float]) -> Mesh:
    faces = np.array(TRIANGLES, np.int32).reshape(-1, 3)
    vertices = (BOX * size + centre).astype(np.float32)
    return Mesh(vertices, faces, (Material(),), np.zeros(len(faces), np.int32))


def real_front(path: Path) -> tuple[AnimatedCharacter, Frontal]:
    own = read_single(path)
    return own, render_front(own, SIZE)


def true_places(own: AnimatedCharacter, front: Frontal) -> dict[str, NDArray[np.float64]]:
    """Places in the frame of the joints that a character's rig has, the hips between its legs."""
    assert front.rig is not None
    bones = figure_of(front.rig, own.humanoid).human.bones
    worlds = front.rig.placement @ front.rig.skeleton.rest_worlds
    places = {name: worlds[bones[name], :3, 3] for name in JOINTS if name in bones}
    places["hips"] = (places["leftUpperLeg"] + places["rightUpperLeg"]) / 2
    return places


def true_joints(own: AnimatedCharacter, front: Frontal) -> Joints:
    """The joints as in a picture of the front; those that the rig lacks are not drawn."""
    assert front.mesh is not None
    places = true_places(own, front)
    at = np.array([places.get(name, np.zeros(3)) for name in JOINTS])
    pixels = (at[:, [0, 2]] * (1, -1) / ORTHO_WIDTH + 0.5) * SIZE
    first, behind = glance(front.mesh, [Camera(0.0, SIZE), Camera(180.0, SIZE)])
    column, row = pixels.astype(int).T
    with np.errstate(invalid="ignore"):
        low, high = first[row, column], -behind[row, SIZE - 1 - column]
        inside = np.nan_to_num((at[:, 1] - low) / (high - low), nan=0.5)
    known = np.array([float(name in places) for name in JOINTS])
    return Joints(pixels, np.clip(inside, 0, 1), known)


def own_weights(own: AnimatedCharacter, front: Frontal) -> NDArray[np.float64]:
    """Weights (V, 22) of a character's rig, joints without a name counting to those above."""
    assert front.rig is not None
    rig, number = front.rig, {name: k for k, name in enumerate(JOINTS)}
    bones = figure_of(rig, own.humanoid).human.bones
    named = {node: number[bone] for bone, node in bones.items() if bone in number}
    column = np.zeros(len(rig.skeleton.names), np.int64)
    for node, parent in enumerate(rig.skeleton.parents.tolist()):
        column[node] = named.get(node, column[parent] if parent >= 0 else 0)
    weights = np.zeros((len(rig.points), len(JOINTS)))
    rows = np.repeat(np.arange(len(weights)), rig.slots.shape[1])
    np.add.at(weights, (rows, column[rig.nodes[rig.slots]].ravel()), rig.weights.ravel())
    return weights


def merged(weights: NDArray[np.float64], joints: Joints) -> NDArray[np.float64]:
    """Weights (V, 22), those of joints that are not drawn counted to the ones above."""
    above = np.arange(len(JOINTS))
    for number in range(1, len(JOINTS)):
        above[number] = number if joints.confidence[number] else above[PARENTS[number]]
    out = np.zeros_like(weights)
    np.add.at(out.T, above, weights.T)
    return out


def scaled_joints(joints: Joints, factor: float) -> Joints:
    """Joints in a front that was shrunk about its middle."""
    return replace(joints, pixels=(joints.pixels - SIZE / 2) * factor + SIZE / 2)
