"""What Blender read of a file: read once, kept as plain arrays under the digest of the file's bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.characters import actions
from specsia_build.characters.character import legible
from specsia_build.errors import CharacterError, SpecsiaError, UsageError, argument, plural
from specsia_build.files.records import read_json, remembered_json
from specsia_build.files.sources import open_source_file
from specsia_build.files.trouble import write_trouble
from specsia_build.files.writing import replacing_folder
from specsia_build.folders import user_cache
from specsia_build.rendering.blender.process import EXECUTABLE_SETTING, BlenderProcess, scripts_folder

CACHE_SETTING = "SPECSIA_CACHE"

READ_SECONDS = 300.0
"""How long Blender may take over one file."""

_ARRAY_COST = 3
"""Bytes of memory for each byte of the arrays of a kept file, from their being read until they are drawn."""

_HEADER = re.compile(rb"BLENDER\d\d-\d\dv(\d\d)(\d\d)")
_LONGEST_HEADER = 17

_ZSTANDARD = b"\x28\xb5\x2f\xfd"
"""How a file begins that Blender has compressed itself."""

_BLOCK = 2**20
"""Bytes of such a file's beginning that give a header, whatever its first frame."""

_KINDS = {".fbx": "an FBX", ".blend": "a Blender"}


SCENES = ("scenes.py", "fbx_opacity.py", "fbx_layers.py", "fbx_colour.py", "fbx_curves.py")
"""The one of `blender_scripts` that opens files, and what it is made of."""


@dataclass(frozen=True)
class Script:
    """One of `blender_scripts` that reads files.

    Attributes:
        leaves: stem of the two files that it leaves, besides images: ``.json`` and ``.npz``.
        files: names of what it consists of, itself first.
    """

    leaves: str
    files: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file that Blender runs."""
        return self.files[0]


class _UnlikelyError(CharacterError):
    """What is amiss with a file that could be read: no such pose, or no mesh."""


def cache_folder() -> Path:
    """Where files read by Blender are kept: below `SPECSIA_CACHE`, else below the user's cache folder."""
    chosen = os.environ.get(CACHE_SETTING)
    return (Path(chosen) if chosen else user_cache()) / "blender"


def cache_key(path: Path, pose: str, root: Path, script: Script) -> str:
    """SHA-256 over the file's bytes, the pose and the scripts that read it.

    Raises:
        CharacterError: if the file cannot be read, as `open_source_file` says.
        OSError: if there is none, or a script cannot be read.
    """
    digest = hashlib.sha256()
    with open_source_file(path, root) as stream:
        digest.update(hashlib.file_digest(stream, "sha256").digest())
    for file in (*(scripts_folder() / name for name in script.files), Path(actions.__file__)):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    digest.update(f"{path.suffix.lower()}\n{pose}".encode())
    return digest.hexdigest()


def read_once(path: Path, pose: str, script: Script, root: Path) -> Path:
    """The folder in `cache_folder` that holds what a script read of a file; Blender is asked where there is none yet.

    Args:
        path: the file.
        pose: ``rest``, or what `actions.chosen` reads.
        script: what reads it.
        root: folder that the file may not lie outside of.

    Raises:
        CharacterError: if the file cannot be read, or there is no Blender.
        WriteError: if what was read cannot be kept.
    """
    if path.suffix.lower() == ".fbx":
        _check_binary(path, root)
    try:
        key = cache_key(path, pose, root, script)
    except OSError as error:
        raise CharacterError(f"{path.name} cannot be read: {error.strerror or error}") from error
    kept = cache_folder() / key
    if not _is_whole(kept, script):
        _convert(path, pose, kept, script, root)
    return kept


def facts_of(kept: Path, script: Script) -> Any:
    """The plain values that a script left, with texts that files can hold; Blender's names are bytes."""
    return _legible(read_json(kept / f"{script.leaves}.json"))


def arrays_of(kept: Path, script: Script, suffix: str = "") -> dict[str, NDArray[Any]]:
    """The arrays that a script left whose names have a suffix, by what is before it, reckoned before they are read.

    Raises:
        CostError: if they cost more than a character may.
    """
    path, ending = kept / f"{script.leaves}.npz", f"{suffix}.npy"
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist() if info.filename.endswith(ending)}
    memory.take(_ARRAY_COST * sum(sizes.values()))
    with np.load(path) as stored:
        return {name.removesuffix(ending): stored[name.removesuffix(".npy")] for name in sizes}


def _check_binary(path: Path, root: Path) -> None:
    """Check that an FBX file is not one as text, which Blender does not read, before Blender is asked for.

    Raises:
        CharacterError: if it is.
    """
    with contextlib.suppress(OSError), open_source_file(path, root) as stream:
        head = stream.read(4096)
        if head.startswith(b"; FBX") or b"FBXHeaderExtension:" in head:
            raise CharacterError(f"{path.name} is an FBX file as text (ASCII): export it as binary FBX or as glTF")


def _is_whole(kept: Path, script: Script) -> bool:
    """Whether a folder holds what Blender read, undamaged."""
    try:
        with zipfile.ZipFile(kept / f"{script.leaves}.npz") as archive:
            facts = remembered_json(kept / f"{script.leaves}.json")
            return archive.testzip() is None and isinstance(facts, dict)
    except (OSError, ValueError, RuntimeError, EOFError, zlib.error, zipfile.BadZipFile):
        return False


def _convert(path: Path, pose: str, kept: Path, script: Script, root: Path) -> None:
    """Have Blender read a file into the folder `kept`, which appears complete or not at all."""
    try:
        with (
            BlenderProcess(script.name, "reading it") as blender,
            replacing_folder(kept, lambda folder: _is_whole(folder, script)) as out,
        ):
            job = {"path": str(path.absolute()), "out": str(out.absolute()), "pose": pose, "actions": actions.__file__}
            answer = blender.ask(job, READ_SECONDS)
            if "actions" in answer:
                raise _UnlikelyError(actions.unknown_action(path.name, pose, answer["actions"]))
            if "bare" in answer:
                raise _UnlikelyError(_without_mesh(path, answer["bare"]))
    except _UnlikelyError:
        raise
    except UsageError as error:
        kind = _KINDS.get(path.suffix.lower(), "a foreign")
        raise CharacterError(f"{path.name} is {kind} file: {error}") from error
    except (SpecsiaError, OSError) as error:
        if (trouble := write_trouble(error)) is not None:
            raise trouble from error
        if (version := _newer_blender(path, root)) is not None:
            raise CharacterError(
                f"{path.name} was saved by Blender {version}, and the Blender here cannot read it: export it as GLB, "
                f"or set {EXECUTABLE_SETTING} to a newer one"
            ) from error
        raise CharacterError(
            f"{path.name} could not be read by Blender ({error}): export it again, as binary FBX or as glTF"
        ) from error


def _without_mesh(path: Path, motions: Sequence[str]) -> str:
    if motions:
        return (
            f"{path.name} holds {plural(len(motions), 'motion')} and no mesh that a render would show, so it is no "
            f"character: let others move by it: specsia clips CHARACTERS --motion {argument(path.name)}"
        )
    return f"{path.name} holds no mesh that a render would show: export it again with its meshes"


def _newer_blender(path: Path, root: Path) -> str | None:
    """The version that saved a .blend file whose header is that of Blender 5 and later, which older ones call none."""
    # Whoever reads motions of other files need not wait for it.
    import pyarrow as pa

    with contextlib.suppress(OSError, ValueError, CharacterError):
        with open_source_file(path, root) as stream:
            start = stream.read(_BLOCK)
        if start.startswith(_ZSTANDARD):
            start = pa.CompressedInputStream(pa.BufferReader(start), "zstd").read(_LONGEST_HEADER)
        if (header := _HEADER.match(start)) is not None:
            return f"{int(header[1])}.{int(header[2])}"
    return None


def _legible(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _legible(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_legible(inner) for inner in value]
    return legible(value) if isinstance(value, str) else value
