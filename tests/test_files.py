from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsia_build import files
from specsia_build.errors import MOST_SHOWN, CharacterError, SpecsiaError, WriteError, brief, printable


@pytest.mark.parametrize("name", ["knight", "01", "Ünï_code-2", "a.b", "x" * 180])
def test_names_that_can_be_file_names_stay_as_they_are(name: str) -> None:
    assert files.file_name(name, "id") == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "C:x", "x\0", "x\n", ".hidden", "x ", "\udc80", "x" * 181],
)
def test_a_name_that_is_no_file_name_is_refused_in_a_printable_sentence(name: str) -> None:
    with pytest.raises(SpecsiaError, match=r"the id .*file name") as raised:
        files.file_name(name, "id")
    assert str(raised.value).isprintable()


@given(st.text())
def test_a_relative_name_stays_below_its_folder(name: str) -> None:
    try:
        found = files.relative_name(name, "file")
    except SpecsiaError:
        return
    inside = Path(os.path.normpath(Path("/top") / found))
    assert inside.is_relative_to("/top") and inside != Path("/top")


@given(st.text(st.characters()))
def test_printable_text_is_one_line_without_control_characters(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    shown.encode()


def test_printable_escapes_and_keeps() -> None:
    assert (
        printable("\x1b]0;x\x07\n\u202e\udc80 naïve 漢字\u3000") == "\\x1b]0;x\\x07\\n\\u202e\\udc80 naïve 漢字\u3000"
    )
    assert str(SpecsiaError("a\x1bb")) == "a\\x1bb"


@given(st.text(st.characters(), max_size=700))
def test_a_brief_text_is_bounded(text: str) -> None:
    assert len(brief(text)) <= MOST_SHOWN


def test_many_writers_of_one_path_lose_nothing(tmp_path: Path) -> None:
    target, failed = tmp_path / "x.tar", []

    def write(data: bytes) -> None:
        try:
            for _ in range(50):
                files.write_bytes(target, data)
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


def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError), files.replacing(target) as temporary:
        temporary.write_bytes(b"half")
        assert files.is_temporary(temporary.name)
        raise RuntimeError
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"old")]


def test_a_folder_takes_the_place_of_one_that_is_not_whole(tmp_path: Path) -> None:
    def whole(path: Path) -> bool:
        return (path / "whole").exists()

    def write(data: str, other: str | None = None) -> str:
        with files.replacing_folder(tmp_path / "x", whole) as made:
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


def test_a_folder_or_file_in_the_way_of_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for target in (tmp_path / "folder", tmp_path / "file" / "below"):
        with pytest.raises(WriteError, match="in its way"):
            files.write_bytes(target, b"x")


def _refusing(code: int) -> Callable[..., int]:
    def write(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return write


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.ENOSPC, r"the disk is full, .*/x could not be written \(2\.9 kB needed, [\d.,]+ MB free\): make room"),
        (errno.EDQUOT, r"your quota is used up, .*/x .*\(2\.9 kB needed, .*make room and give the same command again"),
        (errno.EFBIG, r"/x would be larger than a file may be here: raise that limit"),
        (errno.EROFS, r"/x may not be written \(Read-only file system\)"),
        (errno.EIO, r"/x could not be written: Input/output error"),
    ],
)
def test_what_cannot_be_written_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, sentence: str
) -> None:
    (tmp_path / "x").write_bytes(b"old\n")
    monkeypatch.setattr(Path, "write_bytes", _refusing(code))
    monkeypatch.setattr(os, "write", _refusing(code))
    with pytest.raises(WriteError, match=sentence):
        files.write_bytes(tmp_path / "x", bytes(3000))
    with pytest.raises(WriteError, match=sentence):
        files.append(tmp_path / "x", "y" * 2999 + "\n")
    monkeypatch.undo()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"old\n")]


def test_lines_are_appended_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "logs" / "x.jsonl"
    files.append(log, "one\n")
    write, room = os.write, [2]

    def fill(handle: int, data: memoryview) -> int:
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, data[: room.pop()])

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(WriteError, match="the disk is full"):
        files.append(log, "two\n")
    monkeypatch.undo()
    files.append(log, "three\n")
    assert log.read_text() == "one\nthree\n"


def test_a_full_disk_is_found_behind_other_errors() -> None:
    error = CharacterError("it cannot be read")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert "a disk is full, what is printed or kept aside" in str(files.write_trouble(error))
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", "/x/y")
    assert "the disk is full, /x/y could not" in str(files.write_trouble(error))
    assert files.write_trouble(CharacterError("x")) is None
    assert files.write_trouble(FileNotFoundError(errno.ENOENT, "x")) is None


def test_source_files_are_regular_inside_their_root_and_of_a_size_that_was_looked_at(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "blobs").mkdir(parents=True)
    (root / "blobs" / "1").write_bytes(b"inside")
    (root / "link").symlink_to(root / "blobs" / "1")
    assert files.read_source(root / "link", root) == b"inside"
    assert files.source_digest(root / "link", root) is not None

    (tmp_path / "secret").write_bytes(b"outside")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root / "loop")
    os.mkfifo(root / "pipe")
    (root / "device").symlink_to("/dev/zero")
    sentences = {
        "out": "out is a link that leads out of root",
        "loop": "loop cannot be read",
        "pipe": "pipe is no regular file",
        "device": "device is a link that leads out of root",
        "blobs": "blobs is no regular file",
        "none": "none cannot be read",
    }
    for name, sentence in sentences.items():
        with pytest.raises(CharacterError, match=sentence):
            files.read_source(root / name, root)
        assert files.source_digest(root / name, root) is None
    with pytest.raises(CharacterError, match="no regular file"):
        files.read_source(Path("/dev/zero"), Path("/dev"))
    with (root / "large").open("wb") as stream:
        stream.truncate(3 * 2**20)
    with pytest.raises(CharacterError, match="large has 3 MB; at most 1 MB are read"):
        files.read_source(root / "large", root, most=2**20)


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"[" * 100_000, "nested too deeply"), (b"{", "Expecting"), (b"\xff", "utf-8"), ("1" * 5000, "limit")],
)
def test_damaged_json_is_a_sentence(data: bytes | str, why: str) -> None:
    with pytest.raises(SpecsiaError, match=f"build.json cannot be read: .*{why}"):
        files.parse_json(data, "build.json")


def test_a_tree_is_removed_however_deep_and_links_are_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "file"
    kept.parent.mkdir()
    kept.touch()
    top = tmp_path / "top"
    top.mkdir()
    (top / "link").symlink_to(kept.parent)
    os.mkfifo(top / "pipe")
    here = os.open(top, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("a" * 20, dir_fd=here)
        below = os.open("a" * 20, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT, dir_fd=here))
    os.fchmod(here, 0o000)
    os.close(here)
    files.remove_tree(top)
    assert not top.exists()
    (tmp_path / "link").symlink_to(kept.parent)
    for other in (tmp_path / "link", tmp_path / "nothing"):
        files.remove_tree(other)
    assert list(tmp_path.iterdir()) == [kept.parent]
    assert kept.exists()
