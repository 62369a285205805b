"""Cut a figure out of a painted checkerboard, which looks like transparency and is none."""

from typing import NamedTuple

import numpy as np
import scipy

from specsia_build.arrays import Floats, Mask, Pixels
from specsia_build.dravie.adapt.overlay import PAPER_TOLERANCE

# Share of the picture's border that is of the two tones or between them, and of either tone there, at least
_BORDER, _EITHER = 0.75, 0.3
_FIELDS, _LEAST = 12, 4  # Fields along the border, and their usual length in pixels, at least
_USUAL, _LENGTHS = 0.6, (0.5, 1.6)  # Least share of them that has about that length, and between which shares
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

    `place` (h, w) tells where a picture's pixels are between the dark tone, 0, and the light one, 1, and
    `colours` (h, w, 3) which colours that gives. `ground` (h, w) is where the picture has such a colour, or,
    in what `checkerboard` returns, where it shows the checkerboard.
    """

    place: Floats
    colours: Floats
    ground: Mask


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
    tones = [np.median(border[tone], axis=0).astype(np.float32) for tone in (~is_light, is_light)]
    field = _field(_between(border, *tones))
    if field is None:
        return None
    found = _between(pixels, *tones)
    parts, count = scipy.ndimage.label(found.ground)
    areas = np.maximum(np.bincount(parts.ravel(), minlength=count + 1), 1)
    light_share, dark_share = (
        np.bincount(parts.ravel(), tone.ravel(), count + 1) / areas
        for tone in (found.place > _LIGHT, found.place < _DARK)
    )
    kept = (light_share > _BOTH) & (dark_share > _BOTH) & (areas >= field**2)
    kept[0] = False
    found = found._replace(ground=np.asarray(kept[parts]))
    return None if _plain(found, field) > _LEAKED * np.count_nonzero(~found.ground) else found


def _between(pixels: Pixels, dark: Floats, light: Floats) -> Checkers:
    """How pixels (…, 3) lie between two tones (3,)."""
    span = light - dark
    place = np.clip((pixels - dark) @ span / (span @ span), 0, 1).astype(np.float32)
    colours = dark + place[..., None] * span
    return Checkers(place, colours, np.abs(pixels - colours).max(axis=-1) <= PAPER_TOLERANCE)


def _field(border: Checkers) -> float | None:
    """Usual length in pixels of the fields along a border (n,); None if they are few or not alike."""
    sure = np.flatnonzero(border.ground & ((border.place > _LIGHT) | (border.place < _DARK)))
    is_light = border.place[sure] > _LIGHT
    lengths = np.diff(sure[1:][is_light[1:] != is_light[:-1]])
    if border.ground.mean() < _BORDER or len(lengths) < _FIELDS:
        return None
    usual = float(np.median(lengths))
    least, most = (share * usual for share in _LENGTHS)
    regular = ((lengths > least) & (lengths < most)).mean() >= _USUAL
    even = _EITHER < is_light.mean() < 1 - _EITHER
    return usual if regular and even and usual >= _LEAST else None


def _plain(found: Checkers, field: float) -> int:
    """Number of pixels of a checkerboard around which it has one tone only."""
    window = 2 * round(field) + 1
    around = scipy.ndimage.uniform_filter(found.ground.astype(np.float32), window)
    light = scipy.ndimage.uniform_filter((found.ground & (found.place > 0.5)).astype(np.float32), window)
    lone = (light < _LONE * around) | (light > (1 - _LONE) * around)
    return int(np.count_nonzero(found.ground & (around > _FULL) & lone))
