"""The user's own reconstructions: a folder with one mesh file per character id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml
from numpy.typing import NDArray

from specsia_build.backends.base import Context
from specsia_build.backends.made import COLORS, FORMATS, read_stated
from specsia_build.backends.placing import axes_matrix
from specsia_build.characters.animated import AnimatedCharacter, read_animated
from specsia_build.characters.character import Entry
from specsia_build.characters.read import READING
from specsia_build.config import check_choice
from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.files.listing import listing
from specsia_build.files.records import parse_json
from specsia_build.files.sources import is_file
from specsia_build.folders import expanded
from specsia_build.frame import AXES, axis_names, axis_vector, front_rotation, up_rotation
from specsia_build.rendering.mesh import Mesh

MANIFESTS = ("manifest.json", "manifest.yaml")

STATED_IN = "manifest.yaml in the folder of the meshes"

MAX_COORDINATE = 1e6
"""Coordinates beyond this many of the file's units leave too few float32 digits for a surface."""


@dataclass(frozen=True)
class Manifest:
    """What holds for every mesh of the folder.

    Attributes:
        path: the manifest file, or None if the folder has none.
        up: the files' up axis, or None for each format's own.
        front: the axis the characters face once up is Z, or None for each format's own.
        axes: which signed axes of the files are our x, y, z, in place of both; a mirror where they are left-handed.
        colors: how colours of vertices are encoded, see `made.COLORS`.
        meshes: file or folder of a character, relative to the folder, where it is not named after the id.
    """

    path: Path | None = None
    up: str | None = None
    front: str | None = None
    axes: tuple[str, ...] | None = None
    colors: str = "own"
    meshes: Mapping[str, str] | None = None


@dataclass(frozen=True)
class MeshDir:
    """Backend that reads FOLDER/{id}.glb, .gltf, .vrm, .obj or .ply, or the only such file in FOLDER/{id}/.

    Attributes:
        folder: where the meshes are.
        manifest: what the folder says of them.
        name, version, sees_ground_truth, needs_yaw, generates: as in `Backend`.
    """

    folder: Path
    manifest: Manifest
    name: str = "mesh-dir"
    version: int = READING
    sees_ground_truth: bool = False
    needs_yaw: bool = False
    generates: bool = False

    def settings(self) -> Mapping[str, Any]:
        stated = self.manifest
        return {
            "up": stated.up,
            "front": stated.front,
            "axes": stated.axes and list(stated.axes),
            "colors": stated.colors,
        }

    def inputs(self, character_id: str) -> Sequence[Path]:
        """The files that could be the character's mesh and the folder's manifest; only files that are there.

        What such a mesh refers to shows when it is read.
        """
        manifest = () if self.manifest.path is None else (self.manifest.path,)
        return (*candidates(self.folder, self.manifest, character_id), *manifest)

    def reconstruct(self, image: NDArray[np.uint8], context: Context) -> Mesh:
        """The character's mesh, Z up, facing -Y, in its file's own units and place; registration finds scale and shift.

        Args:
            image: not looked at.
            context: says whose mesh it is.

        Raises:
            CharacterError: if there is no mesh for this character, or several, or it cannot be read or drawn.
        """
        entry = self._entry(context.character_id)
        character, reading = read_stated(entry, self.manifest.axes, self.manifest.colors, STATED_IN)
        context.read(character.files)
        context.note(reading)
        check_size(character.mesh, entry.path)
        return character.mesh

    def animated(self, character_id: str) -> AnimatedCharacter:
        """The same mesh with its own rig and motions.

        Raises:
            CharacterError: as `reconstruct`, or if its axes mirror it, which no rig can be.
        """
        axes, entry = self.manifest.axes, self._entry(character_id)
        if axes is not None:
            turns = {tuple(axis_names(front_rotation(f) @ up_rotation(u))): (u, f) for u in AXES for f in AXES[:4]}
            if axes not in turns:
                raise CharacterError(
                    f"{entry.path.name} is mirrored by the axes of its folder, so its motions are not read"
                )
            up, front = turns[axes]
            entry = msgspec.structs.replace(entry, up=up, front=front)
        return read_animated(entry)

    def _entry(self, character_id: str) -> Entry:
        path = self._mesh_file(character_id)
        return Entry(
            id=character_id,
            format=FORMATS[path.suffix.lower()],
            path=path,
            up=self.manifest.up,
            front=self.manifest.front,
            sides="both",
            root=self.folder,
        )

    def _mesh_file(self, character_id: str) -> Path:
        found = candidates(self.folder, self.manifest, character_id)
        if len(found) > 1:
            names = " and ".join(str(path.relative_to(self.folder)) for path in found)
            raise CharacterError(f"{self.folder} has more than one mesh for '{character_id}': {names}")
        if not found:
            endings = ", ".join(FORMATS)
            named = (self.manifest.meshes or {}).get(character_id, character_id)
            raise CharacterError(
                f"{self.folder} has no mesh for '{character_id}': looked for '{named}' with one of {endings}, "
                f"and for one such file in the folder '{named}'"
            )
        return found[0]


def create(argument: str | None) -> MeshDir:
    """The backend for ``mesh-dir:FOLDER``.

    Raises:
        UsageError: if there is no folder, or its manifest is not one.
    """
    if not argument:
        raise UsageError("mesh-dir needs the folder of your meshes: mesh-dir:FOLDER")
    folder = expanded(argument)
    if not folder.is_dir():
        raise UsageError(f"mesh-dir: there is no folder {folder}")
    return MeshDir(folder=folder, manifest=_read_manifest(folder))


def _read_manifest(folder: Path) -> Manifest:
    """The folder's ``manifest.json`` or ``manifest.yaml``; an empty `Manifest` if it has neither.

    Keys: ``up`` and ``front``, signed axes, or ``axes``, three of them; ``colors``, one of `COLORS`; and ``meshes``, a
    map from character id to a path inside the folder.

    Raises:
        UsageError: if there are two manifests, or one cannot be read, has other keys, or names no axis.
    """
    found = [folder / name for name in MANIFESTS if (folder / name).is_file()]
    if not found:
        return Manifest()
    if len(found) > 1:
        raise UsageError(f"{folder} has both {MANIFESTS[0]} and {MANIFESTS[1]}; keep one")
    path = found[0]
    try:
        text = path.read_text(encoding="utf-8")
        content = parse_json(text, path.name) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError, SpecsiaError) as error:
        raise UsageError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    content = {} if content is None else content
    if not isinstance(content, dict) or not set(content) <= {"up", "front", "axes", "colors", "meshes"}:
        raise UsageError(f"{path} must be a map with no other keys than up, front, axes, colors and meshes")
    up, front, meshes = content.get("up"), content.get("front"), content.get("meshes")
    axes, colors = content.get("axes"), str(content.get("colors", "own"))
    if axes is not None and (up is not None or front is not None):
        raise UsageError(f"{path}: axes say what up and front say; keep one of them")
    try:
        check_choice("colors", colors, COLORS)
        if axes is not None:
            axes = axis_names(axes_matrix(axes))
        if up is not None:
            axis_vector(str(up))
        if front is not None:
            front_rotation(str(front))
    except (UsageError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: {error}") from error
    return Manifest(
        path=path,
        up=None if up is None else str(up),
        front=None if front is None else str(front),
        axes=axes,
        colors=colors,
        meshes=None if meshes is None else _mesh_names(meshes, folder, path),
    )


def _mesh_names(meshes: object, folder: Path, path: Path) -> dict[str, str]:
    if not isinstance(meshes, dict):
        raise UsageError(f"{path}: meshes must be a map from character id to a path")
    names = {str(key): str(value) for key, value in meshes.items()}
    for name in names.values():
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"{path}: '{name}' lies outside {folder}")
    return names


def candidates(folder: Path, manifest: Manifest, character_id: str) -> tuple[Path, ...]:
    """Every file that could be the character's mesh, sorted; one is right, none or several are not."""
    named = folder / (manifest.meshes or {}).get(character_id, character_id)
    if named.suffix.lower() in FORMATS and is_file(named):
        return (named,)
    near = listing(named.parent)
    names = (
        name for suffix in FORMATS for name in near.alike(f"{named.name}{suffix}") if Path(name).stem == named.name
    )
    beside = [named.parent / name for name in names]
    inside = [named / name for name in listing(named).names if Path(name).suffix.lower() in FORMATS]
    return tuple(sorted(path for path in (*beside, *inside) if is_file(path)))


def check_size(mesh: Mesh, path: Path) -> None:
    """Refuse a mesh too large, or too far from its file's origin, for its digits.

    Raises:
        CharacterError: if a coordinate is beyond `MAX_COORDINATE`.
    """
    low, high = mesh.bounds()
    if float(max(-low.min(), high.max())) > MAX_COORDINATE:
        raise CharacterError(f"{path.name} has coordinates beyond {MAX_COORDINATE:,.0f}, too large for a character")
