"""Decide whether a line is drawn around a figure, by a renderer or by hand, and which pixels it takes.

From each pixel of the silhouette's edge a profile of colours runs inwards. Where a contour is drawn, profiles
start with its ink and change sharply to another colour at one depth, its width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy

from specsia_build.arrays import Doubles, Mask, Pixels
from specsia_build.pictures.masks import box_around, continued, distance_to, mixture
from specsia_build.pictures.palettes import palette_of
from specsia_build.rendering.contour import MOST_DRAWN
from specsia_build.rendering.ink import DARKER, LUMA, Ink
from specsia_build.rendering.layers import HALF_COVERED

LEAST_SCORE = 0.63
"""Score from which a figure has a contour. Of 62 views of characters without one, 61 reach at most 0.56 and
one 0.70; with one of a random grey or a darker shade, 95 % reach 0.69 or more, the rest have nearly the
colour of their line."""

DEEPEST = 20.0  # Depth of profiles in pixels of a 512 px picture
LEAST_WIDE_SCORE = 0.9
"""Score from which a wider band of one ink, up to `MOST_DRAWN`, is a contour, and not part of the figure. Of
186 views of 32 characters without one, none reaches 0.6; with a black one of 30 px all reach 0.93."""

THINNEST = 0.5  # Pixels that a line is at least wide
_AROUND = 8  # Pixels around a figure in which anything is computed
_FAINT = 8  # Coverage below which a sample has no colour
_PARTIAL = 1 / 3  # Score from which a line is drawn along a part of the silhouette
LEAST_DEPTH = 8.0  # Pixels that a profile has at least
_CONTRAST = 32  # Least difference in levels of a line from the figure inside of it
_INK = 48  # Levels within which ink has one colour
UNEVEN, UNEVEN_OF_ONE = 0.35, 0.6
"""Largest deviation of a line's width from its median, as a share of the median: of any line, and of a line
in a single ink, which a brush may have drawn."""

_HUE = 32  # Levels within which the hues of a colour and of a darker shade of it agree
_STEP, BEYOND = 0.5, 3  # Pixels between samples of a profile; samples from a line's edge to what is inside
STARTS = (0, 2, 3, 5)  # Samples that ink is taken from: the outermost ones may be mixed with the background
_FEWEST = 50  # Profiles below which nothing is decided
INKS, LEAST_INK = 8, 0.02  # Colours of what lies beside a contour, and the least share of profiles of each
_PAPER = 200  # Level from which all channels of a line may be paper that was left around a figure
_FRINGE, _WITHIN = 1.5, 0.8
"""Width in pixels of a 512 px picture below which a line may be the fringe of such paper or of a contour, and
the score from which a contour lies within it. Of 630 views of characters with a thin contour, six reach .68
to .74."""
_EVEN, PURE = 16, 0.85  # Levels within which a known line has one colour, and the share of it that has
# Pixels below which there is no line between two silhouettes, and within which widths are equal
LEAST_WIDTH = 0.75
_SOFT = 3.0  # Pixels inside of a line within which the figure's colour may be mixed with it
_FLAT, PUREST = 24, 0.9
"""Levels within which pixels of the edge have a single ink, and their share from which a line is likelier."""

_SLACK = 0.05  # Score that the outermost sample of ink may lack
PALETTE_SAMPLES, PALETTE_ROUNDS = 1000, 6  # Pixels and rounds of k-means for what lies beside a contour


@dataclass(frozen=True, eq=False)
class Contour:
    """A line around a figure.

    Attributes:
        picture: (H, W, 4) uint8 with straight alpha, of the figure.
        score: evidence for the line, 0 to 1; see `LEAST_SCORE`.
        ink: its width in pixels and its colours.
        spare: pixels by which its wide places (90th percentile) are wider than that.
        paper: the line of paper, or of a fringe, that was left around this one; None without.
    """

    picture: Pixels
    score: float
    ink: Ink
    spare: float = 0.0
    paper: Contour | None = None

    @property
    def kept(self) -> bool:
        """Whether it counts as a contour."""
        return self.score >= LEAST_SCORE

    @property
    def is_partial(self) -> bool:
        """Whether a line is drawn along a part of the silhouette only."""
        return _PARTIAL <= self.score < LEAST_SCORE

    @cached_property
    def line(self) -> Mask:
        """Its pixels (H, W), those that it mixes with, and all outside of the figure; none without a line."""
        out = np.full(self.picture.shape[:2], self.kept or self.is_partial)
        if out.any():
            left = self.picture if self.paper is None else self.paper.bare()
            window = _window(left)
            out[window] = _pixels(left[window], self.ink, self.spare, DEEPEST * _unit(left))
        return out if self.paper is None else out | self.paper.line

    def bare(self) -> Pixels:
        """The picture (H, W, 4) without the line, if that is kept.

        Pixels in which the line and the figure mix keep the figure's share of them.
        """
        whole = self.picture.copy()
        if not self.kept:
            return whole
        window = _window(whole)
        whole[self.line] = 0
        out, line = whole[window], self.line[window]
        picture = self.picture[window]
        depth = distance_to(line)
        pure = depth > _SOFT
        # Thin parts have no pixels that are surely their own.
        pure |= (depth > 0) & (distance_to(pure) > 2 * _SOFT)
        close = distance_to(pure) < np.where(line, _SOFT + 1.5, 2 * _SOFT)
        mixed = ~pure & close & (picture[..., 3] >= HALF_COVERED)
        figure, ink = continued(picture[..., :3], pure)[mixed], self.ink.around(out)[mixed]
        share = np.clip(mixture(picture[mixed][:, :3], ink, figure), 0, 1)
        out[mixed, :3] = np.where(share[:, None] < 1, figure, picture[mixed][:, :3])
        out[mixed, 3] = np.where(depth[mixed] > 0, 255, np.rint(255 * share))
        whole[whole[..., 3] == 0] = 0
        return whole

    def filled(self) -> Pixels:
        """The picture (H, W, 4) with its line in the colours inside of it; the silhouette stays.

        A reconstruction's sides have the colours of the silhouette, and a line along a part of it would cover
        them.
        """
        out = self.picture.copy()
        inside = _covered(out) & ~self.line
        if inside.any():
            window = _window(out)
            out[window][..., :3] = continued(out[window][..., :3], inside[window])
            out[out[..., 3] == 0] = 0
        return out


def _covered(picture: Pixels) -> Mask:
    return np.asarray(picture[..., 3] >= HALF_COVERED)


def _window(picture: Pixels) -> tuple[slice, slice]:
    """Rows and columns of a figure (H, W, 4), at least one pixel."""
    return box_around(_covered(picture), _AROUND)


def _unit(picture: Pixels) -> float:
    """Pixels of a picture per pixel of one of 512 px."""
    return float(max(picture.shape[:2]) / 512)


def _depths(covered: Mask) -> Doubles:
    """Distance of each pixel of a figure (H, W) to those outside, and to the picture's border."""
    return np.asarray(distance_to(np.pad(~covered, 1, constant_values=True))[1:-1, 1:-1])


def find_contour(picture: Pixels) -> Contour:
    """Decide whether a figure (H, W, 4) uint8 with straight alpha has a contour.

    A contour is even in width, sharp on its inside, and of one ink or of darker shades of the colours inside
    of it. The score is the share of the silhouette's edge where this holds; where the figure inside has the
    colour of the ink, nothing can be told, and up to as much again counts as evidence, or twice as much if
    all of the edge has one ink.
    """
    if not _covered(picture).any():
        return Contour(picture, *_NO_LINE)
    profiles = _profiles(picture, DEEPEST)
    contour = Contour(picture, *_best_line(profiles))
    if not contour.kept and _has_one_ink(profiles):
        wide = Contour(picture, *_best_line(_profiles(picture, MOST_DRAWN)))
        contour = wide if wide.score >= LEAST_WIDE_SCORE else contour
    is_fringe = contour.ink.width < _FRINGE * profiles.unit
    if contour.kept and (is_fringe or contour.ink.colours.min() >= _PAPER):
        # Paper that was left around a figure, as around a sticker, and its fringe hide its contour.
        inner = find_contour(contour.bare())
        least = _WITHIN if is_fringe and inner.paper is None else LEAST_SCORE
        if inner.score >= least and inner.ink.colours.max() < _PAPER:
            return _within(contour, inner)
    return contour


def _within(outer: Contour, inner: Contour) -> Contour:
    """The inner contour in the picture of the outer one, which lies around it and around its paper."""
    paper = outer if inner.paper is None else _within(outer, inner.paper)
    return replace(inner, picture=outer.picture, paper=paper)


def ink_around(picture: Pixels, mask: Pixels) -> Ink | None:
    """Measure the line, if any, between a figure's silhouette without it, (H, W), and a picture (H, W, 4)."""
    covered, inside = picture[..., 3] >= HALF_COVERED, mask >= HALF_COVERED
    rim = covered & (_depths(covered) <= 1)
    if not inside.any() or not rim.any():
        return None
    outside = distance_to(inside)
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


def _profiles(picture: Pixels, deepest: float) -> _Profiles:
    """Profiles of so many pixels of a 512 px picture along the edge of a figure (H, W, 4)."""
    unit, picture = _unit(picture), picture[_window(picture)]
    covered = _covered(picture)
    inside = _depths(covered)
    distance = np.where(covered, inside - 0.5, 0.5 - distance_to(covered))
    down, right = np.gradient(scipy.ndimage.gaussian_filter(distance, 1.0))
    steepness = np.hypot(down, right)
    rows, columns = np.nonzero(covered & (inside <= 1) & (steepness > 0.5))
    steps = np.arange(-1, max(deepest * unit, LEAST_DEPTH), _STEP)
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
    spare: float  # See `Contour`


_NO_LINE = _Line(0.0, Ink.of_one(0.0, (0, 0, 0)), 0.0)


def _has_one_ink(profiles: _Profiles) -> bool:
    """Whether nearly all of a figure's edge has one colour, as the wide lines of small sprites have."""
    inks = [profiles.colours[:, start] for start in STARTS]
    apart = [np.abs(ink - np.median(ink, axis=0)).max(axis=1) for ink in inks if len(ink)]
    return any(np.mean(each <= _INK) >= LEAST_WIDE_SCORE for each in apart)


def _best_line(profiles: _Profiles) -> _Line:
    """The line of the best score."""
    if len(profiles.colours) < _FEWEST:
        return _NO_LINE
    lines = [_line(profiles, start) for start in STARTS]
    most = max(line.score for line in lines)
    # Samples farther inside are mixed with the figure if the line is thin.
    return next(line for line in lines if line.score >= most - _SLACK)


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
    if not ends.any():
        return _NO_LINE
    middle = np.median(widths[ends])
    of_one_ink = np.mean(np.abs(ink - np.median(ink, axis=0)).max(axis=1) <= _FLAT) >= PUREST
    uneven = (UNEVEN_OF_ONE if of_one_ink else UNEVEN) * middle
    even = ends & (np.abs(widths - middle) <= max(unit, LEAST_WIDTH, uneven))
    if not even.any():
        return _NO_LINE
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
    return np.asarray((lighter - light >= DARKER) & same_hue)


def inks_beside(width: float, beside: Doubles, colours: Doubles) -> Ink:
    """The ink of a contour from colours (N, 3) of a figure and of the line beside them, N at least 1."""
    _, label = palette_of(beside.astype(np.float32), PALETTE_SAMPLES, PALETTE_ROUNDS)
    counts = np.bincount(label)
    common = [number for number in np.argsort(-counts)[:INKS] if counts[number] >= LEAST_INK * len(label)]
    pairs = [(np.median(beside[label == n], axis=0), np.median(colours[label == n], axis=0)) for n in common]
    known, inks = (np.rint(np.stack(side)).astype(np.uint8) for side in zip(*pairs, strict=True))
    return Ink(width, known, inks)


def _pixels(picture: Pixels, ink: Ink, spare: float, widest: float) -> Mask:
    """The pixels that a contour takes, with those that it mixes with, and all outside of the figure.

    Parts of the figure that are lines themselves stay, and so does ink that joins its parts, and all parts
    that are wider than `widest` pixels.
    """
    spare = max(UNEVEN * ink.width, spare) + 1
    covered = _covered(picture)
    depth = _depths(covered)
    colours = picture[..., :3].astype(np.int16)
    like = np.zeros_like(covered)
    for colour in ink.colours.astype(np.int16):
        like |= np.abs(colours - colour).max(axis=-1) <= _INK
    edge = covered & (depth <= 1.5)
    # Where the figure inside has the colour of the ink as well, only the width tells them apart.
    unlike = covered & ~like & (depth > ink.width / 2)
    ends = distance_to(unlike) <= spare + 1
    reach = ink.width + np.where(ends, spare, 0)
    line = scipy.ndimage.binary_propagation(edge, mask=edge | (covered & like & (depth <= reach)))
    line = covered & scipy.ndimage.binary_dilation(line)
    bare = covered & ~line
    away = distance_to(bare)
    # What is left of another line, such as a whisker's core, would get a contour of its own: it goes too.
    deep = distance_to(~bare) > min(ink.width, widest) / 2
    bare = scipy.ndimage.binary_propagation(deep, np.ones((3, 3), np.bool_), mask=bare)
    wide, core = covered & (away > 1.5 * ink.width + 2), covered & (away > 3 * ink.width + 3)
    limbs = scipy.ndimage.binary_propagation(core, np.ones((3, 3), np.bool_), mask=wide)
    if limbs.any():
        # A limb is drawn by its own line, which is thinned since a contour is drawn around it again.
        thin = limbs & (depth > np.minimum(ink.width / 2, scipy.ndimage.maximum_filter(depth, 5) - 1))
        joints = distance_to(limbs) <= 1.5 * ink.width + 3
        bare |= thin | (covered & joints & (depth > 1))
    if _parts(bare) > _parts(covered):
        # Close gaps that are narrower than twice a line.
        grown = distance_to(bare) <= ink.width + 1
        bare |= covered & (distance_to(~grown) > ink.width + 1)
    return ~bare


def _parts(mask: Mask) -> int:
    """Number of parts of a mask, without specks."""
    labels, _ = scipy.ndimage.label(mask, np.ones((3, 3)))
    areas = np.bincount(labels.ravel())[1:]
    return int(np.count_nonzero(areas >= 0.01 * areas.sum()))
