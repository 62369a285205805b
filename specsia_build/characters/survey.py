"""What a source's characters are like, before anything is built."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from specsia_build.characters.character import SETTLED, Character, Entry, legible
from specsia_build.characters.doubles import Shape, shape_of
from specsia_build.characters.finding import Mending
from specsia_build.characters.stance import stance
from specsia_build.errors import some
from specsia_build.rendering.mesh import Mesh

UNSURE = "?"
"""Follows an axis that nobody, no joint and no shape says."""


LEAST_LEANING = 2
"""Characters of a folder that face another way than their format has it, from which that is said of the others."""


@dataclass(frozen=True)
class PartFacts:
    """A part of a character that is not dropped.

    Attributes:
        names: any of which `drop` may give, its own first, then those of what it hangs below.
        triangles: how many.
        size: its width, depth and height, in the character's height.
    """

    names: tuple[str, ...]
    triangles: int
    size: tuple[float, float, float]


@dataclass(frozen=True)
class CharacterFacts:
    """One character in numbers.

    Attributes:
        id: of the entry.
        format: of the entry; empty where a manifest line names no file that can be told.
        file: base name of the mesh file or folder.
        vertices: that a face uses or not, as stored.
        triangles: after cutting polygons.
        textures: ``{width}x{height}`` of each image in use.
        materials: how many.
        parts: names that `drop` may give.
        pieces: each part that is not dropped, in file order.
        skinned: whether a skin posed the vertices.
        animations: clips in the file.
        faces: signed axis taken for its front; with a ``?`` where nobody, no joint and no shape says so.
        pose: ``T-pose``, ``A-pose``, ``arms down`` or ``posed``, by the joints of the arms; empty where none are
            named.
        warnings: sentences about what would be built all the same.
        mendings: what a manifest's line could say of it, by the evidence that the warnings give.
        problem: why it cannot be built, or None.
        shape: by which `same_shapes` finds it under other names.
    """

    id: str
    format: str
    file: str
    vertices: int = 0
    triangles: int = 0
    textures: tuple[str, ...] = ()
    materials: int = 0
    parts: tuple[str, ...] = ()
    pieces: tuple[PartFacts, ...] = ()
    skinned: bool = False
    animations: int = 0
    faces: str = ""
    pose: str = ""
    warnings: tuple[str, ...] = ()
    mendings: tuple[Mending, ...] = ()
    problem: str | None = None
    shape: Shape = ()


def unread(entry: Entry, problem: str) -> CharacterFacts:
    """What is said of a character that cannot be read."""
    return CharacterFacts(entry.id, entry.format, legible(entry.path.name), problem=problem)


def facts_of(character: Character) -> CharacterFacts:
    """What a character that was read is like."""
    mesh, entry = character.mesh, character.entry
    return CharacterFacts(
        id=entry.id,
        format=entry.format,
        file=legible(entry.path.name),
        vertices=len(mesh.vertices),
        triangles=len(mesh.faces),
        textures=_texture_sizes(mesh),
        materials=len(mesh.materials),
        parts=character.parts,
        pieces=_pieces(character),
        skinned=character.skinned,
        animations=character.animations,
        faces=character.front if character.unsure is None else f"{character.front}{UNSURE}",
        pose=stance(character.landmarks),
        warnings=character.warnings,
        mendings=character.mendings,
        shape=shape_of(mesh),
    )


def leanings(entries: Sequence[Entry], facts: Sequence[CharacterFacts]) -> list[str]:
    """A sentence for each folder in which what is found of most fronts is another axis than their format's.

    Who made those made the others beside them, whose fronts nothing tells, most likely alike.

    Args:
        entries: of a source.
        facts: of each.
    """
    beside: defaultdict[tuple[Path, str], list[CharacterFacts]] = defaultdict(list)
    for entry, one in zip(entries, facts, strict=True):
        if one.problem is None and entry.format not in SETTLED:
            beside[entry.path.parent, entry.format].append(one)
    said = []
    for group in beside.values():
        unsure = [one.id for one in group if one.faces.endswith(UNSURE)]
        turned = Counter(m.value for one in group for m in one.mendings if m.key == "front")
        axis, count = turned.most_common(1)[0] if turned else ("", 0)
        known = len(group) - len(unsure)
        if unsure and count >= LEAST_LEANING and count > known / 2:
            said.append(
                f"{count} of {known} whose front is found beside {some(unsure)} face {axis}: if their pictures show "
                f'their backs or sides, "front": "{axis}" in their lines turns them'
            )
    return said


def _pieces(character: Character) -> tuple[PartFacts, ...]:
    mesh = character.mesh
    numbers = np.zeros(len(mesh.faces), np.int32) if character.face_part is None else character.face_part
    order = np.argsort(numbers, kind="stable")
    found, first, counts = np.unique(numbers[order], return_index=True, return_counts=True)
    corners = mesh.vertices[mesh.faces[order]]
    low = np.minimum.reduceat(corners.min(axis=1), first)
    extent = np.maximum.reduceat(corners.max(axis=1), first) - low
    height = max(float(np.ptp(corners[..., 2])), 1e-12)
    return tuple(
        PartFacts(character.part_names[k], int(count), (float(x), float(y), float(z)))
        for k, count, (x, y, z) in zip(found.tolist(), counts, np.round(extent / height, 4), strict=True)
    )


def _texture_sizes(mesh: Mesh) -> tuple[str, ...]:
    textures = [t for m in mesh.materials for t in (m.texture, m.emissive_texture) if t is not None]
    images = {id(texture.pixels): texture.pixels for texture in textures}
    return tuple(f"{pixels.shape[1]}x{pixels.shape[0]}" for pixels in images.values())
