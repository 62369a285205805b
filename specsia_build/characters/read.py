"""Read one character of any format: a checked mesh in the project's frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.rig import Rig
from specsia_build.animation.skeleton import Skeleton
from specsia_build.characters.actions import unknown_action
from specsia_build.characters.attributes import without_repeated_light
from specsia_build.characters.axes import axes_of
from specsia_build.characters.bicar import read_bicar
from specsia_build.characters.character import Character, Entry
from specsia_build.characters.doubts import contents
from specsia_build.characters.doubts.probe import probe_of
from specsia_build.characters.doubts.sides import with_sides
from specsia_build.characters.obj import read_obj
from specsia_build.characters.ply import read_ply
from specsia_build.characters.polygons import MAX_TRIANGLES
from specsia_build.characters.raw import PARSER_ERRORS, RawMesh, RawMoving
from specsia_build.errors import CharacterError, CostError, plural
from specsia_build.files.sources import BEGINNING, open_source_file, other_content
from specsia_build.frame import front_rotation, up_rotation
from specsia_build.rendering.mesh import Mesh, flat_normals

READING = 15
"""Version of the readers' results; it is part of the versions of stages that read files."""

_NOT_FINITE = "with numbers that are not finite"


def read_character(entry: Entry) -> Character:
    """Read a character; a procedural one is written first if it is not there.

    Returns:
        The character, Z up and facing -Y, in its own units. Every vertex that a face uses is finite and the surface has
        an extent.

    Raises:
        CharacterError: if it cannot be built, or needs more memory than a worker may use.
    """
    return _read_within_memory(entry, moving=False)[0]


@dataclass(frozen=True)
class AnimatedCharacter(RawMoving):
    """A character as `read_character` gives it, with its rig at rest and its file's motions."""

    character: Character


def read_animated(entry: Entry) -> AnimatedCharacter:
    """Read a character with its rig and motions; formats without rigs give a skeleton of one node.

    Raises:
        CharacterError: as `read_character`.
    """
    character, moving = _read_within_memory(entry, moving=True)
    return AnimatedCharacter(character=character, **vars(moving or RawMoving(_still(character.mesh.vertices))))


def _still(points: NDArray[np.float32]) -> Rig:
    """The rig of points (V, 3) on one node."""
    skeleton = Skeleton(
        names=("",),
        parents=np.array([-1], np.int32),
        translations=np.zeros((1, 3)),
        rotations=np.array([[0.0, 0.0, 0.0, 1.0]]),
        scales=np.ones((1, 3)),
    )
    return Rig(
        skeleton=skeleton,
        points=points,
        slots=np.zeros((len(points), 1), np.int32),
        weights=np.ones((len(points), 1), np.float32),
        nodes=np.zeros(1, np.int32),
        inverse_binds=np.eye(4)[None],
        placement=np.eye(4),
    )


def _read_within_memory(entry: Entry, *, moving: bool) -> tuple[Character, RawMoving | None]:
    if entry.problem is not None:
        raise CharacterError(entry.problem)
    try:
        if entry.sample is not None:
            from specsia_build.characters.samples.write import provide

            provide(entry)
        with memory.counting(entry.path.name):
            return _read(entry, moving=moving)
    except CharacterError as error:
        content = _other_content(entry)
        if content is None:
            raise
        raise CharacterError(content) from error
    except CostError as error:
        raise CharacterError(str(error)) from error
    except MemoryError as error:
        raise CharacterError(memory.exhausted(entry.path.name)) from error


def _other_content(entry: Entry) -> str | None:
    """The sentence about a mesh file that is something else than its name says, or None."""
    path = entry.path / "tpose" / "m.obj" if entry.format == "3dbicar" else entry.path
    try:
        with open_source_file(path, entry.within) as stream:
            content = other_content(stream.read(BEGINNING), entry.format)
    except (OSError, CharacterError):
        return None
    return None if content is None else f"{path.name} {content}"


def _read(entry: Entry, *, moving: bool) -> tuple[Character, RawMoving | None]:
    try:
        raw = _read_raw(entry, moving=moving)
    except PARSER_ERRORS as error:
        detail = str(error) or type(error).__name__
        raise CharacterError(f"{entry.path.name} could not be read: {detail}") from error
    name = entry.path.name
    check_shape(raw.mesh, name)
    mesh, repaired = _repaired(without_repeated_light(raw.mesh), name)
    probe = probe_of(mesh, raw.part_names, raw.face_part, raw.landmarks)
    try:
        with np.errstate(all="ignore"):
            axes = axes_of(entry, raw, probe)
        turn = front_rotation(axes.front) @ up_rotation(axes.up)
    except ValueError as error:
        raise CharacterError(f"{name}: {error}") from error
    upright = probe.turned(turn)
    sided, of_sides = with_sides(upright.placed, entry.sides, name)
    with np.errstate(all="ignore"):
        doubts = (*axes.doubts, *of_sides, *contents.check(upright, name))
    unknown = [part for part in entry.drop if part not in raw.parts and part not in raw.names]
    dropped = tuple(f"'{part}' is to be dropped but {name} has no such part" for part in unknown)
    character = Character(
        entry=entry,
        mesh=sided,
        files=raw.files,
        warnings=(*raw.warnings, *repaired, *dropped, *(doubt.sentence for doubt in doubts)),
        parts=raw.parts,
        skinned=raw.skinned,
        animations=raw.animations,
        landmarks=tuple(upright.landmarks),
        part_names=raw.part_names,
        face_part=raw.face_part,
        up=axes.up,
        front=axes.front,
        unsure=axes.unsure,
        doubts=doubts,
    )
    if raw.moving is None:
        return character, None
    upturn = np.eye(4)
    upturn[:3, :3] = turn
    return character, replace(raw.moving, rig=raw.moving.rig.placed(upturn))


def _read_raw(entry: Entry, *, moving: bool) -> RawMesh:
    options: dict[str, Any] = {"texture": entry.texture, "drop": entry.drop, "root": entry.within}
    if entry.format in ("gltf", "vrm"):
        from specsia_build.characters.gltf.read import read_gltf

        return read_gltf(entry.path, pose=entry.pose, moving=moving, **options)
    if entry.format in ("fbx", "blend"):
        from specsia_build.characters.blender import read_with_blender

        return read_with_blender(entry.path, pose=entry.pose, moving=moving, **options)
    if entry.pose != "rest":
        raise CharacterError(unknown_action(entry.path.name, entry.pose, ()))
    if entry.format == "3dbicar":
        return read_bicar(entry.path, moving=moving, **options)
    if entry.format in ("obj", "ply"):
        return (read_obj if entry.format == "obj" else read_ply)(entry.path, **options)
    raise CharacterError(f"{entry.path.name} is of no format that is read: '{entry.format}'")


def check_shape(mesh: Mesh, name: str) -> None:
    """Raise a `CharacterError` unless a mesh has faces, not too many, with finite vertices and an extent."""
    if len(mesh.faces) == 0:
        raise CharacterError(f"{name} has no faces")
    if len(mesh.faces) > MAX_TRIANGLES:
        raise CharacterError(f"{name} has {len(mesh.faces)} triangles; the most that are read are {MAX_TRIANGLES}")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise CharacterError(f"{name} has faces that name vertices it does not have")
    used = mesh.vertices[mesh.used].astype(np.float64)
    broken = int((~np.isfinite(used)).any(axis=1).sum())
    if broken:
        raise CharacterError(f"{name} has {plural(broken, 'vertex')} {_NOT_FINITE}")
    if float((used.max(axis=0) - used.min(axis=0)).max()) <= 0:
        raise CharacterError(f"{name} has no extent: all of its faces lie in one point")


def _repaired(mesh: Mesh, name: str) -> tuple[Mesh, list[str]]:
    """Replace attributes that are not finite, with a warning for each kind."""
    repaired: dict[str, Any] = {}
    warnings = []
    for attribute, what, how in (
        ("uv", "texture coordinate", "set to 0"),
        ("colors", "vertex colour", "set to white"),
        ("normals", "normal", "taken from the faces"),
    ):
        values = getattr(mesh, attribute)
        if values is not None and not np.isfinite(values).all():
            finite = np.isfinite(values).all(axis=-1, keepdims=True)
            filling = flat_normals(mesh) if attribute == "normals" else np.float32(attribute == "colors")
            repaired[attribute] = np.where(finite, values, filling)
            warnings.append(f"{name} has {plural(int((~finite).sum()), what)} {_NOT_FINITE}: {how}")
    return replace(mesh, **repaired) if repaired else mesh, warnings
