"""FBX files: images by name, opacity, colours, takes; when Blender is asked, and what is said where it cannot help."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from specsia_build.characters.blender import SCRIPT
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.errors import CharacterError, WriteError
from specsia_build.rendering.blender import process as blender_process
from specsia_build.rendering.blender.process import find_command
from tests.characters.blender.conftest import Write, read_with_blender
from tests.characters.gltf.writer import GltfWriter

MATERIALS = """
def triangle(name, *look):
    made, shader = material(name, *look)
    return add(name, look=made), shader

for name, alpha in (("solid", 1.0), ("visor", 0.25), ("hidden", 0.0)):
    triangle(name, (0.1, 0.4, 0.9), alpha)
for name in ("hair", "gone"):
    shader = triangle(name)[1]
    image = bpy.data.images.new(name, 2, 2)
    image.source, image.filepath = "FILE", "/elsewhere/" + name + ".png"
    picture = shader.id_data.nodes.new("ShaderNodeTexImage")
    picture.image = image
    shader.id_data.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
paint = triangle("painted")[0].data.color_attributes.new("paint", "BYTE_COLOR", "CORNER")
for point in paint.data:
    point.color = (1.0, 0.0, 0.0, 1.0)
"""

TAKES = """
box = add("box")
box.animation_data_create()
for name, index in (("slide", 0), ("rise", 2)):
    box.animation_data.action = bpy.data.actions.new(name)
    for frame in (1, 11):
        box.location[index] = frame
        box.keyframe_insert("location", index=index, frame=frame)
"""


def test_materials_of_an_fbx_file(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "hero.fbx", MATERIALS)
    (tmp_path / "textures").mkdir()
    Image.fromarray(np.full((2, 2, 4), (90, 60, 30, 0), np.uint8)).save(tmp_path / "textures/hair.png")
    raw = read_with_blender(path)
    found = {m.name: (round(m.base_color[3], 3), m.alpha_mode, m.texture is not None) for m in raw.mesh.materials}
    assert found == {
        "solid": (1.0, "opaque", False),
        "visor": (0.25, "blend", False),
        "hidden": (1.0, "opaque", False),
        "hair": (1.0, "blend", True),
        "gone": (1.0, "opaque", False),
        "painted": (1.0, "opaque", False),
    }
    assert len(raw.warnings) == 1 and "gone.png" in raw.warnings[0]
    assert tmp_path / "textures/hair.png" in raw.files
    (painted,) = (k for k, m in enumerate(raw.mesh.materials) if m.name == "painted")
    assert raw.mesh.colors is not None
    np.testing.assert_allclose(
        raw.mesh.colors[raw.mesh.face_material == painted][..., :3], [[[1, 0, 0]] * 3], atol=1e-3
    )


def test_takes_are_motions_by_their_names(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "takes.fbx", TAKES)
    moving = read_with_blender(path, moving=True).moving
    assert moving is not None
    names = [motion.name for motion in moving.motions]
    assert [name.rpartition("|")[2] for name in names] == ["rise", "slide"]
    ends = {name: read_with_blender(path, pose=f"{name}@11").mesh.vertices for name in ("slide", "rise")}
    starts = {name: read_with_blender(path, pose=f"{name}@1").mesh.vertices for name in ("slide", "rise")}
    np.testing.assert_allclose(ends["slide"] - starts["slide"], [[10, 0, 0]] * 3, atol=1e-3)
    np.testing.assert_allclose(ends["rise"] - starts["rise"], [[0, 0, 10]] * 3, atol=1e-3)


def test_a_real_character_stands_upright_faces_front_and_poses(characters_dir: Path, tmp_path: Path) -> None:
    if find_command(SCRIPT) is None:
        pytest.skip("needs Blender")
    entries = {e.id: e for e in open_source(str(characters_dir / "characters.jsonl"), tmp_path).entries}
    entry = entries["quaternius_knightcharacter"]
    character = read_character(entry)
    low, high = character.mesh.bounds()
    assert high[2] - low[2] > 2 * (high[1] - low[1])
    assert all(m.alpha_mode == "opaque" for m in character.mesh.materials)
    assert len({m.base_color for m in character.mesh.materials}) > 2
    posed = read_character(replace(entry, pose="Idle@40"))
    assert np.ptp(posed.mesh.vertices[:, 0]) < 0.8 * np.ptp(character.mesh.vertices[:, 0]), "the arms should hang"
    with pytest.raises(CharacterError, match="has no action 'Fly'"):
        read_character(replace(entry, pose="Fly"))


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
