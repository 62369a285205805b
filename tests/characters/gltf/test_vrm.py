"""Materials of VRM 0.x, with values as its specification, UniVRM and three-vrm read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from numpy.testing import assert_allclose

from specsia_build.characters.character import RawMesh
from tests.characters.gltf.test_materials import RED_GREEN, UV
from tests.characters.gltf.writer import GltfWriter, png, read_gltf

HALF_IN_GAMMA = 0.21404114
"""Linear light of 0.5 in sRGB."""


def vrm0(folder: Path, properties: Any, version: str = "UniVRM-0.99.0", factor: list[float] | None = None) -> RawMesh:
    """A textured triangle whose glTF material is opaque blue, with what a VRM 0.x file says of it."""
    writer = GltfWriter()
    for colour in (RED_GREEN, RED_GREEN[:, ::-1]):
        writer.add("textures", source=writer.image(png(colour)))
    base = {"baseColorTexture": {"index": 0}, "baseColorFactor": factor or [0, 0, 1, 1]}
    material = writer.add("materials", pbrMetallicRoughness=base, extensions={"KHR_materials_unlit": {}})
    writer.mesh_node(writer.primitive(material=material, TEXCOORD_0=writer.accessor(UV)))
    writer.data["extensions"] = {"VRM": {"exporterVersion": version, "materialProperties": properties}}
    return read_gltf(writer.write_glb(folder / "a.vrm"))


def test_mtoon_says_colour_texture_and_transform(tmp_path: Path) -> None:
    said = {
        "shader": "VRM/MToon",
        "floatProperties": {"_Cutoff": 0.3, "_CullMode": 0, "_BlendMode": 1},
        "vectorProperties": {
            "_Color": [0.5, 1, 0, 0.5],
            "_MainTex": [0.25, 0.125, 0.5, 0.5],
            "_EmissionColor": [0.5, 0, 0, 1],
        },
        "textureProperties": {"_MainTex": 1},
        "keywordMap": {"_ALPHATEST_ON": True},
    }
    raw = vrm0(tmp_path, [said])
    (material,) = raw.mesh.materials
    assert_allclose(material.base_color, [HALF_IN_GAMMA, 1, 0, 0.5], atol=1e-6)
    assert_allclose(material.emissive, [HALF_IN_GAMMA, 0, 0], atol=1e-6)
    assert (material.alpha_mode, material.alpha_cutoff, material.double_sided) == ("mask", 0.3, True)
    assert material.texture is not None
    assert material.texture.pixels[0, 0].tolist() == [0, 255, 0, 255]
    assert raw.mesh.uv is not None
    # v = 1 - scale - offset: 0.375, and half of the coordinates' own.
    assert_allclose(raw.mesh.uv[0], [[0.25, 0.375], [0.75, 0.375], [0.25, 0.625]], atol=1e-6)
    assert raw.warnings == ()


@pytest.mark.parametrize(
    ("shader", "keywords", "mode"),
    [
        ("VRM/MToon", {"_ALPHABLEND_ON": True}, "blend"),
        ("VRM/MToon", {"_NORMALMAP": True}, "opaque"),
        ("VRM/UnlitTexture", {"_ALPHABLEND_ON": True}, "opaque"),
        ("VRM/UnlitTransparent", {}, "blend"),
        ("VRM/UnlitTransparentZWrite", {}, "blend"),
        ("VRM/UnlitCutout", {}, "mask"),
    ],
)
def test_shader_and_keywords_say_how_it_blends(tmp_path: Path, shader: str, keywords: Any, mode: str) -> None:
    said = {"shader": shader, "vectorProperties": {"_Color": [1, 1, 1, 0.5]}, "keywordMap": keywords}
    (material,) = vrm0(tmp_path, [said]).mesh.materials
    assert (material.alpha_mode, material.unlit) == (mode, True)
    assert material.base_color == (1.0, 1.0, 1.0, 0.5)
    assert material.texture is None


@pytest.mark.parametrize(
    ("version", "red"), [("UniVRM-0.53.0", HALF_IN_GAMMA), ("UniVRM-0.54.0", 0.5), ("0.51.1", HALF_IN_GAMMA), ("", 0.5)]
)
def test_older_exporters_wrote_factors_in_gamma(tmp_path: Path, version: str, red: float) -> None:
    raw = vrm0(tmp_path, [{"shader": "VRM_USE_GLTFSHADER"}], version, [0.5, 0, 0, 0.5])
    assert_allclose(raw.mesh.materials[0].base_color, [red, 0, 0, 0.5], atol=1e-6)


@pytest.mark.parametrize("damaged", [5, {"vectorProperties": {"_Color": "red"}}, {"textureProperties": []}])
def test_damaged_properties_leave_what_gltf_says(tmp_path: Path, damaged: Any) -> None:
    raw = vrm0(tmp_path, [damaged])
    assert raw.mesh.materials[0].base_color == (0.0, 0.0, 1.0, 1.0)
    assert len(raw.warnings) == 1
