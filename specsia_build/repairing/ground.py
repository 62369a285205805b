"""Find what surrounds a drawn figure and is no part of it: a scan's dark rim, a shadow below it."""

import numpy as np
import scipy
from PIL import Image

from specsia_build.arrays import Mask, Pixels
from specsia_build.dravie.adapt.overlay import PAPER_BORDER, PAPER_TOLERANCE
from specsia_build.pictures.films import over
from specsia_build.pictures.masks import box_around, continued, distance_to
from specsia_build.rendering.layers import HALF_COVERED

_RIM = 0.06  # Largest depth of a scan's rim as a share of the picture's side
ACROSS = 0.9  # Least share of a line along that side that it covers
_DARKER = 40  # Levels by which the outermost line is darker than the paper, at least
STRIP = 0.25  # Share of a picture's side that a slanted rim touches, at least

SAME = 24  # Levels between colours of one translucent shadow, at most
_FAINT, _OPAQUE = 12, 250  # Alpha up to which a pixel has no sure colour, and from which it is opaque
_MOST_OF_SHADOW = 90  # Percentile of its alpha up to which a shadow's own pixels reach
_DARK = 80  # Level of a shadow's colour up to which nothing opaque belongs to it
_SOFT = 0.2  # Least share of a shadow that is translucent: a grey skirt with a faint spot is none

PALEST, _DARKEST = 0.98, 0.4  # Brightness of a shadow on paper, relative to the paper
# Deviation from the paper's hue in such a shadow, and levels in its 5 x 5 pixels, at most
_HUE, _STEEP = 0.06, 24
# Brightness that lies between the darkest and the palest tenth of it, at least: a pale shoe is even
FADING = 0.05

LOW = 0.25  # Lowest share of the drawing's height that a shadow on the ground lies in
_FLAT = 1.5  # Width of such a shadow in heights, at least
_LEAST = 0.004  # Share of the figure's area that it covers, at least

# A flat shadow's width in heights, from the least to the most
_WIDE = (2.5, 20)
_GREY, _EVEN = 60, 8  # Range of its channels, and levels in its 3 x 3 pixels, at most
# Share of its ellipse that it or the figure covers, at least, and of itself beyond that, at most
_FILLS, _BEYOND = 0.94, 0.03
# Share of the pixels around its ellipse that is free, at least, below it and above its ends, and share of its
# half width from which these ends begin. Above the ends of a round body's lowest stripe is the body.
_FREE, _END = 0.85, 0.75
_MIXED, _AROUND = 3, 5  # Pixels around its ellipse that its edge may mix with, and that are looked at

# Share of a shadow's height into which the figure reaches down, at least, unless it floats above
_FEET = 0.25

# Pixels of a side at which a badge is looked for, at most, and share of its box that agrees, at least
_BADGE_SIDE, _BADGE = 128, 0.985
_CORNERS = (2, 4, 5, 8, 64)  # Powers n in |x|^n + |y|^n <= 1: an ellipse, round corners, a rectangle

_COLOURED, GAP = 60, 0.004
"""Range of a colour's channels from which paper that a figure encloses is a gap and no white of an eye, and
share of the figure's area from which it is worth mentioning."""
_BLACK, _WHITE = 64, 240  # Levels up to which paper may be a figure's black, and from which an eye's white

_SPECK, _BESIDE = 0.002, 0.03
"""Share of the figure's area below which a separate part is a speck, and lengths of the picture up to which
specks lie beside the figure, as noise of JPEG and crayon strokes do."""

HAZE, HAZE_SHARE = 32, 0.005
"""Alpha below which pixels off the figure are haze, and its share of the figure's area worth a warning."""

LEAST_EDGE, _EDGE = 4.0, 0.006
"""Width of a soft edge, the larger of pixels and lengths of the picture, beyond which low alpha is haze."""

_SMOOTH_SIDE, _STEP = 384, 6
"""Pixels of the longer side at which paper that changes smoothly is looked for, at most, and levels in its
3 x 3 pixels, at most."""

LEAST_SMOOTH = 0.75  # Share of a picture's border that such paper covers, at least


def smooth_paper(picture: Pixels) -> Pixels | None:
    """Find the colours (h, w, 3) of an opaque picture's paper if they change smoothly, as in a gradient.

    They go on behind the figure as beside it. None if the paper has edges, or covers too little of the
    border, or less than the colour of the corners does.
    """
    image = Image.fromarray(picture).convert("RGB")
    small = np.asarray(image.reduce(-(-max(image.size) // _SMOOTH_SIDE)))
    corners = np.median(small[[0, 0, -1, -1], [0, -1, 0, -1]], axis=0)
    even = _steps(small) <= _STEP
    border = np.ones_like(even)
    border[1:-1, 1:-1] = False
    regions, count = scipy.ndimage.label(even)
    paper = regions == 1 + np.bincount(regions[border], minlength=count + 1)[1:].argmax() if count else even
    plain = np.abs(small[border] - corners).max(axis=1) <= PAPER_TOLERANCE
    if paper[border].mean() < max(LEAST_SMOOTH, plain.mean()):
        return None
    around = Image.fromarray(continued(small, paper))
    return np.asarray(around.resize(image.size, Image.Resampling.BILINEAR))


def _steps(picture: Pixels) -> Pixels:
    """Differences (h, w) within the 3 x 3 pixels around each pixel of a picture (h, w, 3), in levels."""
    window = (3, 3, 1)
    steps = scipy.ndimage.maximum_filter(picture, window) - scipy.ndimage.minimum_filter(picture, window)
    return np.asarray(steps.max(axis=2))


def is_badge(alpha: Pixels) -> bool:
    """Whether a silhouette (h, w) is an ellipse or a rectangle, maybe with round corners, as of a badge."""
    covered = alpha[box_around(alpha >= HALF_COVERED)] >= HALF_COVERED
    covered = covered[:: -(-len(covered) // _BADGE_SIDE), :: -(-covered.shape[1] // _BADGE_SIDE)]
    down, across = (np.abs(2 * (np.arange(n) + 0.5) / n - 1) for n in covered.shape)
    powers = (down[:, None] ** n + across**n for n in _CORNERS)
    return any(float((covered == (power <= 1)).mean()) >= _BADGE for power in powers)


def encloses_paper(figure: Pixels, paper: Pixels) -> bool:
    """Whether a figure (h, w, 4) has parts of its paper's colour, (3,) or (h, w, 3), not white or black."""
    covered = figure[..., 3] >= HALF_COVERED
    alike = np.abs(figure[..., :3].astype(np.int16) - paper).max(axis=2) <= PAPER_TOLERANCE
    most = paper.max(axis=-1)
    known = (np.ptp(paper, axis=-1) >= _COLOURED) | ((most > _BLACK) & (most < _WHITE))
    return bool(np.count_nonzero(_thick(covered & alike & known)) > GAP * np.count_nonzero(covered))


def _widest_edge(shape: tuple[int, ...]) -> float:
    """Width in pixels that a soft edge has at most in a picture of (h, w)."""
    return max(LEAST_EDGE, _EDGE * max(shape))


def specks_of(covered: Mask) -> Mask:
    """Separate parts of a silhouette (h, w) that are too small to belong to it."""
    parts, count = scipy.ndimage.label(covered, np.ones((3, 3)))
    areas = np.bincount(parts.ravel(), minlength=count + 1)
    small = areas < _SPECK * np.count_nonzero(covered)
    small[0] = False
    return np.asarray(small[parts])


def grains(figure: Mask, specks: Mask) -> int:
    """Number of specks that do not lie beside the figure."""
    away = distance_to(figure) > _BESIDE * max(figure.shape)
    return int(scipy.ndimage.label(specks & away, np.ones((3, 3)))[1])


def clear_haze(figure: Pixels) -> bool:
    """Clear a haze of low alpha around a figure, in place, and return whether it is worth mentioning.

    Pixels of low alpha beside the figure are its antialiased edge, unless there is a haze farther away.
    """
    alpha = figure[..., 3]
    faint, covered = (alpha > 0) & (alpha < HAZE), alpha >= HALF_COVERED
    far = faint & (scipy.ndimage.distance_transform_edt(alpha < 2 * HAZE) > _widest_edge(alpha.shape))
    is_haze = bool(np.count_nonzero(far) > HAZE_SHARE * np.count_nonzero(covered))
    figure[faint if is_haze else far] = 0
    return is_haze


def translucent_areas(figure: Pixels) -> Mask:
    """Find areas of a figure (h, w, 4), such as glass, that are less than half covered; all False if small.

    Soft edges and haze do not count.
    """
    alpha = figure[..., 3]
    candidates = (alpha >= HAZE) & (alpha < HALF_COVERED)
    seeds = distance_to(~candidates) > _widest_edge(alpha.shape)
    areas = scipy.ndimage.binary_propagation(seeds, mask=candidates)
    is_small = np.count_nonzero(areas) <= HAZE_SHARE * np.count_nonzero(alpha >= HALF_COVERED)
    return np.zeros_like(areas) if is_small else np.asarray(areas)


def on_white(figure: Pixels, where: Mask) -> Pixels:
    """The figure (h, w, 4), painted on white where a mask (h, w) says so; itself if that is empty."""
    if not where.any():
        return figure
    painted = figure.copy()
    painted[where] = np.insert(over(figure, 255)[where], 3, 255, axis=1)
    return painted


def scan_rim(picture: Pixels) -> Mask:
    """Find the dark rim along the border of an opaque scan (h, w, 4); all False if there is none."""
    height, width = picture.shape[:2]
    rim = np.zeros((height, width), np.bool_)
    down, across = max(1, round(_RIM * height)), max(1, round(_RIM * width))
    inner = picture[down:-down, across:-across, :3]
    if inner.size == 0:
        return rim
    ring = np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]]).astype(np.int16)
    paper = np.median(ring, axis=0).astype(np.int16)
    if (np.abs(ring - paper).max(axis=1) <= PAPER_TOLERANCE).mean() < PAPER_BORDER:
        return rim
    difference = picture[..., :3] - paper
    ink, dark = np.abs(difference).max(axis=2) > PAPER_TOLERANCE, difference.mean(axis=2) < -_DARKER
    for turns in range(4):
        # Each side in turn lies at the top; the rotated arrays are views.
        deepest = down if turns % 2 == 0 else across
        along = np.rot90(ink, turns)[: deepest + 1].mean(axis=1) >= ACROSS
        depth = int(np.argmin(along)) if not along.all() else 0
        if depth and np.rot90(dark, turns)[0].mean() >= ACROSS:
            np.rot90(rim, turns)[:depth] = True
    return rim | _slanted(ink & ~rim, rim, (down, across))


def _slanted(ink: Mask, rim: Mask, depths: tuple[int, int]) -> Mask:
    """Parts of the ink that lie near the border alone, and touch it or a rim along much of a side."""
    down, across = depths
    parts, count = scipy.ndimage.label(ink, np.ones((3, 3)))
    inner = parts[down:-down, across:-across]
    reaching = np.bincount(inner.ravel(), minlength=count + 1) > 0
    outside = np.pad(rim, 1, constant_values=True)
    touching = ink & scipy.ndimage.binary_dilation(outside)[1:-1, 1:-1]
    lengths = np.bincount(parts[touching], minlength=count + 1)
    slanted = ~reaching & (lengths >= STRIP * min(ink.shape))
    slanted[0] = False
    return np.asarray(slanted[parts])


def translucent_shadow(figure: Pixels) -> Mask:
    """Find a shadow of one translucent colour below a figure (h, w, 4) on transparency; else all False."""
    alpha = figure[..., 3]
    candidates = (alpha > 0) & (alpha < _OPAQUE)
    covered = alpha >= HALF_COVERED
    if not covered.any():
        return np.zeros_like(covered)
    # Antialiased edges are too thin to be seeds, but for those of a figure that stands in its shadow.
    seeds = _thick(candidates)
    seeds[: _ground(covered).start] = False
    if not seeds.any():
        return seeds
    faintest = np.percentile(alpha[seeds], _MOST_OF_SHADOW) // 4
    colour = np.median(figure[seeds & (alpha >= faintest)][:, :3], axis=0)
    # Colours of fainter pixels are rounded too coarsely.
    same = (alpha >= _FAINT) & (np.abs(figure[..., :3] - colour).max(axis=2) <= SAME)
    # The middle of a pale shadow may be opaque; that of a dark one would be told from no dark shoe.
    shadow = same if colour.mean() >= _DARK else same & candidates
    shadow = _on_ground(shadow, (alpha >= _OPAQUE) & ~shadow, covered)
    parts, count = scipy.ndimage.label(shadow, np.ones((3, 3)))
    shadow &= (scipy.ndimage.mean(candidates, parts, np.arange(count + 1)) >= _SOFT)[parts]
    return np.asarray(
        scipy.ndimage.binary_propagation(shadow, mask=shadow | ((alpha > 0) & (alpha < _FAINT)))
    )


def paper_shadow(figure: Pixels, paper: Pixels) -> Mask:
    """Find a soft shadow on the paper (3,) uint8 beside a figure's feet (h, w, 4); all False if none.

    It is a gradient of the paper's hue that the paper runs into without an edge.
    """
    covered = figure[..., 3] >= HALF_COVERED
    share = figure[..., :3] / np.maximum(paper, 1).astype(np.float32)
    brightness = share.mean(axis=2)
    level = np.where(covered, 255 * brightness, 255)
    steep = scipy.ndimage.maximum_filter(level, 5) - scipy.ndimage.minimum_filter(level, 5)
    alike = covered & (brightness > _DARKEST) & (brightness < PALEST) & (np.ptp(share, axis=2) < _HUE)
    soft = alike & (steep <= _STEEP)
    edge = soft & scipy.ndimage.binary_dilation(~covered)
    shadow = _on_ground(scipy.ndimage.binary_propagation(edge, mask=soft), covered & ~soft, covered)
    if not shadow.any() or np.ptp(np.percentile(brightness[shadow], (10, 90))) < FADING:
        return np.zeros_like(shadow)
    # The shadow goes on to the figure's edge, which is too steep.
    beside = scipy.ndimage.binary_dilation(shadow, iterations=3)
    return np.asarray(shadow | (beside & alike & (brightness >= brightness[shadow].min())))


def flat_shadow(figure: Pixels) -> Mask:
    """Find an ellipse of one colour with little hue below a figure (h, w, 4); all False if there is none.

    No line surrounds it, and the figure stands in it or floats above.
    """
    covered = figure[..., 3] >= HALF_COVERED
    shadow = np.zeros_like(covered)
    if not covered.any():
        return shadow
    ground = slice(min(_ground(covered).start, len(figure) - 1), len(figure))
    colours, inside = figure[ground, :, :3], covered[ground]
    even = inside & (_steps(colours) <= _EVEN) & (np.ptp(colours, axis=2) <= _GREY)
    parts, _ = scipy.ndimage.label(even)
    least = _LEAST * np.count_nonzero(covered)
    for number, box in enumerate(scipy.ndimage.find_objects(parts), 1):
        part = parts[box] == number
        # Its outermost pixels are mixed, and the figure may hide its upper edge.
        ends = np.flatnonzero(part[:, :2].any(axis=1) | part[:, -2:].any(axis=1))
        tall, wide = 2 * (len(part) - ends.mean() + 0.5), part.shape[1] + 2
        is_flat = len(part) > 1 and _WIDE[0] <= wide / tall <= _WIDE[1]
        if not is_flat or np.count_nonzero(part) < least:
            continue
        y, x = np.ogrid[: len(inside), : inside.shape[1]]
        down, across = y - box[0].stop - 0.5 + tall / 2, x + 0.5 - (box[1].start + box[1].stop) / 2
        ellipse = (2 * down / tall) ** 2 + (2 * across / wide) ** 2 <= 1
        if inside[ellipse].mean() < _FILLS or ellipse[box][part].mean() < 1 - _BEYOND:
            continue
        colour = np.median(colours[box][part], axis=0)
        solid = inside & (np.abs(colours - colour).max(axis=2) > SAME)
        away = distance_to(ellipse)
        around = (away > 0) & (away <= _AROUND) & ((down > 0) | (np.abs(across) > _END * wide / 2))
        # A line is darker than the shadow, and than what mixes with it.
        beside = inside & ((away > _MIXED) | (colours.mean(axis=2) < colour.mean() - SAME))
        feet = solid & ellipse
        stands = not feet.any() or _below(feet) - (box[0].stop - tall) >= _FEET * tall
        if stands and np.count_nonzero(beside & around) <= (1 - _FREE) * np.count_nonzero(around):
            shadow[ground] |= (figure[ground, :, 3] > 0) & (away <= _AROUND) & ~_thick(solid)
    return shadow


def clear_shadows(figure: Pixels, shadow: Mask) -> Mask:
    """Clear a figure (h, w, 4), in place, where its shadow (h, w) and a flat shadow are; returns both."""
    figure[shadow] = 0
    flat = flat_shadow(figure)
    figure[flat] = 0
    return shadow | flat


def _below(mask: Mask) -> int:
    """The row below the lowest pixel of a mask; 0 if it is empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    return int(rows[-1]) + 1 if len(rows) else 0


def _thick(mask: Mask) -> Mask:
    """Pixels of a mask in squares of 3 x 3 that it covers."""
    return np.asarray(scipy.ndimage.binary_opening(mask, np.ones((3, 3), np.bool_)))


def _ground(covered: Mask) -> slice:
    """The lowest rows of a drawing's silhouette."""
    rows, _ = box_around(covered)
    return slice(rows.stop - round(LOW * (rows.stop - rows.start)), rows.stop)


def _on_ground(candidates: Mask, solid: Mask, covered: Mask) -> Mask:
    """Parts of candidates flat on the ground, where the solid figure stands in them or floats above."""
    top = _ground(covered).start
    # Antialiased edges of the figure may have the shadow's colour, but are thin.
    parts, _ = scipy.ndimage.label(_thick(candidates), np.ones((3, 3)))
    shadow = np.zeros_like(candidates)
    area = np.count_nonzero(solid)
    for number, box in enumerate(scipy.ndimage.find_objects(parts), 1):
        height, width = (along.stop - along.start for along in box)
        if box[0].start < top or width < _FLAT * height:
            continue
        part = parts[box] == number
        if np.count_nonzero(part) < _LEAST * area:
            continue
        around = tuple(slice(max(0, along.start - 2), along.stop + 2) for along in box)
        grown = scipy.ndimage.binary_dilation(parts[around] == number, iterations=2)
        stands = _below(solid[:, box[1]]) - box[0].start >= _FEET * height
        if stands or not (grown & solid[around]).any():
            shadow[box] |= part
    return np.asarray(scipy.ndimage.binary_dilation(shadow, iterations=2) & candidates)
