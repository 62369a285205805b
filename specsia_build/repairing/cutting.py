"""Cut a drawing's figure out of transparency, plain paper or a given silhouette, and say what was removed."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image

from specsia_build.arrays import Mask, Pixels
from specsia_build.dravie.adapt.overlay import cut_out
from specsia_build.errors import SpecsiaError, UsageError, plural, some
from specsia_build.pictures.masks import box_around, mixture
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.repairing.checkers import checkerboard
from specsia_build.repairing.figures import FigureBox, figure_boxes, figure_labels
from specsia_build.repairing.ground import (
    HAZE,
    clear_haze,
    clear_shadows,
    encloses_paper,
    grains,
    is_badge,
    on_white,
    paper_shadow,
    scan_rim,
    smooth_paper,
    specks_of,
    translucent_areas,
    translucent_shadow,
)
from specsia_build.repairing.outlines import is_of_lines, with_gaps_closed, with_paper_inside
from specsia_build.repairing.pixel_art import small_figure
from specsia_build.warning import Warning

MOST_SIDE = 2048  # Pixels of the longer side from which a drawing is reduced by a whole number

_BORDER, MOST_ON_BORDER = 0.02, 0.35
"""Depth of a picture's border as a share of its side, and largest share of it that a figure on plain paper
covers; more of it is uneven paper, mistaken for the figure."""

MOST_SPECKS = 36  # Specks away from the figure on plain paper, at most

_PALE, _RIM = 24, 4  # Levels by which a figure's edge and marks differ from paper, and pixels of that edge
MOST_PALE = 0.1  # Largest share of it that does not: .02 at most on plain paper, .13 and more on uneven paper

CUT_SHARE = 0.1  # Share of a figure's width that a picture's side cuts, at least
INWARDS = 0.02  # Depth in widths at which it is looked at again
_STRAIGHT = 0.85  # Share of the width there
# Share of a sole's width up to which an ankle is narrower, and its height in heights of the figure
SOLE, _ANKLE = 0.8, 0.08

_MOST_LISTED = 9  # Figures that a warning lists

_CHANGING, _CHECKERS = "a background whose colour changes", "a painted checkerboard"
_MASK = "--mask mask.png (a picture of the same size, white where the figure is, else black)"
REPAINT = (
    f"make the background transparent, or white, with a paint program, or give the silhouette as {_MASK}"
)


@dataclass(frozen=True, eq=False)
class Cutout:
    """A figure on transparency.

    Attributes:
        picture: (h, w, 4) uint8, straight alpha; 1 / n of the drawing's size if that is above `MOST_SIDE`.
        warnings: on what was removed and what may be wrong.
        boxes: left, top, right, bottom of each separate figure in pixels of the drawing, in reading order.
        step: pixels of the drawing on a side of one of the picture.
        cut: sides of the picture at which the figure seems to be cut, of top, right, bottom and left.
    """

    picture: Pixels
    warnings: tuple[Warning, ...]
    boxes: tuple[FigureBox, ...]
    step: int = 1
    cut: tuple[str, ...] = ()


class _OffPaper(NamedTuple):
    """A figure (h, w, 4), the paper it was cut out of, (3,) or (h, w, 3), and the shadow (h, w) it had.

    `is_pale` tells whether more than `MOST_PALE` of its edge fades into the paper, `what` which paper it is
    if it is not plain.
    """

    figure: Pixels
    paper: Pixels
    shadow: Mask
    is_pale: bool
    what: str = ""


def cut(
    picture: Pixels, mask: Pixels | None = None, number: int | None = None, *, pixel: bool = False
) -> Cutout:
    """Cut the figure out of a drawing (H, W, 4) uint8 with straight alpha.

    Args:
        picture: a drawing on transparency or on plain paper, or any picture with a mask.
        mask: (H, W, 4) uint8, a picture that is white where the figure is; alpha counts as black.
        number: the only figure to keep, from 1 and in reading order; all of them by default.
        pixel: whether the drawing is known to be pixel art.

    Raises:
        UsageError: if it shows nothing, the background is uneven, the mask does not fit, or no such figure.
    """
    silhouette = None if mask is None else _silhouette(mask, picture.shape[:2])
    step = -(-max(picture.shape[:2]) // MOST_SIDE)
    if step > 1:
        picture = np.array(Image.fromarray(picture).convert("RGBa").reduce(step).convert("RGBA"))
        silhouette = None if silhouette is None else np.asarray(Image.fromarray(silhouette).reduce(step))
    figure, warnings = _without_ground(picture) if silhouette is None else (_inside(picture, silhouette), [])
    closed = with_gaps_closed(figure, picture) if silhouette is None else figure
    if closed is not figure:
        sentence = f"gaps in the figure's outline were closed: if it is open there, give {_MASK}"
        warnings.append(Warning("ground-kept", sentence, "gaps"))
    figure, boxes, chosen = _chosen(closed, number, step)
    warnings += chosen
    if not chosen and is_of_lines(figure[..., 3]):
        sentence = (
            "the figure consists of lines, and the areas between them are missing: close its outline, paint "
            f"its inside, or give {_MASK}"
        )
        warnings.append(Warning("ground-removed", sentence, "lines"))
    sides = _cut_sides(figure[..., 3])
    if sides:
        sentence = (
            f"the figure reaches the picture's border ({', '.join(sides)}): if it is cut off there, the rest "
            "is missing from all views; draw the whole figure, with some background around it"
        )
        warnings.append(Warning("figure-cut", sentence, ", ".join(sides)))
    if not pixel:
        warnings += small_figure(figure, boxes if chosen else (), step)
        kept = mask is not None or any(warning.code == "ground-kept" for warning in warnings)
        if not kept and is_badge(figure[..., 3]):
            sentence = (
                "the figure is a round or rectangular area, like a badge: if that is the background of a "
                f"character, give {_MASK}"
            )
            warnings.append(Warning("ground-kept", sentence, "badge"))
    return Cutout(figure, tuple(warnings), boxes, step, sides)


def _silhouette(mask: Pixels, shape: tuple[int, ...]) -> Pixels:
    """Coverage (H, W) uint8 that a mask's picture gives."""
    if mask.shape[:2] != shape:
        (height, width), (tall, wide) = mask.shape[:2], shape
        raise UsageError(
            f"the mask has {width} x {height} pixels and the drawing {wide} x {tall}: make them equal"
        )
    black = Image.new("RGBA", (shape[1], shape[0]), (0, 0, 0, 255))
    grey = np.array(Image.alpha_composite(black, Image.fromarray(mask)).convert("L"))
    inside = grey >= HALF_COVERED
    if inside.all() or not inside.any():
        colour = "white" if inside.all() else "black"
        raise UsageError(f"the mask is all {colour}: paint the figure white and everything else black")
    # Compression leaves faint noise in what should be black and white.
    grey[grey < HAZE] = 0
    grey[grey > 255 - HAZE] = 255
    return grey


def _inside(picture: Pixels, silhouette: Pixels) -> Pixels:
    """The picture inside a silhouette (h, w)."""
    figure = picture.copy()
    np.minimum(figure[..., 3], silhouette, out=figure[..., 3])
    figure[figure[..., 3] == 0] = 0
    figure = on_white(figure, translucent_areas(figure) & (silhouette >= HALF_COVERED))
    if not (figure[..., 3] >= HALF_COVERED).any():
        raise UsageError(
            "the drawing is transparent wherever its mask is white: give the mask of this drawing"
        )
    return figure


def _without_ground(picture: Pixels) -> tuple[Pixels, list[Warning]]:
    """Remove all but the figure: paper, a scan's rim, shadows, haze and specks; returns warnings too."""
    warnings: list[Warning] = []
    removed: list[str] = []
    if (picture[..., 3] >= HALF_COVERED).all():
        rim = scan_rim(picture)
        scan = _without_rim(picture, rim)
        try:
            cutout = _off_checkers(picture) or _without_shadow(_off_paper(scan), _paper(scan))
            if rim.any():
                removed.append("a dark rim along the picture's border")
        except UsageError:
            even = _off_gradient(picture)
            if even is None:
                raise
            cutout = even
        # Paper that is paler or darker around the figure alone has the colour of the corners elsewhere.
        if cutout.is_pale and (even := _off_gradient(picture)) is not None:
            cutout = even
        if cutout.what:
            removed.append(cutout.what)
        figure, shadow = _unmixed(cutout.figure, cutout.paper), cutout.shadow
        if cutout.is_pale:
            sentence = f"much of the figure's edge fades into the paper: if that is background, give {_MASK}"
            warnings.append(Warning("ground-kept", sentence, "drawing"))
        elif cutout.what != _CHECKERS and encloses_paper(cutout.figure, cutout.paper):
            sentence = (
                f"areas of the background's colour inside the figure are kept: if they are gaps, give {_MASK}"
            )
            warnings.append(Warning("ground-kept", sentence, "drawing"))
    else:
        bare = _cut_out(picture)
        figure = with_paper_inside(bare)
        shadow = clear_shadows(figure, translucent_shadow(figure))
        translucent = translucent_areas(figure)
        enclosed = translucent & scipy.ndimage.binary_fill_holes(figure[..., 3] >= HALF_COVERED)
        if figure is not bare or enclosed.any():
            sentence = (
                "transparent areas that the drawing's lines enclose were painted on white: if they are gaps, "
                f"give {_MASK}"
            )
            warnings.append(Warning("ground-kept", sentence, "lines"))
        figure = on_white(figure, enclosed)
        if (translucent & ~enclosed).any():
            figure[translucent & ~enclosed] = 0
            removed.append("a translucent area")
        if clear_haze(figure):
            removed.append("a haze of low alpha around the figure")
        figure[specks_of(figure[..., 3] >= HALF_COVERED)] = 0
    if shadow.any():
        removed.append("a shadow on the ground")
    end = f"was removed: if it belongs to the figure, give {_MASK}"
    warnings += [Warning("ground-removed", f"{what} {end}", what) for what in removed]
    return figure, warnings


def _pale_edge(figure: Pixels, paper: Pixels) -> float:
    """Share of a figure's edge that hardly differs from the paper, (3,) or (h, w, 3), it was cut out of."""
    covered = figure[..., 3] >= HALF_COVERED
    difference = np.abs(figure[..., :3].astype(np.int16) - paper).max(axis=2) * covered
    inside = scipy.ndimage.maximum_filter(difference, 2 * _RIM + 1)
    edge = covered & scipy.ndimage.binary_dilation(~covered)
    return float((inside[edge] < _PALE).mean()) if edge.any() else 0.0


def _paper(picture: Pixels) -> Pixels:
    """Colour (3,) of an opaque picture's paper."""
    corners: Pixels = np.median(picture[[0, 0, -1, -1], [0, -1, 0, -1], :3], axis=0).astype(np.uint8)
    return corners


def _without_rim(picture: Pixels, rim: Mask) -> Pixels:
    """The picture with paper in place of a scan's rim."""
    if not rim.any():
        return picture
    scan = picture.copy()
    scan[rim] = np.median(picture[~rim], axis=0)
    return scan


def _off_paper(picture: Pixels, palest: int = 0) -> Pixels:
    """Cut the figure out of plain paper, without specks.

    Raises UsageError if many specks lie around it that differ from the paper by `palest` levels or more.
    """
    figure = _cut_out(picture)
    covered = figure[..., 3] >= HALF_COVERED
    specks = specks_of(covered)
    marks = specks & (np.abs(picture[..., :3].astype(np.int16) - _paper(picture)).max(axis=2) >= palest)
    if _on_border(covered) > MOST_ON_BORDER or grains(covered & ~specks, marks) > MOST_SPECKS:
        raise UsageError(
            "the drawing's paper is uneven, as on a photograph, or has marks or a frame around the figure: "
            f"{REPAINT}"
        )
    figure[specks] = 0
    return figure


def _off_gradient(picture: Pixels) -> _OffPaper | None:
    """Cut the figure out of `smooth_paper`; None unless the edge is clear."""
    paper = smooth_paper(picture)
    if paper is None:
        return None
    evened = picture.copy()
    evened[..., :3] = np.clip(picture[..., :3] - paper.astype(np.int16) + HALF_COVERED, 0, 255)
    figure = picture.copy()
    try:
        figure[..., 3] = _off_paper(evened, _PALE)[..., 3]
    except UsageError:
        return None
    cutout = _without_shadow(figure, paper)
    return None if cutout.is_pale else cutout._replace(what=_CHANGING)


def _off_checkers(picture: Pixels) -> _OffPaper | None:
    """Cut the figure out of a painted checkerboard; None if there is none, or the edge is not clear."""
    found = checkerboard(picture)
    if found is None:
        return None
    figure = picture.copy()
    figure[found.ground] = 0
    covered = figure[..., 3] >= HALF_COVERED
    figure[specks_of(covered)] = 0
    if not covered.any():
        return None
    cutout = _without_shadow(figure, found.colours)
    return None if cutout.is_pale else cutout._replace(what=_CHECKERS)


def _without_shadow(figure: Pixels, paper: Pixels) -> _OffPaper:
    """Remove the shadow below a figure, in place, that was cut out of paper, (3,) or (h, w, 3)."""
    shadow = clear_shadows(figure, paper_shadow(figure, paper))
    return _OffPaper(figure, paper, shadow, _pale_edge(figure, paper) > MOST_PALE)


def _on_border(covered: Mask) -> float:
    """Share of the picture's border that a silhouette covers."""
    border = np.ones_like(covered)
    depth = max(1, round(_BORDER * min(covered.shape)))
    border[depth:-depth, depth:-depth] = False
    return float(covered[border].mean())


def _cut_out(picture: Pixels) -> Pixels:
    try:
        return cut_out(picture)
    except SpecsiaError as error:
        raise UsageError(f"{str(error).split(';')[0]}; if it is a photograph, {REPAINT}") from error


def _unmixed(figure: Pixels, paper: Pixels) -> Pixels:
    """Remove the colour of the paper, (3,) or (h, w, 3), from the outermost pixels of a figure.

    Such a pixel mixes the paper with the next pixel inside; its coverage is its place between the two.
    """
    covered = figure[..., 3] >= HALF_COVERED
    inner = scipy.ndimage.binary_erosion(covered, np.ones((3, 3), np.bool_))
    if not inner.any():
        return figure
    distance, nearest = scipy.ndimage.distance_transform_edt(~inner, return_indices=True)
    rim = covered & ~inner & (distance < 2)
    inside = figure[nearest[0][rim], nearest[1][rim], :3]
    beside = np.broadcast_to(paper, (*inner.shape, 3))[rim]
    share = np.clip(mixture(figure[rim][:, :3], beside, inside), 0, 1)
    out = figure.copy()
    out[rim, 3] = np.rint(255 * share).astype(np.uint8)
    out[rim, :3] = inside
    out[out[..., 3] == 0] = 0
    return out


def _chosen(
    figure: Pixels, number: int | None, step: int
) -> tuple[Pixels, tuple[FigureBox, ...], list[Warning]]:
    """Keep one of the figures, or all; returns boxes, whose unit is 1 / `step` pixel, and warnings."""
    labels = figure_labels(figure[..., 3])
    boxes = figure_boxes(labels, figure[..., 3])
    boxes = tuple(
        (left * step, top * step, right * step, bottom * step) for left, top, right, bottom in boxes
    )
    if number is not None:
        if not 1 <= number <= len(boxes):
            raise UsageError(f"there is no figure {number}: the drawing shows {plural(len(boxes), 'figure')}")
        kept = figure.copy()
        kept[labels != number] = 0
        return kept, boxes, []
    if len(boxes) < 2:
        return figure, boxes, []
    places = some([f"{k} ({', '.join(map(str, box))})" for k, box in enumerate(boxes, 1)], _MOST_LISTED)
    sentence = (
        f"the drawing shows {len(boxes)} figures, which are repaired as one: --figure N takes one of "
        f"{places} (left, top, right and bottom in pixels); if they are one character from several sides, "
        "give the file as --sheet"
    )
    return figure, boxes, [Warning("several-figures", sentence, "drawing")]


def _cut_sides(alpha: NDArray[np.uint8]) -> tuple[str, ...]:
    """Sides of the picture at which a silhouette (h, w) seems to be cut."""
    covered = alpha >= HALF_COVERED
    rows, columns = box_around(covered)
    sides = []
    for turns, name in enumerate(("top", "right", "bottom", "left")):
        along = columns if turns % 2 == 0 else rows
        depth = max(2, round(INWARDS * (along.stop - along.start)))
        # Each side in turn lies at the top.
        turned = np.rot90(covered, turns)
        first, inside = np.count_nonzero(turned[0]), np.count_nonzero(turned[min(depth, len(turned) - 1)])
        # What ends at the border, such as a sole or a tip, is rounded.
        if first < CUT_SHARE * (along.stop - along.start) or first < _STRAIGHT * inside:
            continue
        if name != "bottom" or _narrowest(turned, rows) >= SOLE * first:
            sides.append(name)
    return tuple(sides)


def _narrowest(turned: Mask, rows: slice) -> int:
    """Least width of a silhouette upside down, up to the height of an ankle above its soles."""
    ankle = max(3, round(_ANKLE * (rows.stop - rows.start)))
    return int(turned[:ankle].sum(axis=1).min())
