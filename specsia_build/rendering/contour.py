"""The external contour of a drawn character: a line of even thickness, wholly outside the silhouette.

The border is found to a fraction of a pixel, after S. Gustavson and R. Strand, "Anti-aliased Euclidean
distance transform", Pattern Recognition Letters 32 (2011): in a pixel of which a share c is covered, and
whose coverage grows along g, it is a straight line across g that leaves c of the area on its inner side.
"""

import numpy as np
from numpy.typing import ArrayLike

from specsia_build.arrays import Pixels
from specsia_build.jit import compiled, inlined, ready
from specsia_build.rendering.colour import DECODE, DECODE_STEPS, encode

MOST_THICKNESS = 16.0  # Thickest line that may be asked for, in pixels of a picture of 512 px
MOST_DRAWN = 44.0  # Thickest line that a drawing may have around it, in the same pixels
WIDEST = 4 * MOST_DRAWN  # The same in the largest frame, of 2,048 px
_SPAN = 16  # Pixels of a row whose distances are lowered together


@compiled
def _offset(gx, gy, share):  # type: ignore[no-untyped-def]
    """Distance along unit (gx, gy) from a pixel's centre to the line with `share` of its area beyond it."""
    gx, gy = abs(gx), abs(gy)
    if gx < gy:
        gx, gy = gy, gx
    corner = 0.5 * gy / max(gx, 1e-12)
    if share < corner:
        return 0.5 * (gx + gy) - np.sqrt(2.0 * gx * gy * share)
    if share < 1.0 - corner:
        return (0.5 - share) * gx
    return -0.5 * (gx + gy) + np.sqrt(2.0 * gx * gy * (1.0 - share))


@inlined
def covered(row):  # type: ignore[no-untyped-def]
    """First and end index of the nonzero bytes of a row; 0 and 0 if all are zero."""
    any_covered = np.uint8(0)
    for c in row:
        any_covered |= c
    if any_covered == 0:
        return 0, 0
    start, end = 0, len(row)
    while row[start] == 0:
        start += 1
    while row[end - 1] == 0:
        end -= 1
    return start, end


@inlined
def _lies_within(above, here, below, x):  # type: ignore[no-untyped-def]
    """Whether `_SPAN` pixels of a row from `x` on, and all their neighbours, are wholly covered."""
    whole = here[x - 1] & here[x + _SPAN]
    for u in range(_SPAN):
        whole &= above[x + u] & here[x + u] & below[x + u]
    return whole == 255


@inlined
def _lower(row, count, place, thin):  # type: ignore[no-untyped-def]
    """Lower the first distances of a row, whose first pixel lies dx, dy from a pixel's centre.

    The new ones are those from what is covered in that pixel: a disc of radius `along`, or the side of a
    segment through (gx, gy) * along, half a pixel either way.
    """
    # There are no branches, so that pixels are looked at together.
    dx, dy, gx, gy, along = place
    for u in range(count):
        away = dx + u
        outward = along - (away * gx + dy * gy)
        aside = max(0.0, abs(dy * gx - away * gy) - 0.5)
        d = max(0.0, outward) if aside == 0.0 else np.sqrt(outward * outward + aside * aside)
        # The piece lies within 1 of the centre, so what is nearer to something else lies on no side of it.
        known = np.float64(row[u]) + 1.0
        near = outward >= (-1.0 if aside == 0.0 else 0.0) and known * known > away * away + dy * dy
        if thin:
            d, near = max(0.0, np.sqrt(away * away + dy * dy) - along), True
        row[u] = d if near and d < row[u] else row[u]


@compiled
def outside_distance(coverage, reach):  # type: ignore[no-untyped-def]
    """Distance (H, W) float32 in pixels from what an image (H, W) uint8 covers: 0 inside, `reach` at most."""
    height, width = coverage.shape
    out = np.full((height, width), np.float32(reach), np.float32)
    # A covered piece lies within 1 of its pixel's centre: in the next row nothing is nearer than `reach`.
    window = int(np.ceil(reach))
    for y in range(height):
        start, end = covered(coverage[y])
        yu, yd = max(0, y - 1), min(height - 1, y + 1)
        above = coverage[yu]
        here = coverage[y]
        below = coverage[yd]
        x = start - 1
        while x + 1 < end:
            x += 1
            c = here[x]
            if c == 0:
                continue
            if c == 255 and x > 0 and x + _SPAN < width and _lies_within(above, here, below, x):
                out[y, x : x + _SPAN] = 0
                x += _SPAN - 1
                continue
            xl, xr = max(0, x - 1), min(width - 1, x + 1)
            if c == 255 and above[x] == 255 and below[x] == 255 and here[xl] == 255 and here[xr] == 255:
                out[y, x] = 0
                continue
            share = c / 255.0
            gx = (
                (np.float64(coverage[yu, xr]) - coverage[yu, xl])
                + 1.4142135623730951 * (np.float64(coverage[y, xr]) - coverage[y, xl])
                + (np.float64(coverage[yd, xr]) - coverage[yd, xl])
            )
            gy = (
                (np.float64(coverage[yd, xl]) - coverage[yu, xl])
                + 1.4142135623730951 * (np.float64(coverage[yd, x]) - coverage[yu, x])
                + (np.float64(coverage[yd, xr]) - coverage[yu, xr])
            )
            length = np.sqrt(gx * gx + gy * gy)
            # A feature thinner than a pixel has no side; it is a disc of the covered area.
            thin = length < 64.0
            along = np.sqrt(share / np.pi) if thin else _offset(gx / length, gy / length, share)
            for v in range(max(0, y - window), min(height, y + window + 1)):
                for first in range(max(0, x - window), min(width, x + window + 1), _SPAN):
                    u = max(0, min(first, width - _SPAN))
                    place = np.float64(u - x), np.float64(v - y), gx / length, gy / length, along
                    if thin or width < _SPAN:
                        _lower(out[v, u:], min(_SPAN, width), place, thin)
                    else:
                        _lower(out[v, u:], _SPAN, place, False)
    return out


@compiled
def _draw(color, coverage, distance, thickness, ink):  # type: ignore[no-untyped-def]
    height, width = coverage.shape
    # One colour is an image of one pixel.
    rows, columns = ink.shape[:2]
    out = color.copy()
    for y in range(height):
        for x in range(width):
            c = coverage[y, x]
            if c == 255 or distance[y, x] >= thickness + 0.5:
                continue
            # Share of the pixel inside the silhouette widened by the line, less the silhouette itself.
            widened = min(1.0, max(0.0, thickness + 0.5 - distance[y, x]))
            share = widened - c / 255.0
            if share <= 0.0:
                continue
            own = color[y, x, 3] / 255.0
            alpha = own + share
            if alpha <= 0.5 / 255.0:
                continue
            for k in range(3):
                line = DECODE[ink[y % rows, x % columns, k] * DECODE_STEPS]
                light = (own * DECODE[color[y, x, k] * DECODE_STEPS] + share * line) / alpha
                out[y, x, k] = encode(np.float32(min(1.0, light)))
            out[y, x, 3] = int(min(1.0, alpha) * 255.0 + 0.5)
    return out


def draw_contour(color: Pixels, coverage: Pixels, thickness: float, ink: ArrayLike) -> Pixels:
    """Draw a contour around a silhouette and holes; pixels inside keep their colour, alpha covers the line.

    Args:
        color: (H, W, 4) uint8 sRGB, straight alpha; `coverage` (H, W) is its silhouette.
        thickness: of the line in pixels, 0 to `WIDEST`.
        ink: sRGB levels of the line, 0-255: a grey, a colour (3,), or a colour for each pixel (H, W, 3).
    """
    levels = np.asarray(ink)
    is_colour = levels.shape in ((), (3,), (*coverage.shape, 3)) and levels.min() >= 0 and levels.max() <= 255
    if not 0 <= thickness <= WIDEST or not is_colour:
        what = levels.tolist() if levels.ndim < 2 else levels.shape
        raise ValueError(f"a contour of {thickness} px and colour {what} cannot be drawn")
    if thickness == 0:
        return color.copy()
    color, coverage = ready(color), ready(coverage)
    distance = outside_distance(coverage, float(thickness) + 1.0)
    colours = ready(levels if levels.ndim == 3 else np.broadcast_to(levels, (1, 1, 3)), np.uint8)
    drawn: Pixels = _draw(color, coverage, distance, float(thickness), colours)
    return drawn
