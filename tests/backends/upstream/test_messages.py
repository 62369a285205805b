"""Messages: whatever bytes a worker writes, they are a message, a sentence about it, or passed over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from specsia_build.backends.upstream.messages import (
    BadMessage,
    MessageReader,
    answers,
    parse_line,
    read_done,
    read_failed,
    read_hello,
)

NESTED: list[Any] = []
for _ in range(900):
    NESTED = [NESTED]
LONG = int("9" * 400)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b'{"type": "done"}', "done"),
        (b'  50%|##  {"type": "done"}', "done"),
        (b'{"a": 1} {"type": "done"}', "done"),
        (b'{"a": 1}', None),
        (b"", None),
        (b'{"' * 10_000, None),
        (b'{"type": "\xff"}', None),
        (b"[" * 100_000, None),
    ],
)
def test_a_line_is_a_message_or_it_is_not(line: bytes, kind: str | None) -> None:
    message = parse_line(line)
    assert (None if message is None else message["type"]) == kind


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "9" * 5000])
def test_what_json_does_not_have_is_no_message(number: str) -> None:
    assert parse_line(f'{{"type": "done", "seconds": {number}}}'.encode()) is None


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "done", "seconds": NaN}',
        b'{"type": "done", "x": ' + b"[" * 50_000,
        b'{"type": "done", "x": "\xff"}',
        b'{"type": "done", "id": 1',
    ],
)
def test_a_line_that_looks_like_a_message_is_remembered(pipe: tuple[int, int], line: bytes) -> None:
    garbage: list[bytes] = []
    reader = MessageReader(pipe[0], garbage.append)
    os.write(pipe[1], line + b'\nprinted\n{"type": "progress"}\n')
    assert [message["type"] for message in reader.read(5)] == ["progress"]
    assert reader.refused.startswith('{"type": "done", ')
    assert reader.refused.isprintable()
    assert len(reader.refused) <= 80
    assert b"".join(garbage) == line + b"\nprinted\n"


def test_what_was_printed_after_a_message_is_kept_too(pipe: tuple[int, int]) -> None:
    garbage: list[bytes] = []
    reader = MessageReader(pipe[0], garbage.append)
    os.write(pipe[1], b'{"type": "done"}\nprinted\n{"type": "progress"}\nand more\n')
    assert next(reader.read(5))["type"] == "done"
    assert b"".join(garbage) == b"printed\nand more\n"


def test_a_line_without_an_end_is_let_go(pipe: tuple[int, int]) -> None:
    garbage: list[bytes] = []
    reader = MessageReader(pipe[0], garbage.append)
    for _ in range(40):
        os.write(pipe[1], b"x" * 60_000)
        assert list(reader.read(5)) == []
    assert sum(map(len, garbage)) > 2**20
    os.write(pipe[1], b'\n{"type": "progress"}\n')
    assert [message["type"] for message in reader.read(5)] == ["progress"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"seconds": LONG}, "its 'seconds' is no amount: 999"),
        ({"seconds": 1e999}, "its 'seconds' is no amount: inf"),
        ({"seconds": -1}, "its 'seconds' is no amount: -1"),
        ({"seconds": "9"}, "its 'seconds' is no amount: '9'"),
        ({"peak_mb": True}, "its 'peak_mb' is no amount: True"),
        ({"peak_gpu_mb": NESTED}, "its 'peak_gpu_mb' is no amount: list"),
        ({"mesh": NESTED}, "named no mesh: list"),
        ({"mesh": LONG}, "named no mesh: 999"),
        ({"mesh": None}, "named no mesh: None"),
        ({"mesh": "/a" * 2500}, "named a mesh by 5,000 characters"),
        ({"mesh": "x" * 256}, "named a mesh by 256 characters"),
    ],
)
def test_an_answer_that_is_none_is_a_sentence(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadMessage) as caught:
        read_done({"type": "done", "id": 1, "mesh": "/made/mesh.obj", **fields})
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 200


def test_what_is_not_said_of_an_answer() -> None:
    done = read_done({"mesh": "mesh.obj"})
    assert (done.mesh, done.seconds, done.peak_mb, done.peak_gpu_mb) == ("mesh.obj", 0.0, None, None)
    failed = read_failed({"kind": NESTED, "message": NESTED, "restart": "no"})
    assert (failed.kind, failed.message, failed.restart) == ("internal", "without a word", False)


@pytest.mark.parametrize(("stated", "own"), [(7, True), (7.0, False), ("7", False), (None, False), (LONG, False)])
def test_an_answer_belongs_to_one_request(stated: object, own: bool) -> None:
    assert answers({"id": stated}, 7) == own
    assert not answers({"id": True}, 1)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"protocol": "1"}, "speaks no version of the protocol: '1'"),
        ({"protocol": NESTED}, "speaks no version of the protocol: list"),
        ({"frame": 3}, "states a frame that is none: 3"),
        ({"frame": {"axes": NESTED}}, "states a frame that is none: its axes are list"),
        ({"frame": {"axes": ["+x", "+x", "+y"]}}, "+x, +x, +y are not three different axes"),
        ({"frame": {"axes": ["+x", "x" * 9999, "+y"]}}, "states a frame that is none: 'xxx"),
        ({"frame": {"axes": []}}, "states a frame that is none"),
        ({"frame": {"framing": "wide"}}, "its framing is 'wide', neither 'kept' nor 'free'"),
        ({"versions": {"torch": NESTED}}, "greets with 'versions' that are no texts by name: dict"),
        ({"weights": ["torch"]}, "greets with 'weights' that are no texts by name: list"),
    ],
)
def test_a_greeting_that_is_none_is_a_sentence(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadMessage) as caught:
        read_hello({"type": "hello", "protocol": 1, **fields})
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_greeting() -> None:
    stated = {"axes": ["+x", "-z", "+y"], "framing": "kept"}
    hello = read_hello({"protocol": 1, "versions": {"a\n": "1\x1b" + "x" * 999, "b": LONG}, "frame": stated})
    assert (hello.protocol, hello.axes, hello.framing) == (1, ("+x", "-z", "+y"), "kept")
    assert all(len(text) <= 80 and text.isprintable() for pair in hello.versions.items() for text in pair)
    assert read_hello({"protocol": 1}).axes is None
