"""A closed surface from silhouettes and depths that do not quite agree: carving, marching cubes, smoothing.

Such views carve away parts thinner than their errors: wings, bones, tails. A view that shows such a part
knows where its surface lies, and the part gets a thin shell there.
"""

import numpy as np
import scipy
import skimage

from specsia_build.arrays import Doubles, Floats, Mask
from specsia_build.backends.fusion.views import (
    HALF_SIZE,
    MIRRORED_VIEWS,
    SCALE,
    VIEW_SIZE,
    DrawnViews,
    between,
    blended,
    seen_from,
)
from specsia_build.errors import CharacterError
from specsia_build.jit import compiled
from specsia_build.rendering.light import vertex_normals
from specsia_build.rendering.mesh import Material, Mesh

BEHIND = 0.03  # Units by which a surface may be behind a view's depth and still be the visible one
_REACH = 3  # Pixels from the carved shape beyond which a part is missing; nearer, outlines only differ
SHELL = 0.014  # Thickness in units of a part that is put back: between a wing and a finger
FEWEST_SHELLS = 1.5  # Its least thickness in voxels, so that the lattice does not miss it
SHOWN = 9  # Least pixels of a separate piece in some view; smaller ones are crumbs
GRAZING = 0.2  # Least cosine; a step in depth has none of its own
_NEARBY = 5  # Pixels over which a slope is measured
_STEP = 0.3  # Cosine up to which a depth lies between two surfaces: one ends before the other
_FACES = 50_000  # Number of faces to aim for, as in DrawingSpinUp's meshes
PROBE = 1 / 80  # Units between the points at which the shape is first carved, to estimate its number of faces
_FEWEST, _MOST = 96, 224  # Voxels along one unit, whatever the number of faces
_SLACK = 0.002  # Units that the surface may be in front of a view's depth; with less, noise makes holes
SMOOTH = 0.8  # Width in voxels of the Gaussian over the signed distance
PUFF = 0.1  # Voxels by which thin parts end up thicker, as after volumetric fusion; a cape would else be lost
_CUT = 0.04  # Units beyond which a distance to the surface no longer counts
TAUBIN = 3 * (0.5, -0.53)  # Factors of Taubin's smoothing (SIGGRAPH 1995)


@compiled
def _look(ids, low, cell, nearest, piece):  # type: ignore[no-untyped-def]
    """Put the smallest depth in units at each pixel of each view (6, H, H), and the piece that lies there."""
    reach = 0.5 * cell * SCALE
    for i in range(ids.shape[0]):
        for j in range(ids.shape[1]):
            filled = np.flatnonzero(ids[i, j])
            for k in range(len(nearest)):
                u, far = seen_from(k, low[0] + i * cell, low[1] + j * cell)
                depth = np.float32(far)
                left, right = max(0, int(u - reach)), min(VIEW_SIZE - 1, int(u + reach))
                for l in filled:  # noqa: E741
                    v = HALF_SIZE - (low[2] + l * cell) * SCALE
                    for r in range(max(0, int(v - reach)), min(VIEW_SIZE - 1, int(v + reach)) + 1):
                        for c in range(left, right + 1):
                            if depth < nearest[k, r, c]:
                                nearest[k, r, c] = depth
                                piece[k, r, c] = ids[i, j, l]


@compiled
def _put_back(volume, missing, inside, depth, low, cell):  # type: ignore[no-untyped-def]
    """Raise a signed distance in place to that of a shell behind missing pixels; borders stay."""
    thick = max(SHELL, FEWEST_SHELLS * cell)
    for i in range(1, volume.shape[0] - 1):
        for j in range(1, volume.shape[1] - 1):
            for k in range(len(missing)):
                u, far = seen_from(k, low[0] + i * cell, low[1] + j * cell)
                if u < 0 or u >= VIEW_SIZE:
                    continue
                for l in range(1, volume.shape[2] - 1):  # noqa: E741
                    v = HALF_SIZE - (low[2] + l * cell) * SCALE
                    if v < 0 or v >= VIEW_SIZE or not missing[k, int(v), int(u)]:
                        continue
                    c, s = between(u)
                    r, t = between(v)
                    edge, behind = blended(inside[k], r, c, t, s), far - blended(depth[k], r, c, t, s)
                    value = min(edge / SCALE + 0.25 * cell, behind, thick - behind)
                    volume[i, j, l] = max(volume[i, j, l], value)


@compiled
def _carved(inside, depth, facing, low, high, cell):  # type: ignore[no-untyped-def]
    """Signed distance in units, positive inside, every `cell` from `low` to `high`: (nx, ny, nz) float32."""
    counts = np.ceil((high - low) / cell).astype(np.int64) + 1
    views = len(inside)
    out = np.empty((counts[0], counts[1], counts[2]), np.float32)
    row, down = np.empty(counts[2], np.int64), np.empty(counts[2])
    for l in range(counts[2]):  # noqa: E741
        row[l], down[l] = between(HALF_SIZE - (low[2] + l * cell) * SCALE)
    column, across = np.empty(views, np.int64), np.empty(views)
    far, cuts = np.empty(views), np.empty(views)
    for i in range(counts[0]):
        for j in range(counts[1]):
            for k in range(views):
                u, far[k] = seen_from(k, low[0] + i * cell, low[1] + j * cell)
                column[k], across[k] = between(u)
            for l in range(counts[2]):  # noqa: E741
                value = _CUT
                for k, m in MIRRORED_VIEWS:
                    cuts[k] = blended(inside[k], row[l], column[k], down[l], across[k])
                    cuts[m] = blended(inside[m], row[l], column[m], down[l], across[m])
                    value = min(value, 0.5 * (cuts[k] + cuts[m]) / SCALE)
                    if value <= -_CUT:
                        break
                if value > -_CUT:
                    for k in range(views):
                        if cuts[k] > 0:
                            behind = far[k] - blended(depth[k], row[l], column[k], down[l], across[k])
                            steep = blended(facing[k], row[l], column[k], down[l], across[k])
                            value = min(value, behind * steep + _SLACK)
                out[i, j, l] = max(value, -_CUT)
    return out


@compiled
def _relaxed(vertices, faces):  # type: ignore[no-untyped-def]
    """Taubin's smoothing, (V, 3) float64: each vertex towards the mean of its neighbours, then back."""
    points = vertices.astype(np.float64)
    for factor in TAUBIN:
        total, weight = np.zeros(points.shape), np.zeros((len(points), 1))
        for f in range(len(faces)):
            for corner in range(3):
                v = faces[f, corner]
                a = faces[f, (corner + 1) % 3]
                b = faces[f, (corner + 2) % 3]
                weight[v, 0] += 2
                for k in range(3):
                    total[v, k] += points[a, k] + points[b, k]
        points += factor * (total / weight - points)
    return points


def _facing(depths: Floats) -> Floats:
    """Cosine (6, H, H) of sight and normal by the steepest slope, which turns depths into distances."""
    near = (1, _NEARBY, _NEARBY)
    rise = scipy.ndimage.maximum_filter(depths, near) - scipy.ndimage.minimum_filter(depths, near)
    run = (_NEARBY - 1) / SCALE
    return np.asarray(np.maximum(1 / np.sqrt(1 + (rise / run) ** 2), GRAZING), np.float32)


def _missing(views: DrawnViews, facing: Floats, nearest: Floats) -> Mask:
    """Pixels (6, H, H) of parts that a view shows and the volume, `nearest` deep there, lacks."""
    covered = views.inside > 0
    carved = covered & (nearest <= views.depth + BEHIND)
    missing = covered & ~carved & (facing > _STEP)
    near, around = (np.hypot(*np.mgrid[-r : r + 1, -r : r + 1])[None] <= r for r in (_REACH, _REACH + 1))
    core = missing & ~scipy.ndimage.binary_dilation(carved, near, mask=missing)
    return np.asarray(scipy.ndimage.binary_dilation(core, around, mask=missing))


def _with_visible_parts(
    volume: Floats, views: DrawnViews, facing: Floats, low: Doubles, cell: float
) -> Floats:
    """Add to a volume of `_carved` all parts that some view shows, and remove crumbs that no view shows."""
    ids, count = scipy.ndimage.label(volume > 0)
    nearest, piece = np.full_like(views.depth, np.inf), np.zeros(views.depth.shape, np.int32)
    _look(ids.astype(np.int32), low, cell, nearest, piece)
    visible = np.where(views.inside > 0, piece, 0)
    is_kept = np.max([np.bincount(view.ravel(), minlength=count + 1) for view in visible], axis=0) >= SHOWN
    is_kept[0] = True
    volume = np.where(is_kept[ids], volume, volume.min())
    missing = _missing(views, facing, nearest)
    if missing.any():
        _put_back(volume, missing, views.inside, views.depth, low, cell)
    return volume


def _fitting_cell(views: DrawnViews, facing: Floats, low: Doubles, high: Doubles) -> float:
    """Units between voxels for about `_FACES` faces: marching cubes makes two for each edge that crosses."""
    low = low - PROBE
    volume = _carved(views.inside, views.depth, facing, low, high + PROBE, PROBE)
    filled = _with_visible_parts(volume, views, facing, low, PROBE) > 0
    crossings = sum(int(np.count_nonzero(np.diff(filled, axis=axis))) for axis in range(3))
    return float(np.clip(PROBE * np.sqrt(2 * crossings / _FACES), 1 / _MOST, 1 / _FEWEST))


def fused_surface(views: DrawnViews) -> tuple[Mesh, Floats]:
    """Fuse the views to a closed surface of about `_FACES` faces, counter-clockwise seen from outside.

    A point is inside if every silhouette (the mean of two opposite ones) contains it and no view looks
    through it, or if a view shows a part there that this leaves out.

    Returns the surface without colours, and the unit normals of its vertices, (V, 3) float32. Raises
    CharacterError if nothing is left.
    """
    low, high = views.bounds()
    facing = _facing(views.depth)
    cell = _fitting_cell(views, facing, low, high)
    # Room for the Gaussian, so that the surface closes inside the volume.
    low, high = low - 4 * cell, high + 4 * cell
    volume = _carved(views.inside, views.depth, facing, low, high, cell)
    smooth = scipy.ndimage.gaussian_filter(volume, SMOOTH, mode="nearest", truncate=2.5)
    swollen = np.maximum(smooth, volume + np.float32(PUFF * cell))
    volume = _with_visible_parts(swollen, views, facing, low, cell)
    if not (volume > 0).any():
        raise CharacterError("nothing is left of the character after carving: all of it is too thin")
    points, faces, _, _ = skimage.measure.marching_cubes(volume, 0.0, gradient_direction="ascent")
    faces = np.ascontiguousarray(faces, np.int32)
    points = _relaxed(points, faces) * cell + low
    mesh = Mesh(points.astype(np.float32), faces, (Material(name="fusion"),), np.zeros(len(faces), np.int32))
    return mesh, vertex_normals(points, faces)
