"""Cut a figure out of a painted checkerboard, which looks like transparency and is none."""

from typing import NamedTuple

import numpy as np
import scipy

from specsia_build.arrays import Floats, Mask, Pixels
from specsia_build.dravie.adapt.overlay import PAPER_TOLERANCE

# Share of the picture's border that is of the two tones or between them, and of either tone there, at least
_BORDER, _EITHER = 0.75, 0.3
_SQUARES, _LEAST = 12, 4  # Squares along the border, and their usual width in pixels, at least
_USUAL, _WIDTHS = 0.6, (0.5, 1.6)  # Least share of them that has about that width, and between which shares
_CONTRAST = 6.0  # Levels between the two tones, at least: paper has less
_DARK, _LIGHT = 0.25, 0.75  # Places between the tones up to which, and from which, a pixel is of one of them
_BOTH = 0.2  # Share of each tone in a part of the checkerboard, at least
_LONE, _FULL = 0.12, 0.6
"""Share of a tone around a pixel up to which the pattern is missing there, and share of its surroundings that
is taken for the checkerboard, at least."""
_LEAKED = 0.008
"""Area without the pattern, in areas of the figure, from which the checkerboard goes on in the figure: .002
at most where it does not, .015 and more where it does."""


class Checkers(NamedTuple):
    """A painted checkerboard.

    Attributes:
        colours: (h, w, 3) uint8, the colour of the checkerboard that is nearest to each pixel's.
        ground: (h, w), where a picture shows the checkerboard.
    """

    colours: Pixels
    ground: Mask


class _Tones(NamedTuple):
    """Pixels (...) by two tones: their place from the dark one, 0, to the light one, 1."""

    place: Floats
    colours: Floats  # (..., 3), which this place has
    alike: Mask  # Whether the pixel has about this colour


def checkerboard(picture: Pixels) -> Checkers | None:
    """Find the checkerboard of two tones behind the figure of an opaque picture (h, w, 4) uint8.

    Its gaps in the figure belong to it. None if the border does not alternate between two tones, or the
    figure has plain areas of a tone that nothing separates from the checkerboard.
    """
    pixels = picture[..., :3]
    border = np.concatenate([pixels[0], pixels[1:, -1], pixels[-1, -2::-1], pixels[-2:0:-1, 0]])
    bright = border.mean(axis=1)
    dark, light = np.percentile(bright, [10, 90])
    if light - dark < _CONTRAST:
        return None
    is_light = bright >= (dark + light) / 2
    both = [np.median(border[tone], axis=0).astype(np.float32) for tone in (~is_light, is_light)]
    width = _width_of_squares(_by_tones(border, *both))
    if width is None:
        return None
    tones = _by_tones(pixels, *both)
    parts, count = scipy.ndimage.label(tones.alike)
    areas = np.maximum(np.bincount(parts.ravel(), minlength=count + 1), 1)
    kept = areas >= width**2
    for tone in (tones.place > _LIGHT, tones.place < _DARK):
        kept &= np.bincount(parts.ravel(), tone.ravel(), count + 1) > _BOTH * areas
    kept[0] = False
    ground = np.asarray(kept[parts])
    if _plain(ground, tones.place, width) > _LEAKED * np.count_nonzero(~ground):
        return None
    return Checkers(np.rint(tones.colours).astype(np.uint8), ground)


def _by_tones(pixels: Pixels, dark: Floats, light: Floats) -> _Tones:
    """Pixels (..., 3) by two tones (3,)."""
    span = light - dark
    place = np.clip((pixels - dark) @ span / (span @ span), 0, 1).astype(np.float32)
    colours = dark + place[..., None] * span
    return _Tones(place, colours, np.abs(pixels - colours).max(axis=-1) <= PAPER_TOLERANCE)


def _width_of_squares(border: _Tones) -> float | None:
    """Usual width in pixels of the squares along a border (n,); None if they are few or unlike each other."""
    sure = np.flatnonzero(border.alike & ((border.place > _LIGHT) | (border.place < _DARK)))
    is_light = border.place[sure] > _LIGHT
    widths = np.diff(sure[1:][is_light[1:] != is_light[:-1]])
    if border.alike.mean() < _BORDER or len(widths) < _SQUARES:
        return None
    usual = float(np.median(widths))
    least, most = (share * usual for share in _WIDTHS)
    regular = ((widths > least) & (widths < most)).mean() >= _USUAL
    even = _EITHER < is_light.mean() < 1 - _EITHER
    return usual if regular and even and usual >= _LEAST else None


def _plain(ground: Mask, place: Floats, width: float) -> int:
    """Number of pixels of the ground (h, w) around which it has one tone only."""
    window = 2 * round(width) + 1
    around = scipy.ndimage.uniform_filter(ground.astype(np.float32), window)
    light = scipy.ndimage.uniform_filter((ground & (place > 0.5)).astype(np.float32), window)
    lone = (light < _LONE * around) | (light > (1 - _LONE) * around)
    return int(np.count_nonzero(ground & (around > _FULL) & lone))
