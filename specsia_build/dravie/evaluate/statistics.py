"""Intervals over characters, and distances between sets of pictures by their features. Needs no torch."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from specsia_build.arrays import Doubles

RESAMPLES, _SEED = 10_000, 0  # Draws and seed of the bootstrap over characters
LEVEL = 0.95  # Coverage of its intervals
_NORMAL = 1.96  # Standard deviations on either side that cover as much
_DEGREE = 3  # Of the polynomial kernel of KID (Bińkowski et al. 2018)

Bounds = tuple[float | None, float | None]
Distance = Callable[[Doubles, Doubles], float]


def bootstrap(values: Sequence[float]) -> Bounds:
    """Percentile interval of a mean over characters by resampling; None twice for fewer than two values."""
    if len(values) < 2:
        return None, None
    samples = np.random.default_rng(_SEED).integers(0, len(values), (RESAMPLES, len(values)))
    means = np.asarray(values, np.float64)[samples].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def jackknife(distance: Distance, sets: Sequence[tuple[Doubles, Doubles]]) -> Bounds:
    """Normal interval of a distance between two sets of features by leaving out one character at a time.

    `sets` holds the features (N, D) and (M, D) of each character. A bootstrap repeats pictures, which makes
    sets more alike within, and so distances larger. None twice for fewer than three characters.
    """
    count = len(sets)
    if count < 3:
        return None, None
    rest = [distance(*joined([*sets[:k], *sets[k + 1 :]])) for k in range(count)]
    reach = _NORMAL * float(np.sqrt((count - 1) * np.var(rest)))
    whole = distance(*joined(sets))
    return whole - reach, whole + reach


def joined(sets: Sequence[tuple[Doubles, Doubles]]) -> tuple[Doubles, Doubles]:
    """Join the features of all characters: (N, D) and (M, D)."""
    ours, theirs = zip(*sets, strict=True)
    return np.concatenate(ours), np.concatenate(theirs)


def frechet(ours: Doubles, theirs: Doubles) -> float:
    """Squared Fréchet distance of two sets of features, (N, D) and (M, D) of at least two, as in FID.

    The trace of the root of the covariances' product is the sum of singular values of (N, M) inner products,
    which for fewer pictures than features is quicker, and exact.
    """
    apart = ours.mean(axis=0) - theirs.mean(axis=0)
    first, second = ((x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (ours, theirs))
    shared = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    return float(apart @ apart + np.square(first).sum() + np.square(second).sum() - 2 * shared)


def kernel(ours: Doubles, theirs: Doubles) -> float:
    """Unbiased squared maximum mean discrepancy of two sets of features with a cubic kernel, as in KID."""

    def similar(x: Doubles, y: Doubles) -> Doubles:
        return np.asarray((x @ y.T / x.shape[1] + 1) ** _DEGREE)

    def within(x: Doubles) -> float:
        values = similar(x, x)
        return float((values.sum() - np.trace(values)) / (len(x) * (len(x) - 1)))

    return within(ours) + within(theirs) - 2 * float(similar(ours, theirs).mean())


DISTANCES: Mapping[str, Distance] = {"fid": frechet, "kid": kernel}  # By score
