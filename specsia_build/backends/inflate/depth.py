"""How deep a figure is where it is so wide: round limbs and head, flatter body, feet that point to the viewer.

The factors were measured on the sixteen real characters that the project is tested with, figures at rest: half depth
over the radius of the largest disc of the silhouette around it has medians of 1.0-1.25 in heads, 1.0-1.2 in limbs and
0.65-0.95 in bodies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.backends.inflate.blur import blurred
from specsia_build.jit import compiled

Floats = NDArray[np.float64]

HEAD = 1.15
"""Half depth over radius of heads."""

WHOLE = 1.0
"""Half depth over radius of figures without a head on a body: fruit, robots, balls."""

LIMB = 1.1
"""Half depth over radius of arms and legs."""

BODY = 0.82
"""Half depth over radius of the body between head and legs."""

HEADROOM = 2.2
"""A head's largest disc has its centre at most this many radii below the top of its column; a body has more above."""

FULL = 0.25
"""How much fuller than an ellipse a section of head or body is: its half thickness h grows by FULL (1 - h^2) of h."""

TOES = 1.5
"""How much longer than round a foot is towards the viewer."""

FOOT = (0.055, 0.025)
"""Height of the foot over the ground, in parts of the figure's height: where it starts and where it is in full."""

LOWEST_HEAD = 0.6
"""How far down the figure the head's middle may be."""

HEAD_OF_BODY = 0.4
"""A head has at least this part of the body's radius; a smaller knob on top does not make the rest a body."""

BODY_OF_HEAD = 0.3
"""A body has at least this part of the head's radius; what is smaller below a head are its feet."""


@dataclass(frozen=True)
class Build:
    """Where the figure's head and body are.

    Attributes:
        row, column, radius: centre and radius in cells of the largest disc in the head.
        body: radius in cells of the largest disc below the head.
    """

    row: int
    column: int
    radius: float
    body: float


@dataclass(frozen=True)
class Depth:
    """How deep the figure is at each node; all (h, w) float64.

    Attributes:
        square: squared half thickness in cells squared, 0 outside.
        crest: half thickness in cells along the middle of the part that the node belongs to, at least 1.
        trunk: 0-1, how far the node belongs to the head or the body instead of a limb.
        feet: 0-1, how far it belongs to a foot.
    """

    square: Floats
    crest: Floats
    trunk: Floats
    feet: Floats


def depth_of(distance: Floats, inflated: Floats) -> Depth:
    """Scale an inflated silhouette so that each part is as deep as figures are.

    Args:
        distance: (h, w) float64 signed distance to the contour in cells, positive inside.
        inflated: (h, w) float64 solution of laplace(u) = -2 in cells squared, 0 outside.
    """
    inside = distance > 0
    radius, peak = local_radius(distance, inflated)
    build = find_build(distance)
    factor, trunk = roundness(radius, build)
    middle = np.maximum(radius * factor, 0.5)
    gain = np.maximum(middle**2 / np.maximum(peak, 0.25), 1e-3)
    # Neighbouring discs differ by steps; their means over a part of the body's radius do not.
    reach = 0.25 * (float(distance.max()) if build is None else build.body)
    smooth_gain = np.exp(_mean_within(np.log(gain), inside, reach))
    crest = np.exp(_mean_within(np.log(middle), inside, reach))
    trunk = _mean_within(trunk, inside, 0.5 * reach)
    feet = np.zeros(distance.shape) if build is None else _ground(inside) * (1.0 - trunk)
    return Depth(np.where(inside, inflated * smooth_gain, 0.0), np.maximum(crest, 1.0), trunk, feet)


def relief(points: Floats, depth: Depth) -> Floats:
    """Heights of a surface over `depth.square`, made fuller on head and body and drawn out to the toes in front.

    Args:
        points: (V, 3) float64 column, row and height in cells; height is positive towards the viewer.

    Returns:
        (V,) float64 heights in cells, of the same sign and order as before along each line of sight.
    """
    at = [points[:, 1], points[:, 0]]
    crest, trunk, feet = (
        scipy.ndimage.map_coordinates(field, at, order=1, mode="nearest")
        for field in (depth.crest, depth.trunk, depth.feet)
    )
    height = points[:, 2]
    fuller = 1.0 + FULL * trunk * np.maximum(1.0 - (height / crest) ** 2, 0.0)
    toes = np.where(height > 0, 1.0 + TOES * feet, 1.0)
    return np.asarray(height * fuller * toes)


def _ground(inside: NDArray[np.bool_]) -> Floats:
    """0-1 by row, (h, 1): 1 at the lowest rows of the figure, where it stands."""
    rows = np.flatnonzero(inside.any(axis=1))
    above = (rows[-1] - np.arange(len(inside))) / max(1, rows[-1] - rows[0])
    return _step(-above, -FOOT[0], -FOOT[1])[:, None]


def _mean_within(values: Floats, mask: NDArray[np.bool_], sigma: float) -> Floats:
    weight = blurred(mask.astype(np.float64), sigma, 3.0)
    total = blurred(np.where(mask, values, 0.0), sigma, 3.0)
    return np.asarray(total / np.maximum(weight, 1e-9))


def find_build(distance: Floats) -> Build | None:
    """Head and body of an upright figure, or None where it has no such parts.

    Args:
        distance: (h, w) float64 signed distance to the contour in cells, row 0 at the top.
    """
    inside = distance > 0
    rows = np.flatnonzero(inside.any(axis=1))
    lowest = int(rows[0] + LOWEST_HEAD * (rows[-1] - rows[0]))
    row, column = _largest_crown(distance, lowest)
    radius = float(distance[row, column])
    body = float(distance[int(row + radius) :].max(initial=0.0))
    if radius < HEAD_OF_BODY * body or body < BODY_OF_HEAD * radius:
        return None
    return Build(row, column, radius, body)


@compiled
def _largest_crown(distance: Floats, lowest: int) -> tuple[int, int]:
    """Row and column of the largest disc that has no larger one about it and little of the figure above it."""
    width = distance.shape[1]
    above = np.zeros(distance.shape)
    best, row, column = 0.0, 0, 0
    for r in range(1, lowest):
        for c in range(width):
            above[r, c] = above[r - 1, c] + 1.0 if distance[r, c] > 0 else 0.0
        for c in range(width):
            d = distance[r, c]
            if d <= best:
                continue
            tallest = 0.0
            for x in range(int(c - 0.7 * d), int(c + 0.7 * d) + 1):
                tallest = max(tallest, above[r, x])
            if tallest > HEADROOM * d + 1.0:
                continue
            reach = int(d)
            around = distance[max(0, r - reach) : r + reach + 1, max(0, c - reach) : c + reach + 1]
            if np.max(around) <= 1.05 * d:
                best, row, column = d, r, c
    return row, column


def roundness(radius: Floats, build: Build | None) -> tuple[Floats, Floats]:
    """Half depth over radius at each node, and how far it belongs to the head or the body, 0-1.

    Args:
        radius: (h, w) float64 local radius in cells.
        build: head and body, or None for a figure that is round all over.
    """
    if build is None:
        return np.full(radius.shape, WHOLE), np.ones(radius.shape)
    row, column = np.ogrid[: radius.shape[0], : radius.shape[1]]
    below = _step((row - build.row) / build.radius, 0.7, 1.3)
    beside = _step(np.abs(column - build.column) / build.radius, 1.5, 2.5)
    head = (1.0 - below) * (1.0 - beside)
    body = _step(radius / build.body, 0.45, 0.9) * (1.0 - head)
    return LIMB + (HEAD - LIMB) * head + (BODY - LIMB) * body, head + body


def _step(values: Floats, low: float, high: float) -> Floats:
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def local_radius(distance: Floats, inflated: Floats) -> tuple[Floats, Floats]:
    """For each node the radius of the largest disc inside the silhouette that holds it, and `inflated` at its centre.

    Returns:
        radius in cells and inflated in cells squared, (h, w) float64 each, 0 outside.
    """
    radius, peak = np.zeros(distance.shape), np.zeros(distance.shape)
    _paint_discs(distance, inflated, radius, peak)
    return radius, peak


@compiled
def _paint_discs(distance: Floats, inflated: Floats, radius: Floats, peak: Floats) -> None:
    height, width = distance.shape
    for r in range(1, height - 1):
        for c in range(1, width - 1):
            d = distance[r, c]
            if d <= 0:
                continue
            crest = (d >= distance[r, c - 1] and d >= distance[r, c + 1]) or (
                d >= distance[r - 1, c] and d >= distance[r + 1, c]
            )
            if not crest:
                continue
            reach = int(d) + 1
            for y in range(max(0, r - reach), min(height, r + reach + 1)):
                for x in range(max(0, c - reach), min(width, c + reach + 1)):
                    within = (y - r) ** 2 + (x - c) ** 2 <= (d + 0.75) ** 2
                    if within and distance[y, x] > 0 and d > radius[y, x]:
                        radius[y, x] = d
                        peak[y, x] = inflated[r, c]
