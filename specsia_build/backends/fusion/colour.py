"""Vertex colours of the fused surface: a blend of the views that see a vertex, weighted by how they face it."""

import numpy as np
import scipy

from specsia_build.backends.fusion.views import BASES, CAMERAS, HALF, SCALE, Floats, Views, depth_along
from specsia_build.jit import compiled
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh

SHARPNESS = 5.0  # Power of the cosine between normal and line of sight that weighs a view
SEEN = 0.012  # Units that a vertex may be behind a view's depth and still be visible
SPECKLE = 1.0  # Deviation of the logarithm of a view's weight at a vertex, at strength 1
PEEK = 0.012  # Error of the depth test in units, at strength 1: colours land on what is behind, and the reverse

GRAIN, GRAIN_HUE = 0.07, 0.35
"""Deviation of the error of a vertex's encoded colour where views say little, at strength 1, and its share that differs
between R, G and B: a colour network is fitted at random points and keeps a pattern of its own."""

GRAIN_FLOOR = 0.3  # Share of it that is left where a view looks straight at the surface
PAPER = 1.0  # The background that views are drawn on, encoded: Wonder3D's white
FRINGE = 1.2  # Pixels beyond the outline over which a view's colours turn to paper
FEWEST = 0.02  # Total weight below which no view sees a vertex; it takes the mean colour of the nearest seen ones

NEIGHBOURS = 4


@compiled
def _gather(vertices, normals, colors, inside, depths, bases, scale, half, power, seen, fringe, paper, jitter, peek):  # type: ignore[no-untyped-def]
    """Weighted mean colour (V, 3) and total weight (V,) of each vertex."""
    count, views = len(vertices), len(colors)
    size = colors.shape[1]
    out = np.zeros((count, 3), np.float32)
    weights = np.zeros(count, np.float32)
    for n in range(count):
        for k in range(views):
            b = bases[k]
            facing = -(b[2, 0] * normals[n, 0] + b[2, 1] * normals[n, 1] + b[2, 2] * normals[n, 2])
            if facing <= 0:
                continue
            u = (b[0, 0] * vertices[n, 0] + b[0, 1] * vertices[n, 1] + b[0, 2] * vertices[n, 2]) * scale + half
            v = half - (b[1, 0] * vertices[n, 0] + b[1, 1] * vertices[n, 1] + b[1, 2] * vertices[n, 2]) * scale
            far = b[2, 0] * vertices[n, 0] + b[2, 1] * vertices[n, 1] + b[2, 2] * vertices[n, 2]
            x, y = min(max(u - 0.5, 0.0), size - 1.001), min(max(v - 0.5, 0.0), size - 1.001)
            i, j = int(x), int(y)
            s, t = x - i, y - j
            hidden = far - depths[k, int(y + 0.5), int(x + 0.5)]
            if hidden > seen + peek[n, k]:
                continue
            edge = (1 - t) * ((1 - s) * inside[k, j, i] + s * inside[k, j, i + 1]) + t * (
                (1 - s) * inside[k, j + 1, i] + s * inside[k, j + 1, i + 1]
            )
            figure_share = min(1.0, max(0.0, 1.0 + edge / fringe))
            weight = facing**power * np.exp(jitter[n, k]) * (0.15 + 0.85 * figure_share)
            for c in range(3):
                value = (1 - t) * ((1 - s) * colors[k, j, i, c] + s * colors[k, j, i + 1, c]) + t * (
                    (1 - s) * colors[k, j + 1, i, c] + s * colors[k, j + 1, i + 1, c]
                )
                out[n, c] += weight * (paper + figure_share * (value - paper))
            weights[n] += weight
        if weights[n] > 0:
            for c in range(3):
                out[n, c] /= weights[n]
    return out, weights


def vertex_colours(
    mesh: Mesh, normals: Floats, views: Views, generator: np.random.Generator, strength: float
) -> Floats:
    """Colour of each vertex (V, 3) float32 sRGB-encoded 0-1, by unit normals (V, 3), with speckle and grain."""
    depths = np.empty_like(views.depth)
    for k, (camera, layers) in enumerate(zip(CAMERAS, FastRenderer().render(mesh, CAMERAS), strict=True)):
        covered = layers.coverage > 0
        depths[k] = np.where(covered, depth_along(camera, layers.position, covered), np.inf)
    shape = (len(mesh.vertices), len(CAMERAS))
    jitter = generator.standard_normal(shape, dtype=np.float32) * np.float32(SPECKLE * strength)
    peek = np.abs(generator.standard_normal(shape, dtype=np.float32)) * np.float32(PEEK * strength)
    limits = (SCALE, HALF, SHARPNESS, SEEN, FRINGE, PAPER)
    colours, weights = _gather(mesh.vertices, normals, views.color, views.inside, depths, BASES, *limits, jitter, peek)
    is_seen = weights >= FEWEST
    if not is_seen.all() and np.count_nonzero(is_seen) >= NEIGHBOURS:
        _, nearest = scipy.spatial.cKDTree(mesh.vertices[is_seen]).query(mesh.vertices[~is_seen], k=NEIGHBOURS)
        colours[~is_seen] = colours[is_seen][nearest].mean(axis=1)
    # The error of a vertex's colour is the greater the less the views weigh there.
    common = generator.standard_normal((len(weights), 1), dtype=np.float32)
    own = generator.standard_normal((len(weights), 3), dtype=np.float32)
    unsure = GRAIN_FLOOR + (1 - GRAIN_FLOOR) * np.exp(-2 * weights)
    grain = np.asarray((common + GRAIN_HUE * (own - common)) * (GRAIN * unsure)[:, None], np.float32)
    return np.asarray(np.clip(colours + grain * np.float32(strength), 0, 1), np.float32)
