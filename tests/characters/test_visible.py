"""What of a file is visible: hidden nodes, helpers, levels of detail, transparent faces, instances."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from specsia_build.animation.motion import poses
from specsia_build.characters.character import Character, Entry
from specsia_build.characters.read import read_animated, read_character
from specsia_build.errors import CharacterError
from specsia_build.warning import Warning
from tests.characters.bodies import BOX_TRIANGLES, FIGURE, box, boxes, write_obj
from tests.characters.gltf.writer import GltfWriter, png
from tests.shapes import BOX


def written(extra: dict[str, Any], points: Any = None, material: Any = None, **primitive: Any) -> GltfWriter:
    """A figure of the node `own`, and a second mesh, by default a large box, at a node with `extra` keys."""
    writer = GltfWriter()
    body = np.concatenate([solid[t] for solid in boxes() for t in BOX_TRIANGLES])
    writer.mesh_node(writer.primitive(body[:, [0, 2, 1]] * (1, 1, -1)), name="own")
    place = (BOX * (9, 9, 9))[np.ravel(BOX_TRIANGLES)] if points is None else points
    number = None if material is None else writer.add("materials", **material)
    made = writer.primitive(place, None, number)
    made["attributes"] |= {name: writer.accessor(values) for name, values in primitive.items()}
    writer.mesh_node(made, **{"name": "other", **extra})
    return writer


def read(writer: GltfWriter, folder: Path, suffix: str = "glb") -> Character:
    return read_character(Entry("a", "gltf", writer.write_glb(folder / f"a.{suffix}")))


def is_alone(character: Character) -> bool:
    """Whether the figure's boxes alone are drawn, and fill the box."""
    mesh = character.mesh
    return len(mesh.faces) == 12 * len(boxes()) and float(np.ptp(mesh.bounds(), axis=0).max()) < 2.0


@pytest.mark.parametrize("key", ["visibility", "below", "VRM", "VRMC_vrm", "MSFT_lod"])
def test_nodes_hidden_by_the_file(tmp_path: Path, key: str) -> None:
    hidden = {"extensions": {"KHR_node_visibility": {"visible": False}}}
    writer = written(hidden if key == "visibility" else {})
    if key == "below":
        writer.add("nodes", children=[1], **hidden)
        writer.data["extensionsRequired"] = ["KHR_node_visibility"]
    elif key == "MSFT_lod":
        writer.data["nodes"][0]["extensions"] = {key: {"ids": [1, 2]}}
    elif key != "visibility":
        place = {"mesh": 1, "firstPersonFlag": "FirstPersonOnly"}
        if key == "VRMC_vrm":
            place = {"node": 1, "type": "firstPersonOnly"}
        writer.data["extensions"] = {key: {"firstPerson": {"meshAnnotations": [{"mesh": 0}, place]}}}
    character = read(writer, tmp_path)
    assert is_alone(character) and not any(w.code == "hidden-by-name" for w in character.warnings)
    writer.data["nodes"][0] |= hidden
    writer.data["nodes"][1] |= hidden
    with pytest.raises(CharacterError, match="hides all of its meshes"):
        read(writer, tmp_path)


def hides(warning: Warning, name: str) -> bool:
    return (warning.code, warning.subject) == ("hidden-by-name", name)


@pytest.mark.parametrize(
    ("name", "is_hidden"),
    [
        *((name, True) for name in ("UCX_own_01", "ubx_own", "own-convcolonly", "own_colonly.001")),
        *((name, True) for name in ("own-navmesh", "Collision Box", "HeroHitbox", "own_LOD1", "LOD2_own")),
        *((name, True) for name in ("hit_box2", "PHYSICS_HULL", "SM_UCX_own", "BoundingBox", "BoxCollider3")),
        *((name, False) for name in ("own-col", "Explod1", "UCXen", "Recollect", "other_LOD1", "own_LOD0")),
    ],
)
def test_parts_hidden_by_name(tmp_path: Path, name: str, is_hidden: bool) -> None:
    character = read(written({"name": name}), tmp_path)
    assert is_alone(character) == is_hidden
    assert any(hides(warning, name) for warning in character.warnings) == is_hidden
    path = write_obj(tmp_path / "b.obj", {"own": FIGURE["Trunk"], name: box((0, 0, 0), (9, 9, 9))})
    drawn = read_character(Entry("b", "obj", path, up="+z")).mesh
    assert (len(drawn.faces) == 12 * 4) == is_hidden


def test_nodes_above_a_part_do_not_call_it_a_helper(tmp_path: Path) -> None:
    writer = written({})
    writer.add("nodes", name="Collision", children=[1])
    assert not is_alone(read(writer, tmp_path))


@pytest.mark.parametrize("name", ["Collision", "M_NoDraw", "Skin"])
def test_faces_hidden_by_their_material(tmp_path: Path, name: str) -> None:
    character = read(written({}, None, {"name": name}), tmp_path)
    assert is_alone(character) == any(hides(warning, name) for warning in character.warnings)
    assert is_alone(character) == (name != "Skin")


def test_a_figure_named_as_a_helper_is_drawn(tmp_path: Path) -> None:
    writer = written({"name": "Sword"}, BOX[np.ravel(BOX_TRIANGLES)] * 0.1)
    writer.data["nodes"][0]["name"] = "Collider"
    assert len(read(writer, tmp_path).mesh.faces) == 12 * len(boxes()) + 12
    del writer.data["nodes"][1]["mesh"]
    assert is_alone(read(writer, tmp_path))


@pytest.mark.parametrize(("size", "count", "is_hidden"), [(9, 1, True), (2, 2, True), (2.1, 2, False)])
def test_helpers_are_left_out_beside_a_figure(
    tmp_path: Path, size: float, count: int, is_hidden: bool
) -> None:
    """The figure has as many faces as the helpers, or half of their extent."""
    parts = {"own": box((0, 0, 0), (1, 1, 1)), "Collider": box((0, 0, 0), (size, size, size)) * count}
    path = write_obj(tmp_path / "a.obj", parts)
    drawn = read_character(Entry("a", "obj", path, up="+z", front="-y")).mesh
    assert (len(drawn.faces) == 12) == is_hidden


SPECK = {"translation": [40, 30, 0], "scale": [0, 0, 0]}
CLEAR = {"baseColorFactor": [1, 1, 1, 0]}


@pytest.mark.parametrize(
    ("extra", "material", "is_hidden"),
    [
        (SPECK, None, True),
        (SPECK | {"scale": [1e-6, 1e-6, 1e-6]}, None, True),
        (SPECK | {"translation": [-40, -30, 0]}, None, True),
        (SPECK | {"scale": [2e-5] * 3}, None, True),
        (SPECK | {"scale": [2.3e-5] * 3}, None, False),
        ({}, {"pbrMetallicRoughness": CLEAR, "alphaMode": "BLEND"}, True),
        ({}, {"pbrMetallicRoughness": CLEAR, "alphaMode": "MASK"}, True),
        ({}, {"pbrMetallicRoughness": CLEAR}, False),
        ({}, {"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 0.5]}, "alphaMode": "MASK"}, False),
        ({}, {"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 0.019]}, "alphaMode": "BLEND"}, True),
        ({}, {"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 0.021]}, "alphaMode": "BLEND"}, False),
    ],
)
def test_parts_that_nobody_sees(tmp_path: Path, extra: Any, material: Any, is_hidden: bool) -> None:
    assert is_alone(read(written(extra, None, material), tmp_path)) == is_hidden


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("wrap", [10497, 33071, 33648])
@pytest.mark.parametrize(("at", "is_hidden"), [((0.1, 0.4), True), ((0.6, 0.9), False), ((0.4, 0.6), False)])
def test_faces_on_clear_texels(
    tmp_path: Path, at: tuple[float, float], is_hidden: bool, wrap: int, axis: int
) -> None:
    """The left or upper half of an image is clear; repeated by a whole number it stays that half."""
    base = {"baseColorTexture": {"index": 0}, "baseColorFactor": [1, 1, 0, 1]}
    look = {"pbrMetallicRoughness": base, "alphaMode": "BLEND"}
    uv = np.full((36, 2), 0.5)
    uv[:, axis] = np.tile([*at, at[0]], 12) + (3 if wrap == 10497 else 0)
    writer = written({}, None, look, TEXCOORD_0=uv)
    pixels = np.full((600, 900, 4), 255, np.uint8)
    pixels[:, :450, 3] = 0
    pixels = pixels.transpose(1, 0, 2) if axis else pixels
    writer.add("samplers", wrapS=wrap, wrapT=wrap)
    writer.add("textures", source=writer.image(png(pixels)), sampler=0)
    assert is_alone(read(writer, tmp_path)) == is_hidden


BESIDE = (0, 1, 6, 7)


@pytest.mark.parametrize(
    ("opaque", "begin", "end", "cutoff", "is_hidden"),
    [
        *((BESIDE, 3.1, 4.9, 0.5, True), (BESIDE, 3.1, 5.1, 0.5, False), (BESIDE, 2.9, 4.9, 0.5, False)),
        *((BESIDE, 3.1, 8.0, 1.0, False), ((0, 1), 0.3, 0.9, 0.5, False), ((0,), 6.5, 7.9, 0.5, False)),
        *(((0, 1), 6.5, 7.0, 0.5, True), ((6, 7), 0.3, 0.9, 0.5, False), ((6, 7), 1.0, 1.9, 0.5, True)),
    ],
)
def test_faces_beside_opaque_texels(
    tmp_path: Path, opaque: tuple[int, ...], begin: float, end: float, cutoff: float, is_hidden: bool
) -> None:
    """A face is hidden if the texels it covers, and one beyond, are clear; full alpha passes any cutoff."""
    look: dict[str, Any] = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
    look |= {"alphaMode": "MASK", "alphaCutoff": cutoff}
    uv = np.full((36, 2), 0.5)
    uv[:, 0] = np.tile([begin / 8, end / 8, begin / 8], 12)
    writer = written({}, None, look, TEXCOORD_0=uv)
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, opaque] = 255
    writer.add("textures", source=writer.image(png(pixels)))
    assert is_alone(read(writer, tmp_path)) == is_hidden
    look["pbrMetallicRoughness"]["baseColorFactor"] = [1, 1, 1, 0]
    assert is_alone(read(writer, tmp_path))


@pytest.mark.parametrize(("alphas", "is_hidden"), [((0, 0, 0), True), ((0, 0.01, 0.5), False)])
def test_faces_of_clear_vertices(tmp_path: Path, alphas: tuple[float, ...], is_hidden: bool) -> None:
    colours = np.ones((36, 4))
    colours[:, 3] = np.tile(alphas, 12)
    assert is_alone(read(written({}, None, {"alphaMode": "BLEND"}, COLOR_0=colours), tmp_path)) == is_hidden


def test_faces_that_are_all_specks_are_drawn(tmp_path: Path) -> None:
    speck = np.array(boxes()[0]) * 1e-7
    path = write_obj(tmp_path / "a.obj", {"near": [speck], "far": [speck + 1.0]})
    assert len(read_character(Entry("a", "obj", path, up="+z", front="-y")).mesh.faces) == 24


def test_specks_on_the_surface_are_drawn(tmp_path: Path) -> None:
    (solid,) = box((0, 0, 0), (1, 1, 1))
    low, high = (np.tile(corner, (8, 1)) for corner in (solid.min(axis=0), solid.max(axis=0)))
    path = write_obj(tmp_path / "a.obj", {"near": [solid, low, high], "far": [high + 9.0]})
    assert len(read_character(Entry("a", "obj", path, up="+z", front="-y")).mesh.faces) == 3 * 12


def test_nothing_but_transparent_faces(tmp_path: Path) -> None:
    writer = written({}, None, {"pbrMetallicRoughness": CLEAR, "alphaMode": "BLEND"})
    writer.data["meshes"][0]["primitives"][0]["material"] = 0
    character = read(writer, tmp_path)
    assert len(character.mesh.faces) == 12 * len(boxes()) + 12 and len(character.warnings) >= 1
    assert {material.alpha_mode for material in character.mesh.materials} == {"opaque"}


def test_instances_are_drawn_and_moved(tmp_path: Path) -> None:
    writer = written({"translation": [0, 1, 0]}, [[0, 0, 0], [1, 0, 0], [0, 0, 1]])
    turn = np.array([[0, 0, 0, 127], [0, 90, 0, 90]])
    attributes = {
        "TRANSLATION": writer.accessor([[2, 0, 0], [-2, 0, 0]]),
        "ROTATION": writer.accessor(turn, "i1", normalized=True),
        "SCALE": writer.accessor([[1, 1, 1], [2, 2, 2]]),
    }
    writer.data["nodes"][1]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    writer.data["extensionsRequired"] = ["EXT_mesh_gpu_instancing"]
    character = read(writer, tmp_path)
    x, y, z = character.mesh.vertices[-6:].T
    corners = np.stack([x, z, -y], axis=1)
    expected = [[2, 1, 0], [3, 1, 0], [2, 1, 1], [-2, 1, 0], [-2, 1, -2], [0, 1, 0]]
    assert_allclose(corners, expected, atol=0.02)
    assert len(character.part_names) == 2
    animated = read_animated(character.entry)
    rest = poses(animated.rig.skeleton, None, np.zeros(1))
    assert_allclose(next(animated.rig.each_vertices(rest)), animated.character.mesh.vertices, atol=1e-5)
    usual = dict(zip(attributes, ([[0, 0, 0]] * 2, [[0, 0, 0, 1]] * 2, [[1, 1, 1]] * 2), strict=True))
    whole = {name: writer.accessor(values) for name, values in usual.items()}
    for name, values in attributes.items():
        found = []
        for stated in ({name: values}, {**whole, name: values}):
            writer.data["nodes"][1]["extensions"]["EXT_mesh_gpu_instancing"] = {"attributes": stated}
            found.append(read(writer, tmp_path).mesh.vertices)
        assert_allclose(found[0], found[1], atol=1e-6)
    writer.data["nodes"][1]["extensions"]["EXT_mesh_gpu_instancing"] = {"attributes": attributes}
    for scales in ([[1, 1, 1]], [[1, 1, 1], [np.nan, 1, 1]], [[1, 1], [1, 1]]):
        attributes["SCALE"] = writer.accessor(scales)
        with pytest.raises(CharacterError, match="instances whose transforms are damaged"):
            read(writer, tmp_path)


@pytest.mark.parametrize(
    ("place", "name", "is_read"),
    [
        ("nodes", "OMI_physics_body", True),
        ("nodes", "KHR_node_selectability", True),
        ("scenes", "KHR_interactivity", True),
        ("meshes", "EXT_mesh_manifold", True),
        ("meshes", "ACME_bones", False),
        ("materials", "ACME_paint", False),
        ("nodes", "ACME_mesh_scatter", False),
    ],
)
def test_unread_extensions(tmp_path: Path, place: str, name: str, is_read: bool) -> None:
    writer = written({}, None, {})
    writer.data |= {"extensionsRequired": [name], "scenes": [{"nodes": [0, 1]}]}
    writer.data[place][0]["extensions"] = {name: {}}
    if is_read:
        assert name in read(writer, tmp_path).warnings[0].sentence
    else:
        with pytest.raises(CharacterError, match=name):
            read(writer, tmp_path)
    writer.data |= {"extensionsUsed": writer.data.pop("extensionsRequired")}
    assert any(name in warning.sentence for warning in read(writer, tmp_path).warnings) == (not is_read)
