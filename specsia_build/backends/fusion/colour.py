"""Vertex colours of the fused surface: a blend of the views that see a vertex, weighted by their angle."""

import numpy as np
import scipy
from numpy.random import Generator

from specsia_build.arrays import Floats
from specsia_build.backends.fusion.views import CAMERAS, HALF_SIZE, SCALE, DrawnViews, between, seen_from
from specsia_build.jit import compiled
from specsia_build.rendering.fast.renderer import glance
from specsia_build.rendering.mesh import Mesh

_SHARPNESS = 5.0  # Power of the cosine between normal and line of sight that weighs a view
SEEN = 0.012  # Units that a vertex may be behind a view's depth and still be visible
SPECKLE = 1.0  # Deviation of the logarithm of a view's weight at a vertex, at strength 1
# Error of the depth test in units, at strength 1: colours land on surfaces behind, and the reverse
PEEK = 0.012

GRAIN, GRAIN_HUE = 0.07, 0.35
"""Deviation of the error of a vertex's encoded colour where views say little, at strength 1, and its share
that differs between R, G and B: a colour network is fitted at random points and keeps its own pattern."""

GRAIN_FLOOR = 0.3  # Share of it that is left where a view looks straight at the surface
_PAPER = 1.0  # The background that views are drawn on, encoded: Wonder3D's white
FRINGE = 1.2  # Pixels beyond the outline over which a view's colours turn to paper
# Total weight below which no view sees a vertex; it takes the mean colour of the nearest seen ones
_FEWEST = 0.02
NEIGHBOURS = 4


@compiled
def _mean(image, j, i, t, s):  # type: ignore[no-untyped-def]
    """The same as `blended`, in double precision."""
    top = (1 - s) * image[j, i] + s * image[j, i + 1]
    low = (1 - s) * image[j + 1, i] + s * image[j + 1, i + 1]
    return (1 - t) * top + t * low


@compiled
def _gather(vertices, normals, views, depths, jitter, peek):  # type: ignore[no-untyped-def]
    """Weighted mean colour (V, 3) and total weight (V,) of each vertex."""
    colors, inside = views.color, views.inside
    out = np.zeros((len(vertices), 3), np.float32)
    weights = np.zeros(len(vertices), np.float32)
    for n in range(len(vertices)):
        for k in range(len(colors)):
            u, far = seen_from(k, vertices[n, 0], vertices[n, 1])
            _, away = seen_from(k, normals[n, 0], normals[n, 1])
            if away >= 0:
                continue
            i, s = between(u)
            j, t = between(HALF_SIZE - vertices[n, 2] * SCALE)
            if far - depths[k, j + (t >= 0.5), i + (s >= 0.5)] > SEEN + peek[n, k]:
                continue
            edge = _mean(inside[k], j, i, t, s)
            figure_share = min(1.0, max(0.0, 1.0 + edge / FRINGE))
            weight = (-away) ** _SHARPNESS * np.exp(jitter[n, k]) * (0.15 + 0.85 * figure_share)
            for channel in range(3):
                value = _mean(colors[k, :, :, channel], j, i, t, s)
                out[n, channel] += weight * (_PAPER + figure_share * (value - _PAPER))
            weights[n] += weight
        if weights[n] > 0:
            out[n] /= weights[n]
    return out, weights


def colours_of(
    mesh: Mesh, normals: Floats, views: DrawnViews, generator: Generator, strength: float
) -> Floats:
    """Colour of each vertex (V, 3) float32 sRGB 0-1, by unit normals (V, 3), with speckle and grain."""
    depths = glance(mesh, CAMERAS)
    shape = (len(mesh.vertices), len(CAMERAS))
    jitter = generator.standard_normal(shape, dtype=np.float32) * np.float32(SPECKLE * strength)
    peek = np.abs(generator.standard_normal(shape, dtype=np.float32)) * np.float32(PEEK * strength)
    colours, weights = _gather(mesh.vertices, normals, views, depths, jitter, peek)
    is_seen = weights >= _FEWEST
    if not is_seen.all() and np.count_nonzero(is_seen) >= NEIGHBOURS:
        tree = scipy.spatial.cKDTree(mesh.vertices[is_seen])
        _, nearest = tree.query(mesh.vertices[~is_seen], k=NEIGHBOURS)
        colours[~is_seen] = colours[is_seen][nearest].mean(axis=1)
    # The error of a vertex's colour is the greater the less the views weigh there.
    common = generator.standard_normal((len(weights), 1), dtype=np.float32)
    own = generator.standard_normal((len(weights), 3), dtype=np.float32)
    unsure = GRAIN_FLOOR + (1 - GRAIN_FLOOR) * np.exp(-2 * weights)
    grain = np.asarray((common + GRAIN_HUE * (own - common)) * (GRAIN * unsure)[:, None], np.float32)
    return np.asarray(np.clip(colours + grain * np.float32(strength), 0, 1), np.float32)
