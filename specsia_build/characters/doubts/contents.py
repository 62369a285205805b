"""What a file holds besides one sound character: more things, parts in one place, joints without surface, no depth."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.names import words_of
from specsia_build.characters.doubts import joints
from specsia_build.characters.doubts.doubt import Doubt, drop, listed
from specsia_build.characters.doubts.probe import Points, Probe, groups_of, surface_samples

MOST_PARTS = 400
"""Of more parts, none is judged alone."""

GAP = 0.03
"""Room between two figures, in their height."""

LEAST_FIGURE = (0.5, 0.2)
"""Height and surface of a figure, in those of the largest."""

PLATE, ROOM = 1.3, 2.0
"""Width and depth of a floor and of a room, in those of all other parts; bodies reach 1.6 around their eyes."""

WALL = (0.7, 0.05)
"""Least width and height of a wall in those of the rest, and its thickness in its own."""

STRAY = 3.0
"""Extent of all vertices in that of the sampled surface from which some lie far away: a thin spear reaches 1.3."""

SAME_PLACE, ALIKE = 0.7, 0.4
"""Shares of two parts that lie within a twelfth of their extent of each other, of the one and of the other: a lock that
lies upon a hairdo is no variant of it."""

COLLISION = frozenset({"ucx", "collider", "collision", "colonly"})
"""Words by which engines know shapes for collisions."""

LEAST_PROP = 0.15
"""Extent of a prop in the character's height; a ring or a finger has less."""

AWAY = 0.1
"""Distance of a joint from the nearest surface, in heights, that leaves it without surface: of 140 rigs the largest of
a head, hand or foot is 0.07."""

FLAT = 0.01
"""Thinnest over longest side below which some view shows an edge alone."""

LEAST_STEPS = 5000
"""Positions along a mesh that single precision must tell apart."""

_PART_POINTS, _CELLS = 2000, 12


def check(probe: Probe, name: str) -> tuple[Doubt, ...]:
    """All doubts about what a file holds besides one sound character; Z up."""
    checks = (more_than_one_thing, shown_at_once, joints_without_surface, degenerate)
    return tuple(doubt for look in checks for doubt in look(probe, name))


def more_than_one_thing(probe: Probe, name: str) -> Iterator[Doubt]:
    """Doubts about a floor, a wall or a dome, about further figures, and about what lies far away. Z up."""
    scenery = _scenery(probe)
    if scenery:
        told = f"{name} holds {listed(scenery, probe.part_names)} around the character, as a floor or a backdrop"
        yield drop(told, "leaves the character alone", scenery, probe.part_names)
        probe = probe.without(scenery)
    low, high = probe.placed.bounds()
    whole = float((high.astype(np.float64) - low).max())
    if len(probe.points) and not scenery and whole > STRAY * float(probe.extent.max()):
        yield _strays(probe, name, whole)
    elif len(probe.points):
        yield from _figures(probe, name)


def _scenery(probe: Probe) -> set[int]:
    """Parts with a footprint larger than all others together, and walls behind them."""
    present = np.unique(probe.part)
    found: set[int] = set()
    if not 1 < len(present) <= MOST_PARTS:
        return found
    for part in present.tolist():
        own, rest = probe.points[probe.part == part], probe.points[~np.isin(probe.part, [part, *found])]
        if min(len(own), len(rest)) >= 8 and (_is_ground(own, rest) or _is_wall(own, rest)):
            found.add(part)
    return found


def _is_ground(own: Points, rest: Points) -> bool:
    """Whether a part is a plate beneath all others, or lies around them like a room, and reaches beyond them."""
    (low, high), (inner, outer) = ((one.min(axis=0), one.max(axis=0)) for one in (own, rest))
    size, extent = outer - inner, high - low
    if (extent < PLATE * size)[:2].any() or (low > inner)[:2].any() or (high < outer)[:2].any():
        return False
    if extent[2] <= 0.1 * min(extent[0], extent[1], size[2]):
        return bool(high[2] <= inner[2] + 0.1 * size[2])
    among = ((own > inner + np.array((0.0, 0.0, 0.1 * size[2]))) & (own < outer)).all(axis=1).mean() > 0.01
    around = (extent >= ROOM * size)[:2].all() and low[2] <= inner[2] + 0.02 * size[2] and high[2] >= outer[2]
    return bool(around and not among and size[2] >= 0.2 * extent.max())


def _is_wall(own: Points, rest: Points) -> bool:
    """Whether a part is an upright plate on one side of all others, nearly as wide and high as they are."""
    middle = own.mean(axis=0)
    normal = np.linalg.eigh((own - middle).T @ (own - middle))[1][:, 0]
    if abs(normal[2]) > 0.3:
        return False
    across = np.cross(normal, (0.0, 0.0, 1.0))
    across /= np.linalg.norm(across)
    width, height = float(np.ptp(own @ across)), float(np.ptp(own[:, 2]))
    before = (rest - middle) @ normal
    return bool(
        np.ptp(own @ normal) <= WALL[1] * min(width, height)
        and width >= WALL[0] * np.ptp(rest @ across)
        and height >= WALL[0] * np.ptp(rest[:, 2])
        and max((before > 0).mean(), (before < 0).mean()) > 0.97
        and own[:, 2].min() <= rest[:, 2].min() + 0.1 * np.ptp(rest[:, 2])
    )


def _strays(probe: Probe, name: str, whole: float) -> Doubt:
    """The doubt about vertices far from the sampled surface, with the parts that hold nothing else."""
    mesh = probe.placed
    middle, reach = probe.low + probe.extent / 2, STRAY / 2 * float(probe.extent.max())
    far = (np.abs(mesh.vertices[mesh.faces] - middle) > reach).any(axis=(1, 2))
    told = f"{int(far.sum()):,} triangles of {name} lie so far away that the figure is tiny beside them"
    return Doubt(
        f'{told}: delete them in the file, or leave their part out by "drop"', whole / float(probe.extent.max())
    )


def _figures(probe: Probe, name: str) -> Iterator[Doubt]:
    points, height = probe.points, float(probe.extent[2])
    groups = [group for group in groups_of(points, GAP * height) if len(group) > 8]
    if len(groups) < 2:
        return
    tall = [float(np.ptp(points[g, 2])) for g in groups]
    most = max(map(len, groups))
    ground = probe.low[2] + 0.2 * height
    figures = [
        g
        for g, size in zip(groups, tall, strict=True)
        if size >= LEAST_FIGURE[0] * max(tall) and len(g) >= LEAST_FIGURE[1] * most and points[g, 2].min() <= ground
    ]
    if len(figures) < 2 or _share_a_rig(probe, figures):
        return
    kept = min(figures, key=lambda g: float(np.linalg.norm(points[g, :2].min(axis=0) + points[g, :2].max(axis=0))))
    inside = np.isin(np.arange(len(points)), kept)
    own, others = set(probe.part[inside].tolist()), set(probe.part[~inside].tolist())
    told = f"{name} holds {len(figures)} figures side by side"
    if own & others:
        yield Doubt(f"{told}, and they share parts: split them in the file", len(figures) / 2)
    else:
        yield drop(told, "keeps the one nearest to the origin", others, probe.part_names, len(figures) / 2)


def _share_a_rig(probe: Probe, figures: list[NDArray[np.intp]]) -> bool:
    """Whether left joints mostly lie in one figure's box and right ones in another's, as those of floating hands."""
    boxes = [(probe.points[g, :2].min(axis=0), probe.points[g, :2].max(axis=0)) for g in figures]

    def box(place: Points) -> int | None:
        return next(
            (k for k, (low, high) in enumerate(boxes) if (low <= place[:2]).all() and (place[:2] <= high).all()), None
        )

    places = [(box(left), box(right)) for left, right in joints.pairs_of(probe.landmarks)]
    apart = [left != right for left, right in places if left is not None and right is not None]
    return len(apart) >= joints.LEAST_PAIRS and sum(apart) > len(apart) / 2


def shown_at_once(probe: Probe, name: str) -> Iterator[Doubt]:
    """Doubts about props in one hand, and about parts in one place whose names differ in one word."""
    parts = np.unique(probe.part).tolist()
    if not 1 < len(parts) <= MOST_PARTS:
        return
    # Programs put numbers of their own behind names that are there twice, as in ``Cube.001``.
    named = {part: words_of(re.sub(r"\.\d{3}$", "", next(iter(probe.part_names[part]), ""))) for part in parts}
    held, doubts = _props(probe, name, parts)
    yield from doubts
    parts = [part for part in parts if part not in held]
    spare: set[int] = set()
    for k, first in enumerate(parts):
        for second in parts[k + 1 :]:
            if {first, second} & spare or not _is_variant(named[first], named[second]):
                continue
            if _fill_one_place(probe, first, second):
                spare.add(second if len(named[first]) <= len(named[second]) else first)
    if spare:
        told = f"{name} shows {listed(spare, probe.part_names)} in the same place as other parts of the same name"
        yield drop(told, "keeps one of each", spare, probe.part_names)


def _is_variant(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether two names differ in a number, a letter, a level of detail or ``collider`` at their end or start."""
    first, second = sorted((tuple(first), tuple(second)), key=len)
    if len(first) == len(second) > 1:
        pairs = ((first[:-1], second[:-1], first[-1], second[-1]), (first[1:], second[1:], first[0], second[0]))
        return any(one == other and a != b and _counts(a) and _counts(b) for one, other, a, b in pairs)
    if first and first == second[:-1]:
        return _counts(second[-1]) or second[-1] in COLLISION
    return bool(first) and first == second[1:] and second[0] in COLLISION


def _counts(word: str) -> bool:
    return len(word) == 1 or any(letter.isdecimal() for letter in word)


def _fill_one_place(probe: Probe, first: int, second: int) -> bool:
    """Whether most of either part lies close to the other."""
    parts = [surface_samples(probe.placed.of_faces(probe.face_part == k), _PART_POINTS)[0] for k in (first, second)]
    if not all(map(len, parts)):
        return False
    cell = float(np.ptp(np.concatenate(parts), axis=0).max()) / _CELLS
    trees = [scipy.spatial.cKDTree(points) for points in parts]
    near = [float(np.mean(trees[1 - k].query(parts[k])[0] < cell)) for k in (0, 1)]
    return max(near) >= SAME_PLACE and min(near) >= ALIKE


def _props(probe: Probe, name: str, parts: Sequence[int]) -> tuple[set[int], list[Doubt]]:
    """Parts below one joint of a hand but for the largest, and the doubt about them."""
    held: dict[str, list[tuple[float, int]]] = {}
    for part in parts:
        hand = next((n for n in probe.part_names[part][1:] if joints.words(n) & joints.HAND), None)
        if hand is not None:
            size = np.sort(np.ptp(probe.placed.vertices[probe.mesh.faces[probe.face_part == part]], axis=(0, 1)))
            if size[2] >= LEAST_PROP * probe.extent[2]:
                held.setdefault(hand, []).append((float(size[1] * size[2]), part))
    crowded = {hand: sorted(props, reverse=True) for hand, props in held.items() if len(props) > 1}
    spare = {part for props in crowded.values() for _, part in props[1:]}
    if not spare:
        return spare, []
    hands = ", ".join(f"{len(props)} below {hand}" for hand, props in crowded.items())
    told = f"{name} holds several props in one hand ({hands})"
    return spare, [drop(told, "keeps the largest", spare, probe.part_names)]


def joints_without_surface(probe: Probe, name: str) -> Iterator[Doubt]:
    """The doubt about a garment or a body without its head: joints of two kinds of limbs' ends far from any surface."""
    if not len(probe.points) or not probe.landmarks:
        return
    missing = {}
    for kind, words in (("head", joints.HEAD), ("hands", joints.HAND), ("feet", joints.ANKLES)):
        places = np.array([place for joint, place in probe.landmarks if joints.words(joint) & words])
        if len(places):
            distances, _ = probe.tree.query(places)
            missing[kind] = float(np.min(distances) / probe.extent.max())
    bare = [kind for kind, distance in missing.items() if distance > AWAY]
    if len(bare) > 1:
        told = f"{name} has joints for {' and '.join(bare)} and no surface there: it seems to be a part of a character"
        yield Doubt(told, min(missing[kind] for kind in bare) / AWAY)


def degenerate(probe: Probe, name: str) -> Iterator[Doubt]:
    """Doubts about a mesh without thickness, and about one whose positions are rounded."""
    low, high = (bound.astype(np.float64) for bound in probe.placed.bounds())
    extent = high - low
    step = float(np.spacing(np.float32(np.maximum(np.abs(low), np.abs(high)).max())))
    steps = float(extent.max()) / step
    if steps < LEAST_STEPS:
        told = f"{name} lies so far from its file's origin that its positions are rounded to 1/{steps:.0f} of its size"
        yield Doubt(f"{told}: move it to the origin in the file", LEAST_STEPS / max(steps, 1e-12))
    thinnest = float(extent.min() / extent.max())
    if thinnest < FLAT:
        across = ("from side to side", "from front to back", "from head to foot")[int(extent.argmin())]
        told = f"{name} is flat, {100 * thinnest:.1f} % of its length {across}"
        yield Doubt(f"{told}: some views show next to nothing; give it thickness", FLAT / max(thinnest, 1e-12))
