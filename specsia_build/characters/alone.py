"""What a file holds besides its one character: scenery, figures, spare props, variants, or nobody in a garment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.names import words_of
from specsia_build.characters.beside import coarser_levels, collision_shapes
from specsia_build.characters.dropping import dropping, listed
from specsia_build.characters.facing import LEAST_PAIRS, pairs_of
from specsia_build.characters.finding import Finding
from specsia_build.characters.landmarks import Landmark
from specsia_build.characters.scenery import Part, Points, has_plate, parts_of, scenery_of
from specsia_build.characters.shape import LEAST_GAP, groups_of, surface_points, surface_samples
from specsia_build.characters.variants import variants_of
from specsia_build.rendering.mesh import Mesh, face_normals
from specsia_build.rendering.topology import topology

LEAST_FIGURE = (0.5, 0.2)
"""Height and surface that a figure has at least, in those of the largest."""

AS_TALL = 0.9
"""Height of a figure that need not stand on the ground of the others, in that of the tallest."""

LEAST_PROP = 0.15
"""Extent of a prop in the character's height, below which it is a finger or a ring."""

LEAST_OPEN = 0.05
"""Share of insides in what is seen from above that a garment shows; of sound characters none shows more than 0.02."""

LEAST_ABOVE, MOST_ABOVE = 0.02, 0.3
"""Height of what is above a head's joint, in the figure's, from which that is a head, and how far above all of the
figure a joint lies that is out of place rather than its own."""

_ALL_POINTS, _MOST_POINTS = 6000, 40_000
_CELLS = 48
_HAND = re.compile(r"hands?|handslot|wrist|palm|grip|weapon|props?|手首?")
_ENDS = {"head": re.compile(r"head|頭"), "hands": re.compile(r"hands?|wrist"), "feet": re.compile(r"foot|feet|toes?")}
_THING = re.compile(
    r"revolver|pistol|gun|rifle|shotgun|bow|crossbow|arrow|sword|dagger|knife|axe|hammer|mace|spear|staff|wand|shield|"
    r"mug|cup|bottle|cube|box|sphere|cylinder|cone|torus|plane|shirt|tshirt|jacket|coat|dress|skirt|pants|trousers|"
    r"jeans|shorts|shoes?|boots?|hat|cap|helmet|gloves?|chair|stool|table|desk|bench|sofa|couch|bed|shelf|bookshelf|cabinet|"
    r"lamp|lantern|torch|candle|barrel|crate|door|fence|wall|floor|house|building|bridge|road|car|truck|bus|train|boat|ship|"
    r"hydrant|camera|vase|bucket|rock|stone|asteroid|meteor|missile|bullet|ammo|spacecraft|spaceship|tower|tile|planks?|"
    r"laptop|computer|monitor|keyboard|treasure|coin|"
    r"club|katana|dynamite|hoodie|sweater|hair|hairstyle|wig|glasses|backpack|stadium|tumbleweed"
)
_FILLER = re.compile(
    r"\d+h?|of|the|a|with|low|high|poly|lowpoly|free|model|v\d+|"
    r"old|new|big|small|large|short|long|male|female|broken|rusty|wood|wooden|metal|iron|steel|gold|golden|silver|leather|"
    r"survival|hunting|combat|military|tactical|medieval|ancient|antique|vintage|modern|fantasy"
)
"""Words that make no character of a thing: how it is made, and what for."""


def company(
    name: str,
    mesh: Mesh,
    part_names: Sequence[Sequence[str]],
    face_part: NDArray[np.int32] | None,
    landmarks: Sequence[Landmark],
) -> tuple[Finding, ...]:
    """What to say of a file that holds more than one character, or none.

    Args:
        name: of the file.
        mesh: Z up.
        part_names, face_part, landmarks: as in `Character`.
    """
    numbers = np.zeros(len(mesh.faces), np.int32) if face_part is None else face_part
    doubles, doubled = _doubles(name, set(np.unique(numbers).tolist()), part_names)
    parts = [part for part in parts_of(mesh, numbers) if part.index not in doubled]
    scenery = scenery_of(parts)
    rest = [part for part in parts if part not in scenery]
    kept = ~np.isin(numbers, [*(part.index for part in scenery), *doubled])
    alone = mesh if kept.all() else replace(mesh, faces=mesh.faces[kept])
    found = [
        *doubles,
        *_scenery_said(name, scenery, part_names),
        *_plate(name, alone),
        *_figures(name, alone, numbers[kept], part_names, landmarks),
        *_variants(name, alone, numbers[kept], part_names),
        *_spare_props(name, rest, part_names),
    ]
    return tuple(found) or _lone_thing(name, alone, landmarks)


def _doubles(name: str, present: set[int], part_names: Sequence[Sequence[str]]) -> tuple[list[Finding], set[int]]:
    """What to say of parts that no engine shows beside the others, and which they are."""
    said: list[Finding] = []
    shapes = collision_shapes(part_names, present)
    if shapes:
        told = f"{name} holds {listed(shapes, part_names)}, called as shapes for collisions are"
        said.append(dropping(told, "leaves out what no engine shows", shapes, part_names))
    coarser = coarser_levels(part_names, present - shapes)
    if coarser:
        told = f"{name} holds coarser levels of detail of its own parts ({listed(coarser, part_names)})"
        said.append(dropping(told, "keeps the finest", coarser, part_names))
    return said, shapes | coarser


def _scenery_said(name: str, scenery: list[Part], part_names: Sequence[Sequence[str]]) -> Iterator[Finding]:
    if scenery:
        chosen = {part.index for part in scenery}
        yield dropping(
            f"{name} holds {listed(chosen, part_names)} around the character, as a floor or a backdrop does",
            "leaves the character alone",
            chosen,
            part_names,
        )


def _plate(name: str, mesh: Mesh) -> Iterator[Finding]:
    if has_plate(mesh):
        yield Finding(f"{name} stands on a plate that is no part of its own: take it away where it was made")


def _figures(
    name: str,
    mesh: Mesh,
    numbers: NDArray[np.int32],
    part_names: Sequence[Sequence[str]],
    landmarks: Sequence[Landmark],
) -> Iterator[Finding]:
    points = surface_points(mesh, _ALL_POINTS)
    if len(points) == 0:
        return
    height = float(np.ptp(points[:, 2]))
    groups = [group for group in groups_of(points, LEAST_GAP * height) if len(group) > 8]
    tallest = max(float(np.ptp(points[g, 2])) for g in groups) if groups else 0.0
    most = max(map(len, groups), default=0)
    figures = [
        g
        for g in groups
        if np.ptp(points[g, 2]) >= LEAST_FIGURE[0] * tallest
        and len(g) >= LEAST_FIGURE[1] * most
        and (points[g, 2].min() <= points[:, 2].min() + 0.2 * height or np.ptp(points[g, 2]) >= AS_TALL * tallest)
    ]
    if len(figures) < 2:
        return
    boxes = [(points[g].min(axis=0), points[g].max(axis=0)) for g in figures]
    if _share_a_rig(boxes, landmarks):
        return
    middle = int(np.argmin([np.linalg.norm((low + high)[:2]) for low, high in boxes]))
    low, high = boxes[middle]
    # A part belongs to the figure that is kept where most of it lies within that one's box.
    centres = mesh.vertices[mesh.faces].mean(axis=1, dtype=np.float64)
    slack = LEAST_GAP / 2 * height
    inside = ((centres[:, :2] >= low[:2] - slack) & (centres[:, :2] <= high[:2] + slack)).all(axis=1)
    counts = np.bincount(numbers, minlength=len(part_names))
    shares = np.bincount(numbers, inside, len(part_names)) / np.maximum(counts, 1)
    others = {k for k in range(len(part_names)) if counts[k] and shares[k] < 0.05}
    mixed = not others or any(counts[k] and 0.05 <= shares[k] <= 0.95 for k in range(len(part_names)))
    told = f"{name} holds {len(figures)} figures side by side"
    if mixed:
        yield Finding(f"{told}, and they share parts: take them apart where they were made, one to a file")
    else:
        yield dropping(told, "keeps the one nearest to the origin", others, part_names)


def _share_a_rig(boxes: list[tuple[Points, Points]], landmarks: Sequence[Landmark]) -> bool:
    """Whether left joints mostly lie in one box and right ones in another, as those of arms that float do."""

    def box_of(place: Points) -> int | None:
        inside = [k for k, (low, high) in enumerate(boxes) if ((low <= place) & (place <= high))[:2].all()]
        return inside[0] if inside else None

    places = [(box_of(left), box_of(right)) for left, right in pairs_of(landmarks)]
    known = [left != right for left, right in places if left is not None and right is not None]
    return len(known) >= LEAST_PAIRS and sum(known) > len(known) / 2


def _variants(
    name: str, mesh: Mesh, numbers: NDArray[np.int32], part_names: Sequence[Sequence[str]]
) -> Iterator[Finding]:
    for first, *others in variants_of(mesh, numbers, part_names):
        spare = set().union(*others)
        told = f"{name} shows {1 + len(others)} variants in one place ({listed(first | spare, part_names)})"
        yield dropping(told, f"keeps {listed(first, part_names)}", spare, part_names)


def _spare_props(name: str, parts: list[Part], part_names: Sequence[Sequence[str]]) -> Iterator[Finding]:
    """Props of which several hang from one hand: all but the largest are spare."""
    if len(parts) < 2:
        return
    height = float(max(p.high[2] for p in parts) - min(p.low[2] for p in parts))
    held: dict[str, list[Part]] = {}
    for part in parts:
        hand = next((n for n in part_names[part.index][1:] if any(_HAND.fullmatch(word) for word in words_of(n))), None)
        if hand is not None and (part.high - part.low).max() >= LEAST_PROP * height:
            held.setdefault(hand, []).append(part)
    crowded = {hand: found for hand, found in held.items() if len(found) > 1}
    spare: set[int] = set()
    for found in crowded.values():
        largest = max(found, key=lambda part: float(np.prod(np.sort(part.high - part.low)[1:])))
        spare |= {part.index for part in found if part is not largest}
    if spare:
        hands = ", ".join(f"{len(found)} below {hand}" for hand, found in crowded.items())
        yield dropping(f"{name} holds several props in one hand ({hands})", "keeps the largest", spare, part_names)


def _lone_thing(name: str, mesh: Mesh, landmarks: Sequence[Landmark]) -> tuple[Finding, ...]:
    """A sentence where there seems to be no character at all."""
    low, high = mesh.bounds()
    slack = 0.1 * float((high - low).max())
    missing: list[str] = []
    there: list[str] = []
    for kind, words in _ENDS.items():
        places = np.array(
            [place for joint, place in landmarks if any(words.fullmatch(word) for word in words_of(joint))]
        )
        if len(places):
            away = bool(((places < low - slack) | (places > high + slack)).any(axis=1).all())
            (missing if away else there).append(kind)
    if len(missing) > 1:
        return (
            Finding(
                f"{name} has joints for {' and '.join(missing)} and no surface there: it seems to be a garment or a "
                "prop without its character"
            ),
        )
    if _is_headless(low, high, landmarks):
        return (
            Finding(f"{name} has a joint for its head and no surface above it: it seems to be a body without its head"),
        )
    if len(there) < len(_ENDS) and _is_hollow(mesh):
        return (
            Finding(
                f"{name} is hollow and open from above: it seems to be a garment or a vessel without anybody in it"
            ),
        )
    bare = (word.rstrip("0123456789") for word in words_of(name.rpartition(".")[0]))
    called = [word for word in bare if word and not _FILLER.fullmatch(word)]
    if called and not there and not missing and all(_THING.fullmatch(word) for word in called):
        limbs = "no joints of a head, hands or feet"
        return (Finding(f"{name} has {limbs} and is called as a thing is: it seems to be no character"),)
    return ()


def _is_headless(low: NDArray[np.floating], high: NDArray[np.floating], landmarks: Sequence[Landmark]) -> bool:
    """Whether a figure's surface, in a box, ends where its head's joint is, which is where a neck ends."""
    heads = [place[2] for joint, place in landmarks if any(_ENDS["head"].fullmatch(word) for word in words_of(joint))]
    above = (float(high[2]) - min(heads)) / max(float(high[2] - low[2]), 1e-12) if heads else 1.0
    return -MOST_ABOVE < above < LEAST_ABOVE


def _is_hollow(mesh: Mesh) -> bool:
    """Whether one looks through a border into it from above, and it shows no insides from before and behind.

    What closes around a volume has no inside to look into, however its faces are wound.
    """
    points, chosen = surface_samples(mesh, _MOST_POINTS)
    if len(points) == 0:
        return False
    normals = face_normals(mesh)[chosen]
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)

    def insides(axis: int, sign: int) -> float:
        """Share of what is seen along an axis that shows its back."""
        plane = np.delete(points, axis, axis=1)
        cell = (plane - plane.min(axis=0)) / max(float(np.ptp(plane, axis=0).max()), 1e-12) * _CELLS
        key = cell.astype(int) @ (1, 2 * _CELLS)
        order = np.lexsort((-sign * points[:, axis], key))
        seen = order[np.unique(key[order], return_index=True)[1]]
        return float(((sign * normals[seen, axis] < -0.3) & bordered[seen]).mean())

    bordered = np.ones(len(points), np.bool_)
    if insides(2, 1) < LEAST_OPEN or max(insides(1, -1), insides(1, 1)) >= LEAST_OPEN:
        return False
    found = topology(mesh)
    bordered = np.isnan(found.volumes)[found.part][chosen]
    return insides(2, 1) >= LEAST_OPEN
