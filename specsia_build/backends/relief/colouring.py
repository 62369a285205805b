"""Colours of what a drawing does not show: the back, and the sides.

The network says how likely each colour of the drawing is at each pixel of the back. A colour stays near the
heights at which the front shows it, and small areas that do not reach the silhouette, most of them pieces of
faces, take another one. In painted drawings, which the network was not trained on, likely colours that are
alike, as light and shade are, go over into each other. Smooth shades of a colour, without lines and details
of the front, fill the back, and the sides where the front is steep. The back of a painted drawing repeats the
front's brush strokes where its likely colours are like the front's, which they are not behind a face.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Floats, Mask, Pixels
from specsia_build.backends.relief.sheets import FILLED, FULLY_COVERED, NODES, SIZE, Crop, FigureCut
from specsia_build.jit import compiled, ready, uncounted
from specsia_build.pictures.masks import distance_to
from specsia_build.pictures.palettes import COLOURS

COPY = 1.0  # Penalty on a copy of the front: without it the back keeps pieces of faces
_NEARBY = 0.2  # Taken from the logarithm for each row of the crop to where the front shows the colour
_SMOOTHING = 1.0  # Pixels of the crop over which likelihoods are smoothed, so that areas have even borders
_ISLAND = 0.05  # Share of the figure from which an area of one colour inside of the back stays
_RIM = 2  # Pixels of the crop that are the silhouette's edge
_AROUND = 2  # Pixels of the crop around such an area that go with it
_FLAT = 3.0  # Pixels of the crop over which shades of a colour are averaged
STRIPE = 1.8  # Pixels of the crop over which colours are smoothed for the sides
# Slopes of the front from which a side's own colours begin, and replace the drawing's
GENTLE, _STEEP = 1.0, 2.5
# Cells of the lattice from which half of a figure's thickness makes a wall at its rim, and a whole one
_LOW, _HIGH = 1.0, 12.0
_OUTSIDE = 2  # Pixels outside of the silhouette that its colours are interpolated from
_ALIKE = 60.0  # Colours of a painted drawing that differ by so many levels are mixed at 0.37 of their shares
# Shares of the back's likely colours that are like the front's: up to the first, none of the front is
# repeated, and from the second on, all of it
_OTHER, _REPEATED = 0.5, 0.9
_SURROUNDED = 3.0  # Pixels of the crop over which this share is averaged
_UNLIKELY = 6.0  # A colour whose logarithm is so much less than the likeliest one's has no share
_LEAST, _MOST = -12.0, 60.0  # Least logarithm of a likelihood, and greatest of one beside the next
_NEVER = -100.0  # Logarithm of the likelihood of a colour that a pixel must not get
_FAR = 0.01  # Share of a colour's pixels around below which its mean takes over
# Width of a drawn line at most, in lengths of the figure, and levels by which it is darker than all around
_LINE, _DARKER = 0.02, 32
# Share of a line drawing that lines cover, at least, and share of the rest that has the paper's colour
_OF_LINES, _OF_PAPER = 0.05, 0.95
_PALE, _SAME = 200, 32  # Least channel of such paper, and levels from its colour that are paper
# Grain from which a drawing begins to count as painted; renders, which the network knows, have less
_FLATTEST = 1.0


@dataclass(frozen=True, eq=False)
class DrawnFront:
    """What a drawing shows of a figure."""

    front: Pixels  # (H, W, 3) uint8, its colours, continued beyond the silhouette
    small: Pixels  # (h, w, 3) uint8, the same in a part of a crop that holds the figure
    # (h, w) intp, the palette's colour at each pixel there; `COLOURS` outside of the figure
    labels: NDArray[np.intp]
    crop: Crop  # Of the picture
    part: tuple[slice, slice]  # Rows and columns of the part of the crop

    @cached_property
    def present(self) -> NDArray[np.intp]:
        """(M,) intp, the palette's colours that it shows, ascending."""
        return np.unique(self.labels[self.labels < COLOURS])

    @cached_property
    def shown(self) -> Mask:
        """(M, h, w), where it shows each of `present`."""
        return np.asarray(self.labels == self.present[:, None, None])

    @cached_property
    def painterly(self) -> np.float32:
        """How much it counts as painted, 0 to 1, and not as one of flat or evenly shaded areas.

        Its grain is the median difference of pixels from the median of their neighbours, in levels: at most
        1 in drawings of flat or shaded areas, 2 and more in painted or coloured-in ones.
        """
        middle = scipy.ndimage.median_filter(self.small, (3, 3, 1)).astype(np.int16)
        grain = np.median(np.abs(self.small - middle).max(axis=2)[self.labels < COLOURS])
        return np.float32(np.clip(grain - _FLATTEST, 0, 1))

    @cached_property
    def flat(self) -> Floats:
        """Smooth shades of each of `present`, see `flat_colours`."""
        return flat_colours(self.small, self.shown)

    def painted(self, likely: Floats, where: Mask, alike: float = 0.0) -> Floats:
        """Colours (H, W, 3) float32 `where` (H, W), else 0: each pixel's likeliest one of `present`.

        `likely` is (M, h, w). With `alike` it holds logarithms, and colours that differ by about as many
        levels or fewer are mixed by their likelihoods.
        """
        out = np.zeros(self.front.shape, np.float32)
        places = self.crop.places(self.front.shape, self.part)
        layers = ready(np.moveaxis(likely, 0, -1), np.float32)
        _paint(layers, self.flat, places, where, np.float32(alike), out)
        return out


def back_of(drawn: DrawnFront, logits: Floats) -> Pixels:
    """The back (H, W, 3) uint8 seen through the front, from the network's `logits`, see `likelihoods`."""
    smooth = scipy.ndimage.gaussian_filter(likelihoods(drawn, logits), (0, _SMOOTHING, _SMOOTHING))
    _enclose(smooth, drawn.labels < COLOURS)
    everywhere = np.ones(drawn.front.shape[:2], np.bool_)
    back = drawn.painted(smooth, everywhere, _ALIKE * float(drawn.painterly))
    if drawn.painterly > 0:
        difference = drawn.front - back
        share = drawn.painterly * _repeated(drawn, smooth) * _alike(difference)
        back += share[..., None] * difference
    return _levels(back)


def _alike(difference: Floats) -> Floats:
    """How alike colours are that differ by (..., 3) levels: (...) 1 if equal, 0.37 at `_ALIKE` levels."""
    return np.asarray(np.exp(-np.square(np.abs(difference).max(axis=-1) / np.float32(_ALIKE))))


def _repeated(drawn: DrawnFront, likely: Floats) -> Floats:
    """How much of the front the back of a painted drawing repeats, (H, W) float32 0 to 1.

    `likely` (M, h, w) are logarithms of the likelihoods of colours at pixels of the back. The share of alike
    colours is averaged around each pixel, so that dark eyes do not show on dark hair.
    """
    share = np.exp(likely - likely.max(axis=0))
    alike = (share * _alike(drawn.flat - drawn.small)).sum(axis=0) / share.sum(axis=0)
    whole = np.zeros((SIZE, SIZE), np.float32)
    whole[drawn.part] = scipy.ndimage.gaussian_filter(alike, _SURROUNDED)
    return _step(drawn.crop.enlarged(whole, drawn.front.shape[:2]), _OTHER, _REPEATED)


def _enclose(likely: Floats, inside: Mask) -> None:
    """Give small areas that do not reach the figure's edge the colours that enclose them, in place.

    `likely` (M, h, w) are logarithms of the likelihoods of colours, and `inside` (h, w) is the figure.
    """
    best = np.where(inside, likely.argmax(axis=0), len(likely))
    rim = inside & ~scipy.ndimage.binary_erosion(inside, np.ones((3, 3), np.bool_), iterations=_RIM)
    enclosed, least = np.zeros_like(inside), _ISLAND * np.count_nonzero(inside)
    for colour in range(len(likely)):
        areas, count = scipy.ndimage.label(best == colour)
        small = np.bincount(areas.ravel(), minlength=count + 1) < least
        small[0] = False
        small[areas[rim]] = False
        if small.any():
            enclosed |= small[areas]
    islands, count = scipy.ndimage.label(enclosed)
    grown = scipy.ndimage.maximum_filter(islands, 2 * _AROUND + 1)
    changed = grown > 0
    beside = changed & inside & ~enclosed
    possible = np.zeros((count + 1, len(likely)), np.bool_)
    possible[grown[beside], best[beside]] = True
    likely[:, changed] = np.where(possible[grown[changed]].T, likely[:, changed], _NEVER)


def paper_of_lines(picture: Pixels, length: float) -> Pixels | None:
    """Find the paper's colour (3,) uint8 in a line drawing (H, W, 4); None for any other drawing.

    Thin dark lines cover much of a line drawing, and the rest has one pale colour: its back and its sides
    are paper. `length` is the figure's in pixels.
    """
    opaque = picture[..., 3] >= FULLY_COVERED
    darkest = np.where(opaque, picture[..., :3].min(axis=2), 0)
    closed = scipy.ndimage.grey_closing(darkest, (round(_LINE * length) | 1,) * 2)
    lines = closed[opaque] - darkest[opaque] > _DARKER
    shown = picture[opaque][~lines, :3]
    if not lines.any() or lines.mean() < _OF_LINES:
        return None
    paper = np.median(shown, axis=0)
    same = np.abs(shown - paper).max(axis=1) <= _SAME
    return paper.astype(np.uint8) if paper.min() >= _PALE and same.mean() >= _OF_PAPER else None


def with_sides(drawn: DrawnFront, figure: FigureCut, depth: Floats) -> Pixels:
    """The front (H, W, 3) uint8, with smooth shades where it is steep and at the figure's rim.

    Sides take their colours from there. `depth` (S, S, 2) is that of front and back in the figure's crop.
    """
    # Narrow stripes at the silhouette would be drawn out over all of the side.
    wide = scipy.ndimage.gaussian_filter(drawn.shown.astype(np.float32), (0, STRIPE, STRIPE))
    share = np.maximum(steepness(depth[..., 0], drawn.crop, drawn.front.shape), _rim_share(figure, depth))
    flat = drawn.painted(wide, share > 0)
    return _levels(drawn.front + share[..., None] * (flat - drawn.front))


def _levels(colours: NDArray[Any]) -> Pixels:
    levels: Pixels = np.rint(np.clip(colours, 0, 255)).astype(np.uint8)
    return levels


def likelihoods(drawn: DrawnFront, logits: Floats) -> Floats:
    """Logarithms (M, h, w) of how likely each of `DrawnFront.present` is at each pixel of the back.

    `logits` (h, w, COLOURS + 1) are the network's, of the palette's colours and of a copy of the front.
    """
    odds = np.exp(np.minimum(logits - logits[..., :COLOURS].max(axis=-1, keepdims=True), _MOST))
    copied = odds[..., COLOURS] * np.float32(math.exp(-COPY))
    share = np.moveaxis(odds[..., drawn.present], -1, 0) + np.where(drawn.shown, copied, 0)
    out = np.log(np.maximum(share / share.sum(axis=0), np.float32(math.exp(_LEAST))))
    for layer, shown in zip(out, drawn.shown, strict=True):
        layer -= np.float32(_NEARBY) * distance_to(shown.any(axis=1, keepdims=True)).astype(np.float32)
    return np.asarray(out)


def flat_colours(colours: NDArray[np.uint8], shown: Mask) -> Floats:
    """Smooth shades (M, h, w, 3) float32 of the colours `shown` (M, h, w) in a picture (h, w, 3)."""
    layers = np.zeros((*shown.shape, 4), np.float32)
    means = np.zeros((len(shown), 1, 1, 3), np.float32)
    for layer, mean, known in zip(layers, means, shown, strict=True):
        mean[:] = colours[known].mean(axis=0, dtype=np.float32)
        layer[known, :3] = colours[known] - mean[0]
        layer[known, 3] = 1
    sums = scipy.ndimage.gaussian_filter(layers, (0, _FLAT, _FLAT, 0), truncate=3.0)
    # Far from all pixels of a colour, its mean takes over.
    return np.asarray(means + sums[..., :3] / (sums[..., 3:] + _FAR), np.float32)


class _Place(NamedTuple):
    """A row, a column, and the shares of the next ones."""

    row: int
    column: int
    down: np.float32
    across: np.float32


@compiled
def _paint(likely, flat, places, where, alike, out):  # type: ignore[no-untyped-def]
    """Fill `out` (H, W, 3) `where` (H, W) from the likeliest layer of `flat` (M, h, w, 3), bilinearly.

    `likely` is (h, w, M), and `places` (2, L, 2) are row and share of the next one, column likewise; with
    `alike` above 0 see `_mix`.
    """
    line = np.empty((likely.shape[2], likely.shape[1]), np.float32)
    values = np.empty((likely.shape[2], out.shape[1]), np.float32)
    best, most = np.empty(out.shape[1], np.int32), np.empty(out.shape[1], np.float32)
    colours = np.empty((2, 3), np.float32)
    columns, shares = places[1, :, 0].astype(np.int32), places[1, :, 1].astype(np.float32)
    for y in range(out.shape[0]):
        row = int(places[0, y, 0])
        down = np.float32(places[0, y, 1])
        _interpolate_row(likely, row, down, line)
        _find_likeliest(line, columns, shares, values, most, best)
        for x in range(out.shape[1]):
            if not where[y, x]:
                continue
            place = _Place(row, columns[x], down, shares[x])
            _interpolate(flat, best[x], place, colours[0])
            if alike > 0:
                _mix(values[:, x], best[x], flat, place, alike, colours)
            for channel in range(3):
                out[y, x, channel] = colours[0, channel]


@uncounted
def _interpolate_row(likely, row, down, line):  # type: ignore[no-untyped-def]
    """Write the layers of `likely` (h, w, M) between a row and the next one to `line` (M, w)."""
    for x in range(likely.shape[1]):
        for layer in range(likely.shape[2]):
            top = likely[row, x, layer]
            line[layer, x] = top + down * (likely[row + 1, x, layer] - top)


@uncounted
def _find_likeliest(line, columns, shares, values, most, best):  # type: ignore[no-untyped-def]
    """Write the layers at each pixel of a row to `values` (M, W).

    Each pixel's largest value is written to `most` (W,), and its layer to `best` (W,).
    """
    best[:] = 0
    most[:] = -np.inf
    for layer in range(len(line)):
        for x in range(len(best)):
            left = line[layer, columns[x]]
            value = left + shares[x] * (line[layer, columns[x] + 1] - left)
            values[layer, x] = value
            higher = value > most[x]
            most[x] = value if higher else most[x]
            best[x] = layer if higher else best[x]


@uncounted
def _mix(values, best, flat, place, alike, colours):  # type: ignore[no-untyped-def]
    """Mix the first colour of `colours` (2, 3), the likeliest of M layers, with those of other likely ones.

    `values` (M,) are the logarithms of their likelihoods, and `place` is where in `flat` their colours are. A
    colour that differs by `alike` levels has 0.37 times its share. The second colour serves as memory.
    """
    own, other = colours[0], colours[1]
    red = green = blue = total = np.float32(0)
    for layer in range(len(values)):
        if values[layer] < values[best] - _UNLIKELY:
            continue
        _interpolate(flat, layer, place, other)
        apart = max(abs(other[0] - own[0]), abs(other[1] - own[1]), abs(other[2] - own[2])) / alike
        share = np.float32(math.exp(values[layer] - values[best] - apart * apart))
        red += share * other[0]
        green += share * other[1]
        blue += share * other[2]
        total += share
    own[0] = red / total
    own[1] = green / total
    own[2] = blue / total


@uncounted
def _interpolate(flat, layer, place, out):  # type: ignore[no-untyped-def]
    """Write the colour of a layer of `flat` (M, h, w, 3) at a `_Place` to `out` (3,)."""
    upper, lower = flat[layer, place.row], flat[layer, place.row + 1]
    column = place.column
    for channel in range(3):
        top = upper[column, channel] + place.across * (upper[column + 1, channel] - upper[column, channel])
        low = lower[column, channel] + place.across * (lower[column + 1, channel] - lower[column, channel])
        out[channel] = top + place.down * (low - top)


def steepness(height: Floats, crop: Crop, shape: tuple[int, ...]) -> Floats:
    """How much a surface turns its side to the viewer, (H, W) 0 to 1, from its height (S, S) in lengths."""
    down, right = np.gradient(scipy.ndimage.gaussian_filter(height * np.float32(FILLED), _SMOOTHING))
    return crop.enlarged(_step(np.hypot(down, right), GENTLE, _STEEP), (shape[0], shape[1]))


def _step(values: Floats, low: float, high: float) -> Floats:
    """A smooth step from 0 at `low` to 1 at `high`."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def _rim_share(figure: FigureCut, depth: Floats) -> Floats:
    """How much of each pixel's colour, (H, W) 0 to 1, is drawn out over the rim, where front and back meet.

    They meet in a wall that the outermost cell of the lattice colours. The thicker the figure is there, by
    `depth` (S, S, 2), the higher is the wall.
    """
    near = np.clip(2 - figure.distance * (NODES / figure.crop.figure), 0, 1) * (figure.distance > -_OUTSIDE)
    half = (depth[..., 0] - depth[..., 1]) * np.float32(NODES / 2)
    high = np.clip((half - _LOW) / (_HIGH - _LOW), 0, 1).astype(np.float32)
    return (near * figure.crop.enlarged(high, figure.covered.shape)).astype(np.float32)
