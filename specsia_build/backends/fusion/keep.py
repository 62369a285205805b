"""What a view shows stays: parts that carving lost because views disagree are put back where a view shows them.

Silhouettes and depths that do not quite agree carve away what is thinner than they are wrong: wings, bones, tails.
A view that shows such a part knows where its surface lies, and so it gets a thin shell there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.backends.fusion.damage import Damaged
from specsia_build.backends.fusion.noise import bilinear
from specsia_build.jit import compiled

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
