"""Find what the lines of a drawing enclose, also where their outline has gaps."""

import numpy as np
import scipy

from specsia_build.arrays import Doubles, Mask, Pixels
from specsia_build.pictures.masks import box_around, distance_to
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.repairing.figures import figure_labels
from specsia_build.repairing.ground import on_white

_SIDE, _GAPS_SIDE = 384, 512  # Pixels of the longer side at which lines, and gaps, are looked for, at most

LEAST_FILLED, _OPEN = 0.6, 0.04
"""Share of a figure's area that it covers itself, at least, where it is not of lines alone; the rest is gaps
that it encloses, or nearly does: up to an opening of so many lengths on each side."""

_BALLS = 0.002 * 1.26 ** np.arange(14)  # Radii in lengths of the figure of balls that gaps are tried with
_DEEP = 2.75  # Depth in such radii from which an area behind a gap is no notch or corner
_CLOSED = 0.8  # Share of the figure that such areas leave over, at most: other drawings are not of open lines
# Half of a line's width, in lengths of the figure, at most, and share of what is thicker, such as eyes
_THIN, _FILLED = 0.01, 0.2
_LINE = 2  # Pixels of an outline that stay as they are


def is_of_lines(alpha: Pixels) -> bool:
    """Whether a silhouette (h, w) is mostly gaps, as of lines whose inside was taken for ground."""
    rows, columns = box_around(alpha >= HALF_COVERED)
    covered = alpha[rows, columns] >= HALF_COVERED
    step = -(-max(covered.shape) // _SIDE)
    covered = covered[::step, ::step]
    reach = _OPEN * max(covered.shape)
    wide = np.pad(covered, int(reach) + 2)
    grown = distance_to(wide) <= reach
    filled = scipy.ndimage.binary_fill_holes((distance_to(~grown) > reach) | wide)
    return bool(np.count_nonzero(wide) < LEAST_FILLED * np.count_nonzero(filled))


def with_paper_inside(figure: Pixels) -> Pixels:
    """The figure (h, w, 4); if it is mostly lines, what they enclose becomes white."""
    covered = figure[..., 3] >= HALF_COVERED
    whole = scipy.ndimage.binary_fill_holes(covered)
    if np.count_nonzero(covered) >= LEAST_FILLED * np.count_nonzero(whole):
        return figure
    return on_white(figure, scipy.ndimage.binary_erosion(whole))


def with_gaps_closed(figure: Pixels, picture: Pixels) -> Pixels:
    """The figure (h, w, 4) with what its lines nearly enclose in a drawing (h, w, 4), which is put on white.

    Each of several figures is closed by itself, but parts of a drawing of nothing but lines are one. Itself
    if there is no such outline.
    """
    covered = figure[..., 3] >= HALF_COVERED
    thick = distance_to(~covered) > _THIN * max(covered[box_around(covered)].shape)
    is_thin = np.count_nonzero(thick) <= _FILLED * np.count_nonzero(covered)
    labels = np.ones(covered.shape, np.int32) if is_thin else figure_labels(figure[..., 3])
    where = np.zeros_like(covered)
    for number, box in enumerate(scipy.ndimage.find_objects(np.where(covered, labels, 0)), 1):
        where[box] |= _inside(covered[box] & (labels[box] == number))
    if not where.any():
        return figure
    closed = figure.copy()
    closed[where] = picture[where]
    return on_white(closed, where)


def _inside(lines: Mask) -> Mask:
    """Inside (h, w) of lines (h, w) whose outline has gaps; nothing if there is no gap."""
    height, width = lines.shape
    step = -(-max(height, width) // _GAPS_SIDE)
    solid = scipy.ndimage.binary_fill_holes(lines)
    areas = nearly_enclosed(_pooled(solid, step))
    if not areas.any():
        return np.zeros_like(lines)
    solid |= areas.repeat(step, axis=0).repeat(step, axis=1)[:height, :width]
    # Pixels between the lines and such an area belong to it.
    beside = scipy.ndimage.binary_dilation(solid & ~lines, iterations=step, mask=~lines)
    filled = np.pad(scipy.ndimage.binary_fill_holes(lines | beside), _LINE)
    return np.asarray(scipy.ndimage.binary_erosion(filled, iterations=_LINE)[_LINE:-_LINE, _LINE:-_LINE])


def nearly_enclosed(lines: Mask) -> Mask:
    """Areas (h, w) that lines (h, w) enclose but for gaps; none if they are small beside the lines.

    What balls cannot reach from outside lies behind gaps that are narrower than they are, as in the
    trapped-ball segmentation of Zhang et al., "Vectorizing Cartoon Animations", 2009. An area that is much
    deeper than its gap is wide belongs to the inside; any other is a notch or a corner.
    """
    balls = _BALLS * max(lines.shape)
    margin = int(balls[-1]) + 2
    solid = np.pad(scipy.ndimage.binary_fill_holes(lines), margin)
    least = np.count_nonzero(lines) / _CLOSED
    if np.count_nonzero(solid | _hidden(distance_to(solid), balls[-1])) < least:
        return np.zeros_like(lines)
    for radius in balls:
        free = distance_to(solid)
        areas, count = scipy.ndimage.label(_hidden(free, radius))
        deep = scipy.ndimage.maximum(free, areas, np.arange(count + 1)) >= _DEEP * radius
        deep[0] = False
        # Corners beside it lie as hidden as the area does, but no ball fits into them.
        core = distance_to(~deep[areas]) > radius
        if core.any():
            solid = scipy.ndimage.binary_fill_holes(solid | (distance_to(core) <= radius))
    enclosed = solid[margin:-margin, margin:-margin] & ~lines
    return np.asarray(enclosed & (np.count_nonzero(solid) >= least))


def _hidden(free: Doubles, radius: float) -> Mask:
    """Where a ball from the corner cannot reach, (h, w); `free` (h, w) are distances to what stops it."""
    places, _ = scipy.ndimage.label(free > radius)
    return np.asarray((free > 0) & (distance_to(places == places[0, 0]) > radius))


def _pooled(mask: Mask, step: int) -> Mask:
    """A mask (h, w) at 1 / `step` of its size, True where any pixel is."""
    height, width = (-(-side // step) * step for side in mask.shape)
    padded = np.pad(mask, ((0, height - mask.shape[0]), (0, width - mask.shape[1])))
    return np.asarray(padded.reshape(height // step, step, width // step, step).any(axis=(1, 3)))
