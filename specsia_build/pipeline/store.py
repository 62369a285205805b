"""Artefacts on disk: a tar per character and stage in the WebDataset convention, written whole or not at all."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from specsia_build.errors import SpecsiaError
from specsia_build.files.names import is_temporary
from specsia_build.files.records import parse_json
from specsia_build.files.writing import cannot_write, write_bytes
from specsia_build.stages.artefact import DIGEST, META, Artefact, meta_digest, sha256

_BLOCK = tarfile.BLOCKSIZE

_DAMAGE = (OSError, tarfile.TarError, ValueError, KeyError, TypeError, IndexError, RecursionError, SpecsiaError)
"""Errors of reading a damaged tar or the JSON in it."""


class DamagedError(SpecsiaError):
    """An artefact is missing or not as it was written; a build makes it again."""


def write_artefact(path: Path, artefact: Artefact) -> dict[str, Any]:
    """Write an artefact; equal ones give equal bytes. Returns its meta data as they will be read."""
    meta = json.dumps(artefact.meta, sort_keys=True, ensure_ascii=False).encode()
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in ((META, meta), *sorted(artefact.files.items())):
            # Without times, owners and modes of this machine.
            info = tarfile.TarInfo(f"{artefact.key}.{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    write_bytes(path, stream.getbuffer())
    read: dict[str, Any] = json.loads(meta)
    return read


def _open(path: Path) -> tarfile.TarFile:
    if not path.is_file():
        raise FileNotFoundError("there is no such file")
    return tarfile.open(path, mode="r:")


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(info)
    if stream is None:
        raise ValueError(f"'{info.name}' in it is no file")
    return stream.read()


def _first(archive: tarfile.TarFile) -> tuple[str, dict[str, Any]]:
    """Key and meta data of an archive that was just opened."""
    first = archive.next()
    if first is None or not first.name.endswith(f".{META}"):
        raise ValueError(f"it does not begin with {META}")
    return first.name.removesuffix(f".{META}"), _sound_meta(_content(archive, first))


@lru_cache(maxsize=4)
def _sound_meta(data: bytes) -> dict[str, Any]:
    """Meta data whose digest is right; the last ones are kept, as each clip asks for its character's."""
    meta: dict[str, Any] = parse_json(data, META)
    if meta[DIGEST] != meta_digest(meta):
        raise ValueError(f"{META} is not as it was written")
    return meta


def read_artefact(path: Path, key: str) -> Artefact:
    """Read an artefact and check every byte of it.

    Raises:
        DamagedError: if it is not as it was written, or not there.
    """
    files: dict[str, bytes] = {}
    try:
        with _open(path) as archive:
            its_key, meta = _first(archive)
            listed: dict[str, dict[str, Any]] = meta["files"]
            if its_key != key:
                raise ValueError(f"it is of '{its_key}'")
            for info in archive.getmembers()[1:]:
                name = info.name.removeprefix(f"{key}.")
                data = _content(archive, info) if info.size == listed[name]["bytes"] else b""
                if sha256(data) != listed[name]["sha256"]:
                    raise ValueError(f"{name} is not as it was written")
                files[name] = data
            if files.keys() != listed.keys():
                raise ValueError("it lacks files")
    except _DAMAGE as error:
        raise DamagedError(f"the artefact {path} is damaged ({error}): delete it and build again") from error
    return Artefact(key, files, meta)


def seen(path: Path) -> tuple[bool, dict[str, Any] | None]:
    """Whether anything is in the place of an artefact, and its meta data if these and its size are as written."""
    try:
        with _open(path) as archive:
            _, meta = _first(archive)
            rest = sum(_BLOCK + -(-int(file["bytes"]) // _BLOCK) * _BLOCK for file in meta["files"].values())
            whole = path.stat().st_size >= archive.offset + rest
    except _DAMAGE:
        return os.path.lexists(path), None
    return True, meta if whole else None


def read_meta(path: Path) -> dict[str, Any] | None:
    """Meta data of an artefact, or None; see `seen`."""
    return seen(path)[1]


def stamp_of(path: str | Path) -> str | None:
    """Size and time of change of a file, links followed; None where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116  a path object for each of a million names is slow
    except (OSError, ValueError):
        return None
    return f"{status.st_size}:{status.st_mtime_ns}"


def discard(path: Path) -> None:
    """Remove an artefact; what is no file stays."""
    if path.is_file() or path.is_symlink():
        path.unlink(missing_ok=True)


def sweep(folder: Path, deep: bool = True) -> None:
    """Remove what killed writers left half written in a folder and, where `deep`, below it; links are not followed.

    Raises:
        WriteError: if something cannot be removed.
    """
    try:
        with os.scandir(folder) as listed:
            entries = [e for e in listed if is_temporary(e.name) or (deep and e.is_dir(follow_symlinks=False))]
        for entry in entries:
            path = Path(entry.path)
            if not is_temporary(entry.name):
                sweep(path)
            elif entry.is_dir(follow_symlinks=False):
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_write(folder, error) from error
