"""Files that strangers chose."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from specsia_build.errors import CharacterError
from specsia_build.files.sources import other_content, read_source, source_digest


def test_source_files_are_regular_inside_their_root_and_of_a_size_that_was_looked_at(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "blobs").mkdir(parents=True)
    (root / "blobs" / "1").write_bytes(b"inside")
    (root / "link").symlink_to(root / "blobs" / "1")
    assert read_source(root / "link", root) == b"inside"
    assert source_digest(root / "link", root) is not None

    (tmp_path / "secret").write_bytes(b"outside")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root / "loop")
    os.mkfifo(root / "pipe")
    (root / "device").symlink_to("/dev/zero")
    for name in ("out", "loop", "pipe", "device", "blobs", "none"):
        with pytest.raises(CharacterError, match=f"^{name} "):
            read_source(root / name, root)
        assert source_digest(root / name, root) is None
    with pytest.raises(CharacterError, match="no regular file"):
        read_source(Path("/dev/zero"), Path("/dev"))
    with (root / "large").open("wb") as stream:
        stream.truncate(3 * 2**20)
    with pytest.raises(CharacterError, match="large has 3 MB; at most 1 MB are read"):
        read_source(root / "large", root, most=2**20)


def test_a_file_that_is_something_else_is_recognised_by_its_beginning() -> None:
    for start in (b"version https://git-lfs.github.com/spec/v1\n", b"\xef\xbb\xbf\r\n <!DOCTYPE HTML>", b"PK\x03\x04"):
        assert other_content(start)
    assert other_content(b"glTF\2\0\0\0", "vrm") is None
    assert other_content(b"glTF\2\0\0\0", "obj") == "is a GLB file: let its name end in .glb"
