"""Figures in pictures: their masks, the boxes around them, and boxes scaled to another size."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.arrays import Doubles, Mask, Pixels
from specsia_build.jit import compiled, ready, uncounted

_Value = TypeVar("_Value", bound=np.generic)
PixelBox = tuple[float, float, float, float]
"""Left, top, right and bottom of a box in pixels of a picture; it may reach beyond."""


def box_around(mask: NDArray[np.bool_], margin: int = 0) -> tuple[slice, slice]:
    """Rows and columns of a mask (H, W) within `margin` of the pixels, at least one, that are True."""
    sides = [(np.flatnonzero(mask.any(axis=1 - axis)), mask.shape[axis]) for axis in (0, 1)]
    rows, columns = (slice(max(0, int(at[0]) - margin), min(n, int(at[-1]) + 1 + margin)) for at, n in sides)
    return rows, columns


def resampled(picture: Pixels, box: PixelBox, size: tuple[int, int]) -> Pixels:
    """Scale a box of a picture, (h, w) or (h, w, 4) with straight alpha, to a size (width, height).

    Colours are weighted by alpha, and averaged where the picture gets smaller. Beyond the picture is 0.
    """
    border = int(max(0.0, -min(box), box[2] - picture.shape[1], box[3] - picture.shape[0])) + 2
    wide = Image.fromarray(np.pad(picture, ((border, border), (border, border), (0, 0))[: picture.ndim]))
    left, top, right, bottom = (edge + border for edge in box)
    if picture.ndim == 2:
        return np.array(wide.resize(size, Image.Resampling.HAMMING, (left, top, right, bottom)))
    scaled = wide.convert("RGBa").resize(size, Image.Resampling.HAMMING, (left, top, right, bottom))
    out = np.array(scaled.convert("RGBA"))
    out[out[..., 3] == 0] = 0
    return out


def mixture(colours: Pixels, outer: Pixels, inner: Pixels) -> Doubles:
    """Share (N,) of `inner` in mixtures (N, 3) of two colours, (3,) or (N, 3): 0 at `outer`, 1 at `inner`."""
    step = inner - outer.astype(np.float64)
    length = np.maximum((step * step).sum(axis=-1), 1.0)
    return np.asarray(((colours - outer.astype(np.float64)) * step).sum(axis=-1) / length)


def continued(
    values: NDArray[_Value], known: Mask, steps: tuple[float, float] = (1.0, 1.0)
) -> NDArray[_Value]:
    """Fill unknown pixels of values (H, W, ...) from the nearest known pixel; unchanged if none is known.

    `steps` are the lengths of a step down and across.
    """
    if not known.any():
        return values
    place, _ = _nearest(ready(known), *steps)
    return np.asarray(values.reshape(-1, *values.shape[2:]).take(place, axis=0))


def distance_to(mask: Mask) -> Doubles:
    """Distance in pixels of each pixel of a mask (H, W) to the nearest that is True; infinite without one."""
    return np.asarray(np.sqrt(_nearest(ready(mask), 1.0, 1.0)[1]))


@compiled
def _nearest(known, down, across):  # type: ignore[no-untyped-def]
    """Place (H, W) int64, row by row, of the nearest known pixel, and the squared distance to it.

    See Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions", 2012.
    """
    height, width = known.shape
    rows = np.full((height, width), -1, np.int64)  # That of the nearest known pixel in the same column
    for y in range(height):
        for x in range(width):
            rows[y, x] = y if known[y, x] else rows[y - 1, x] if y > 0 else -1
    for y in range(height - 2, -1, -1):
        for x in range(width):
            if rows[y + 1, x] >= 0 and (rows[y, x] < 0 or rows[y + 1, x] - y < y - rows[y, x]):
                rows[y, x] = rows[y + 1, x]
    place, square = np.full((height, width), -1), np.full((height, width), np.inf)
    features, squares = np.empty(width, np.int64), np.empty(width)
    cuts, hull = np.empty(width), np.empty(width, np.int64)
    for y in range(height):
        for x in range(width):
            features[x] = rows[y, x] * width + x if rows[y, x] >= 0 else -1
            squares[x] = ((rows[y, x] - y) * down) ** 2
        nearest_along(squares, features, across, (cuts, hull), (square[y], place[y]))
    return place, square


@uncounted
def nearest_along(squares, features, step, working, out):  # type: ignore[no-untyped-def]
    """Find the nearest along a line of N: `min over i of squares[i] + (step * (k - i))^2`, and i's feature.

    A feature of -1 is none. Fills `out`, squares and features (N,); returns False if there is no feature.
    `working` (N,), float64 and int64, is overwritten.
    """
    out_squares, out_features = out
    # Owners whose parabolas are the lowest from some place on, and these places.
    cuts, hull = working
    count = 0
    for i in range(len(squares)):
        if features[i] < 0:
            continue
        begin = -np.inf
        while count > 0:
            j = hull[count - 1]
            begin = (i + j + (squares[i] - squares[j]) / (step * step * (i - j))) / 2
            if begin > cuts[count - 1]:
                break
            count -= 1
            begin = -np.inf
        hull[count], cuts[count] = i, begin
        count += 1
    at = 0
    for k in range(len(squares) if count > 0 else 0):
        while at + 1 < count and cuts[at + 1] < k:
            at += 1
        i = hull[at]
        out_squares[k], out_features[k] = squares[i] + (step * (k - i)) ** 2, features[i]
    return count > 0
