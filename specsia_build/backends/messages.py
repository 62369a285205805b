"""Lines of JSON between a supervisor and its worker; what is not a message is passed over."""

from __future__ import annotations

import json
import os
import select
from collections.abc import Iterator, Mapping
from typing import IO, Any

MAX_LINE_BYTES = 2**20
"""No message is longer; a longer line is what something printed."""

_BEGINNING = b'{"'
_BEGINNINGS = 16


def write_message(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    """Write one message as one line.

    Raises:
        OSError: if nobody reads any more.
    """
    stream.write(json.dumps(message).encode("ascii") + b"\n")
    stream.flush()


def parse_line(line: bytes) -> dict[str, Any] | None:
    """The message of a line, also where something was printed before it without a line end; None if there is none."""
    at = line.find(_BEGINNING)
    for _ in range(_BEGINNINGS):
        if at < 0:
            break
        try:
            message = json.loads(line[at:].decode("utf-8"))
        except (ValueError, RecursionError):
            at = line.find(_BEGINNING, at + 1)
            continue
        return message if isinstance(message, dict) and isinstance(message.get("type"), str) else None
    return None


class MessageReader:
    """Messages from a descriptor.

    Attributes:
        ended: whether the other side has closed it.
    """

    def __init__(self, descriptor: int = -1, garbage: IO[bytes] | None = None) -> None:
        self.ended = False
        self._descriptor, self._garbage = descriptor, garbage
        self._unread = b""

    def read(self, seconds: float) -> Iterator[dict[str, Any]]:
        """The messages that arrive next, none if nothing comes in time."""
        if self.ended or not select.select([self._descriptor], [], [], max(0.0, seconds))[0]:
            return
        data = os.read(self._descriptor, 1 << 16)
        self.ended = not data
        *lines, self._unread = (self._unread + data).split(b"\n")
        if self.ended and self._unread:
            lines, self._unread = [*lines, self._unread], b""
        if len(self._unread) > MAX_LINE_BYTES:
            self._discard(self._unread)
            self._unread = b""
        for line in lines:
            message = parse_line(line)
            if message is None:
                self._discard(line + b"\n")
            else:
                yield message

    def waiting(self) -> bool:
        """Whether something is there to read."""
        return not self.ended and bool(select.select([self._descriptor], [], [], 0)[0])

    def _discard(self, data: bytes) -> None:
        if self._garbage is not None and data.strip():
            self._garbage.write(data)
            self._garbage.flush()
