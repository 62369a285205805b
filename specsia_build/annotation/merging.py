"""Neighbouring patches of a surface joined by their colours: those that agree most first, each time by their means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.jit import ready, uncounted
from specsia_build.rendering import joining
from specsia_build.rendering.topology import root

JUST_NOTICEABLE = 2.3
"""Distance in CIE L*a*b* that is just noticed: Mahy, Van Eycken and Oosterlinck, Color Research and Application 19
(1994) 105-121."""

SPREAD_SHARE = 0.5
"""Of what colours vary within two patches, up to which their difference is no border but the same texture."""

GRADIENT = 3.5
"""How many times what colours vary within them the means of two parts of one gradient may differ. Two halves of an even
one differ by 2.4 times that, a flat end and the rest by 1.7; 3.5 was chosen by looking at characters."""

MOST_APART = 30.0
"""Distance in CIE L*a*b* of the halves of a gradient, from which they are two colours; chosen by looking at them."""

ROUNDS = (0.5 * JUST_NOTICEABLE, JUST_NOTICEABLE, 2 * JUST_NOTICEABLE, 4 * JUST_NOTICEABLE, MOST_APART)
"""Differences up to which patches are joined, one after the other."""


class Links(NamedTuple):
    """What connects faces, L links.

    `faces` (L, 2) are the two, `length` (L,) that of their common edge, or 0 where they are only near each other, and
    `jump` (L, 3) how colours jump from the second to the first along it.
    """

    faces: NDArray[np.int64]
    length: NDArray[np.float64]
    jump: NDArray[np.float64]

    def of(self, chosen: NDArray[np.bool_]) -> Links:
        """The chosen ones (L,)."""
        return Links(self.faces[chosen], self.length[chosen], self.jump[chosen])

    def and_near(self, faces: NDArray[np.int64]) -> Links:
        """Those and pairs (N, 2) of faces that are only near each other."""
        none = np.zeros(len(faces))
        return Links(
            np.concatenate([self.faces, faces]),
            np.concatenate([self.length, none]),
            np.concatenate([self.jump, np.stack([none] * 3, axis=1)]),
        )


@dataclass(frozen=True)
class Patches:
    """P patches of F faces.

    Attributes:
        of_face: (F,) number of the patch.
        area: (P,) more than 0.
        color: (P, 3) sums of CIE L*a*b* over the area.
        square: (P,) sums of the squared length of CIE L*a*b* over the area.
        material: (P,) number of the material of its first face.
    """

    of_face: NDArray[np.int64]
    area: NDArray[np.float64]
    color: NDArray[np.float64]
    square: NDArray[np.float64]
    material: NDArray[np.int64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """(P, 3) CIE L*a*b*."""
        return self.color / self.area[:, None]

    def joined(self, into: NDArray[np.integer]) -> Patches:
        """Each patch as part of the one whose number `into` (P,) holds; new numbers are in the order of those."""
        _, first, number = np.unique(into, return_index=True, return_inverse=True)
        return Patches(
            of_face=number[self.of_face],
            area=sums(number, self.area),
            color=np.stack([sums(number, self.color[:, k]) for k in range(3)], axis=1),
            square=sums(number, self.square),
            material=self.material[first],
        )


def sums(number: NDArray[np.integer], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values (N,) of each number (N,) added up."""
    return np.bincount(number, values).astype(np.float64)


class _Borders(NamedTuple):
    """B pairs of patches (B, 2), the lower number first, how much colours jump along what they share (B,), and how far
    apart their means are (B,)."""

    pairs: NDArray[np.int64]
    jump: NDArray[np.float64]
    apart: NDArray[np.float64]


def _borders(patches: Patches, links: Links) -> _Borders:
    ends, count = patches.of_face[links.faces], len(patches.area)
    across = np.flatnonzero(ends[:, 0] != ends[:, 1])
    ends = ends[across]
    turned = np.where(ends[:, 0] < ends[:, 1], 1.0, -1.0) * links.length[across]
    key, number = np.unique(ends.min(axis=1) * count + ends.max(axis=1), return_inverse=True)
    length = sums(number, links.length[across])
    # With their sign: what jumps now up, now down along a border is a texture's noise.
    jump = np.linalg.norm([sums(number, turned * links.jump[across, k]) for k in range(3)], axis=0)
    jump /= np.where(length > 0, length, 1)
    pairs, mean = np.stack(np.divmod(key, count), axis=1), patches.mean
    return _Borders(pairs, jump, np.linalg.norm(mean[pairs[:, 0]] - mean[pairs[:, 1]], axis=1))


@uncounted
def _join(pairs, jump, area, color, square, parent):  # type: ignore[no-untyped-def]
    """Join the patches of each pair in turn that agree as they then are; returns how many were joined.

    `parent` (P,) holds their own numbers at first and the lower of two joined ones then; `area`, `color` and `square`
    are kept for those that stay.
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
    """Neighbouring patches of one material joined until no two agree.

    Two agree whose means differ by less than is noticed, or by less than colours vary within them; or where no border
    is seen between them, because a gradient goes on from one to the other. As it is their means that are compared, a
    chain of small steps ends where it has gone too far.
    """
    for limit in ROUNDS:
        while True:
            borders = _borders(patches, links)
            alike = patches.material[borders.pairs[:, 0]] == patches.material[borders.pairs[:, 1]]
            chosen = np.flatnonzero(alike & (borders.apart < limit))
            chosen = chosen[np.argsort(borders.apart[chosen], kind="stable")]
            parent = np.arange(len(patches.area))
            own = patches.area.copy(), patches.color.copy(), patches.square.copy()
            if not _join(ready(borders.pairs[chosen]), ready(borders.jump[chosen]), *own, parent):
                break
            patches = patches.joined(parent)
    return patches


def nearest_neighbours(
    patches: Patches, links: Links, which: NDArray[np.bool_], among: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The patches of `which` (P,) that have a neighbour `among` others (P,), and each one's whose mean is nearest."""
    borders = _borders(patches, links)
    here, there = np.concatenate([borders.pairs, borders.pairs[:, ::-1]]).T
    apart = np.tile(borders.apart, 2)
    chosen = np.flatnonzero(which[here] & among[there])
    order = chosen[np.lexsort((there[chosen], apart[chosen], here[chosen]))]
    first = order[np.append(True, np.diff(here[order]) > 0)[: len(order)]]
    return here[first], there[first]


def without_specks(patches: Patches, links: Links, least: float) -> Patches:
    """Patches of an area below `least` joined to the neighbour whose mean is nearest, as long as they have one."""
    while True:
        count = len(patches.area)
        pairs = nearest_neighbours(patches, links, patches.area < least, np.ones(count, np.bool_))
        if not len(pairs[0]):
            return patches
        patches = patches.joined(joining.joined(*pairs, count))


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
