"""Tell small figures and pixel art, scale it so that its pixels stay, and find and draw its outline."""

import numpy as np
import scipy

from specsia_build.arrays import Mask, Pixels
from specsia_build.pictures.masks import box_around, continued
from specsia_build.rendering.drawn_contour import Contour, inks_beside
from specsia_build.rendering.ink import DARKER, LUMA, Ink
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.repairing.figures import FigureBox
from specsia_build.warning import Warning

_FILLING = 1 / 3  # Share of the inner pixels from which a colour is the figure's, not its outline's
_SMALL = 128  # Pixels of a figure's longer side below which it may be pixel art


def small_figure(figure: Pixels, boxes: tuple[FigureBox, ...], step: int) -> list[Warning]:
    """A warning if a figure, or the largest of several in boxes of the drawing, is small, or pixel art."""
    rows, columns = box_around(figure[..., 3] >= HALF_COVERED)
    sides = [(columns.stop - columns.start, rows.stop - rows.start)]
    if boxes:
        sides = [((right - left) // step, (bottom - top) // step) for left, top, right, bottom in boxes]
    pitch = _pitch(figure[rows, columns])
    width, height = (side // pitch for side in max(sides, key=max))
    if max(width, height) >= _SMALL:
        return []
    sentence = (
        f"the figure has only {width} x {height} pixels: if it is pixel art (few colours, hard edges), "
        "--pixel keeps them; otherwise a larger drawing gives a better result"
    )
    if pitch > 1:
        sentence = (
            f"the figure is pixel art of {width} x {height} pixels, each drawn with {pitch} x {pitch}: "
            "--pixel keeps them"
        )
    return [Warning("small-drawing", sentence, "drawing")]


def _pitch(cropped: Pixels) -> int:
    """Pixels on a side of each block of one colour that a figure (h, w, 4) consists of; 1 if of none."""
    seen = np.where(cropped[..., 3:] >= HALF_COVERED, cropped, np.uint8(0))
    pitch = 0
    for axis in (0, 1):
        changes = (np.diff(seen, axis=axis) != 0).any(axis=(1 - axis, 2))
        pitch = int(np.gcd.reduce([pitch, *(np.flatnonzero(changes) + 1)]))
    return max(1, pitch)


def scale_whole(figure: Pixels, longest: float) -> Pixels:
    """Crop pixel art (h, w, 4) to its figure and scale that by a whole number with the nearest pixel.

    Its longer side has at most `longest` pixels; a larger figure is reduced by a whole number instead. Alpha
    becomes 0 or 255.
    """
    solid = figure[..., 3] >= HALF_COVERED
    box = box_around(solid)
    opaque = figure[box] | np.array([0, 0, 0, 255], np.uint8)
    cropped = np.where(solid[box][..., None], opaque, np.uint8(0))
    side = max(cropped.shape[:2])
    if side > longest:
        step = int(-(-side // longest))
        return np.ascontiguousarray(cropped[step // 2 :: step, step // 2 :: step])
    factor = int(longest // side)
    return np.repeat(np.repeat(cropped, factor, axis=0), factor, axis=1)


def without_outline(figure: Pixels) -> Pixels:
    """Give the outline of pixel art (h, w, 4) the colours that it encloses, or it would cover the sides.

    An outline is one pixel wide, and its colours fill less than `_FILLING` of the inner pixels.
    """
    covered = figure[..., 3] >= HALF_COVERED
    inner = scipy.ndimage.binary_erosion(covered)
    encloses = covered & scipy.ndimage.binary_dilation(inner, np.ones((3, 3), np.bool_))
    colours = figure[..., :3] @ np.array([1 << 16, 1 << 8, 1])
    each, counts = np.unique(colours[inner], return_counts=True)
    filling = np.isin(colours, each[counts > _FILLING * inner.sum()])
    known = covered & (inner | ~encloses | filling)
    return np.dstack([continued(figure[..., :3], known), figure[..., 3]])


def outline_of(figure: Pixels, filled: Pixels) -> Contour:
    """The outline, one pixel wide, of pixel art (h, w, 4), from that and the result of `without_outline`.

    Its score is the share of the silhouette's pixels that are darker than what they enclose.
    """
    rim = _rim(figure, 1)
    own, inside = (picture[rim][:, :3].astype(np.float64) for picture in (figure, filled))
    darker = (inside - own) @ LUMA >= DARKER
    if not darker.any():
        return Contour(figure, 0.0, Ink.of_one(0.0, (0, 0, 0)))
    return Contour(figure, float(darker.mean()), inks_beside(1.0, inside[darker], own[darker]))


def outlined(figure: Pixels, ink: Ink | None) -> Pixels:
    """Draw an outline, whose width is in pixels of the art, inside of the silhouette of art (h, w, 4)."""
    out = figure.copy()
    if ink is not None:
        rim = _rim(figure, max(1, round(ink.width)))
        out[rim, :3] = ink.around(figure)[rim]
    return out


def _rim(figure: Pixels, width: int) -> Mask:
    covered = figure[..., 3] >= HALF_COVERED
    return np.asarray(covered & ~scipy.ndimage.binary_erosion(covered, iterations=width))
