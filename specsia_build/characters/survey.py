"""Facts about characters before a build: numbers, equal files, one plain colour, suggested manifests."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from specsia_build import png
from specsia_build.arrays import Pixels
from specsia_build.characters.character import AUTO, UNSETTLED, Character, Entry, Fix, legible
from specsia_build.characters.checks.looks import has_colours, plain_colour
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import Source
from specsia_build.errors import CharacterError, UsageError
from specsia_build.files.sources import DigestOf, is_file, source_digest
from specsia_build.frame import Camera, normalise, view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh, compacted
from specsia_build.warning import Code, Warning

_T = TypeVar("_T")
UNSURE = "unsure"  # A front that is neither stated nor found
# Size of the picture in pixels, and number of views that must contain the whole character
_SIZE, _VIEWS = 256, 10


@dataclass(frozen=True)
class CharacterFacts:
    """One character in numbers."""

    id: str
    format: str
    file: str  # Base name of the mesh file or folder
    vertices: int = 0  # Number in the file
    triangles: int = 0  # Number after cutting polygons
    textures: tuple[str, ...] = ()  # ``{width}x{height}`` of each image in use
    materials: int = 0
    parts: tuple[str, ...] = ()  # Names that `drop` may give
    skinned: bool = False
    animations: int = 0
    faces: str = ""  # Signed axis of its front, or `UNSURE`
    warnings: tuple[Warning, ...] = ()
    fixes: tuple[Fix, ...] = ()
    problem: str | None = None  # Why it cannot be built, or None
    code: Code | None = None  # Of the problem


def unread(entry: Entry, problem: str, code: Code) -> CharacterFacts:
    """Facts about a character that cannot be read."""
    return CharacterFacts(entry.id, entry.format, legible(entry.path.name), problem=problem, code=code)


def facts_of(character: Character) -> CharacterFacts:
    """Facts about a character that was read."""
    mesh, entry = character.mesh, character.entry
    textures = [t for m in mesh.materials for t in (m.texture, m.emissive_texture) if t is not None]
    images = {id(texture.pixels): texture.pixels for texture in textures}
    return CharacterFacts(
        id=entry.id,
        format=entry.format,
        file=legible(entry.path.name),
        vertices=len(mesh.vertices),
        triangles=len(mesh.faces),
        textures=tuple(f"{pixels.shape[1]}x{pixels.shape[0]}" for pixels in images.values()),
        materials=len(mesh.materials),
        parts=character.parts,
        skinned=character.skinned,
        animations=character.animations,
        faces=UNSURE if character.unsure else character.front,
        warnings=character.warnings,
        fixes=character.fixes,
    )


def survey(entry: Entry, *, pictured: bool) -> tuple[CharacterFacts, bytes]:
    """Facts of a character or why it is unreadable; view 0 as a PNG, no contour, or b"" if not `pictured`.

    Where it is advised to drop parts, the picture shows the character with them and, right of that, without.
    """
    try:
        character = read_character(entry)
        posed, camera = _placed(character)
        front = next(iter(FastRenderer().render(posed, [camera])))
    except CharacterError as error:
        return unread(entry, str(error), error.code), b""
    warnings = (*character.warnings, *one_colour(character, front.color, front.coverage))
    character = replace(character, warnings=warnings)
    if not pictured:
        return facts_of(character), b""
    pictures = [front.color]
    dropped = {name for fix in character.fixes if fix.key == "drop" for name in fix.value}
    if dropped and character.face_part is not None:
        parts = [k for k, names in enumerate(character.part_names) if not dropped.isdisjoint(names)]
        without = posed.of_faces(~np.isin(character.face_part, parts))
        pictures.append(next(iter(FastRenderer().render(without, [camera]))).color)
    return facts_of(character), png.encode(np.concatenate(pictures, axis=1))


def _placed(character: Character) -> tuple[Mesh, Camera]:
    """A character's mesh where view 0 shows it whole, and that view's camera."""
    mesh, cameras = compacted(character.mesh), view_cameras(_VIEWS, _SIZE)
    placed = normalise(mesh.vertices, cameras, 1)
    return mesh.with_vertices(placed.apply(mesh.vertices)), cameras[0]


def checked_colours(character: Character) -> Iterator[Warning]:
    """Warn of a character whose front, drawn small for it, is of one colour."""
    posed, camera = _placed(character)
    front = next(iter(FastRenderer().render(posed, [camera])))
    yield from one_colour(character, front.color, front.coverage)


def same_files(entries: Iterable[Entry], digest_of: DigestOf = source_digest) -> list[tuple[str, ...]]:
    """Ids of characters whose mesh files hold equal bytes, in order of `entries`; not of 3DBiCar folders."""
    files = [entry for entry in entries if entry.problem is None and is_file(entry.path)]
    same_size = chain.from_iterable(_together((entry.path.stat().st_size, entry) for entry in files))
    digests = ((digest_of(entry.path, entry.within), entry.id) for entry in same_size)
    return _together((digest, character_id) for digest, character_id in digests if digest is not None)


def _together(pairs: Iterable[tuple[object, _T]]) -> list[tuple[_T, ...]]:
    """The values of each key that has several, by pairs of key and value."""
    groups = defaultdict[object, list[_T]](list)
    for key, value in pairs:
        groups[key].append(value)
    return [tuple(values) for values in groups.values() if len(values) > 1]


def one_colour(character: Character, color: Pixels, coverage: Pixels) -> Iterator[Warning]:
    """Warn of a character whose view 0, unshaded (S, S, 4) with coverage (S, S), is of one colour."""
    plain = None if has_colours(character.mesh) else plain_colour(color, coverage)
    if plain is not None:
        name = legible(character.entry.path.name)
        advice = 'look at it, and at its textures; "texture" in its manifest line adds one'
        yield Warning("one-colour", f"{name} shows one plain {plain} in view 0: {advice}", name)


def suggested_manifest(source: Source, facts: Sequence[CharacterFacts], place: Path) -> bytes:
    """Write lines of a manifest at `place` of a source's characters, with fixes that there is evidence for.

    What entries state is kept; `facts` are theirs, in their order. Raises UsageError if a character lies
    outside that folder, or none has a file of its own.
    """
    if source.kind == "sample":
        raise UsageError(f"{source.name} is made again by each command, so no manifest can name its files")
    folder = Path(os.path.abspath(place.parent))  # noqa: PTH100  as the user wrote it, links not followed
    described = zip(source.entries, facts, strict=True)
    lines = [_line(entry, fact, folder) for entry, fact in described if not entry.problem]
    if not lines:
        raise UsageError(f"{source.name} holds no character that a manifest could name")
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


_KEYS = "id path texture up front sides pose drop drawing split license source"


def _line(entry: Entry, facts: CharacterFacts, folder: Path) -> dict[str, Any]:
    usual = AUTO if entry.format in UNSETTLED else None
    unstated = {"up": usual, "front": usual, "pose": "rest", "drop": ()}
    line: dict[str, Any] = {key: getattr(entry, key) for key in _KEYS.split()}
    line = {key: None if value == unstated.get(key) else value for key, value in line.items()}
    for key in ("path", "texture", "drawing"):
        line[key] = line[key] and _below(line[key], folder, entry)
    evidence: list[str] = []
    for fix in facts.fixes:
        line[fix.key] = fix.value
        if fix.key == "drop":
            line["drop"] = list(dict.fromkeys((*entry.drop, *fix.value)))
        evidence.append(f"{fix.key}: {fix.why}")
    if facts.problem is not None:
        evidence.append(f"problem: {facts.problem}")
    line["comment"] = "; ".join(evidence) or None
    return {key: value for key, value in line.items() if value is not None}


def _below(path: Path, folder: Path, entry: Entry) -> str:
    """A path relative to a manifest's folder; a `UsageError` if it lies outside, links followed."""
    relative = os.path.relpath(path, folder)
    if relative.startswith(os.pardir) or not path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{path} lies outside {folder}, and a manifest's paths may not: write it into {entry.within}"
        )
    return Path(relative).as_posix()
