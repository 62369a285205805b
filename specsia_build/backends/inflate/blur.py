"""Gaussian means of images, a row at a time: what `scipy.ndimage.gaussian_filter` gives, in a fraction of its time."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import compiled, inlined, ready

F = TypeVar("F", np.float32, np.float64)


def _weights(sigma: float, truncate: float) -> NDArray[np.float64]:
    """Weights (R + 1,) of the pixel itself and of each of both neighbours at 1, 2 … R pixels."""
    radius = int(truncate * sigma + 0.5)
    weights = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    return np.asarray((weights / weights.sum())[radius:])


@inlined
def _add(total, one, other, weight):  # type: ignore[no-untyped-def]
    """Add two rows with a weight, which are summed first, as SciPy does it."""
    for x in range(len(total)):
        total[x] += (np.float64(one[x]) + np.float64(other[x])) * weight


@compiled
def _blurred(image, weights):  # type: ignore[no-untyped-def]
    height, width = image.shape
    radius = len(weights) - 1
    out, total = np.empty_like(image), np.empty(width)
    tall, wide = np.zeros((height + 2 * radius, width), image.dtype), np.zeros(width + 2 * radius)
    tall[radius : radius + height] = image
    middle = wide[radius : radius + width]
    for y in range(height):
        here, to = image[y], out[y]
        for x in range(width):
            total[x] = here[x] * weights[0]
        for k in range(radius, 0, -1):
            _add(total, tall[y + radius - k], tall[y + radius + k], weights[k])
        # Rounded to the image's own numbers in between.
        to[:] = total
        middle[:] = to
        for x in range(width):
            total[x] = middle[x] * weights[0]
        for k in range(radius, 0, -1):
            _add(total, wide[radius - k : radius - k + width], wide[radius + k : radius + k + width], weights[k])
        to[:] = total
    return out


def blurred(image: NDArray[F], sigma: float, truncate: float) -> NDArray[F]:
    """An image (h, w) blurred, with zeros around it.

    Args:
        image: float32 or float64.
        sigma: of the Gaussian, in pixels.
        truncate: how many of those it reaches.
    """
    return np.asarray(_blurred(ready(image), _weights(sigma, truncate)))
