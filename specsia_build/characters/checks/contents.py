"""Warnings about what a file holds besides one sound character."""

import re
from collections.abc import Collection, Iterator, Sequence
from functools import cache

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.animation.joint_names import words_of
from specsia_build.arrays import Doubles
from specsia_build.characters.character import Advice, Fix
from specsia_build.characters.checks import joints
from specsia_build.characters.checks.probe import Probe, surface_samples
from specsia_build.errors import some
from specsia_build.warning import Warning

MOST_PARTS = 400  # Number above which no part is compared with the others.
_GAP = 0.03  # Heights between two figures.
LEAST_FIGURE = (0.5, 0.2)  # Height and surface of a figure, relative to the largest.
# Footprint of a floor and of a room relative to the rest; bodies reach 1.6 around their eyes.
PLATE, _ROOM = 1.3, 2.0
STRAY = 3.0  # Extent of all vertices relative to that of the sampled surface; a thin spear reaches 1.3.
# Shares of two parts that lie close to each other, the larger and the lesser one.
SAME_PLACE, _ALIKE = 0.7, 0.4
# Words of parts of which one at a time is meant to be seen.
_ALTERNATIVE = re.compile(
    r"(?:alt|alternate|alternative|variant|variation|var|version|option|copy|backup|old)\d*|v\d+"
    "|open|opened|closed|shut|intact|damaged|broken"
)
_LOOK = 'look at it, and leave out what does not belong to it by "drop" in its manifest line'
LEAST_PROP = 0.15  # Extent of a prop in heights; a ring or a finger has less.
# Heights between a joint without surface and the nearest one: of 140 rigs the largest of others is 0.07.
AWAY = 0.1
_FLAT = 0.01  # Thinnest over longest side of a flat mesh.
LEAST_STEPS = 5000  # Positions along a mesh that single precision must distinguish.
_PART_POINTS, _CELLS = 2000, 12  # Points of a part that is compared, and cells along both that are "close".


def check(probe: Probe, name: str) -> tuple[Warning, ...]:
    """All warnings about the contents of a file, Z up."""
    checks = (more_than_one_thing, shown_at_once, joints_without_surface, degenerate)
    return tuple(warning for function in checks for warning in function(probe, name))


def more_than_one_thing(probe: Probe, name: str) -> Iterator[Warning]:
    """Warn about floors and rooms, several figures, and vertices far away."""
    scenery = _scenery(probe)
    if scenery:
        listed = _listed(scenery, probe.part_names)
        sentence = f"{name} holds {listed} around the character, as a floor or a backdrop: {_LOOK}"
        yield Warning("scenery", sentence, listed)
        probe = probe.without(scenery)
    if not len(probe.points):
        return
    low, high = (bound.astype(np.float64) for bound in probe.placed.bounds())
    if scenery or (high - low).max() <= STRAY * probe.extent.max():
        yield from _figures(probe, name)
        return
    middle, reach = probe.low + probe.extent / 2, STRAY / 2 * float(probe.extent.max())
    far = int((np.abs(probe.placed.vertices[probe.placed.faces] - middle) > reach).any(axis=(1, 2)).sum())
    problem = f"{far:,} triangles of {name} lie so far away that the figure would be tiny"
    sentence = f'{problem}: delete them in the file, or leave out their part by "drop" in its manifest line'
    yield Warning("far-triangles", sentence, name)


def _scenery(probe: Probe) -> set[int]:
    """Parts with a larger footprint than all others together."""
    present = np.unique(probe.part).tolist()
    scenery: set[int] = set()
    if 1 < len(present) <= MOST_PARTS:
        for part in present:
            own, rest = probe.points[probe.part == part], probe.points[~np.isin(probe.part, [part, *scenery])]
            if min(len(own), len(rest)) >= 8 and _is_ground(own, rest):
                scenery.add(part)
    return scenery


def _is_ground(own: Doubles, rest: Doubles) -> bool:
    """Whether a part reaches beyond all others, as a plate below them or as a room around them."""
    low, high = own.min(axis=0), own.max(axis=0)
    inner, outer = rest.min(axis=0), rest.max(axis=0)
    size, extent = outer - inner, high - low
    if (extent < PLATE * size)[:2].any() or (low > inner)[:2].any() or (high < outer)[:2].any():
        return False
    if extent[2] <= 0.1 * min(extent[0], extent[1], size[2]):
        return bool(high[2] <= inner[2] + 0.1 * size[2])
    among = ((own > inner + np.array((0.0, 0.0, 0.1 * size[2]))) & (own < outer)).all(axis=1).mean() > 0.01
    is_wide = (extent >= _ROOM * size)[:2].all() and size[2] >= 0.2 * extent.max()
    is_high = low[2] <= inner[2] + 0.02 * size[2] and high[2] >= outer[2]
    return bool(is_wide and is_high and not among)


def _figures(probe: Probe, name: str) -> Iterator[Warning]:
    """Warn about several groups of points that stand on the ground and have a gap between them."""
    points, height = probe.points, float(probe.extent[2])
    groups = [group for group in groups_of(points, _GAP * height) if len(group) > 8]
    tallest = max((float(np.ptp(points[g, 2])) for g in groups), default=0.0)
    most, ground = max(map(len, groups), default=0), probe.low[2] + 0.2 * height
    figures = [
        g
        for g in groups
        if np.ptp(points[g, 2]) >= LEAST_FIGURE[0] * tallest
        and len(g) >= LEAST_FIGURE[1] * most
        and points[g, 2].min() <= ground
    ]
    if len(figures) < 2:
        return
    kept = min(
        figures, key=lambda g: float(np.linalg.norm(points[g, :2].min(axis=0) + points[g, :2].max(axis=0)))
    )
    own = set(probe.part[kept].tolist())
    others = set(np.delete(probe.part, kept).tolist())
    problem = f"{name} holds {len(figures)} figures side by side"
    if own & others:
        end = "and they share parts: split them in the file"
    else:
        end = f"of which {_listed(own, probe.part_names)} is nearest to the origin: {_LOOK}"
    yield Warning("several-figures", f"{problem}, {end}", name)


def groups_of(points: Doubles, gap: float) -> list[NDArray[np.intp]]:
    """Indices of points (N, 3), grouped by gaps along x or y."""
    groups: list[NDArray[np.intp]] = []
    pending = [np.arange(len(points))]
    while pending:
        group = pending.pop()
        for axis in (0, 1):
            order = group[np.argsort(points[group, axis], kind="stable")]
            cuts = np.flatnonzero(np.diff(points[order, axis]) > gap) + 1
            if len(cuts):
                pending += np.split(order, cuts)
                break
        else:
            groups.append(group)
    return groups


def shown_at_once(probe: Probe, name: str) -> Iterator[Warning]:
    """Warn about props in one hand, and about parts in one place whose names are alike.

    A manifest line is advised where the names say that they are alternatives: numbers count pieces, too.
    """
    parts = np.unique(probe.part).tolist()
    if not 1 < len(parts) <= MOST_PARTS:
        return
    held: dict[str, list[tuple[float, int]]] = {}
    for part in parts:
        hand = next((n for n in probe.part_names[part][1:] if joints.words(n) & joints.HAND), None)
        if hand is not None:
            corners = probe.placed.vertices[probe.mesh.faces[probe.face_part == part]]
            size = np.sort(np.ptp(corners, axis=(0, 1)))
            if size[2] >= LEAST_PROP * probe.extent[2]:
                held.setdefault(hand, []).append((float(size[1] * size[2]), part))
    crowded = {hand: sorted(props, reverse=True) for hand, props in held.items() if len(props) > 1}
    spare = {part for props in crowded.values() for _, part in props[1:]}
    if spare:
        hands = ", ".join(f"{len(props)} at {hand}" for hand, props in crowded.items())
        yield Warning("props-in-hand", f"{name} holds several props in one hand ({hands}): {_LOOK}", name)
    parts = [part for part in parts if part not in spare]
    # Blender numbers names that exist already, as in ``Cube.001``.
    named = {k: words_of(re.sub(r"\.\d{3}$", "", next(iter(probe.part_names[k]), ""))) for k in parts}

    @cache
    def points_of(part: int) -> Doubles:
        return surface_samples(probe.placed.of_faces(probe.face_part == part), _PART_POINTS)[0]

    for are_alike, sure in ((_are_alternatives, True), (_is_variant, False)):
        again: set[int] = set()
        for k, first in enumerate(parts):
            for second in parts[k + 1 :]:
                alike = not {first, second} & again and are_alike(named[first], named[second])
                if alike and _fill_one_place(points_of(first), points_of(second)):
                    again.add(second if len(named[first]) <= len(named[second]) else first)
        parts = [part for part in parts if part not in again]
        if again:
            listed = _listed(again, probe.part_names)
            problem = f"{name} shows {listed} in the same place as other parts of the same name"
            lines = _drop(problem, "keeps one of each", again, probe.part_names)
            yield lines if sure else Warning("alternatives", f"{problem}: {_LOOK}", listed)


def _are_alternatives(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether names are the same but for words for alternatives."""
    stems = [_stem(words) for words in (first, second)]
    return tuple(first) != tuple(second) and stems[0] == stems[1] != ()


def _stem(words: Sequence[str]) -> tuple[str, ...]:
    """The words of a name that name no alternative, as ``coat`` of ``Coat_Option_B`` and ``coat_alt2``."""
    kept: list[str] = []
    was_alternative = False
    for word in words:
        is_alternative = _ALTERNATIVE.fullmatch(word) is not None
        if not (is_alternative or (was_alternative and _counts(word))):
            kept.append(word)
        was_alternative = is_alternative
    return tuple(kept)


def _is_variant(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether names differ in a number or letter as last or first word."""
    first, second = sorted((tuple(first), tuple(second)), key=len)
    if len(first) == len(second) > 1:
        pairs = (
            (first[:-1], second[:-1], first[-1], second[-1]),
            (first[1:], second[1:], first[0], second[0]),
        )
        return any(x == y and a != b and _counts(a) and _counts(b) for x, y, a, b in pairs)
    return bool(first) and first == second[:-1] and _counts(second[-1])


def _counts(word: str) -> bool:
    return len(word) == 1 or any(letter.isdecimal() for letter in word)


def _fill_one_place(first: Doubles, second: Doubles) -> bool:
    """Whether most of either part, by points (P, 3) on it, lies close to the other."""
    if not (len(first) and len(second)):
        return False
    cell = float(np.ptp(np.concatenate([first, second]), axis=0).max()) / _CELLS
    # Points close to a part lie in its box, which is checked much faster.
    for share in (_share_in_box, _share_close):
        shares = (share(first, second, cell), share(second, first, cell))
        if max(shares) < SAME_PLACE or min(shares) < _ALIKE:
            return False
    return True


def _share_in_box(points: Doubles, other: Doubles, cell: float) -> float:
    inside = (points > other.min(axis=0) - cell) & (points < other.max(axis=0) + cell)
    return float(inside.all(axis=1).mean())


def _share_close(points: Doubles, other: Doubles, cell: float) -> float:
    return float(np.mean(scipy.spatial.cKDTree(other).query(points)[0] < cell))


def joints_without_surface(probe: Probe, name: str) -> Iterator[Warning]:
    """Warn of a garment or headless body: two of head, hands, feet have joints far from any surface."""
    if not len(probe.points):
        return
    bare = []
    for kind, words in (("head", joints.HEAD), ("hands", joints.HAND), ("feet", joints.ANKLES)):
        places = np.array([place for joint, place in probe.landmarks if joints.words(joint) & words])
        if len(places) and np.min(probe.tree.query(places)[0]) > AWAY * probe.extent.max():
            bare.append(kind)
    if len(bare) > 1:
        listed = " and ".join(bare)
        sentence = f"{name} has joints for {listed} but no surface there: it may be only part of a character"
        yield Warning("body-missing", sentence, name)


def degenerate(probe: Probe, name: str) -> Iterator[Warning]:
    """Warn about a mesh without thickness, and about one whose positions are rounded."""
    bounds = np.array(probe.placed.bounds(), np.float64)
    extent = np.ptp(bounds, axis=0)
    if extent.max() < LEAST_STEPS * np.spacing(np.abs(bounds).max(), dtype=np.float32):
        problem = f"{name} lies so far from the file's origin that its positions are rounded"
        yield Warning("rounded", f"{problem}: move it to the origin in the file", name)
    thinnest = float(extent.min() / extent.max())
    if thinnest < _FLAT:
        along = "xyz"[int(extent.argmin())]
        problem = f"{name} is flat: along {along} it measures {100 * thinnest:.1f} % of its longest side"
        yield Warning("flat", f"{problem}, so some views show almost nothing; give it thickness", name)


def _listed(parts: Collection[int], part_names: Sequence[Sequence[str]]) -> str:
    """First names of up to five parts, and the count of the others."""
    names = [f"'{part_names[k][0]}'" if part_names[k] else "a part without a name" for k in sorted(parts)]
    return some(names, 5)


def _drop(problem: str, effect: str, parts: set[int], part_names: Sequence[Sequence[str]]) -> Warning:
    """A warning that leaving out parts resolves; `effect` ends its sentence, such as "keeps the largest"."""
    names = tuple(dict.fromkeys(part_names[k][0] if part_names[k] else "" for k in sorted(parts)))
    others = {name for k, own in enumerate(part_names) if k not in parts for name in own}
    if "" in names or not others.isdisjoint(names):
        sentence = f"{problem}, but these parts have no names of their own: name them in the file"
        return Warning("alternatives", sentence, _listed(parts, part_names))
    line = '"drop": [{}] in its manifest line'.format(", ".join(f'"{name}"' for name in names))
    fix = Fix("drop", names, problem)
    return Advice("alternatives", f"{problem}: {line} {effect}", some(names, 50), fix)
