"""Files that strangers chose."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from specsia_build.errors import CharacterError
from specsia_build.files.sources import read_source, source_digest


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
            read_source(root / name, root)
        assert source_digest(root / name, root) is None
    with pytest.raises(CharacterError, match="no regular file"):
        read_source(Path("/dev/zero"), Path("/dev"))
    with (root / "large").open("wb") as stream:
        stream.truncate(3 * 2**20)
    with pytest.raises(CharacterError, match="large has 3 MB; at most 1 MB are read"):
        read_source(root / "large", root, most=2**20)
