"""Main colours of pictures."""

import numpy as np
import scipy
from numpy.typing import NDArray

Colours = NDArray[np.uint8] | NDArray[np.float32]
COLOURS = 12  # Colours of a palette. Cartoons have fewer; a face or a print needs some of its own


def palette_of(colours: Colours, samples: int, rounds: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Main colours of one or more pixels (N, 3): `rounds` of k-means on `samples` of them, evenly spread.

    Farthest points are the first centres, so that a small patch of a strong colour gets a colour of its own.
    Returns (`COLOURS`, 3) in the unit of `colours`, some of them equal where there are fewer, and the index
    (N,) of each pixel's.
    """
    sample = colours[:: max(1, len(colours) // samples)].astype(np.float32)
    centres = sample[np.square(sample - sample.mean(axis=0)).sum(axis=1).argmax()][None]
    distance = np.square(sample - centres[0]).sum(axis=1)
    for _ in range(COLOURS - 1):
        centres = np.concatenate([centres, sample[distance.argmax()][None]])
        distance = np.minimum(distance, np.square(sample - centres[-1]).sum(axis=1))
    for _ in range(rounds):
        nearest = _nearest(sample, centres)
        counts = np.bincount(nearest, minlength=COLOURS)
        sums = np.stack([np.bincount(nearest, sample[:, c], COLOURS) for c in range(3)], axis=1)
        means = sums / np.maximum(counts, 1)[:, None]
        centres = np.where(counts[:, None] > 0, means, centres).astype(np.float32)
    return centres, _nearest(colours, centres)


def _nearest(colours: Colours, centres: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.asarray(scipy.spatial.distance.cdist(colours, centres, "sqeuclidean").argmin(axis=1))
