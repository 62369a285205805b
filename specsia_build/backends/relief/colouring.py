"""Colours of what a drawing does not show: the back, and the sides.

The network says how likely each colour of the drawing is at each pixel of the back, and shades of one
material count as one. In painted drawings, which it was not trained on, rules are added: what is likely in
the whole area around a pixel counts as much as what is likely at the pixel, so that the back has no patches;
an area that reaches the silhouette goes round; what lies inside of another area, as a face in hair, is not
seen from behind; and a material stays near where the front shows it. Smooth colours of a material, without
lines and details of the front, fill the back, and the sides where the front is steep.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Floats, Mask, Pixels
from specsia_build.backends.relief.regions import Regions, regions_of
from specsia_build.backends.relief.sheets import FILLED, Crop
from specsia_build.pictures.palettes import COLOURS

COPY = 1.0  # Penalty on a copy of the front: without it the back keeps pieces of faces
TOGETHER = 1.0  # Weight of what is likely in all of an area beside what is likely at a pixel of it
_ROUND = 4.0  # Added to an area's own material at the back, times the share of its border on the silhouette
# Grain of a drawing at which rules begin to count; the network knows renders, which have less
_FLATTEST = 1.0
_SYMMETRIC = 0.8  # Share of a figure's pixels that equal their mirror images from which its back is symmetric
INNER = 8.0  # Taken from the logarithm of what is drawn inside of another area, as an eye or an emblem
_NEARBY = 0.3  # Taken from the logarithm for each pixel of the crop to where the front shows the material
_SMOOTHING = 1.0  # Pixels of the crop over which likelihoods are smoothed, so that areas have even borders
_FLAT = 3.0  # Pixels of the crop over which a material's colours are averaged
STRIPE = 1.5  # Pixels of the crop over which materials are smoothed for the sides
# Slopes of the front from which a side's own colours begin, and replace the drawing's
GENTLE, _STEEP = 1.0, 2.5
_LEAST = -12.0  # Least logarithm of a likelihood
_FAR = 0.01  # Share of a label's pixels around below which the mean colour takes over


@dataclass(frozen=True, eq=False)
class DrawnFront:
    """What a drawing shows of a figure.

    Attributes:
        front: (H, W, 3) uint8, its colours, continued beyond the silhouette.
        small: (S, S, 3) uint8, the same in a crop.
        labels: (S, S) intp, the palette's colour at each pixel of the crop; `COLOURS` outside of the figure.
        palette: (COLOURS, 3) float32, in levels.
    """

    front: Pixels
    small: Pixels
    labels: NDArray[np.intp]
    palette: Floats

    @cached_property
    def regions(self) -> Regions:
        """Its areas and materials."""
        return regions_of(self.small, self.labels, self.palette)

    @cached_property
    def flat(self) -> Floats:
        """Smooth colours of each material, see `flat_colours`."""
        return flat_colours(self.small, self.regions.material)


def back_of(drawn: DrawnFront, logits: Floats, crop: Crop) -> Pixels:
    """The back (H, W, 3) uint8 seen through the front, from the network's `logits`, see `likelihoods`."""
    likely = likelihoods(drawn.regions, logits)
    if _is_symmetric(drawn.regions.material):
        likely = (likely + likely[..., ::-1]) / np.float32(2)
    return _levels(painted(likely, drawn.flat, crop, np.ones(drawn.front.shape[:2], np.bool_)))


def _is_symmetric(material: NDArray[np.intp]) -> bool:
    """Whether a figure (S, S), centred in its crop, is about symmetric in shape and in materials."""
    inside, mirrored = material < COLOURS, material[:, ::-1]
    either = inside | (mirrored < COLOURS)
    return bool(np.mean((material == mirrored)[either]) >= _SYMMETRIC)


def with_sides(drawn: DrawnFront, height: Floats, crop: Crop) -> Pixels:
    """The front (H, W, 3) uint8, with its materials' smooth colours where it is steep.

    `height` (S, S) is that of the surface, see `steepness`.
    """
    materials = np.asarray(drawn.regions.material == np.arange(COLOURS)[:, None, None], np.float32)
    # Narrow stripes at the silhouette would be drawn out over all of the side.
    wide = np.asarray(scipy.ndimage.gaussian_filter(materials, (0, STRIPE, STRIPE)), np.float32)
    share = steepness(height, crop, drawn.front.shape)
    flat = painted(wide, drawn.flat, crop, share > 0)
    return _levels(drawn.front + share[..., None] * (flat - drawn.front))


def _levels(colours: NDArray[Any]) -> Pixels:
    levels: Pixels = np.rint(np.clip(colours, 0, 255)).astype(np.uint8)
    return levels


def likelihoods(regions: Regions, logits: Floats) -> Floats:
    """How likely each material is at each pixel of the back, (COLOURS, S, S).

    `logits` (S, S, COLOURS + 1) are the network's, of the palette's colours and of a copy of the front.
    """
    inside = regions.area >= 0
    out = np.full((COLOURS, *inside.shape), 2 * _LEAST, np.float32)
    for colour, number in enumerate(regions.of_colour):
        out[number] = np.logaddexp(out[number], logits[..., colour])
    copied = logits[..., COLOURS] - np.float32(COPY)
    for number in range(COLOURS):
        out[number] = np.where(regions.around == number, np.logaddexp(out[number], copied), out[number])
    out = np.maximum(out - scipy.special.logsumexp(out, axis=0), _LEAST)
    # The network was trained on renders; for painted drawings rules help it.
    doubt = np.float32(np.clip(regions.grain - _FLATTEST, 0, 1))
    if doubt == 0:
        return np.asarray(out)
    goes_round = doubt * _ROUND * regions.exposed[np.maximum(regions.area, 0)].astype(np.float32)
    for number in range(COLOURS):
        own = regions.around == number
        if own.any():
            away = scipy.ndimage.distance_transform_edt(~own).astype(np.float32)
            out[number] += np.where(own, goes_round, -doubt * _NEARBY * away)
        out[number] -= np.where(~own & (regions.material == number), doubt * INNER, 0)
    area, counts = regions.area[inside], np.maximum(np.bincount(regions.area[inside]), 1)
    for number in range(COLOURS):
        means = np.bincount(area, out[number][inside]) / counts
        out[number][inside] += doubt * TOGETHER * means[area].astype(np.float32)
    return np.asarray(out)


def flat_colours(colours: NDArray[np.uint8], labels: NDArray[np.intp]) -> Floats:
    """Smooth colours (COLOURS, S, S, 3) float32 by label (S, S) of a picture (S, S, 3), on all pixels."""
    out = np.zeros((COLOURS, *colours.shape), np.float32)
    for number in range(COLOURS):
        known = (labels == number).astype(np.float32)
        if not known.any():
            continue
        mean = colours[known > 0].mean(axis=0, dtype=np.float32)
        weight = scipy.ndimage.gaussian_filter(known, _FLAT)[..., None]
        sums = scipy.ndimage.gaussian_filter((colours - mean) * known[..., None], (_FLAT, _FLAT, 0))
        # Far from all pixels of a label, its mean takes over.
        out[number] = mean + sums / (weight + _FAR)
    return out


def painted(likely: Floats, flat: Floats, crop: Crop, where: Mask) -> Floats:
    """Colours (H, W, 3) float32 of a picture `where` (H, W), by each pixel's likeliest material; else 0."""
    shape = (where.shape[0], where.shape[1])
    best, index = np.full(shape, -np.inf, np.float32), np.zeros(shape, np.intp)
    for number, values in enumerate(likely):
        value = crop.enlarged(scipy.ndimage.gaussian_filter(values, _SMOOTHING), shape)
        index[value > best] = number
        np.maximum(best, value, out=best)
    out = np.zeros((*shape, 3), np.float32)
    for number in np.unique(index[where]):
        chosen = where & (index == number)
        for channel in range(3):
            out[chosen, channel] = crop.enlarged(flat[number, ..., channel], shape)[chosen]
    return out


def steepness(height: Floats, crop: Crop, shape: tuple[int, ...]) -> Floats:
    """How much a surface turns its side to the viewer, (H, W) 0 to 1, from its height (S, S) in lengths."""
    down, right = np.gradient(scipy.ndimage.gaussian_filter(height * np.float32(FILLED), _SMOOTHING))
    share = np.clip((np.hypot(down, right) - GENTLE) / (_STEEP - GENTLE), 0, 1)
    return crop.enlarged((share * share * (3 - 2 * share)).astype(np.float32), (shape[0], shape[1]))
