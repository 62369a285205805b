"""Lay a drawing onto the frontal view by its silhouette, as a substitute for Y*."""

from typing import NamedTuple

import numpy as np
import scipy
from PIL import Image

from specsia_build.arrays import Doubles, Floats, Pixels
from specsia_build.errors import SpecsiaError
from specsia_build.rendering.layers import HALF_COVERED

_LEAST_IOU = 0.8  # IoU of the silhouettes below which a drawing shows another pose, or another character
PAPER_TOLERANCE = 12  # Largest difference in levels of an opaque drawing's background from its corners
PAPER_BORDER = 0.5  # Least share of its border that is background
FIT_SIZE = 160  # Pixels on a side at which the similarity is searched
_LINES = (0, 1, 2, 3, 4)  # Thicknesses of the contour that are tried, in pixels of a frame of 512
TURNS = (-8.0, 0.0, 8.0)  # Degrees from which the search starts
INSIDE = 3  # Pixels from where either picture ends in which no colours are compared: there is Y*'s contour

_FOREIGN = 0.15
"""Mean difference of colours, 0…1, from which a drawing and its view show different things. Of 12 matching
pairs it was 0.06 at most, of backs and figures upside down 0.08 to 0.35."""

LEAST_DAMAGE = 0.015
"""Median difference of colours, 0…1, below which a view is a copy of its drawing. Of 34 characters it was
0.013 at most by `relief`, which paints the drawing onto its mesh, and 0.017 at least by `fusion`."""


def cut_out(drawing: Pixels) -> Pixels:
    """Remove the background of a drawing (H, W, 4) uint8 that has no transparency.

    Raises `SpecsiaError` if nothing or everything is background, or it is not of one colour.
    """
    out = drawing.copy()
    if not (drawing[..., 3] < HALF_COVERED).any():
        corners = np.median(drawing[[0, 0, -1, -1], [0, -1, 0, -1], :3], axis=0)
        paper = np.abs(out[..., :3].astype(np.int16) - corners).max(axis=2) <= PAPER_TOLERANCE
        regions, _ = scipy.ndimage.label(paper)
        border = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
        if np.count_nonzero(border) < PAPER_BORDER * len(border):
            raise SpecsiaError("the drawing's background is not of one colour; make it transparent, or plain")
        out[np.isin(regions, border[border > 0]), 3] = 0
    share = float((out[..., 3] >= HALF_COVERED).mean())
    if not 0.001 < share < 0.999:
        raise SpecsiaError("the drawing shows no character on a plain or transparent background")
    return out


def place_drawing(drawing: Pixels, mask: Pixels) -> tuple[Pixels, float]:
    """Lay a drawing (h, w, 4) of `cut_out` onto a silhouette (H, W) by the similarity with the best overlap.

    Returns the drawing in the frame of the view, (H, W, 4) uint8 with straight alpha, and the IoU it reaches.
    Raises `SpecsiaError` if no similarity reaches an IoU of `_LEAST_IOU`.
    """
    figure = cut_out(drawing)
    if not (mask >= HALF_COVERED).any():
        raise SpecsiaError("the frontal view is all background: there is nothing to lay the drawing onto")
    source, distance = _small(figure[..., 3]), scipy.ndimage.distance_transform_edt(mask < HALF_COVERED)
    # The drawing covers its contour and Zmask does not; its thickness is unknown.
    reaches = [line * max(1.0, max(mask.shape) / 512) for line in _LINES]
    grown = [_small(np.where(distance <= reach, np.uint8(255), np.uint8(0))) for reach in reaches]
    _, turn = max((_fit(source, grown[len(grown) // 2], degrees)[0], degrees) for degrees in TURNS)
    best, similarity = max((_fit(source, target, turn) for target in grown), key=lambda fit: fit[0])
    if best < _LEAST_IOU:
        why = "it shows another pose or character, its background is not plain, or it has only lines"
        raise SpecsiaError(
            f"the drawing does not fit the frontal view (IoU {best:.2f}, not {_LEAST_IOU} or more): {why}"
        )
    return _placed(figure, (mask.shape[0], mask.shape[1]), similarity), best


def _differences(z: Pixels, placed: Pixels) -> Doubles:
    """Differences of colour (N,), 0…1, at the pixels well inside both a view Z and a drawing laid onto it."""
    both = scipy.ndimage.binary_erosion((z[..., 3] == 255) & (placed[..., 3] == 255), iterations=INSIDE)
    return np.asarray(np.abs(z[both][:, :3].astype(np.int16) - placed[both][:, :3]).mean(axis=1) / 255)


def differs_in_colour(z: Pixels, placed: Pixels) -> bool:
    """Return whether a drawing differs much in colour from the view Z that it lies on, as a sketch does."""
    difference = _differences(z, placed)
    return bool(len(difference) and difference.mean() > _FOREIGN)


def is_copy(z: Pixels, placed: Pixels) -> bool:
    """Return whether a view Z shows the drawing laid onto it, and so none of the damage of other views."""
    difference = _differences(z, placed)
    return bool(len(difference) and np.median(difference) < LEAST_DAMAGE)


class _Similarity(NamedTuple):
    """Similarity from frame to drawing: scale * R(angle) * p + (x, y)."""

    scale: float
    angle: float
    x: float
    y: float


def _fit(source: Floats, target: Floats, degrees: float) -> tuple[float, _Similarity]:
    """Optimise a similarity of the source from a turn; return IoU and similarity."""
    (from_x, from_y, from_side), (x, y, side) = _moments(source), _moments(target)
    picture = Image.fromarray(source)

    def similarity(values: Doubles) -> _Similarity:
        scale, angle = from_side / side * float(np.exp(values[0])), float(np.deg2rad(degrees) + values[1])
        c, s = scale * np.cos(angle), scale * np.sin(angle)
        move_x, move_y = values[2:] * from_side
        return _Similarity(scale, angle, from_x + move_x - c * x + s * y, from_y + move_y - s * x - c * y)

    def loss(values: Doubles) -> float:
        moved = np.asarray(_warp(picture, (target.shape[0], target.shape[1]), similarity(values)))
        return -float(np.minimum(moved, target).sum()) / max(float(np.maximum(moved, target).sum()), 1e-9)

    corners = np.vstack([np.zeros(4), 0.05 * np.eye(4)])
    values, least, *_ = scipy.optimize.fmin(
        loss, np.zeros(4), xtol=1e-4, ftol=1e-5, initial_simplex=corners, full_output=True, disp=False
    )
    return -float(least), similarity(values)


def _small(mask: Pixels) -> Floats:
    height, width = mask.shape
    scale = FIT_SIZE / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = Image.fromarray(mask).resize(shape, Image.Resampling.BOX)
    small: Floats = np.asarray(resized, np.float32)
    return small / np.float32(255)


def _moments(mask: Floats) -> tuple[float, float, float]:
    """Return the centroid x and y of a soft silhouette, and the side of a square of its area."""
    area = float(mask.sum(dtype=np.float64))
    along, down = (mask.sum(axis=axis, dtype=np.float64) for axis in (0, 1))
    x, y = (float(line @ (np.arange(len(line)) + 0.5)) / area for line in (along, down))
    return x, y, float(np.sqrt(area))


def _warp(image: Image.Image, shape: tuple[int, int], similarity: _Similarity) -> Image.Image:
    scale, angle, x, y = similarity
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    affine = (c, -s, x, s, c, y)
    return image.transform(shape[::-1], Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)


def _placed(figure: Pixels, shape: tuple[int, int], similarity: _Similarity) -> Pixels:
    """Resample the figure at full size by the similarity of the small images."""
    larger, smaller = max(figure.shape[:2]) / FIT_SIZE, FIT_SIZE / max(shape)
    scale = similarity.scale * larger * smaller
    # Averaged down first, as the lookup sees only neighbouring pixels; colours weigh as much as they cover.
    step = max(1, int(scale))
    image = Image.fromarray(figure).convert("RGBa").reduce(step)
    x, y = (value * larger / step for value in (similarity.x, similarity.y))
    full = _Similarity(scale / step, similarity.angle, x, y)
    out = np.array(_warp(image, shape, full).convert("RGBA"))
    out[out[..., 3] == 0] = 0
    return out
