"""A .blend file of before 2.80, of whose materials Blender reads no image, and which still names one."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from specsia_build.characters.blender.kept import CACHE_SETTING
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character

WRITE = """
import bpy, sys
texture = bpy.data.textures.new("Texture", "IMAGE")
texture.image = bpy.data.images.load(sys.argv[1] + "/skins/hide.png")
texture.image.filepath = "//skins/hide.png"
texture.use_fake_user = True
material = bpy.data.materials["Material"]
image = material.node_tree.nodes.new("ShaderNodeTexImage")
image.image = texture.image
if sys.argv[2] == "shown":
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    material.node_tree.links.new(image.outputs[0], shader.inputs["Base Color"])
else:
    material.use_nodes = False
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1] + "/creeper.blend")
"""


@pytest.mark.parametrize("shown", [True, False])
def test_an_image_that_a_file_names_and_no_material_shows_is_offered(
    tmp_path: Path, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("needs the bpy package to write a .blend file")
    monkeypatch.setenv(CACHE_SETTING, str(tmp_path / "cache"))
    (tmp_path / "skins").mkdir()
    Image.new("RGB", (4, 4), (200, 40, 40)).save(tmp_path / "skins" / "hide.png")
    run = [sys.executable, "-c", WRITE, str(tmp_path), "shown" if shown else "lost"]
    subprocess.run(run, check=True, capture_output=True, timeout=300)
    character = read_character(Entry("creeper", "blend", tmp_path / "creeper.blend"))
    grey = (
        "creeper.blend is one plain grey: material 'Material' has no image and no colour (no material shows hide.png, "
    )
    told = f'{grey}which it names); "texture": "skins/hide.png" in its manifest line would colour it'
    assert [line for line in character.warnings if "grey" in line] == ([] if shown else [told])
    assert [(one.key, one.value) for one in character.mendings] == ([] if shown else [("texture", "skins/hide.png")])
    coloured = Entry("creeper", "blend", tmp_path / "creeper.blend", texture=tmp_path / "skins" / "hide.png")
    assert not any("grey" in line for line in read_character(coloured).warnings)
