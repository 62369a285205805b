"""What a reconstruction leaves out of its picture, or fuses in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.backends.inflate.shape import SPECK
from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import glance
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh

Mask = NDArray[np.bool_]
Pixels = tuple[NDArray[np.int64], NDArray[np.int64]]

TOLD = 0.005
"""Share of a silhouette from which it is told that it was left out or added. Of the real characters that the project is
tested with 0.0007 and 0.0034 are the most."""

LEAST_PX = 32
"""Pixels below which neither is told: in small pictures that is the lattice's rounding, not a limb or a gap."""


def doubts(mesh: Mesh, alpha: NDArray[np.uint8]) -> Iterator[str]:
    """Ends of sentences about a mesh, which lies in its picture's place, is as large, and is not what that shows.

    Args:
        mesh: in the frame of the picture's camera.
        alpha: (S, S) uint8 coverage of the picture.
    """
    drawn = alpha >= HALF_COVERED
    seen = np.isfinite(glance(mesh, [Camera(0.0, len(alpha))])[0])
    area = np.count_nonzero(drawn)
    lost, fused = _missed(drawn, seen), _missed(~drawn, ~seen)
    many = max(LEAST_PX, TOLD * area)
    if len(lost[0]) >= many or _all_of_a_part(lost, drawn, seen):
        yield (
            f"leaves out {len(lost[0]) / area:.1%} of the picture's silhouette, lines or specks that are too thin for "
            "it: see what is left in `specsia report`, and make them wider"
        )
    if len(fused[0]) >= many:
        yield (
            f"fuses parts that lie too close to each other for it, across {len(fused[0]) / area:.1%} of the picture's "
            "silhouette: see them in `specsia report`, and move them apart"
        )


def _missed(wanted: Mask, there: Mask) -> Pixels:
    """Rows and columns of the pixels (S, S) that are wanted and not there, but for a fringe along what is."""
    rows, columns = np.divmod(np.flatnonzero(wanted & ~there), wanted.shape[1])
    around = np.pad(there, 1)
    far = ~np.any([around[rows + down, columns + right] for down in range(3) for right in range(3)], axis=0)
    return rows[far], columns[far]


def _all_of_a_part(lost: Pixels, drawn: Mask, seen: Mask) -> bool:
    """Whether what is lost holds a connected part of what was drawn, larger than a speck."""
    least = max(LEAST_PX, SPECK * np.count_nonzero(drawn))
    if len(lost[0]) < least:
        return False
    parts, _ = scipy.ndimage.label(drawn, structure=np.ones((3, 3)))
    gone = np.setdiff1d(parts[lost], parts[seen & drawn])
    return bool((np.bincount(parts.ravel())[gone] >= least).any())
