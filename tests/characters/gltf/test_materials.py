"""Materials and textures of glTF, and of VRM 0.x as UniVRM and three-vrm read them."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from specsia_build.characters.character import RawMesh
from specsia_build.characters.polygons import without_repeated_light
from specsia_build.rendering.mesh import Material
from tests.characters.gltf.writer import GltfWriter, png, read_gltf
from tests.characters.test_images import UASTC

RED_GREEN = np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)
UV = [[0.0, 0.0], [1.0, 0.0], [0.0, 0.5]]


def textured(writer: GltfWriter, slot: dict[str, Any] | None = None, **material: Any) -> GltfWriter:
    """A triangle with UVs and one base-colour texture, red and green."""
    image = writer.image(png(RED_GREEN))
    texture = writer.add("textures", source=image)
    base = {"baseColorTexture": {"index": texture, **(slot or {})}}
    index = writer.add("materials", pbrMetallicRoughness=base, **material)
    writer.mesh_node(writer.primitive(material=index, TEXCOORD_0=writer.accessor(UV)))
    return writer


def read(writer: GltfWriter, folder: Path, **options: Any) -> RawMesh:
    return read_gltf(writer.write_glb(folder / "a.glb"), **options)


def only_material(raw: RawMesh) -> Material:
    (material,) = raw.mesh.materials
    return material


def with_material(folder: Path, **material: Any) -> Material:
    writer = GltfWriter()
    writer.mesh_node(writer.primitive(material=writer.add("materials", **material)))
    return only_material(read(writer, folder))


def test_factors_are_linear(tmp_path: Path) -> None:
    material = with_material(
        tmp_path,
        name="skin",
        pbrMetallicRoughness={"baseColorFactor": [0.1, 0.2, 0.3, 0.4]},
        emissiveFactor=[0.5, 0.25, 0.1],
        extensions={"KHR_materials_emissive_strength": {"emissiveStrength": 3.0}},
        alphaMode="MASK",
        alphaCutoff=0.3,
    )
    assert (material.name, material.base_color) == ("skin", (0.1, 0.2, 0.3, 0.4))
    assert_allclose(material.emissive, (1.0, 0.75, 0.3))
    assert (material.alpha_mode, material.alpha_cutoff, material.unlit) == ("mask", 0.3, False)


@pytest.mark.parametrize("unlit", [False, True])
@pytest.mark.parametrize(("factor", "image", "glows"), [(0.0, 99, True), (1.0, 0, True), (0.0012, 99, False)])
def test_emission_of_black_materials(
    tmp_path: Path, unlit: bool, factor: float, image: int, glows: bool
) -> None:
    writer = GltfWriter()
    for level in (image, 200):
        writer.add("textures", source=writer.image(png(np.full((2, 2, 3), level))))
    base = {"baseColorFactor": [factor] * 3 + [1.0], "baseColorTexture": {"index": 0}}
    look = {"emissiveFactor": [1, 1, 1], "emissiveTexture": {"index": 1, "texCoord": 1}}
    look["extensions"] = {"KHR_materials_unlit": {}} if unlit else {}
    number = writer.add("materials", pbrMetallicRoughness=base, **look)
    first, second = (writer.accessor(np.full((3, 2), k)) for k in (0, 1))
    writer.mesh_node(writer.primitive(material=number, TEXCOORD_0=first, TEXCOORD_1=second))
    raw = read(writer, tmp_path)
    material = only_material(raw)
    assert (material.emissive_texture is not None) == (glows or not unlit)
    assert raw.mesh.uv is not None and (raw.mesh.uv == float(glows)).all()
    assert (material.texture is None) == glows


@pytest.mark.parametrize(
    ("stated", "opacity"),
    [({"alphaMode": "OPAQUE"}, 0.2), ({"alphaMode": "BLEND"}, 0.1), ({"alphaMode": "MASK"}, 0.5)],
)
def test_glass_is_see_through(tmp_path: Path, stated: dict[str, str], opacity: float) -> None:
    glass = {"KHR_materials_transmission": {"transmissionFactor": 1}}
    base = {"baseColorFactor": [1, 1, 1, 0.5]}
    pane = with_material(tmp_path, pbrMetallicRoughness=base, extensions=glass, **stated)
    assert pane.alpha_mode == ("mask" if stated["alphaMode"] == "MASK" else "blend")
    assert pane.base_color[3] == pytest.approx(opacity)


def test_glass_of_an_opaque_material_ignores_the_alpha_of_its_image(tmp_path: Path) -> None:
    writer = GltfWriter()
    image = writer.image(png([[[255, 0, 0, 10], [0, 255, 0, 90]]]))
    base = {"baseColorTexture": {"index": writer.add("textures", source=image)}}
    glass = {"KHR_materials_transmission": {"transmissionFactor": 0.5}}
    number = writer.add("materials", pbrMetallicRoughness=base, extensions=glass)
    writer.mesh_node(writer.primitive(material=number, TEXCOORD_0=writer.accessor(UV)))
    pane = only_material(read(writer, tmp_path))
    assert pane.texture is not None and pane.base_color == pytest.approx((1, 1, 1, 0.6))
    assert_array_equal(pane.texture.pixels, [[[255, 0, 0, 255], [0, 255, 0, 255]]])


def test_specular_glossiness_diffuse(tmp_path: Path) -> None:
    extensions = {"KHR_materials_pbrSpecularGlossiness": {"diffuseFactor": [0.2, 0.4, 0.6, 1.0]}}
    base = {"baseColorFactor": [1, 0, 0, 1]}
    material = with_material(tmp_path, pbrMetallicRoughness=base, extensions=extensions)
    assert material.base_color == (0.2, 0.4, 0.6, 1.0)


def test_texture_sampler(tmp_path: Path) -> None:
    writer = textured(GltfWriter())
    writer.data["textures"][0]["sampler"] = writer.add("samplers", wrapS=33071, wrapT=33648, magFilter=9728)
    raw = read(writer, tmp_path)
    texture = only_material(raw).texture
    assert texture is not None
    assert_array_equal(texture.pixels, [[[255, 0, 0, 255], [0, 255, 0, 255]]])
    assert (texture.wrap, texture.nearest) == (("clamp", "mirror"), True)
    assert_array_equal(raw.mesh.uv, [UV])


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        ({}, UV),
        ({"offset": [0.5, 0.25]}, [[0.5, 0.25], [1.5, 0.25], [0.5, 0.75]]),
        ({"scale": [2, 4]}, [[0, 0], [2, 0], [0, 2]]),
        # A quarter turn takes +u to -v and +v to +u.
        ({"rotation": math.pi / 2}, [[0, 0], [0, -1], [0.5, 0]]),
        # The extension's own example: the image's lower left quadrant.
        ({"offset": [0, 1], "rotation": math.pi / 2, "scale": [0.5, 0.5]}, [[0, 1], [0, 0.5], [0.25, 1]]),
    ],
)
def test_texture_transforms(tmp_path: Path, transform: dict[str, Any], expected: list[list[float]]) -> None:
    raw = read(textured(GltfWriter(), {"extensions": {"KHR_texture_transform": transform}}), tmp_path)
    assert raw.mesh.uv is not None
    assert_allclose(raw.mesh.uv[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("mode", "alpha", "expected"),
    [
        *((mode, (255, 1.0, 1.0), "opaque") for mode in ("BLEND", "MASK")),
        *(("BLEND", alpha, "blend") for alpha in ((254, 1.0, 1.0), (255, 0.5, 1.0), (255, 1.0, 0.5))),
        *(("MASK", (0, 1.0, 1.0), "mask"), ("OPAQUE", (0, 0.5, 0.5), "opaque")),
    ],
)
def test_fully_opaque_is_opaque(tmp_path: Path, mode: str, alpha: tuple[Any, ...], expected: str) -> None:
    texel_alpha, factor_alpha, corner_alpha = alpha
    writer = GltfWriter()
    writer.add("textures", source=writer.image(png([[[1, 2, 3, 255], [1, 2, 3, texel_alpha]]])))
    base = {"baseColorTexture": {"index": 0}, "baseColorFactor": [1, 1, 1, factor_alpha]}
    material = writer.add("materials", alphaMode=mode, pbrMetallicRoughness=base)
    colors = writer.accessor([[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, corner_alpha]])
    uv = writer.accessor(UV)
    writer.mesh_node(writer.primitive(material=material, TEXCOORD_0=uv, COLOR_0=colors))
    assert only_material(read(writer, tmp_path)).alpha_mode == expected


@pytest.mark.parametrize("same", [True, False])
def test_image_that_shines_in_its_own_colours_is_unlit(tmp_path: Path, same: bool) -> None:
    """As light and as colour at once it would be twice as bright."""
    writer = textured(
        GltfWriter(), emissiveFactor=[0.5, 0.25, 1], emissiveTexture={"index": 0 if same else 1}
    )
    writer.add("textures", source=writer.image(png(RED_GREEN)))
    writer.data["materials"][0]["pbrMetallicRoughness"]["baseColorFactor"] = [0.3, 0.3, 0.3, 0.5]
    (material,) = without_repeated_light(read(writer, tmp_path).mesh).materials
    assert (material.unlit, material.emissive_texture is None) == (same, same)
    assert material.base_color == ((0.5, 0.3, 1.0, 0.5) if same else (0.3, 0.3, 0.3, 0.5))
    assert material.emissive == ((0.0, 0.0, 0.0) if same else (0.5, 0.25, 1.0))


def test_image_of_light_needs_coordinates(tmp_path: Path) -> None:
    writer = textured(GltfWriter(), emissiveFactor=[0.5, 0.25, 1], emissiveTexture={"index": 0})
    del writer.data["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"]
    material = only_material(read(writer, tmp_path))
    assert (material.emissive_texture, material.emissive) == (None, (0.0, 0.0, 0.0))


def test_no_material_is_white_on_one_side(tmp_path: Path) -> None:
    writer = GltfWriter()
    writer.mesh_node(writer.primitive())
    material = only_material(read(writer, tmp_path))
    assert (material.base_color, material.double_sided) == ((1, 1, 1, 1), False)


@pytest.mark.parametrize(("cutoff", "mode"), [(1.0, "opaque"), (1.5, "mask")])
def test_nothing_passes_a_cutoff_above_one(tmp_path: Path, cutoff: float, mode: str) -> None:
    writer = textured(GltfWriter())
    writer.data["materials"][0] |= {"alphaMode": "MASK", "alphaCutoff": cutoff}
    writer.data["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"] = writer.accessor([[1, 1, 1, 1]] * 3)
    assert only_material(read(writer, tmp_path)).alpha_mode == mode


@pytest.mark.parametrize(
    ("extension", "content", "plain", "size"),
    [
        ("EXT_texture_webp", b"RIFF\0\0\0\0WEBPVP8 ", 0, (1, 2)),
        ("KHR_texture_basisu", UASTC, 0, (1, 2)),
        ("KHR_texture_basisu", UASTC, None, (16, 16)),
    ],
)
def test_image_and_its_fallback(
    tmp_path: Path, extension: str, content: bytes, plain: int | None, size: tuple[int, int]
) -> None:
    writer = textured(GltfWriter())
    image = writer.add("images", bufferView=writer.view(content))
    kept = {} if plain is None else {"source": plain}
    writer.data["textures"][0] = {**kept, "extensions": {extension: {"source": image}}}
    raw = read(writer, tmp_path)
    texture = only_material(raw).texture
    assert texture is not None and texture.pixels.shape[:2] == size
    assert len(raw.warnings) == (extension == "EXT_texture_webp")


@pytest.mark.parametrize(
    ("uri", "place"), [("skin.png", "Textures/skin.png"), ("../skins/skin.png", "Skins/skin.png")]
)
def test_image_elsewhere_in_the_source(tmp_path: Path, uri: str, place: str) -> None:
    image, folder = tmp_path / place, tmp_path / "gltf"
    for parent in (image.parent, folder):
        parent.mkdir()
    image.write_bytes(png(RED_GREEN))
    writer = textured(GltfWriter())
    writer.data["images"] = [{"uri": uri}]
    raw = read_gltf(writer.write_glb(folder / "a.glb"), root=tmp_path)
    assert only_material(raw).texture is not None and image in raw.files


def test_texture_for_bare_materials(tmp_path: Path) -> None:
    given = tmp_path / "given.png"
    given.write_bytes(png([[[0, 0, 255]]]))
    writer = textured(GltfWriter())
    writer.mesh_node(writer.primitive(TEXCOORD_0=writer.accessor(UV)))
    raw = read(writer, tmp_path, texture=given)
    own, plain = (m.texture for m in raw.mesh.materials)
    assert own is not None and plain is not None
    assert_array_equal(own.pixels[..., :3], RED_GREEN)
    assert_array_equal(plain.pixels, [[[0, 0, 255, 255]]])
    assert raw.files == (tmp_path / "a.glb", given)


HALF_IN_GAMMA = 0.21404114  # Linear light of 0.5 in sRGB


def vrm0(
    folder: Path, properties: Any, version: str = "UniVRM-0.99.0", factor: list[float] | None = None
) -> RawMesh:
    """A textured triangle whose glTF material is opaque blue, with what a VRM 0.x file says of it."""
    writer = GltfWriter()
    for colour in (RED_GREEN, RED_GREEN[:, ::-1]):
        writer.add("textures", source=writer.image(png(colour)))
    base = {"baseColorTexture": {"index": 0}, "baseColorFactor": factor or [0, 0, 1, 1]}
    material = writer.add("materials", pbrMetallicRoughness=base, extensions={"KHR_materials_unlit": {}})
    writer.mesh_node(writer.primitive(material=material, TEXCOORD_0=writer.accessor(UV)))
    writer.data["extensions"] = {"VRM": {"exporterVersion": version, "materialProperties": properties}}
    return read_gltf(writer.write_glb(folder / "a.vrm"))


def test_mtoon_colour_and_transform(tmp_path: Path) -> None:
    said = {
        "shader": "VRM/MToon",
        "floatProperties": {"_Cutoff": 0.3, "_CullMode": 0, "_BlendMode": 1},
        "vectorProperties": {
            "_Color": [0.5, 1, 0, 0.5, 9],
            "_MainTex": [0.25, 0.125, 0.5, 0.5, 9],
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
    assert material.texture is not None and material.texture.pixels[0, 0].tolist() == [0, 255, 0, 255]
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
def test_alpha_mode_by_shader_or_keyword(tmp_path: Path, shader: str, keywords: Any, mode: str) -> None:
    said = {"shader": shader, "vectorProperties": {"_Color": [1, 1, 1, 0.5]}, "keywordMap": keywords}
    (material,) = vrm0(tmp_path, [said]).mesh.materials
    assert (material.alpha_mode, material.unlit, material.texture) == (mode, True, None)
    assert material.base_color == (1.0, 1.0, 1.0, 0.5)


@pytest.mark.parametrize(("number", "mode"), [(0, "opaque"), (1, "mask"), (2, "blend"), (3, "blend")])
def test_alpha_mode_by_number_without_keywords(tmp_path: Path, number: int, mode: str) -> None:
    said = {"shader": "VRM/MToon", "vectorProperties": {"_Color": [1, 1, 1, 0.5]}}
    raw = vrm0(tmp_path, [{**said, "floatProperties": {"_BlendMode": number}}])
    assert raw.mesh.materials[0].alpha_mode == mode


@pytest.mark.parametrize(
    ("version", "red"),
    [
        *((version, HALF_IN_GAMMA) for version in ("UniVRM-0.53.0", "0.51.1")),
        *((version, 0.5) for version in ("UniVRM-0.54.0", "UniVRM-1.0.0", "")),
    ],
)
def test_old_vrm_factors_in_gamma(tmp_path: Path, version: str, red: float) -> None:
    raw = vrm0(tmp_path, [{"shader": "VRM_USE_GLTFSHADER"}], version, [0.5, 0, 0, 0.5])
    assert_allclose(raw.mesh.materials[0].base_color, [red, 0, 0, 0.5], atol=1e-6)


@pytest.mark.parametrize("damaged", [5, {"vectorProperties": {"_Color": "red"}}, {"textureProperties": []}])
def test_damaged_vrm_falls_back_to_gltf(tmp_path: Path, damaged: Any) -> None:
    raw = vrm0(tmp_path, [damaged])
    assert raw.mesh.materials[0].base_color == (0.0, 0.0, 1.0, 1.0)
    assert len(raw.warnings) == 1
