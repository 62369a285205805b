"""How long a figure is along the line of sight, where one picture tells: by the room it leaves, and by how it stands.

In the frame the longest side of a character is one unit. Where neither its width nor its height in the frontal view
comes near that, its length does: animals and vehicles that look at the viewer. One that is as high as it is long shows
no such room, but may show that it stands on four legs: a narrow figure whose legs part below the middle of its height,
with a head that is small beside the body and not at its top. None of the procedural characters and none of the
people that the project is tried with look so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.backends.inflate.depth import find_build
from specsia_build.backends.inflate.shape import Grid
from specsia_build.frame import ORTHO_WIDTH

Floats = NDArray[np.float64]

ROOM = 0.9
"""Units of width and of height below which a figure's length is taken for its longest side. A tall figure that holds a
spear towards the viewer may be a little less high than it is long."""

BULK = 0.75
"""Share of a long figure's length that is as wide as the figure: the rest are a muzzle and a tail."""

STANDING = 0.6
"""Length over height of figures on four legs, at least: a rest pose with a raised head has 0.8 to 2."""

NARROW = 0.55
"""Width over height that a figure on four legs has at most."""

PARTING = (0.6, 0.8)
"""How far down its height the legs of one part; those of people in clothes that cover no more than the hips do so
above, those of stout little figures below."""

RAISED, SMALL = 0.15, 0.75
"""How far down the middle of its head is at least, and the head's radius over the body's at most."""

CARRIED = 0.3
"""Share of its bulk by which a long figure carries its head before its middle."""

HEAD = 0.6
"""Length of the head over that of a body as high as it."""

NECK = (0.15, 0.35)
"""How far down its height the head ends and the body begins."""

HOOVES = 0.9
"""How far down legs may touch again."""


def length_of(grid: Grid, alpha: NDArray[np.uint8], framed: bool) -> float:
    """Cells that the bulk of a figure takes along the line of sight at least, 0 where the picture does not tell.

    Args:
        grid: of the figure.
        alpha: (S, S) uint8 of its picture, thin parts and specks included that the grid leaves out.
        framed: whether the picture is the frame's own view, so that the room which it leaves tells something.
    """
    if framed and max(_box(alpha > 0)[2:]) / len(alpha) * ORTHO_WIDTH < ROOM:
        return BULK / ORTHO_WIDTH * grid.size / grid.cell
    top, _, height, width = _box(grid.distance > 0)
    if width <= NARROW * height and _on_four_legs(grid.distance, top, height):
        return BULK * STANDING * height
    return 0.0


def drawn_out(rows: Floats, heights: Floats, length: float) -> Floats:
    """Heights towards the viewer, (V,) in cells, of a figure that is at least so long; as they are where it is.

    What is added goes to the body; the head is carried before it.

    Args:
        rows: (V,) float64, growing downwards.
        heights: (V,) float64 in cells.
        length: in cells.
    """
    factor = length / float(np.ptp(heights))
    if factor <= 1:
        return heights
    down = (rows - rows.min()) / np.ptp(rows)
    head = np.clip((NECK[1] - down) / (NECK[1] - NECK[0]), 0.0, 1.0)
    return np.asarray(factor * heights * (1 - (1 - HEAD) * head) + CARRIED * length * head)


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """First row, first column, height and width of what is set, which is something."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(columns[0]), int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def _on_four_legs(distance: Floats, top: int, height: int) -> bool:
    build = find_build(distance)
    if build is None or build.row - top < RAISED * height or build.radius > SMALL * build.body:
        return False
    return PARTING[0] <= _parting(distance > 0, top, height) <= PARTING[1]


def _parting(inside: NDArray[np.bool_], top: int, height: int) -> float:
    """How far down its height a figure parts into legs, 1 where it does not."""
    parts = (np.diff(inside.astype(np.int8), axis=1) == 1).sum(axis=1)[top : top + height]
    split = parts >= 2
    foot = len(split) - 1 - int(np.argmax(split[::-1]))
    if not split[foot] or foot < HOOVES * height:
        return 1.0
    joined = np.flatnonzero(~split[:foot])
    return float((joined[-1] + 1) / height) if len(joined) else 0.0
