"""Artefacts on disk, a WebDataset tar per character and stage, and a cache of their meta data.

A row of the cache is valid while its file has the size and modification time that it was read with. Losing
the cache costs only time.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from isal import isal_zlib

from specsia_build.characters.searches import searched
from specsia_build.errors import DamagedError, SpecsiaError
from specsia_build.files.digests import sha256
from specsia_build.files.names import is_temporary
from specsia_build.files.records import parse_json
from specsia_build.files.sources import source_digest
from specsia_build.files.writing import cannot_write, remove_tree, write_bytes
from specsia_build.stages.stage import DIGEST, META, Artefact, Meta, meta_digest

_VERSION = 6  # Version of the cache's table; a cache of another version is discarded
_COMMIT_SECONDS = 1.0  # How often new rows are committed
_PATIENCE_SECONDS = 10.0  # How long a reader waits while a build commits

_BLOCK = tarfile.BLOCKSIZE
_NOT_DEFLATED: Any = isal_zlib.error  # Its stub calls it an object

_DAMAGE = (OSError, tarfile.TarError, ValueError, LookupError, TypeError, RecursionError, SpecsiaError)
"""Errors of reading a damaged tar or the JSON in it."""

IndexRow: TypeAlias = tuple[str, bytes]
"""A file's fingerprint, and what was read from it: packed meta data or a digest."""


def write_artefact(path: Path, artefact: Artefact) -> dict[str, Any]:
    """Write an artefact atomically, with bytes by its content only; returns its meta data as read back."""
    meta = json.dumps(artefact.meta, sort_keys=True, ensure_ascii=False).encode()
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in ((META, meta), *sorted(artefact.files.items())):
            # No times, owners or modes of this machine.
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
        raise ValueError(f"'{info.name}' in it is not a file")
    return stream.read()


def _read_first(archive: tarfile.TarFile) -> tuple[str, dict[str, Any]]:
    first = archive.next()
    if first is None or not first.name.endswith(f".{META}"):
        raise ValueError(f"it does not begin with {META}")
    return first.name.removesuffix(f".{META}"), _parsed_meta(_content(archive, first))


@lru_cache(maxsize=4)
def _parsed_meta(data: bytes) -> dict[str, Any]:
    """Parse meta data and check their digest; cached, as each clip asks for its character's."""
    meta: dict[str, Any] = parse_json(data, META)
    if meta[DIGEST] != meta_digest(meta):
        raise ValueError(f"{META} is not as it was written")
    return meta


def read_artefact(path: Path, key: str) -> Artefact:
    """Read an artefact and check every byte; raises DamagedError if it is missing or altered."""
    files: dict[str, bytes] = {}
    try:
        with _open(path) as archive:
            stored_key, meta = _read_first(archive)
            listed: dict[str, dict[str, Any]] = meta["files"]
            if stored_key != key:
                raise ValueError(f"it is of '{stored_key}'")
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


def read_meta(path: Path) -> dict[str, Any] | None:
    """Meta data of an artefact; None if they or its size are not as written."""
    try:
        with _open(path) as archive:
            _, meta = _read_first(archive)
            rest = sum(_BLOCK + -(-int(file["bytes"]) // _BLOCK) * _BLOCK for file in meta["files"].values())
            return meta if path.stat().st_size >= archive.offset + rest else None
    except _DAMAGE:
        return None


def file_fingerprint(path: str | Path, *, changed: bool = False) -> str | None:
    """Size and modification time of a file, links followed; with `changed` also the time its inode changed.

    None if there is no such file.
    """
    try:
        status = os.stat(path)  # noqa: PTH116  a path object for each of a million names is slow
    except (OSError, ValueError):
        return None
    return f"{status.st_size}:{status.st_mtime_ns}" + (f":{status.st_ctime_ns}" if changed else "")


def discard(path: Path) -> None:
    """Remove an artefact if it is a file."""
    if path.is_file() or path.is_symlink():
        path.unlink(missing_ok=True)


def sweep(folder: Path, deep: bool = True) -> None:
    """Remove what killed writers left behind in a folder and, if `deep`, below it; links are not followed.

    Raises WriteError if something cannot be removed.
    """
    for parent, folders, files in os.walk(folder):
        for path in (Path(parent) / name for name in (*folders, *files) if is_temporary(name)):
            remove_tree(path)
            if os.path.lexists(path):
                error = PermissionError(errno.EACCES, "it was left by a killed build and stays")
                raise cannot_write(path, error)
        if not deep:
            return


class Index:
    """Cache of artefacts' meta data, what follows from them, and source files' digests; not thread-safe."""

    def __init__(self, table: sqlite3.Connection | None = None, folder: Path | None = None):
        """Use a table, or memory if None; names in the table are relative to the artefacts' `folder`."""
        self.rows: dict[str, IndexRow] = {}  # By name, without a table; a worker sends them to the build
        self._table, self._saved = table, time.monotonic()
        self._prefix = "" if folder is None else f"{folder}/"
        self._hidden: set[Path] = set()

    def meta(self, path: Path) -> Meta | None:
        fingerprint = None if path in self._hidden else file_fingerprint(path)
        if fingerprint is None:
            return None
        if (row := self.row(str(path), fingerprint)) is not None:
            with suppress(ValueError, TypeError, _NOT_DEFLATED, msgspec.MsgspecError):
                cached: Meta = msgspec.json.decode(isal_zlib.decompress(row))
                return cached
        if (meta := read_meta(path)) is not None:
            self.learn(str(path), (fingerprint, isal_zlib.compress(msgspec.json.encode(meta), 1)))
        return meta

    def exists(self, path: Path) -> bool:
        """Whether anything, readable or not, has an artefact's path."""
        return path not in self._hidden and os.path.lexists(path)

    def snapshot(self) -> Index:
        """A copy of the index that looks at each artefact only once."""
        snapshot = copy(self)
        snapshot.meta = cache(self.meta)  # type: ignore[method-assign]
        return snapshot

    def hide(self, path: Path) -> None:
        """Treat an artefact as missing from now on, as an earlier stage of it failed."""
        self._hidden.add(path)

    def digest(self, path: Path, root: Path) -> str | None:
        """SHA-256 of a source file, or the paths that a search finds; None if there is neither."""
        # Unpacking may restore the time of modification.
        if (fingerprint := file_fingerprint(path, changed=True)) is None:
            return searched(path)
        name = f"source:{path}"
        row = self.row(name, fingerprint)
        # Anything but the 64 characters of a SHA-256 is damage.
        if row is not None and len(row) == 64:
            return row.decode(errors="replace")
        if (digest := source_digest(path, root)) is not None:
            self.learn(name, (fingerprint, digest.encode()))
        return digest

    def learn(self, name: str, row: IndexRow) -> None:
        """Store a row, for instance from another index's `rows`."""
        if self._table is None:
            self.rows[name] = row
            return
        self._execute("INSERT OR REPLACE INTO known VALUES (?, ?, ?)", name.removeprefix(self._prefix), *row)
        if time.monotonic() - self._saved >= _COMMIT_SECONDS:
            self.save()

    def row(self, name: str, fingerprint: str) -> bytes | None:
        """Content of the row of a name if it has that fingerprint, else None."""
        row = self.rows.get(name)
        if self._table is not None:
            query = "SELECT fingerprint, meta FROM known WHERE path = ?"
            row = self._execute(query, name.removeprefix(self._prefix))
        return row[1] if row is not None and row[0] == fingerprint and isinstance(row[1], bytes) else None

    def _execute(self, statement: str, *values: str | bytes) -> Any:
        """Run a statement; None if the table is damaged, full or read-only, or a name is not UTF-8."""
        if self._table is not None:
            with suppress(sqlite3.Error, UnicodeEncodeError):
                return self._table.execute(statement, values).fetchone()
        return None

    def forget(self) -> None:
        self._execute("DELETE FROM known")

    def save(self) -> None:
        if self._table is not None:
            with suppress(sqlite3.Error):
                self._table.commit()
        self._saved = time.monotonic()


@contextmanager
def open_index(path: Path, artefacts: Path, *, writes: bool) -> Iterator[Index]:
    """Open the cache of a run's artefacts; with `writes`, which needs the run's lock, new rows are stored.

    A cache that is damaged or of another version is discarded; if none is usable, all is read from files.
    """
    table = _open_table(path, writes)
    if table is None and writes:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        table = _open_table(path, writes)
    index = Index(table, artefacts)
    try:
        yield index
    finally:
        index.save()
        if table is not None:
            table.close()


def _open_table(path: Path, writes: bool) -> sqlite3.Connection | None:
    """Open the table of a file; None if it cannot be used."""
    table = None
    try:
        if writes:
            path.parent.mkdir(parents=True, exist_ok=True)
        name = f"{path.absolute().as_uri()}?mode={'rwc' if writes else 'ro'}"
        # A reader begins no transaction, which would hold its lock.
        table = sqlite3.connect(name, uri=True, timeout=_PATIENCE_SECONDS)
        table.isolation_level = "DEFERRED" if writes else None
        table.execute("PRAGMA synchronous = OFF")
        table.execute("PRAGMA cache_spill = OFF")
        table.execute(f"PRAGMA mmap_size = {2**30}")
        (version,) = table.execute("PRAGMA user_version").fetchone()
        if writes and version == 0:
            table.execute("CREATE TABLE known (path TEXT PRIMARY KEY, fingerprint TEXT, meta BLOB)")
            table.execute(f"PRAGMA user_version = {_VERSION}")
            table.commit()
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"it is of version {version}")
        table.execute("SELECT 1 FROM known LIMIT 1")
    except (sqlite3.Error, OSError):
        if table is not None:
            table.close()
        return None
    return table
