"""Images of colours that an FBX file links by names that Blender's importer does not know are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from specsia_build.characters.blender.read import read_with_blender
from tests.characters.blender.test_fbx_opacity import WRITE_HAIR, written

LAYERED = """
import io_scene_fbx.encode_bin as encode

write = encode.write


def with_layers(path, root, version):
    \"\"\"Colours by a texture of both images, that of the material's own name lowest.\"\"\"
    (objects,) = [group for group in root.elems if group.id == b"Objects"]
    (links,) = [group for group in root.elems if group.id == b"Connections"]
    images = [link for link in links.elems if link.props[-1].endswith(b"DiffuseColor")]
    for number, link in enumerate(images):
        stack = encode.FBXElem(b"LayeredTexture")
        stack.add_int64(900 + number)
        stack.add_string(b"stack\\0\\1LayeredTexture")
        stack.add_string(b"")
        objects.elems.append(stack)
        for lower in (link.props[1], images[1 - number].props[1]):
            layer = encode.FBXElem(b"C")
            layer.add_string(b"OO")
            layer.add_int64(int.from_bytes(lower, "little"))
            layer.add_int64(900 + number)
            links.elems.append(layer)
    for number, link in enumerate(images):
        link.props[1] = (900 + number).to_bytes(8, "little")
    write(path, root, version)


encode.write = with_layers
bpy.ops.export_scene.fbx(filepath=sys.argv[1])
"""


def test_of_a_texture_of_layers_the_lowest_is_shown_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(WRITE_HAIR + LAYERED, tmp_path / "hero.fbx", monkeypatch)
    for image, grey in (("hair", 90), ("lashes", 30)):
        Image.new("RGB", (2, 2), (grey, 60, 30)).save(tmp_path / f"{image}.png")
    raw = read_with_blender(path)
    textures = {m.name: None if m.texture is None else m.texture.pixels[0, 0, 0] for m in raw.mesh.materials}
    assert textures == {"hair": 90, "lashes": 30}
    assert sorted(raw.warnings) == [
        f"hero.fbx: the texture of material '{name}' has 2 layers, of which the lowest alone was taken: "
        "bake them into one image"
        for name in ("hair", "lashes")
    ]


@pytest.mark.parametrize("name", [b"X|base_color", b"aa|baseColor"])
def test_images_of_other_programs_materials_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    path = written(WRITE_HAIR, tmp_path / "hero.fbx", monkeypatch)
    path.write_bytes(path.read_bytes().replace(b"DiffuseColor", name))
    for image in ("hair", "lashes"):
        Image.new("RGB", (2, 2), (90, 60, 30)).save(tmp_path / f"{image}.png")
    raw = read_with_blender(path)
    assert [m.texture is not None for m in raw.mesh.materials] == [True, True]
    assert raw.warnings == ()


VEILED = WRITE_HAIR.replace(
    """        tree.links.new(picture.outputs["Alpha"], shader.inputs["Alpha"])
""",
    """        veil = tree.nodes.new("ShaderNodeTexImage")
        veil.image = bpy.data.images.new("veil", 2, 2)
        veil.image.source, veil.image.filepath = "FILE", "/elsewhere/veil.png"
        tree.links.new(veil.outputs["Color"], shader.inputs["Alpha"])
""",
)
"""Lashes whose opacity is in an image of its own."""


@pytest.mark.parametrize("name", [b"TransparencyFactor", b"xxxxxxxxxx|opacity", b"xxxxxxx|cutout_map"])
@pytest.mark.parametrize("colours", ["RGB", "RGBA"])
@pytest.mark.parametrize("beside", [".", "textures"])
def test_an_image_of_opacity_cuts_that_of_the_colour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes, colours: str, beside: str
) -> None:
    """Whether Blender's importer finds the images or not, and also where it would take the colour's own opacity."""
    path = written(VEILED, tmp_path / "hero.fbx", monkeypatch)
    path.write_bytes(path.read_bytes().replace(b"TransparencyFactor", name))
    folder = tmp_path / beside
    folder.mkdir(exist_ok=True)
    for image in ("hair", "lashes"):
        Image.new(colours, (2, 2), (90, 60, 30)).save(folder / f"{image}.png")
    Image.fromarray(np.array([[0, 255, 255, 0], [255, 0, 0, 128]], np.uint8)).save(folder / "veil.png")
    raw = read_with_blender(path)
    hair, lashes = sorted(raw.mesh.materials, key=lambda one: one.name)
    assert hair.alpha_mode == "opaque"
    assert lashes.alpha_mode == "blend"
    assert lashes.texture is not None
    # The image of the opacity has twice as many texels across.
    assert lashes.texture.pixels[..., 3].tolist() == [[0, 255, 255, 0], [255, 0, 0, 128]]
    assert (lashes.texture.pixels[..., :3] == (90, 60, 30)).all()
    assert raw.warnings == ()


def test_an_image_of_opacity_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(VEILED, tmp_path / "hero.fbx", monkeypatch)
    for image in ("hair", "lashes"):
        Image.new("RGB", (2, 2), (90, 60, 30)).save(tmp_path / f"{image}.png")
    raw = read_with_blender(path)
    assert {m.alpha_mode for m in raw.mesh.materials} == {"opaque"}
    assert raw.warnings == ("texture 'veil.png' of hero.fbx is not there; it was left out",)
