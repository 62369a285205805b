"""Facts about characters before anything is built, and manifests that are suggested from them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from specsia_build.characters.character import AUTO, UNSETTLED, Character, Entry, legible
from specsia_build.characters.doubles import Shape, shape_of
from specsia_build.characters.doubts.doubt import Fix
from specsia_build.characters.manifest import SUGGESTED
from specsia_build.characters.sources import Source
from specsia_build.errors import UsageError, some
from specsia_build.rendering.mesh import Mesh

FRONT, UNSURE = "front", "unsure"
"""Names for what view 0 shows, with a known and an unknown front."""

TOGETHER = "train"
"""Split of characters of one shape if the source states none."""


@dataclass(frozen=True)
class PartFacts:
    """A part of a character that is not dropped.

    Attributes:
        names: that `drop` may give, its own first, then those of nodes above it.
        triangles: number.
        size: width, depth and height, in the character's height.
    """

    names: tuple[str, ...]
    triangles: int
    size: tuple[float, float, float]


@dataclass(frozen=True)
class CharacterFacts:
    """One character in numbers.

    Attributes:
        id, format: of the entry; the format is empty if a manifest line names no known file.
        file: base name of the mesh file or folder.
        vertices: as stored, used or not.
        triangles: after cutting polygons.
        textures: ``{width}x{height}`` of each image in use.
        materials: number.
        parts: names that `drop` may give.
        pieces: parts that are not dropped, in file order.
        skinned: whether it has a skin.
        animations: clips in the file.
        faces: signed axis of its front.
        front: what view 0 shows: ``front``, ``turned 90°``, ``turned 180°`` or ``unsure``.
        warnings: sentences.
        fixes: for its manifest line.
        problem: why it cannot be built, or None.
        shape: see `same_shapes`.
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
    """Facts about a character that cannot be read."""
    return CharacterFacts(entry.id, entry.format, legible(entry.path.name), problem=problem)


def facts_of(character: Character) -> CharacterFacts:
    """Facts about a character that was read."""
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
    """Return what view 0 shows."""
    likely = next((fix.value for fix in character.fixes if fix.key == "front"), character.front)
    if likely != character.front:
        return "turned 180°" if str(likely)[1] == character.front[1] else "turned 90°"
    sideways = any("stands sideways" in doubt.sentence for doubt in character.doubts)
    return "turned 90°" if sideways else FRONT if character.unsure is None else UNSURE


def _pieces(character: Character) -> tuple[PartFacts, ...]:
    mesh = character.mesh
    numbers = np.zeros(len(mesh.faces), np.int32) if character.face_part is None else character.face_part
    order = np.argsort(numbers, kind="stable")
    present, first, counts = np.unique(numbers[order], return_index=True, return_counts=True)
    corners = mesh.vertices[mesh.faces[order]]
    low = np.minimum.reduceat(corners.min(axis=1), first)
    extent = np.maximum.reduceat(corners.max(axis=1), first) - low
    height = max(float(np.ptp(corners[..., 2])), 1e-12)
    return tuple(
        PartFacts(character.part_names[k], int(count), (float(x), float(y), float(z)))
        for k, count, (x, y, z) in zip(present.tolist(), counts, np.round(extent / height, 4), strict=True)
    )


def _texture_sizes(mesh: Mesh) -> tuple[str, ...]:
    textures = [t for m in mesh.materials for t in (m.texture, m.emissive_texture) if t is not None]
    images = {id(texture.pixels): texture.pixels for texture in textures}
    return tuple(f"{pixels.shape[1]}x{pixels.shape[0]}" for pixels in images.values())


def suggested_manifest(
    source: Source, facts: Sequence[CharacterFacts], place: Path, alike: Sequence[Sequence[str]] = ()
) -> bytes:
    """Write the lines of a manifest of a source's characters, with the fixes that there is evidence for.

    Args:
        source: each of its entries with a file gets a line; what it states is kept.
        facts: of its entries, in their order.
        place: of the manifest; paths are relative to its folder.
        alike: sets of ids of one file or one shape, each of which gets one split.

    Raises:
        UsageError: if a character lies outside that folder, or none has a file of its own.
    """
    if source.kind == "sample":
        raise UsageError(f"{source.name} is made anew by each command, so no manifest can name its files")
    folder = Path(os.path.abspath(place.parent))  # noqa: PTH100  as the user wrote it, links not followed
    splits = _splits(source.entries, alike)
    described = zip(source.entries, facts, strict=True)
    lines = [_line(entry, fact, folder, splits.get(entry.id)) for entry, fact in described if not entry.problem]
    if not lines:
        raise UsageError(f"{source.name} holds no character that a manifest could name")
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _splits(entries: Sequence[Entry], alike: Sequence[Sequence[str]]) -> dict[str, tuple[str, str]]:
    """Split and evidence for characters without one: that of those that are alike, if they agree."""
    stated = {entry.id: entry.split for entry in entries}
    splits: dict[str, tuple[str, str]] = {}
    for ids in alike:
        known = {split for character in ids if (split := stated[character]) is not None}
        for character in ids if len(known) < 2 else ():
            if stated[character] is None:
                why = f"split: the same for {some([other for other in ids if other != character])}, which are alike"
                splits.setdefault(character, (next(iter(known), TOGETHER), why))
    return splits


def _line(entry: Entry, facts: CharacterFacts, folder: Path, kept: tuple[str, str] | None) -> dict[str, Any]:
    usual = AUTO if entry.format in UNSETTLED else None
    line: dict[str, Any] = {
        "id": entry.id,
        "path": _below(entry.path, folder, entry),
        "texture": None if entry.texture is None else _below(entry.texture, folder, entry),
        "up": None if entry.up == usual else entry.up,
        "front": None if entry.front == usual else entry.front,
        "sides": entry.sides,
        "pose": None if entry.pose == "rest" else entry.pose,
        "drop": list(entry.drop) or None,
        "drawing": None if entry.drawing is None else _below(entry.drawing, folder, entry),
        "split": entry.split,
        "license": entry.license,
        "source": entry.source,
    }
    evidence = [SUGGESTED]
    if kept is not None:
        line["split"], why = kept
        evidence.append(why)
    for fix in facts.fixes:
        line[fix.key] = fix.value
        if fix.key == "drop":
            line["drop"] = list(dict.fromkeys((*entry.drop, *fix.value)))
        elif fix.key == "texture":
            line["texture"] = _below(entry.within / str(fix.value), folder, entry)
        evidence.append(f"{fix.key}: {fix.why}")
    if facts.problem is not None:
        evidence.append(f"problem: {facts.problem}")
    line["comment"] = "; ".join(evidence)
    return {key: value for key, value in line.items() if value is not None}


def _below(path: Path, folder: Path, entry: Entry) -> str:
    """A path relative to a manifest's folder; a `UsageError` if it lies outside, links followed."""
    relative = os.path.relpath(path, folder)
    if relative.startswith(os.pardir) or not path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{path} lies outside {folder}, and a manifest's paths may not: write it into {entry.within}")
    return Path(relative).as_posix()
