"""Artefacts on disk: one tar per character and stage in the WebDataset convention, whole or not there at all."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

from specsia_build.errors import SpecsiaError
from specsia_build.files import cannot_write, is_temporary, write_bytes
from specsia_build.stages.artefact import META, Artefact


def _member(key: str, name: str, data: bytes) -> tuple[tarfile.TarInfo, io.BytesIO]:
    info = tarfile.TarInfo(f"{key}.{name}")
    info.size = len(data)
    return info, io.BytesIO(data)


def write_artefact(path: Path, artefact: Artefact) -> None:
    """Write an artefact; the same artefact gives the same bytes."""
    stream = io.BytesIO()
    meta = json.dumps(artefact.meta, sort_keys=True, ensure_ascii=False, indent=1).encode()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(*_member(artefact.key, META, meta))
        for name in sorted(artefact.files):
            archive.addfile(*_member(artefact.key, name, artefact.files[name]))
    write_bytes(path, stream.getvalue())


def read_artefact(path: Path, key: str) -> Artefact:
    """Read an artefact.

    Raises:
        SpecsiaError: if the file is missing or damaged.
    """
    try:
        files = {}
        with tarfile.open(path, mode="r:") as archive:
            for info in archive:
                stream = archive.extractfile(info)
                if stream is None or not info.name.startswith(f"{key}."):
                    raise ValueError(f"it holds '{info.name}'")
                files[info.name[len(key) + 1 :]] = stream.read()
        meta = json.loads(files.pop(META))
    except (OSError, tarfile.TarError, ValueError, KeyError) as error:
        raise SpecsiaError(f"the artefact {path} cannot be read ({error}): delete it and build again") from error
    return Artefact(key, files, meta)


def read_meta(path: Path) -> dict[str, Any] | None:
    """Meta data of an artefact, or None where there is no readable one (it will be made again)."""
    try:
        with tarfile.open(path, mode="r:") as archive:
            first = archive.next()
            stream = archive.extractfile(first) if first is not None and first.name.endswith(f".{META}") else None
            meta = json.loads(stream.read()) if stream is not None else None
    except (OSError, tarfile.TarError, ValueError):
        return None
    return meta if isinstance(meta, dict) else None


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
