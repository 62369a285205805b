"""What is known of a run without opening its artefacts: an SQLite file that only remembers what they say.

Each row bears the sizes and times of change of the files that it was read from, and counts as long as these stay the
same. A run whose index is lost, damaged or on a file system that cannot hold one is read artefact by artefact.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from specsia_build.config import ALL
from specsia_build.files.sources import source_digest
from specsia_build.pipeline.layout import FANS, RunLayout, fan_of
from specsia_build.pipeline.objects import Place
from specsia_build.pipeline.stamps import Stamps, file_stamp, source_stamp
from specsia_build.pipeline.store import DamagedError, discard, read_meta
from specsia_build.stages.members import Member
from specsia_build.stages.stage import Meta

T = TypeVar("T")

VERSION = 3
"""Of the tables; an index of another one is begun anew."""

_TABLES = """
CREATE TABLE IF NOT EXISTS artefacts (name TEXT PRIMARY KEY, stamp TEXT NOT NULL, meta BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS digests (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settled (
    fan TEXT, id TEXT, mark BLOB NOT NULL, known TEXT NOT NULL, PRIMARY KEY (fan, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS members (
    fan TEXT, id TEXT, members TEXT NOT NULL, PRIMARY KEY (fan, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS concluded (what TEXT PRIMARY KEY, decides TEXT NOT NULL, said TEXT NOT NULL) WITHOUT ROWID;
"""

_EVERY_SECONDS = 1.0
"""How often what was written is kept for good."""

_AT_ONCE = 500
"""Rows that are asked for with one statement, as each locks the file, which takes ten times as long as a row."""

_PATIENCE_SECONDS = 10.0
"""That a reader waits while a build writes a few rows."""


class Settled(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is known of a character of which nothing is left to do.

    Attributes:
        sources: files that decide its artefacts, those among them that are not there.
        artefacts: their names, relative to the folder of artefacts.
        clips: ids of its clips.
        kept: which artefacts kept their files when that was last seen to; see `BuildConfig.keep`.
        warnings: sentences that its artefacts bear.
    """

    sources: Sequence[str]
    artefacts: Sequence[str]
    clips: Sequence[str]
    kept: str = ALL
    warnings: Sequence[str] = ()


Members = dict[str, list[Member]]
"""By backend what pack keeps in mind of a character, or of each of its clips."""

_SETTLED, _MEMBERS = msgspec.json.Decoder(Settled), msgspec.json.Decoder(Members)


def packed_meta(meta: Meta) -> bytes:
    """Meta data as the index holds them."""
    return zlib.compress(json.dumps(meta, ensure_ascii=False, separators=(",", ":")).encode(), 1)


def _encoded(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _decoded(decoder: msgspec.json.Decoder[T], row: str) -> T | None:
    """What a row says, None where it is damaged."""
    try:
        return decoder.decode(row)
    except (msgspec.MsgspecError, TypeError):
        return None


class Index:
    """Answers for the artefacts and the source files of one run; to be used from one thread."""

    def __init__(self, layout: RunLayout, tables: sqlite3.Connection, *, learns: bool) -> None:
        """To be had by `open_index`."""
        self._learns = learns
        self._stamps = Stamps(layout.artefacts)
        self.name = self._stamps.name
        self._tables = tables
        self._saved = time.monotonic()
        self._watched: dict[str, None] | None = None

    def seen(self, place: Place) -> tuple[bool, Meta | None]:
        """Whether there is something in the place of an artefact, and its meta data, as `store.seen` gives them."""
        found = self.meta(place)
        return found is not None or self._stamps.of(place) is not None, found

    def discard(self, place: Place) -> None:
        """Remove an artefact, if it is there."""
        discard(place)
        self._stamps.changed(place, None)

    def meta(self, place: Place) -> Meta | None:
        """Meta data of an artefact, as `read_meta` gives them."""
        name, stamp = self.name(place), self._stamps.of(place)
        if stamp is None:
            return None
        row = self._row("SELECT stamp, meta FROM artefacts WHERE name = ?", name)
        if row is not None and row[0] == stamp:
            with suppress(ValueError, TypeError, zlib.error):
                found: Meta = json.loads(zlib.decompress(row[1]))
                return found
        read = read_meta(place)
        if read is not None:
            self.learn(place, stamp, packed_meta(read))
        return read

    def stated_meta(self, place: Place) -> Meta:
        """Meta data of an artefact that must be there.

        Raises:
            DamagedError: if it is not, as far as its size tells.
        """
        found = self.meta(place)
        if found is None:
            raise DamagedError(f"the artefact {place} is damaged: delete it and build again")
        return found

    def learn(self, place: Place, stamp: str, packed: bytes) -> None:
        """Remember an artefact's stamp and meta data, from `packed_meta`."""
        self._stamps.changed(place, stamp)
        self._write("INSERT OR REPLACE INTO artefacts VALUES (?, ?, ?)", self.name(place), stamp, packed)

    def digest(self, path: Path, root: Path) -> str | None:
        """SHA-256 of a source file's content, None where there is none that may be read; see `source_place`."""
        if self._watched is not None:
            self._watched[str(path)] = None
        stamp = source_stamp(path, root)
        if stamp is None:
            return None
        row = self._row("SELECT stamp, digest FROM digests WHERE path = ?", str(path))
        if row is not None and row[0] == stamp:
            return str(row[1])
        found = source_digest(path, root)
        if found is not None:
            self.learn_digest(path, stamp, found)
        return found

    def digests(self, files: Sequence[tuple[Path, Path]]) -> Iterator[str | None]:
        """Of each of many files and its root, in their order, what `digest` gives.

        Where its links lead is not looked up for a file that is as it was when it was read.
        """
        for path, root, row in self._digest_rows(files):
            yield row[2] if row is not None and row[1] == file_stamp(path) else self.digest(path, root)

    def told_digests(self, files: Sequence[tuple[Path, Path]]) -> Iterator[str | None]:
        """As `digests`, but that files are not looked at whose digests are known from when they were read last."""
        for path, root, row in self._digest_rows(files):
            yield self.digest(path, root) if row is None else row[2]

    def _digest_rows(
        self, files: Sequence[tuple[Path, Path]]
    ) -> Iterator[tuple[Path, Path, tuple[str, str, str] | None]]:
        """Of each file and its root these and its path, stamp and digest as far as they are known."""
        for begin in range(0, len(files), _AT_ONCE):
            part, rows = files[begin : begin + _AT_ONCE], list[tuple[str, str, str]]()
            statement = f"SELECT path, stamp, digest FROM digests WHERE path IN ({','.join('?' * len(part))})"  # noqa: S608
            # What a damaged index does not tell is read anew, and what no text can name.
            with suppress(sqlite3.Error, UnicodeEncodeError):
                rows = self._tables.execute(statement, [str(path) for path, _ in part]).fetchall()
            known = {row[0]: row for row in rows}
            yield from ((path, root, known.get(str(path))) for path, root in part)

    def learn_digest(self, path: str | Path, stamp: str, digest: str) -> None:
        """Remember the digest of a source file."""
        self._write("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", str(path), stamp, digest)

    @contextmanager
    def watched(self) -> Iterator[Collection[str]]:
        """Gathers the source files whose digests are asked for in the block."""
        self._watched = found = dict[str, None]()
        try:
            yield found.keys()
        finally:
            self._watched = None

    def settle(self, character_id: str, decides: bytes, known: Settled, members: Members) -> bytes:
        """Remember that nothing is left to do of a character; returns its mark, as `settled` gives it.

        Args:
            character_id: its id.
            decides: all that decides its artefacts, but for the content of files.
            known: see `Settled`.
            members: see `Members`.
        """
        key, row = (fan_of(character_id), character_id), _encoded(known)
        mark = _mark(decides, row, known, self._stamps.in_order(known.artefacts))
        self._write("INSERT OR REPLACE INTO settled VALUES (?, ?, ?, ?)", *key, mark, row)
        self._write("INSERT OR REPLACE INTO members VALUES (?, ?, ?)", *key, _encoded(members))
        return mark

    def members(self, ids: Collection[str]) -> Iterator[tuple[str, Members]]:
        """What pack keeps in mind of some characters that are settled, in no order."""
        for rows in self._by_fan("SELECT id, members FROM members WHERE fan = ?", ids):
            for character_id, row in rows:
                if (found := _decoded(_MEMBERS, row)) is not None:
                    yield character_id, found

    def settled(self, ids: Collection[str], deciding: Callable[[str], bytes]) -> Iterator[tuple[str, Settled, bytes]]:
        """Those of some characters of which nothing is left to do, in no order.

        Args:
            ids: theirs.
            deciding: gives by id what decides a character's artefacts, as for `settle`.

        Yields:
            The id, what is known of it, and a mark, which changes with all that decides its artefacts and with them.
        """
        for rows in self._by_fan("SELECT id, mark, known FROM settled WHERE fan = ?", ids):
            # Of the folders that only these characters' artefacts lie in, so that not all are held.
            seen = dict[str, str | None]()
            for character_id, mark, row in rows:
                known = _decoded(_SETTLED, row)
                if known is None:
                    continue
                stamps = self._stamps.beside(known.artefacts, seen)
                if mark == _mark(deciding(character_id), row, known, stamps):
                    yield character_id, known, mark

    def concluded(self, what: str, decides: str) -> str | None:
        """What was said last of all characters together, where that was decided by the same; None otherwise."""
        row = self._row("SELECT said FROM concluded WHERE what = ? AND decides = ?", what, decides)
        return None if row is None else str(row[0])

    def conclude(self, what: str, decides: str, said: str) -> None:
        """Remember what is said of all characters together, and a digest of what decides it."""
        self._write("INSERT OR REPLACE INTO concluded VALUES (?, ?, ?)", what, decides, said)

    def _by_fan(self, statement: str, ids: Collection[str]) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of some characters, folder by folder of their artefacts; the first value of a row is its id."""
        for fan in _fans(ids):
            rows: list[tuple[Any, ...]] = []
            # What a damaged index does not tell is read anew.
            with suppress(sqlite3.Error):
                rows = self._tables.execute(statement, (fan,)).fetchall()
            yield [row for row in rows if row[0] in ids]

    def forget(self) -> None:
        """Forget all of it."""
        for table in ("artefacts", "digests", "settled", "members", "concluded"):
            self._write(f"DELETE FROM {table}")  # noqa: S608  the names above

    def _row(self, statement: str, *values: Any) -> Any:
        # What a damaged index does not tell is read anew, and what no text can name.
        with suppress(sqlite3.Error, UnicodeEncodeError):
            return self._tables.execute(statement, values).fetchone()
        return None

    def _write(self, statement: str, *values: Any) -> None:
        # Of a file that is another's, even an attempt would hold a lock that its writer waits for.
        if not self._learns:
            return
        # A memory that cannot be written, for want of room perhaps, costs time and nothing else.
        with suppress(sqlite3.Error, UnicodeEncodeError):
            self._tables.execute(statement, values)
            if time.monotonic() - self._saved >= _EVERY_SECONDS:
                self.save()

    def save(self) -> None:
        """Keep what was learnt for the next command."""
        with suppress(sqlite3.Error):
            self._tables.commit()
        self._saved = time.monotonic()


def _mark(decides: bytes, row: str, known: Settled, made: list[str | None]) -> bytes:
    """SHA-256 of all that must stay as it is for a character to be settled.

    `row` is what says `known`; `made` are its artefacts' stamps.
    """
    text = f"{row}\0{list(map(file_stamp, known.sources))}\0{made}\0"
    return hashlib.sha256(text.encode() + decides).digest()


def _fans(ids: Collection[str]) -> list[str]:
    """The folders that some characters' artefacts lie in."""
    found = set[str]()
    for one in ids:
        found.add(fan_of(one))
        if len(found) == FANS:
            break
    return sorted(found)


@contextmanager
def open_index(layout: RunLayout, *, writes: bool, say: Callable[[str], None] | None = None) -> Iterator[Index]:
    """The index of a run; what is learnt is kept if it `writes`, as only who holds the run may.

    `say` is told where the file cannot serve, so that everything is read anew.
    """
    with closing(_opened(layout.index, writes, say)) as tables:
        ((_, _, file),) = tables.execute("PRAGMA database_list")
        index = Index(layout, tables, learns=writes or not file)
        try:
            yield index
        finally:
            index.save()


def _opened(path: Path, writes: bool, say: Callable[[str], None] | None) -> sqlite3.Connection:
    try:
        if writes:
            path.parent.mkdir(parents=True, exist_ok=True)
        if writes or path.is_file():
            return _tables_of(path, writes)
    except (sqlite3.Error, OSError) as error:
        # One that is busy is sound.
        if writes and not isinstance(error, sqlite3.OperationalError):
            for one in (path, path.with_name(f"{path.name}-journal")):
                with suppress(OSError):
                    one.unlink(missing_ok=True)
            with suppress(sqlite3.Error, OSError):
                return _tables_of(path, writes)
        if say is not None:
            say(f"{path} cannot be used ({error}): the artefacts themselves are read, which takes longer")
    return _tables_of(None, True)


def _tables_of(path: Path | None, writes: bool) -> sqlite3.Connection:
    """The tables of a file, or of nothing but memory; a reader's own changes are never written.

    Raises:
        sqlite3.Error, OSError: if they cannot be had.
    """
    name = ":memory:" if path is None else f"{path.absolute().as_uri()}?mode={'rwc' if writes else 'ro'}"
    tables = sqlite3.connect(name, uri=path is not None, timeout=_PATIENCE_SECONDS)
    try:
        # What a power cut takes is read anew; and readers never wait for more than one saving.
        tables.execute("PRAGMA synchronous = OFF")
        tables.execute("PRAGMA cache_spill = OFF")
        (version,) = tables.execute("PRAGMA user_version").fetchone()
        if path is not None and not writes:
            if version != VERSION:
                raise sqlite3.DatabaseError(f"it is of version {version}")
            tables.execute("SELECT 1 FROM settled LIMIT 1")
            return tables
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError(f"it is of version {version}")
        tables.executescript(_TABLES)
        tables.execute(f"PRAGMA user_version = {VERSION}")
        tables.commit()
    except BaseException:
        tables.close()
        raise
    return tables
