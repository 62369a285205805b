"""Inflate a drawing's silhouette to a closed figure, without a model.

The depth is guessed from the silhouette; a framed figure that leaves room in its picture is drawn out along the line of
sight. The picture colours the front; the back takes the colours along the outline, led inwards. Parts that touch in the
picture are joined, and front and back have one shape but for the feet.

The thickness solves a Poisson equation, as in "Repoussé" (Joshi and Carr, 2008): limbs come out round. Factors for
head, body, limbs and feet were measured on the sixteen characters of `characters.jsonl`: half depth over the radius of
the largest disc of the silhouette around a point has medians of 1.0-1.25 in heads, 1.0-1.2 in limbs and 0.65-0.95 in
bodies. Arrays are indexed [row, column] with row 0 at the top; lengths are in cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image

from specsia_build.backends.base import Backend, Context
from specsia_build.backends.two_sheets import Figure, extended, figure_of, sampled, surface_of, textured
from specsia_build.errors import UsageError
from specsia_build.frame import ORTHO_WIDTH
from specsia_build.jit import compiled
from specsia_build.rendering.mesh import Mesh

Floats = NDArray[np.float64]
Colours = NDArray[np.float32]

GRID = 224  # Cells along a side of the crop in which depths are worked out
CELLS = 2000  # Cells of the mesh that the silhouette covers: some 8,000 faces
ROOM = 0.9  # Units of width and height below which a framed figure's length is its longest side; spears may be longer
BULK = 0.75  # Share of a long figure's length that is as wide as the figure: the rest are a muzzle and a tail
COARSER = 2  # Pixels of the picture along a side of a pixel in which the back is worked out
RIM = 0.008  # Width of the band along the contour whose colours the back takes, as a share of the picture's width
UPRIGHT = 3.0  # Cost of a step up or down in the search for rim colours: clothes change more from the head down
ALIKE = 40.0  # Levels (root of the summed squares over R, G, B) up to which the front is like the rim's colour
HEAD, LIMB, BODY, WHOLE = 1.15, 1.16, 0.86, 1.0  # Half depth over radius; whole figures have no head on a body
HEADROOM = 2.2  # Most radii from the centre of a head's largest disc to the top of its column
LOWEST_HEAD = 0.6  # How far down the figure the centre of its head may be, as a share of its height
HEAD_OF_BODY, BODY_OF_HEAD = 0.4, 0.3  # Least radius of a head over its body's, and of a body over its head's
FULL = 0.25  # Sections of head and body are fuller than ellipses: half thickness h grows by FULL (1 - h^2) of h
TOES, FOOT = 1.5, (0.055, 0.025)  # Excess length of feet towards the viewer, and heights between which they begin

CARRIED, NECK, LONG_HEAD = 0.3, (0.15, 0.35), 0.6
"""Of a long figure: how far the head lies in front in its lengths, where the head ends and the body begins in heights,
and the length of the head over that of the body."""


@dataclass(frozen=True)
class Inflate(Backend):
    name: str = "inflate"
    version: int = 7
    sees_ground_truth: bool = False
    needs_yaw: bool = False
    generates: bool = True
    compiles: bool = True

    def settings(self) -> Mapping[str, Any]:
        return {}

    def reconstruct(self, image: NDArray[np.uint8], context: Context) -> Mesh:
        """A closed, textured mesh that fills the picture's silhouette, in the scale of the frontal camera."""
        figure = figure_of(image)
        nodes = round(figure.crop.figure * (CELLS / np.count_nonzero(figure.covered)) ** 0.5)
        surface = surface_of(figure, _depths(figure, context.framed), nodes)
        front, _ = extended(figure.picture)
        return textured(figure, surface, front, _back(front, figure), "inflate")


def create(argument: str | None) -> Inflate:
    """Create the backend for ``inflate``, which takes no argument."""
    if argument is not None:
        raise UsageError("inflate takes no argument")
    return Inflate()


def _depths(figure: Figure, framed: bool) -> NDArray[np.float64]:
    """Depths (`GRID`, `GRID`, 2) of front and back in lengths of the figure."""
    crop = figure.crop
    cell = crop.side / GRID
    steps = (np.arange(GRID) + 0.5) * cell
    columns, rows = np.meshgrid(crop.left + steps, crop.top + steps)
    distance = sampled(figure.distance, columns, rows) / cell
    longest = crop.figure * ORTHO_WIDTH / figure.size
    length = BULK / longest if framed and longest < ROOM else 0.0
    cells = crop.figure / cell
    return depths(distance, length * cells) / cells


def _back(front: NDArray[np.uint8], figure: Figure) -> NDArray[np.uint8]:
    """Colours (H, W, 3) of the back seen through the front: those of the rim, led inwards.

    The outline of the head is hair or a helmet as a rule, that of the body its clothes, so the rim's colours cover
    what a mirrored picture would show there: a second face. Where the front, blurred, is like the colour led inwards,
    it is kept, so that a belt or a hem goes around.
    """
    height, width = front.shape[:2]
    colours = np.asarray(Image.fromarray(front).reduce(COARSER), np.float32)
    covered = figure.covered[::COARSER, ::COARSER]
    depth = scipy.ndimage.distance_transform_edt(covered).astype(np.float32)
    band = max(2.0, RIM * figure.size / COARSER)
    # The outermost pixels may be a drawn contour, which is not a colour of hair or clothes.
    along = _mean_within(colours, (depth > band) & (depth <= 2.5 * band), 0.6 * band)
    nearest = scipy.ndimage.distance_transform_edt(
        depth > band + 1.5, sampling=(UPRIGHT, 1.0), return_distances=False, return_indices=True
    )
    carried, soft = (_mean_within(layer, covered, band) for layer in (along[tuple(nearest)], colours))
    # Averaged, so that no ring of likeness is left around a feature where its edge passes through the rim's colour.
    distance = _mean_within(np.square(colours - carried).sum(axis=2, keepdims=True), covered, 2.0 * band)
    like = np.exp(-distance / ALIKE**2)
    inwards = np.clip(depth / (2.0 * band), 0.0, 1.0)[..., None]
    inwards = inwards * inwards * (3.0 - 2.0 * inwards)
    back = (1.0 - inwards) * colours + inwards * (like * soft + (1.0 - like) * carried)
    small = Image.fromarray(np.clip(np.rint(back), 0, 255).astype(np.uint8))
    whole = small.resize((small.width * COARSER, small.height * COARSER), Image.Resampling.BILINEAR)
    return np.asarray(whole)[:height, :width]


def _mean_within(colours: Colours, mask: NDArray[np.bool_], sigma: float) -> Colours:
    """Gaussian mean (h, w, C) over the pixels of a mask; `colours` itself where none is near."""
    weight = mask.astype(np.float32)
    out = colours.copy()
    total = scipy.ndimage.gaussian_filter(weight, sigma, mode="constant", truncate=3.0)
    for channel in range(colours.shape[2]):
        mean = scipy.ndimage.gaussian_filter(colours[..., channel] * weight, sigma, mode="constant", truncate=3.0)
        np.divide(mean, total, out=out[..., channel], where=total > 1e-3)
    return out


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
    gain = np.exp(_smoothed(np.log(np.maximum(middle**2 / np.maximum(peak, 0.25), 1e-3)), inside, reach))
    crest = np.maximum(np.exp(_smoothed(np.log(middle), inside, reach)), 1.0)
    trunk = _smoothed(trunk, inside, 0.5 * reach)
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


def _smoothed(values: Floats, mask: NDArray[np.bool_], sigma: float) -> Floats:
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
