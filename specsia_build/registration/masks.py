"""Silhouettes as small images: distances, overlaps, missing parts; and simplified meshes, quick to draw."""

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Mask
from specsia_build.jit import compiled, ready
from specsia_build.rendering.contour import covered, outside_distance
from specsia_build.rendering.layers import HALF_COVERED, overlap
from specsia_build.rendering.mesh import Mesh


@compiled
def _shrink(masks, size):  # type: ignore[no-untyped-def]
    views, old = masks.shape[0], masks.shape[1]
    step = old / size
    out = np.empty((views, size, size), np.uint8)
    rows = np.empty((size, old))
    for k in range(views):
        for i in range(size):
            top, bottom = i * step, (i + 1) * step
            rows[i, :] = 0.0
            y = int(top)
            while y < old and y < bottom - 1e-9:
                share = min(bottom, y + 1.0) - max(top, np.float64(y))
                for x in range(old):
                    rows[i, x] += share * masks[k, y, x]
                y += 1
        for i in range(size):
            for j in range(size):
                left, right = j * step, (j + 1) * step
                total = 0.0
                x = int(left)
                while x < old and x < right - 1e-9:
                    total += (min(right, x + 1.0) - max(left, np.float64(x))) * rows[i, x]
                    x += 1
                out[k, i, j] = int(min(255.0, total / (step * step) + 0.5))
    return out


def shrink(masks: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Coverage images (V, H, H) uint8 averaged down (or repeated up) to (V, size, size) uint8."""
    return masks if masks.shape[-1] == size else np.asarray(_shrink(ready(masks), size))


@compiled
def _spread(distance, near, reach):  # type: ignore[no-untyped-def]
    """Extend distances below `near` to `reach` by two chamfer passes with steps of 1 and sqrt(2)."""
    size, away = distance.shape[0], int(np.ceil(reach))
    diagonal = np.float32(1.4142135)
    top, bottom = size, 0
    columns = np.zeros(size, np.uint8)
    for y in range(size):
        row, any_near = distance[y], np.uint8(0)
        for x in range(size):
            is_near = np.uint8(row[x] < near)
            columns[x] |= is_near
            any_near |= is_near
            row[x] = row[x] if is_near else reach
        if any_near != 0:
            top, bottom = min(top, y), y + 1
    left, right = covered(columns)
    # Farther than `reach` from all near pixels nothing changes.
    top, bottom = max(0, top - away), min(size, bottom + away)
    left, right = max(0, left - away), min(size, right + away)
    for turn in range(2):
        for i in range(top, bottom):
            y = i if turn == 0 else top + bottom - 1 - i
            before = y - 1 if turn == 0 else y + 1
            for j in range(left, right):
                x = j if turn == 0 else left + right - 1 - j
                side = x - 1 if turn == 0 else x + 1
                d = distance[y, x]
                if d < near:
                    continue
                if 0 <= side < size:
                    d = min(d, distance[y, side] + np.float32(1))
                if 0 <= before < size:
                    d = min(d, distance[before, x] + np.float32(1))
                    if x > 0:
                        d = min(d, distance[before, x - 1] + diagonal)
                    if x < size - 1:
                        d = min(d, distance[before, x + 1] + diagonal)
                distance[y, x] = d


EXACT_BAND = 3.0  # Pixels from the outline within which `outline_distance` is exact to a few hundredths


def outline_distance(coverage: NDArray[np.uint8], reach: float) -> NDArray[np.float32]:
    """Distance in pixels from each pixel's centre to a silhouette's outline, (H, H) float32, negative inside.

    Exact within `EXACT_BAND`, within 8 % beyond, cut off at `reach` either way.
    """
    near = min(EXACT_BAND, reach)
    signed = outside_distance(coverage, near) - outside_distance(np.uint8(255) - coverage, near)
    distance = np.abs(signed)
    _spread(distance, np.float32(near), np.float32(reach))
    return np.asarray(np.copysign(distance, signed))


@compiled
def overlaps(masks, targets):  # type: ignore[no-untyped-def]
    """Per view, the pixels (V, 2) that both and that either of two sets of binary images (V, H, H) cover."""
    out = np.empty((len(masks), 2), np.int64)
    for k in range(len(masks)):
        both, either = 0, 0
        for y in range(masks.shape[1]):
            for x in range(masks.shape[2]):
                both += masks[k, y, x] & targets[k, y, x]
                either += masks[k, y, x] | targets[k, y, x]
        out[k, 0], out[k, 1] = both, either
    return out


def moments(masks: Mask) -> Doubles:
    """Area in pixels, and mean column and row of covered pixels' centres, by view (V, 3); zero for none."""
    steps = np.arange(masks.shape[-1])
    across, down = masks.sum(axis=1), masks.sum(axis=2)
    areas = across.sum(axis=1)
    middles = [(counts @ steps) / np.maximum(areas, 1) + 0.5 * (areas > 0) for counts in (across, down)]
    return np.stack([areas, *middles], axis=1)


def lighter(mesh: Mesh, cells: int) -> Mesh:
    """Simplify a mesh by merging vertices in a grid of `cells` along its longest side; drops colours."""
    vertices = mesh.vertices
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    cell = max(float((high - low).max()) / cells * (1 + 1e-6), 1e-30)
    places = np.minimum(((vertices - low) / np.float64(cell)).astype(int), cells - 1)
    keys = np.ravel_multi_index(places.T, (cells, cells, cells))
    _, first, cluster = np.unique(keys, return_index=True, return_inverse=True)
    # Cells are numbered by their first vertices.
    cluster = np.argsort(np.argsort(first))[cluster]
    sums = np.stack([np.bincount(cluster, vertices[:, axis]) for axis in range(3)], axis=1)
    points = (sums / np.bincount(cluster)[:, None]).astype(np.float32)
    corners = cluster[mesh.faces].astype(np.int32)
    a, b, c = corners.T
    faces = corners[(a != b) & (b != c) & (c != a)]
    if len(faces) == 0:
        return mesh
    return Mesh(points, faces, mesh.materials[:1], np.zeros(len(faces), np.int32))


LOST_SIZE = 128  # Pixels along a side of the silhouettes in which missing parts are searched
LOST_REACH = 2.0  # Pixels from the covered area beyond which a part is missing; nearer, outlines only differ
LOST = 0.025  # Least share of a missing part; 48 sound characters lack 0.015 at most, without a leg 0.04


def recall(mask: NDArray[np.uint8], gt_mask: NDArray[np.uint8]) -> float:
    """Share 0-1 of the pixels of Y*'s silhouette (H, W) that Z's covers, at half coverage; 1.0 if empty."""
    both, _, theirs = overlap(mask, gt_mask)
    return both / theirs if theirs else 1.0


def lost_part(mask: NDArray[np.uint8], gt_mask: NDArray[np.uint8]) -> float:
    """Share 0-1 of Y*'s silhouette (S, S) in the largest connected part that Z lacks."""
    theirs, ours = shrink(np.stack([gt_mask, mask]), LOST_SIZE) >= HALF_COVERED
    missing = theirs & ~ours
    if not missing.any():
        return 0.0
    distance = scipy.ndimage.distance_transform_edt(~ours) if ours.any() else np.full(ours.shape, np.inf)
    parts, _ = scipy.ndimage.label(missing, structure=np.ones((3, 3)))
    areas = np.bincount(parts.ravel())[np.unique(parts[missing & (distance > LOST_REACH)])]
    return float(areas.max(initial=0) / np.count_nonzero(theirs))
