"""What a file is that is not what its name says: told by how it begins."""

from __future__ import annotations

LOOKED_AT = 256
"""Bytes of a file's beginning that are needed to tell."""

_POINTER = "is a Git LFS pointer and not the file itself: fetch that with `git lfs pull`"
_PAGE = "is a web page and not the file itself: download that again"

_BEGINNINGS: tuple[tuple[bytes, tuple[str, ...], str], ...] = (
    (b"version https://git-lfs.github.com/spec/", (), _POINTER),
    (b"<!doctype html", (), _PAGE),
    (b"<html", (), _PAGE),
    (b"pk\x03\x04", (), "is a ZIP archive: unpack it"),
    # Blender unpacks what it has compressed itself.
    (b"\x1f\x8b", ("blend",), "is compressed by gzip: unpack it"),
    (b"\0\5\x16\7", (), "is what macOS keeps beside a file of that name: take the file itself"),
    (b"gltf", ("gltf", "vrm"), "is a GLB file: let its name end in .glb"),
    (b"kaydara fbx binary", ("fbx",), "is an FBX file: let its name end in .fbx"),
    (b"blender", ("blend",), "is a .blend file: let its name end in .blend"),
    (b"ply\n", ("ply",), "is a PLY file: let its name end in .ply"),
    (b"ply\r", ("ply",), "is a PLY file: let its name end in .ply"),
)
"""In lower case, the formats that begin so, and what is said of a file of another one that does and cannot be read."""


def other_content(start: bytes, own: str = "") -> str | None:
    """What a file is that cannot be read as what its name says, in words that follow the name; None if nothing tells.

    Args:
        start: how it begins, `LOOKED_AT` bytes or more.
        own: format of a mesh that its name says, as `Entry.format`.
    """
    text = start[:LOOKED_AT].removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").lower()
    found = (said for beginning, formats, said in _BEGINNINGS if text.startswith(beginning) and own not in formats)
    return next(found, None)
