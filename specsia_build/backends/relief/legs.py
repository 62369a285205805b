"""Find the front legs of an animal that is drawn from its front, which hide its hind legs.

A front and a back depth alone make one wall of a front and a hind leg, as deep as the body.
"""

from typing import NamedTuple

import numpy as np
import scipy

from specsia_build.arrays import Doubles, Mask

_GROUND = 0.06  # Share of a figure's height above its lowest row in which a gap between legs ends
_LEAST = 0.004  # Share of a figure below which a part is no leg
_MOST = 97.0  # Percentile of a figure's depths that is the body's

_DEEP, _UNDER = 3.0, 0.45
"""Least depth of a wall of two legs, in widths of one and in depths of the body.

In training it is 4.8 to 20 widths of the legs of 33 horses, cows, cats and their like, and .48 to .86 of
their bodies. Of people's legs 97 % are less than 1.6 times as deep as wide; those of dinosaurs on two legs
are less than .4 as deep as their bodies.
"""


class DeepLeg(NamedTuple):
    """A leg that hides another one.

    Attributes:
        below: (h, w) its nodes, from the top of the gap beside it down.
        whole: (h, w) these, and those of the body above them as far up as the leg is wide.
        width: (h,) width in each row, in nodes; each of the two is about as deep.
    """

    below: Mask
    whole: Mask
    width: Doubles


def deep_legs(inside: Mask, depth: Doubles) -> list[DeepLeg]:
    """Find the legs beside a gap that are too deep for one leg each.

    Args:
        inside: (h, w), nodes of a lattice that lie in the figure; there may be none.
        depth: (h, w), from front to back, in cells of the lattice.
    """
    top = _crotch(inside) if inside.any() else None
    if top is None:
        return []
    low = inside.copy()
    low[:top] = False
    label, count = scipy.ndimage.label(low)
    body = np.percentile(depth[inside], _MOST)
    legs = []
    for number in range(1, count + 1):
        leg = label == number
        width = leg.sum(axis=1)
        shown = np.flatnonzero(width)
        usual = float(np.median(width[shown]))
        deep = max(_DEEP * usual, _UNDER * body)
        if leg.sum() < _LEAST * inside.sum() or np.median(depth[leg]) < deep:
            continue
        above = slice(max(0, shown[0] - round(usual)), shown[0])
        whole = leg.copy()
        whole[above] = leg[shown[0]] & inside[above]
        # Hooves, and rows in which two legs touch, are wider than a leg is deep.
        smooth = scipy.ndimage.gaussian_filter1d(np.minimum(width[shown], 1.5 * usual), 1 + usual / 8)
        widths = np.full(len(width), usual)
        widths[shown] = smooth
        legs.append(DeepLeg(leg, whole, widths))
    return legs


def _crotch(inside: Mask) -> int | None:
    """The first row of the highest gap of a figure's lower half that ends at the ground; None without one."""
    rows = np.flatnonzero(inside.any(axis=1))
    height = rows[-1] - rows[0]
    left = np.maximum.accumulate(inside, axis=1)
    right = np.maximum.accumulate(inside[:, ::-1], axis=1)[:, ::-1]
    gaps = scipy.ndimage.find_objects(scipy.ndimage.label(left & right & ~inside)[0])
    tops = [down.start for down, _ in gaps if down.stop > rows[-1] - _GROUND * height]
    low = [top for top in tops if top > rows[0] + height / 2]
    return min(low, default=None)
