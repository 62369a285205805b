"""Decide whether a line is drawn around a figure, by a renderer or by hand, and which pixels it takes.

From each pixel of the silhouette's edge a profile of colours runs inwards. Where a contour is drawn, profiles
start with its ink and change sharply to another colour at one depth, its width.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy

from specsia_build.arrays import Doubles, Mask, Pixels
from specsia_build.pictures.masks import continued, mixture
from specsia_build.pictures.palettes import palette_of
from specsia_build.rendering.ink import LUMA, Ink
from specsia_build.rendering.layers import HALF_COVERED

LEAST_SCORE = 0.63
"""Score from which a figure has a contour. Of 62 views of characters without one, 61 reach at most 0.56 and
one 0.70; with one of a random grey or a darker shade, 95 % reach 0.69 or more, the rest have nearly the
colour of their line."""

DEEPEST = 20.0  # Depth of profiles in pixels of a 512 px picture; a wider band is part of the figure
THINNEST = 0.5  # Pixels that a line is at least wide
_FAINT = 8  # Coverage below which a sample has no colour
_PARTIAL = 1 / 3  # Score from which a line is drawn along a part of the silhouette
LEAST_DEPTH = 8.0  # Pixels that a profile has at least
_CONTRAST = 32  # Least difference in levels of a line from the figure inside of it
_INK = 48  # Levels within which ink has one colour
UNEVEN, UNEVEN_OF_ONE = 0.35, 0.6
"""Largest deviation of a line's width from its median, as a share of it; of a line of one ink, as of a brush."""

_DARKER, _HUE = 24, 32  # Levels by which a shade of a colour is darker than it, and within which hues agree
_STEP, BEYOND = 0.5, 3  # Pixels between samples of a profile; samples from a line's edge to what is inside
STARTS = (0, 2, 3, 5)  # Samples that ink is taken from: the outermost ones may be mixed with the background
_FEWEST = 50  # Profiles below which nothing is decided
INKS, LEAST_INK = 8, 0.02  # Colours of what lies beside a contour, and the least share of profiles of each
_PAPER = 200  # Level from which all channels of a line may be paper that was left around a figure
_EVEN, PURE = 16, 0.85  # Levels within which a known line has one colour, and the share of it that has
# Pixels below which there is no line between two silhouettes, and within which widths are equal
LEAST_WIDTH = 0.75
_SOFT = 3.0  # Pixels inside of a line within which the figure's colour may be mixed with it
_FLAT, PUREST = 24, 0.9
"""Levels within which an edge has one ink, and the share of it from which a line is believed more."""

_SLACK = 0.05  # Score that the outermost sample of ink may lack
PALETTE_SAMPLES, PALETTE_ROUNDS = 1000, 6  # Pixels and rounds of k-means for what lies beside a contour


@dataclass(frozen=True, eq=False)
class Contour:
    """A line around a figure of a picture (H, W)."""

    score: float  # Evidence for it, 0 to 1; see `LEAST_SCORE`
    ink: Ink  # Its width in pixels and its colours
    # (H, W), its pixels and those that it mixes with, and paper outside of it; empty below `_PARTIAL`
    line: Mask

    @property
    def kept(self) -> bool:
        """Whether it counts as a contour."""
        return self.score >= LEAST_SCORE

    @property
    def is_partial(self) -> bool:
        """Whether a line is drawn along a part of the silhouette only."""
        return _PARTIAL <= self.score < LEAST_SCORE

    def bare(self, picture: Pixels) -> Pixels:
        """The picture (H, W, 4) without its line, if that is kept.

        Pixels in which the line and the figure mix keep the figure's share of them.
        """
        out = picture.copy()
        if not self.kept:
            return out
        out[self.line] = 0
        depth = scipy.ndimage.distance_transform_edt(~self.line)
        pure = depth > _SOFT
        # Thin parts have no pixels that are surely their own.
        pure |= (depth > 0) & (scipy.ndimage.distance_transform_edt(~pure) > 2 * _SOFT)
        away, nearest = scipy.ndimage.distance_transform_edt(~pure, return_indices=True)
        close = away < np.where(self.line, _SOFT + 1.5, 2 * _SOFT)
        mixed = ~pure & close & (picture[..., 3] >= HALF_COVERED)
        figure, ink = picture[nearest[0][mixed], nearest[1][mixed], :3], self.ink.around(out)[mixed]
        share = np.clip(mixture(picture[mixed][:, :3], ink, figure), 0, 1)
        out[mixed, :3] = np.where(share[:, None] < 1, figure, picture[mixed][:, :3])
        out[mixed, 3] = np.where(depth[mixed] > 0, 255, np.rint(255 * share))
        out[out[..., 3] == 0] = 0
        return out

    def filled(self, picture: Pixels) -> Pixels:
        """The picture (H, W, 4), its line in the colours inside of it; the silhouette stays.

        A reconstruction's sides have the colours of the silhouette, and a line along a part of it would cover
        them.
        """
        inside = (picture[..., 3] >= HALF_COVERED) & ~self.line
        if not inside.any():
            return picture
        out = picture.copy()
        out[..., :3] = continued(picture[..., :3], inside)
        out[out[..., 3] == 0] = 0
        return out


def find_contour(picture: Pixels) -> Contour:
    """Decide whether a figure (H, W, 4) uint8 with straight alpha has a contour, and find its pixels.

    A contour is even in width, sharp on its inside, and of one ink or of darker shades of the colours inside
    of it. The score is the share of the silhouette's edge where this holds; where the figure inside has the
    colour of the ink, nothing can be told, and up to as much again counts as evidence, or twice as much if
    all of the edge has one ink.
    """
    covered = picture[..., 3] >= HALF_COVERED
    profiles = _profiles(picture, covered)
    if len(profiles.colours) < _FEWEST:
        return Contour(0.0, Ink.of_one(0.0, (0, 0, 0)), np.zeros_like(covered))
    lines = [_line(profiles, start) for start in STARTS]
    most = max(line.score for line in lines)
    # Samples farther inside are mixed with the figure if the line is thin.
    best = next(line for line in lines if line.score >= most - _SLACK)
    if best.score < _PARTIAL:
        return Contour(best.score, best.ink, np.zeros_like(covered))
    contour = Contour(best.score, best.ink, _pixels(picture, covered, best))
    if contour.kept and best.ink.colours.min() >= _PAPER:
        # Paper that was left around a figure hides its contour.
        inner = find_contour(contour.bare(picture))
        if inner.kept and inner.ink.colours.max() < _PAPER:
            return Contour(inner.score, inner.ink, contour.line | inner.line)
    return contour


def ink_around(picture: Pixels, mask: Pixels) -> Ink | None:
    """Measure the line, if any, between a figure's silhouette without it, (H, W), and a picture (H, W, 4)."""
    covered, inside = picture[..., 3] >= HALF_COVERED, mask >= HALF_COVERED
    rim = covered & (scipy.ndimage.distance_transform_edt(np.pad(covered, 1))[1:-1, 1:-1] <= 1)
    if not inside.any() or not rim.any():
        return None
    outside = scipy.ndimage.distance_transform_edt(~inside)
    width = float(np.median(outside[rim]))
    line = (picture[..., 3] > 0) & (mask == 0)
    if width < LEAST_WIDTH or not line.any():
        return None
    colours = picture[line][:, :3].astype(np.float64)
    middle = np.median(colours, axis=0)
    if np.mean(np.abs(colours - middle).max(axis=1) <= _EVEN) >= PURE:
        red, green, blue = np.rint(middle).astype(int)
        return Ink.of_one(width, (red, green, blue))
    deep = scipy.ndimage.binary_erosion(inside, iterations=2)
    beside = continued(picture[..., :3], deep if deep.any() else inside)
    return inks_beside(width, beside[line].astype(np.float64), colours)


class _Profiles(NamedTuple):
    """Colours inwards from N pixels of the edge."""

    colours: Doubles  # (N, K, 3)
    valid: Mask  # (N, K), whether each still is on its own side
    depths: Doubles  # (K,)
    unit: float  # Pixels of the picture per pixel of a 512 px one


def _profiles(picture: Pixels, covered: Mask) -> _Profiles:
    inside = scipy.ndimage.distance_transform_edt(np.pad(covered, 1))[1:-1, 1:-1]
    distance = np.where(covered, inside - 0.5, 0.5 - scipy.ndimage.distance_transform_edt(~covered))
    down, right = np.gradient(scipy.ndimage.gaussian_filter(distance, 1.0))
    steepness = np.hypot(down, right)
    rows, columns = np.nonzero(covered & (inside <= 1) & (steepness > 0.5))
    unit = max(picture.shape[:2]) / 512
    steps = np.arange(-1, max(DEEPEST * unit, LEAST_DEPTH), _STEP)
    length = steepness[rows, columns]
    y = rows[:, None] + (down[rows, columns] / length)[:, None] * steps
    x = columns[:, None] + (right[rows, columns] / length)[:, None] * steps
    alpha = picture[..., 3].astype(np.float64)
    premultiplied = [_sampled(picture[..., channel] * alpha, y, x) for channel in range(3)]
    share = _sampled(alpha, y, x)
    colours = np.stack(premultiplied, axis=-1) / np.maximum(share, 1)[..., None]
    # The outermost samples are the line's alone where an edge is soft, and nothing where it is hard.
    for sample in (1, 0):
        faint = share[:, sample] < _FAINT
        colours[faint, sample] = colours[faint, sample + 1]
    # Past the middle of a part, a profile comes near another edge.
    depths = steps + 0.5
    beyond = (depths > 0.5) & (_sampled(distance, y, x) < np.maximum(0.75 * depths - 1.5, 0))
    return _Profiles(colours, ~np.logical_or.accumulate(beyond, axis=1), depths, unit)


def _sampled(values: Doubles, y: Doubles, x: Doubles) -> Doubles:
    return np.asarray(scipy.ndimage.map_coordinates(values, [y, x], order=1))


class _Line(NamedTuple):
    """A line that profiles show."""

    score: float  # See `LEAST_SCORE`
    ink: Ink
    spare: float  # Pixels by which its widest tenth is wider than the rest


def _line(profiles: _Profiles, start: int) -> _Line:
    """The line that most profiles show if their ink is that of the sample `start`."""
    colours, valid, depths, unit = profiles
    ink, each = colours[:, start], np.arange(len(colours))
    differs = np.where(valid, np.abs(colours - ink[:, None]).max(axis=-1), 0)
    differs[:, :start] = 0
    ahead = BEYOND * max(1, round(unit**0.5))
    after, before = np.zeros_like(differs), np.zeros_like(differs)
    after[:, :-ahead] = np.where(valid, differs, 0)[:, ahead:]
    before[:, 2:] = differs[:, :-2]
    edges = (after >= _CONTRAST) & (differs >= after / 2) & (before <= after / 2)
    edges[:, (depths <= THINNEST) | (np.arange(len(depths)) <= start)] = False
    ends, edge = edges.any(axis=1), edges.argmax(axis=1)
    # The edge lies where half of the step is done, between two samples.
    high, low = differs[each, edge], differs[each, np.maximum(edge - 1, 0)]
    share = (high - after[each, edge] / 2) / np.maximum(high - low, 1e-3)
    widths = depths[edge] - _STEP * np.clip(share, 0, 1)
    none = _Line(0.0, Ink.of_one(0.0, (0, 0, 0)), 0.0)
    if not ends.any():
        return none
    middle = np.median(widths[ends])
    of_one_ink = np.mean(np.abs(ink - np.median(ink, axis=0)).max(axis=1) <= _FLAT) >= PUREST
    uneven = (UNEVEN_OF_ONE if of_one_ink else UNEVEN) * middle
    even = ends & (np.abs(widths - middle) <= max(unit, LEAST_WIDTH, uneven))
    if not even.any():
        return none
    width = float(np.median(widths[even]))
    spare = float(np.percentile(widths[even], 90)) - width
    beside = colours[each, np.minimum(edge + ahead, colours.shape[1] - 1)]
    colour = np.median(ink[even], axis=0)
    like = np.abs(ink - colour).max(axis=1) <= _INK
    unknown = like & (differs < _CONTRAST).all(axis=1)
    of_one = (even & like).mean()
    pure = np.mean(np.abs(ink - colour).max(axis=1) <= _EVEN)
    of_one = float(of_one + min(of_one * (2 if pure >= PUREST else 1), unknown.mean()))
    shades = even & _is_shade(ink, beside)
    # Black is a shade of every colour: several inks must differ.
    spread = np.abs(ink[even] - colour).max(axis=1).mean()
    several = shades.mean() > of_one or shades.mean() >= LEAST_SCORE
    if spread <= _EVEN or not several:
        red, green, blue = np.rint(colour).astype(int)
        return _Line(of_one, Ink.of_one(width, (red, green, blue)), spare)
    return _Line(float(shades.mean()), inks_beside(width, beside[shades], ink[shades]), spare)


def _is_shade(ink: Doubles, colours: Doubles) -> Mask:
    """Whether each ink (N, 3) is a darker shade of a colour (N, 3)."""
    light, lighter = ink @ LUMA, colours @ LUMA
    same_hue = np.abs(ink - colours * (light / np.maximum(lighter, 1))[:, None]).max(axis=1) <= _HUE
    return np.asarray((lighter - light >= _DARKER) & same_hue)


def inks_beside(width: float, beside: Doubles, colours: Doubles) -> Ink:
    """The ink of a contour from colours (N, 3) of a figure and of the line beside them, N at least 1."""
    _, label = palette_of(beside.astype(np.float32), PALETTE_SAMPLES, PALETTE_ROUNDS)
    counts = np.bincount(label)
    common = [number for number in np.argsort(-counts)[:INKS] if counts[number] >= LEAST_INK * len(label)]
    pairs = [(np.median(beside[label == n], axis=0), np.median(colours[label == n], axis=0)) for n in common]
    known, inks = (np.rint(np.stack(side)).astype(np.uint8) for side in zip(*pairs, strict=True))
    return Ink(width, known, inks)


def _pixels(picture: Pixels, covered: Mask, drawn: _Line) -> Mask:
    """The pixels that a contour takes, with those that it mixes with, and all outside of the figure.

    Parts of the figure that are lines themselves stay, and so does ink that joins its parts.
    """
    ink, spare = drawn.ink, max(UNEVEN * drawn.ink.width, drawn.spare) + 1
    depth = scipy.ndimage.distance_transform_edt(np.pad(covered, 1))[1:-1, 1:-1]
    colours = picture[..., :3].astype(np.int16)
    like = np.zeros_like(covered)
    for colour in ink.colours.astype(np.int16):
        like |= np.abs(colours - colour).max(axis=-1) <= _INK
    edge = covered & (depth <= 1.5)
    # Where the figure inside has the colour of the ink as well, only the width tells them apart.
    unlike = covered & ~like & (depth > ink.width / 2)
    ends = scipy.ndimage.distance_transform_edt(~unlike) <= spare + 1 if unlike.any() else unlike
    reach = ink.width + np.where(ends, spare, 0)
    line = scipy.ndimage.binary_propagation(edge, mask=edge | (covered & like & (depth <= reach)))
    line = covered & scipy.ndimage.binary_dilation(line)
    bare = covered & ~line
    away = scipy.ndimage.distance_transform_edt(~bare)
    # What is left of another line, such as a whisker's core, would get a contour of its own: it goes too.
    deep = scipy.ndimage.distance_transform_edt(bare) > ink.width / 2
    bare = scipy.ndimage.binary_propagation(deep, np.ones((3, 3), np.bool_), mask=bare)
    wide, core = covered & (away > 1.5 * ink.width + 2), covered & (away > 3 * ink.width + 3)
    limbs = scipy.ndimage.binary_propagation(core, np.ones((3, 3), np.bool_), mask=wide)
    if limbs.any():
        # A limb is drawn by its own line, which is thinned since a contour is drawn around it again.
        thin = limbs & (depth > np.minimum(ink.width / 2, scipy.ndimage.maximum_filter(depth, 5) - 1))
        joints = scipy.ndimage.distance_transform_edt(~limbs) <= 1.5 * ink.width + 3
        bare |= thin | (covered & joints & (depth > 1))
    if _parts(bare) > _parts(covered):
        # Close gaps that are narrower than twice a line.
        grown = scipy.ndimage.distance_transform_edt(~bare) <= ink.width + 1
        bare |= covered & (scipy.ndimage.distance_transform_edt(grown) > ink.width + 1)
    return ~bare


def _parts(mask: Mask) -> int:
    """Number of parts of a mask, without specks."""
    labels, _ = scipy.ndimage.label(mask, np.ones((3, 3)))
    areas = np.bincount(labels.ravel())[1:]
    return int(np.count_nonzero(areas >= 0.01 * areas.sum()))
