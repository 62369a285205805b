"""A surface of a .blend file whose shaders are mixed, unknown or see-through: what is shown of it, and what is said."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from specsia_build.characters.blender.kept import CACHE_SETTING
from specsia_build.characters.blender.read import read_with_blender
from specsia_build.characters.raw import RawMesh

WRITE = """
import sys
import bpy

bpy.ops.wm.read_factory_settings(use_empty=True)


def node(tree, kind, colour=None):
    made = tree.nodes.new("ShaderNode" + kind)
    if colour is not None:
        made.inputs[0].default_value = (*colour, 1.0)
    return made


def mixed(tree, factor, first, second):
    made = node(tree, "AddShader" if factor is None else "MixShader")
    if factor is not None:
        made.inputs[0].default_value = factor
    for socket, shader in zip(made.inputs[-2:], (first, second), strict=True):
        tree.links.new(shader.outputs[0], socket)
    return made


RED, GREEN, BLACK = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0)
RECIPES = {
    "first": lambda tree: mixed(tree, 0.0, node(tree, "BsdfDiffuse", RED), node(tree, "BsdfDiffuse", GREEN)),
    "second": lambda tree: mixed(tree, 1.0, node(tree, "BsdfDiffuse", RED), node(tree, "BsdfDiffuse", GREEN)),
    "half": lambda tree: mixed(tree, 0.5, node(tree, "BsdfDiffuse", RED), node(tree, "BsdfDiffuse", GREEN)),
    "glow": lambda tree: mixed(tree, None, node(tree, "Emission", BLACK), node(tree, "BsdfDiffuse", GREEN)),
    "baked": lambda tree: node(tree, "Background", GREEN),
    "shell": lambda tree: node(tree, "BsdfTransparent"),
    "hair": lambda tree: node(tree, "BsdfHairPrincipled"),
    "grouped": lambda tree: grouped(tree),
    "cut": lambda tree: cut(tree),
}


def cut(tree):
    image = bpy.data.images.new("leaf", 2, 1)
    image.pixels = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    image.pack()
    picture = node(tree, "TexImage")
    picture.image = image
    veiled = mixed(tree, 0.0, node(tree, "BsdfDiffuse", GREEN), node(tree, "BsdfTransparent"))
    tree.links.new(picture.outputs["Color"], veiled.inputs[0])
    return veiled


def grouped(tree):
    group = bpy.data.node_groups.new("Toon", "ShaderNodeTree")
    group.interface.new_socket("Colour", in_out="INPUT", socket_type="NodeSocketColor")
    group.interface.new_socket("Opacity", in_out="INPUT", socket_type="NodeSocketFloat")
    group.interface.new_socket("Surface", in_out="OUTPUT", socket_type="NodeSocketShader")
    node(group, "BsdfDiffuse", RED)
    given, shown, left = group.nodes.new("NodeGroupInput"), node(group, "Emission"), group.nodes.new("NodeGroupOutput")
    veiled = mixed(group, 0.0, node(group, "BsdfTransparent"), shown)
    group.links.new(given.outputs[0], shown.inputs[0])
    group.links.new(given.outputs[1], veiled.inputs[0])
    group.links.new(veiled.outputs[0], left.inputs[0])
    used = node(tree, "Group")
    used.node_tree = group
    used.inputs[0].default_value, used.inputs[1].default_value = (*GREEN, 1.0), 0.5
    return used


for name, recipe in RECIPES.items():
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 0, 1)], [], [(0, 1, 2)])
    for loop, uv in zip(mesh.uv_layers.new(name="map").data, ((0, 0), (1, 0), (0, 1)), strict=True):
        loop.uv = uv
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    material.diffuse_color = (0.0, 0.0, 1.0, 1.0)
    material.node_tree.nodes.clear()
    end = node(material.node_tree, "OutputMaterial")
    material.node_tree.links.new(recipe(material.node_tree).outputs[0], end.inputs["Surface"])
    mesh.materials.append(material)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, mesh))
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
"""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> RawMesh:
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("needs the bpy package to write a .blend file")
    folder = tmp_path_factory.mktemp("shaders")
    path = folder / "hero.blend"
    subprocess.run([sys.executable, "-c", WRITE, str(path)], check=True, capture_output=True, timeout=300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_SETTING, str(folder / "cache"))
        return read_with_blender(path)


@pytest.mark.parametrize(
    ("name", "colour"),
    [
        ("first", (1, 0, 0, 1)),
        ("second", (0, 1, 0, 1)),
        ("half", (1, 0, 0, 1)),
        ("glow", (0, 1, 0, 1)),
        ("baked", (0, 1, 0, 1)),
        ("shell", (1, 1, 1, 0)),
        ("hair", (0, 0, 1, 1)),
        ("grouped", (0, 1, 0, 0.5)),
    ],
)
def test_a_surface_has_the_colour_of_what_it_shows(raw: RawMesh, name: str, colour: tuple[float, ...]) -> None:
    (made,) = [material for material in raw.mesh.materials if material.name == name]
    assert made.base_color == pytest.approx(colour)
    assert made.alpha_mode == ("opaque" if colour[3] == 1 else "blend")


def test_an_image_of_transparency_cuts_a_colour_without_an_image(raw: RawMesh) -> None:
    (k,) = [k for k, material in enumerate(raw.mesh.materials) if material.name == "cut"]
    made = raw.mesh.materials[k]
    assert made.base_color == pytest.approx((0, 1, 0, 1))
    assert made.alpha_mode == "blend"
    assert made.texture is not None
    assert made.texture.pixels.tolist() == [[[255, 255, 255, 255], [255, 255, 255, 0]]]
    assert raw.mesh.uv is not None
    assert raw.mesh.uv[raw.mesh.face_material == k].tolist() == [[[0, 1], [1, 1], [0, 0]]]


def test_what_of_a_mix_is_left_out_and_what_is_not_known_is_said(raw: RawMesh) -> None:
    assert sorted(raw.warnings) == [
        "hero.blend: of material 'hair' no shader is known, so that its viewport colour was taken: let a Principled "
        "BSDF give its colour",
        "hero.blend: the mix of shaders in material 'glow' was simplified to one of them",
        "hero.blend: the mix of shaders in material 'half' was simplified to one of them",
    ]
