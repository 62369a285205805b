"""A folder with one mesh file per character id as a backend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from specsia_build.arrays import Pixels
from specsia_build.backends.base import Backend, Context
from specsia_build.backends.placing import MESH_FORMATS, axes_matrix, only_mesh, read_foreign
from specsia_build.characters.character import Entry
from specsia_build.characters.read import READING, AnimatedCharacter, read_animated
from specsia_build.characters.searches import listing
from specsia_build.errors import CharacterError, UsageError
from specsia_build.files.sources import is_file
from specsia_build.folders import expanded
from specsia_build.frame import AXES, axis_names, axis_vector, front_rotation, up_rotation
from specsia_build.rendering.mesh import Mesh

MANIFESTS = ("manifest.json", "manifest.yaml")


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of every mesh of the folder."""

    up: str | None = None  # The files' up axis; None: the format's own
    front: str | None = None  # Axis that characters face once up is Z; None: the format's own
    axes: tuple[str, str, str] | None = None  # See `Terms`; replaces `up` and `front`
    colors: Literal["own", "srgb"] = "own"  # See `Terms`
    # File or folder of each character, relative to the folder, that is not named after its id
    meshes: dict[str, str] = {}


@dataclass(frozen=True)
class MeshDir(Backend):
    """Backend that reads FOLDER/{id}.glb, .gltf, .vrm, .obj, .ply, or the only such file in FOLDER/{id}/."""

    folder: Path = field()
    manifest: Manifest
    stated_in: Path | None = None

    name = "mesh-dir"
    version = READING
    generates = False

    def settings(self) -> Mapping[str, Any]:
        """Settings of the manifest for all meshes."""
        return {name: value for name, value in msgspec.to_builtins(self.manifest).items() if name != "meshes"}

    def inputs(self, character_id: str) -> Sequence[Path]:
        """Existing files that could be the character's mesh, and the folder's manifest."""
        return (*self._candidates(character_id), *(() if self.stated_in is None else (self.stated_in,)))

    def reconstruct(self, image: Pixels, context: Context) -> Mesh:
        """Read the character's mesh in its own place; a CharacterError for none, several or a damaged one."""
        entry = self._entry(context.character_id)
        axes = self.manifest.axes
        colors = self.manifest.colors
        character, reading = read_foreign(entry, axes, colors, "manifest.yaml in the folder of the meshes")
        context.read(character.files)
        context.note(reading)
        return character.mesh

    def animated(self, character_id: str) -> AnimatedCharacter:
        """The same mesh, rig and motions; a CharacterError as for `reconstruct`, or if its axes mirror."""
        axes, entry = self.manifest.axes, self._entry(character_id)
        if axes is not None:
            pairs = [(up, front) for up in AXES for front in AXES[:4]]
            turns = {tuple(axis_names(front_rotation(f) @ up_rotation(u))): (u, f) for u, f in pairs}
            if axes not in turns:
                problem = f"{entry.path.name} is mirrored by its folder's axes, so its motions are not read"
                raise CharacterError(problem)
            up, front = turns[axes]
            entry = msgspec.structs.replace(entry, up=up, front=front)
        return read_animated(entry)

    def _entry(self, character_id: str) -> Entry:
        candidates = self._candidates(character_id)
        path = only_mesh(candidates, self.folder, f"{self.folder} has", f" for '{character_id}'")
        up, front = self.manifest.up, self.manifest.front
        kind = MESH_FORMATS[path.suffix.lower()]
        return Entry(character_id, kind, path, up=up, front=front, sides="both", root=self.folder)

    def _candidates(self, character_id: str) -> tuple[Path, ...]:
        """Files that could be the character's mesh, sorted."""
        base = self.folder / self.manifest.meshes.get(character_id, character_id)
        if base.suffix.lower() in MESH_FORMATS and is_file(base):
            return (base,)
        near = listing(base.parent)
        names = (name for suffix in MESH_FORMATS for name in near.alike(f"{base.name}{suffix}"))
        beside = [base.parent / name for name in names if Path(name).stem == base.name]
        inside = [base / name for name in listing(base).names if Path(name).suffix.lower() in MESH_FORMATS]
        return tuple(sorted(path for path in (*beside, *inside) if is_file(path)))


def create(argument: str | None) -> MeshDir:
    """Create the backend for ``mesh-dir:FOLDER``; a UsageError without the folder, or for a bad manifest."""
    if not argument:
        raise UsageError("mesh-dir needs the folder of your meshes: mesh-dir:FOLDER")
    folder = expanded(argument)
    if not folder.is_dir():
        raise UsageError(f"mesh-dir: there is no folder {folder}")
    paths = [folder / name for name in MANIFESTS if (folder / name).is_file()]
    if not paths:
        return MeshDir(folder, Manifest())
    if len(paths) > 1:
        raise UsageError(f"{folder} has both {MANIFESTS[0]} and {MANIFESTS[1]}; keep one")
    try:
        return MeshDir(folder, _read_manifest(paths[0]), paths[0])
    # msgspec's errors are ValueErrors.
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(f"{paths[0]} cannot be used: {' '.join(str(error).split())}") from error


def _read_manifest(path: Path) -> Manifest:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    manifest = msgspec.convert({} if content is None else content, Manifest)
    if manifest.axes is not None:
        axes_matrix(manifest.axes)
        if manifest.up is not None or manifest.front is not None:
            raise ValueError("axes replace up and front; keep either of them")
    # Both raise a ValueError for anything but an axis.
    axis_vector(manifest.up or "+z")
    front_rotation(manifest.front or "-y")
    for name in manifest.meshes.values():
        if not (path.parent / name).resolve().is_relative_to(path.parent.resolve()):
            raise ValueError(f"'{name}' lies outside {path.parent}")
    return manifest
