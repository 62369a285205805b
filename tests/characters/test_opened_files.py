"""Every file of a character is a regular one inside the source's root, whoever names it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.errors import CharacterError
from specsia_build.files.sources import source_digest
from specsia_build.pipeline.index import open_index
from specsia_build.pipeline.layout import RunLayout
from specsia_build.stages.stage import Sources
from tests.characters.bad_characters import figure, write_glb

STRANGE: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "system": lambda path: path.symlink_to("/etc/passwd"),
    "socket": lambda path: socket.socket(socket.AF_UNIX).bind(os.fspath(path)),
    "folder": Path.mkdir,
}
"""What stands in a file's place, by name; a link to a file of the system or a device leaves the root."""

REFUSED = r"is no regular file|is a link that leads out of"


def glb(path: Path) -> Path:
    points, faces, _, colours = figure()
    write_glb(path, points, faces, colours)
    return path


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("name", ["x.glb", "x.gltf", "x.obj", "x.ply", "x.fbx"])
def test_a_mesh_that_is_no_file_of_the_source_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    STRANGE[kind](Path(name))
    entry = Entry("x", {".fbx": "fbx", ".obj": "obj", ".ply": "ply"}.get(Path(name).suffix, "gltf"), Path(name))
    with pytest.raises(CharacterError, match=REFUSED):
        read_character(entry)
    assert Sources(Path(), entry.within).digests([name], source_digest) == {name: None}
    with open_index(RunLayout(tmp_path / "run"), writes=False) as index:
        assert index.digest(Path(name), entry.within) is None


def test_links_inside_the_folder_that_is_named_are_followed(tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    for folder in ("blobs", "snapshots/1"):
        (hub / folder).mkdir(parents=True)
    blob = glb(tmp_path / "a.glb").rename(hub / "blobs" / "b7")
    (hub / "snapshots" / "1" / "a.glb").symlink_to("../../blobs/b7")
    (whole,) = open_source(str(hub), tmp_path).entries
    assert len(read_character(whole).mesh.faces)
    assert None not in Sources(whole.folder, whole.within).digests([whole.path.name], source_digest).values()
    (part,) = open_source(str(hub / "snapshots"), tmp_path).entries
    with pytest.raises(CharacterError, match=r"a\.glb is a link that leads out of snapshots"):
        read_character(part)
    assert blob.exists()
