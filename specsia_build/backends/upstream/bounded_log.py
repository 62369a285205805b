"""A log that whoever prints into it can neither fill a disk with nor be held up by."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from pathlib import Path

from specsia_build.errors import WriteError, brief
from specsia_build.files.trouble import cannot_write
from specsia_build.files.writing import write_bytes

MOST_BYTES = 20 * 2**20
"""No log is larger."""

_MOST_UNWRITTEN = 2**20
_FLUSH_SECONDS = 0.1
_LOOK_MS = 500
_LINGER_SECONDS = 1.0
_LAST_BYTES = 4096


class BoundedLog:
    """The end of everything that is written to a pipe, kept in a file.

    What comes is always taken at once, by a thread. What comes faster than about 10 MB a second is not all written: the
    oldest of it is dropped, at line ends where there are any, and a line in the log says how much. A log that has
    reached `most` bytes loses its older half, and says so in its first line.

    Attributes:
        path: the file, or None for nowhere.
        pipe: descriptor to write to, for this process and those that it starts.
        problem: why the log could not be written, or None; what is printed is taken all the same.
    """

    def __init__(self, path: Path | None, most: int = MOST_BYTES) -> None:
        self.path, self.problem = path, None if path is None else _opened(path)
        self._most = most
        self._unwritten = bytearray()
        self._dropped = 0
        self._last = b""
        self._until = float("inf")
        self._source, self.pipe = os.pipe()
        self._thread = threading.Thread(target=self._take_all, daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Write to the pipe."""
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self.pipe, data) :]

    def last_line(self, most: int) -> str:
        """The last line with something in it, printable and of at most `most` characters, or nothing; complete once the
        log is closed."""
        lines = [line.strip() for line in self._last.decode(errors="replace").splitlines()]
        return next((brief(line, most) for line in reversed(lines) if line), "")

    def close(self) -> None:
        """Take what is still in the pipe, and leave; those who hold the pipe longer write into nothing."""
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1
            self._until = time.monotonic() + _LINGER_SECONDS
        self._thread.join()

    def _take_all(self) -> None:
        try:
            self._take_until_closed()
        finally:
            # Whoever writes on writes into nothing, and does not wait for a reader that is gone.
            os.close(self._source)

    def _take_until_closed(self) -> None:
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        due = 0.0
        while time.monotonic() < self._until:
            ready = poll.poll(_FLUSH_SECONDS * 1000 if self._unwritten else _LOOK_MS)
            data = os.read(self._source, _MOST_UNWRITTEN) if ready else b""
            if ready and not data:
                break
            self._unwritten += data
            self._drop()
            if self._unwritten and time.monotonic() >= due:
                self._flush()
                due = time.monotonic() + _FLUSH_SECONDS
        self._flush()

    def _drop(self) -> None:
        over = len(self._unwritten) - _MOST_UNWRITTEN
        if over > 0:
            cut = self._unwritten.find(b"\n", over, over + _LAST_BYTES) + 1 or over
            del self._unwritten[:cut]
            self._dropped += cut

    def _flush(self) -> None:
        data = bytes(self._unwritten)
        self._unwritten.clear()
        self._last = (self._last + data[-_LAST_BYTES:])[-_LAST_BYTES:]
        if self._dropped:
            data = b"[%d bytes were dropped here: they came too fast]\n" % self._dropped + data
            self._dropped = 0
        if self.path is None or self.problem is not None or not data:
            return
        try:
            self._append(self.path, data)
        except WriteError as error:
            self.problem = str(error)

    def _append(self, path: Path, data: bytes) -> None:
        try:
            size = path.stat().st_size if path.exists() else 0
            if size + len(data) <= self._most:
                with path.open("ab") as stream:
                    stream.write(data)
                return
            with path.open("rb") as stream:
                stream.seek(-min(size, self._most // 2), os.SEEK_END)
                kept = stream.read() + data
        except OSError as error:
            raise cannot_write(path, error) from error
        # Half a line is no line, but what never ends a line is kept all the same.
        kept = kept[-self._most // 2 :]
        cut = f"[older lines were dropped: this log keeps at most {self._most / 2**20:g} MB]\n".encode()
        write_bytes(path, cut + kept[kept.find(b"\n", 0, _LAST_BYTES) + 1 :])


def _opened(path: Path) -> str | None:
    """Make the log's folder and file; why it cannot be written, or None."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            return None
    except OSError as error:
        return str(cannot_write(path, error))
