"""Cache of meta data and digests: one table of what was read from which file, in SQLite.

A row counts as long as its file has the size and times of change that it was read with. Losing the cache costs time.
"""

from __future__ import annotations

import os
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from specsia_build.errors import CharacterError
from specsia_build.files.listing import searched
from specsia_build.files.sources import source_digest, source_place
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.store import read_meta, stamp_of
from specsia_build.stages.stage import Meta

VERSION = 4
"""Version of the table; a cache of another one is begun anew."""

_TABLE = "CREATE TABLE IF NOT EXISTS known (path TEXT PRIMARY KEY, stamp TEXT, meta BLOB) WITHOUT ROWID"

_DIGEST_LENGTH = 64
"""Characters of a SHA-256; anything else in the table is damage."""

_COMMIT_SECONDS = 1.0
"""How often new rows are committed."""

_PATIENCE_SECONDS = 10.0
"""How long a reader waits while a build commits."""


def packed_meta(meta: Meta) -> bytes:
    """Meta data as the cache holds them."""
    return zlib.compress(msgspec.json.encode(meta), 1)


def source_stamp(path: Path, root: Path) -> str | None:
    """Size and times of change of a source file, the inode's too, as unpacking may restore a time.

    Of a search it is what that finds; None where there is no file that may be read, see `source_place`.
    """
    try:
        found = source_place(path, root).stat()
    except FileNotFoundError:
        return searched(path)
    except (OSError, ValueError, CharacterError):
        return None
    return f"{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


class Index:
    """Meta data of the artefacts of one run and digests of its source files; to be used from one thread."""

    def __init__(self, layout: RunLayout, table: sqlite3.Connection, *, learns: bool) -> None:
        self._prefix = f"{layout.artefacts}/"
        self._table, self._learns, self._saved = table, learns, time.monotonic()

    def seen(self, path: Path) -> tuple[bool, Meta | None]:
        """Whether anything is in the place of an artefact, and its meta data, as `store.seen` gives them."""
        stamp = stamp_of(path)
        if stamp is None:
            return os.path.lexists(path), None
        row = self._row(self._name(path), stamp)
        if row is not None:
            with suppress(ValueError, TypeError, zlib.error, msgspec.MsgspecError):
                found: Meta = msgspec.json.decode(zlib.decompress(row))
                return True, found
        read = read_meta(path)
        if read is not None:
            self.learn(path, stamp, packed_meta(read))
        return True, read

    def meta(self, path: Path) -> Meta | None:
        """Meta data of an artefact, or None."""
        return self.seen(path)[1]

    def learn(self, path: Path, stamp: str, packed: bytes) -> None:
        """Remember an artefact's meta data, from `packed_meta`."""
        self._write(self._name(path), stamp, packed)

    def digest(self, path: Path, root: Path) -> str | None:
        """SHA-256 of a source file's content, None where there is none that may be read; see `source_place`."""
        stamp = source_stamp(path, root)
        if stamp is None:
            return None
        row = self._row(f"source:{path}", stamp)
        if row is not None and len(row) == _DIGEST_LENGTH:
            return row.decode(errors="replace")
        found = source_digest(path, root)
        if found is not None:
            self.learn_digest(path, stamp, found)
        return found

    def digests(self, files: Iterable[tuple[Path, Path]]) -> Iterator[str | None]:
        """Digest of each of some files, given with their roots."""
        return (self.digest(path, root) for path, root in files)

    def learn_digest(self, path: str | Path, stamp: str, digest: str) -> None:
        """Remember the digest of a source file."""
        self._write(f"source:{path}", stamp, digest.encode())

    def forget(self) -> None:
        """Forget all of it."""
        with suppress(sqlite3.Error):
            self._table.execute("DELETE FROM known")

    def save(self) -> None:
        """Commit what was learnt."""
        with suppress(sqlite3.Error):
            self._table.commit()
        self._saved = time.monotonic()

    def _name(self, path: Path) -> str:
        return str(path).removeprefix(self._prefix)

    def _row(self, name: str, stamp: str) -> bytes | None:
        # What a damaged cache does not tell is read anew, and so is what no text can name.
        with suppress(sqlite3.Error, UnicodeEncodeError):
            row = self._table.execute("SELECT stamp, meta FROM known WHERE path = ?", (name,)).fetchone()
            if row is not None and row[0] == stamp and isinstance(row[1], bytes):
                return row[1]
        return None

    def _write(self, *values: Any) -> None:
        if not self._learns:
            return
        # A cache that cannot be written, for want of room perhaps, costs time and nothing else.
        with suppress(sqlite3.Error, UnicodeEncodeError):
            self._table.execute("INSERT OR REPLACE INTO known VALUES (?, ?, ?)", values)
            if time.monotonic() - self._saved >= _COMMIT_SECONDS:
                self.save()


@contextmanager
def open_index(layout: RunLayout, *, writes: bool) -> Iterator[Index]:
    """Open the cache of a run; what is learnt is kept if it `writes`, as only who holds the run's lock may.

    A cache that is damaged or of another version is begun anew; without one that can be used all is read from files.
    """
    table = _table(layout.index, writes)
    if table is None and writes:
        with suppress(OSError):
            layout.index.unlink(missing_ok=True)
        table = _table(layout.index, writes)
    with closing(table or sqlite3.connect(":memory:")) as opened:
        if table is None:
            opened.execute(_TABLE)
        index = Index(layout, opened, learns=writes or table is None)
        yield index
        index.save()


def _table(path: Path, writes: bool) -> sqlite3.Connection | None:
    """The table of a file, None where it cannot be used."""
    table = None
    try:
        if writes:
            path.parent.mkdir(parents=True, exist_ok=True)
        name = f"{path.absolute().as_uri()}?mode={'rwc' if writes else 'ro'}"
        table = sqlite3.connect(name, uri=True, timeout=_PATIENCE_SECONDS)
        table.execute("PRAGMA synchronous = OFF")
        table.execute("PRAGMA cache_spill = OFF")
        (version,) = table.execute("PRAGMA user_version").fetchone()
        if version not in ((0, VERSION) if writes else (VERSION,)):
            raise sqlite3.DatabaseError(f"it is of version {version}")
        if writes:
            table.execute(_TABLE)
            table.execute(f"PRAGMA user_version = {VERSION}")
            table.commit()
        table.execute("SELECT 1 FROM known LIMIT 1")
    except (sqlite3.Error, OSError):
        if table is not None:
            table.close()
        return None
    return table
