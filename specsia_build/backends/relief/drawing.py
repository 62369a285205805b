"""A drawing as the network sees it: a square crop with a palette, both at 128 px."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image

from specsia_build.rendering.layers import HALF_COVERED

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIZE = 128
"""Width and height of a crop in pixels."""

FILLED = 112
"""Pixels of a crop that the longest side of the figure's box fills."""

COLOURS = 12
"""Colours of a palette, as of DraViE's."""

SAMPLES, ROUNDS = 1000, 6
"""Pixels that a palette is made of, and rounds of k-means."""

FARTHEST = 16.0
"""Pixels of a crop from the contour that are one unit of the network's input."""

CHANNELS = 8
"""Channels of the network's input: red, green, blue, alpha, x, y, length, distance to the contour."""

RIM = 4.0
"""Pixels of a crop from the contour within which a colour is one of the rim."""

AROUND, ALONG = (3.0, 1.0), (1.0, 3.0)
"""How much farther steps up or down, and sideways, are than others where the nearest colour of the rim is looked for:
clothes change from the head down more than around the figure, hair does not."""

INK = 32
"""Levels within which a pixel has the contour's colour."""

WIDEST_CONTOUR = 0.05
"""Share of the picture's longer side; a wider band is part of the figure, not a contour."""

FULL = 250
"""Coverage from which a pixel's colour is the figure's alone."""


@dataclass(frozen=True)
class Crop:
    """A square of a picture; parts of it may lie outside.

    Attributes:
        left, top: column and row of its corner.
        side: width and height in pixels of the picture.
    """

    left: float
    top: float
    side: float

    @property
    def figure(self) -> float:
        """The longest side of the figure in pixels of the picture, the network's unit of depth."""
        return self.side * FILLED / SIZE

    def resized(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The crop (SIZE, SIZE, C) of a picture (H, W, C) uint8, averaged; 0 outside of the picture."""
        left, top = int(np.floor(self.left)), int(np.floor(self.top))
        reach = int(np.ceil(self.side)) + 1
        around = Image.fromarray(np.ascontiguousarray(picture)).crop((left, top, left + reach, top + reach))
        box = (self.left - left, self.top - top, self.left - left + self.side, self.top - top + self.side)
        layers = [layer.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box) for layer in around.split()]
        return np.stack([np.asarray(layer) for layer in layers], axis=-1)

    def enlarged(self, values: Floats, shape: tuple[int, int]) -> Floats:
        """Values (SIZE, SIZE) of the crop in each pixel of the picture (height, width), bilinearly."""
        height, width = shape
        scale = SIZE / self.side
        left, top = -self.left * scale, -self.top * scale
        right, bottom = left + width * scale, top + height * scale
        beyond = 1 + max(0, *(int(np.ceil(side)) for side in (-left, -top, right - SIZE, bottom - SIZE)))
        values = np.pad(values, beyond, mode="edge")
        box = (left + beyond, top + beyond, right + beyond, bottom + beyond)
        larger = Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR, box)
        return np.asarray(larger, np.float32)

    def nearest(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """The crop (SIZE, SIZE, ...) of values (H, W, ...), each that of the pixel at its centre; 0 outside."""
        steps = (np.arange(SIZE) + 0.5) * self.side / SIZE
        rows, columns = (np.floor(first + steps).astype(int) for first in (self.top, self.left))
        height, width = values.shape[:2]
        inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))[None]
        taken = values[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
        taken[~inside] = 0
        return np.asarray(taken)


def crop_of(covered: Mask) -> Crop:
    """The crop around a silhouette (H, W), which is not empty."""
    rows, columns = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    height, width = (float(hit[-1] + 1 - hit[0]) for hit in (rows, columns))
    side = max(height, width) * SIZE / FILLED
    return Crop(float(columns[0]) + (width - side) / 2, float(rows[0]) + (height - side) / 2, side)


def on_white(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (H, W, 4) uint8 with straight alpha, laid on white, its alpha kept."""
    alpha = picture[..., 3:].astype(np.uint16)
    colours = (picture[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return np.concatenate([colours.astype(np.uint8), picture[..., 3:]], axis=-1)


def inputs(crop: NDArray[np.uint8], length: float) -> Floats:
    """The network's input (SIZE, SIZE, CHANNELS) float32, mostly within -1 and 1.

    Args:
        crop: (SIZE, SIZE, 4) uint8 on white.
        length: the longest side of the figure's box in the picture, over that in space; 0 where it is not known.
    """
    channels = np.empty((SIZE, SIZE, CHANNELS), np.float32)
    channels[..., :4] = crop.astype(np.float32) / 127.5 - 1
    steps = (np.arange(SIZE, dtype=np.float32) + 0.5) * 2 / SIZE - 1
    channels[..., 4], channels[..., 5], channels[..., 6] = steps[None], steps[:, None], length
    away = scipy.ndimage.distance_transform_edt(crop[..., 3] >= HALF_COVERED)
    channels[..., 7] = np.minimum(away / FARTHEST, 4)
    return channels


def palette_of(colours: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Up to `COLOURS` colours (K, 3) of pixels (N, 3) by k-means, and the number (N,) of each pixel's.

    Farthest points are the first centres, so that a small patch of a strong colour gets a colour of its own.
    """
    some = colours[:: max(1, len(colours) // SAMPLES)]
    centres, apart = np.zeros((0, 3), np.float32), np.square(some - some.mean(axis=0)).sum(axis=1)
    for _ in range(COLOURS):
        centres = np.concatenate([centres, some[apart.argmax()][None]])
        least = np.square(some - centres[-1]).sum(axis=1)
        apart = least if len(centres) == 1 else np.minimum(apart, least)
    for _ in range(ROUNDS):
        number = scipy.spatial.distance.cdist(some, centres, "sqeuclidean").argmin(axis=1)
        counts = np.bincount(number, minlength=COLOURS)
        sums = np.stack([np.bincount(number, some[:, c], COLOURS) for c in range(3)], axis=1)
        centres = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres)
    number = scipy.spatial.distance.cdist(colours, centres, "sqeuclidean").argmin(axis=1)
    return centres.astype(np.float32), number


def guides(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Colours that a pixel of the back may have by its place, (3, S, S): the front's, and twice that of the rim nearby.

    Args:
        labels: (S, S) number of each pixel's colour in the palette, `COLOURS` where it has none.
    """
    inside = labels < COLOURS
    rim = inside & (scipy.ndimage.distance_transform_edt(inside) <= RIM)
    colours = [labels]
    for sampling in (AROUND, ALONG):
        nearest = scipy.ndimage.distance_transform_edt(~rim, sampling, return_distances=False, return_indices=True)
        colours.append(labels[tuple(nearest)])
    return np.stack(colours)


def contour_width(picture: NDArray[np.uint8]) -> float:
    """Width in pixels of a line of one colour drawn around the figure of (H, W, 4) uint8, 0 if there is none."""
    depth = np.ceil(scipy.ndimage.distance_transform_edt(picture[..., 3] >= HALF_COVERED))
    colours = picture[..., :3].astype(np.float32)
    ink = np.median(colours[depth == 2], axis=0) if (depth == 2).any() else np.zeros(3)
    inked = np.abs(colours - ink).max(axis=-1) < INK
    for width in range(2, max(8, round(WIDEST_CONTOUR * max(depth.shape))) + 2):
        ring = inked[depth == width]
        if not len(ring) or (width == 2 and ring.mean() < 0.8):
            return 0.0
        if ring.mean() < 0.4:
            # One more for the pixels on its inside that it covers in part.
            return width + 1.0
    return 0.0


def extended(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Mask]:
    """The figure's colours (H, W, 3) continued over its fringe, a drawn contour and beyond; and where they are its own.

    A pixel is trusted if it and its four neighbours are wholly covered and it is no contour; a part too thin to have
    such pixels is taken as it is. The rest gets the colour of the nearest trusted pixel.

    Args:
        picture: (H, W, 4) uint8, straight alpha, at least half covered somewhere.
    """
    contour = contour_width(picture)
    covered = picture[..., 3] >= HALF_COVERED
    trusted = scipy.ndimage.binary_erosion(picture[..., 3] >= FULL)
    trusted &= scipy.ndimage.distance_transform_edt(covered) > contour
    if not trusted.any():
        trusted = covered
    away, nearest = scipy.ndimage.distance_transform_edt(~trusted, return_indices=True)
    thin = covered & (away > 3.0 + 2 * contour)
    if thin.any():
        trusted = trusted | thin
        nearest = scipy.ndimage.distance_transform_edt(~trusted, return_distances=False, return_indices=True)
    return np.asarray(picture[..., :3][tuple(nearest)]), trusted
