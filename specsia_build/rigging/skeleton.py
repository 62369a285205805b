"""The rig of a drawn figure: its joints put into its reconstruction, and the skin that they move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy

from specsia_build.animation.humanoid import humanoid, spoken
from specsia_build.animation.rig import Rig
from specsia_build.arrays import Doubles, Mask, Pixels
from specsia_build.characters.character import RawMoving
from specsia_build.characters.motions import built_in
from specsia_build.errors import CharacterError, some
from specsia_build.frame import ORTHO_WIDTH, Camera, front_rotation
from specsia_build.rendering.fast.renderer import FastRenderer, glance
from specsia_build.rendering.mesh import Mesh
from specsia_build.rigging.find import find_joints
from specsia_build.rigging.joints import JOINTS, Joints
from specsia_build.rigging.parting import LEG_PARTS, part_legs
from specsia_build.rigging.skinning import DrawnLimbs, Segments, skin_weights
from specsia_build.rigging.sway import bounce, spine_rig, sway
from specsia_build.rigging.webs import ARMS, joined_in, of_one_place, without_crumbs
from specsia_build.warning import Warning

_TRUNK = JOINTS[:6]
_ABOVE = {
    "Shoulder": "UpperArm",
    "UpperArm": "LowerArm",
    "LowerArm": "Hand",
    "UpperLeg": "LowerLeg",
    "LowerLeg": "Foot",
    "Foot": "Toes",
}
"""The next joint of a limb."""

OUTSIDE = 0.04  # Distance from the silhouette, in widths of the picture, from which a joint is not drawn
UNSURE_JOINT = 0.25  # Confidence below which a joint is named in a warning
_TOP = 0.05  # Distance in units from the axis of neck and head within which vertices are its top
_HAND, _TOES = 0.5, 0.5  # Lengths of hands in lower arms, and of toes in feet
_SHORT = 0.4  # Length of a thigh in lengths of the back below which its knee is not drawn; it is about 0.8
_HEAD = 0.8  # Length of a head up to its top
_FRONT = 512  # Pixels on a side of the picture in which joints of a mesh are found


def _parents() -> list[int]:
    """Index of the joint above each of `JOINTS`, -1 for the hips."""
    above = {lower: upper for upper, lower in _ABOVE.items()}
    parents = list(range(-1, len(_TRUNK) - 1))
    for name in JOINTS[len(_TRUNK) :]:
        side = "left" if name.startswith("left") else "right"
        part = name.removeprefix(side)
        start = "hips" if part == "UpperLeg" else "upperChest"
        parents.append(JOINTS.index(side + above[part] if part in above else start))
    return parents


PARENTS = _parents()
"""Index into `JOINTS` of the joint that each hangs on; -1 for the hips."""


def rig_figure(mesh: Mesh, joints: Joints | None, drawing: Pixels, faces: str = "-y") -> RawMoving:
    """The rig of a drawing's reconstruction, and motions that any figure can play.

    The rig of a person has a root on the ground and the bones of `JOINTS`; that of any other figure, and
    without joints, is an upright spine, and its `humanoid` is empty. Raises CharacterError if the mesh has no
    surface, or too few joints of a person are drawn.

    Args:
        mesh: the reconstruction in the frame of the drawing.
        joints: in the drawing.
        drawing: (S, S, 4) uint8, straight alpha, a picture of the frame.
        faces: axis that the figure faces; what is drawn of it lies at -Y.
    """
    if joints is None or joints.kind != "person":
        return spine_rig(mesh)
    places, known = places_of(mesh, joints, len(drawing))
    weights = skin_weights(mesh, JOINTS, bone_lines(mesh, places, known), DrawnLimbs(drawing, ARMS))
    weights = part_legs(mesh, weights, places, drawing)
    turn = front_rotation(faces)
    moving = _rig_person(mesh.rotated(turn), weights, places @ turn.T, known, joints)
    back = np.eye(4)
    back[:3, :3] = turn.T
    return replace(moving, rig=moving.rig.placed(back))


def rig_by_front(mesh: Mesh, name: str) -> RawMoving:
    """The rig of a person in the frame, by joints that are found in a picture of its front; without motions.

    Raises CharacterError, with the figure's `name`, if it is no person, or most of its joints are unsure.
    """
    picture = next(FastRenderer().render(mesh, [Camera(0.0, _FRONT)])).color
    joints = joints_in(picture)
    if joints.kind != "person":
        raise CharacterError(f"{name} has no rig, and no arms and legs were detected to make one from")
    moving = rig_figure(mesh, joints, picture)
    unsure = [warning.subject for warning in moving.warnings if warning.code == "joints-unsure"]
    sentences = [f"cannot tell where {name} has {subject}: look at its clips" for subject in unsure]
    warnings = tuple(Warning("joints-unsure", sentence, name) for sentence in sentences)
    return replace(moving, motions=(), warnings=warnings)


def joints_in(picture: Pixels) -> Joints:
    """Joints of the figure in a picture (S, S, 4) uint8; one with most joints unsure is no person.

    Raises CharacterError if the picture is not square, or shows nothing.
    """
    joints = find_joints(picture)
    if joints.kind == "person" and np.median(joints.confidence) < UNSURE_JOINT:
        return replace(joints, kind="other")
    return joints


def places_of(mesh: Mesh, joints: Joints, size: int) -> tuple[Doubles, Mask]:
    """Places (22, 3) of joints in the frame, and whether the drawing shows each (22,).

    A joint lies between the first and the last surface behind its pixel. Those off the figure, or without any
    confidence, are put where they would be on an upright person. Raises CharacterError if hips and head, or
    parts between them, are not drawn.
    """
    front, back = glance(mesh, [Camera(0.0, size), Camera(180.0, size)])
    covered = np.isfinite(front)
    away, nearest = scipy.ndimage.distance_transform_edt(~covered, return_indices=True)
    column, row = np.clip(np.floor(joints.pixels), 0, size - 1).astype(np.int64).T
    known = np.asarray((joints.confidence > 0) & (away[row, column] <= OUTSIDE * size))
    row, column = nearest[:, row, column]
    # The camera behind sees the columns mirrored.
    first, last = front[row, column], -back[row, size - 1 - column]
    x, z = ((joints.pixels / size - 0.5) * (ORTHO_WIDTH, -ORTHO_WIDTH)).T
    places = np.stack([x, first + joints.inside * (last - first), z], axis=1)
    return _completed(places, known), known


def _completed(places: Doubles, known: Mask) -> Doubles:
    """Places (22, 3), those that are not known put below their parents as on the skeleton of the motions."""
    trunk = np.flatnonzero(known[: len(_TRUNK)])
    if len(trunk) < 2:
        raise CharacterError(
            "the drawing shows too little of a person to move it: two joints of its middle are needed "
            f"({some(_TRUNK, 6)})"
        )
    standing = _standing()
    low, high = trunk[0], trunk[-1]
    scale = np.linalg.norm(places[high] - places[low]) / np.linalg.norm(standing[high] - standing[low])
    out, placed = places.copy(), known.copy()
    for number in range(len(JOINTS)):
        start = PARENTS[number] if number > 0 and placed[PARENTS[number]] else low
        if not placed[number]:
            out[number] = out[start] + scale * (standing[number] - standing[start])
            placed[number] = number > low
    return out


def below_cut(joints: Joints) -> Mask:
    """Find the joints (22,) that are not drawn of a figure which the picture's lower border cuts.

    These are its feet, and knees that lie much higher than a standing person's.
    """
    at = dict(zip(JOINTS, joints.pixels[:, 1].tolist(), strict=True))
    least = _SHORT * (at["hips"] - at["neck"])
    cut = []
    for name in JOINTS:
        above = name.replace("LowerLeg", "UpperLeg")
        is_short = name.endswith("LowerLeg") and at[name] - at[above] < least
        cut.append(is_short or name.endswith(("Foot", "Toes")))
    return np.array(cut)


def _standing() -> Doubles:
    """Places (22, 3) of the joints of the skeleton of the built-in motions, Z up and facing -Y."""
    skeleton = built_in().skeleton
    bones = humanoid(skeleton).bones
    x, y, z = skeleton.rest_worlds[[bones.get(name, 0) for name in JOINTS], :3, 3].T
    places = np.stack([x, -z, y], axis=1)
    chest = JOINTS.index("upperChest")
    places[chest] = (places[chest - 1] + places[chest + 1]) / 2
    return places


def _rig_person(mesh: Mesh, weights: Doubles, places: Doubles, known: Mask, joints: Joints) -> RawMoving:
    joined = joined_in(mesh, weights, places)
    weights = without_crumbs(mesh, of_one_place(weights, joined), joined)
    parents = np.array([0, *(parent + 1 for parent in PARENTS)], np.int32)
    parents[0] = -1
    columns = np.arange(1, len(JOINTS) + 1)
    held = np.zeros(len(JOINTS), np.bool_)
    warnings = []
    if not (known[JOINTS.index("leftFoot")] or known[JOINTS.index("rightFoot")]):
        sentence = "the drawing shows no feet: the figure moves from the hips up, and the rest stays still"
        warnings.append(Warning("figure-cut", sentence, "feet"))
        held = np.array([name == "hips" or name.endswith(LEG_PARTS) for name in JOINTS])
        held[: len(_TRUNK)] |= ~known[: len(_TRUNK)]
        columns[held] = 0
        parents[1 + int(np.flatnonzero(~held)[0])] = 0
    unsure = [spoken(JOINTS[number]) for number in np.flatnonzero((joints.confidence < UNSURE_JOINT) & ~held)]
    if unsure:
        sentence = (
            f"cannot tell where the drawing has {some(unsure)}: look at sheet.png, correct joints.json and "
            "give it as --joints"
        )
        warnings.append(Warning("joints-unsure", sentence, some(unsure)))
    merged = np.zeros((len(weights), len(JOINTS) + 1))
    np.add.at(merged.T, columns, weights.T)
    low, high = (bound.astype(np.float64) for bound in mesh.bounds())
    root = np.array([places[0, 0], places[0, 1], low[2]])
    rig = Rig.unturned(("root", *JOINTS), parents, np.stack([root, *places]), mesh.vertices, merged)
    bones = {name: number for number, name in enumerate(JOINTS, 1)}
    spine = [bones[name] for name in _TRUNK[1:]]
    motions = (bounce(root, float(high[2] - low[2])), sway(spine))
    return RawMoving(rig=rig, humanoid=bones, motions=motions, warnings=tuple(warnings))


def bone_lines(mesh: Mesh, places: Doubles, known: Mask) -> list[Segments]:
    """The lines of each of `JOINTS` (22, 3) through the body, none for those that are not known (22,)."""
    at = dict(zip(JOINTS, places, strict=True))
    lines: dict[str, list[tuple[Doubles, Doubles]]] = {name: [] for name in JOINTS}
    for lower, upper in zip(_TRUNK[1:], _TRUNK[:-1], strict=True):
        lines[upper].append((at[upper], at[lower]))
    begin, end = lines["neck"][0]
    lines["neck"] = [(0.75 * begin + 0.25 * end, 0.25 * begin + 0.75 * end)]
    lines["head"] = [(at["head"], _top_of_head(mesh, at["neck"], at["head"]))]
    for side in ("left", "right"):
        for upper, lower in _ABOVE.items():
            lines[side + upper].append((at[side + upper], at[side + lower]))
        arm, hand, foot, toes = (at[side + part] for part in ("LowerArm", "Hand", "Foot", "Toes"))
        lines[side + "Hand"].append((hand, hand + _HAND * (hand - arm)))
        lines[side + "Toes"].append((toes, toes + _TOES * (toes - foot)))
    return [lines[name] if is_known else () for name, is_known in zip(JOINTS, known, strict=True)]


def _top_of_head(mesh: Mesh, neck: Doubles, head: Doubles) -> Doubles:
    """A point (3,) below the top of the head, along the neck."""
    length = float(np.linalg.norm(head - neck))
    way = (head - neck) / length if length > 0 else np.array([0.0, 0.0, 1.0])
    offsets = mesh.vertices[mesh.used].astype(np.float64) - head
    along = offsets @ way
    beside = np.linalg.norm(offsets - along[:, None] * way, axis=1)
    reach = float(along[beside < _TOP].max(initial=length))
    return np.asarray(head + _HEAD * reach * way)
