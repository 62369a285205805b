"""When Blender is asked, what is kept of it, and what is said where it cannot help."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from specsia_build.characters.blender import SCRIPT
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.errors import CharacterError, WriteError
from specsia_build.rendering.blender import process as blender_process
from tests.characters.blender.conftest import read_with_blender
from tests.characters.gltf.writer import GltfWriter

STAND_IN = """
import errno, json, shutil, sys
sys.path.insert(0, {folder!r})
import job_server

def export(job):
    open({asked!r}, "a").write("x")
    if "images" not in job:
        return {{"images": {{"skin": "C:\\\\art\\\\skin.png"}}}}
    if open(job["path"], "rb").read() == b"full":
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            raise RuntimeError("closed too late")
    shutil.copy({glb!r}, job["out"] + "/scene.glb")
    open(job["out"] + "/scene.json", "w").write(json.dumps(dict(fps=24, warnings=["is odd"])))
    return {{}}

job_server.main(export, {{"blender": "none"}})
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Exports each file as one triangle without any Blender; the file has a letter for each time that it was asked."""
    writer = GltfWriter()
    writer.mesh_node(name="body")
    script, count, glb = tmp_path / "stand_in.py", tmp_path / "asked", writer.write_glb(tmp_path / "made.bin")
    folder = str(blender_process.scripts_folder())
    script.write_text(STAND_IN.format(folder=folder, asked=str(count), glb=str(glb)))
    monkeypatch.setattr(blender_process, "find_command", lambda _: [sys.executable, str(script)])
    return count


@pytest.fixture
def fbx(tmp_path: Path) -> Path:
    path = tmp_path / "x.fbx"
    path.write_bytes(b"fbx")
    return path


def test_blender_is_asked_once_for_a_file_and_its_images(fbx: Path, asked: Path, own_cache: Path) -> None:
    raw = read_with_blender(fbx)
    assert (raw.up, raw.front, raw.parts, len(raw.mesh.faces)) == ("+z", "-y", ("body",), 1)
    # +Y of glTF is +Z here.
    np.testing.assert_array_equal(raw.mesh.vertices[raw.mesh.faces[0]], [[0, 0, 0], [1, 0, 0], [0, 0, 2]])
    assert raw.warnings == ("texture 'skin.png' of x.fbx is not there; it was left out", "x.fbx is odd")
    assert {file.stem for file in raw.files} == {"x", "skin"}
    read_with_blender(fbx)
    assert asked.read_text() == "xx"
    Image.new("RGB", (1, 1)).save(fbx.with_name("skin.png"))
    assert read_with_blender(fbx).warnings == ("x.fbx is odd",)
    assert asked.read_text() == "xxx"
    # What is kept and damaged is made again.
    for file in own_cache.glob("*/*.json"):
        file.write_bytes(b"{")
    assert len(read_with_blender(fbx).mesh.faces) == 1


@pytest.mark.usefixtures("asked")
def test_a_full_disk_is_no_fault_of_the_character(fbx: Path, own_cache: Path) -> None:
    fbx.write_bytes(b"full")
    with pytest.raises(WriteError):
        read_with_blender(fbx)
    assert not list(own_cache.glob("*/scene.glb"))


@pytest.mark.parametrize(("version", "way"), [((3, 11, 7), "pip install"), ((3, 13, 0), "set SPECSIA_BLENDER")])
def test_without_blender_the_way_to_it_is_said(
    fbx: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], way: str
) -> None:
    monkeypatch.delenv(blender_process.EXECUTABLE_SETTING, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(CharacterError, match=rf"x\.fbx: reading it needs Blender: {way}"):
        read_character(Entry("x", "fbx", fbx))


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("x.fbx", b"; FBX 7.3.0 project file\nFBXHeaderExtension:  {\n}\n", "FBX as text is read by Blender 4.5 and"),
        ("x.fbx", b"Kaydara FBX Binary  \0 and no more", "could not be read by Blender"),
    ],
)
def test_blender_s_reason_is_told(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    if blender_process.find_command(SCRIPT) is None:
        pytest.skip("needs Blender")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CharacterError, match=why):
        read_with_blender(tmp_path / name)
