"""A closed surface from silhouettes and depths that do not quite agree: carving, marching cubes, smoothing.

Such views carve away what is thinner than their errors: wings, bones, tails. A view that shows such a part knows where
its surface lies, and the part gets a thin shell there.
"""

import numpy as np
import scipy
import skimage
from numpy.typing import NDArray

from specsia_build.backends.fusion.views import (
    BACK,
    BASES,
    CAMERAS,
    FRONT,
    HALF,
    LEFT,
    RIGHT,
    SCALE,
    VIEW_SIZE,
    Floats,
    Views,
    between,
    bilinear,
    blended,
)
from specsia_build.errors import CharacterError
from specsia_build.jit import compiled
from specsia_build.rendering.light import vertex_normals
from specsia_build.rendering.mesh import Material, Mesh

Point = NDArray[np.float64]

BEHIND = 0.03  # Units by which a surface may be behind a view's depth and still be the visible one
REACH = 3.0  # Pixels from the carved shape beyond which a part is missing; nearer than that, outlines only differ
SHELL = 0.014  # Thickness in units of a part that is put back: between a wing and a finger
FEWEST_SHELLS = 1.5  # Its least thickness in voxels, so that the lattice does not miss it
SHOWN = 9  # Least pixels of a separate piece in some view; smaller ones are crumbs
GRAZING = 0.2  # Least cosine; a step in depth has none of its own
NEARBY = 5  # Pixels over which a slope is measured
STEP = 0.3  # Cosine up to which a depth lies between two surfaces: one ends before the other
FACES = 50_000  # Number of faces to aim for, as in DrawingSpinUp's meshes
PROBE = 1 / 80  # Units between the points at which the shape is first carved, to estimate its number of faces
FEWEST, MOST = 96, 224  # Voxels along one unit, whatever the number of faces
SLACK = 0.002  # Units that the surface may be in front of a view's depth; with less, noise makes holes
SMOOTH = 0.8  # Width in voxels of the Gaussian over the signed distance
PUFF = 0.1  # Voxels by which thin parts end up thicker, as after volumetric fusion; a cape would else be lost
CUT = 0.04  # Units beyond which a distance to the surface no longer counts
TAUBIN, TAUBIN_STEPS = (0.5, -0.53), 3  # Factors and rounds of Taubin's smoothing (SIGGRAPH 1995)

OPPOSITE = np.full(len(CAMERAS), -1)
OPPOSITE[[FRONT, BACK, RIGHT, LEFT]] = BACK, FRONT, LEFT, RIGHT
"""The view whose silhouette mirrors each view's; -1 where there is none."""


@compiled
def _look(ids, bases, low, cell, scale, size):  # type: ignore[no-untyped-def]
    """The nearest piece and its depth in units at each pixel of each view, (K, size, size); 0 and infinity for none."""
    views, half, reach = len(bases), size / 2, 0.5 * cell * scale
    nearest = np.full((views, size, size), np.float32(np.inf))
    piece = np.zeros((views, size, size), np.int32)
    for i in range(ids.shape[0]):
        x = low[0] + i * cell
        for j in range(ids.shape[1]):
            y = low[1] + j * cell
            for l in range(ids.shape[2]):  # noqa: E741
                if ids[i, j, l] == 0:
                    continue
                v = half - (low[2] + l * cell) * scale
                top, bottom = max(0, int(v - reach)), min(size - 1, int(v + reach))
                for k in range(views):
                    u = (bases[k, 0, 0] * x + bases[k, 0, 1] * y) * scale + half
                    depth = np.float32(bases[k, 2, 0] * x + bases[k, 2, 1] * y)
                    for r in range(top, bottom + 1):
                        for c in range(max(0, int(u - reach)), min(size - 1, int(u + reach)) + 1):
                            if depth < nearest[k, r, c]:
                                nearest[k, r, c] = depth
                                piece[k, r, c] = ids[i, j, l]
    return nearest, piece


@compiled
def _put_back(volume, missing, inside, depth, bases, low, cell, scale, half, thick):  # type: ignore[no-untyped-def]
    """Raise a signed distance in place to that of a shell `thick` units deep behind missing pixels; borders stay."""
    size = missing.shape[1]
    for i in range(1, volume.shape[0] - 1):
        x = low[0] + i * cell
        for j in range(1, volume.shape[1] - 1):
            y = low[1] + j * cell
            for k in range(len(missing)):
                u = (bases[k, 0, 0] * x + bases[k, 0, 1] * y) * scale + half
                if u < 0 or u >= size:
                    continue
                far = bases[k, 2, 0] * x + bases[k, 2, 1] * y
                for l in range(1, volume.shape[2] - 1):  # noqa: E741
                    v = half - (low[2] + l * cell) * scale
                    if v < 0 or v >= size or not missing[k, int(v), int(u)]:
                        continue
                    behind = far - bilinear(depth[k], u, v)
                    value = min(bilinear(inside[k], u, v) / scale + 0.25 * cell, behind, thick - behind)
                    volume[i, j, l] = max(volume[i, j, l], value)


@compiled
def _carve(inside, depth, facing, bases, mirror, low, cell, counts, scale, half, slack, cut):  # type: ignore[no-untyped-def]
    """Signed distance in units, positive inside, (nx, ny, nz) float32."""
    views, size = len(inside), inside.shape[1]
    out = np.empty((counts[0], counts[1], counts[2]), np.float32)
    # All cameras are upright, so that a height lies on the same row of each.
    row = np.empty(counts[2], np.int64)
    down = np.empty(counts[2])
    for l in range(counts[2]):  # noqa: E741
        row[l], down[l] = between(half - (low[2] + l * cell) * scale, size)
    column = np.empty(views, np.int64)
    across = np.empty(views)
    far = np.empty(views)
    cuts = np.empty(views)
    for i in range(counts[0]):
        x = low[0] + i * cell
        for j in range(counts[1]):
            y = low[1] + j * cell
            for k in range(views):
                column[k], across[k] = between((bases[k, 0, 0] * x + bases[k, 0, 1] * y) * scale + half, size)
                far[k] = bases[k, 2, 0] * x + bases[k, 2, 1] * y
            for l in range(counts[2]):  # noqa: E741
                value = cut
                for k in range(views):
                    m = mirror[k]
                    if 0 <= m < k:
                        continue
                    cuts[k] = own = blended(inside[k], row[l], column[k], down[l], across[k])
                    if m >= 0:
                        cuts[m] = blended(inside[m], row[l], column[m], down[l], across[m])
                        own = 0.5 * (own + cuts[m])
                    value = min(value, own / scale)
                    if value <= -cut:
                        break
                if value > -cut:
                    for k in range(views):
                        if cuts[k] > 0:
                            behind = far[k] - blended(depth[k], row[l], column[k], down[l], across[k])
                            steep = blended(facing[k], row[l], column[k], down[l], across[k])
                            value = min(value, behind * steep + slack)
                out[i, j, l] = max(value, -cut)
    return out


@compiled
def _relaxed(vertices, faces, factors, steps):  # type: ignore[no-untyped-def]
    """Taubin's smoothing: each vertex towards the mean of its neighbours, then back."""
    count = len(vertices)
    total = np.empty((count, 3), np.float64)
    weight = np.zeros(count, np.float64)
    for f in range(len(faces)):
        for c in range(3):
            weight[faces[f, c]] += 2
    points = vertices.astype(np.float64)
    for _ in range(steps):
        for factor in factors:
            total[:] = 0
            for f in range(len(faces)):
                a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
                for k in range(3):
                    total[a, k] += points[b, k] + points[c, k]
                    total[b, k] += points[c, k] + points[a, k]
                    total[c, k] += points[a, k] + points[b, k]
            for v in range(count):
                if weight[v] > 0:
                    for k in range(3):
                        points[v, k] += factor * (total[v, k] / weight[v] - points[v, k])
    return points


def _facing(depths: Floats) -> Floats:
    """Cosine between each view's line of sight and its surface's normal by the steepest slope nearby, (6, H, H).

    It turns a difference in depth into a distance to the surface.
    """
    near = (1, NEARBY, NEARBY)
    rise = scipy.ndimage.maximum_filter(depths, near) - scipy.ndimage.minimum_filter(depths, near)
    run = (NEARBY - 1) / SCALE
    return np.asarray(np.maximum(1 / np.sqrt(1 + (rise / run) ** 2), GRAZING), np.float32)


def _near(mask: NDArray[np.bool_], reach: float, needed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each needed pixel (H, H) is at most `reach` pixels from a mask; undefined for other pixels."""
    near, rim = np.zeros(mask.shape, np.bool_), int(np.ceil(reach)) + 1
    # Only the surroundings of needed pixels matter.
    for lines in scipy.ndimage.find_objects(needed.astype(np.uint8)):
        box = tuple(slice(max(0, line.start - rim), line.stop + rim) for line in lines)
        if mask[box].any():
            near[box] = scipy.ndimage.distance_transform_edt(~mask[box]) <= reach
    return near


def _missing(inside: Floats, depth: Floats, facing: Floats, nearest: Floats) -> NDArray[np.bool_]:
    """Pixels (H, H) of parts that a view shows and the volume, `nearest` deep there, lacks."""
    covered = inside > 0
    carved = covered & (nearest <= depth + BEHIND)
    missing = covered & ~carved & (facing > STEP)
    core = missing & ~_near(carved, REACH, missing)
    return missing & _near(core, REACH + 1, missing)


def _with_visible_parts(volume: Floats, views: Views, facing: Floats, low: Point, cell: float) -> Floats:
    """Add to a volume of `_carved` all parts that some view shows, and remove crumbs that no view shows."""
    ids, count = scipy.ndimage.label(volume > 0)
    nearest, piece = _look(ids.astype(np.int32), BASES, low, cell, SCALE, VIEW_SIZE)
    pixels = [
        np.bincount(ids[inside > 0], minlength=count + 1) for ids, inside in zip(piece, views.inside, strict=True)
    ]
    is_kept = np.max(pixels, axis=0) >= SHOWN
    is_kept[0] = True
    volume = np.where(is_kept[ids], volume, volume.min())
    missing = np.stack([_missing(*view) for view in zip(views.inside, views.depth, facing, nearest, strict=True)])
    if missing.any():
        thick = max(SHELL, FEWEST_SHELLS * cell)
        _put_back(volume, missing, views.inside, views.depth, BASES, low, cell, SCALE, HALF, thick)
    return volume


def _carved(views: Views, facing: Floats, low: Point, high: Point, cell: float) -> Floats:
    """Signed distance in units, positive inside, at points `cell` apart from `low` to `high`: (nx, ny, nz) float32."""
    counts = np.ceil((high - low) / cell).astype(np.int64) + 1
    frame = (BASES, OPPOSITE, low, cell, counts, SCALE, HALF, SLACK, CUT)
    return np.asarray(_carve(views.inside, views.depth, facing, *frame))


def _bounds(views: Views) -> tuple[Point, Point]:
    """Smallest and largest x, y, z of what the front, the back and the sides show."""
    if not (views.inside[FRONT] > 0).any():
        raise CharacterError("all of the character is too thin to be reconstructed")
    points = []
    for view in (FRONT, RIGHT, BACK, LEFT):
        rows, columns = np.nonzero(views.inside[view] > 0)
        depth, (right, _, forward) = views.depth[view][rows, columns], BASES[view]
        for corner in (np.min, np.max) if len(rows) else ():
            past = int(corner is np.max)
            across, down = corner(columns) + past, corner(rows) + past
            height = [0, 0, (HALF - down) / SCALE]
            points.append((across - HALF) / SCALE * right + corner(depth) * forward + height)
    return np.min(points, axis=0), np.max(points, axis=0)


def _fitting_cell(views: Views, facing: Floats, low: Point, high: Point) -> float:
    """Units between voxels that give about `FACES` faces.

    Marching cubes puts a vertex on each edge of the lattice that crosses the surface, and two faces to a vertex.
    """
    low = low - PROBE
    volume = _carved(views, facing, low, high + PROBE, PROBE)
    filled = _with_visible_parts(volume, views, facing, low, PROBE) > 0
    crossings = sum(int(np.count_nonzero(np.diff(filled, axis=axis))) for axis in range(3))
    return float(np.clip(PROBE * np.sqrt(2 * crossings / FACES), 1 / MOST, 1 / FEWEST))


def fused_surface(views: Views) -> tuple[Mesh, Floats]:
    """Fuse the views to a closed surface of about `FACES` faces, counter-clockwise seen from outside.

    A point is inside if every silhouette (the mean of two opposite ones) contains it and no view looks through it, or
    if a view shows a part there that this leaves out.

    Returns:
        The surface without colours, and the unit normals of its vertices, (V, 3) float32.

    Raises:
        CharacterError: if nothing is left.
    """
    low, high = _bounds(views)
    facing = _facing(views.depth)
    cell = _fitting_cell(views, facing, low, high)
    # Room for the Gaussian, so that the surface closes inside the volume.
    low, high = low - 4 * cell, high + 4 * cell
    volume = _carved(views, facing, low, high, cell)
    smooth = scipy.ndimage.gaussian_filter(volume, SMOOTH, mode="nearest", truncate=2.5)
    swollen = np.maximum(smooth, volume + np.float32(PUFF * cell))
    volume = _with_visible_parts(swollen, views, facing, low, cell)
    if not (volume > 0).any():
        raise CharacterError("nothing is left of the character after carving: all of it is too thin")
    points, faces, _, _ = skimage.measure.marching_cubes(volume, 0.0, gradient_direction="ascent")
    faces = np.ascontiguousarray(faces, np.int32)
    points = _relaxed(points, faces, TAUBIN, TAUBIN_STEPS) * cell + low
    mesh = Mesh(points.astype(np.float32), faces, (Material(name="fusion"),), np.zeros(len(faces), np.int32))
    return mesh, vertex_normals(points, faces)
