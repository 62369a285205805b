"""Messages of a worker: one JSON object a line; other lines are passed over."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from specsia_build.errors import brief

MAX_LINE_BYTES = 2**20
"""Longest message; a longer line was printed by something else."""

Text = Annotated[str, msgspec.Meta(max_length=200)]
Texts = Annotated[dict[Text, Text], msgspec.Meta(max_length=100)]


class BadMessageError(ValueError):
    """A message with fields that cannot be used; the text completes "the worker ..."."""


class Frame(msgspec.Struct, frozen=True):
    """Frame of a worker's mesh files; None where the worker does not say.

    Attributes:
        axes: which signed axis of the file is x, y and z of the frame.
        framing: whether meshes are in the units of the picture's camera.
    """

    axes: tuple[str, str, str] | None = None
    framing: Literal["kept", "free"] | None = None


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """A worker's greeting, once everything is loaded: its protocol, versions, revisions of weights, and frame."""

    protocol: int
    versions: Texts = {}
    weights: Texts = {}
    frame: Frame = Frame()


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """A sign of life."""


class Done(msgspec.Struct, frozen=True, tag="done"):
    """A mesh, and the seconds it took."""

    id: int
    mesh: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    seconds: Annotated[float, msgspec.Meta(ge=0, le=1e12)] = 0.0


class Failed(msgspec.Struct, frozen=True, tag="error"):
    """Why the picture with this id, or the start if it has none, failed; `restart` if the worker must start anew."""

    id: int | None = None
    kind: str = "internal"
    message: str = "no reason given"
    restart: bool = False


Message = Hello | Progress | Done | Failed
_KINDS = frozenset({"hello", "progress", "done", "error"})


def parse_line(line: bytes) -> Message | None:
    """The message of a line; None if there is none.

    Raises:
        BadMessageError: if it is a message whose fields cannot be used.
    """
    try:
        fields = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or fields.get("type") not in _KINDS:
        return None
    try:
        message: Message = msgspec.convert(fields, Message)
    except msgspec.ValidationError as error:
        raise BadMessageError(f"wrote a message that cannot be used: {brief(str(error), 80)}") from error
    return message


class MessageReader:
    """Messages from a descriptor.

    Attributes:
        ended: whether the other side has closed it.
    """

    def __init__(self, descriptor: int) -> None:
        self.ended = False
        self._descriptor, self._unread = descriptor, b""

    def read(self, seconds: float) -> Iterator[Message]:
        """The messages that arrive next; none if nothing comes in time.

        Raises:
            BadMessageError: as of `parse_line`.
        """
        if self.ended or not self.waiting(seconds):
            return
        data = os.read(self._descriptor, 1 << 16)
        self.ended = not data
        *lines, self._unread = (self._unread + data).split(b"\n")
        if len(self._unread) > MAX_LINE_BYTES:
            self._unread = b""
        yield from filter(None, map(parse_line, lines))

    def waiting(self, seconds: float = 0.0) -> bool:
        """Whether something arrives within so many seconds."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return not self.ended and bool(poll.poll(max(0.0, seconds) * 1000))
