"""Masks of figures: the box around one, and what surrounds it filled from inside."""

from typing import TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Pixels

_Value = TypeVar("_Value", bound=np.generic)


def box_around(mask: NDArray[np.bool_], margin: int = 0) -> tuple[slice, slice]:
    """Rows and columns of a mask (H, W) within `margin` of the pixels, at least one, that are True."""
    sides = [(np.flatnonzero(mask.any(axis=1 - axis)), mask.shape[axis]) for axis in (0, 1)]
    rows, columns = (slice(max(0, int(at[0]) - margin), min(n, int(at[-1]) + 1 + margin)) for at, n in sides)
    return rows, columns


def mixture(colours: Pixels, outer: Pixels, inner: Pixels) -> Doubles:
    """Share (N,) of `inner` in mixtures (N, 3) of two colours, (3,) or (N, 3): 0 at `outer`, 1 at `inner`."""
    step = inner - outer.astype(np.float64)
    length = np.maximum((step * step).sum(axis=-1), 1.0)
    return np.asarray(((colours - outer.astype(np.float64)) * step).sum(axis=-1) / length)


def continued(
    values: NDArray[_Value], known: NDArray[np.bool_], steps: tuple[float, float] | None = None
) -> NDArray[_Value]:
    """Fill unknown pixels of values (H, W, ...) from the nearest known pixel; unchanged if none is known.

    `steps` are the lengths of a step down and across, equal by default.
    """
    if not known.any():
        return values
    nearest = scipy.ndimage.distance_transform_edt(~known, steps, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)])
