"""FBX files that Blender writes: images by name, opacity, vertex colours and takes; and real characters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from specsia_build.characters.blender import SCRIPT
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.errors import CharacterError
from specsia_build.rendering.blender.process import find_command
from tests.characters.blender.conftest import Write, read_with_blender

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
