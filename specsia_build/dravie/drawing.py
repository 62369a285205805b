"""A character's drawing as an input of the network: its colours by position, and the ink of its contour.

`Drawing.of` takes a frontal pair: Zpos and Y* of view 0, or a drawing laid onto it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy

from specsia_build.arrays import Doubles, Mask, Pixels
from specsia_build.dravie.look_up import FALLOFF, FAR, LOOKED_UP_CHANNELS, ColourTables
from specsia_build.rendering.drawn_contour import find_contour, ink_around
from specsia_build.rendering.ink import Ink

if TYPE_CHECKING:
    from specsia_build.dataset.pairs import Pair

_OPAQUE = 250  # Coverage from which a pixel shows only one place
# Levels within which `Drawing.paste` replaces a colour wholly: two samples of a place differ by as much
PASTED = 1.5
MOST_WIDTH = 4  # Pixels of the widest contour that networks are trained on, outside of Y*'s silhouette
STYLE_STEP = 60  # Levels per pixel of thickness in the channel that holds it
UNKNOWN_CONTOUR = Ink.of_one(0, (0, 0, 0))  # Stands for the contour where there is no drawing
NO_CONTOUR = Ink.of_one(0, (255, 255, 255))  # That of a drawing without a contour


def near(pixels: Mask, reach: int) -> Mask:
    """Dilate a mask (H, W) by a square of 2 · `reach` + 1 pixels; outside the frame it is False."""
    return np.asarray(scipy.ndimage.maximum_filter(pixels, 2 * reach + 1, mode="constant"))


def visible_places(pos: Pixels, gt: Pixels, gt_mask: Pixels) -> tuple[Pixels, Pixels]:
    """Positions and colours, (N, 3) uint8 each, of a pair's pixels that are opaque in all its pictures.

    These are Zpos with the alpha of Z, all 0 if there are no positions; Y*, or a drawing laid onto Z, both
    (H, W, 4) uint8; and its silhouette (H, W) uint8 without the contour.
    """
    visible = (gt_mask >= _OPAQUE) & (pos[..., 3] >= _OPAQUE) & (gt[..., 3] >= _OPAQUE) & pos[..., :3].any()
    return np.ascontiguousarray(pos[visible][:, :3]), np.ascontiguousarray(gt[visible][:, :3])


Shares = float | Doubles
NOWHERE = (np.zeros((0, 3), np.uint8), np.zeros((0, 3), np.uint8))  # No positions, and no colours there


@dataclass(frozen=True, eq=False, repr=False)
class Drawing:
    """A character's drawing, as a network sees it.

    Attributes:
        places, colours: (N, 3) uint8, positions as in Zpos and the colours there; N = 0 where not known.
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
        silhouette = frontal.gt_mask
        if silhouette is None:
            contour = find_contour(frontal.gt)
            ink, silhouette = contour.ink if contour.kept else NO_CONTOUR, contour.bare()[..., 3]
        else:
            ink = ink_around(frontal.gt, silhouette) or NO_CONTOUR
        seen = visible_places(frontal.pos, frontal.gt, silhouette) if places else NOWHERE
        return Drawing(*seen, ink)

    @property
    def thickness(self) -> int:
        """Code of the contour's thickness, in whole pixels, in the network's input, a byte."""
        if self.ink.width == 0:
            return 0
        return STYLE_STEP * min(MOST_WIDTH, max(1, round(self.ink.width)))

    @cached_property
    def reference(self) -> ColourTables | None:
        """The colours, ready for looking up."""
        return ColourTables.from_places(self.places, self.colours, self.back) if len(self.places) else None

    def look_up(self, pos: Pixels, z: Pixels) -> Pixels:
        """See `ColourTables.look_up`; 0 where nothing is known."""
        if self.reference is None:
            return np.zeros((*pos.shape[:2], LOOKED_UP_CHANNELS), np.uint8)
        looked_up = self.reference.look_up(pos, z)
        if self.back is not None:
            # Networks are trained without drawn backs, and would show the front through them.
            known = looked_up[..., 3] >= FAR
            looked_up[known, 4:8] = looked_up[known, :4]
        return looked_up

    def paste(self, z: Pixels, pos: Pixels, picture: Pixels | None = None, share: Shares = 1.0) -> Pixels:
        """Return a picture (by default Z) of the view of Z and Zpos in the drawing's colours, RGBA uint8.

        Where Z is opaque, they replace a `share`, (H, W, 1) or one, of the colours within `PASTED` levels of
        the same places, and fade out at twice that distance.
        """
        picture = z if picture is None else picture
        looked_up = self.look_up(pos, z).astype(np.float32)
        distance = -FALLOFF * np.log(np.maximum(looked_up[..., 3:4], 1) / 255)
        shares = np.clip(2 - distance / PASTED, 0, 1) * (z[..., 3:] == 255) * (looked_up[..., 3:4] > 0)
        colours = picture[..., :3] + shares * share * (looked_up[..., :3] - picture[..., :3])
        return np.dstack([np.rint(colours).astype(np.uint8), picture[..., 3]])


NO_DRAWING = Drawing(*NOWHERE)  # Stands for a character without a drawing
