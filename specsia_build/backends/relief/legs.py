"""Find legs that hide others: an animal's hind legs in a drawing from its front, or those of the far side.

A front and a back depth alone make one wall of both legs, as deep as the body.
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

_LEGS = 0.35  # Share of a figure's height from above below which legs begin in a drawing from its side
_LOW, _STANDING = 0.08, 0.07  # Least height of a belly, and most of a foot, in heights of the figure
# Least distance of front and hind legs in widths of the figure: .35 for 15 drawn animals; birds' are closer
_SPREAD = 0.2
_ARCH = 0.42
"""Width of the gap below a belly at a quarter of its height from above, in its largest width, at least. It is
.59 to 1 for 24 renders of animals on four legs, .48 for a striding dog, and .12 to .36 between the legs of
people who stride."""
_LIFTED, _APART = 0.4, 0.3
"""Shares of the height of two legs, one before the other: how far a foot may be lifted, and the least height
of the gap between them."""
_SHADED, _HIGHER = 12.0, 0.015
"""Levels by which a far leg is darker than a near one, and shares of the figure's height by which its foot is
higher, at least."""


class HidingLeg(NamedTuple):
    """A leg that hides another one, or one of two that are drawn from their side.

    Attributes:
        below: (h, w) nodes that the body loses to it, from the top of the gap beside it down.
        whole: (h, w) its own nodes, and those of the body above them as far up as the leg is wide.
        width: (h,) width in each row, in nodes; a leg is about as deep.
        sides: where legs stand: 1 is nearer to the viewer, -1 farther.
    """

    below: Mask
    whole: Mask
    width: Doubles
    sides: tuple[int, ...] = (1, -1)


class _Gap(NamedTuple):
    """A gap between legs: its first row, its height, and its `_ARCH`."""

    top: int
    height: int
    arch: float


def deep_legs(inside: Mask, depth: Doubles) -> list[HidingLeg]:
    """Find the legs beside a gap that are too deep for one leg each.

    Args:
        inside: (h, w), nodes of a lattice that lie in the figure; there may be none.
        depth: (h, w), from front to back, in cells of the lattice.
    """
    gap = _gap_of(inside, _GROUND, 0.5)
    if gap is None:
        return []
    body = np.percentile(depth[inside], _MOST)
    legs = []
    for leg in _parts_below(inside, gap.top, _LEAST * inside.sum()):
        deep = max(_DEEP * _usual(leg), _UNDER * body)
        if np.median(depth[leg]) >= deep:
            legs.append(_hiding(leg, inside))
    return legs


def profile_legs(inside: Mask, brightness: Doubles) -> list[HidingLeg]:
    """Find the legs of an animal that is drawn from its side: none unless it has a gap below its belly.

    Of two in front and two behind, one may hide the other.

    Args:
        inside: (h, w), nodes of a lattice that lie in the figure; there may be none.
        brightness: (h, w) of its picture, in levels.
    """
    gap = _gap_of(inside, _GROUND, _LEGS)
    rows = np.flatnonzero(inside.any(axis=1))
    if gap is None or gap.height < _LOW * len(rows) or gap.arch < _ARCH:
        return []
    least, lowest = _LEAST * inside.sum(), int(rows[-1] - _STANDING * len(rows))
    legs = []
    for part in _parts_below(inside, gap.top, least):
        if not part[lowest:].any():
            continue
        two = _two_of(part, least)
        if two:
            above = part & ~two[0] & ~two[1]
            pair = _pair(two, inside, brightness)
            legs += [leg._replace(below=part, whole=leg.whole | above) for leg in pair]
        else:
            legs.append(_hiding(part, inside))
    middles = [float(np.nonzero(leg.below)[1].mean()) for leg in legs]
    width = np.count_nonzero(inside.any(axis=0))
    return legs if legs and max(middles) - min(middles) >= _SPREAD * width else []


def _two_of(part: Mask, least: float) -> list[Mask]:
    """Two legs of a part that joins them above; none if it is one leg, or hides the other."""
    gap = _gap_of(part, _LIFTED, 0.0)
    if gap is None or gap.height < _APART * np.count_nonzero(part.any(axis=1)):
        return []
    two = _parts_below(part, gap.top, least)
    return two if len(two) == 2 else []


def _pair(two: list[Mask], inside: Mask, brightness: Doubles) -> list[HidingLeg]:
    """Two legs, one before the other, of which one is near and the other far.

    The far one is darker, or its foot is higher; else it is the one closer to the figure's middle.
    """
    bright = [float(brightness[leg].mean()) for leg in two]
    soles = [int(np.flatnonzero(leg.any(axis=1))[-1]) for leg in two]
    columns = np.flatnonzero(inside.any(axis=0))
    outer = [abs(float(np.nonzero(leg)[1].mean()) - columns.mean()) for leg in two]
    if abs(bright[0] - bright[1]) >= _SHADED:
        first_is_near = bright[0] > bright[1]
    elif abs(soles[0] - soles[1]) >= _HIGHER * np.count_nonzero(inside.any(axis=1)):
        first_is_near = soles[0] > soles[1]
    else:
        first_is_near = outer[0] >= outer[1]
    sides = (1, -1) if first_is_near else (-1, 1)
    return [_hiding(leg, inside)._replace(sides=(side,)) for leg, side in zip(two, sides, strict=True)]


def _hiding(leg: Mask, inside: Mask) -> HidingLeg:
    width, usual = leg.sum(axis=1), _usual(leg)
    shown = np.flatnonzero(width)
    above = slice(max(0, shown[0] - round(usual)), shown[0])
    whole = leg.copy()
    whole[above] = leg[shown[0]] & inside[above]
    # Hooves, and rows in which two legs touch, are wider than a leg is deep.
    smooth = scipy.ndimage.gaussian_filter1d(np.minimum(width[shown], 1.5 * usual), 1 + usual / 8)
    widths = np.full(len(width), usual)
    widths[shown] = smooth
    return HidingLeg(leg, whole, widths)


def _usual(leg: Mask) -> float:
    """Usual width of a leg in nodes."""
    width = leg.sum(axis=1)
    return float(np.median(width[width > 0]))


def _parts_below(inside: Mask, top: int, least: float) -> list[Mask]:
    """Separate parts of a mask from a row down, of at least so many nodes."""
    low = inside.copy()
    low[:top] = False
    label, count = scipy.ndimage.label(low)
    parts = [label == number for number in range(1, count + 1)]
    return [part for part in parts if part.sum() >= least]


def _gap_of(inside: Mask, lifted: float, first: float) -> _Gap | None:
    """The highest gap between parts of a mask; None without one.

    Only gaps count that begin below a share `first` of the height from above, and end at most a share
    `lifted` of it above the lowest row.
    """
    rows = np.flatnonzero(inside.any(axis=1))
    if not len(rows):
        return None
    height = rows[-1] - rows[0]
    left = np.maximum.accumulate(inside, axis=1)
    right = np.maximum.accumulate(inside[:, ::-1], axis=1)[:, ::-1]
    label, _ = scipy.ndimage.label(left & right & ~inside)
    gaps = []
    for number, (down, across) in enumerate(scipy.ndimage.find_objects(label), 1):
        if down.stop > rows[-1] - lifted * height and down.start > rows[0] + first * height:
            width = (label[down, across] == number).sum(axis=1)
            # Feet narrow a gap at the ground.
            arch = width[len(width) // 4] / width[: -(-9 * len(width) // 10)].max()
            gaps.append(_Gap(down.start, len(width), float(arch)))
    return min(gaps, default=None)
