"""Cache of meta data and digests: one table of what was read from which file, in SQLite.

A row counts as long as its file has the size and times of change that it was read with. Losing the cache costs time.
"""

from __future__ import annotations

import os
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from functools import cache
from pathlib import Path
from typing import TypeAlias

import msgspec

from specsia_build.errors import CharacterError
from specsia_build.files.listing import searched
from specsia_build.files.sources import source_digest, source_place
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.store import read_meta, stamp_of
from specsia_build.stages.stage import Meta

VERSION = 4
"""Version of the table; a cache of another one is begun anew."""

_DIGEST_LENGTH = 64
"""Characters of a SHA-256; anything else in the table is damage."""

_COMMIT_SECONDS = 1.0
"""How often new rows are committed."""

_PATIENCE_SECONDS = 10.0
"""How long a reader waits while a build commits."""

Row: TypeAlias = tuple[str, bytes]
"""A file's stamp, and what was read from it: packed meta data or a digest."""


def source_stamp(path: Path, root: Path) -> str | None:
    """Size and times of change of a source file, the inode's too, as unpacking may restore a time.

    For a search this is what it finds; None where there is no file that may be read, see `source_place`.
    """
    try:
        status = source_place(path, root).stat()
    except FileNotFoundError:
        return searched(path)
    except (OSError, ValueError, CharacterError):
        return None
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


class Index:
    """Meta data of the artefacts of a run and digests of its source files; to be used from one thread.

    Attributes:
        rows: by name the stamp and content of what was learnt without a table, which a worker sends to the build.
    """

    def __init__(self, table: sqlite3.Connection | None = None, folder: Path | None = None, *, learns: bool = True):
        """Open a cache.

        Args:
            table: where rows are kept; without one they are kept in memory.
            folder: of the artefacts, left out of their names in the table.
            learns: whether the table may be written.
        """
        self.rows: dict[str, Row] = {}
        self._table, self._learns, self._saved = table, learns, time.monotonic()
        self._prefix = "" if folder is None else f"{folder}/"
        self._hidden: set[Path] = set()

    def seen(self, path: Path) -> tuple[bool, Meta | None]:
        """Whether anything is in the place of an artefact, and its meta data, as `store.seen` gives them."""
        stamp = None if path in self._hidden else stamp_of(path)
        if stamp is None:
            return path not in self._hidden and os.path.lexists(path), None
        row = self._row(str(path), stamp)
        if row is not None:
            with suppress(ValueError, TypeError, zlib.error, msgspec.MsgspecError):
                return True, msgspec.json.decode(zlib.decompress(row))
        read = read_meta(path)
        if read is not None:
            self.learn(str(path), (stamp, zlib.compress(msgspec.json.encode(read), 1)))
        return True, read

    def meta(self, path: Path) -> Meta | None:
        """Meta data of an artefact, or None."""
        return self.seen(path)[1]

    def snapshot(self) -> Index:
        """The same index for a short time in which no artefact changes: each is looked at once."""
        snapshot = copy(self)
        snapshot.seen = cache(self.seen)  # type: ignore[method-assign]
        return snapshot

    def hide(self, path: Path) -> None:
        """Take an artefact for missing from now on, as what it was made from could not be made again."""
        self._hidden.add(path)

    def digest(self, path: Path, root: Path) -> str | None:
        """SHA-256 of a source file's content, None where there is none that may be read; see `source_place`."""
        stamp = source_stamp(path, root)
        if stamp is None:
            return None
        name = f"source:{path}"
        row = self._row(name, stamp)
        if row is not None and len(row) == _DIGEST_LENGTH:
            return row.decode(errors="replace")
        digest = source_digest(path, root)
        if digest is not None:
            self.learn(name, (stamp, digest.encode()))
        return digest

    def learn(self, name: str, row: Row) -> None:
        """Keep a row, from another index's `rows` for instance."""
        if self._table is None:
            self.rows[name] = row
        elif self._learns:
            # A cache that cannot be written, for want of room perhaps, costs time and nothing else.
            with suppress(sqlite3.Error, UnicodeEncodeError):
                values = name.removeprefix(self._prefix), *row
                self._table.execute("INSERT OR REPLACE INTO known VALUES (?, ?, ?)", values)
                if time.monotonic() - self._saved >= _COMMIT_SECONDS:
                    self.save()

    def _row(self, name: str, stamp: str) -> bytes | None:
        row = self.rows.get(name)
        if self._table is not None:
            # What a damaged cache cannot tell is read anew, and so is what no text can name.
            with suppress(sqlite3.Error, UnicodeEncodeError):
                query = "SELECT stamp, meta FROM known WHERE path = ?"
                row = self._table.execute(query, (name.removeprefix(self._prefix),)).fetchone()
        return row[1] if row is not None and row[0] == stamp and isinstance(row[1], bytes) else None

    def forget(self) -> None:
        """Remove all rows."""
        if self._table is not None:
            with suppress(sqlite3.Error):
                self._table.execute("DELETE FROM known")

    def save(self) -> None:
        """Commit what was learnt."""
        if self._table is not None:
            with suppress(sqlite3.Error):
                self._table.commit()
        self._saved = time.monotonic()


@contextmanager
def open_index(layout: RunLayout, *, writes: bool) -> Iterator[Index]:
    """Open the cache of a run; what is learnt is kept if it `writes`, as only who holds the run's lock may.

    A cache that is damaged or of another version is begun anew; where none can be used, all is read from files.
    """
    table = _table(layout.index, writes)
    if table is None and writes:
        with suppress(OSError):
            layout.index.unlink(missing_ok=True)
        table = _table(layout.index, writes)
    index = Index(table, layout.artefacts, learns=writes)
    try:
        yield index
    finally:
        index.save()
        if table is not None:
            table.close()


def _table(path: Path, writes: bool) -> sqlite3.Connection | None:
    """Open the table of a file; None where it cannot be used."""
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
            table.execute(
                "CREATE TABLE IF NOT EXISTS known (path TEXT PRIMARY KEY, stamp TEXT, meta BLOB) WITHOUT ROWID"
            )
            table.execute(f"PRAGMA user_version = {VERSION}")
            table.commit()
        table.execute("SELECT 1 FROM known LIMIT 1")
    except (sqlite3.Error, OSError):
        if table is not None:
            table.close()
        return None
    return table
