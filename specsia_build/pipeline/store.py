"""Artefacts on disk: one tar per character and stage in the WebDataset convention, whole or not there at all."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from specsia_build.characters.character import is_safe_id
from specsia_build.errors import SpecsiaError
from specsia_build.files.names import is_temporary
from specsia_build.files.records import parse_json
from specsia_build.files.trouble import cannot_write
from specsia_build.files.writing import write_bytes, writing
from specsia_build.pipeline.layout import RunLayout
from specsia_build.stages.artefact import DIGEST, META, Artefact, meta_digest, sha256
from specsia_build.stages.registry import character_stages

_BLOCK = tarfile.BLOCKSIZE


def _member(key: str, name: str, data: bytes) -> tuple[tarfile.TarInfo, io.BytesIO]:
    info = tarfile.TarInfo(f"{key}.{name}")
    info.size = len(data)
    return info, io.BytesIO(data)


def write_artefact(path: Path, artefact: Artefact) -> dict[str, Any]:
    """Write an artefact; the same artefact gives the same bytes. Returns its meta data as they will be read."""
    stream = io.BytesIO()
    meta = json.dumps(artefact.meta, sort_keys=True, ensure_ascii=False, indent=1).encode()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(*_member(artefact.key, META, meta))
        for name in sorted(artefact.files):
            archive.addfile(*_member(artefact.key, name, artefact.files[name]))
    write_bytes(path, stream.getvalue())
    read: dict[str, Any] = json.loads(meta)
    return read


class DamagedError(SpecsiaError):
    """An artefact is missing or not as it was written: it is as if it were not there, and made again."""


_DAMAGE = (OSError, tarfile.TarError, ValueError, KeyError, TypeError, IndexError, RecursionError, SpecsiaError)
"""What reading a tar and the JSON in it may raise, whatever their bytes are."""


def _open(path: Path) -> tarfile.TarFile:
    if not path.is_file():
        raise FileNotFoundError("there is no such file")
    return tarfile.open(path, mode="r:")


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(info)
    if stream is None:
        raise ValueError(f"'{info.name}' in it is no file")
    return stream.read()


def _next_meta(archive: tarfile.TarFile) -> tuple[str, dict[str, Any]]:
    """Key and meta data of an archive that was just opened."""
    first = archive.next()
    if first is None or not first.name.endswith(f".{META}"):
        raise ValueError(f"it does not begin with {META}")
    meta = parse_json(_content(archive, first), META)
    if meta[DIGEST] != meta_digest(meta):
        raise ValueError(f"{META} is not as it was written")
    return first.name.removesuffix(f".{META}"), meta


def read_artefact(path: Path, key: str) -> Artefact:
    """Read an artefact and see that it is as it was written, to the byte.

    Raises:
        DamagedError: if it is not, or not there.
    """
    files: dict[str, bytes] = {}
    try:
        with _open(path) as archive:
            found, meta = _next_meta(archive)
            listed: dict[str, dict[str, Any]] = meta["files"]
            if found != key:
                raise ValueError(f"it is of '{found}'")
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


def is_intact(where: tuple[Path, str]) -> bool:
    """Whether the artefact of a path and a key can be read."""
    try:
        read_artefact(*where)
    except DamagedError:
        return False
    return True


def read_meta(path: Path) -> dict[str, Any] | None:
    """Meta data of an artefact, or None where there is none that is as it was written, as far as its size tells."""
    try:
        with _open(path) as archive:
            _, meta = _next_meta(archive)
            rest = sum(_BLOCK + -(-int(file["bytes"]) // _BLOCK) * _BLOCK for file in meta["files"].values())
            whole = path.stat().st_size >= archive.offset + rest
    except _DAMAGE:
        return None
    return meta if whole else None


def discard(path: Path) -> None:
    """Remove an artefact; what is no file is none, and stays."""
    if path.is_file() or path.is_symlink():
        path.unlink(missing_ok=True)


def misplaced(layout: RunLayout) -> Iterator[tuple[Path, Path]]:
    """What lies in a stage's folder itself, as runs of earlier versions have it, each with where it belongs."""
    for stage in character_stages():
        top = layout.artefacts / stage.name
        for folder in [path for path in _listed(top) if path.is_dir()] if stage.per_backend else [top]:
            for path in _listed(folder):
                ours = path.suffix == ".tar" and is_safe_id(path.stem) and not path.is_symlink()
                if ours and (read_meta(path) or {}).get("stage") == stage.name:
                    yield path, layout.artefact(stage, folder.name, path.stem)


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def spread(layout: RunLayout) -> int:
    """Move what is misplaced where it belongs; returns how many were.

    Raises:
        WriteError: if one cannot be moved.
    """
    moved = 0
    for path, target in misplaced(layout):
        with writing(target):
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
        moved += 1
    return moved


def sweep(folder: Path, deep: bool = True) -> None:
    """Remove what killed writers left half written in a folder and, where `deep`, below it; links are not followed.

    To be called by who holds the run. A writer of an earlier build may still be at work on a node that is not heard of:
    its file then cannot take its place, which nobody waits for, and what this build writes is not touched by it.

    Raises:
        WriteError: if something cannot be removed.
    """
    try:
        with os.scandir(folder) as found:
            entries = [e for e in found if is_temporary(e.name) or (deep and e.is_dir(follow_symlinks=False))]
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
