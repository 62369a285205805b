"""Cut a person's reconstruction where limbs that touch in the drawing move apart, as an arm from the body."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Mask
from specsia_build.characters.character import RawMoving
from specsia_build.rendering.mesh import Mesh
from specsia_build.rigging.four_legs import joined_bones
from specsia_build.rigging.joints import JOINTS
from specsia_build.rigging.parting import LEG_PARTS

_BOOTS = 0.75  # Share of the knees' height below which legs that touch are boots, and no dress joins them
_PART = 0.02  # Share of a mesh's faces above which a part is not cut off


def _joined() -> Mask:
    """Tell which two bones may move the same point, (22, 22).

    A lower arm and a hand go with their own arm only, and an upper arm with nothing below the chest.
    """
    joined = np.ones((len(JOINTS), len(JOINTS)), np.bool_)
    for number, name in enumerate(JOINTS):
        side = "left" if name.startswith("left") else "right"
        for other, other_name in enumerate(JOINTS):
            if name.endswith(("LowerArm", "Hand")):
                together = other_name.startswith(side) and other_name.endswith(("Shoulder", "Arm", "Hand"))
            elif name.endswith("UpperArm"):
                together = not other_name.endswith(("hips", "spine", *LEG_PARTS))
            else:
                continue
            joined[number, other] &= together
            joined[other, number] &= together
    return joined


_JOINED = _joined()


def _sides_of(*parts: str) -> NDArray[np.int64]:
    """The side (22,) of each of `JOINTS` whose name ends with one of the parts: 1 right, 2 left, else 0."""
    return np.array([name.endswith(parts) * (1 + name.startswith("left")) for name in JOINTS])


ARMS = _sides_of("UpperArm", "LowerArm", "Hand")
_THIGHS, _SHINS = _sides_of(*LEG_PARTS[:1]), _sides_of(*LEG_PARTS[1:])


def _across(sides: NDArray[np.integer]) -> Mask:
    """Tell which two bones (22, 22) are on opposite sides, by the side of each (22,): 1, 2, or 0."""
    return np.asarray(sides[:, None] * sides == 2)


def _joined_by(weights: Doubles) -> Mask:
    """Tell which two bones may move the same point, (22, 22), by the weights (V, 22) of all points.

    Legs may not if none of their points is moved by the other leg.
    """
    bone = weights.argmax(axis=1)
    joined = _JOINED
    for legs, cut in ((_SHINS, _SHINS), (_THIGHS, _THIGHS + _SHINS)):
        of_other = [(legs[bone] == side) & (weights[:, legs == 3 - side] > 0).any(axis=1) for side in (1, 2)]
        if np.any(of_other):
            break
        joined = joined & ~_across(cut)
    return joined


def joined_in(mesh: Mesh, weights: Doubles, places: Doubles) -> Mask:
    """Tell which two bones may move the same point of a mesh, (22, 22), by the weights (V, 22).

    Lower legs may, as in a dress, unless they are parted, or touch well below the knees alone, as boots do.
    """
    joined = _joined_by(weights)
    shins = _SHINS[weights.argmax(axis=1)][mesh.faces]
    touching = mesh.faces[(shins == 1).any(axis=1) & (shins == 2).any(axis=1)]
    if not len(touching):
        return joined
    knees = places[[JOINTS.index(side + "LowerLeg") for side in ("left", "right")], 2].mean()
    ground = mesh.vertices[mesh.faces[shins > 0], 2].min()
    if mesh.vertices[touching, 2].max() > ground + _BOOTS * (knees - ground):
        return joined
    return np.asarray(joined & ~_across(_SHINS))


def of_one_place(weights: Doubles, joined: Mask) -> Doubles:
    """Weights (V, 22) without those of bones that are not joined to the one of most weight."""
    kept = np.where(joined[weights.argmax(axis=1)], weights, 0.0)
    return np.asarray(kept / kept.sum(axis=1, keepdims=True))


def without_crumbs(mesh: Mesh, weights: Doubles, joined: Mask) -> Doubles:
    """Give small parts that `without_webs` would cut loose the weights (V, 22) of what lies beside them.

    A bone near the surface of another limb may take a patch of it, which would fly about on its own.
    """
    kept, part, sizes = _cut_apart(mesh, weights.argmax(axis=1), joined)
    is_small = sizes[part] <= _PART * len(mesh.faces)
    webs = mesh.faces[~kept]
    webs = webs[is_small[webs].any(axis=1) & ~is_small[webs].all(axis=1)]
    crumbs = np.isin(part, part[webs[is_small[webs]]])
    if not crumbs.any():
        return weights
    rim = np.unique(webs[~is_small[webs]])
    nearest = scipy.spatial.cKDTree(mesh.vertices[rim]).query(mesh.vertices[crumbs])[1]
    out = weights.copy()
    out[crumbs] = weights[rim[nearest]]
    return out


def _cut_apart(
    mesh: Mesh, bone: NDArray[np.integer], joined: Mask
) -> tuple[Mask, NDArray[np.integer], NDArray[np.integer]]:
    """Cut a mesh between bones that are not joined, by the bone of each vertex (V,).

    Returned are the faces (F,) that are left, the part that each vertex (V,) is in, and how many faces
    each part has.
    """
    first, second, third = bone[mesh.faces].T
    kept: Mask = joined[first, second] & joined[second, third] & joined[third, first]
    begin, end = mesh.faces[kept][:, [0, 1, 1, 2]].reshape(-1, 2).T
    count = len(mesh.vertices)
    links = scipy.sparse.csr_array((np.ones(len(begin)), (begin, end)), shape=(count, count))
    part = scipy.sparse.csgraph.connected_components(links, directed=False)[1]
    return kept, part, np.bincount(part[mesh.faces[kept, 0]], minlength=count)


def without_webs(mesh: Mesh, own: RawMoving) -> Mesh:
    """Remove faces between bones that are not joined, but keep those that alone hold a larger part.

    Where a drawn arm lies on the body, the two are one surface, which would be stretched to a web as the arm
    leaves it; so are legs with a line between them, boots that touch, and an animal's legs, of which the
    drawing shows one before the other. Each side of a person's cut is closed.
    """
    bone, joined = own.rig.slots[:, 0].astype(np.int64), joined_bones(own.rig.skeleton.names)
    if own.humanoid:
        # The root holds what is below the hips of a figure that ends there.
        bone = np.maximum(bone - 1, 0)
        weights = np.zeros((len(bone), len(JOINTS)))
        np.add.at(weights, (np.arange(len(bone))[:, None], np.maximum(own.rig.slots - 1, 0)), own.rig.weights)
        joined = _joined_by(weights)
    kept, part, sizes = _cut_apart(mesh, bone, joined)
    part = part[mesh.faces]
    is_held = (part != part[:, :1]).any(axis=1) & (sizes[part].min(axis=1) > _PART * len(part))
    kept |= is_held
    if not own.humanoid:
        return mesh.of_faces(kept)
    sides = _THIGHS + _SHINS
    is_parted = (_across(sides) & ~joined).any(axis=1)
    return _closed(mesh, kept, np.where(is_parted, 2 + sides, ARMS)[bone])


def _closed(mesh: Mesh, kept: Mask, limb: NDArray[np.integer]) -> Mesh:
    """Keep some faces (F,) and close holes in the colours of their rims, each within one `limb` (V,)."""
    begin, end = mesh.faces.astype(np.int64), np.roll(mesh.faces, -1, axis=1).astype(np.int64)
    count = len(mesh.vertices)
    beside = np.isin(begin * count + end, (end * count + begin)[~kept])
    rim = kept[:, None] & beside & (limb[begin] == limb[end])
    face, corner = np.nonzero(rim)
    begin, end = begin[rim], end[rim]
    links = scipy.sparse.csr_array((np.ones(len(begin)), (begin, end)), shape=(count, count))
    hole = scipy.sparse.csgraph.connected_components(links, directed=False)[1][begin]
    _, first, number = np.unique(hole, return_index=True, return_inverse=True)
    caps = np.stack([end, begin, begin[first][number]], axis=1)
    old = np.count_nonzero(kept)
    out = mesh.of_faces(np.concatenate([np.flatnonzero(kept), face]))
    out.faces[old:] = caps
    for values in (out.uv, out.colors, out.normals):
        if values is not None:
            values[old:] = values[old + np.arange(len(face)), corner][:, None]
    return out.of_faces((out.faces != np.roll(out.faces, -1, axis=1)).all(axis=1))
