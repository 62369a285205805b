"""Write a humanoid as VRM 1.0: a GLB in T-pose whose extension `VRMC_vrm` names its bones and its licence.

Source: https://github.com/vrm-c/vrm-specification, folder VRMC_vrm-1.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.figure import figure_of
from specsia_build.animation.humanoid import FINGERS, Humanoid, spoken
from specsia_build.animation.motion import Poses
from specsia_build.animation.rig import Rig, posed_through
from specsia_build.animation.skeleton import Skeleton, rotation_between
from specsia_build.arrays import Doubles
from specsia_build.errors import UsageError, some
from specsia_build.files.writing import write_bytes
from specsia_build.frame import up_rotation
from specsia_build.warning import Warning
from specsia_build.writers.exported import ExportedCharacter
from specsia_build.writers.glb import GlbBody

VRM = "VRMC_vrm"

_LICENSE = "https://vrm.dev/licenses/1.0/"
_SIDES = ("left", "right")
_REQUIRED = (
    "hips",
    "spine",
    "head",
    *(side + part for side in _SIDES for part in ("UpperArm", "LowerArm", "Hand")),
    *(side + part for side in _SIDES for part in ("UpperLeg", "LowerLeg", "Foot")),
)


def _needed() -> dict[str, str]:
    """The bone without which another does not count, such as the one before it in a finger."""
    needed = {"upperChest": "chest"}
    for finger, parts in FINGERS.items():
        for above, below in pairwise(parts):
            needed |= {side + finger + below: side + finger + above for side in _SIDES}
    return needed


_NEEDS = _needed()


def write_vrm(path: Path, character: ExportedCharacter) -> tuple[Warning, ...]:
    """Write a humanoid with a rig as a VRM 1.0 file, whole or not at all; returns warnings.

    It stands in a T-pose as VRM demands, whatever its pose was, on joints without rotations at rest, and has
    no motions. Its permissions are VRM's defaults, the strictest. Raises `UsageError` if it has no rig or
    lacks a bone that VRM requires.
    """
    if character.rig is None:
        raise UsageError(f"{character.name} has no rig, and VRM is for humanoids with one: write a .glb")
    human = figure_of(character.rig, character.humanoid).human
    posed = in_t_pose(character, replace(human, bones=_bones(human, character.name)))
    body = GlbBody(posed)
    body.extensions[VRM] = {
        "specVersion": "1.0",
        "meta": _meta(character),
        "humanoid": {"humanBones": {bone: {"node": node + 1} for bone, node in posed.humanoid.items()}},
    }
    write_bytes(path, body.encode())
    return (*body.about(path), *_left_out(path, character))


def _bones(human: Humanoid, name: str) -> Mapping[str, int]:
    """Node of each bone of VRM; `UsageError` if a required one is missing."""
    if missing := [spoken(bone) for bone in _REQUIRED if bone not in human.bones]:
        raise UsageError(f"{name} cannot be a VRM, which needs {some(missing, 8)}: write a .glb instead")
    bones: dict[str, int] = {}
    for bone, node in human.bones.items():
        if node not in bones.values() and _NEEDS.get(bone, "hips") in human.bones:
            bones[bone] = node
    if same := [spoken(bone) for bone in _REQUIRED if bone not in bones]:
        raise UsageError(f"{name} cannot be a VRM, as one joint serves as several bones: {some(same)}")
    return bones


def _meta(character: ExportedCharacter) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": character.name, "version": "1.0"}
    meta |= {"authors": [character.credit or "unknown"], "licenseUrl": _LICENSE}
    if character.license:
        meta["thirdPartyLicenses"] = character.license
    return meta


def _left_out(path: Path, character: ExportedCharacter) -> tuple[Warning, ...]:
    if character.rig is None or not character.rig.morphs:
        return ()
    sentence = f"{path.name} has no morph targets, which were left out"
    return (Warning("not-written", sentence, path.name),)


def in_t_pose(character: ExportedCharacter, human: Humanoid) -> ExportedCharacter:
    """A character with a rig in VRM's T-pose, its hips above the origin, on joints that are only moved.

    Bones hang on those that VRM demands, such as feet on legs; `humanoid` has their new numbers.
    """
    rig = character.rig
    assert rig is not None
    parents, order = _hierarchy(rig.skeleton, human, character.name)
    worlds = _t_pose(rig, human, parents, order)
    pose = Poses((np.linalg.inv(rig.placement) @ worlds)[None], {})
    mesh = next(posed_through(replace(character.mesh, rest=None), rig, pose))
    hips = worlds[human.bones["hips"], :3, 3] * (1.0, 1.0, 0.0)
    mesh = replace(mesh.with_vertices(mesh.vertices - hips), rest=None)
    number = np.empty(len(order), np.int32)
    number[order] = np.arange(len(order))
    shares = np.zeros((len(rig.points), len(order)), np.float32)
    for nodes, weights in zip(rig.nodes[rig.slots].T, rig.weights.T, strict=True):
        np.add.at(shares, (np.arange(len(shares)), number[nodes]), weights)
    # In the axes of the file, so that its root is not turned either.
    turn = np.eye(4)
    turn[:3, :3] = up_rotation("+y")
    places, points = (values @ turn[:3, :3] for values in (worlds[order, :3, 3] - hips, mesh.vertices))
    names = tuple(rig.skeleton.names[node] for node in order)
    above = np.where(parents[order] < 0, -1, number[parents[order]]).astype(np.int32)
    most = int(np.count_nonzero(shares, axis=1).max(initial=1))
    bare = Rig.unturned(names, above, places, points, shares, most).placed(turn)
    bones = {bone: int(number[node]) for bone, node in human.bones.items()}
    return replace(character, mesh=mesh, rig=bare, motions=(), humanoid=bones)


def _hierarchy(skeleton: Skeleton, human: Humanoid, name: str) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Parents (J,) of nodes, where bones hang on those that VRM demands, and the nodes, parents first."""
    parents = skeleton.parents.copy()
    for bone, node in human.bones.items():
        upper = human.parent(bone)
        if upper not in (None, node) and upper not in skeleton.above(node):
            parents[node] = upper
    order = [int(node) for node in np.flatnonzero(parents < 0)]
    for node in order:
        order += np.flatnonzero(parents == node).tolist()
    if len(order) < len(parents):
        raise UsageError(f"{name} cannot be a VRM, as its bones hang on each other in a circle: write a .glb")
    return parents, np.array(order)


def _t_pose(rig: Rig, human: Humanoid, parents: NDArray[np.int32], order: NDArray[np.int64]) -> Doubles:
    """Transforms (J, 4, 4) of a rig's nodes to the mesh's coordinates, Z up and facing -Y, in VRM's T-pose.

    Arms and hands point along X, legs down and feet ahead; all else keeps its angle to what it hangs on.
    """
    rest = rig.placement @ rig.skeleton.rest_worlds
    of_node = {node: bone for bone, node in human.bones.items()}
    turns, out = np.tile(np.eye(3), (len(rest), 1, 1)), rest.copy()
    for node in order.tolist():
        parent = int(parents[node])
        above = turns[parent] if parent >= 0 else np.eye(3)
        turns[node] = above
        if node in of_node:
            turns[node] = _turn(of_node[node], human.bones, rest[:, :3, 3], above)
        out[node, :3, :3] = turns[node] @ rest[node, :3, :3]
        if parent >= 0:
            out[node, :3, 3] = out[parent, :3, 3] + above @ (rest[node, :3, 3] - rest[parent, :3, 3])
    return out


_NEXT = {"UpperArm": "LowerArm", "LowerArm": "Hand", "Hand": "MiddleProximal"}
_NEXT |= {"UpperLeg": "LowerLeg", "LowerLeg": "Foot", "Foot": "Toes"}


def _turn(bone: str, bones: Mapping[str, int], places: Doubles, above: Doubles) -> Doubles:
    """Rotation (3, 3) from rest to the T-pose of a bone that hangs on one that is turned by `above`."""
    side = next((name for name in _SIDES if bone.startswith(name)), "")
    part = bone.removeprefix(side)
    end = bones.get(side + _NEXT.get(part, ""))
    if part == "Foot":
        # A foot stays flat on the ground, however the leg was turned.
        ahead = None if end is None else (places[end] - places[bones[bone]]) * (1.0, 1.0, 0.0)
        return np.eye(3) if ahead is None else rotation_between(ahead, np.array([0.0, -1.0, 0.0]))
    if end is None or part not in _NEXT:
        return above
    outward = np.array([1.0 if side == "left" else -1.0, 0.0, 0.0])
    goal = outward if part in ("UpperArm", "LowerArm", "Hand") else np.array([0.0, 0.0, -1.0])
    return rotation_between(above @ (places[end] - places[bones[bone]]), goal) @ above
