"""Colours of what a drawing does not show: the back, and the sides.

The network says how likely each colour of the drawing is at each pixel of the back, and shades of one
material count as one. In painted drawings, which it was not trained on, a material also stays near the
heights at which the front shows it, and likely colours that are alike, as light and shade are, go over into
each other. Smooth colours of a material, without lines and details of the front, fill the back, and the sides
where the front is steep.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Floats, Mask, Pixels
from specsia_build.backends.relief.regions import Regions, regions_of
from specsia_build.backends.relief.sheets import FILLED, Crop
from specsia_build.jit import compiled, ready, uncounted
from specsia_build.pictures.masks import distance_to
from specsia_build.pictures.palettes import COLOURS

COPY = 1.0  # Penalty on a copy of the front: without it the back keeps pieces of faces
_SYMMETRIC = 0.8  # Share of a figure's pixels that equal their mirror images from which its back is symmetric
_NEARBY = 0.3  # Taken from the logarithm for each row of the crop to where the front shows the material
_SMOOTHING = 1.0  # Pixels of the crop over which likelihoods are smoothed, so that areas have even borders
_FLAT = 3.0  # Pixels of the crop over which a material's colours are averaged
STRIPE = 1.8  # Pixels of the crop over which materials are smoothed for the sides
# Slopes of the front from which a side's own colours begin, and replace the drawing's
GENTLE, _STEEP = 1.0, 2.5
_ALIKE = 60.0  # Colours of a painted drawing that differ by so many levels are mixed at 0.37 of their shares
_UNLIKELY = 6.0  # A colour whose logarithm is so much less than the likeliest one's has no share
_LEAST, _MOST = -12.0, 60.0  # Least logarithm of a likelihood, and greatest of one beside the next
_FAR = 0.01  # Share of a material's pixels around below which the mean colour takes over


@dataclass(frozen=True, eq=False)
class DrawnFront:
    """What a drawing shows of a figure."""

    front: Pixels  # (H, W, 3) uint8, its colours, continued beyond the silhouette
    small: Pixels  # (h, w, 3) uint8, the same in a part of a crop that holds the figure
    # (h, w) intp, the palette's colour at each pixel there; `COLOURS` outside of the figure
    labels: NDArray[np.intp]
    palette: Floats  # (COLOURS, 3) float32, in levels
    crop: Crop  # Of the picture
    part: tuple[slice, slice]  # Rows and columns of the part of the crop

    @cached_property
    def regions(self) -> Regions:
        """Its areas and materials."""
        return regions_of(self.small, self.labels, self.palette)

    @cached_property
    def flat(self) -> Floats:
        """Smooth colours of each material, see `flat_colours`."""
        return flat_colours(self.small, self.regions)

    def painted(self, likely: Floats, where: Mask, alike: float = 0.0) -> Floats:
        """Colours (H, W, 3) float32 `where` (H, W), else 0, of each pixel's likeliest material.

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
    likely = likelihoods(drawn.regions, logits)
    if _is_symmetric(drawn.regions.material):
        likely = (likely + likely[..., ::-1]) / np.float32(2)
    smooth = scipy.ndimage.gaussian_filter(likely, (0, _SMOOTHING, _SMOOTHING))
    everywhere = np.ones(drawn.front.shape[:2], np.bool_)
    return _levels(drawn.painted(smooth, everywhere, _ALIKE * float(drawn.regions.painterly)))


def _is_symmetric(material: NDArray[np.intp]) -> bool:
    """Whether a figure (h, w), in the middle of its picture, is about symmetric in shape and in materials."""
    inside, mirrored = material < COLOURS, material[:, ::-1]
    either = inside | (mirrored < COLOURS)
    return bool(np.mean((material == mirrored)[either]) >= _SYMMETRIC)


def with_sides(drawn: DrawnFront, height: Floats) -> Pixels:
    """The front (H, W, 3) uint8, smooth colours of materials where the surface's `height` (S, S) is steep."""
    regions = drawn.regions
    materials = np.asarray(regions.material == regions.present[:, None, None], np.float32)
    # Narrow stripes at the silhouette would be drawn out over all of the side.
    wide = scipy.ndimage.gaussian_filter(materials, (0, STRIPE, STRIPE))
    share = steepness(height, drawn.crop, drawn.front.shape)
    flat = drawn.painted(wide, share > 0)
    return _levels(drawn.front + share[..., None] * (flat - drawn.front))


def _levels(colours: NDArray[Any]) -> Pixels:
    levels: Pixels = np.rint(np.clip(colours, 0, 255)).astype(np.uint8)
    return levels


def likelihoods(regions: Regions, logits: Floats) -> Floats:
    """Logarithms (M, h, w) of how likely each of `Regions.present` is at each pixel of the back.

    `logits` (h, w, COLOURS + 1) are the network's, of the palette's colours and of a copy of the front.
    """
    present = regions.present
    odds = np.exp(np.minimum(logits - logits[..., :COLOURS].max(axis=-1, keepdims=True), _MOST))
    copied = odds[..., COLOURS] * np.float32(math.exp(-COPY))
    share = np.stack(
        [
            odds[..., :COLOURS][..., regions.of_colour == number].sum(axis=-1)
            + np.where(regions.around == number, copied, 0)
            for number in present
        ]
    )
    out = np.log(np.maximum(share / share.sum(axis=0), np.float32(math.exp(_LEAST))))
    # The network was trained on renders; in painted drawings its colours stray.
    if regions.painterly > 0:
        for layer, number in zip(out, present, strict=True):
            is_shown = (regions.material == number).any(axis=1, keepdims=True)
            layer -= regions.painterly * _NEARBY * distance_to(is_shown).astype(np.float32)
    return np.asarray(out)


def flat_colours(colours: NDArray[np.uint8], regions: Regions) -> Floats:
    """Smooth colours (M, h, w, 3) float32 of each of `Regions.present` in a picture (h, w, 3), everywhere."""
    layers = np.zeros((len(regions.present), *colours.shape[:2], 4), np.float32)
    means = np.zeros((len(regions.present), 1, 1, 3), np.float32)
    for layer, mean, number in zip(layers, means, regions.present, strict=True):
        known = regions.material == number
        mean[:] = colours[known].mean(axis=0, dtype=np.float32)
        layer[known, :3] = colours[known] - mean[0]
        layer[known, 3] = 1
    sums = scipy.ndimage.gaussian_filter(layers, (0, _FLAT, _FLAT, 0), truncate=3.0)
    # Far from all pixels of a material, its mean takes over.
    return np.asarray(means + sums[..., :3] / (sums[..., 3:] + _FAR), np.float32)


@compiled
def _paint(likely, flat, places, where, alike, out):  # type: ignore[no-untyped-def]
    """Fill `out` (H, W, 3) `where` (H, W) from the likeliest layer of `flat` (M, h, w, 3), bilinearly.

    `likely` is (h, w, M), and `places` (2, L, 2) are row and share of the next one, column likewise; with
    `alike` above 0 see `_mix`.
    """
    line = np.empty((likely.shape[1], likely.shape[2]), np.float32)
    values = np.empty(likely.shape[2], np.float32)
    for y in range(out.shape[0]):
        row = int(places[0, y, 0])
        down = np.float32(places[0, y, 1])
        for x in range(likely.shape[1]):
            for layer in range(likely.shape[2]):
                top = likely[row, x, layer]
                line[x, layer] = top + down * (likely[row + 1, x, layer] - top)
        for x in range(out.shape[1]):
            if not where[y, x]:
                continue
            column = int(places[1, x, 0])
            across = np.float32(places[1, x, 1])
            best = 0
            for layer in range(likely.shape[2]):
                left = line[column, layer]
                values[layer] = left + across * (line[column + 1, layer] - left)
                if values[layer] > values[best]:
                    best = layer
            corners = flat[:, row : row + 2, column : column + 2]
            _interpolate(corners[best], down, across, out[y, x])
            if alike > 0:
                _mix(values, corners, down, across, alike, out[y, x])


@compiled
def _mix(values, corners, down, across, alike, out):  # type: ignore[no-untyped-def]
    """Mix the colour `out` (3,) of the likeliest of M layers with those of other likely ones.

    `values` (M,) are the logarithms of their likelihoods, and `corners` (M, 2, 2, 3) their colours around. A
    colour that differs by `alike` levels has 0.37 times its share.
    """
    own, other = out.copy(), np.empty(3, np.float32)
    most, total = values.max(), np.float32(0)
    out[:] = 0
    for layer in range(len(values)):
        if values[layer] < most - _UNLIKELY:
            continue
        _interpolate(corners[layer], down, across, other)
        apart = np.abs(other - own).max() / alike
        share = np.float32(math.exp(values[layer] - most - apart * apart))
        out += share * other
        total += share
    out /= total


@uncounted
def _interpolate(corners, down, across, out):  # type: ignore[no-untyped-def]
    """Write the colour between four corners (2, 2, 3) to `out` (3,)."""
    for channel in range(3):
        top = corners[0, 0, channel] + across * (corners[0, 1, channel] - corners[0, 0, channel])
        low = corners[1, 0, channel] + across * (corners[1, 1, channel] - corners[1, 0, channel])
        out[channel] = top + down * (low - top)


def steepness(height: Floats, crop: Crop, shape: tuple[int, ...]) -> Floats:
    """How much a surface turns its side to the viewer, (H, W) 0 to 1, from its height (S, S) in lengths."""
    down, right = np.gradient(scipy.ndimage.gaussian_filter(height * np.float32(FILLED), _SMOOTHING))
    share = np.clip((np.hypot(down, right) - GENTLE) / (_STEEP - GENTLE), 0, 1)
    return crop.enlarged((share * share * (3 - 2 * share)).astype(np.float32), (shape[0], shape[1]))
