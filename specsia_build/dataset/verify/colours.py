"""How colours are stored, as far as pictures tell it: which channel is which, and whether alpha is multiplied in."""

from __future__ import annotations

import numpy as np
import scipy

from specsia_build.films import Pixels

EXCHANGED = "red and blue of color seem to be exchanged, as it is far nearer to gt that way"

INSIDE = 3
"""Pixels from where either picture ends, within which no colours are compared: there is Y*'s contour."""

SPACED = 4
"""Pixels between those whose colours are compared."""

NEARER, NEARER_BY = 1.5, 8.0
"""How many times, and by how many levels, nearer `gt` must be to `color` with red and blue exchanged."""

FEW_EDGES = 64
"""Pixels of an edge below which nothing is said of it."""

DARKENED = 12.0
"""Mean levels by which an edge must be darker than what lies beside it to have been multiplied by alpha."""

EXPLAINED = 3.0
"""How many times nearer the product must be to what an edge shows than the colour beside it."""

ROUNDED = 1
"""Levels by which a product may lie above its alpha."""


def is_exchanged(color: Pixels, gt: Pixels) -> bool:
    """Whether a picture (H, W, 4) is far nearer to another one with its red and blue exchanged.

    A single pair may be so by chance, where a reconstruction gave one side of a character the colours of another.
    """
    opaque = (color[..., 3] == 255) & (gt[..., 3] == 255)
    height, width = (max(0, side - 2 * INSIDE) for side in opaque.shape)
    both = np.ones((-(-height // SPACED), -(-width // SPACED)), np.bool_)
    for down, right in ((0, 0), (-INSIDE, 0), (INSIDE, 0), (0, -INSIDE), (0, INSIDE)):
        top, left = INSIDE + down, INSIDE + right
        both &= opaque[top : top + height : SPACED, left : left + width : SPACED]
    if not both.any():
        return False
    here, there = (
        picture[INSIDE : INSIDE + height : SPACED, INSIDE : INSIDE + width : SPACED, :3][both].astype(np.int16)
        for picture in (color, gt)
    )
    apart, other = (float(np.abs(levels - there).mean()) for levels in (here, here[:, ::-1]))
    return apart > NEARER * other and apart > other + NEARER_BY


def is_premultiplied(image: Pixels) -> bool:
    """Whether the colours of a picture (H, W, 4) without a contour seem to have been multiplied by its alpha."""
    alpha = image[..., 3]
    edge = (alpha > 0) & (alpha < 255)
    # Straight colours of edges are mostly brighter, which costs little to see.
    if (image[edge, :3].max(axis=1, initial=0) > alpha[edge].astype(np.int16) + ROUNDED).any():
        return False
    edge &= scipy.ndimage.maximum_filter(alpha, 3) == 255
    if np.count_nonzero(edge) < FEW_EDGES:
        return False
    level = image[..., :3].max(axis=2)
    beside = scipy.ndimage.maximum_filter(np.where(alpha == 255, level, np.uint8(0)), 3)
    shown, whole = level[edge].astype(np.float32), beside[edge].astype(np.float32)
    darker = float(np.abs(whole - shown).mean())
    product = float(np.abs(whole * alpha[edge] / 255 - shown).mean())
    return darker > DARKENED and darker > EXPLAINED * product
