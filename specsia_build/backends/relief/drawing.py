"""A drawing as the network sees it: a square crop with a palette, both at 128 px."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.backends.two_sheets import SIZE
from specsia_build.rendering.layers import HALF_COVERED

Floats = NDArray[np.float32]

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
"""Cost of a step up or down and of one sideways in the two searches for the nearest colour of the rim: clothes change
from the head down more than around the figure, hair does not."""


def on_white(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (H, W, 4) uint8 with straight alpha, laid on white, its alpha kept."""
    alpha = picture[..., 3:].astype(np.uint16)
    colours = (picture[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return np.concatenate([colours.astype(np.uint8), picture[..., 3:]], axis=-1)


def inputs(crop: NDArray[np.uint8], length: float) -> Floats:
    """The network's input (SIZE, SIZE, CHANNELS) float32, mostly within -1 and 1, of a crop (SIZE, SIZE, 4) on white.

    `length` is the longest side of the figure's box in the picture, over that in space; 0 where it is not known.
    """
    channels = np.empty((SIZE, SIZE, CHANNELS), np.float32)
    channels[..., :4] = crop.astype(np.float32) / 127.5 - 1
    steps = (np.arange(SIZE, dtype=np.float32) + 0.5) * 2 / SIZE - 1
    channels[..., 4], channels[..., 5], channels[..., 6] = steps[None], steps[:, None], length
    distance = scipy.ndimage.distance_transform_edt(crop[..., 3] >= HALF_COVERED)
    channels[..., 7] = np.minimum(distance / FARTHEST, 4)
    return channels


def palette_of(colours: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Up to `COLOURS` colours (K, 3) of pixels (N, 3) by k-means, and the index (N,) of each pixel's.

    Farthest points are the first centres, so that a small patch of a strong colour gets a colour of its own.
    """
    samples = colours[:: max(1, len(colours) // SAMPLES)]
    centres = samples[np.square(samples - samples.mean(axis=0)).sum(axis=1).argmax()][None]
    distance = np.square(samples - centres[0]).sum(axis=1)
    for _ in range(COLOURS - 1):
        centres = np.concatenate([centres, samples[distance.argmax()][None]])
        distance = np.minimum(distance, np.square(samples - centres[-1]).sum(axis=1))
    for _ in range(ROUNDS):
        number = scipy.spatial.distance.cdist(samples, centres, "sqeuclidean").argmin(axis=1)
        counts = np.bincount(number, minlength=COLOURS)
        sums = np.stack([np.bincount(number, samples[:, c], COLOURS) for c in range(3)], axis=1)
        centres = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres)
    number = scipy.spatial.distance.cdist(colours, centres, "sqeuclidean").argmin(axis=1)
    return centres.astype(np.float32), number


def guides(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Likely colours of each pixel of the back, (3, S, S): the front's, and the nearest rim's by `AROUND` and `ALONG`.

    `labels` (S, S) are indices of colours in the palette, `COLOURS` where a pixel has none.
    """
    inside = labels < COLOURS
    rim = inside & (scipy.ndimage.distance_transform_edt(inside) <= RIM)
    colours = [labels]
    for sampling in (AROUND, ALONG):
        nearest = scipy.ndimage.distance_transform_edt(~rim, sampling, return_distances=False, return_indices=True)
        colours.append(labels[tuple(nearest)])
    return np.stack(colours)
