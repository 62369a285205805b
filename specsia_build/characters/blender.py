""".blend files, which Blender exports as GLB once, kept under the digest of all that makes them."""

import contextlib
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.gltf.document import Document, parse_document
from specsia_build.characters.gltf.read import read_export
from specsia_build.characters.mtl import base_name
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.files.records import remembered_json
from specsia_build.files.sources import open_source_file, source_digest
from specsia_build.files.writing import replacing_folder, write_trouble
from specsia_build.folders import user_cache
from specsia_build.rendering.blender.process import EXECUTABLE_SETTING, BlenderProcess, scripts_folder

CACHE_SETTING = "SPECSIA_CACHE"
"""Environment variable: the folder below which exported files are kept, in place of the user's cache."""

_SCRIPT = "export_glb.py"
EXPORT_SECONDS = 300.0  # How long Blender may take over one file
_SCENE = "scene.glb"
_FACTS = "scene.json"
_IMAGES = "images.json"


def read_with_blender(entry: Entry, *, moving: bool = False) -> RawMesh:
    """Read a .blend file by the GLB that Blender exports of it, in Blender's axes: Z up, facing -Y.

    The entry's texture replaces the colour of materials without one; frames of its pose are the file's own.
    Raises as `exported_document`, and CharacterError if nothing is left of it.
    """
    document = exported_document(entry.path, SideFiles(entry.path, entry.within))
    return read_export(document, entry, moving=moving)


def exported_document(path: Path, files: SideFiles) -> Document:
    """A .blend file as the glTF document that Blender exports once for the file and its images.

    Images outside of the file are looked up by `files` alone. Raises CharacterError if Blender cannot read
    the file, or there is no Blender, and WriteError if the export cannot be kept.
    """
    started: list[BlenderProcess] = []
    with contextlib.ExitStack() as stack:

        def ask(job: dict[str, Any]) -> dict[str, Any]:
            if not started:
                started.append(stack.enter_context(BlenderProcess(_SCRIPT, "reading it")))
            return started[0].ask({"path": str(path.absolute()), **job}, EXPORT_SECONDS)

        try:
            script = (scripts_folder() / _SCRIPT).read_bytes()
            with open_source_file(path, files.root) as stream:
                content = hashlib.file_digest(stream, "sha256").digest()
            digest = hashlib.sha256(content + script).hexdigest()
            folder = _cached(digest)
            if not _is_whole(folder, _IMAGES):
                named = ask({})["images"]
                with replacing_folder(folder, lambda kept: _is_whole(kept, _IMAGES)) as out:
                    (out / _IMAGES).write_text(json.dumps(named), encoding="utf-8")
            hints: dict[str, str] = remembered_json(folder / _IMAGES)
            images = {name: files.find(hint.removeprefix("//")) for name, hint in hints.items()}
            digests = {name: at and source_digest(at, files.root) for name, at in sorted(images.items())}
            folder = _cached(hashlib.sha256(f"{digest}{json.dumps(digests)}".encode()).hexdigest())
            if not _is_whole(folder, _FACTS):
                places = {name: image and str(image.absolute()) for name, image in images.items()}
                with replacing_folder(folder, lambda kept: _is_whole(kept, _FACTS)) as out:
                    ask({"out": str(out.absolute()), "images": places})
        except UsageError as error:
            raise CharacterError(f"{path.name}: {error}") from error
        except (SpecsiaError, OSError) as error:
            if (trouble := write_trouble(error)) is not None:
                raise trouble from error
            if isinstance(error, CharacterError) and not started:
                raise
            fix = f"export it as glTF, or set {EXECUTABLE_SETTING} to a newer Blender"
            raise CharacterError(f"{path.name} could not be read by Blender ({error}): {fix}") from error
    facts = remembered_json(folder / _FACTS)
    scene = (folder / _SCENE).read_bytes()
    document = parse_document(path, scene, files, float(facts["fps"]), is_export=True)
    for name in (base_name(hints[name]) for name, image in images.items() if image is None):
        document.warn("file-missing", f"texture '{name}' of {path.name} is not there; it was left out", name)
    for warning in facts["warnings"]:
        document.warn("converted", f"{path.name} {warning}")
    return document


def _cached(digest: str) -> Path:
    chosen = os.environ.get(CACHE_SETTING)
    return (Path(chosen) if chosen else user_cache()) / "blender" / digest


def kept_exports() -> list[Path]:
    """Folders of what Blender exported, each named by a digest."""
    return [path for path in _cached("").glob("*") if re.fullmatch("[0-9a-f]{64}", path.name)]


def _is_whole(folder: Path, record: str) -> bool:
    """Whether a folder holds a record, which is written last, and the scene that belongs to the facts."""
    has_scene = record != _FACTS or (folder / _SCENE).is_file()
    return has_scene and isinstance(remembered_json(folder / record), dict)
