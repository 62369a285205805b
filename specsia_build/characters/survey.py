"""What a source's characters are like, before anything is built."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from specsia_build.characters.character import Character, Entry, legible
from specsia_build.characters.doubles import Shape, shape_of
from specsia_build.characters.doubts.doubt import Fix
from specsia_build.rendering.mesh import Mesh

FRONT, UNSURE = "front", "unsure"
"""What view 0 shows where somebody, its joints or its shape say the front, and where nothing does."""


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
        faces: signed axis taken for its front.
        front: what view 0 shows: ``front``, ``turned 90°``, ``turned 180°`` or ``unsure``.
        warnings: sentences about what would be built all the same.
        fixes: what a manifest line could say of it.
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
    front: str = ""
    warnings: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()
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
        faces=character.front,
        front=_front(character),
        warnings=character.warnings,
        fixes=character.fixes,
        shape=shape_of(mesh),
    )


def _front(character: Character) -> str:
    """What view 0 shows, as far as anything says so."""
    says = next((fix.value for fix in character.fixes if fix.key == "front"), character.front)
    if says != character.front:
        return "turned 180°" if str(says)[1] == character.front[1] else "turned 90°"
    sideways = any("stands sideways" in doubt.sentence for doubt in character.doubts)
    return "turned 90°" if sideways else FRONT if character.unsure is None else UNSURE


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
