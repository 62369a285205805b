"""The texture of an inflated figure: the picture for its front, a guess from the picture's rim for its back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

MARGIN_PX = 4
"""Texels around the figure's box, so that interpolation never reaches the other half of the atlas."""

RIM = 0.008
"""Width of the band along the contour whose colours the back takes, in parts of the picture's width."""

UPRIGHT = 3.0
"""How much farther a step up or down is than one sideways when the back looks for the nearest rim colour: clothes and
hair of an upright figure change from the head down more than they do around it."""

ALIKE = 40.0
"""Levels (root of the summed squares over R, G, B) up to which the front counts as more of the rim's colour."""

FINEST_BAND = 4.0
"""Pixels of the rim's width that suffice to guess the back."""

INK = 32
"""Levels within which a pixel has the contour's colour."""

WIDEST_CONTOUR = 8
"""Pixels; what is wider is the figure's own colour."""

FULL = 250
"""Coverage from which a pixel's colour is the figure's alone."""


@dataclass(frozen=True)
class Atlas:
    """Front and back beside each other, in the picture's own resolution.

    Attributes:
        pixels: (h, 2 w, 4) uint8 sRGB, opaque; the left half is the front, the right half the back seen through the
            front.
        corner: column and row of the picture at which each half starts; may be negative.
    """

    pixels: NDArray[np.uint8]
    corner: tuple[int, int]

    def uv(self, columns: NDArray[np.floating], rows: NDArray[np.floating], front: Mask) -> NDArray[np.float32]:
        """Texture coordinates of pixel coordinates of the picture; `front` chooses the half."""
        height, width = self.pixels.shape[:2]
        shift = np.where(front, 0.0, width / 2)
        u = (columns - self.corner[0] + shift) / width
        v = (rows - self.corner[1]) / height
        return np.stack([u, v], axis=-1).astype(np.float32)


def paint(image: NDArray[np.uint8]) -> Atlas:
    """Texture both sides from one picture.

    Args:
        image: (S, S, 4) uint8 sRGB, straight alpha, at least one pixel of half coverage.
    """
    covered = image[..., 3] >= 128
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    top, left = int(rows[0]) - MARGIN_PX, int(columns[0]) - MARGIN_PX
    height, width = int(rows[-1]) + 1 - top + MARGIN_PX, int(columns[-1]) + 1 - left + MARGIN_PX
    padded = np.pad(image, ((MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX), (0, 0)))
    crop = padded[top + MARGIN_PX :, left + MARGIN_PX :][:height, :width]
    front, depth = extended_front(crop)
    back = guessed_back(front, depth, max(2.0, RIM * image.shape[0]))
    both = np.concatenate([front, back], axis=1)
    pixels = np.full((*both.shape[:2], 4), 255, dtype=np.uint8)
    pixels[..., :3] = np.clip(np.rint(both), 0, 255)
    return Atlas(pixels, (left, top))


def extended_front(crop: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """The figure's colours, continued over its partly covered fringe, a drawn contour and beyond.

    A pixel is trusted if it and its four neighbours are wholly covered and it is no contour; a part too thin to have
    such pixels is taken as it is. The rest gets the colour of the nearest trusted pixel.

    Args:
        crop: (h, w, 4) uint8, straight alpha.

    Returns:
        colours (h, w, 3) float32 0-255, and each covered pixel's distance in pixels to the nearest uncovered one
        (h, w) float32, 0 where uncovered.
    """
    covered = crop[..., 3] >= 128
    depth = ndimage.distance_transform_edt(covered).astype(np.float32)
    contour = contour_width(crop[..., :3], depth)
    trusted = ndimage.binary_erosion(crop[..., 3] >= FULL) & (depth > contour)
    thin = covered
    if trusted.any():
        thin = covered & (ndimage.distance_transform_edt(~trusted) > 3.0 + contour)
    nearest = ndimage.distance_transform_edt(~(trusted | thin), return_distances=False, return_indices=True)
    return crop[..., :3][tuple(nearest)].astype(np.float32), depth


def contour_width(colours: NDArray[np.uint8], depth: Floats) -> float:
    """Width in pixels of a line drawn around the figure, 0 if there is none.

    A contour is one colour almost all around, and the figure behind it is not.

    Args:
        colours: (h, w, 3) uint8.
        depth: (h, w) float32 distance to the nearest uncovered pixel.
    """
    ink = np.median(colours[(depth > 1.0) & (depth <= 2.0)].astype(np.float64), axis=0, keepdims=True)
    if not np.isfinite(ink).all():
        return 0.0

    def inked(low: float, high: float) -> float:
        ring = colours[(depth > low) & (depth <= high)].astype(np.float64)
        return float(np.mean(np.abs(ring - ink).max(axis=1) < INK)) if len(ring) else 0.0

    if inked(1.0, 2.0) < 0.8:
        return 0.0
    for width in range(2, WIDEST_CONTOUR + 1):
        if inked(width, width + 1.0) < 0.4:
            # Two more for the pixels on its inside that it covers in part, seen along a diagonal.
            return width + 2.0
    return 0.0


def guessed_back(front: Floats, depth: Floats, band: float) -> Floats:
    """What the figure may look like from behind: colours from its rim, led inwards.

    The outline of the head is hair or a helmet as a rule, that of the body its clothes, so the rim's colours cover
    what a mirrored picture would show there: a second face. Where the front, blurred, is like the colour led inwards,
    it is kept, so that a belt or a hem goes around.

    Args:
        front: (h, w, 3) float32 colours from `extended_front`.
        depth: (h, w) float32 distance to the contour in pixels.
        band: width of the rim in pixels.

    Returns:
        (h, w, 3) float32; equal to `front` at the contour and beyond.
    """
    # The guess is smooth over a band, so a large picture need not be gone through pixel by pixel.
    step = max(1, int(band / FINEST_BAND))
    guess = _led_inwards(front[::step, ::step], depth[::step, ::step] / np.float32(step), band / step)
    if step > 1:
        rows, columns = (np.arange(side, dtype=np.float64) / step for side in depth.shape)
        at = np.meshgrid(rows, columns, indexing="ij")
        layers = [ndimage.map_coordinates(guess[..., k], at, order=1, mode="nearest") for k in range(3)]
        guess = np.stack(layers, axis=-1)
    inwards = np.clip(depth / (2.0 * band), 0.0, 1.0)[..., None]
    inwards = inwards * inwards * (3.0 - 2.0 * inwards)
    return np.asarray((1.0 - inwards) * front + inwards * guess, dtype=np.float32)


def _led_inwards(front: Floats, depth: Floats, band: float) -> Floats:
    inside = depth > 0
    # The outermost pixels may be a drawn contour, which is no colour of hair or clothes.
    along = _blurred_within(front, (depth > band) & (depth <= 2.5 * band), 0.6 * band)
    nearest = ndimage.distance_transform_edt(
        depth > band + 1.5, sampling=(UPRIGHT, 1.0), return_distances=False, return_indices=True
    )
    led = _blurred_within(along[tuple(nearest)], inside, band)
    soft = _blurred_within(front, inside, band)
    apart = np.square(front - led).sum(axis=2, keepdims=True)
    # Averaged, so that no ring of likeness is left around a feature where its edge passes through the rim's colour.
    apart = _blurred_within(apart, inside, 2.0 * band)
    like = np.exp(-apart / ALIKE**2)
    return np.asarray(like * soft + (1.0 - like) * led, dtype=np.float32)


def _blurred_within(colours: Floats, mask: Mask, sigma: float) -> Floats:
    """Gaussian mean over the pixels of `mask` only; `colours` itself where none is near."""
    weight = mask.astype(np.float32)
    total = ndimage.gaussian_filter(weight, sigma, mode="constant", truncate=3.0)
    out = colours.copy()
    near = total > 1e-3
    for channel in range(colours.shape[2]):
        mean = ndimage.gaussian_filter(colours[..., channel] * weight, sigma, mode="constant", truncate=3.0)
        out[near, channel] = mean[near] / total[near]
    return out
