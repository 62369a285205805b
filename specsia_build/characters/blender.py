"""FBX and .blend files, which Blender exports as GLB once, kept under the digest of all that they are made of."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from specsia_build.characters.doubts.joints import turned
from specsia_build.characters.gltf.document import Document, parse_document
from specsia_build.characters.gltf.read import read_document
from specsia_build.characters.raw import RawMesh
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.files.records import remembered_json
from specsia_build.files.sources import open_source_file, source_digest
from specsia_build.files.writing import replacing_folder, write_trouble
from specsia_build.folders import user_cache
from specsia_build.frame import up_rotation
from specsia_build.rendering.blender.process import EXECUTABLE_SETTING, BlenderProcess, scripts_folder

CACHE_SETTING = "SPECSIA_CACHE"

SCRIPT = "export_glb.py"

EXPORT_SECONDS = 300.0
"""How long Blender may take over one file."""

_SCENE, _FACTS, _IMAGES = "scene.glb", "scene.json", "images.json"
_KINDS = {".fbx": "an FBX", ".blend": "a Blender"}

Ask = Callable[[dict[str, Any]], dict[str, Any]]


def cache_folder() -> Path:
    """Where exported files are kept: below `SPECSIA_CACHE`, else below the user's cache folder."""
    chosen = os.environ.get(CACHE_SETTING)
    return (Path(chosen) if chosen else user_cache()) / "blender"


def read_with_blender(
    path: Path,
    *,
    texture: Path | None = None,
    drop: Sequence[str] = (),
    pose: str = "rest",
    root: Path | None = None,
    moving: bool = False,
) -> RawMesh:
    """Read an FBX or .blend file by way of the GLB that Blender exports of it; arguments are those of `read_gltf`.

    `texture` replaces the colour of materials without one; frames of a `pose` are the file's own.

    Returns:
        The mesh in Blender's axes, Z up, facing -Y.

    Raises:
        CharacterError: if the file cannot be read, there is no Blender, or nothing is left of it.
        WriteError: if the export cannot be kept.
    """
    document = exported_document(path, SideFiles(path, root))
    raw = read_document(document, texture=texture, drop=drop, pose=pose, moving=moving)
    turn = up_rotation("+y")
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    return replace(
        raw,
        mesh=raw.mesh.rotated(turn),
        up="+z",
        front="-y",
        landmarks=turned(raw.landmarks, turn),
        rest_landmarks=turned(raw.rest_landmarks, turn),
        moving=None if raw.moving is None else replace(raw.moving, rig=raw.moving.rig.placed(matrix)),
    )


def exported_document(path: Path, files: SideFiles) -> Document:
    """An FBX or .blend file as the glTF document that Blender exports of it.

    Images outside of the file are looked up by `files` alone. Blender is asked once for a file and the
    images that it uses.

    Raises:
        CharacterError: if Blender cannot read the file, or there is no Blender.
        WriteError: if the export cannot be kept.
    """
    with contextlib.ExitStack() as stack:
        started: list[BlenderProcess] = []

        def ask(job: dict[str, Any]) -> dict[str, Any]:
            if not started:
                started.append(stack.enter_context(BlenderProcess(SCRIPT, "reading it")))
            return started[0].ask({"path": str(path.absolute()), **job}, EXPORT_SECONDS)

        try:
            digest = _digest(path, files.root)
            hints = _hints(digest, ask)
            images = {name: files.find(hint.removeprefix("//")) for name, hint in hints.items()}
            kept = _exported(digest, images, files.root, ask)
        except CharacterError as error:
            raise CharacterError(_unread(path, error) if started else str(error)) from error
        except UsageError as error:
            kind = _KINDS.get(path.suffix.lower(), "a foreign")
            raise CharacterError(f"{path.name} is {kind} file: {error}") from error
        except (SpecsiaError, OSError) as error:
            if (trouble := write_trouble(error)) is not None:
                raise trouble from error
            raise CharacterError(_unread(path, error)) from error
    facts = remembered_json(kept / _FACTS)
    document = parse_document(path, (kept / _SCENE).read_bytes(), files, float(facts["fps"]), is_export=True)
    missing = {hints[name].replace("\\", "/").rpartition("/")[2] for name, image in images.items() if image is None}
    document.warnings.update(
        (f"texture '{name}' of {path.name} is not there; it was left out", None) for name in missing
    )
    document.warnings.update((f"{path.name} {warning}", None) for warning in facts["warnings"])
    return document


def _digest(path: Path, root: Path) -> str:
    """SHA-256 over the file's bytes and the scripts that export it."""
    digest = hashlib.sha256(path.suffix.lower().encode())
    try:
        with open_source_file(path, root) as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    except OSError as error:
        raise CharacterError(f"{path.name} cannot be read: {error.strerror or error}") from error
    digest.update((scripts_folder() / SCRIPT).read_bytes())
    return digest.hexdigest()


def _hints(digest: str, ask: Ask) -> Mapping[str, str]:
    """The images outside of a file: where it says that they are, by their names."""
    kept = cache_folder() / digest

    def whole(folder: Path) -> bool:
        return isinstance(remembered_json(folder / _IMAGES), dict)

    if not whole(kept):
        answer = ask({})
        with replacing_folder(kept, whole) as out:
            (out / _IMAGES).write_text(json.dumps(answer["images"]), encoding="utf-8")
    hints: dict[str, str] = remembered_json(kept / _IMAGES)
    return hints


def _exported(digest: str, images: Mapping[str, Path | None], root: Path, ask: Ask) -> Path:
    """The folder of the GLB of a file with images that were found for it."""
    digests = {name: None if image is None else source_digest(image, root) for name, image in sorted(images.items())}
    kept = cache_folder() / hashlib.sha256(f"{digest}{json.dumps(digests)}".encode()).hexdigest()

    def whole(folder: Path) -> bool:
        # The facts are written last.
        return isinstance(remembered_json(folder / _FACTS), dict) and (folder / _SCENE).is_file()

    if not whole(kept):
        places = {name: None if image is None else str(image.absolute()) for name, image in images.items()}
        with replacing_folder(kept, whole) as out:
            ask({"out": str(out.absolute()), "images": places})
    return kept


def _unread(path: Path, error: Exception) -> str:
    """The sentence on a file that Blender could not read."""
    return (
        f"{path.name} could not be read by Blender ({error}): export it again, as binary FBX or as glTF, or set "
        f"{EXECUTABLE_SETTING} to a newer Blender"
    )
