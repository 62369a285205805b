"""Artefacts as they are stored: a tar per character and stage in the WebDataset convention, whole or not at all."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from specsia_build.characters.character import is_safe_id
from specsia_build.errors import SpecsiaError, WriteError
from specsia_build.files.names import is_temporary
from specsia_build.files.records import parse_json
from specsia_build.files.trouble import cannot_write
from specsia_build.files.writing import write_bytes, writing
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.objects import Place, Remote
from specsia_build.stages.artefact import DIGEST, META, Artefact, meta_digest, sha256
from specsia_build.stages.registry import character_stages

_BLOCK = tarfile.BLOCKSIZE

_FIRST_BYTES = (1 << 14, 1 << 20, None)
"""Of an object, to be read for its meta data; more where they do not do."""


_PLAIN = tarfile.TarInfo("").tobuf(tarfile.USTAR_FORMAT)
_NAME, _MOST_SIZE = 100, 8**11
_SIZE, _CHECKSUM = slice(124, 136), slice(148, 155)


def _header(name: str, size: int) -> bytes:
    """What comes before a member, as tarfile writes it: that takes 50 times as long, which films are too many for."""
    if not name.isascii() or len(name) > _NAME or size >= _MOST_SIZE:
        info = tarfile.TarInfo(name)
        info.size = size
        return info.tobuf(tarfile.PAX_FORMAT)
    block, length = bytearray(_PLAIN), b"%011o\0" % size
    block[: len(name)] = name.encode()
    block[_SIZE] = length
    # That of the template counts eight spaces where the sum itself stands, and a size of zeros.
    total = int(_PLAIN[_CHECKSUM][:-1], 8) + sum(name.encode()) + sum(length) - sum(_PLAIN[_SIZE])
    block[_CHECKSUM] = b"%06o\0" % total
    return bytes(block)


def _member(key: str, name: str, data: bytes) -> tuple[bytes, bytes, bytes]:
    return _header(f"{key}.{name}", len(data)), data, bytes(-len(data) % _BLOCK)


def _tar(members: Iterable[tuple[bytes, bytes, bytes]]) -> bytes:
    """A whole tar, to the byte what tarfile makes."""
    parts = [part for member in members for part in member]
    parts.append(bytes(2 * _BLOCK))
    return b"".join([*parts, bytes(-sum(map(len, parts)) % tarfile.RECORDSIZE)])


_DROPPED = "SPECSIA.dropped"
"""A header of an artefact that has given its files up."""


def write_artefact(place: Place, artefact: Artefact) -> dict[str, Any]:
    """Write an artefact; the same artefact gives the same bytes. Returns its meta data as they will be read."""
    meta = json.dumps(artefact.meta, sort_keys=True, ensure_ascii=False).encode()
    members = [(META, meta), *sorted(artefact.files.items())]
    _put(place, _tar(_member(artefact.key, name, data) for name, data in members))
    read: dict[str, Any] = json.loads(meta)
    return read


def _put(place: Place, data: bytes) -> None:
    if isinstance(place, Remote):
        place.write(data)
    else:
        write_bytes(place, data)


class DamagedError(SpecsiaError):
    """An artefact is missing or not as it was written: it is as if it were not there, and made again."""


class DroppedError(DamagedError):
    """An artefact whose files `drop_files` took: it is up to date, and made again where they are needed."""


_DAMAGE = (OSError, tarfile.TarError, ValueError, KeyError, TypeError, IndexError, RecursionError, SpecsiaError)
"""What reading a tar and the JSON in it may raise, whatever their bytes are."""


def _open(place: Place) -> tarfile.TarFile:
    if isinstance(place, Remote):
        return tarfile.open(fileobj=io.BytesIO(place.read()), mode="r:")
    if not place.is_file():
        raise FileNotFoundError("there is no such file")
    return tarfile.open(place, mode="r:")


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
    return first.name.removesuffix(f".{META}"), _sound_meta(_content(archive, first))


@lru_cache(maxsize=4)
def _sound_meta(data: bytes) -> dict[str, Any]:
    """Meta data that are as they were written; the last ones are kept in mind: each clip asks for its character's.

    Raises:
        ValueError: if they are not; see `_DAMAGE` for what else.
    """
    meta: dict[str, Any] = parse_json(data, META)
    if meta[DIGEST] != meta_digest(meta):
        raise ValueError(f"{META} is not as it was written")
    return meta


def read_artefact(place: Place, key: str) -> Artefact:
    """Read an artefact and see that it is as it was written, to the byte.

    Raises:
        DroppedError: if it has given its files up.
        DamagedError: if it is not, or not there.
        WriteError: if where it is stored cannot be reached.
    """
    files: dict[str, bytes] = {}
    try:
        with _open(place) as archive:
            found, meta = _next_meta(archive)
            if _DROPPED in archive.pax_headers:
                raise DroppedError(
                    f"--keep had dropped the files of {place}: give the build's command again with --keep all, which "
                    "makes them again"
                )
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
    except (WriteError, DroppedError):
        raise
    except _DAMAGE as error:
        raise DamagedError(f"the artefact {place} is damaged ({error}): delete it and build again") from error
    return Artefact(key, files, meta)


def is_intact(where: tuple[Place, str]) -> bool:
    """Whether the artefact of a place and a key can be read."""
    try:
        read_artefact(*where)
    except DamagedError:
        return False
    return True


def seen(place: Place) -> tuple[bool, dict[str, Any] | None]:
    """Whether there is something in the place of an artefact, and its meta data if it is as it was written.

    That is judged by the meta data and by its size; of what is behind a URL, where no part of an object can be lost, by
    the meta data alone, which are all that is read of it.

    Raises:
        WriteError: if where it is stored cannot be reached.
    """
    if isinstance(place, Remote):
        return _seen_remote(place)
    try:
        with _open(place) as archive:
            _, meta = _next_meta(archive)
            rest = sum(_BLOCK + -(-int(file["bytes"]) // _BLOCK) * _BLOCK for file in meta["files"].values())
            rest = 0 if _DROPPED in archive.pax_headers else rest
            whole = place.stat().st_size >= archive.offset + rest
    except _DAMAGE:
        return os.path.lexists(place), None
    return True, meta if whole else None


def _seen_remote(place: Remote) -> tuple[bool, dict[str, Any] | None]:
    try:
        return True, _head(place)[1]
    except WriteError:
        raise
    except FileNotFoundError:
        return False, None
    except _DAMAGE:
        return True, None


def _head(place: Place) -> tuple[str, dict[str, Any], bool]:
    """Key and meta data of an artefact, and whether it has given its files up; no more is read than that takes."""
    if not isinstance(place, Remote):
        with _open(place) as archive:
            return *_next_meta(archive), _DROPPED in archive.pax_headers
    for most in _FIRST_BYTES:
        data = place.read(most)
        try:
            with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
                return *_next_meta(archive), _DROPPED in archive.pax_headers
        except _DAMAGE:
            if most is None or len(data) < most:
                raise
    raise ValueError(f"it does not begin with {META}")


def read_meta(place: Place) -> dict[str, Any] | None:
    """Meta data of an artefact, or None where there is none; see `seen`."""
    return seen(place)[1]


def stamp_of(place: str | Place) -> str | None:
    """What changes whenever a file or object does, links followed; None where there is none."""
    if isinstance(place, Remote):
        return place.stamp()
    try:
        found = os.stat(place)  # noqa: PTH116  a path object for each of a million names is slow
    except (OSError, ValueError):
        return None
    return stamp_from(found)


def stamp_from(found: os.stat_result) -> str:
    """The stamp of a file whose state is known; see `stamp_of`."""
    return f"{found.st_size}:{found.st_mtime_ns}"


def is_dropped(place: Place) -> bool:
    """Whether an artefact has given its files up.

    Raises:
        WriteError: if where it is stored cannot be reached.
    """
    try:
        return _head(place)[2]
    except WriteError:
        raise
    except _DAMAGE:
        return False


def drop_files(place: Place) -> tuple[int, dict[str, Any]] | None:
    """Have an artefact give its files up; what is left in its place is its meta data, as they are.

    Returns:
        Bytes that are free now, and its meta data; None where it has no files, or does not read.

    Raises:
        WriteError: if it cannot be replaced.
    """
    try:
        key, meta, dropped = _head(place)
        before = 0 if isinstance(place, Remote) else place.stat().st_size
    except WriteError:
        raise
    except _DAMAGE:
        return None
    if dropped or not meta["files"]:
        return None
    text = json.dumps(meta, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    dropped_mark = tarfile.TarInfo.create_pax_global_header({_DROPPED: "yes"})
    # Without what tar pads by, which would be more than the rest.
    left = b"".join([dropped_mark, *_member(key, META, text), bytes(2 * _BLOCK)])
    _put(place, left)
    freed = before - len(left) if before else sum(int(file["bytes"]) for file in meta["files"].values())
    return freed, meta


def discard(place: Place) -> None:
    """Remove an artefact; what is no file is none, and stays.

    Raises:
        WriteError: if where it is stored cannot be reached.
    """
    if isinstance(place, Remote):
        place.remove()
    elif place.is_file() or place.is_symlink():
        place.unlink(missing_ok=True)


def misplaced(layout: RunLayout) -> Iterator[tuple[Path, Path]]:
    """What lies in a stage's folder itself, as runs of earlier versions have it, each with where it belongs."""
    if isinstance(layout.artefacts, Remote):
        return
    for stage in character_stages():
        top = layout.artefacts / stage.name
        for folder in [path for path in _listed(top) if path.is_dir()] if stage.per_backend else [top]:
            for path in _listed(folder):
                ours = path.suffix == ".tar" and is_safe_id(path.stem) and not path.is_symlink()
                if ours and (read_meta(path) or {}).get("stage") == stage.name:
                    place = layout.artefact(stage, folder.name, path.stem)
                    assert isinstance(place, Path)
                    yield path, place


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
