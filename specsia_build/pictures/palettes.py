"""Main colours of pictures."""

import numpy as np
import scipy
from numpy.typing import NDArray

Colours = NDArray[np.uint8] | NDArray[np.float32]

COLOURS = 12  # Colours of a palette. Cartoons have fewer; a face or a print needs some of its own


def palette_of(
    colours: Colours, samples: int, rounds: int, count: int = COLOURS
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Up to `count` main colours of pixels (N, 3) by k-means, and the index (N,) of each pixel's.

    Farthest points are the first centres, so that a small patch of a strong colour gets a colour of its own.

    Args:
        colours: at least one pixel.
        samples: pixels, evenly spread, that the centres are computed from.
        rounds: rounds of k-means.
        count: size of the palette.

    Returns:
        (`count`, 3) in the unit of `colours`, some of them equal where there are fewer, and indices of them.
    """
    sample = colours[:: max(1, len(colours) // samples)].astype(np.float32)
    centres = sample[np.square(sample - sample.mean(axis=0)).sum(axis=1).argmax()][None]
    distance = np.square(sample - centres[0]).sum(axis=1)
    for _ in range(count - 1):
        centres = np.concatenate([centres, sample[distance.argmax()][None]])
        distance = np.minimum(distance, np.square(sample - centres[-1]).sum(axis=1))
    for _ in range(rounds):
        nearest = _nearest(sample, centres)
        counts = np.bincount(nearest, minlength=count)
        sums = np.stack([np.bincount(nearest, sample[:, c], count) for c in range(3)], axis=1)
        centres = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres).astype(
            np.float32
        )
    return centres, _nearest(colours, centres)


def _nearest(colours: Colours, centres: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.asarray(scipy.spatial.distance.cdist(colours, centres, "sqeuclidean").argmin(axis=1))
