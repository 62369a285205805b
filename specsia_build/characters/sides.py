"""From which sides a character's faces are drawn: as its file says, with hulls told from bodies by looking at them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.finding import Finding, Mending
from specsia_build.frame import normalise, view_cameras
from specsia_build.rendering.fast.renderer import glance
from specsia_build.rendering.mesh import Mesh, compacted, face_normals, lengths
from specsia_build.rendering.topology import topology

BOTH, FRONT = SIDES = ("both", "front")
"""What a manifest may say of all faces of a character."""

LEAST_INWARD = 0.05
"""How far faces must look towards their middle, as a share of what those of a ball would, to be wound inwards."""

HULL_AREA = (0.2, 0.9)
"""Share of a character's surface that its hull may have."""

HULL_HIDES, HULL_NEAR, HULL_FITS = 0.9, 0.7, 0.5
"""Least share of the figure that a hull lies in front of, of that share that it lies closely in front of, and of the
hull's silhouette that the figure fills. Hulls of 0.3 to 3 % of the height have 0.99, 0.7 and 0.52, a coat over a whole
body hides 0.73 of it."""

NEAR = 0.05
"""Units, the largest extent being one, within which a surface lies closely behind another."""

LEAST_OPEN = 0.01
"""Share of the surface that could be seen from its back and is single-sided, from which that is looked for."""

MOST_LOST = 0.1
"""Share of a view that backs of single-sided faces may take up before it is said that they are left out."""

_VIEWS, _SIZE = 4, 64

_MOVED = 1e-4
"""Units between what two looks find at a pixel, above which it is not the same surface."""

_NOTHING = 100.0
"""Depth of a pixel that shows nothing; all that there is lies within the frame."""


def with_sides(mesh: Mesh, sides: str | None, name: str) -> tuple[Mesh, tuple[Finding, ...]]:
    """A character's mesh with each material double-sided or not, and what is odd in that.

    Args:
        mesh: Z up, its materials as the file says.
        sides: one of `SIDES`, for all materials; None leaves them, but makes an outline hull single-sided.
        name: of the file.
    """
    if sides is not None:
        return mesh.with_sides(double=sides == BOTH), ()
    normals = face_normals(mesh)
    areas = lengths(normals)
    whole = max(float(areas.sum()), 1e-300)
    found = topology(mesh)
    by_part = found.part.astype(np.int64) * len(mesh.materials) + mesh.face_material
    # A hull's piece may be too flat to tell, and hulls may share a texture's material with what they surround.
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    middle = (a + b + c) / 3
    inward = _inward(by_part, middle, normals, areas) | _inward(mesh.face_material, middle, normals, areas)
    share = float(areas[inward].sum()) / whole
    hull = inward & (HULL_AREA[0] <= share <= HULL_AREA[1] and _is_hull(mesh, inward))
    hiding = hull & ~mesh.single_sided()
    said: list[Finding] = []
    if areas[hiding].sum() > 0.5 * areas[hull].sum():
        said.append(_hidden(name, _named(mesh, hiding, areas)))
        mesh = _single_sided(mesh, hiding)
    if float(areas[~found.closed & ~hull & mesh.single_sided()].sum()) >= LEAST_OPEN * whole:
        lost = _lost(mesh.of_faces(~hull))
        if lost > MOST_LOST:
            said.append(_left_out(name, lost, share))
    return mesh, tuple(said)


def _hidden(name: str, what: str) -> Finding:
    return Finding(
        f"{name}: {what} lies wound inwards and close around the whole figure, as a toon outline does, and would hide "
        f'it, so it was drawn from its front only; "sides": "{BOTH}" in its manifest line draws it as it stands'
    )


def _left_out(name: str, lost: float, inward: float) -> Finding:
    why = f"backs of single-sided faces would be {lost:.0%} of what a view shows"
    if inward > 0.5:
        why += ", as most of its surface is wound inwards"
    line = f'"sides": "{BOTH}" in its manifest line'
    return Finding(f"{name}: {why}, and were left out; {line} draws them", Mending("sides", BOTH, why))


def _inward(
    key: NDArray[np.integer], middle: NDArray[np.float64], normals: NDArray[np.float64], areas: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(F,) whether the faces that have the same `key` (F,) as this one look, all in all, towards their middle.

    `middle` (F, 3) is that of each face.
    """
    _, group = np.unique(key, return_inverse=True)
    weight = np.maximum(np.bincount(group, areas), 1e-300)
    centre = np.stack([np.bincount(group, areas * middle[:, k]) for k in range(3)], axis=1) / weight[:, None]
    arm = middle - centre[group]
    outward = np.bincount(group, np.einsum("fi,fi->f", normals, arm))
    most = np.bincount(group, areas * lengths(arm))
    return np.asarray((outward < -LEAST_INWARD * most)[group])


def _behind(
    mesh: Mesh, chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Depths of a mesh, and without its chosen faces (F,), and where these hide what is shown without them."""
    mesh = _placed(mesh.with_sides(double=True))
    both, others = _depths(mesh), _depths(mesh.of_faces(~chosen))
    return both, others, (others < _NOTHING) & (others - both > _MOVED)


def _is_hull(mesh: Mesh, inward: NDArray[np.bool_]) -> bool:
    """Whether some faces lie closely around all others, and hide them."""
    both, body, behind = _behind(mesh, inward)
    shown = int((body < _NOTHING).sum())
    near = behind & (body - both < NEAR)
    return bool(
        behind.sum() >= HULL_HIDES * max(shown, 1)
        and near.sum() >= HULL_NEAR * behind.sum()
        and shown >= HULL_FITS * (both < _NOTHING).sum()
    )


def hidden_by(mesh: Mesh, chosen: NDArray[np.bool_]) -> float:
    """Largest share of a view of a mesh in which its chosen faces (F,) lie in front of others, opaque or not."""
    both, _, hidden = _behind(mesh, chosen)
    return float((hidden.sum(axis=(1, 2)) / np.maximum((both < _NOTHING).sum(axis=(1, 2)), 1)).max())


def _lost(mesh: Mesh) -> float:
    """Largest share of a view that is gone, or shows what lies far behind, where backs are left out."""
    mesh = _placed(mesh)
    both, front = _depths(mesh.with_sides(double=True)), _depths(mesh)
    lost = front - both > NEAR
    return float((lost.sum(axis=(1, 2)) / np.maximum((both < _NOTHING).sum(axis=(1, 2)), 1)).max())


def _placed(mesh: Mesh) -> Mesh:
    """The mesh in the frame of small pictures."""
    mesh = compacted(mesh)
    return mesh.with_vertices(normalise(mesh.vertices, view_cameras(_VIEWS, _SIZE), 1).apply(mesh.vertices))


def _depths(mesh: Mesh) -> NDArray[np.float32]:
    """How far away what each pixel of each view shows is, (V, H, W)."""
    return np.minimum(glance(mesh, view_cameras(_VIEWS, _SIZE)), np.float32(_NOTHING))


def _single_sided(mesh: Mesh, chosen: NDArray[np.bool_]) -> Mesh:
    """The mesh with the materials of the chosen faces (F,) single-sided there, and as they were elsewhere."""
    moved = np.where(chosen, mesh.face_material + len(mesh.materials), mesh.face_material)
    both = (*mesh.materials, *mesh.with_sides(double=False).materials)
    used, slots = np.unique(moved, return_inverse=True)
    return replace(mesh, materials=tuple(both[k] for k in used), face_material=slots.astype(np.int32))


def _named(mesh: Mesh, chosen: NDArray[np.bool_], areas: NDArray[np.float64]) -> str:
    """What to call the material that has most of the chosen faces."""
    sizes = np.bincount(mesh.face_material[chosen], areas[chosen], len(mesh.materials))
    name = mesh.materials[int(sizes.argmax())].name
    return f"the material '{name}'" if name else "a part of it"
