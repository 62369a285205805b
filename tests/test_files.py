from __future__ import annotations

import os
import threading
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


def test_a_folder_or_file_in_the_way_of_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for target in (tmp_path / "folder", tmp_path / "file" / "below"):
        with pytest.raises(WriteError, match="in its way"):
            files.write_bytes(target, b"x")


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
