"""The texture of an inflated figure: the picture for its front, a guess from the picture's rim for its back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image

from specsia_build.backends.inflate.blur import blurred
from specsia_build.rendering.contour import outside_distance
from specsia_build.rendering.layers import HALF_COVERED

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

COARSER = 2
"""Pixels of the picture along a side of a texel of the back, which is smooth but for the rim."""

MARGIN_PX = 4 * COARSER
"""Pixels around the figure's box, so that interpolation never reaches the other side's texels."""

RIM = 0.008
"""Width of the band along the contour whose colours the back takes, in parts of the picture's width."""

UPRIGHT = 3.0
"""How much farther a step up or down is than one sideways when the back looks for the nearest rim colour: clothes and
hair of an upright figure change from the head down more than they do around it."""

ALIKE = 40.0
"""Levels (root of the summed squares over R, G, B) up to which the front counts as more of the rim's colour."""

INK = 32
"""Levels within which a pixel has the contour's colour."""

WIDEST_CONTOUR = 8
"""Pixels; what is wider is the figure's own colour."""

FULL = 250
"""Coverage from which a pixel's colour is the figure's alone."""


@dataclass(frozen=True)
class Atlas:
    """Front and back beside each other: the front in the picture's own resolution, the back `COARSER`.

    Attributes:
        pixels: (h, w + w / `COARSER`, 4) uint8 sRGB, opaque; on the left the front, at the top right the back seen
            through the front.
        corner: column and row of the picture at which each side starts; may be negative.
    """

    pixels: NDArray[np.uint8]
    corner: tuple[int, int]

    def uv(self, columns: NDArray[np.floating], rows: NDArray[np.floating], front: Mask) -> NDArray[np.float32]:
        """Texture coordinates of pixel coordinates of the picture; `front` chooses the side."""
        height, width = self.pixels.shape[:2]
        right, down = columns - self.corner[0], rows - self.corner[1]
        u = np.where(front, right, right / COARSER + width * COARSER / (COARSER + 1))
        v = np.where(front, down, down / COARSER)
        return np.stack([u / width, v / height], axis=-1).astype(np.float32)


def paint(image: NDArray[np.uint8]) -> Atlas:
    """Texture both sides from one picture.

    Args:
        image: (S, S, 4) uint8 sRGB, straight alpha, at least one pixel of half coverage.
    """
    covered = image[..., 3] >= HALF_COVERED
    first, sides = [], []
    for axis in (0, 1):
        found = np.flatnonzero(covered.any(axis=axis))
        first.append(int(found[0]) - MARGIN_PX)
        sides.append(-(-(int(found[-1]) + 1 - first[axis]) // COARSER) * COARSER + MARGIN_PX)
    (left, top), (width, height) = first, sides
    picture = Image.fromarray(np.ascontiguousarray(image), "RGBA")
    crop = np.asarray(picture.crop((left, top, left + width, top + height)))
    front = extended_front(crop)
    coarse = np.asarray(Image.fromarray(front).reduce(COARSER), np.float32)
    depth = scipy.ndimage.distance_transform_edt(crop[::COARSER, ::COARSER, 3] >= HALF_COVERED).astype(np.float32)
    back = guessed_back(coarse, depth, max(2.0, RIM * image.shape[0] / COARSER))
    pixels = np.full((height, width + width // COARSER, 4), 255, dtype=np.uint8)
    pixels[:, :width, :3] = front
    pixels[: len(back), width:, :3] = np.clip(np.rint(back), 0, 255)
    return Atlas(pixels, (left, top))


def extended_front(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The figure's colours, (h, w, 3) uint8, continued over its partly covered fringe, a drawn contour and beyond.

    A pixel is trusted if it and its four neighbours are wholly covered and it is no contour; a part too thin to have
    such pixels is taken as it is. The rest gets the colour of the nearest trusted pixel.

    Args:
        crop: (h, w, 4) uint8, straight alpha, not covered along its border.
    """
    contour = contour_width(crop)
    covered = crop[..., 3] >= HALF_COVERED
    trusted = scipy.ndimage.binary_erosion(crop[..., 3] >= FULL)
    if contour > 0:
        trusted &= scipy.ndimage.distance_transform_edt(covered) > contour
    nearest = _nearest(trusted)
    rows, columns = np.nonzero(covered & ~trusted)
    away = (nearest[0][rows, columns] - rows) ** 2 + (nearest[1][rows, columns] - columns) ** 2
    far = (away > (3.0 + contour) ** 2) | (not trusted.any())
    if far.any():
        trusted[rows[far], columns[far]] = True
        nearest = _nearest(trusted)
    return np.asarray(crop[..., :3][tuple(nearest)])


def _nearest(chosen: Mask) -> NDArray[np.int32]:
    """Row and column (2, h, w) of the chosen pixel that is nearest to each."""
    found = scipy.ndimage.distance_transform_edt(~chosen, return_distances=False, return_indices=True)
    return np.asarray(found, np.int32)


def contour_width(picture: NDArray[np.uint8]) -> float:
    """Width in pixels of a line drawn around the figure, 0 if there is none.

    A contour is one colour almost all around, and the figure behind it is not.

    Args:
        picture: (h, w, 4) uint8, straight alpha.
    """
    bare = np.uint8(255) - picture[..., 3]

    def rings(reach: float) -> list[NDArray[np.float64]]:
        ring = outside_distance(bare, reach).astype(np.int32)
        return [picture[(ring == k) & (bare < HALF_COVERED), :3].astype(np.float64) for k in range(int(reach))]

    outermost = rings(2.0)[1]
    if len(outermost) == 0:
        return 0.0
    ink = np.median(outermost, axis=0)

    def inked(colours: NDArray[np.float64]) -> float:
        return float(np.mean(np.abs(colours - ink).max(axis=1) < INK)) if len(colours) else 0.0

    if inked(outermost) < 0.8:
        return 0.0
    for width, ring in enumerate(rings(WIDEST_CONTOUR + 1.0)):
        if width > 1 and inked(ring) < 0.4:
            # Two more for the pixels on its inside that it covers in part, seen along a diagonal.
            return width + 2.0
    return 0.0


def guessed_back(front: Floats, depth: Floats, band: float) -> Floats:
    """What the figure may look like from behind: colours from its rim, led inwards.

    The outline of the head is hair or a helmet as a rule, that of the body its clothes, so the rim's colours cover
    what a mirrored picture would show there: a second face. Where the front, blurred, is like the colour led inwards,
    it is kept, so that a belt or a hem goes around.

    Args:
        front: (h, w, 3) float32 colours of the front.
        depth: (h, w) float32 distance to the contour in texels, 0 outside.
        band: width of the rim in texels.

    Returns:
        (h, w, 3) float32; equal to `front` at the contour and beyond.
    """
    guess = _led_inwards(front, depth, band)
    inwards = np.clip(depth / (2.0 * band), 0.0, 1.0)[..., None]
    inwards = inwards * inwards * (3.0 - 2.0 * inwards)
    return np.asarray((1.0 - inwards) * front + inwards * guess, dtype=np.float32)


def _led_inwards(front: Floats, depth: Floats, band: float) -> Floats:
    inside = depth > 0
    # The outermost pixels may be a drawn contour, which is no colour of hair or clothes.
    along = _blurred_within(front, (depth > band) & (depth <= 2.5 * band), 0.6 * band)
    nearest = scipy.ndimage.distance_transform_edt(
        depth > band + 1.5, sampling=(UPRIGHT, 1.0), return_distances=False, return_indices=True
    )
    both = _blurred_within(np.concatenate([along[tuple(nearest)], front], axis=2), inside, band)
    led, soft = both[..., :3], both[..., 3:]
    apart = np.square(front - led).sum(axis=2, keepdims=True)
    # Averaged, so that no ring of likeness is left around a feature where its edge passes through the rim's colour.
    apart = _blurred_within(apart, inside, 2.0 * band)
    like = np.exp(-apart / ALIKE**2)
    return np.asarray(like * soft + (1.0 - like) * led, dtype=np.float32)


def _blurred_within(colours: Floats, mask: Mask, sigma: float) -> Floats:
    """Gaussian mean over the pixels of `mask` only; `colours` itself where none is near."""
    weight = mask.astype(np.float32)
    total = blurred(weight, sigma, 3.0)
    out = colours.copy()
    near = total > 1e-3
    for channel in range(colours.shape[2]):
        mean = blurred(colours[..., channel] * weight, sigma, 3.0)
        np.divide(mean, total, out=out[..., channel], where=near)
    return out
