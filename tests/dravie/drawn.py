"""A drawn figure with known geometry: Y* with its contour, and a Z with known faults."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.dataset.pairs import Pair
from specsia_build.rendering.contour import draw_contour

SIZE = 96


def disc(centre: float = 48.0, radius: float = 24.0, size: int = SIZE) -> NDArray[np.uint8]:
    """Coverage (size, size) of a disc with soft edges."""
    y, x = np.mgrid[:size, :size] + 0.5
    return np.asarray(np.clip(radius + 0.5 - np.hypot(y - size / 2, x - centre), 0, 1) * 255 + 0.5, np.uint8)


def coloured(coverage: NDArray[np.uint8], colour: tuple[int, int, int] = (230, 120, 90)) -> NDArray[np.uint8]:
    """A figure of one colour."""
    out = np.zeros((*coverage.shape, 4), np.uint8)
    out[coverage > 0, :3] = colour
    out[..., 3] = coverage
    return out


def drawn_pair(
    shift: float = 0.0,
    thickness: int = 2,
    grey: int = 20,
    view: int = 0,
    colour: tuple[int, int, int] = (230, 120, 90),
    character: str = "disc",
    size: int = SIZE,
) -> Pair:
    """Y* is a disc with a contour; Z is the disc without one, shifted to the right, every eighth row too blue."""
    mask = disc(size / 2, size / 4, size)
    clean = coloured(mask, colour)
    z = coloured(disc(size / 2 + shift, size / 4, size), colour)
    z[::8, :, 2] = np.where(z[::8, :, 3] > 0, 255, 0)
    pos = z.copy()
    pos[..., 0] = np.where(z[..., 3] > 0, np.arange(size) * 255 // size, 0)
    gt = draw_contour(clean, mask, thickness, grey)
    return Pair(f"{character}_{view:02d}", character, view, z, pos, gt, mask, 0.9, "relief", thickness, grey)
