"""A character's drawing as an input of the network: its colours by position, and the ink of its contour.

`Drawing.of` takes a frontal pair: Zpos and Y* of view 0, or a drawing laid onto it. `contour_style` estimates the
thickness and the colours of a drawing's contour, from the drawing (and Zmask) alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.dravie.config import HALF_COVERED
from specsia_build.dravie.look_up import FALLOFF, LOOKED_UP_CHANNELS, Reference
from specsia_build.pictures.films import Pixels
from specsia_build.pictures.masks import continued
from specsia_build.pictures.palettes import palette_of
from specsia_build.rendering.ink import Ink

if TYPE_CHECKING:
    from specsia_build.dataset.pairs import Pair

OPAQUE = 250  # Coverage from which a pixel shows only one place
PASTED = 1.5  # Levels within which `Drawing.paste` replaces a colour wholly: two samples of a place differ by as much
LEAST_CONTRAST = 0.1  # Least share of a figure's pixels near its edge that differ from a contour's colour
MOST_WIDTH = 4  # Thickness in pixels of the widest contour that networks are trained on, outside of Y*'s silhouette
RINGS = 8  # Depths in pixels inside a drawing's edge that are compared with its contour
LIKE = 10  # Largest difference between pixels of a contour, in levels
PURE = 0.85
"""Least share of a drawing's outermost pixels of one colour if it has a contour: in 144 frontal views 0.97 or more with
one, 0.82 or less without."""

MOST_INKS, SAMPLES, ROUNDS = 8, 4096, 12  # Colours of a contour that follows the figure's; see `palette_of`
CORE = MOST_WIDTH + 3  # Least depth in pixels of the figure beside a contour
LEAST_DIFFERENCE = 24
"""Least difference of such a contour from the figure beside it, in levels, the median over the line: in 88 frontal
views 27 or more with one in all but two, 19 or less in all but two without."""

LIKE_REGION = 32  # Largest difference between pixels of such a contour beside one colour of the figure, in levels

STYLE_STEP = 60  # Levels per pixel of thickness in the channel that holds it
UNKNOWN_CONTOUR = Ink.of_one(0, (0, 0, 0))  # Stands for the contour where there is no drawing
NO_CONTOUR = Ink.of_one(0, (255, 255, 255))  # That of a drawing without a contour


def near(pixels: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Dilate a mask (H, W) by a square of 2 · `reach` + 1 pixels; outside the frame it is False."""
    return np.asarray(scipy.ndimage.maximum_filter(pixels, 2 * reach + 1, mode="constant"))


def visible_places(pos: Pixels, gt: Pixels, gt_mask: Pixels | None = None) -> tuple[Pixels, Pixels]:
    """Positions and colours, (N, 3) uint8 each, of the pixels of a frontal pair that are opaque in all of its pictures.

    These are Zpos with the alpha of Z, all 0 if there are no positions; Y*, or a drawing laid onto Z, both (H, W, 4)
    uint8; and its silhouette (H, W) uint8 without the contour, by default that of `without_contour`.
    """
    if gt_mask is None:
        gt_mask = without_contour(gt, pos[..., 3])
    visible = (gt_mask >= OPAQUE) & (pos[..., 3] >= OPAQUE) & (gt[..., 3] >= OPAQUE) & pos[..., :3].any()
    return np.ascontiguousarray(pos[visible][:, :3]), np.ascontiguousarray(gt[visible][:, :3])


def _depth(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance of each pixel of a mask (H, W) from its edge; outside the frame it is False."""
    return np.asarray(scipy.ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1])


class _Rings(NamedTuple):
    """The N pixels near a figure's edge.

    Attributes:
        colours: (N, 3) int16.
        depth: (N,) int32, distance from the edge in pixels, 0 outside of the figure.
        evidence: (N,) bool, the pixels that the contour alone covers, if there is one.
    """

    colours: NDArray[np.int16]
    depth: NDArray[np.int32]
    evidence: NDArray[np.bool_]

    def median(self, where: NDArray[np.bool_]) -> Pixels:
        """Median colour (3,) of the evidence among some pixels (N,)."""
        return np.asarray(np.median(self.colours[where & self.evidence], axis=0), np.uint8)

    def thickness(self, inks: NDArray[Any], tolerance: int) -> float | None:
        """Thickness in pixels of a contour whose colour is `inks`, (3,) or that of each pixel (N, 3), or None.

        It is summed over rings of one pixel: the share of each that has the contour's colour, less the share of that
        colour deeper inside.
        """
        like = np.abs(self.colours - inks.astype(np.int16)).max(axis=1) <= tolerance
        if like[self.evidence].mean() < PURE:
            return None
        counts = np.bincount(self.depth, minlength=RINGS + 1)[1 : RINGS + 1]
        shares = np.bincount(self.depth[like], minlength=RINGS + 1)[1 : RINGS + 1] / np.maximum(counts, 1)
        anyway = float(np.median(shares[MOST_WIDTH + 1 :]))
        if anyway > 1 - LEAST_CONTRAST:
            return None
        return 0.5 + float(np.clip((shares[: MOST_WIDTH + 1] - anyway) / (1 - anyway), 0, 1).sum())


def contour_style(drawing: Pixels, zmask: Pixels | None = None) -> Ink | None:
    """Thickness (1 to `MOST_WIDTH` whole pixels) and colours of a drawing's contour; None where it has none.

    The colour is that of the outermost pixels; where they have several, it follows that of the figure beside it. In 144
    frontal views of datasets a grey was right within 3 levels, and the thickness in 140, with Zmask in all; else it was
    off by one.

    The drawing is (H, W, 4) uint8 with straight alpha. A contour lies outside of Zmask (H, W) uint8, the silhouette of
    the reconstruction under it.
    """
    alpha = drawing[..., 3]
    inside = alpha >= HALF_COVERED
    if not inside.any():
        return None
    depth = np.rint(_depth(inside)).astype(np.int32)
    rim, fringe = depth == 1, (alpha >= 8) & (alpha < HALF_COVERED)
    # Half transparent pixels belong to the contour alone; a drawing with hard edges has none.
    evidence = fringe if 5 * np.count_nonzero(fringe) >= np.count_nonzero(rim) else rim
    where = evidence | (inside & (depth <= RINGS))
    rings = _Rings(drawing[where][:, :3].astype(np.int16), depth[where], evidence[where])
    ink = _one_ink(rings) or _inks_by_region(rings, continued(drawing, depth >= CORE)[where][:, :3])
    if ink is None or zmask is None or not (zmask >= HALF_COVERED).any():
        return ink and replace(ink, width=_whole(ink.width))
    outside = float(np.median(scipy.ndimage.distance_transform_edt(zmask < HALF_COVERED)[rim]))
    return replace(ink, width=_whole((ink.width + min(outside, MOST_WIDTH)) / 2))


def _whole(width: float) -> int:
    return min(MOST_WIDTH, max(1, int(width + 0.5)))


def _one_ink(rings: _Rings) -> Ink | None:
    """The contour if it has one colour."""
    red, green, blue = rings.median(rings.evidence).tolist()
    width = rings.thickness(np.array([red, green, blue]), LIKE)
    return None if width is None else Ink.of_one(width, (red, green, blue))


def _inks_by_region(rings: _Rings, beside: Pixels) -> Ink | None:
    """The contour if its colour follows that of the figure beside each pixel, (N, 3)."""
    centres, region = palette_of(beside, SAMPLES, ROUNDS, MOST_INKS)
    present = np.unique(region[rings.evidence])
    inks = np.zeros((MOST_INKS, 3), np.uint8)
    for number in present:
        inks[number] = rings.median(region == number)
    contrast = np.abs(inks[region].astype(np.int16) - beside).max(axis=1)
    if np.median(contrast[rings.evidence]) < LEAST_DIFFERENCE:
        return None
    width = rings.thickness(inks[region], LIKE_REGION)
    return None if width is None else Ink(width, np.rint(centres[present]).astype(np.uint8), inks[present])


def without_contour(drawing: Pixels, zmask: Pixels | None = None) -> Pixels:
    """Silhouette (H, W) uint8 of a drawing without the contour that `contour_style` finds."""
    ink = contour_style(drawing, zmask)
    if ink is None:
        return drawing[..., 3]
    depth = _depth(drawing[..., 3] >= HALF_COVERED)
    return np.where(depth > ink.width + 0.5, drawing[..., 3], np.uint8(0))


NOWHERE = (np.zeros((0, 3), np.uint8), np.zeros((0, 3), np.uint8))  # No positions, and no colours there


@dataclass(frozen=True, eq=False, repr=False)
class Drawing:
    """A character's drawing, as a network sees it.

    Attributes:
        places, colours: (N, 3) uint8, positions as in Zpos and the colours there; N = 0 where they are not known.
        ink: of its contour, whose width is 0 for `UNKNOWN_CONTOUR` and `NO_CONTOUR`.
        back: positions and colours of a drawn back; None without one.
    """

    places: Pixels
    colours: Pixels
    ink: Ink = UNKNOWN_CONTOUR
    back: tuple[Pixels, Pixels] | None = None

    @staticmethod
    def of(frontal: Pair, places: bool = True) -> Drawing:
        """Return the drawing of a frontal pair, see `visible_places`.

        Without `places`, positions do not mean the same place in every view, and only the contour is known.
        """
        ink = contour_style(frontal.gt, frontal.pos[..., 3]) or NO_CONTOUR
        seen = visible_places(frontal.pos, frontal.gt, frontal.gt_mask) if places else NOWHERE
        return Drawing(*seen, ink)

    @property
    def thickness(self) -> int:
        """Code of the contour's thickness in the network's input, a byte."""
        return round(STYLE_STEP * min(self.ink.width, MOST_WIDTH))

    @cached_property
    def reference(self) -> Reference | None:
        """The colours, ready for looking up."""
        return Reference.from_places(self.places, self.colours, self.back) if len(self.places) else None

    def look_up(self, pos: Pixels, z: Pixels) -> Pixels:
        """See `Reference.look_up`; 0 where nothing is known."""
        if self.reference is None:
            return np.zeros((*pos.shape[:2], LOOKED_UP_CHANNELS), np.uint8)
        return self.reference.look_up(pos, z)

    def paste(self, z: Pixels, pos: Pixels) -> Pixels:
        """Return Z with the drawing's colours at the same places, where Z is opaque; (H, W, 4) uint8.

        They replace colours within `PASTED` levels, and fade out at twice that distance.
        """
        looked_up = self.look_up(pos, z).astype(np.float32)
        distance = -FALLOFF * np.log(np.maximum(looked_up[..., 3:4], 1) / 255)
        share = np.clip(2 - distance / PASTED, 0, 1) * (z[..., 3:] == 255) * (looked_up[..., 3:4] > 0)
        colours = z[..., :3] + share * (looked_up[..., :3] - z[..., :3])
        return np.dstack([np.rint(colours).astype(np.uint8), z[..., 3]])


NO_DRAWING = Drawing(*NOWHERE)  # Stands for a character without a drawing
