"""Characters that only Blender can read, .fbx and .blend, by way of plain arrays that are kept."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters import actions
from specsia_build.characters.character import legible
from specsia_build.characters.facing import Landmark
from specsia_build.characters.images import as_texture, load_texture
from specsia_build.characters.raw import RawMesh
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.files.records import read_json, remembered_json
from specsia_build.files.sources import open_source_file
from specsia_build.files.trouble import write_trouble
from specsia_build.files.writing import replacing_folder
from specsia_build.folders import user_cache
from specsia_build.rendering.blender.process import BlenderProcess, scripts_folder
from specsia_build.rendering.mesh import AlphaMode, Material, Mesh, Texture, Wrap

CACHE_SETTING = "SPECSIA_CACHE"

READ_SECONDS = 300.0
"""How long Blender may take over one file."""

SCRIPT = "read_character.py"

_FACTS, _ARRAYS = "mesh.json", "mesh.npz"
"""What the script leaves, besides images."""

_SCRIPT_FILES = (SCRIPT, "material_reader.py", "fbx_opacity.py")

_ARRAY_COST = 3
"""Bytes of memory for each byte of the arrays of a kept file, from their being read until they are drawn."""

_KINDS = {".fbx": "an FBX", ".blend": "a Blender"}


class _NoSuchActionError(CharacterError):
    """A pose that names no action, of a file that could be read."""


def cache_folder() -> Path:
    """Where files read by Blender are kept: below `SPECSIA_CACHE`, else below the user's cache folder."""
    chosen = os.environ.get(CACHE_SETTING)
    return (Path(chosen) if chosen else user_cache()) / "blender"


def cache_key(path: Path, pose: str, root: Path) -> str:
    """SHA-256 over the file's bytes, the pose and the scripts that read it.

    Raises:
        CharacterError: if the file cannot be read, as `open_source_file` says.
        OSError: if there is none, or a script cannot be read.
    """
    digest = hashlib.sha256()
    with open_source_file(path, root) as stream:
        digest.update(hashlib.file_digest(stream, "sha256").digest())
    for script in (*(scripts_folder() / name for name in _SCRIPT_FILES), Path(actions.__file__)):
        digest.update(hashlib.sha256(script.read_bytes()).digest())
    digest.update(f"{path.suffix.lower()}\n{pose}".encode())
    return digest.hexdigest()


def read_with_blender(
    path: Path,
    *,
    texture: Path | None = None,
    drop: Sequence[str] = (),
    pose: str = "rest",
    cache: Path | None = None,
    root: Path | None = None,
) -> RawMesh:
    """The character of an FBX or .blend file: what a render would show, posed, modifiers and skins applied.

    Blender reads a file once; its plain arrays are kept under the digest of its bytes, so the next reading needs no
    Blender. Textures inside the file are kept with them; others are looked up inside the file's folder and nowhere
    else, by the last part of the name that the file gives.

    Args:
        path: the file.
        texture: base-colour image for materials without a texture; it replaces their colour.
        drop: names of parts to leave out: of an object, its mesh, or an object above it.
        pose: ``rest``, or the name of an action with an optional ``@frame``, as `actions.chosen` reads it; without one
            its first frame.
        cache: folder to keep what was read in; None is `cache_folder`.
        root: folder that no file may lie outside of, links followed; None is the file's own.

    Returns:
        The mesh in Blender's axes, Z up, facing -Y.

    Raises:
        CharacterError: if the file cannot be read, there is no Blender, or nothing is left of it.
        WriteError: if what was read cannot be kept.
    """
    files = SideFiles(path, root)
    if path.suffix.lower() == ".fbx":
        _check_binary(path, files.root)
    try:
        key = cache_key(path, pose, files.root)
    except OSError as error:
        raise CharacterError(f"{path.name} cannot be read: {error.strerror or error}") from error
    kept = (cache or cache_folder()) / key
    if not _is_whole(kept):
        _convert(path, pose, kept)
    return _assemble(path, kept, texture, drop, files)


def _check_binary(path: Path, root: Path) -> None:
    """Check that an FBX file is not one as text, which Blender does not read, before Blender is asked for.

    Raises:
        CharacterError: if it is.
    """
    with contextlib.suppress(OSError), open_source_file(path, root) as stream:
        head = stream.read(4096)
        if head.startswith(b"; FBX") or b"FBXHeaderExtension:" in head:
            raise CharacterError(f"{path.name} is an FBX file as text (ASCII): export it as binary FBX or as glTF")


def _is_whole(kept: Path) -> bool:
    """Whether a folder holds what Blender read, undamaged."""
    try:
        with zipfile.ZipFile(kept / _ARRAYS) as archive:
            return archive.testzip() is None and isinstance(remembered_json(kept / _FACTS), dict)
    except (OSError, ValueError, RuntimeError, EOFError, zlib.error, zipfile.BadZipFile):
        return False


def _convert(path: Path, pose: str, kept: Path) -> None:
    """Have Blender read a file into the folder `kept`, which appears complete or not at all."""
    try:
        with BlenderProcess(SCRIPT, "reading it") as blender, replacing_folder(kept, _is_whole) as out:
            job = {"path": str(path.absolute()), "out": str(out.absolute()), "pose": pose, "actions": actions.__file__}
            answer = blender.ask(job, READ_SECONDS)
            if "actions" in answer:
                raise _NoSuchActionError(actions.unknown_action(path.name, pose, answer["actions"]))
    except _NoSuchActionError:
        raise
    except UsageError as error:
        kind = _KINDS.get(path.suffix.lower(), "a foreign")
        raise CharacterError(f"{path.name} is {kind} file: {error}") from error
    except (SpecsiaError, OSError) as error:
        if (trouble := write_trouble(error)) is not None:
            raise trouble from error
        raise CharacterError(
            f"{path.name} could not be read by Blender ({error}): export it again, as binary FBX or as glTF"
        ) from error


@dataclass(frozen=True)
class _Images:
    """The images that a kept file names, each looked up and decoded once."""

    path: Path
    kept: Path
    described: list[dict[str, Any]]
    files: SideFiles
    warnings: dict[str, None]
    pixels: dict[int, NDArray[np.uint8] | None]

    def get(self, index: int) -> NDArray[np.uint8] | None:
        if index not in self.pixels:
            self.pixels[index] = self._load(self.described[index])
        return self.pixels[index]

    def _load(self, image: dict[str, Any]) -> NDArray[np.uint8] | None:
        name = str(image["name"])
        label = f"texture '{name.replace(chr(92), '/').rpartition('/')[2]}' of {self.path.name}"
        found = self.kept / image["file"] if image["file"] else self.files.find(name)
        if found is None:
            self.warnings[f"{label} is not there; it was left out"] = None
            return None
        try:
            return load_texture(found, label, self.kept if image["file"] else self.files.root)
        except CharacterError as error:
            self.warnings[f"{error}; it was left out"] = None
            return None


def _assemble(path: Path, kept: Path, texture: Path | None, drop: Sequence[str], files: SideFiles) -> RawMesh:
    facts = _legible(read_json(kept / _FACTS))
    with zipfile.ZipFile(kept / _ARRAYS) as archive:
        memory.take(_ARRAY_COST * sum(info.file_size for info in archive.infolist()))
    with np.load(kept / _ARRAYS) as stored:
        arrays = {name: stored[name] for name in stored.files}
    warnings: dict[str, None] = dict.fromkeys(f"{path.name}: {text}" for text in facts["warnings"])
    images = _Images(path, kept, facts["images"], files, warnings, {})
    fallback = None if texture is None else as_texture(load_texture(texture, f"texture '{texture.name}'", files.root))
    materials = tuple(_material(m, images, fallback) for m in facts["materials"])

    parts: list[list[str]] = facts["parts"]
    left = np.array([not set(names) & set(drop) for names in parts], np.bool_)
    if not left.any():
        raise CharacterError(f"{path.name} has nothing left once its parts are dropped: leave at least one of them in")
    kept_faces = left[arrays["face_part"]]
    chosen = {
        key: np.ascontiguousarray(arrays[key][kept_faces]) if key in arrays else None
        for key in ("faces", "face_material", "uv", "colors", "normals")
    }
    assert chosen["faces"] is not None
    assert chosen["face_material"] is not None
    mesh = Mesh(
        vertices=arrays["vertices"],
        faces=chosen["faces"],
        materials=materials,
        face_material=chosen["face_material"],
        uv=chosen["uv"],
        colors=chosen["colors"],
        normals=chosen["normals"],
    )
    return RawMesh(
        mesh=mesh,
        up="+z",
        front="-y",
        parts=tuple(dict.fromkeys(name for names in parts for name in names)),
        part_names=tuple(map(tuple, parts)),
        face_part=arrays["face_part"][kept_faces],
        files=(*files.tried, *(() if texture is None else (texture,))),
        warnings=(*warnings, *files.warnings()),
        skinned=bool(facts["skinned"]),
        animations=int(facts["animations"]),
        landmarks=_landmarks(facts["landmarks"]),
        rest_landmarks=_landmarks(facts["rest_landmarks"]),
    )


def _landmarks(stored: list[Any]) -> tuple[Landmark, ...]:
    return tuple((name, (float(x), float(y), float(z))) for name, (x, y, z) in stored)


def _legible(value: Any) -> Any:
    """Plain values whose texts are ones that files can hold; Blender's names are bytes."""
    if isinstance(value, dict):
        return {key: _legible(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_legible(inner) for inner in value]
    return legible(value) if isinstance(value, str) else value


def _material(stored: dict[str, Any], images: _Images, fallback: Texture | None) -> Material:
    r, g, b, a = (float(v) for v in stored["base_color"])
    mode = cast("AlphaMode", stored["alpha_mode"])
    texture, slot = None, stored["texture"]
    if slot is not None:
        pixels = images.get(int(slot["image"]))
        wrap = cast("Wrap", slot["wrap"])
        texture = None if pixels is None else as_texture(pixels, (wrap, wrap), bool(slot["nearest"]))
        if mode != "opaque" and (texture is None or bool((texture.pixels[..., 3] == 255).all())) and a == 1.0:
            mode = "opaque"
    if texture is None and fallback is not None:
        # The colour beside a lost texture is a place-holder: a default grey, most often.
        texture, (r, g, b) = fallback, (1.0, 1.0, 1.0)
    red, green, blue = (float(v) for v in stored["emissive"])
    return Material(
        name=str(stored["name"]),
        base_color=tuple(min(1.0, max(0.0, v)) for v in (r, g, b, a)),  # type: ignore[arg-type]
        texture=texture,
        emissive=(red, green, blue),
        alpha_mode=mode,
        alpha_cutoff=float(stored["alpha_cutoff"]),
        unlit=bool(stored["unlit"]),
        double_sided=bool(stored["double_sided"]),
    )
