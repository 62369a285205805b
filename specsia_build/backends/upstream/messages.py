"""Lines of JSON between a supervisor and its worker, and what the worker's mean; what is no message is passed over."""

from __future__ import annotations

import json
import math
import os
import select
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, NoReturn

from specsia_build.backends.placing import axes_matrix
from specsia_build.backends.upstream.worker import INPUT, INTERNAL, OOM
from specsia_build.errors import brief

MAX_LINE_BYTES = 2**20
"""No message is longer; a longer line is what something printed."""

_BEGINNING = b'{"'
_BEGINNINGS = 16
_MOST_QUOTED = 80
_MOST_VERSIONS = 100
_MOST_PATH, _MOST_NAME = 4096, 255


class BadMessage(ValueError):
    """A message does not say what it should; the text completes "the worker ..."."""


@dataclass(frozen=True)
class Hello:
    """A worker's greeting.

    Attributes:
        protocol: version that it speaks.
        versions: of what it uses, weights: revision of each; text by name.
        axes: which signed axis of its mesh files is x, y, z of the frame, or None where it did not say.
        framing: ``kept`` or ``free``, or None.
    """

    protocol: int
    versions: Mapping[str, str]
    weights: Mapping[str, str]
    axes: tuple[str, str, str] | None
    framing: str | None


@dataclass(frozen=True)
class Done:
    """A picture is done.

    Attributes:
        mesh: path, as the worker wrote it.
        seconds: that it took, finite and not negative.
        peak_mb, peak_gpu_mb: of memory, the same; None where it did not say.
    """

    mesh: str
    seconds: float
    peak_mb: float | None
    peak_gpu_mb: float | None


@dataclass(frozen=True)
class Failed:
    """A picture, or the start, failed.

    Attributes:
        kind: `INPUT`, `OOM` or `INTERNAL`.
        message: whatever the worker wrote.
        restart: whether it wants to be started anew.
    """

    kind: str
    message: str
    restart: bool


def read_hello(message: Mapping[str, Any]) -> Hello:
    """Raises: BadMessage, if it is no greeting."""
    protocol = message.get("protocol")
    if not isinstance(protocol, int):
        raise BadMessage(f"speaks no version of the protocol: {_quoted(protocol)}")
    frame = message.get("frame", {})
    if not isinstance(frame, dict):
        raise BadMessage(f"states a frame that is none: {_quoted(frame)}")
    return Hello(
        protocol, _texts(message, "versions"), _texts(message, "weights"), _axes(frame.get("axes")), _framing(frame)
    )


def read_done(message: Mapping[str, Any]) -> Done:
    """Raises: BadMessage, if it is no answer."""
    mesh = message.get("mesh")
    if not isinstance(mesh, str) or not mesh:
        raise BadMessage(f"said that it was done, but named no mesh: {_quoted(mesh)}")
    if len(mesh) > _MOST_PATH or len(mesh.rpartition("/")[2]) > _MOST_NAME:
        raise BadMessage(f"said that it was done, but named a mesh by {len(mesh):,} characters, too long for any path")
    seconds = _number(message, "seconds")
    return Done(mesh, 0.0 if seconds is None else seconds, _number(message, "peak_mb"), _number(message, "peak_gpu_mb"))


def read_failed(message: Mapping[str, Any]) -> Failed:
    """What an ``error`` says; what it does not say, or not rightly, is the least that it may mean."""
    kind, text = message.get("kind"), message.get("message")
    return Failed(
        kind if kind in (INPUT, OOM) else INTERNAL,
        text if isinstance(text, str) and text.strip() else "without a word",
        message.get("restart") is True,
    )


def answers(message: Mapping[str, Any], number: int) -> bool:
    """Whether a message belongs to the request of that number."""
    stated = message.get("id")
    return type(stated) is int and stated == number


def _quoted(value: object) -> str:
    # What is nested may be nested too deeply to be written out.
    return type(value).__name__ if isinstance(value, list | dict) else brief(repr(value), _MOST_QUOTED)


def _number(message: Mapping[str, Any], key: str) -> float | None:
    value = message.get(key)
    if value is None:
        return None
    try:
        number = float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number < 0:
        raise BadMessage(f"said that it was done, but its '{key}' is no amount: {_quoted(value)}")
    return number


def _texts(message: Mapping[str, Any], key: str) -> Mapping[str, str]:
    stated = message.get(key)
    if stated is None:
        return {}
    if not isinstance(stated, dict) or any(isinstance(value, list | dict) for value in stated.values()):
        raise BadMessage(f"greets with '{key}' that are no texts by name: {_quoted(stated)}")
    few = list(stated.items())[:_MOST_VERSIONS]
    return {brief(name, _MOST_QUOTED): brief(str(value), _MOST_QUOTED) for name, value in few}


def _axes(stated: object) -> tuple[str, str, str] | None:
    if stated is None:
        return None
    if not isinstance(stated, list) or not all(isinstance(axis, str) for axis in stated):
        raise BadMessage(f"states a frame that is none: its axes are {_quoted(stated)}")
    try:
        axes_matrix(stated)
        first, second, third = stated
    except ValueError as error:
        raise BadMessage(f"states a frame that is none: {brief(str(error), _MOST_QUOTED)}") from error
    return first, second, third


def _framing(frame: Mapping[str, Any]) -> str | None:
    stated = frame.get("framing")
    if stated not in (None, "kept", "free"):
        raise BadMessage(f"states a frame that is none: its framing is {_quoted(stated)}, neither 'kept' nor 'free'")
    return stated


def write_message(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    """Write one message as one line.

    Raises:
        OSError: if nobody reads any more.
    """
    stream.write(json.dumps(message).encode("ascii") + b"\n")
    stream.flush()


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def parse_line(line: bytes) -> dict[str, Any] | None:
    """The message of a line, also where something was printed before it without a line end; None if there is none."""
    at = line.find(_BEGINNING)
    for _ in range(_BEGINNINGS):
        if at < 0:
            break
        try:
            message = json.loads(line[at:].decode("utf-8"), parse_constant=_no_number)
        except (ValueError, RecursionError):
            at = line.find(_BEGINNING, at + 1)
            continue
        return message if isinstance(message, dict) and isinstance(message.get("type"), str) else None
    return None


class MessageReader:
    """Messages from a descriptor.

    Attributes:
        ended: whether the other side has closed it.
        refused: the beginning of the last line that looks like a message and is none; empty while there is none.
    """

    def __init__(self, descriptor: int = -1, garbage: Callable[[bytes], None] | None = None) -> None:
        """Args:
        descriptor: to read from.
        garbage: is given what is no message.
        """
        self.ended, self.refused = False, ""
        self._descriptor, self._garbage = descriptor, garbage
        self._unread = b""

    def read(self, seconds: float) -> Iterator[dict[str, Any]]:
        """The messages that arrive next, none if nothing comes in time."""
        if self.ended or not _readable(self._descriptor, seconds):
            return
        data = os.read(self._descriptor, 1 << 16)
        self.ended = not data
        lines, end, self._unread = (self._unread + data).rpartition(b"\n")
        if (self.ended and self._unread) or len(self._unread) > MAX_LINE_BYTES:
            lines, self._unread = lines + end + self._unread, b""
        # Most of what something prints can be told from messages without a look at each line.
        if _BEGINNING not in lines:
            self._let_go(lines)
            return
        messages, garbage = [], []
        for line in lines.split(b"\n"):
            message = parse_line(line)
            if message is not None:
                messages.append(message)
                continue
            garbage.append(line)
            if line.startswith(b'{"type"'):
                self.refused = brief(line[:_MOST_QUOTED].decode(errors="replace"), _MOST_QUOTED)
        self._let_go(b"\n".join(garbage))
        yield from messages

    def _let_go(self, lines: bytes) -> None:
        if self._garbage is not None and lines.strip():
            self._garbage(lines + b"\n")

    def waiting(self) -> bool:
        """Whether something is there to read."""
        return not self.ended and _readable(self._descriptor, 0)


def _readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))
