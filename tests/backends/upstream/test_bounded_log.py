"""The log of a worker: bounded whatever is written, never in the way, and it says what it lacks."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from specsia_build.backends.upstream.bounded_log import BoundedLog

MOST = 2**17


def test_a_log_keeps_everything_while_it_is_small(tmp_path: Path) -> None:
    path = tmp_path / "new" / "worker.log"
    for words in (b"one\n", b"two"):
        log = BoundedLog(path)
        log.write(words)
        log.close()
    assert path.read_bytes() == b"one\ntwo"
    assert log.last_line(100) == "two"
    assert log.problem is None


def test_the_oldest_lines_are_dropped_and_the_log_says_so(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    log = BoundedLog(path, MOST)
    for i in range(40):
        log.write(b"".join(b"line %d of %d\n" % (k, i) for k in range(1000)))
        time.sleep(0.01)
    log.write(b"the last\n")
    log.close()
    assert path.stat().st_size <= MOST
    first, *lines = path.read_text().splitlines()
    assert first == "[older lines were dropped: this log keeps at most 0.125 MB]"
    assert all(line.startswith("line ") for line in lines[:-1]), "no half lines"
    assert lines[-2:] == ["line 999 of 39", "the last"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("chunk", [b"x" * 65536, b"\xff\x00\n" * 30_000, b"\n" * 65536])
def test_a_flood_is_taken_at_once_and_bounded(tmp_path: Path, chunk: bytes) -> None:
    path = tmp_path / "worker.log"
    log = BoundedLog(path, 4 * 2**20)
    for _ in range(600):
        log.write(chunk)
    log.write(b"\nthe last\n")
    log.close()
    assert path.stat().st_size <= 4 * 2**20
    assert log.last_line(100) == "the last"
    assert b"bytes were dropped here: they came too fast]" in path.read_bytes()


def test_a_log_that_cannot_be_written_is_taken_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "worker.log").mkdir()
    log = BoundedLog(tmp_path / "worker.log")
    for _ in range(50):
        log.write(b"x" * 65536)
    log.write(b"\nthe \x1b[31mlast\n")
    log.close()
    assert log.last_line(100) == "the \\x1b[31mlast"
    assert log.problem is not None
    assert "a folder or file stands in its way" in log.problem


def test_who_holds_the_pipe_longer_does_not_hold_up_the_end(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "worker.log")
    held = os.dup(log.pipe)
    os.write(held, b"before\n")
    log.close()
    with pytest.raises(BrokenPipeError):
        os.write(held, b"after\n")
    os.close(held)
    assert (tmp_path / "worker.log").read_text() == "before\n"
