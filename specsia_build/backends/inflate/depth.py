"""How deep a figure is, guessed from its silhouette.

The thickness solves a Poisson equation, as in "Repoussé" (Joshi and Carr, 2008): limbs come out round. Factors for
head, body, limbs and feet were measured on the sixteen characters of `characters.jsonl`: half depth over the radius of
the largest disc of the silhouette around a point has medians of 1.0-1.25 in heads, 1.0-1.2 in limbs and 0.65-0.95 in
bodies. Arrays are indexed [row, column] with row 0 at the top; lengths are in cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.jit import compiled

Floats = NDArray[np.float64]

HEAD, LIMB, BODY, WHOLE = 1.15, 1.16, 0.86, 1.0
"""Half depth over radius of heads, of limbs, of the body between them, and of figures without a head on a body. Limbs
and body are a little above the medians, since flat faces lie inside the round surface."""

HEADROOM = 2.2
"""Radii of a head's largest disc from its centre to the top of its column, at most; a body has more above it."""

LOWEST_HEAD = 0.6
"""How far down the figure the centre of its head may be, as a share of its height."""

HEAD_OF_BODY, BODY_OF_HEAD = 0.4, 0.3
"""Least radius of a head over that of its body, and of a body over that of its head."""

FULL = 0.25
"""How much fuller than an ellipse a section of head or body is: its half thickness h grows by FULL (1 - h^2) of h."""

TOES, FOOT = 1.5, (0.055, 0.025)
"""How much longer than round a foot is towards the viewer, and the heights, as shares of the figure's, between which a
foot begins."""

CARRIED, NECK, LONG_HEAD = 0.3, (0.15, 0.35), 0.6
"""In a long figure: by how much of its length the head lies before the middle, how far down its height the head ends
and the body begins, and the length of the head over that of the body."""


@dataclass(frozen=True)
class Build:
    """Head and body of an upright figure.

    Attributes:
        row, column, radius: centre and radius in cells of the largest disc in the head.
        body: radius in cells of the largest disc below the head.
    """

    row: int
    column: int
    radius: float
    body: float


def depths(distance: Floats, length: float) -> Floats:
    """Heights (h, w, 2) in cells of the front and the back of a figure; 0 outside.

    `distance` (h, w) is the signed distance to the contour in cells, positive inside, negative on the border; `length`
    the least extent along the line of sight in cells, 0 where it is not known.
    """
    inside = distance > 0
    inflated = poisson(distance)
    radius, peak = np.zeros(distance.shape), np.zeros(distance.shape)
    _paint_discs(distance, inflated, radius, peak)
    build = find_build(distance)
    factor, trunk = _roundness(radius, build)
    middle = np.maximum(radius * factor, 0.5)
    # Neighbouring discs differ by steps; their means over a part of the body's radius do not.
    reach = 0.25 * (float(distance.max()) if build is None else build.body)
    gain = np.exp(_mean_within(np.log(np.maximum(middle**2 / np.maximum(peak, 0.25), 1e-3)), inside, reach))
    crest = np.maximum(np.exp(_mean_within(np.log(middle), inside, reach)), 1.0)
    trunk = _mean_within(trunk, inside, 0.5 * reach)
    half = np.sqrt(np.where(inside, inflated * gain, 0.0))
    half *= 1.0 + FULL * trunk * np.maximum(1.0 - (half / crest) ** 2, 0.0)
    rows = np.flatnonzero(inside.any(axis=1))
    down = ((np.arange(len(inside)) - rows[0]) / max(1, rows[-1] - rows[0]))[:, None]
    feet = 0.0 if build is None else _step(down - 1, -FOOT[0], -FOOT[1]) * (1.0 - trunk)
    heights = np.stack([half * (1.0 + TOES * feet), -half], axis=-1)
    longer = length / max(float(np.ptp(heights)), 1e-9)
    if longer > 1:
        head = np.clip((NECK[1] - down) / (NECK[1] - NECK[0]), 0.0, 1.0)[..., None]
        heights = longer * heights * (1 - (1 - LONG_HEAD) * head) + CARRIED * length * head
    return np.asarray(heights)


def find_build(distance: Floats) -> Build | None:
    """Head and body of an upright figure by its signed distance (h, w) to the contour; None without such parts."""
    rows = np.flatnonzero((distance > 0).any(axis=1))
    row, column = _largest_crown(distance, int(rows[0] + LOWEST_HEAD * (rows[-1] - rows[0])))
    radius = float(distance[row, column])
    body = float(distance[int(row + radius) :].max(initial=0.0))
    if radius < HEAD_OF_BODY * body or body < BODY_OF_HEAD * radius:
        return None
    return Build(row, column, radius, body)


def _roundness(radius: Floats, build: Build | None) -> tuple[Floats, Floats]:
    """Half depth over local radius (h, w), and how far each node belongs to head or body, 0-1."""
    if build is None:
        return np.full(radius.shape, WHOLE), np.ones(radius.shape)
    row, column = np.ogrid[: radius.shape[0], : radius.shape[1]]
    below = _step((row - build.row) / build.radius, 0.7, 1.3)
    beside = _step(np.abs(column - build.column) / build.radius, 1.5, 2.5)
    head = (1.0 - below) * (1.0 - beside)
    body = _step(radius / build.body, 0.45, 0.9) * (1.0 - head)
    return LIMB + (HEAD - LIMB) * head + (BODY - LIMB) * body, head + body


def _mean_within(values: Floats, mask: NDArray[np.bool_], sigma: float) -> Floats:
    """Gaussian mean of values (h, w) over a mask."""
    weight, total = (
        scipy.ndimage.gaussian_filter(layer, sigma, mode="constant", truncate=3.0)
        for layer in (mask.astype(np.float64), np.where(mask, values, 0.0))
    )
    return np.asarray(total / np.maximum(weight, 1e-9))


def _step(values: Floats, low: float, high: float) -> Floats:
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


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


@compiled
def _paint_discs(distance: Floats, inflated: Floats, radius: Floats, peak: Floats) -> None:
    """Write for each node the radius of the largest disc inside that holds it, and `inflated` at its centre."""
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


def poisson(distance: Floats) -> Floats:
    """Solve laplace(u) = -2 inside with u = 0 on the contour, in cells squared; u is 0 outside.

    The square root of u is exactly a half circle across a long straight limb, and 0.71 of the radius deep over a
    disc. Nodes beside the contour reach it at its true distance (Gibou et al., J. Comput. Phys. 176, 2002).
    `distance` (h, w) is signed, in cells, negative on the border.
    """
    rows, columns = np.nonzero(distance > 0)
    weights = np.zeros((len(rows), 4))
    _contour_weights(distance, rows, columns, weights)
    u = np.zeros(distance.shape)
    radius = max(2.0, float(distance.max()))
    # The best relaxation for the slowest mode of a strip of that half width (Young 1954).
    relax = 2.0 / (1.0 + np.sin(np.pi / (2.0 * radius)))
    _relax(u, rows, columns, weights, relax, 1e-5 * radius**2, int(50 * radius))
    return u


@compiled
def _contour_weights(distance: Floats, rows: NDArray[np.int64], columns: NDArray[np.int64], weights: Floats) -> None:
    steps = ((0, -1), (0, 1), (-1, 0), (1, 0))
    for n in range(len(rows)):
        here = distance[rows[n], columns[n]]
        for k in range(4):
            there = distance[rows[n] + steps[k][0], columns[n] + steps[k][1]]
            weights[n, k] = 1.0 if there > 0 else (here - there) / max(here, 0.05 * (here - there))


@compiled
def _relax(u, rows, columns, weights, relax, tolerance, most):  # type: ignore[no-untyped-def]
    for _ in range(most):
        change = 0.0
        for n in range(len(rows)):
            r, c = rows[n], columns[n]
            total = weights[n, 0] + weights[n, 1] + weights[n, 2] + weights[n, 3]
            # Outside nodes hold 0, the value on the contour, so their weight only enters the divisor.
            around = u[r, c - 1] + u[r, c + 1] + u[r - 1, c] + u[r + 1, c]
            step = relax * ((2.0 + around) / total - u[r, c])
            u[r, c] += step
            change = max(change, abs(step))
        if change < tolerance:
            return
