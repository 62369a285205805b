"""Facts about characters before anything is built: numbers, equal shapes, missing textures, suggested manifests."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.characters.character import AUTO, SETTLED, UNSETTLED, Character, Doubt, Entry, Fix, legible
from specsia_build.characters.doubts.looks import has_colours, plain_colour
from specsia_build.characters.images import IMAGE_SUFFIXES
from specsia_build.characters.sources import SUGGESTED, Source
from specsia_build.errors import UsageError, some
from specsia_build.files.sources import is_file, listing, source_digest
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.topology import linked_groups

T = TypeVar("T")
FRONT, UNSURE = "front", "unsure"
"""Names for what view 0 shows, with a known and an unknown front."""

TOGETHER = "train"
"""Split of characters of one shape if the source states none."""

Shape: TypeAlias = tuple[float, ...]
"""Number of triangles and of points of a mesh, and quantiles of its points' distances, see `shape_of`."""

MOST_UNLIKE = 0.003
"""Distance of two shapes' quantiles, in the root mean square distance; breathing moves more."""

MOST_UNCOUNTED = 0.01
"""Share of the triangles and points that one format may drop and another keep."""

_SHARES, _CELLS = np.linspace(0.0, 1.0, 17), 10_000
_MOST_IMAGES, _MOST_LISTED = 3, 2000


@dataclass(frozen=True)
class PartFacts:
    """A part that is not dropped: names that `drop` may give, and width, depth and height in the character's height."""

    names: tuple[str, ...]
    triangles: int
    size: tuple[float, float, float]


@dataclass(frozen=True)
class CharacterFacts:
    """One character in numbers.

    Attributes:
        file: base name of the mesh file or folder.
        vertices, triangles: numbers, of vertices in the file and of triangles after cutting polygons.
        textures: ``{width}x{height}`` of each image in use.
        parts: names that `drop` may give.
        faces: signed axis of its front.
        front: what view 0 shows: ``front``, ``turned 90°``, ``turned 180°`` or ``unsure``.
        problem: why it cannot be built, or None.
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
    likely = next((str(fix.value) for fix in character.fixes if fix.key == "front"), character.front)
    front = FRONT if character.unsure is None else UNSURE
    if likely != character.front:
        front = "turned 180°" if likely[1] == character.front[1] else "turned 90°"
    elif any("stands sideways" in doubt.sentence for doubt in character.doubts):
        front = "turned 90°"
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
        pieces=_pieces(character),
        skinned=character.skinned,
        animations=character.animations,
        faces=character.front,
        front=front,
        warnings=character.warnings,
        fixes=character.fixes,
        shape=shape_of(mesh),
    )


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


def shape_of(mesh: Mesh) -> Shape:
    """Numbers that a mesh keeps in every format, turn and size, and that another pose or figure changes.

    Counts of triangles and of distinct points, and 17 quantiles of the points' distances from their middle, in the root
    of their mean square.
    """
    points = mesh.vertices[mesh.used].astype(np.float64)
    points -= points.min(axis=0)
    cells = np.rint(points * (_CELLS / max(float(points.max()), 1e-300))).astype(np.int64)
    _, first = np.unique(cells @ (1, _CELLS + 1, (_CELLS + 1) ** 2), return_index=True)
    distances = np.linalg.norm(points[first] - points[first].mean(axis=0), axis=1)
    scale = max(float(np.sqrt((distances**2).mean())), 1e-300)
    spread = np.quantile(distances / scale, _SHARES)
    return (len(mesh.faces), len(first), *np.round(spread, 5).tolist())


def same_shapes(entries: Iterable[Entry], shapes: Sequence[Shape]) -> list[tuple[str, ...]]:
    """Ids of characters that are one shape, in the order of `entries`; not of 3DBiCar folders, nor of empty shapes."""
    described = zip(entries, shapes, strict=True)
    shaped = [(entry.id, shape) for entry, shape in described if shape and entry.format not in SETTLED]
    if not shaped:
        return []
    # Each of several equal shapes counts once, or a thousand copies would be a million pairs.
    values, which = np.unique(np.array([shape for _, shape in shaped], np.float64), axis=0, return_inverse=True)
    tree = scipy.spatial.cKDTree(values[:, 2:])
    near: NDArray[np.intp] = tree.query_pairs(MOST_UNLIKE, np.inf, output_type="ndarray")
    counts = values[near][:, :, :2]
    near = near[(np.ptp(counts, axis=1) <= MOST_UNCOUNTED * counts.max(axis=1)).all(axis=1)]
    groups = linked_groups(near[:, 0], near[:, 1], len(values))
    return _together(
        (group, character_id) for (character_id, _), group in zip(shaped, groups[which.ravel()], strict=True)
    )


def same_files(entries: Iterable[Entry]) -> list[tuple[str, ...]]:
    """Ids of characters whose mesh files hold the same bytes, in the order of `entries`; not of 3DBiCar folders."""
    files = [entry for entry in entries if entry.problem is None and is_file(entry.path)]
    same_size = chain.from_iterable(_together((entry.path.stat().st_size, entry) for entry in files))
    digests = ((source_digest(entry.path, entry.within), entry.id) for entry in same_size)
    return _together((digest, character_id) for digest, character_id in digests if digest is not None)


def _together(pairs: Iterable[tuple[object, T]]) -> list[tuple[T, ...]]:
    """The values of each key that has several, by pairs of key and value."""
    groups = defaultdict[object, list[T]](list)
    for key, value in pairs:
        groups[key].append(value)
    return [tuple(values) for values in groups.values() if len(values) > 1]


def one_colour(character: Character, color: NDArray[np.uint8], coverage: NDArray[np.uint8]) -> Iterator[Doubt]:
    """The doubt about a character whose view 0 shows one colour, white too, and the image that may be its texture.

    The view is drawn without shading: color (S, S, 4) and coverage (S, S).
    """
    mesh, entry = character.mesh, character.entry
    plain = None if has_colours(mesh) else plain_colour(color, coverage)
    if plain is None:
        return
    problem = f"{legible(entry.path.name)} shows one plain {plain} in view 0"
    bare = all(mesh.materials[k].texture is None for k in np.unique(mesh.face_material))
    found = _images(character) if bare and mesh.uv is not None and entry.format not in SETTLED else []
    images = [Path(os.path.relpath(path, entry.within)).as_posix() for path in found]
    if not images:
        yield Doubt(f'{problem}: look at it, and at its textures; "texture" in its manifest line names one')
        return
    lines = " or ".join(f'"texture": "{image}"' for image in images)
    why = "an image of the character's name, which it does not show"
    fix = Fix("texture", images[0], why) if len(images) == 1 else None
    yield Doubt(f"{problem}; {lines} in its manifest line would colour it", fix=fix)


def _images(character: Character) -> list[Path]:
    """Images that a file names and does not show, or else those near it whose names begin with its own."""
    entry, folder = character.entry, character.entry.path.parent
    beside = [top / name for top in (folder, folder.parent) for name in listing(top).of_images]
    near = [place / name for place in (folder, *beside) for name in listing(place).names[:_MOST_LISTED]]
    own = (entry.path.stem.casefold(), entry.id.casefold())
    alike = [path for path in near if path.name.casefold().startswith(own)]
    named, alike = (
        [path for path in dict.fromkeys(paths) if path.suffix.lower() in IMAGE_SUFFIXES and is_file(path)]
        for paths in (character.files, alike)
    )
    return (named or alike)[:_MOST_IMAGES]


def suggested_manifest(
    source: Source, facts: Sequence[CharacterFacts], place: Path, alike: Sequence[Sequence[str]] = ()
) -> bytes:
    """Write the lines of a manifest at `place` of a source's characters, with the fixes that there is evidence for.

    What entries state is kept; `facts` are theirs, in their order. Characters of one file or shape (`alike`) get one
    split.

    Raises:
        UsageError: if a character lies outside that folder, or none has a file of its own.
    """
    if source.kind == "sample":
        raise UsageError(f"{source.name} is made again by each command, so no manifest can name its files")
    folder = Path(os.path.abspath(place.parent))  # noqa: PTH100  as the user wrote it, links not followed
    # Split and evidence for characters without one: that of those that are alike, if they agree.
    stated = {entry.id: entry.split for entry in source.entries}
    splits: dict[str, tuple[str, str]] = {}
    for ids in alike:
        known = {split for character in ids if (split := stated[character]) is not None}
        for character in ids if len(known) < 2 else ():
            if stated[character] is None:
                why = f"split: the same for {some([other for other in ids if other != character])}, which are alike"
                splits.setdefault(character, (next(iter(known), TOGETHER), why))
    described = zip(source.entries, facts, strict=True)
    lines = [_line(entry, fact, folder, splits.get(entry.id)) for entry, fact in described if not entry.problem]
    if not lines:
        raise UsageError(f"{source.name} holds no character that a manifest could name")
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


_KEYS = ("id", "path", "texture", "up", "front", "sides", "pose", "drop", "drawing", "split", "license", "source")


def _line(entry: Entry, facts: CharacterFacts, folder: Path, split: tuple[str, str] | None) -> dict[str, Any]:
    usual = AUTO if entry.format in UNSETTLED else None
    unstated = {"up": usual, "front": usual, "pose": "rest", "drop": ()}
    line: dict[str, Any] = {key: getattr(entry, key) for key in _KEYS}
    line = {key: None if value == unstated.get(key) else value for key, value in line.items()}
    for key in ("path", "texture", "drawing"):
        line[key] = line[key] and _below(line[key], folder, entry)
    evidence = [SUGGESTED]
    if split is not None:
        line["split"], why = split
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
