"""Files that are something else than their names say."""

from __future__ import annotations

import pytest

from specsia_build.files.content import other_content


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "is a Git LFS pointer"),
        (b"\xef\xbb\xbf\r\n <!DOCTYPE HTML>", "is a web page"),
        (b"<html lang=en>", "is a web page"),
        (b"PK\x03\x04", "is a ZIP archive: unpack it"),
        (b"\x1f\x8b\x08", "is compressed by gzip"),
        (b"\0\5\x16\7\0\2", "is what macOS keeps beside"),
        (b"glTF\2\0\0\0", "is a GLB file"),
    ],
)
def test_what_begins_as_something_else_is_told(start: bytes, said: str) -> None:
    assert (other_content(start) or "").startswith(said)


def test_what_its_reader_takes_is_nothing_else() -> None:
    packed = b"\x1f\x8b\x08"
    assert (other_content(packed, "blend"), other_content(b"glTF\2\0\0\0", "vrm")) == (None, None)
    assert other_content(packed, "gltf") == other_content(packed) == "is compressed by gzip: unpack it"
