"""Merging of neighbouring patches of a surface by their mean colours, the most similar first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Mask
from specsia_build.jit import ready, uncounted
from specsia_build.rendering.topology import linked_groups, root

JUST_NOTICEABLE = 2.3
"""Just noticeable distance in CIE L*a*b*: Mahy et al., Color Research and Application 19 (1994) 105-121."""

SPREAD_SHARE = 0.5
"""Difference of means, as a share of the deviation within two patches, up to which they are one texture."""

GRADIENT = 3.5
"""Difference of means over the deviation within, up to which two patches may be one gradient. Halves of an
even gradient have 2.4, a flat end and the rest 1.7; 3.5 was chosen by looking at characters."""

MOST_APART = 30.0
"""Distance in CIE L*a*b* from which two halves of a gradient are two colours; chosen by eye on characters."""

_ROUNDS = (0.5 * JUST_NOTICEABLE, JUST_NOTICEABLE, 2 * JUST_NOTICEABLE, 4 * JUST_NOTICEABLE, MOST_APART)
"""Differences up to which patches are merged, in rounds."""


class Links(NamedTuple):
    """L pairs of faces that share an edge or are near each other."""

    faces: NDArray[np.int64]  # (L, 2)
    length: Doubles  # (L,), of their common edge; 0 if they are only near each other
    jump: Doubles  # (L, 3), the first face's colour less the second's along it


@dataclass(frozen=True)
class Patches:
    """P patches of F faces."""

    of_face: NDArray[np.int64]  # (F,), the patch of each face
    area: Doubles  # (P,)
    color: Doubles  # (P, 3), integral of CIE L*a*b* over the area
    square: Doubles  # (P,), integral of its squared length
    material: NDArray[np.int64]  # (P,), the first face's

    @property
    def mean(self) -> Doubles:
        """Mean CIE L*a*b* (P, 3)."""
        return self.color / self.area[:, None]

    def joined(self, into: NDArray[np.integer]) -> Patches:
        """Merge patches with equal values in `into` (P,), which order the new numbers."""
        _, first, number = np.unique(into, return_index=True, return_inverse=True)
        color = np.stack([sums(number, self.color[:, k]) for k in range(3)], axis=1)
        area, square = sums(number, self.area), sums(number, self.square)
        return Patches(number[self.of_face], area, color, square, self.material[first])


def sums(number: NDArray[np.integer], values: Doubles) -> Doubles:
    """Sum the values (N,) of each number (N,)."""
    return np.bincount(number, values).astype(np.float64)


def _borders(patches: Patches, links: Links) -> tuple[NDArray[np.int64], Doubles, Doubles]:
    """B borders: patches (B, 2), the lower first, colour jump along each (B,), distance of means (B,)."""
    ends, count = patches.of_face[links.faces], len(patches.area)
    across = np.flatnonzero(ends[:, 0] != ends[:, 1])
    ends = ends[across]
    turned = np.where(ends[:, 0] < ends[:, 1], 1.0, -1.0) * links.length[across]
    key, number = np.unique(ends.min(axis=1) * count + ends.max(axis=1), return_inverse=True)
    length = sums(number, links.length[across])
    # Signed: jumps up and down along a border are a texture's noise.
    jump = np.linalg.norm([sums(number, turned * links.jump[across, k]) for k in range(3)], axis=0)
    jump /= np.where(length > 0, length, 1)
    pairs, mean = np.stack(np.divmod(key, count), axis=1), patches.mean
    return pairs, jump, np.linalg.norm(mean[pairs[:, 0]] - mean[pairs[:, 1]], axis=1)


@uncounted
def _join(pairs, jump, area, color, square, parent):  # type: ignore[no-untyped-def]
    """Merge the patches of each pair in turn if they agree by now; returns the number of merges.

    `parent` (P,) is initially their own numbers; `area`, `color` and `square` are updated.
    """
    joined = 0
    for i in range(len(pairs)):
        a, b = root(parent, pairs[i, 0]), root(parent, pairs[i, 1])
        if a == b:
            continue
        apart, within = 0.0, square[a] / area[a] + square[b] / area[b]
        for k in range(3):
            here, there = color[a, k] / area[a], color[b, k] / area[b]
            apart += (here - there) ** 2
            within -= here * here + there * there
        apart, within = np.sqrt(apart), np.sqrt(max(0.0, within))
        alike = max(JUST_NOTICEABLE, SPREAD_SHARE * within)
        if apart < MOST_APART and (apart < alike or (jump[i] < alike and apart < GRADIENT * within)):
            a, b = min(a, b), max(a, b)
            parent[b] = a
            area[a] += area[b]
            square[a] += square[b]
            for k in range(3):
                color[a, k] += color[b, k]
            joined += 1
    for v in range(len(parent)):
        parent[v] = root(parent, v)
    return joined


def merged(patches: Patches, links: Links) -> Patches:
    """Merge neighbouring patches of one material until no two agree.

    Two agree if their means differ by less than is noticeable or than colours vary within them, or if a
    gradient runs across their border without a jump. A chain of small steps does not merge black with white.
    """
    for limit in _ROUNDS:
        while True:
            pairs, jump, apart = _borders(patches, links)
            alike = patches.material[pairs[:, 0]] == patches.material[pairs[:, 1]]
            chosen = np.flatnonzero(alike & (apart < limit))
            chosen = chosen[np.argsort(apart[chosen], kind="stable")]
            parent = np.arange(len(patches.area))
            own = patches.area.copy(), patches.color.copy(), patches.square.copy()
            if not _join(ready(pairs[chosen]), ready(jump[chosen]), *own, parent):
                break
            patches = patches.joined(parent)
    return patches


def nearest_neighbours(
    patches: Patches, links: Links, which: Mask, among: Mask
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Patches of `which` (P,) bool with a neighbour in `among` (P,) bool, and the one nearest in mean."""
    pairs, _, apart = _borders(patches, links)
    here, there = np.concatenate([pairs, pairs[:, ::-1]]).T
    apart = np.tile(apart, 2)
    chosen = np.flatnonzero(which[here] & among[there])
    order = chosen[np.lexsort((there[chosen], apart[chosen], here[chosen]))]
    first = order[np.append(True, np.diff(here[order]) > 0)[: len(order)]]
    return here[first], there[first]


def without_specks(patches: Patches, links: Links, least: float) -> Patches:
    """Merge patches of an area below `least` with the neighbour nearest in mean, while they have one."""
    while True:
        count = len(patches.area)
        pairs = nearest_neighbours(patches, links, patches.area < least, np.ones(count, np.bool_))
        if not len(pairs[0]):
            return patches
        patches = patches.joined(linked_groups(*pairs, count))


_FINEST = 512
"""Pixels of a character's extent; a just noticeable change over one is a gradient, a larger one a border."""

DEEP = 2  # Width of a border in faces, on each side
SWEEPS = 8  # Passes that straighten borders, at most


def straddling(variance: Doubles, area: Doubles, extent: float) -> Mask:
    """Whether a painted border runs through each face (F,), by its area and its variance in CIE L*a*b*."""
    # An even gradient changes by three standard deviations over the square root of a triangle's area.
    change = 3 * np.sqrt(variance)
    steep = change * extent > JUST_NOTICEABLE * _FINEST * np.sqrt(area)
    return np.asarray((change > 2 * JUST_NOTICEABLE) & steep, np.bool_)


def with_borders(links: Links, faces: Patches, middle: Doubles, across: Mask, extent: float) -> Links:
    """Links with jumps set to the difference of the faces' means, where it is too steep for a gradient.

    `faces` has a patch for each face, `middle` (F, 3) their centres, `across` (F,) is from `straddling`.
    """
    first, second = links.faces.T
    jump = faces.mean[first] - faces.mean[second]
    away = np.linalg.norm(middle[first] - middle[second], axis=1)
    change = np.linalg.norm(jump, axis=1)
    steep = (change > JUST_NOTICEABLE) & (change * extent > JUST_NOTICEABLE * _FINEST * away)
    return links._replace(jump=np.where((steep | across[first] | across[second])[:, None], jump, links.jump))


def shared_out(patches: Patches, links: Links, across: Mask) -> Patches:
    """Merge faces across a border (F,), which are patches of their own, with the patches on its two sides."""
    for _ in range(DEEP):
        loose = np.bincount(patches.of_face, ~across) == 0
        which, into = nearest_neighbours(patches, links, loose, ~loose)
        target = np.arange(len(loose))
        target[which] = into
        patches = patches.joined(target)
    return patches


def straightened(faces: Patches, patches: Patches, links: Links, across: Mask) -> Patches:
    """Shorten borders: give each face across a border (F,) to the patch that it shares most edge with."""
    order = np.argsort(links.faces.T.ravel(), kind="stable")
    start = np.append(0, np.cumsum(np.bincount(links.faces.ravel(), minlength=len(across))))
    other, length = links.faces[:, ::-1].T.ravel()[order], np.tile(links.length, 2)[order]
    number = patches.of_face.copy()
    _straighten(np.flatnonzero(across), start, other, length, faces.material, number)
    # Parts that were cut off become patches of their own.
    ends = number[links.faces]
    whole = links.faces[ends[:, 0] == ends[:, 1]]
    return faces.joined(linked_groups(whole[:, 0], whole[:, 1], len(number)))


@uncounted
def _straighten(faces, start, other, length, material, number):  # type: ignore[no-untyped-def]
    """Give each of the faces to the patch that it shares most edge with, until nothing changes."""
    for _ in range(SWEEPS):
        changed = False
        for k in range(len(faces)):
            f = faces[k]
            own = 0.0
            most = 0.0
            best = -1
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
