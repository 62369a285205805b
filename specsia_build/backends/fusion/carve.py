"""A closed surface from silhouettes and depths that do not quite agree: carving, marching cubes, smoothing.

Such views carve away what is thinner than their errors: wings, bones, tails. A view that shows such a part knows where
its surface lies, and the part gets a thin shell there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
import skimage
from numpy.typing import NDArray

from specsia_build.backends.fusion.damage import Damaged
from specsia_build.backends.fusion.noise import between, bilinear, blended
from specsia_build.backends.fusion.views import BACK, FRONT, LEFT, OPPOSITE, RIGHT
from specsia_build.errors import CharacterError
from specsia_build.jit import compiled
from specsia_build.rendering.light import vertex_normals

Floats = NDArray[np.float32]

BEHIND = 0.03
"""Units by which a surface may lie behind the depth that a view shows and still be what the view shows."""

REACH = 3.0
"""Pixels from what is there beyond which something lacks; nearer than that, views only disagree about an outline."""

SHELL = 0.014
"""Units of thickness of what is put back: between a wing and a finger."""

FEWEST_SHELLS = 1.5
"""Voxels of thickness that it has at least, so that the lattice does not slip through."""

SHOWN = 9
"""Pixels of some view that a separate piece must fill to be more than a crumb."""


GRAZING = 0.2
"""Least cosine; a step in depth has none of its own."""

NEARBY = 5
"""Pixels over which a slope is measured."""

STEP = 0.3
"""Cosine up to which a depth lies between two surfaces instead of on one, smeared where one ends before the other."""

FACES = 50_000
"""Faces that are aimed at, as DrawingSpinUp's meshes have."""

PROBE = 1 / 80
"""Units between the points at which the carved shape is first looked at, to tell how many faces it will have."""

FEWEST, MOST = 96, 224
"""Voxels along one unit, whatever the number of faces."""

SLACK = 0.002
"""Units that may stand before the depth a view shows; less would let noise eat holes."""

SMOOTH = 0.8
"""Width in voxels of the Gaussian over the signed distance."""

PUFF = 0.1
"""Voxels by which a thin part ends up thicker than it was carved, whatever the Gaussian takes away: a cape or a blade
would else be lost altogether, and volumetric fusion leaves everything a little swollen."""

CUT = 0.04
"""Units beyond which a distance to the surface no longer counts."""

TAUBIN, TAUBIN_STEPS = (0.5, -0.53), 3
"""Factors and rounds of Taubin's smoothing (Signal Processing Approach to Fair Surface Design, 1995)."""


@dataclass(frozen=True)
class Fused:
    """Closed, counter-clockwise seen from outside.

    Attributes:
        vertices: (V, 3) float32 units of the frame.
        faces: (F, 3) int32.
        normals: (V, 3) float32 unit vectors.
    """

    vertices: Floats
    faces: NDArray[np.int32]
    normals: Floats


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
def _put_back(volume, lacking, inside, depth, bases, low, cell, scale, half, thick):  # type: ignore[no-untyped-def]
    """Raise a signed distance to that of a shell `thick` units deep behind what lacks, in place, but for its border."""
    size = lacking.shape[1]
    for i in range(1, volume.shape[0] - 1):
        x = low[0] + i * cell
        for j in range(1, volume.shape[1] - 1):
            y = low[1] + j * cell
            for k in range(len(lacking)):
                u = (bases[k, 0, 0] * x + bases[k, 0, 1] * y) * scale + half
                if u < 0 or u >= size:
                    continue
                far = bases[k, 2, 0] * x + bases[k, 2, 1] * y
                for l in range(1, volume.shape[2] - 1):  # noqa: E741
                    v = half - (low[2] + l * cell) * scale
                    if v < 0 or v >= size or not lacking[k, int(v), int(u)]:
                        continue
                    behind = far - bilinear(depth[k], u, v)
                    value = min(bilinear(inside[k], u, v) / scale + 0.25 * cell, behind, thick - behind)
                    volume[i, j, l] = max(volume[i, j, l], value)


def facing(view: Damaged) -> Floats:
    """Cosine between a view's line of sight and its surface's normal, (H, H), not less than `GRAZING`.

    It turns a difference in depth into a distance to the surface. The steepest slope nearby counts, as the nearest
    depth nearby has flattened the slopes themselves.
    """
    rise = scipy.ndimage.maximum_filter(view.depth, NEARBY) - scipy.ndimage.minimum_filter(view.depth, NEARBY)
    run = (NEARBY - 1) / view.camera.pixels_per_unit
    return np.asarray(np.maximum(1 / np.sqrt(1 + (rise / run) ** 2), GRAZING), np.float32)


def _lacking(view: Damaged, slope: Floats, nearest: Floats) -> NDArray[np.bool_]:
    """Pixels (H, H) of the parts that a view shows and that are not there."""
    shown = view.inside > 0
    there = shown & (nearest <= view.depth + BEHIND)
    missing = shown & ~there & (slope > STEP)
    core = missing & ~_near(there, REACH, missing)
    return missing & _near(core, REACH + 1, missing)


def _near(mask: NDArray[np.bool_], reach: float, asked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the pixels `asked` for, (H, H), lie at most `reach` pixels from those of a mask; of others, anything."""
    rows, columns = np.flatnonzero(asked.any(axis=1)), np.flatnonzero(asked.any(axis=0))
    near = np.zeros(mask.shape, np.bool_)
    if len(rows) == 0:
        return near
    # What is farther from all that is asked for decides nothing.
    rim = int(np.ceil(reach)) + 1
    box = tuple(slice(max(0, int(line[0]) - rim), int(line[-1]) + rim + 1) for line in (rows, columns))
    if mask[box].any():
        near[box] = scipy.ndimage.distance_transform_edt(~mask[box]) <= reach
    return near


def kept(volume: Floats, views: Sequence[Damaged], slopes: Floats, low: NDArray[np.float64], cell: float) -> Floats:
    """A carved volume with all parts that some view shows, and without separate crumbs that none does.

    Args:
        volume: signed distance in units, positive inside, at points `cell` apart from `low` on: (nx, ny, nz).
        views: the canonical ones.
        slopes: (K, H, H), how far each faces its camera: `facing`.
        low: smallest x, y, z.
        cell: units between points.
    """
    camera = views[0].camera
    bases, scale = np.stack([view.camera.basis() for view in views]), camera.pixels_per_unit
    ids, count = scipy.ndimage.label(volume > 0)
    nearest, piece = _look(ids.astype(np.int32), bases, low, cell, scale, camera.size)
    sizes = [np.bincount(seen[view.inside > 0], minlength=count + 1) for seen, view in zip(piece, views, strict=True)]
    shown = np.max(sizes, axis=0) >= SHOWN
    shown[0] = True
    volume = np.where(shown[ids], volume, volume.min())
    lacking = np.stack([_lacking(*seen) for seen in zip(views, slopes, nearest, strict=True)])
    if lacking.any():
        inside, depth = np.stack([view.inside for view in views]), np.stack([view.depth for view in views])
        thick = max(SHELL, FEWEST_SHELLS * cell)
        _put_back(volume, lacking, inside, depth, bases, low, cell, scale, camera.size / 2, thick)
    return volume


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


def _bounds(views: Sequence[Damaged]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest x, y, z of what the front, the back and the sides show.

    Raises:
        CharacterError: if the front shows nothing.
    """
    points = []
    for which in (FRONT, RIGHT, BACK, LEFT):
        view = views[which]
        filled = view.inside > 0
        if not filled.any():
            continue
        scale, half = view.camera.pixels_per_unit, view.camera.size / 2
        rows, columns = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
        right, _, forward = view.camera.basis()
        for column, row, depth in zip(
            (columns[0], columns[-1] + 1),
            (rows[0], rows[-1] + 1),
            (view.depth[filled].min(), view.depth[filled].max()),
            strict=True,
        ):
            points.append((column - half) / scale * right + depth * forward + [0, 0, (half - row) / scale])
    if not (views[FRONT].inside > 0).any():
        raise CharacterError("all of the character is too thin to be reconstructed")
    return np.min(points, axis=0), np.max(points, axis=0)


def carved(
    views: Sequence[Damaged], slopes: Floats, low: NDArray[np.float64], high: NDArray[np.float64], cell: float
) -> Floats:
    """Signed distance in units, positive inside, at points `cell` apart from `low` on: (nx, ny, nz) float32.

    Args:
        views: the canonical ones.
        slopes: (K, H, H), how far each faces its camera: `facing`.
        low, high: smallest and largest x, y, z.
        cell: units between points.
    """
    mirror = np.full(len(views), -1)
    for one, other in OPPOSITE.items():
        mirror[one], mirror[other] = other, one
    camera = views[0].camera
    volume = _carve(
        np.stack([view.inside for view in views]),
        np.stack([view.depth for view in views]),
        slopes,
        np.stack([view.camera.basis() for view in views]),
        mirror,
        low,
        cell,
        np.ceil((high - low) / cell).astype(np.int64) + 1,
        camera.pixels_per_unit,
        camera.size / 2,
        SLACK,
        CUT,
    )
    return np.asarray(volume)


def _fitting_cell(
    views: Sequence[Damaged], slopes: Floats, low: NDArray[np.float64], high: NDArray[np.float64]
) -> float:
    """Units between voxels that give about `FACES` faces.

    Marching cubes puts a vertex on each edge of the lattice that crosses the surface, and two faces to a vertex.
    """
    low = low - PROBE
    filled = kept(carved(views, slopes, low, high + PROBE, PROBE), views, slopes, low, PROBE) > 0
    crossings = sum(int(np.count_nonzero(np.diff(filled, axis=axis))) for axis in range(3))
    return float(np.clip(PROBE * np.sqrt(2 * crossings / FACES), 1 / MOST, 1 / FEWEST))


def fused_surface(views: Sequence[Damaged]) -> Fused:
    """Fuse the canonical views, in the order of `YAWS`, to a closed surface of about `FACES` faces.

    A point is inside where every silhouette, the mean of two opposite ones, holds it and no view looks through it, or
    where a view shows a part that is not there then.

    Raises:
        CharacterError: if nothing is left.
    """
    low, high = _bounds(views)
    slopes = np.stack([facing(view) for view in views])
    cell = _fitting_cell(views, slopes, low, high)
    # Room for the Gaussian, so that the surface closes inside the volume.
    low, high = low - 4 * cell, high + 4 * cell
    volume = carved(views, slopes, low, high, cell)
    smooth = scipy.ndimage.gaussian_filter(volume, SMOOTH, mode="nearest", truncate=2.5)
    volume = kept(np.maximum(smooth, volume + np.float32(PUFF * cell)), views, slopes, low, cell)
    if not (volume > 0).any():
        raise CharacterError("nothing is left of the character after carving: all of it is too thin")
    points, faces, _, _ = skimage.measure.marching_cubes(volume, 0.0, gradient_direction="ascent")
    faces = np.ascontiguousarray(faces, np.int32)
    points = _relaxed(points, faces, TAUBIN, TAUBIN_STEPS) * cell + low
    return Fused(points.astype(np.float32), faces, vertex_normals(points, faces))
