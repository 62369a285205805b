"""Glass of FBX files is glass, and what exporters write beside opaque surfaces is not."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from specsia_build.characters.blender.kept import CACHE_SETTING
from specsia_build.characters.blender.read import read_with_blender
from tests.characters.blender.fbx import script

WRITE = """
import sys
import bpy, addon_utils

bpy.ops.wm.read_factory_settings(use_empty=True)
addon_utils.enable("io_scene_fbx")
for name, alpha in (("solid", 1.0), ("visor", 0.25), ("hidden", 0.0)):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 0, 1)], [], [(0, 1, 2)])
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (0.1, 0.4, 0.9, 1.0)
    shader.inputs["Alpha"].default_value = alpha
    mesh.materials.append(material)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, mesh))
bpy.ops.export_scene.fbx(filepath=sys.argv[1])
"""

WRITE_HAIR = """
import sys
import bpy, addon_utils

bpy.ops.wm.read_factory_settings(use_empty=True)
addon_utils.enable("io_scene_fbx")
for name in ("hair", "lashes"):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 0, 1)], [], [(0, 1, 2)])
    mesh.uv_layers.new(name="map")
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree = material.node_tree
    image = bpy.data.images.new(name, 2, 2)
    image.source, image.filepath = "FILE", "/elsewhere/" + name + ".png"
    picture = tree.nodes.new("ShaderNodeTexImage")
    picture.image = image
    shader = tree.nodes["Principled BSDF"]
    tree.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
    if name == "lashes":
        tree.links.new(picture.outputs["Alpha"], shader.inputs["Alpha"])
    mesh.materials.append(material)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, mesh))
bpy.ops.export_scene.fbx(filepath=sys.argv[1])
"""


@pytest.fixture(scope="module")
def module() -> Any:
    return script("fbx_opacity")


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ({}, (1.0, False)),
        ({"TransparentColor": 1.0}, (1.0, False)),
        ({"Opacity": 0.0}, (1.0, False)),
        ({"TransparencyFactor": 1.0, "TransparentColor": 0.0}, (1.0, False)),
        ({"TransparencyFactor": 0.6}, (0.4, False)),
        ({"TransparencyFactor": 0.6, "TransparentColor": 0.3, "Opacity": 0.4}, (0.4, False)),
        ({"TransparencyFactor": 1.0, "TransparentColor": 0.5, "Opacity": 0.5}, (0.5, False)),
        ({"TransparencyFactor": 1.0, "TransparentColor": 0.7}, (0.3, False)),
        ({"Opacity": 0.25, "TransparentColor": 1.0}, (0.25, False)),
        ({"TransparencyFactor": 0.6, "Opacity": 1.0}, (1.0, True)),
        ({"TransparencyFactor": 1.0, "TransparentColor": 1.0, "Opacity": 0.0}, (1.0, True)),
    ],
)
def test_signs_are_weighed(module: Any, signs: dict[str, float], expected: tuple[float, bool]) -> None:
    found, doubtful = module.opacity(signs)
    assert (round(found, 6), doubtful) == expected


def test_the_bounds_of_a_property_are_none_of_its_value(module: Any) -> None:
    """Mixamo writes an opacity of one with its least and its largest, which are zero."""
    own = {b"Opacity": (1.0, 0.0, 0.0), b"TransparencyFactor": (0.75, 0.0, 1.0), b"TransparentColor": (0.0, 0.5, 1.0)}
    items = [SimpleNamespace(props=[name, b"Number", b"", b"A+U", *values]) for name, values in own.items()]
    element = SimpleNamespace(elems=[SimpleNamespace(id=b"Properties70", elems=items)])
    assert module._own(element) == {"Opacity": 1.0, "TransparencyFactor": 0.75, "TransparentColor": 0.5}


def written(script: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("needs the bpy package to write an FBX file")
    monkeypatch.setenv(CACHE_SETTING, str(path.parent / "cache"))
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True, timeout=300)
    return path


@pytest.fixture
def helmet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An FBX file with a solid material, one of glass and one that hides itself."""
    return written(WRITE, tmp_path / "helmet.fbx", monkeypatch)


@pytest.mark.parametrize(("opacity", "mode"), [(0, "blend"), (255, "opaque")])
def test_an_image_that_blender_does_not_find_has_its_opacity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opacity: int, mode: str
) -> None:
    """Its importer links the opacity of images that lie where the file says, and of no others."""
    path = written(WRITE_HAIR, tmp_path / "hero.fbx", monkeypatch)
    (tmp_path / "textures").mkdir()
    for name in ("hair", "lashes"):
        Image.fromarray(np.full((2, 2, 4), (90, 60, 30, opacity), np.uint8)).save(tmp_path / f"textures/{name}.png")
    raw = read_with_blender(path)
    assert {m.name: m.alpha_mode for m in raw.mesh.materials} == {"hair": mode, "lashes": mode}
    assert raw.warnings == ()


def test_glass_of_a_file_is_glass(helmet: Path) -> None:
    raw = read_with_blender(helmet)
    found = {m.name: (round(m.base_color[3], 3), m.alpha_mode) for m in raw.mesh.materials}
    assert found == {"solid": (1.0, "opaque"), "visor": (0.25, "blend"), "hidden": (1.0, "opaque")}
    assert raw.warnings == (
        "helmet.fbx: what the file says of the opacity of material 'hidden' contradicts itself or would hide it: "
        "it was drawn opaque",
    )


def test_a_material_that_a_file_says_nothing_of_is_told(helmet: Path) -> None:
    """What a file's exporter could not write is grey among the colours of the rest."""
    before, stated, after = helmet.read_bytes().rpartition(b"DiffuseColor")
    helmet.write_bytes(before + b"DiffuseColoX" + after)
    raw = read_with_blender(helmet)
    lost = [m.name for m in raw.mesh.materials if m.base_color[:3] != pytest.approx((0.1, 0.4, 0.9))]
    assert stated
    assert len(lost) == 1
    assert (
        f"helmet.fbx: material '{lost[0]}' has no colour and no image that Blender reads, and was drawn in plain grey: "
        "export it again as GLB"
    ) in raw.warnings
