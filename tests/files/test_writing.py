"""Atomic writes, concurrent writers, and places that cannot be written."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from specsia_build.errors import CharacterError, WriteError
from specsia_build.files.names import is_temporary
from specsia_build.files.writing import (
    append,
    remove_tree,
    replacing,
    replacing_folder,
    require_writable,
    write_bytes,
    write_trouble,
)


def test_concurrent_writers(tmp_path: Path) -> None:
    target, failed = tmp_path / "x.tar", []

    def write(data: bytes) -> None:
        try:
            for _ in range(50):
                write_bytes(target, data)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=[bytes([i]) * 1000]) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(set(target.read_bytes())) == 1 and target.stat().st_size == 1000
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar"]


def test_failed_writer_keeps_old_file(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_bytes(b"half")
        assert is_temporary(temporary.name)
        raise RuntimeError
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"old")]


def test_folder_replaces_a_partial_one(tmp_path: Path) -> None:
    def whole(path: Path) -> bool:
        return (path / "whole").exists()

    def write(data: str, other: str | None = None) -> str:
        with replacing_folder(tmp_path / "x", whole) as made:
            (made / "whole").write_text(data)
            if other is not None:
                write(other)
        return (tmp_path / "x" / "whole").read_text()

    (tmp_path / "x" / "half").mkdir(parents=True)
    assert write("late", "early") == "early"
    assert write("again") == "early"
    (tmp_path / "x" / "whole").unlink()
    assert write("new") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_file_or_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for target in (tmp_path / "folder", tmp_path / "file" / "below"):
        with pytest.raises(WriteError, match="in its way"):
            write_bytes(target, b"x")


def _refusing(code: int) -> Callable[..., int]:
    def write(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return write


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_unwritable_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    (tmp_path / "x").write_bytes(b"old\n")
    monkeypatch.setattr(Path, "write_bytes", _refusing(code))
    monkeypatch.setattr(os, "write", _refusing(code))
    with pytest.raises(WriteError, match="/x could not be written"):
        write_bytes(tmp_path / "x", bytes(3000))
    with pytest.raises(WriteError, match="/x could not be written"):
        append(tmp_path / "x", "y" * 2999 + "\n")
    monkeypatch.undo()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"old\n")]


def test_appended_lines_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "logs" / "x.jsonl"
    append(log, "one\n")
    write, room = os.write, [2]

    def fill(handle: int, data: memoryview) -> int:
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, data[: room.pop()])

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(WriteError, match="the disk is full"):
        append(log, "two\n")
    monkeypatch.undo()
    append(log, "three\n")
    assert log.read_text() == "one\nthree\n"


def test_removing_does_not_follow_links(tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "file"
    kept.parent.mkdir()
    kept.touch()
    top = tmp_path / "top"
    top.mkdir()
    (top / "link").symlink_to(kept.parent)
    os.mkfifo(top / "pipe")
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "b" / "file").touch()
    (top / "a" / "b").chmod(0o000)
    remove_tree(top)
    assert not top.exists()
    (tmp_path / "link").symlink_to(kept.parent)
    for other in (tmp_path / "link", tmp_path / "nothing"):
        remove_tree(other)
    assert list(tmp_path.iterdir()) == [kept.parent]
    assert kept.exists()


def test_place_is_checked_first(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    require_writable(tmp_path / "deep" / "er" / "result")
    with pytest.raises(WriteError, match="in its way"):
        require_writable(tmp_path / "file" / "result")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_full_disk_behind_other_errors() -> None:
    error = CharacterError("it cannot be read")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", "/x/y")
    assert "/x/y" in str(write_trouble(error))
    assert write_trouble(CharacterError("x")) is None
    assert write_trouble(FileNotFoundError(errno.ENOENT, "x")) is None
