"""Positions of the published schema turned into this project's frame, see `frame`.

A published picture holds positions over the box of its own view. Width and centre of a box follow from R and
the columns (see `views`); its depth is stated nowhere. It is found in two steps:

1. At each height, the silhouettes bound the figure's outline in ten directions. It is interpolated towards
   each camera, where the nearest G lies; a line through both, over all heights, is the first guess.
2. Points of one view are projected into others. Where these show the same surface, the distance of both is
   minimised over centres and depths of all boxes, by Gauss and Newton's method.

Views may be shifted in their pictures, as the published ones are, but all must have one scale.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Mask, Pixels
from specsia_build.frame import view_yaws
from specsia_build.published.views import Levels, ViewPositions, middle_of

PUBLISHED_VIEWS = 10  # Views of each character in the published schema, evenly spaced
FEWEST_VIEWS = 3  # Views of a character from which its boxes are fitted
LEAST_AGREEING = 0.7
"""Least share of compared points on which views agree; it is above .85 where positions are as published, and
below .5 if depth or the order of views is another."""

DIRECTIONS = PUBLISHED_VIEWS // 2  # Directions of boxes: a view and the one opposite share theirs
_HEIGHTS = 128  # Heights at which outlines are compared, two levels of B each
_HARMONICS = 4  # Highest harmonic of an outline, which is known in ten directions
_SMOOTHNESS = 1e-4  # Weight against high harmonics, which decides where directions are missing
_PARTNERS = 2  # Next views on either side that a view is compared with
_SAMPLES = 1500  # Pixels of a view that are projected, about
_STEEP = 2.5  # Largest slope of a surface, in pixels of depth per pixel, that is compared
_ALIKE = 0.7  # Least cosine between the normals of points that count as the same
_REACHES = (12.0, 12.0, 8.0, 5.0, 4.0, 4.0, 4.0, 3.0, 2.0, 2.0)
"""Largest distance in pixels of 512, for each round, of two surfaces that count as the same one."""

_LOOSE, _HELD = 1e-3, 0.02
"""Weights that hold every unknown at its value before a round, and centres at their first value; a weight of
1 is that of all compared points together."""

_HELD_ABOVE = 4.0  # Reach of a round above which centres are held


@dataclass(frozen=True)
class Boxes:
    """Boxes of a character's views in pixels; index k is of views k and k + 5, whose axes are opposite."""

    # widths, centres: (5,), extent along the right of view k, and the place of its middle
    widths: Doubles
    centres: Doubles
    # depths, middles: (5,), the same along the direction away from view k's camera
    depths: Doubles
    middles: Doubles


@dataclass(frozen=True)
class Turn:
    """Affine map of a view's colours: ours = `matrix` (3, 3) @ published + `offset` (3,), in levels."""

    matrix: Doubles
    offset: Doubles

    def apply(self, pos: Pixels) -> Pixels:
        """Positions (H, W, 3) in this project's frame and channels, to the nearest level."""
        turned = pos.astype(np.float32) @ self.matrix.T.astype(np.float32) + self.offset.astype(np.float32)
        return np.asarray(np.clip(turned + 0.5, 0, 255), np.uint8)


@dataclass(frozen=True)
class FittedTurns:
    """How the positions of a character's views are turned."""

    turns: Mapping[int, Turn]  # By number of view
    agreeing: float  # Share of the compared points whose views agree


def fit_places(views: Sequence[ViewPositions]) -> FittedTurns:
    """Fit how the views of a character are turned; at least `FEWEST_VIEWS`, all of one size."""
    by_number = {view.number: view for view in sorted(views, key=lambda view: view.number)}
    boxes = first_guess(by_number)
    scale = next(iter(by_number.values())).inside.shape[1] / 512
    points = {number: _Points.of(view) for number, view in by_number.items()}
    first = boxes
    agreeing, compared = 0, 1
    for reach in _REACHES:
        boxes, agreeing, compared = _refined(by_number, points, boxes, first, reach * max(scale, 0.25))
    turns = {number: _turn(number, boxes) for number in by_number}
    return FittedTurns(turns, agreeing / max(1, compared))


def yaw_of(view: int) -> float:
    """Yaw of a view in radians."""
    return float(np.deg2rad(view_yaws(PUBLISHED_VIEWS)[view % PUBLISHED_VIEWS]))


def _side(view: int) -> float:
    """1, or -1 for views whose axes are opposite to those of their box."""
    return 1.0 if view % PUBLISHED_VIEWS < DIRECTIONS else -1.0


def first_guess(views: Mapping[int, ViewPositions]) -> Boxes:
    """Guess boxes from silhouettes and nearest points, height by height."""
    widths, centres = _measured(views)
    outlines = np.full((PUBLISHED_VIEWS, 2, _HEIGHTS), np.nan)
    nearest = {}
    for number, view in views.items():
        height = np.clip(view.levels[2][view.inside] / 256 * _HEIGHTS, 0, _HEIGHTS - 1).astype(np.int64)
        k = number % DIRECTIONS
        right = (view.levels[0][view.inside] / 255 - 0.5) * widths[k] + _side(number) * centres[k]
        outlines[number % PUBLISHED_VIEWS, 0] = _largest(height, right)
        outlines[(number + DIRECTIONS) % PUBLISHED_VIEWS, 1] = _largest(height, -right)
        nearest[number] = -_largest(height, -view.levels[1][view.inside])
    known = np.isfinite(outlines)
    directions = known.any(axis=1)
    support = np.where(known, outlines, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    depths, middles = np.full(DIRECTIONS, np.nan), np.zeros(DIRECTIONS)
    for k in range(DIRECTIONS):
        codes, places = [], []
        for number in (k, k + DIRECTIONS):
            if number not in nearest:
                continue
            # Away from the camera is a quarter turn to the left of the image's right.
            reached = _interpolated(support, directions, yaw_of(number) - np.pi / 2)
            kept = np.isfinite(nearest[number]) & np.isfinite(reached)
            codes.append(_side(number) * (nearest[number][kept] / 255 - 0.5))
            places.append(-_side(number) * reached[kept])
        if codes:
            depths[k], middles[k] = _robust_line(np.concatenate(codes), np.concatenate(places))
    ends = _support_of_boxes(widths, centres)
    for k in range(DIRECTIONS):
        far, near = (float(ends @ _wave(yaw_of(k) + turn)) for turn in (np.pi / 2, -np.pi / 2))
        if not 0.5 < depths[k] / (far + near) < 1.5:
            depths[k], middles[k] = far + near, (far - near) / 2
    return Boxes(widths, centres, depths, middles)


def _measured(views: Mapping[int, ViewPositions]) -> tuple[Doubles, Doubles]:
    """Widths and centres (5,) of boxes by columns; NaN where neither view is there."""
    widths, centres = np.full(DIRECTIONS, np.nan), np.full(DIRECTIONS, np.nan)
    for k in range(DIRECTIONS):
        pair = [views[number] for number in (k, k + DIRECTIONS) if number in views]
        if pair:
            widths[k] = np.mean([view.across.length for view in pair])
            centres[k] = np.mean([_side(view.number) * view.across.centre for view in pair])
    return widths, centres


def _support_of_boxes(widths: Doubles, centres: Doubles) -> Doubles:
    """Harmonics of the outline of the whole figure, from the ends of its boxes."""
    present = [k for k in range(DIRECTIONS) if np.isfinite(widths[k])]
    angles = np.array([yaw_of(k) + turn for k in present for turn in (0.0, np.pi)])
    reach = np.array([sign * centres[k] + widths[k] / 2 for k in present for sign in (1, -1)])
    return _harmonics(angles, reach)


def _wave(angle: float | Doubles) -> Doubles:
    """Harmonics at an angle in radians, (..., 9)."""
    at = np.asarray(angle)[..., None] * np.arange(1, _HARMONICS + 1)
    ones = np.ones((*np.shape(angle), 1))
    return np.concatenate([ones, np.cos(at), np.sin(at)], axis=-1)


def _harmonics(angles: Doubles, reach: Doubles) -> Doubles:
    """Coefficients (9,) or (9, M) of the smoothest outline through reaches (N,) or (N, M) at angles (N,)."""
    order = np.arange(1, _HARMONICS + 1, dtype=np.float64)
    penalty = np.diag(np.concatenate([[0], order**4, order**4]))
    waves = _wave(angles)
    return np.asarray(np.linalg.solve(waves.T @ waves + _SMOOTHNESS * penalty, waves.T @ reach))


def _interpolated(support: Doubles, known: Mask, angle: float) -> Doubles:
    """Reach (M,) of outlines at an angle, from their support (10, M) where it is known (10, M)."""
    reached = np.full(support.shape[1], np.nan)
    patterns, which = np.unique(known, axis=1, return_inverse=True)
    for number, pattern in enumerate(patterns.T):
        if np.count_nonzero(pattern) >= 2 * FEWEST_VIEWS:
            angles = np.array([yaw_of(int(view)) for view in np.flatnonzero(pattern)])
            heights = which == number
            reached[heights] = _wave(angle) @ _harmonics(angles, support[pattern][:, heights])
    return reached


def _largest(height: NDArray[np.int64], values: Levels) -> Doubles:
    """Largest value at each height; NaN where there is none."""
    largest = np.full(_HEIGHTS, -np.inf)
    np.maximum.at(largest, height, values)
    return np.where(np.isfinite(largest), largest, np.nan)


def _robust_line(x: Doubles, y: Doubles) -> tuple[float, float]:
    """Slope and offset of a line through most of the points (N,)."""
    kept = np.ones(len(x), np.bool_)
    slope = offset = np.nan
    for _ in range(5):
        if len(x) < 2 or np.ptp(x[kept]) == 0:
            break
        slope, offset = np.polyfit(x[kept], y[kept], 1)
        error = np.abs(y - offset - slope * x)
        kept = error <= max(2 * float(np.median(error)), 1e-6)
    return float(slope), float(offset)


@dataclass(frozen=True)
class _Points:
    """Pixels of a view that are projected into others: columns and rows, levels and slopes, (N,) each."""

    across: Levels
    depth: Levels
    up: Levels
    slope: Levels

    @staticmethod
    def of(view: ViewPositions) -> "_Points":
        rows, columns = np.nonzero(view.smooth)
        step = max(1, len(rows) // _SAMPLES)
        at = rows[::step], columns[::step]
        levels = [level[at] for level in view.levels]
        return _Points(levels[0], levels[1], levels[2], view.slopes[0][at])


def _refined(
    views: Mapping[int, ViewPositions],
    points: Mapping[int, _Points],
    boxes: Boxes,
    first: Boxes,
    reach: float,
) -> tuple[Boxes, int, int]:
    """One round: better boxes, the number of points that agree, and of all that are compared."""
    normal, target = np.zeros((3 * DIRECTIONS, 3 * DIRECTIONS)), np.zeros(3 * DIRECTIONS)
    agreeing = compared = 0
    for number, other in _compared(views):
        rows, errors, weights, count = _equations(views[other], number, points[number], boxes, reach)
        compared += count
        agreeing += len(errors)
        normal += rows.T @ (rows * weights[:, None])
        target += rows.T @ (errors * weights)
    total = max(1.0, float(agreeing))
    normal += np.eye(3 * DIRECTIONS) * _LOOSE * total
    if reach > _HELD_ABOVE:
        normal[range(DIRECTIONS), range(DIRECTIONS)] += _HELD * total
        target[:DIRECTIONS] += _HELD * total * np.nan_to_num(boxes.centres - first.centres)
    step = np.linalg.solve(normal, target)
    centres, middles = boxes.centres - step[:DIRECTIONS], boxes.middles - step[DIRECTIONS : 2 * DIRECTIONS]
    return Boxes(boxes.widths, centres, boxes.depths - step[2 * DIRECTIONS :], middles), agreeing, compared


def _compared(views: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Pairs of views of which the second may show points of the first."""
    present = sorted(views)
    steps = [*range(-_PARTNERS, 0), *range(1, _PARTNERS + 1)]
    for at, number in enumerate(present):
        others = {present[(at + step) % len(present)] for step in steps} - {number}
        yield from ((number, other) for other in others)


def _equations(
    view: ViewPositions, source: int, points: _Points, boxes: Boxes, reach: float
) -> tuple[Doubles, Doubles, Doubles, int]:
    """Equations of the points of view `source` that `view` shows within `reach` pixels.

    Returns:
        Derivatives (N, 15) of the distances by centres, middles and depths; distances (N,) in pixels; weights
        (N,); and the number of points that fall onto a smooth surface of `view`.
    """
    k, other = source % DIRECTIONS, view.number % DIRECTIONS
    mine, its = _side(source), _side(view.number)
    angle = yaw_of(view.number) - yaw_of(source)
    cosine, sine = np.cos(angle), np.sin(angle)
    depth_code = points.depth / 255 - 0.5
    right = mine * boxes.centres[k] + (points.across / 255 - 0.5) * boxes.widths[k]
    away = mine * boxes.middles[k] + depth_code * boxes.depths[k]
    across, distance = cosine * right + sine * away, cosine * away - sine * right
    height, width = view.inside.shape
    columns = view.across.centre + across - its * boxes.centres[other]
    rows = (points.up - view.upwards.offset) / view.upwards.slope
    x = np.rint(columns + middle_of(width)).astype(np.int64)
    y = np.rint(rows + middle_of(height)).astype(np.int64)
    shown = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    shown[shown] = view.smooth[y[shown], x[shown]]
    x, y = x[shown], y[shown]
    unit = boxes.depths[other] / 255
    slope, down = view.slopes[0][y, x] * unit, view.slopes[1][y, x]
    along = columns[shown] + middle_of(width) - x
    below = rows[shown] + middle_of(height) - y
    codes = view.levels[1][y, x] + view.slopes[0][y, x] * along + down * below
    surface = its * boxes.middles[other] + (codes / 255 - 0.5) * boxes.depths[other]
    steep = np.sqrt(1 + slope**2 + (down * unit) ** 2)
    errors = (distance[shown] - surface) / steep
    own = points.slope[shown] * boxes.depths[k] / 255
    # Normals point against the way from the camera: (slope, -1) along right and away.
    facing = (own * cosine - sine, -own * sine - cosine)
    alike = (facing[0] * slope - facing[1]) / np.hypot(own, 1) / np.hypot(slope, 1)
    comparable = (np.abs(slope) < _STEEP) & (np.abs(own) < _STEEP) & (alike > _ALIKE)
    kept = comparable & (np.abs(errors) < reach)
    out = np.zeros((np.count_nonzero(kept), 3 * DIRECTIONS))
    slope, steep = slope[kept], steep[kept]
    out[:, k] += mine * (-sine - slope * cosine)
    out[:, DIRECTIONS + k] += mine * (cosine - slope * sine)
    out[:, 2 * DIRECTIONS + k] += (cosine - slope * sine) * depth_code[shown][kept]
    out[:, other] += its * slope
    out[:, DIRECTIONS + other] -= its
    out[:, 2 * DIRECTIONS + other] -= codes[kept] / 255 - 0.5
    out /= steep[:, None]
    weights = (1 - (errors[kept] / reach) ** 2) ** 2
    return out, errors[kept], weights, int(np.count_nonzero(comparable))


def _turn(number: int, boxes: Boxes) -> Turn:
    """Map of one view's colours into this project's frame."""
    k, side = number % DIRECTIONS, _side(number)
    cosine, sine = np.cos(yaw_of(number)), np.sin(yaw_of(number))
    right = np.array([boxes.widths[k] / 255, 0.0]), side * boxes.centres[k] - boxes.widths[k] / 2
    away = np.array([0.0, boxes.depths[k] / 255]), side * boxes.middles[k] - boxes.depths[k] / 2
    x = cosine * right[0] - sine * away[0], cosine * right[1] - sine * away[1]
    y = sine * right[0] + cosine * away[0], sine * right[1] + cosine * away[1]
    left, front = boxes.centres[0] - boxes.widths[0] / 2, boxes.middles[0] - boxes.depths[0] / 2
    to_x, to_y = 255 / boxes.widths[0], 255 / boxes.depths[0]
    matrix, offset = np.zeros((3, 3)), np.zeros(3)
    matrix[0, :2], offset[0] = x[0] * to_x, (x[1] - left) * to_x
    matrix[1, 2] = 1
    matrix[2, :2], offset[2] = -y[0] * to_y, 255 - (y[1] - front) * to_y
    return Turn(matrix, offset)
