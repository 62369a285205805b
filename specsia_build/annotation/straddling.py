"""Faces that a painted border runs through: they have no colour of their own but share those on its two sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.annotation.merging import JUST_NOTICEABLE, Links, Patches, nearest_neighbours
from specsia_build.jit import uncounted
from specsia_build.rendering import joining

FINEST = 512
"""Pixels that a character fills where a colour that changes by what is just noticed from one to the next is a gradient
still; one that changes more is a border."""

DEEP = 2
"""Faces that a border may be wide on each side."""

SWEEPS = 8
"""Times that borders are straightened at most."""


def straddling(variance: NDArray[np.float64], area: NDArray[np.float64], extent: float) -> NDArray[np.bool_]:
    """(F,) whether a border runs through each face.

    Args:
        variance: (F,) of the face's colour, in squared CIE L*a*b*.
        area: (F,) of the face.
        extent: of the character, in the same units.
    """
    # An even gradient over a triangle changes over a length of the root of its area by three standard deviations.
    change = 3 * np.sqrt(variance)
    return np.asarray(
        (change > 2 * JUST_NOTICEABLE) & (change * extent > JUST_NOTICEABLE * FINEST * np.sqrt(area)), np.bool_
    )


def with_borders(
    links: Links, faces: Patches, middle: NDArray[np.float64], across: NDArray[np.bool_], extent: float
) -> Links:
    """Links between faces whose colours jump by all that they differ in, where no gradient would make that of the way.

    Args:
        links: with how colours jump at the very edges.
        faces: each for itself.
        middle: (F, 3) places of faces.
        across: (F,) which faces straddle a border.
        extent: see `straddling`.
    """
    one, other = links.faces.T
    apart, away = faces.mean[one] - faces.mean[other], np.linalg.norm(middle[one] - middle[other], axis=1)
    change = np.linalg.norm(apart, axis=1)
    steep = (change > JUST_NOTICEABLE) & (change * extent > JUST_NOTICEABLE * FINEST * away)
    return links._replace(jump=np.where((steep | across[one] | across[other])[:, None], apart, links.jump))


def shared_out(patches: Patches, links: Links, across: NDArray[np.bool_]) -> Patches:
    """Patches with the faces that straddle a border (F,), patches of their own, joined to what is on its two sides."""
    for _ in range(DEEP):
        loose = np.bincount(patches.of_face, ~across) == 0
        which, into = nearest_neighbours(patches, links, loose, ~loose)
        target = np.arange(len(loose))
        target[which] = into
        patches = patches.joined(target)
    return patches


def straightened(faces: Patches, patches: Patches, links: Links, across: NDArray[np.bool_]) -> Patches:
    """Patches that meet in shorter lines: a face that straddles their border is of the one it shares more edge with.

    Args:
        faces: each face for itself.
        patches: of the same faces.
        links: between faces.
        across: (F,) which faces straddle a border.
    """
    order = np.argsort(links.faces.T.ravel(), kind="stable")
    start = np.append(0, np.cumsum(np.bincount(links.faces.ravel(), minlength=len(across))))
    other, length = links.faces[:, ::-1].T.ravel()[order], np.tile(links.length, 2)[order]
    number = patches.of_face.copy()
    _straighten(np.flatnonzero(across), start, other, length, faces.material, number)
    # What was cut off is a patch of its own.
    ends = number[links.faces]
    whole = links.faces[ends[:, 0] == ends[:, 1]]
    return faces.joined(joining.joined(whole[:, 0], whole[:, 1], len(number)))


@uncounted
def _straighten(faces, start, other, length, material, number):  # type: ignore[no-untyped-def]
    """Give each of the faces to the patch it shares most edge with, as often as that changes anything."""
    for _ in range(SWEEPS):
        changed = False
        for k in range(len(faces)):
            f = faces[k]
            own, most, best = 0.0, 0.0, -1
            for i in range(start[f], start[f + 1]):
                here, total = number[other[i]], 0.0
                for j in range(start[f], start[f + 1]):
                    if number[other[j]] == here:
                        total += length[j]
                if here == number[f]:
                    own = total
                elif total > most and material[other[i]] == material[f]:
                    most, best = total, here
            if best >= 0 and most > 1.001 * own:
                number[f] = best
                changed = True
        if not changed:
            break
