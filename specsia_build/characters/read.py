"""Read one character of any format: a checked mesh in the project's frame."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from specsia_build import memory
from specsia_build.animation.rig import Rig
from specsia_build.characters.actions import unknown_action
from specsia_build.characters.bicar import read_bicar
from specsia_build.characters.character import (
    AUTO,
    OWN_AXIS,
    PARSER_ERRORS,
    SETTLED,
    UNSETTLED,
    Advice,
    Character,
    Entry,
    Fix,
    RawMesh,
    RawMoving,
)
from specsia_build.characters.checks import contents
from specsia_build.characters.checks.axes import Evidence, front_of, up_of
from specsia_build.characters.checks.looks import with_sides
from specsia_build.characters.checks.probe import Probe, probe_of
from specsia_build.characters.front import AROUND
from specsia_build.characters.obj import read_obj
from specsia_build.characters.ply import read_ply
from specsia_build.characters.polygons import MAX_TRIANGLES, without_repeated_light
from specsia_build.characters.visible import with_visible_faces
from specsia_build.errors import CharacterError, CostError
from specsia_build.frame import front_rotation, up_rotation
from specsia_build.rendering.mesh import CORNER_ARRAYS, Mesh, flat_normals
from specsia_build.warning import Code, Warning

READING = 23  # Version of the readers' results; it is part of the versions of stages that read files


@dataclass(frozen=True)
class AnimatedCharacter(RawMoving):
    """A character as `read_character` gives it, with its rig at rest and its file's motions."""

    character: Character


def read_character(entry: Entry) -> Character:
    """Read a character, Z up and facing -Y, in its own units; a procedural one is written first if needed.

    Every vertex that a face uses is finite and the surface has an extent. Raises CharacterError if it cannot
    be built, or needs more memory than a worker may use.
    """
    return _read_within_memory(entry, moving=False)


def read_animated(entry: Entry) -> AnimatedCharacter:
    """Read a character with its rig and motions as `read_character`; formats without rigs give one node."""
    character = _read_within_memory(entry, moving=True)
    moving, points = character.moving, character.mesh.vertices
    if moving is None:
        root, weights = np.array([-1], np.int32), np.ones((len(points), 1))
        moving = RawMoving(rig=Rig.unturned(("",), root, np.zeros((1, 3)), points, weights))
    return AnimatedCharacter(character=replace(character, moving=None), **vars(moving))


def _read_within_memory(entry: Entry, *, moving: bool) -> Character:
    if entry.problem is not None:
        raise CharacterError(entry.problem)
    try:
        if entry.sample is not None:
            from specsia_build.characters.samples.write import provide

            provide(entry)
        with memory.counting(entry.path.name):
            return _read(entry, moving=moving)
    except CostError as error:
        raise CharacterError(str(error), "too-large") from error
    except MemoryError as error:
        raise CharacterError(memory.exhausted(entry.path.name), "too-large") from error


def _read(entry: Entry, *, moving: bool) -> Character:
    name = entry.path.name
    try:
        raw = _read_raw(entry, moving=moving)
    except PARSER_ERRORS as error:
        raise CharacterError(f"{name} could not be read: {str(error) or type(error).__name__}") from error
    _check_shape(raw.mesh, name)
    mesh, warnings = _repaired(without_repeated_light(raw.mesh), name)
    raw = with_visible_faces(replace(raw, mesh=mesh), name)
    mesh = raw.mesh
    probe = probe_of(mesh, raw.part_names, raw.face_part, raw.landmarks)
    with np.errstate(all="ignore"):
        up, front, unsure, of_axes = _axes(entry, raw, probe)
    turn = front_rotation(front) @ up_rotation(up)
    upright = probe.turned(turn)
    sided, of_sides = with_sides(upright.placed, entry.sides, name)
    with np.errstate(all="ignore"):
        of_contents = contents.check(upright, name)
    unknown = [part for part in entry.drop if part not in raw.parts and part not in raw.names]
    for part in unknown:
        sentence = f"\"drop\" names '{part}', but {name} has no such part"
        warnings.append(Warning("part-unknown", sentence, part))
    changed = {
        "mesh": sided,
        "warnings": (*raw.warnings, *warnings, *of_axes, *of_sides, *of_contents),
        "landmarks": tuple(upright.landmarks),
        "up": up,
        "front": front,
        "moving": raw.moving and raw.moving.turned(turn),
    }
    return Character(**{**vars(raw), **changed}, entry=entry, unsure=unsure)


def _read_raw(entry: Entry, *, moving: bool) -> RawMesh:
    if entry.format in ("gltf", "vrm"):
        from specsia_build.characters.gltf.read import read_gltf

        return read_gltf(entry, moving=moving)
    if entry.format in ("fbx", "dae"):
        from specsia_build.characters.gltf.converted import read_converted

        return read_converted(entry, moving=moving)
    if entry.format == "blend":
        from specsia_build.characters.blender import read_with_blender

        return read_with_blender(entry, moving=moving)
    if entry.pose != "rest":
        raise CharacterError(unknown_action(entry.path.name, entry.pose, ()))
    if entry.format == "3dbicar":
        return read_bicar(entry, moving=moving)
    return read_obj(entry) if entry.format == "obj" else read_ply(entry)


def _check_shape(mesh: Mesh, name: str) -> None:
    """Raise a `CharacterError` unless a mesh has faces, not too many, with finite vertices and an extent."""
    if not 0 < len(mesh.faces) <= MAX_TRIANGLES:
        raise CharacterError(f"{name} has {len(mesh.faces):,} triangles; 1 to {MAX_TRIANGLES:,} can be read")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise CharacterError(f"{name} has faces that name vertices it does not have")
    if not np.isfinite(mesh.vertices[mesh.used]).all():
        raise CharacterError(f"{name} has vertices with numbers that are not finite: export it again")
    if np.array_equal(*mesh.bounds()):
        raise CharacterError(f"{name} has no extent: all of its faces lie in one point")


def _repaired(mesh: Mesh, name: str) -> tuple[Mesh, list[Warning]]:
    """Replace UVs, colours, normals that are not finite by 0, white, the faces' normals, warning of each."""
    repaired: dict[str, Any] = {}
    for attribute in CORNER_ARRAYS:
        values = getattr(mesh, attribute)
        if values is not None and not np.isfinite(values).all():
            filling = flat_normals(mesh) if attribute == "normals" else np.float32(attribute == "colors")
            repaired[attribute] = np.where(np.isfinite(values).all(axis=-1, keepdims=True), values, filling)
    end = "with numbers that are not finite, which were replaced"
    warnings = [Warning("not-finite", f"{name} has {attribute} {end}", attribute) for attribute in repaired]
    return replace(mesh, **repaired) if repaired else mesh, warnings


def _axes(entry: Entry, raw: RawMesh, probe: Probe) -> tuple[str, str, bool, tuple[Warning, ...]]:
    """Find the axes of a character: what its entry states, and a check of that by its joints and shape.

    Returned are the axis of the file that points up; the axis that it faces once that is turned to Z; whether
    the front is neither stated nor found; and warnings about axes that differ from what was found.
    """
    name = entry.path.name
    stated_up, stated_front = entry.up, entry.front
    up = raw.up if stated_up in (None, OWN_AXIS, AUTO) else stated_up
    front = raw.front if stated_front in (None, OWN_AXIS, AUTO) else stated_front
    warnings: list[Warning] = []
    # A pose may lay a character down, which has nothing to do with its file's axes.
    if entry.pose == "rest" and _is_checked(entry, stated_up, raw.up):
        evidence = up_of(probe, up, settled=stated_up != AUTO)
        warnings += _other_axis("up", name, stated_up, up, evidence)
        up = (evidence.axis or up) if stated_up == AUTO else up
    if not _is_checked(entry, stated_front, raw.front):
        return up, front, False, tuple(warnings)
    stated = None if stated_front in (None, AUTO) else front
    evidence = Evidence(None, "it does not stand")
    if not warnings or stated_up in (None, AUTO):
        usual = front if stated is not None or entry.format not in UNSETTLED else None
        evidence = front_of(probe.turned(up_rotation(up)), usual, stated)
        warnings += _other_axis("front", name, stated_front, front, evidence)
        front = (evidence.axis or front) if stated_front == AUTO else front
    sideways = evidence.along not in (None, front[1])
    if evidence.axis is None and (stated is None or (sideways and evidence.strong)):
        warnings.append(Warning("front-unsure", _unsure(name, front, evidence, sideways), name))
    return up, front, evidence.axis is None and stated is None, tuple(warnings)


def _is_checked(entry: Entry, stated: str | None, own: str) -> bool:
    """Whether an axis is checked: not where the manifest states what the format has anyway."""
    return entry.format not in SETTLED if stated is None else stated not in (OWN_AXIS, own)


def _other_axis(
    key: Literal["up", "front"], name: str, stated: str | None, taken: str, evidence: Evidence
) -> list[Warning]:
    """The warning if the evidence is for another axis; only joints contradict what a manifest states."""
    is_weak = stated not in (None, AUTO) and not evidence.strong
    if evidence.axis is None or evidence.axis == taken or is_weak:
        return []
    line = f'"{key}": "{evidence.axis}" in its manifest line'
    if stated == AUTO:
        end = f'so it was turned; {line} says the same, "{key}": "{taken}" leaves it as it was'
    else:
        origin = "format has it" if stated is None else "manifest line states"
        end = f"not {taken} as its {origin}: {line} turns it"
    code: Code = "up-axis" if key == "up" else "front-axis"
    verb = "stands along" if key == "up" else "faces"
    sentence = f"{name} {verb} {evidence.axis}, {evidence.why}, {end}"
    return [Advice(code, sentence, name, Fix(key, evidence.axis, evidence.why))]


def _unsure(name: str, front: str, evidence: Evidence, sideways: bool) -> str:
    at = AROUND.index(front)
    _, right, away, left = AROUND[at:] + AROUND[:at]
    sides = f'"{right}" if it looks to the right in view 0, "{left}" to the left'
    if sideways:
        problem = f"{name} stands sideways, along {evidence.along}, its front at either end"
    else:
        problem = f"cannot tell which way {name} faces (as {evidence.why})"
        sides += f', "{front}" to the viewer, "{away}" away'
    return f'{problem}: state as "front" in its manifest line {sides}'
