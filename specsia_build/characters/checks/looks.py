"""Evidence in the views of a character: one colour, outline hulls and lost backs."""

from dataclasses import replace

import numpy as np

from specsia_build.arrays import Doubles, Floats, Mask, Pixels
from specsia_build.characters.character import Advice, Fix
from specsia_build.frame import normalise, view_cameras
from specsia_build.jit import compiled, inlined, ready
from specsia_build.rendering.fast.renderer import glance
from specsia_build.rendering.mesh import Mesh, compacted, face_normals, lengths
from specsia_build.rendering.topology import topology
from specsia_build.warning import Warning

# Display levels between channels of a grey, and between shades that look the same.
MOST_CHROMA, MOST_CONTRAST = 8, 12
_FULL = 255  # Full coverage
BOTH = "both"  # Value of `sides` in a manifest
LEAST_INWARD = 0.05  # How much faces wound inwards face their middle, relative to a ball's.
HULL_AREA = (0.2, 0.9)  # Share of the surface of an outline hull.

# Shares of the figure that a hull hides, of that which it hides closely, and of its silhouette that the
# figure fills: hulls of 0.3 to 3 % of the height reach 0.99, 0.7 and 0.52; a coat over a body hides 0.73.
HULL_HIDES = 0.9
HULL_NEAR = 0.7
HULL_FITS = 0.5
_NEAR = 0.05  # Extents between surfaces that lie closely behind one another.
LEAST_OPEN = 0.01  # Share of the surface that must be open and single-sided for backs to be lost.
MOST_LOST = 0.1  # Share of a view that lost backs may take up.
_VIEWS, _SIZE = 4, 64
_MOVED = 1e-4
_NOTHING = 100.0


def plain_colour(color: Pixels, coverage: Pixels) -> str | None:
    """Name the one colour of a picture's covered pixels: ``grey of 203``, ``colour, #c84f50``; else None."""
    levels = color[..., :3][coverage == _FULL].astype(np.int16)
    if len(levels) == 0:
        return None
    low, high = np.quantile(levels, (0.02, 0.98), axis=0)
    if (high - low).max() > MOST_CONTRAST:
        return None
    middle = np.median(levels, axis=0).round().astype(int)
    if np.ptp(middle) <= MOST_CHROMA:
        return f"grey of {round(float(middle.mean()))}"
    return "colour, #{:02x}{:02x}{:02x},".format(*middle)


def has_colours(mesh: Mesh) -> bool:
    """Whether a mesh has materials of several colours and no images; view 0 may show one of them."""
    materials = [mesh.materials[k] for k in np.unique(mesh.face_material)]
    colours = np.array([material.base_color[:3] for material in materials])
    is_plain = all(material.texture is None for material in materials)
    return is_plain and bool(np.ptp(colours, axis=0).max() > 0.05)


def with_sides(mesh: Mesh, sides: str | None, name: str) -> tuple[Mesh, tuple[Warning, ...]]:
    """Make all materials double- or single-sided; without `sides` only outline hulls, with warnings."""
    if sides is not None:
        return mesh.with_sides(double=sides == BOTH), ()
    inward, areas, closed = _inward_faces(mesh)
    whole = float(areas.sum())
    if whole == 0:
        return mesh, ()
    share = float(areas[inward].sum()) / whole
    hull = inward & (HULL_AREA[0] <= share <= HULL_AREA[1] and _is_hull(mesh, inward))
    hiding = hull & ~mesh.single_sided()
    warnings: list[Warning] = []
    if areas[hiding].sum() > 0.5 * areas[hull].sum():
        material = mesh.materials[int(np.bincount(mesh.face_material[hiding], areas[hiding]).argmax())].name
        what = f"the material '{material}' is an outline hull around the whole figure"
        line = f'"sides": "{BOTH}" in its manifest line draws both sides'
        sentence = f"{name}: {what} and is drawn from its front only; {line}"
        warnings.append(Warning("outline-hull", sentence, material))
        # Their materials become single-sided there and not elsewhere.
        both = (*mesh.materials, *mesh.with_sides(double=False).materials)
        used, slots = np.unique(mesh.face_material + hiding * len(mesh.materials), return_inverse=True)
        mesh = replace(mesh, materials=tuple(both[k] for k in used), face_material=slots.astype(np.int32))
    if float(areas[~closed & ~hull & mesh.single_sided()].sum()) >= LEAST_OPEN * whole:
        lost = _lost(mesh.of_faces(~hull) if hull.any() else mesh)
        if lost > MOST_LOST:
            why = f"backs of single-sided faces cover {lost:.0%} of a view"
            why += ", as most of its surface is wound inwards" if share > 0.5 else ""
            line = f'"sides": "{BOTH}" in its manifest line draws them'
            sentence = f"{name}: {why}, and are left out; {line}"
            warnings.append(Advice("backs-lost", sentence, name, Fix("sides", BOTH, why)))
    return mesh, tuple(warnings)


def _inward_faces(mesh: Mesh) -> tuple[Mask, Doubles, Mask]:
    """(F,) if a face's component or material is wound inwards, its area, and if the component is closed."""
    normals = face_normals(mesh)
    areas = lengths(normals)
    connected = topology(mesh)
    component, closed = connected.part.astype(np.int64), connected.closed
    vertices, faces = ready(mesh.vertices), ready(mesh.faces, np.int32)
    count = len(mesh.materials)
    inward = np.zeros(len(areas), np.bool_)
    # A component may be too flat to tell, and a hull may share its material with what it surrounds.
    for group in (component * count + mesh.face_material, mesh.face_material.astype(np.int64)):
        inward |= _outwardness(vertices, faces, normals, areas, group)[group] < -LEAST_INWARD
    return inward, areas, closed


@compiled
def _outwardness(vertices, faces, normals, areas, group):  # type: ignore[no-untyped-def]
    """How much the faces (F, 3) of groups look away from their middle, by area: 1 on a ball, -1 inside it."""
    count = group.max() + 1
    middle = np.zeros((count, 3))
    weight = np.zeros(count)
    outward = np.zeros(count)
    most = np.zeros(count)
    for f in range(len(faces)):
        weight[group[f]] += areas[f]
        for k in range(3):
            middle[group[f], k] += areas[f] * _centre(vertices, faces[f], k)
    for f in range(len(faces)):
        along = squared = 0.0
        for k in range(3):
            arm = _centre(vertices, faces[f], k) - middle[group[f], k] / weight[group[f]]
            along += normals[f, k] * arm
            squared += arm * arm
        outward[group[f]] += along
        most[group[f]] += areas[f] * np.sqrt(squared)
    # Groups without an area are NaN, which is neither outwards nor inwards.
    return outward / most


@inlined
def _centre(vertices, face, k):  # type: ignore[no-untyped-def]
    """Coordinate `k` of the centre of a face (3,)."""
    return (np.float64(vertices[face[0], k]) + vertices[face[1], k] + vertices[face[2], k]) / 3


def _is_hull(mesh: Mesh, inward: Mask) -> bool:
    """Whether some faces lie closely around all others and hide them."""
    mesh = _placed(mesh.with_sides(double=True))
    both, body = _depths(mesh), _depths(mesh.of_faces(~inward))
    behind = (body < _NOTHING) & (body - both > _MOVED)
    covered = int((body < _NOTHING).sum())
    near = behind & (body - both < _NEAR)
    return bool(
        behind.sum() >= HULL_HIDES * max(covered, 1)
        and near.sum() >= HULL_NEAR * behind.sum()
        and covered >= HULL_FITS * (both < _NOTHING).sum()
    )


def _lost(mesh: Mesh) -> float:
    """Largest share of a view that disappears without backs, or shows something far behind."""
    mesh = _placed(mesh)
    both, front = _depths(mesh.with_sides(double=True)), _depths(mesh)
    lost = front - both > _NEAR
    return float((lost.sum(axis=(1, 2)) / np.maximum((both < _NOTHING).sum(axis=(1, 2)), 1)).max())


def _placed(mesh: Mesh) -> Mesh:
    """The mesh in the frame of small views."""
    mesh = compacted(mesh)
    return mesh.with_vertices(normalise(mesh.vertices, view_cameras(_VIEWS, _SIZE), 1).apply(mesh.vertices))


def _depths(mesh: Mesh) -> Floats:
    """Depth at each pixel of small views, (V, H, W)."""
    return np.minimum(glance(mesh, view_cameras(_VIEWS, _SIZE)), np.float32(_NOTHING))
