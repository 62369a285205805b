"""FBX files, by hand as text and binary, and real ones: geometry, materials, textures, motions, damage."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from specsia_build import memory
from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.fbx.takes import _rate
from specsia_build.characters.gltf import converted
from specsia_build.characters.gltf.converted import read_converted
from specsia_build.errors import CharacterError, CostError
from specsia_build.rendering.mesh import Texture
from tests.animation.people import posed
from tests.characters.fbx.writer import (
    SQUARE,
    Record,
    as_binary,
    as_text,
    curve,
    model,
    moving_square,
    properties,
    record,
    scene,
    square,
    thing,
)

Encode = Callable[[Sequence[Record]], bytes]

ENCODINGS = pytest.mark.parametrize("encode", [as_text, as_binary])


def read(folder: Path, records: Sequence[Record], encode: Encode = as_binary) -> RawMesh:
    path = folder / "hero.fbx"
    path.write_bytes(encode(records))
    return read_converted(Entry("a", "fbx", path), moving=True)


def paint(number: int, name: str, colour: tuple[float, ...], **values: Any) -> Record:
    own = properties(DiffuseColor=colour, **values)
    return thing("Material", number, name, "", record("ShadingModel", "lambert"), own)


def bounds_of(raw: RawMesh, part: str) -> list[list[float]]:
    points = raw.mesh.vertices[raw.mesh.faces[raw.face_part == raw.parts.index(part)]].reshape(-1, 3)
    return [points.min(axis=0).round(4).tolist(), points.max(axis=0).round(4).tolist()]


@ENCODINGS
def test_square_in_both_encodings(tmp_path: Path, encode: Encode) -> None:
    objects = [square(1), model(2, "hero", Lcl_Translation=(1.0, 2.0, 3.0)), paint(3, "red", (1.0, 0.0, 0.0))]
    raw = read(tmp_path, scene(objects, [(1, 2), (2, 0), (3, 2)]), encode)
    assert_allclose(raw.mesh.vertices, np.add(SQUARE, (1, 2, 3)), atol=1e-6)
    assert (raw.parts, raw.up, raw.front, raw.warnings) == (("hero",), "+z", "-y", ())
    (material,) = raw.mesh.materials
    assert (material.name, material.base_color, material.double_sided) == ("red", (1, 0, 0, 1), True)
    assert raw.mesh.uv is not None
    corners = raw.mesh.vertices[raw.mesh.faces] - (1, 2, 3)
    assert_allclose(raw.mesh.uv, np.stack([corners[..., 0], 1 - corners[..., 2]], axis=-1), atol=1e-6)


def test_axes_and_unit_of_the_file(tmp_path: Path) -> None:
    # +Y up, +Z to the front, centimetres: the square lies, and is a hundredth of its size.
    turned = {"UpAxis": 1, "FrontAxis": 2, "FrontAxisSign": 1, "UnitScaleFactor": 1.0}
    raw = read(tmp_path, scene([square(1), model(2, "hero")], [(1, 2), (2, 0)], **turned))
    assert_allclose(bounds_of(raw, "hero"), [[0, -0.01, 0], [0.02, 0, 0]], atol=1e-6)


@pytest.mark.parametrize(
    ("stated", "extent", "fps"),
    [
        *(({"TimeMode": 14, "CustomFrameRate": rate}, [2, 0, 1], 30) for rate in (0.0, -5.0, np.nan, np.inf)),
        *(({"UnitScaleFactor": unit}, [2, 0, 1], 30) for unit in (0.0, -5.0, np.nan, np.inf)),
        ({"TimeMode": 14, "CustomFrameRate": 12.0, "UnitScaleFactor": 50.0}, [1, 0, 0.5], 12),
        ({"UpAxis": 1}, [2, 1, 0], 30),
    ],
)
def test_settings_that_mean_nothing_are_usual(tmp_path: Path, stated: Any, extent: Any, fps: float) -> None:
    header, settings, objects, links = moving_square()
    (own,) = settings.inner
    inner = [*(p for p in own.inner if p.values[0] not in stated), *properties(**stated).inner]
    settings = settings._replace(inner=[own._replace(inner=inner)])
    raw = read(tmp_path, [header, settings, objects, links])
    assert raw.moving is not None
    assert_allclose(np.ptp(raw.mesh.vertices, axis=0), extent, atol=1e-6)
    assert 1 / raw.moving.motions[0].start == pytest.approx(fps, rel=1e-6)


PLACES = {
    # Without RotationActive the turn before does not count.
    "unused turn": (
        {"PreRotation": (90.0, 0.0, 0.0), "Lcl_Rotation": (0.0, 0.0, 90.0)},
        [[0, 0, 0], [0, 2, 1]],
    ),
    # About (2, 0, 0), a quarter turn that takes +X to +Z.
    "pivot": ({"RotationPivot": (2.0, 0.0, 0.0), "Lcl_Rotation": (0.0, -90.0, 0.0)}, [[1, 0, -2], [2, 0, 0]]),
    # The turn before comes after the node's own: +X to +Y to +Z.
    "turn before": (
        {"RotationActive": 1, "PreRotation": (90.0, 0.0, 0.0), "Lcl_Rotation": (0.0, 0.0, 90.0)},
        [[0, -1, 0], [0, 0, 2]],
    ),
    # What moves geometry moves no children, and is itself turned and scaled by the node.
    "geometry": (
        {"GeometricTranslation": (1.0, 0.0, 0.0), "Lcl_Scaling": (2.0, 1.0, 1.0)},
        [[2, 0, 0], [6, 0, 1]],
    ),
    "scale's pivot": (
        {"ScalingPivot": (2.0, 0.0, 0.0), "Lcl_Scaling": (3.0, 1.0, 1.0)},
        [[-4, 0, 0], [2, 0, 1]],
    ),
}


@pytest.mark.parametrize(("values", "bounds"), PLACES.values(), ids=PLACES.keys())
def test_pivots(tmp_path: Path, values: dict[str, Any], bounds: list[list[float]]) -> None:
    raw = read(tmp_path, scene([square(1), model(2, "hero", **values)], [(1, 2), (2, 0)]))
    assert bounds_of(raw, "hero") == bounds


@pytest.mark.parametrize(("inherits", "is_hidden"), [({}, True), ({"Visibility_Inheritance": 0}, False)])
def test_visibility_is_inherited(tmp_path: Path, inherits: Any, is_hidden: bool) -> None:
    """Hidden nodes hide those below, unless these say otherwise; without a material a mesh is grey."""
    parts = [model(2, "hero"), model(3, "above", Visibility=0.0, Show=0), model(4, "below", **inherits)]
    raw = read(tmp_path, scene([square(1), *parts], [(1, 2), (1, 4), (2, 0), (3, 0), (4, 3)]))
    assert raw.parts == (("hero",) if is_hidden else ("hero", "below"))
    (material,) = raw.mesh.materials
    assert (material.base_color, material.double_sided) == ((0.8, 0.8, 0.8, 1.0), True)


def test_instances_levels_and_what_is_hidden(tmp_path: Path) -> None:
    models = [model(k, f"part{k}", Lcl_Translation=(float(k), 0.0, 0.0)) for k in range(2, 6)]
    hidden = model(6, "hidden", Visibility=0.0, Show=0)
    group = model(7, "group", sort="LodGroup")
    levels = thing("NodeAttribute", 8, "", "LodGroup", record("TypeFlags", "LodGroup"))
    colours = [paint(20 + k, f"colour{k}", (k / 10, 0.0, 0.0)) for k in range(2, 6)]
    links = [*((1, k) for k in range(2, 7)), *((20 + k, k) for k in range(2, 6)), (8, 7), (7, 0), (6, 0)]
    links += [(2, 0), (3, 0), (4, 7), (5, 7)]
    raw = read(tmp_path, scene([square(1), *models, hidden, group, levels, *colours], links))
    names = [name.rpartition("/")[2] for name in raw.parts]
    assert names == ["part2", "part3", "part4"]
    assert [bounds_of(raw, part)[0][0] for part in raw.parts] == [2, 3, 4]
    used = [raw.mesh.materials[k].name for k in raw.mesh.face_material[::2]]
    assert used == ["colour2", "colour3", "colour4"]


def picture(colour: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGBA", (2, 2), colour).save(stream, "PNG")
    return stream.getvalue()


def textured(
    name: str,
    content: bytes | None = None,
    slots: Sequence[str] = ("DiffuseColor",),
    look: Mapping[str, Any] = MappingProxyType({}),
    **image: Any,
) -> list[Record]:
    """A square whose material has an image in some slots; values of the material and of the image."""
    file = record("RelativeFilename", name)
    clip = [file] if content is None else [file, record("Content", content)]
    stated = properties(**{"DiffuseColor": (0.2, 0.2, 0.2), **look})
    objects = [
        *(
            square(1),
            model(2, "hero"),
            thing("Material", 3, "skin", "", record("ShadingModel", "lambert"), stated),
        ),
        thing("Texture", 4, "skin", "", file, record("FileName", f"C:\\art\\{name}"), properties(**image)),
        thing("Video", 5, "skin", "Clip", *clip),
    ]
    return scene(objects, [(1, 2), (2, 0), (3, 2), *((4, 3, slot) for slot in slots), (5, 4)])


PICTURE = picture((90, 60, 30, 255))


@ENCODINGS
def test_textures_inside_and_beside(tmp_path: Path, encode: Encode) -> None:
    (tmp_path / "skin.png").write_bytes(picture((9, 9, 9, 255)))
    for content, expected in ((picture((90, 60, 30, 40)), [90, 60, 30, 40]), (None, [9, 9, 9, 255])):
        raw = read(tmp_path, textured("skin.png", content), encode)
        (material,) = raw.mesh.materials
        assert isinstance(material.texture, Texture)
        assert material.texture.pixels[0, 0].tolist() == expected
        # A texture replaces the material's colour, and its alpha counts.
        assert (material.base_color, raw.warnings) == ((1, 1, 1, 1), ())
        assert material.alpha_mode == ("opaque" if content is None else "blend")


@pytest.mark.parametrize(("mode", "wrap"), [(0, "repeat"), (1, "clamp")])
def test_image_that_is_not_repeated(tmp_path: Path, mode: int, wrap: str) -> None:
    (material,) = read(tmp_path, textured("skin.png", PICTURE, WrapModeU=mode)).mesh.materials
    assert material.texture is not None and material.texture.wrap == (wrap, "repeat")


@pytest.mark.parametrize(
    ("angle", "scale"),
    [(0.0, (2.0, 3.0, 1.0)), (90.0, (2.0, -3.0, 1.0)), (30.0, (2.0, 2.0, 1.0)), (120.0, (2.0, -5.0, 1.0))],
)
def test_moved_turned_and_scaled_texture(tmp_path: Path, angle: float, scale: Any) -> None:
    plain = read(tmp_path, textured("skin.png", PICTURE)).mesh.uv
    placed = {"Rotation": (0.0, 0.0, angle), "Scaling": scale, "Translation": (0.3, 0.2, 0.0)}
    raw = read(tmp_path, textured("skin.png", PICTURE, **placed))
    assert plain is not None and raw.mesh.uv is not None
    # The image is scaled, turned, then moved over the surface.
    upward = plain * (1, -1) + (0, 1)
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    expected = (upward - (0.3, 0.2)) @ [[cos, -sin], [sin, cos]] / scale[:2]
    assert_allclose(raw.mesh.uv, expected * (1, -1) + (0, 1), atol=1e-5)


@pytest.mark.parametrize("coloured", [False, True])
def test_image_of_light(tmp_path: Path, coloured: bool) -> None:
    """An image replaces the colour of light, its factor counts."""
    lit = {"EmissiveColor": (0.2, 0.0, 0.0), "EmissiveFactor": 0.5, "DiffuseColor": (0.0, 1.0, 0.0)}
    slots = ["EmissiveColor", *["DiffuseColor"] * coloured]
    (material,) = read(tmp_path, textured("skin.png", PICTURE, slots, lit)).mesh.materials
    assert material.emissive_texture is not None and material.emissive == (0.5, 0.5, 0.5)
    assert material.emissive_texture.pixels[0, 0].tolist() == [90, 60, 30, 255]
    assert material.base_color == ((1, 1, 1, 1) if coloured else (0, 1, 0, 1))


def test_texture_of_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "given.png").write_bytes(picture((1, 2, 3, 255)))
    look = paint(3, "red", (1.0, 0.0, 0.0))
    records = scene([square(1), model(2, "hero"), look], [(1, 2), (2, 0), (3, 2)])
    (tmp_path / "hero.fbx").write_bytes(as_binary(records))
    for name, color in (("given.png", (1, 1, 1, 1)), ("missing.png", (1, 0, 0, 1))):
        raw = read_converted(Entry("a", "fbx", tmp_path / "hero.fbx", texture=tmp_path / name))
        assert raw.mesh.materials[0].base_color == color
        assert (raw.mesh.materials[0].texture is None) == bool(raw.warnings) == (name == "missing.png")


def test_hidden_meshes_are_drawn_if_there_are_no_others(tmp_path: Path) -> None:
    parts = [model(2, "hero", Visibility=0.0, Show=0), model(3, "other", Visibility=0.0, Show=0)]
    raw = read(tmp_path, scene([square(1), *parts], [(1, 2), (1, 3), (2, 0), (3, 0)]))
    assert raw.parts == ("hero", "other")
    assert [warning.code for warning in raw.warnings] == ["made-visible"]


@pytest.mark.parametrize(("count", "expected"), [(4, (0.5, 0.25, 0.125, 1)), (3, (0.5, 0.5, 0.5, 1))])
def test_colour_of_a_physical_material_is_multiplied(tmp_path: Path, count: int, expected: Any) -> None:
    # Autodesk's Physical Material, by the class that 3ds Max writes
    stated = [
        record("P", "3dsMax|ClassIDa", "int", "", "A", 0x3D6B1CEC),
        record("P", "3dsMax|ClassIDb", "int", "", "A", 0xDEADC001 - (1 << 32)),
        record("P", "3dsMax|Parameters|base_weight", "Number", "", "A", 0.5),
        record("P", "3dsMax|Parameters|base_color", "Vector3D", "", "A", 1.0, 0.5, 0.25),
    ]
    own = [record("ShadingModel", "unknown"), record("Properties70", inner=stated[:count])]
    skin = thing("Material", 3, "skin", "", *own)
    raw = read(tmp_path, scene([square(1), model(2, "hero"), skin], [(1, 2), (2, 0), (3, 2)]))
    assert_allclose(raw.mesh.materials[0].base_color, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["../secret.png", "..\\secret.png", "{}/secret.png", "file://{}/secret.png"])
def test_textures_outside_are_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(picture((90, 60, 30, 255)))
    folder = tmp_path / "mine"
    folder.mkdir()
    raw = read(folder, textured(name.format(tmp_path)))
    assert [m.texture for m in raw.mesh.materials] == [None]
    (warning,) = raw.warnings
    assert "secret.png" in warning.sentence


@pytest.mark.parametrize(("size", "counts"), [(0.0, False), (1e-3, True), (1e3, True)])
def test_bind_poses_without_an_inverse_do_not_count(tmp_path: Path, size: float, counts: bool) -> None:
    hips = moving_square()[2].inner[5]
    bind = [*hips.inner[:-1], record("TransformLink", np.diag([size, size, size, 1.0]).ravel())]
    raw = read(tmp_path, with_objects({5: hips._replace(inner=bind)}))
    assert np.isfinite(raw.mesh.vertices).all() and raw.moving is not None
    assert (np.ptp(raw.moving.rig.skeleton.scales) > 0) == counts


def test_one_image_of_colour_and_opacity(tmp_path: Path) -> None:
    """The alpha of an image that is linked to both counts, not its luminance."""
    both = textured("skin.png", PICTURE, ("DiffuseColor", "TransparentColor"))
    (material,) = read(tmp_path, both).mesh.materials
    assert material.texture is not None and material.texture.pixels[0, 0].tolist() == [90, 60, 30, 255]


@pytest.mark.parametrize("slot", ["TransparentColor", "TransparencyFactor"])
def test_image_of_opacity(tmp_path: Path, slot: str) -> None:
    (material,) = read(tmp_path, textured("cut.png", picture((0, 0, 0, 40)), (slot,))).mesh.materials
    assert material.texture is not None and material.texture.pixels[0, 0].tolist() == [255, 255, 255, 40]
    assert material.alpha_mode == "blend"


@pytest.mark.parametrize(
    ("fps", "rate"),
    [(24, 120), (25, 150), (30, 30), (48, 240), (59.94, 59.94), (239, 239), (1000, 240), (7.5, 30)],
)
def test_keys_at_the_frames_of_the_file(fps: float, rate: float) -> None:
    assert _rate(fps) == rate


LOOKS: list[tuple[dict[str, Any], float, tuple[float, ...]]] = [
    ({"TransparencyFactor": 0.25}, 0.75, (0, 0, 0)),
    ({"TransparencyFactor": 1.0, "Opacity": 0.25}, 0.25, (0, 0, 0)),
    ({"TransparentColor": (0.4, 0.5, 0.6)}, 0.6, (0, 0, 0)),
    ({"Opacity": 0.0}, 1.0, (0, 0, 0)),
    ({"EmissiveColor": (0.5, 0.25, 0.0), "EmissiveFactor": 0.5}, 1.0, (0.25, 0.125, 0)),
    ({"EmissiveColor": (1.0, 2.0, 0.5)}, 1.0, (1, 1, 0.5)),
]


@pytest.mark.parametrize(("values", "opacity", "emissive"), LOOKS)
def test_opacity_and_emission(tmp_path: Path, values: Any, opacity: float, emissive: Any) -> None:
    objects = [square(1), model(2, "hero"), paint(3, "skin", (1.0, 0.0, 0.5), **values)]
    (material,) = read(tmp_path, scene(objects, [(1, 2), (2, 0), (3, 2)])).mesh.materials
    assert_allclose(material.base_color, (1, 0, 0.5, opacity), atol=1e-6)
    assert_allclose(material.emissive, emissive, atol=1e-6)
    assert material.alpha_mode == ("opaque" if opacity == 1.0 else "blend")


@pytest.mark.parametrize(
    ("colour", "counts"),
    [
        *((None, True), ((0.8,) * 3, True), ((1.0,) * 3, True)),
        *(((0.8012,) * 3, False), ((0.9988,) * 3, False), ((0.5, 0.8, 0.8), False)),
    ],
)
def test_vertex_colours_on_white_and_grey(tmp_path: Path, colour: Any, counts: bool) -> None:
    layer = [
        record("MappingInformationType", "ByPolygonVertex"),
        record("ReferenceInformationType", "Direct"),
        record("Colors", np.array([[1, 0.5, 0, 0.5]] * 4).ravel()),
    ]
    objects = [square(1, record("LayerElementColor", 0, inner=layer)), model(2, "hero")]
    objects += [] if colour is None else [paint(3, "skin", colour)]
    mesh = read(tmp_path, scene(objects, [(1, 2), (2, 0), (3, 2)][: 2 + (colour is not None)])).mesh
    assert (mesh.colors is not None and not (mesh.colors == 1).all()) == counts
    if mesh.colors is not None and counts:
        assert_allclose(mesh.colors[0, 0], (1, 0.214, 0, 0.5), atol=1e-3)
        assert mesh.materials[0].alpha_mode == "opaque"


def layer(kind: str, number: int, mapping: str, *values: np.ndarray, **more: Any) -> Record:
    """A layer of a mesh: its values, and the number of the value of each corner where these differ."""
    name = {"UV": "UV", "Color": "Colors", "Normal": "Normals", "Material": "Materials"}[kind]
    reference = "Direct" if kind == "Normal" else "IndexToDirect"
    stated = {"MappingInformationType": mapping, "ReferenceInformationType": reference, **more}
    inner = [record(key, value) for key, value in stated.items()]
    numbered = zip((name, f"{kind}Index"), values, strict=False)
    return record(f"LayerElement{kind}", number, inner=[*inner, *(record(*pair) for pair in numbered)])


def test_attributes_that_are_numbered_apart(tmp_path: Path) -> None:
    """Corners have UVs of two sets, colours and normals by numbers of their own; polygons have materials."""
    (tmp_path / "skin.png").write_bytes(picture((90, 60, 30, 255)))
    points = np.array([*SQUARE, (1, 0, 2)], float)
    uvs = np.array([[0, 0], [0.5, 0.25], [0.125, 1]]), np.array([[0.75, 0.5], [0.25, 1]])
    uv_numbers = np.array([0, 1, 2, 0, 1, 2, 0]), np.array([1, 0, 1, 1, 0, 0, 1])
    colours = np.array([[1, 0, 0, 1], [0, 1, 0, 0.5], [0, 0, 1, 1]])
    colour_numbers = np.array([2, 1, 0, 2, 2, 1, 0])
    normals = points - (1, 3, 0)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    layers = [
        *(layer("UV", k, "ByPolygonVertex", uvs[k].ravel(), uv_numbers[k], Name="ab"[k]) for k in (0, 1)),
        layer("Color", 0, "ByPolygonVertex", colours.ravel(), colour_numbers),
        layer("Normal", 0, "ByVertice", normals.ravel()),
        layer("Material", 0, "ByPolygon", np.array([1, 0])),
    ]
    corners = record("PolygonVertexIndex", np.array([0, 1, 2, -4, 3, 2, -5]))
    house = thing("Geometry", 1, "house", "Mesh", record("Vertices", points.ravel()), corners, *layers)
    file = [record("RelativeFilename", "skin.png"), record("FileName", "skin.png")]
    skin = thing("Texture", 5, "skin", "", *file, properties(UVSet="b"))
    looks = [paint(3, "roof", (0.2, 0.2, 0.2)), paint(4, "wall", (0.8, 0.8, 0.8)), skin]
    objects = [house, model(2, "hero"), *looks]
    mesh = read(tmp_path, scene(objects, [(1, 2), (2, 0), (3, 2), (4, 2), (5, 3, "DiffuseColor")])).mesh
    assert mesh.uv is not None and mesh.colors is not None and mesh.normals is not None
    drawn = np.array([[4, 5, 6], [0, 1, 2], [0, 2, 3]])
    at = np.array([0, 1, 2, 3, 3, 2, 4])[drawn]
    assert_allclose(mesh.vertices[mesh.faces], points[at], atol=1e-6)
    assert_allclose(mesh.normals, normals[at], atol=1e-6)
    used = [mesh.materials[number].name for number in mesh.face_material]
    assert used == ["roof", "wall", "wall"]
    for face, own in enumerate((1, 0, 0)):
        expected = uvs[own][uv_numbers[own][drawn[face]]] * (1, -1) + (0, 1)
        assert_allclose(mesh.uv[face], expected, atol=1e-6)
    # Full levels are the same in sRGB and linear light; a texture replaces colours.
    assert_allclose(mesh.colors[1:], colours[colour_numbers[drawn[1:]]], atol=1e-6)
    assert (mesh.colors[0, :, :3] == 1).all()


@ENCODINGS
def test_skin_and_blend_shape_move(tmp_path: Path, encode: Encode) -> None:
    raw = read(tmp_path, moving_square(), encode)
    assert raw.moving is not None and raw.skinned
    (motion,) = raw.moving.motions
    assert (motion.name, round(motion.duration, 4), round(motion.start * 30, 4)) == ("Rise", 0.5, 1.0)
    assert_allclose(raw.mesh.vertices, SQUARE, atol=1e-6)
    for share, grown in ((0.0, 0.0), (0.5, -1.0), (0.75, -2.5), (1.0, -4.0)):
        points = posed(raw.mesh, raw.moving.rig, motion, motion.start + share / 2).vertices
        expected = np.add(SQUARE, ((0, grown, 0), (0, 0, 0), (0, 0, 2 * share), (0, 0, 2 * share)))
        assert_allclose(points, expected, atol=1e-5)


def with_objects(changed: dict[int, Record], *more: Any) -> list[Record]:
    """The moving square with some of its objects replaced, by their places in its list."""
    header, settings, own, pairs = moving_square(*more)
    inner = list(own.inner)
    for place, replacement in changed.items():
        inner[place] = replacement
    return [header, settings, record("Objects", inner=inner), pairs]


def test_unweighted_vertices_and_late_morphs(tmp_path: Path) -> None:
    """A vertex of no bone follows its node; a morph passes its first target between two later keys."""
    changed = {1: model(2, "hero", Lcl_Translation=(5.0, 0.0, 0.0)), -1: curve(16, (0.0, 0.0, 100.0))}
    raw = read(tmp_path, with_objects(changed))
    assert raw.moving is not None
    (motion,) = raw.moving.motions
    for seconds, grown, risen in ((0.0, 0.0, 0.0), (0.75, -1.0, 2.0), (0.875, -2.5, 2.0), (1.0, -4.0, 2.0)):
        points = posed(raw.mesh, raw.moving.rig, motion, motion.start + seconds).vertices
        expected = np.add(SQUARE, ((0, grown, 0), (5, 0, 0), (0, 0, risen), (0, 0, risen)))
        assert_allclose(points, expected, atol=1e-5)


def test_weights_of_a_shape_by_blender(tmp_path: Path) -> None:
    """Blender writes weights of a shape's vertices where others write targets of a channel."""
    corners = record("Indexes", np.array([0, 1])), record("Vertices", np.full(6, -1.0))
    channel = record("FullWeights", np.array([25.0, 100.0]))
    changed = {
        8: thing("Deformer", 9, "grown", "BlendShapeChannel", channel),
        9: thing("Geometry", 10, "half", "Shape", *corners),
        10: thing("Geometry", 99, "alone", "Shape", *corners),
    }
    header, *others = with_objects(changed)
    creator = record("Creator", "Blender (stable FBX IO) - 4.4.1 - FBX IO 5.13.0")
    raw = read(tmp_path, [header._replace(inner=[*header.inner, creator]), *others])
    assert raw.moving is not None
    (motion,) = raw.moving.motions
    points = posed(raw.mesh, raw.moving.rig, motion, motion.end).vertices
    expected = np.add(SQUARE, ([-0.25] * 3, [-1.0] * 3, (0, 0, 2), (0, 0, 2)))
    assert_allclose(points, expected, atol=1e-5)


@pytest.mark.parametrize("begin", [0.0, -100.0])
@pytest.mark.parametrize(("seconds", "warnings"), [(400.0, []), (400.5, ["motion-unplayable"])])
def test_endless_takes_are_left_out(
    tmp_path: Path, begin: float, seconds: float, warnings: list[str]
) -> None:
    raw = read(tmp_path, with_objects({-1: curve(16, (0.0, 100.0), seconds, begin)}))
    assert [warning.code for warning in raw.warnings] == warnings
    assert raw.moving is not None and len(raw.moving.motions) == (not warnings)


@pytest.mark.parametrize(("deepest", "is_read"), [(2000, True), (2001, False)])
def test_two_thousand_nodes_hang_below_one_another(tmp_path: Path, deepest: int, is_read: bool) -> None:
    chain = [model(2 + k, f"node{k}") for k in range(deepest)]
    below = [(3 + k, 2 + k) for k in range(deepest - 1)]
    records = scene([square(1), *chain], [(1, 1 + deepest), (2, 0), *below])
    if is_read:
        assert len(read(tmp_path, records).mesh.faces) == 2
    else:
        with pytest.raises(CharacterError, match="depth"):
            read(tmp_path, records)


@pytest.mark.parametrize(
    "content", [b"", b"fbx", b"Kaydara FBX Binary  \0 and no more", as_binary(moving_square())[:900]]
)
def test_damaged_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.fbx").write_bytes(content)
    with pytest.raises(CharacterError, match=r"^x\.fbx could not be read \(.+\): export it again"):
        read_converted(Entry("x", "fbx", tmp_path / "x.fbx"))


def test_time_and_memory_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An array of half a gigabyte of zeros, in half a megabyte.
    big = thing("Geometry", 9, "", "Mesh", record("Vertices", np.zeros(60_000_000)))
    path = tmp_path / "x.fbx"
    path.write_bytes(as_binary(scene([square(1), model(2, "hero"), big], [(1, 2), (2, 0)])))
    monkeypatch.setattr(memory, "_allowed", memory.LEAST_BYTES)
    with pytest.raises((CharacterError, CostError), match="more memory than the 256 MB"):
        read_converted(Entry("x", "fbx", path))
    monkeypatch.setattr(converted, "CONVERT_SECONDS", 0.01)
    with pytest.raises(CharacterError, match=r"^x\.fbx could not be read within 0\.01 seconds"):
        read_converted(Entry("x", "fbx", path))
