"""Skeletons of one body for tests, with chosen joint names, poses and orientations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from specsia_build.animation.figure import Figure
from specsia_build.animation.motion import ROTATION, Motion, Track, poses
from specsia_build.animation.rig import Rig, posed_through
from specsia_build.animation.skeleton import Skeleton
from specsia_build.frame import up_rotation
from specsia_build.rendering.mesh import Mesh

Vector = tuple[float, float, float]

BODY: dict[str, tuple[str | None, Vector]] = {
    "hips": (None, (0, 0, 1.0)),
    "spine": ("hips", (0, 0, 1.15)),
    "chest": ("spine", (0, 0, 1.3)),
    "neck": ("chest", (0, 0, 1.5)),
    "head": ("neck", (0, 0, 1.6)),
}
"""What each bone hangs on, and where it is, Z up and facing -Y, in a T-pose."""

for _name, _x in (("left", 1), ("right", -1)):
    BODY |= {
        f"{_name}Shoulder": ("chest", (0.05 * _x, 0, 1.45)),
        f"{_name}UpperArm": (f"{_name}Shoulder", (0.2 * _x, 0, 1.45)),
        f"{_name}LowerArm": (f"{_name}UpperArm", (0.5 * _x, 0, 1.45)),
        f"{_name}Hand": (f"{_name}LowerArm", (0.75 * _x, 0, 1.45)),
        f"{_name}UpperLeg": ("hips", (0.1 * _x, 0, 0.95)),
        f"{_name}LowerLeg": (f"{_name}UpperLeg", (0.1 * _x, 0, 0.5)),
        f"{_name}Foot": (f"{_name}LowerLeg", (0.1 * _x, 0, 0.08)),
        f"{_name}Toes": (f"{_name}Foot", (0.1 * _x, -0.12, 0.02)),
    }

_TRUNK = {"hips": "Hips", "spine": "Spine", "chest": "Spine2", "neck": "Neck", "head": "Head"}
MIXAMO = {bone: f"mixamorig:{name}" for bone, name in _TRUNK.items()}
KAYKIT = {bone: bone for bone in ("hips", "spine", "chest", "head")}
QUATERNIUS = {"hips": "Body", "spine": "Hips", "chest": "Torso", "neck": "Neck", "head": "Head"}
for _name, _capital in (("left", "Left"), ("right", "Right")):
    _parts = ("Shoulder", "UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot", "Toes")
    _mixamo = ("Shoulder", "Arm", "ForeArm", "Hand", "UpLeg", "Leg", "Foot", "ToeBase")
    MIXAMO |= {_name + p: f"mixamorig:{_capital}{word}" for p, word in zip(_parts, _mixamo, strict=True)}
    KAYKIT |= {_name + part: f"{part.lower()}.{_name[0]}" for part in _parts[1:]}
    QUATERNIUS |= {_name + part: f"{part}.{_capital[0]}" for part in _parts[:-1]}


def skeleton_of(names: Iterable[str], parents: Sequence[int], at: ArrayLike = 0.0, **more: Any) -> Skeleton:
    """A skeleton whose joints are turned nowhere, at (J, 3) places from their parents."""
    names = tuple(names)
    return replace(Skeleton.unturned(names, parents, np.broadcast_to(at, (len(names), 3))), **more)


def two_joints(points: NDArray[np.float32], upper: NDArray[Any], offset: Vector, place: Any = None) -> Rig:
    """A joint at the origin and one at an offset, on which the share `upper` (V,) of each vertex hangs.

    `place` (4, 4) leads from the file's coordinates to the mesh's.
    """
    place, binds = np.eye(4) if place is None else place, np.stack([np.eye(4)] * 2)
    binds[1, :3, 3] = np.negative(offset)
    inverse = np.linalg.inv(place)
    weights = {0: np.zeros(1), 1: np.zeros(1)}
    return Rig(
        skeleton=skeleton_of(("root", "upper"), (-1, 0), [(0, 0, 0), offset], morph_weights=weights),
        points=(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(np.float32),
        slots=np.tile(np.array([0, 1], np.int32), (len(points), 1)),
        weights=np.stack([1 - upper, upper], axis=1).astype(np.float32),
        nodes=np.array([0, 1], np.int32),
        inverse_binds=binds,
        placement=place,
    )


def person(
    names: Mapping[str, str] | None = None,
    *,
    lowered: float = 0.0,
    seed: int | None = None,
    size: float = 1.0,
    up: str = "+z",
    shin: float = 1.0,
    hung: Mapping[str, str | None] | None = None,
) -> tuple[Figure, dict[str, int]]:
    """A person and the nodes of its bones.

    Args:
        names: of the bones that it has; None is all, called as in VRM.
        lowered: degrees by which its arms rest below the horizontal.
        seed: of how its joints are oriented at rest; None is along the axes.
        size: units of a metre.
        up: axis that points up.
        shin: how much longer its shins are, the thighs being that much shorter.
        hung: other parents of bones than in `BODY`.
    """
    bones = [bone for bone in BODY if names is None or bone in names]
    places = {bone: np.array(BODY[bone][1], np.float64) for bone in bones}
    for bone in bones:
        side = 1 if bone.startswith("left") else -1
        if bone.endswith(("LowerArm", "Hand")):
            root = bone.replace("LowerArm", "UpperArm").replace("Hand", "UpperArm")
            turn = Rotation.from_euler("y", side * lowered, degrees=True)
            places[bone] = places[root] + turn.apply(np.subtract(BODY[bone][1], BODY[root][1]))
        if bone.endswith("LowerLeg"):
            places[bone][2] += 0.4 * (shin - 1.0)
    random = np.random.default_rng(seed or 0)
    back = up_rotation(up).T * size
    worlds = np.tile(np.eye(4), (len(bones), 1, 1))
    for k, bone in enumerate(bones):
        worlds[k, :3, 3] = back @ places[bone]
        if seed is not None:
            worlds[k, :3, :3] = Rotation.random(random_state=random).as_matrix()
    parents, locals_ = [], []
    for k, bone in enumerate(bones):
        above: str | None = hung[bone] if hung and bone in hung else BODY[bone][0]
        while above is not None and above not in bones:
            above = BODY[above][0]
        parents.append(-1 if above is None else bones.index(above))
        locals_.append(worlds[k] if above is None else np.linalg.inv(worlds[parents[-1]]) @ worlds[k])
    local = np.array(locals_)
    skeleton = Skeleton.unturned([names[bone] if names else bone for bone in bones], parents, local[:, :3, 3])
    skeleton = replace(skeleton, rotations=np.asarray(Rotation.from_matrix(local[:, :3, :3]).as_quat()))
    return Figure(skeleton, up_rotation(up), {}), {bone: k for k, bone in enumerate(bones)}


def turning(figure: Figure, node: int, vectors: list[Vector], name: str = "turn") -> Motion:
    """A node turned from its rest by vectors (degrees along an axis, Z up), a second apart."""
    skeleton = figure.skeleton
    parent = int(skeleton.parents[node])
    above = np.eye(3) if parent < 0 else skeleton.rest_worlds[parent, :3, :3]
    turns = figure.turn.T @ Rotation.from_rotvec(vectors, degrees=True).as_matrix() @ figure.turn
    local = above.T @ turns @ above @ Rotation.from_quat(skeleton.rotations[node]).as_matrix()
    times = np.arange(len(vectors), dtype=np.float64)
    track = Track(node, ROTATION, times, np.asarray(Rotation.from_matrix(local).as_quat()))
    return Motion(name, (track,), 0.0, float(times[-1]))


def into_bvh(figure: Figure, motion: Motion) -> str:
    """A skeleton that is turned nowhere at rest, and a motion's keys, as a BVH file."""
    skeleton, order = figure.skeleton, list[int]()

    def joint(node: int) -> str:
        order.append(node)
        offset = " ".join(f"{value:.6f}" for value in skeleton.translations[node])
        children = "".join(joint(child) for child in np.flatnonzero(skeleton.parents == node).tolist())
        kind = "JOINT" if skeleton.parents[node] >= 0 else "ROOT"
        channels = "CHANNELS 3 Yrotation Zrotation Xrotation"
        end = "" if children else "End Site\n{\nOFFSET 0 0 0\n}\n"
        return f"{kind} {skeleton.names[node]}\n{{\nOFFSET {offset}\n{channels}\n{children}{end}}}\n"

    hierarchy = joint(0)
    times = motion.tracks[0].times
    angles = np.zeros((len(times), len(order), 3))
    for track in motion.tracks:
        angles[:, order.index(track.node)] = Rotation.from_quat(track.values).as_euler("YZX", degrees=True)
    rows = "\n".join(" ".join(f"{value:.6f}" for value in row) for row in angles.reshape(len(times), -1))
    return f"HIERARCHY\n{hierarchy}MOTION\nFrames: {len(times)}\nFrame Time: 1.0\n{rows}\n"


def places(figure: Figure, motion: Motion | None, time: float) -> NDArray[np.float64]:
    """Where all joints are at a time, (J, 3), Z up and facing -Y."""
    return np.asarray(poses(figure.skeleton, motion, np.array([time])).worlds[0, :, :3, 3] @ figure.turn.T)


def way(at: NDArray[np.float64], bones: Mapping[str, int], upper: str, lower: str) -> NDArray[np.float64]:
    """Direction from one bone to another."""
    along = at[bones[lower]] - at[bones[upper]]
    return np.asarray(along / np.linalg.norm(along))


def degrees(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The angle between two directions."""
    return float(np.degrees(np.arccos(np.clip(a @ b, -1, 1))))


def posed(mesh: Mesh, rig: Rig, motion: Motion | None, time: float) -> Mesh:
    return next(posed_through(mesh, rig, poses(rig.skeleton, motion, np.array([time]))))
