"""Geometry of glTF: buffers, hierarchy, skins, morph targets, real characters, Draco, meshoptimizer."""

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from specsia_build import memory
from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.read import read_animated, read_character
from specsia_build.config import BuildConfig
from specsia_build.errors import CharacterError
from specsia_build.frame import view_cameras
from specsia_build.rendering.fast.renderer import silhouettes
from specsia_build.stages.render import in_frame
from tests.characters.gltf.test_damage import is_clear, refused
from tests.characters.gltf.writer import (
    DRACO,
    TRIANGLE,
    GltfWriter,
    draco,
    meshopted,
    opened,
    read_gltf,
    rewritten,
    values,
)

HALF = 0.5**0.5
QUARTER_TURN_Z = [0.0, 0.0, HALF, HALF]


def corners(raw: RawMesh) -> NDArray[np.float32]:
    """(F, 3, 3) positions of the triangles' corners."""
    return raw.mesh.vertices[raw.mesh.faces]


@pytest.mark.parametrize("stands", [False, True])
def test_unknown_extension_counts_where_it_stands_on_shapes_or_looks(tmp_path: Path, stands: bool) -> None:
    writer = GltfWriter()
    writer.mesh_node()
    writer.data["extensionsUsed"] = ["ACME_glow"]
    writer.data["nodes" if not stands else "meshes"][0]["extensions"] = {"ACME_glow": {}}
    warnings = read_gltf(writer.write_glb(tmp_path / "a.glb")).warnings
    assert [(w.code, w.subject) for w in warnings] == [("not-read", "ACME_glow")] * stands


def test_triangle_round_trip(tmp_path: Path) -> None:
    writer = GltfWriter()
    normal = writer.accessor([[0, 0, 1]] * 3)
    writer.mesh_node(writer.primitive(NORMAL=normal), name="leaf")
    path = writer.write_glb(tmp_path / "a.glb")
    raw = read_gltf(path)
    assert_array_equal(corners(raw), [TRIANGLE])
    assert_array_equal(raw.mesh.normals, [[[0, 0, 1]] * 3])
    assert raw.mesh.uv is raw.mesh.colors is None and raw.mesh.vertices.dtype == np.float32
    assert raw.mesh.faces.dtype == raw.mesh.face_material.dtype == np.int32
    assert (raw.up, raw.front, raw.parts, raw.files, raw.warnings) == ("+y", "-y", ("leaf",), (path,), ())
    assert not raw.skinned


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (None, [[0, 1, 2]]),
        (4, [[0, 1, 2]]),
        (5, [[0, 1, 2], [1, 3, 2], [2, 3, 4]]),
        (6, [[1, 2, 0], [2, 3, 0], [3, 4, 0]]),
    ],
)
@pytest.mark.parametrize("indexed", [True, False])
def test_strips_and_fans_keep_winding(tmp_path: Path, mode: int | None, expected: Any, indexed: bool) -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 3, 0]], float)
    count = 5 if mode in (5, 6) else 3
    indices = list(range(count)) if indexed else None
    writer = GltfWriter()
    writer.mesh_node(writer.primitive(points[:count], indices, mode=mode))
    raw = read_gltf(writer.write_glb(tmp_path / "a.glb"))
    assert_array_equal(corners(raw), points[np.array(expected)])


def test_interleaved_attributes(tmp_path: Path) -> None:
    writer = GltfWriter()
    uv = [(0.25, 0.5), (0.75, 1e6), (0.25, 1.0)]
    rows = b"".join(struct.pack("<3f2f4x", *p, *t) for p, t in zip(TRIANGLE, uv, strict=True))
    view = writer.view(rows, byteStride=24)
    shared = {"bufferView": view, "componentType": 5126, "count": 3}
    position = writer.add("accessors", type="VEC3", **shared)
    texcoord = writer.add("accessors", type="VEC2", byteOffset=12, **shared)
    writer.mesh_node({"attributes": {"POSITION": position, "TEXCOORD_0": texcoord}})
    raw = read_gltf(writer.write_glb(tmp_path / "a.glb"))
    assert_array_equal(corners(raw), [TRIANGLE])
    assert_array_equal(raw.mesh.uv, [np.minimum(uv, 65536)])


def test_normalised_integers(tmp_path: Path) -> None:
    writer = GltfWriter()
    writer.data["extensionsRequired"] = ["KHR_mesh_quantization"]
    position = writer.accessor([[-100, 0, 0], [7, 0, 0], [0, 50, 0]], "i2")
    uv = writer.accessor([[0, 65535], [13107, 0], [65535, 0]], "u2", normalized=True)
    normal = writer.accessor([[0, 0, 127], [0, 0, -127], [0, -128, 0]], "i1", normalized=True)
    color = writer.accessor([[255, 0, 51], [0, 0, 0], [102, 255, 255]], "u1", normalized=True)
    attributes = {"POSITION": position, "TEXCOORD_0": uv, "NORMAL": normal, "COLOR_0": color}
    writer.mesh_node({"attributes": attributes})
    mesh = read_gltf(writer.write_glb(tmp_path / "a.glb")).mesh
    assert_array_equal(mesh.vertices, [[-100, 0, 0], [7, 0, 0], [0, 50, 0]])
    assert mesh.uv is not None and mesh.normals is not None and mesh.colors is not None
    assert_allclose(mesh.uv[0], np.array([[0, 1], [0.2, 0], [1, 0]]), atol=1e-6)
    assert_allclose(mesh.normals[0], [[0, 0, 1], [0, 0, -1], [0, -1, 0]], atol=1e-6)
    assert_allclose(mesh.colors[0], np.array([[1, 0, 0.2, 1], [0, 0, 0, 1], [0.4, 1, 1, 1]]), atol=1e-6)


@pytest.mark.parametrize("backed", [True, False])
def test_sparse_accessors(tmp_path: Path, backed: bool) -> None:
    writer = GltfWriter()
    position = writer.accessor(TRIANGLE)
    rows = writer.view(struct.pack("<2H", 1, 2))
    values = writer.view(struct.pack("<6f", 5, 6, 7, 8, 9, 10))
    entry = writer.data["accessors"][position]
    indices = {"bufferView": rows, "componentType": 5123}
    entry["sparse"] = {"count": 2, "indices": indices, "values": {"bufferView": values}}
    if not backed:
        del entry["bufferView"]
    writer.mesh_node({"attributes": {"POSITION": position}})
    raw = read_gltf(writer.write_glb(tmp_path / "a.glb"))
    assert_array_equal(corners(raw), [[[0, 0, 0], [5, 6, 7], [8, 9, 10]]])


def test_node_transforms(tmp_path: Path) -> None:
    writer = GltfWriter()
    child = writer.mesh_node(name="child", translation=[10, 0, 0], scale=[1, 2, 1])
    matrix = np.eye(4)
    matrix[:3, 3] = (0, 0, 5)
    writer.add("nodes", name="turned", rotation=QUARTER_TURN_Z, children=[child])
    writer.add("nodes", name="moved", matrix=matrix.T.ravel().tolist(), children=[1])
    writer.add("nodes", name="top", translation=[0, 0, 1], children=[2])
    writer.add("scenes", nodes=[3])
    raw = read_gltf(writer.write_glb(tmp_path / "a.glb"))
    # (x, y, z) -> (x + 10, 2y, z) -> a quarter turn takes (x, y) to (-y, x) -> z + 6.
    assert_allclose(corners(raw)[0], [[0, 10, 6], [0, 11, 6], [-4, 10, 6]], atol=1e-6)


def test_default_scene_only(tmp_path: Path) -> None:
    writer = GltfWriter()
    writer.mesh_node(name="here")
    for name in ("elsewhere", "spare"):
        writer.mesh_node(name=name, translation=[9, 9, 9])
    writer.add("nodes", name="prop", children=[2])
    writer.add("scenes", nodes=[1])
    writer.add("scenes", nodes=[0, 3])
    writer.data["scene"] = 1
    raw = read_gltf(writer.write_glb(tmp_path / "a.glb"), drop=["prop"])
    assert_array_equal(corners(raw), [TRIANGLE])
    assert raw.parts == ("here", "spare")


def test_parts_have_sixteen_names(tmp_path: Path) -> None:
    """Its own, its mesh's, and of the nodes above, nearest first."""
    writer = GltfWriter()
    writer.mesh_node(name="n0")
    for above in range(1, 20):
        writer.add("nodes", name=f"n{above}", children=[above - 1])
    (names,) = read_gltf(writer.write_glb(tmp_path / "a.glb")).part_names
    assert names == ("n0", "n0 mesh", *(f"n{above}" for above in range(1, 15)))


def test_mirroring_node_keeps_outside(tmp_path: Path) -> None:
    writer = GltfWriter()
    normal = writer.accessor([[0.6, 0, 0.8]] * 3)
    uv = writer.accessor([[0, 0], [1, 0], [0, 1]])
    writer.mesh_node(writer.primitive(NORMAL=normal, TEXCOORD_0=uv), scale=[-1, 1, 1])
    mesh = read_gltf(writer.write_glb(tmp_path / "a.glb")).mesh
    triangle = mesh.vertices[mesh.faces[0]]
    assert np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])[2] > 0
    assert mesh.normals is not None and mesh.uv is not None
    assert_allclose(mesh.normals[0], [[-0.6, 0, 0.8]] * 3, atol=1e-6)
    by_corner = {tuple(p): tuple(t) for p, t in zip(triangle.tolist(), mesh.uv[0].tolist(), strict=True)}
    assert by_corner == {(0, 0, 0): (0, 0), (-1, 0, 0): (1, 0), (0, 2, 0): (0, 1)}


def test_normals_by_inverse_transpose(tmp_path: Path) -> None:
    writer = GltfWriter()
    normal = writer.accessor([[HALF, HALF, 0]] * 3)
    writer.mesh_node(writer.primitive(NORMAL=normal), scale=[2, 1, 1])
    mesh = read_gltf(writer.write_glb(tmp_path / "a.glb")).mesh
    assert mesh.normals is not None
    assert_allclose(mesh.normals[0, 0], np.array([1, 2, 0]) / 5**0.5, atol=1e-6)


def test_default_morph_weights(tmp_path: Path) -> None:
    writer = GltfWriter()
    up, side = writer.accessor([[0, 2, 0]] * 3), writer.accessor([[4, 0, 0], [0, 0, 0], [0, 0, 0]])
    bent = writer.primitive(targets=[{"POSITION": up}, {"POSITION": side}])
    mesh = writer.add("meshes", primitives=[bent], weights=[0.5, 0.25])
    writer.add("nodes", mesh=mesh)
    writer.add("nodes", mesh=mesh, weights=[0.0, 1.0])
    writer.add("nodes", mesh=mesh, weights=[1.0])
    raw = read_gltf(writer.write_glb(tmp_path / "a.glb"))
    assert_allclose(corners(raw)[2], np.add(TRIANGLE, [0, 2, 0]))
    assert_allclose(corners(raw)[0], np.add(TRIANGLE, [[1, 1, 0], [0, 1, 0], [0, 1, 0]]))
    assert_allclose(corners(raw)[1], np.add(TRIANGLE, [[4, 0, 0], [0, 0, 0], [0, 0, 0]]))


def skinned_writer() -> GltfWriter:
    """Two joints whose rest pose is not the pose of the raw vertices, and a prop on the upper one.

    Bound with the lower joint at the origin and the upper one at (0, 1, 0); at rest the lower one is at (0,
    1, 0) and the upper one at (0, 2, 0), turned a quarter about Z.
    """
    writer = GltfWriter()
    upper_bind = np.eye(4)
    upper_bind[:3, 3] = (0, -1, 0)
    binds = writer.accessor([np.eye(4).T, upper_bind.T])
    points = [[1, 0, 0], [0, 2, 0], [1, 1, 0]]
    joints = [[0, 9, 9, 9], [1, 0, 0, 0], [0, 1, 0, 0]]
    weights = [[0.25, 0, 0, 0], [1, 0, 0, 0], [2, 2, 0, 0]]
    attributes: dict[str, Any] = {
        "NORMAL": writer.accessor([[1, 0, 0]] * 3),
        "JOINTS_0": writer.accessor(joints, "u1"),
        "WEIGHTS_0": writer.accessor(weights),
    }
    skinned = writer.primitive(points, **attributes)
    body = writer.mesh_node(skinned, name="body", translation=[100, 0, 0], skin=0)
    prop = writer.mesh_node(name="prop", translation=[0, 0, 1])
    upper = writer.add("nodes", name="upper", translation=[0, 1, 0], rotation=QUARTER_TURN_Z, children=[prop])
    lower = writer.add("nodes", name="lower", translation=[0, 1, 0], children=[upper])
    writer.add("skins", joints=[lower, upper], inverseBindMatrices=binds)
    writer.add("scenes", nodes=[body, lower])
    return writer


def test_skin_at_rest(tmp_path: Path) -> None:
    raw = read_gltf(skinned_writer().write_glb(tmp_path / "a.glb"))
    assert raw.skinned
    # (1, 1, 0) goes to (1, 2, 0) with the lower joint and to (0, 3, 0) with the upper one, half each.
    assert_allclose(corners(raw)[0], np.array([[1, 1, 0], [-1, 2, 0], [0.5, 2.5, 0]]), atol=1e-6)
    assert raw.mesh.normals is not None
    assert_allclose(raw.mesh.normals[0, :2], [[1, 0, 0], [0, 1, 0]], atol=1e-6)
    assert_allclose(raw.mesh.normals[0, 2], [HALF, HALF, 0], atol=1e-6)


def test_unweighted_vertex_follows_first_joint(tmp_path: Path) -> None:
    writer = skinned_writer()
    joints, weights = (writer.data["bufferViews"][k]["byteOffset"] for k in (2, 3))
    writer.binary[joints : joints + 4] = bytes([9] * 4)
    writer.binary[weights : weights + 16] = bytes(16)
    raw = read_gltf(writer.write_glb(tmp_path / "a.glb"))
    assert_allclose(corners(raw)[0, 0], [1, 1, 0], atol=1e-6)
    assert raw.warnings == ()


def test_vertices_follow_their_first_joints_if_no_weight_is_finite(tmp_path: Path) -> None:
    def weighted(row: list[float]) -> NDArray[np.float32]:
        writer = skinned_writer()
        start = writer.data["bufferViews"][3]["byteOffset"]
        writer.binary[start : start + 48] = np.array([row] * 3, "<f4").tobytes()
        return corners(read_gltf(writer.write_glb(tmp_path / "a.glb")))

    assert_array_equal(weighted([1.0, 0.0, 0.0, 0.0]), weighted([np.nan] * 4))


def test_non_finite_weights_follow_nearest(tmp_path: Path) -> None:
    writer = GltfWriter()
    joints, lost = writer.accessor([[0] * 4, [1, 0, 0, 0], [1, 0, 0, 0]], "u1"), [np.nan] * 4
    weights = writer.accessor([lost, [1, 0, 0, 0], [np.nan, 0, 0, 0]])
    far = writer.primitive([[4, 0, 0], [5, 0, 0], [4, 1, 0]], JOINTS_0=joints, WEIGHTS_0=weights)
    first, whole = writer.accessor([[0] * 4] * 3, "u1"), writer.accessor([[1, 0, 0, 0]] * 3)
    body = writer.mesh_node(far, writer.primitive(JOINTS_0=first, WEIGHTS_0=whole), skin=0)
    for shift in ([0, 0, 0], [0, 0, 9]):
        writer.add("nodes", translation=shift)
    writer.add("skins", joints=[1, 2])
    writer.add("scenes", nodes=[body, 1, 2])
    moving = read_animated(Entry("a", "gltf", writer.write_glb(tmp_path / "a.glb")))
    assert_allclose(corners(read_gltf(tmp_path / "a.glb"))[0], [[4, 0, 9], [5, 0, 9], [4, 1, 9]], atol=1e-6)
    assert_array_equal(moving.rig.nodes[moving.rig.slots[:, 0]], [2, 2, 2, 1, 1, 1])


@pytest.mark.parametrize(("wrong", "is_read"), [(3, True), (4, False)])
def test_few_vertices_may_name_missing_joints(tmp_path: Path, wrong: int, is_read: bool) -> None:
    writer = GltfWriter()
    points = np.repeat([[0, 0, 0], [1, 0, 0], [0, 1, 0]], 100, axis=0) + np.arange(300)[:, None]
    joints = np.tile([1, 0, 0, 0], (300, 1))
    joints[:, 1] = np.where(np.arange(300) < wrong, 9, 1)
    skin: dict[str, Any] = {
        "JOINTS_0": writer.accessor(joints, "u1"),
        "WEIGHTS_0": writer.accessor([[0.5, 0.5, 0, 0]] * 300),
    }
    writer.mesh_node(writer.primitive(points, np.arange(300), **skin), skin=0)
    writer.add("skins", joints=[writer.add("nodes"), writer.add("nodes", translation=[0, 0, 5])])
    content = writer.glb()
    if is_read:
        assert_allclose(read(tmp_path, content).mesh.vertices, np.add(points[:300], (0, 0, 5)))
    else:
        assert is_clear(refused(content))


def test_unused_vertices_do_not_count(tmp_path: Path) -> None:
    writer = GltfWriter()
    points = [[np.nan, 0, 0], *TRIANGLE, [1e9, 0, 0]]
    color = writer.accessor(np.arange(20).reshape(5, 4) / 20)
    writer.mesh_node(writer.primitive(points, [3, 1, 2], COLOR_0=color))
    mesh = read_gltf(writer.write_glb(tmp_path / "a.glb")).mesh
    assert len(mesh.vertices) == 3
    assert_array_equal(mesh.vertices[mesh.faces], [[TRIANGLE[2], TRIANGLE[0], TRIANGLE[1]]])
    assert mesh.colors is not None
    assert_allclose(mesh.colors[0, :, 0], [0.6, 0.2, 0.4], atol=1e-6)


def test_knight_agrees_with_the_specification(characters_dir: Path) -> None:
    path = characters_dir / "kaykit" / "Knight.glb"
    writer = opened(path.read_bytes())
    nodes = writer.data["nodes"]

    def world(index: int) -> NDArray[np.float64]:
        node, local = nodes[index], np.eye(4)
        turn = Rotation.from_quat(node.get("rotation", (0, 0, 0, 1))).as_matrix()
        local[:3, :3] = turn @ np.diag(node.get("scale", (1, 1, 1)))
        local[:3, 3] = node.get("translation", (0, 0, 0))
        above = [i for i, n in enumerate(nodes) if index in n.get("children", [])]
        return world(above[0]) @ local if above else local

    node = next(n for n in nodes if n.get("name") == "Knight_Body")
    skin, (primitive, *_) = (
        writer.data["skins"][node["skin"]],
        writer.data["meshes"][node["mesh"]]["primitives"],
    )
    binds = values(writer, skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    palette = np.stack([world(joint) for joint in skin["joints"]]) @ binds
    names = ("POSITION", "JOINTS_0", "WEIGHTS_0")
    points, joints, weights = (values(writer, primitive["attributes"][name]) for name in names)
    moved = np.einsum("vkij,vj->vki", palette[joints], np.c_[points, np.ones(len(points))])
    expected = np.einsum("vk,vki->vi", weights / weights.sum(axis=1, keepdims=True), moved)[:, :3]
    raw = read_gltf(path)
    body = read_gltf(path, drop=[name for name in raw.parts if name != "Knight_Body"]).mesh
    assert_allclose(body.vertices, expected, atol=1e-5)


def test_kenney_agrees_with_trimesh(characters_dir: Path) -> None:
    path = characters_dir / "kenney" / "kenney_character.glb"
    raw = read_gltf(path)
    reference = trimesh.load_scene(path).to_mesh()
    assert_allclose(np.array(raw.mesh.bounds()), reference.bounds, atol=1e-5)
    ours = corners(raw).astype(np.float64)
    area = np.linalg.norm(np.cross(ours[:, 1] - ours[:, 0], ours[:, 2] - ours[:, 0]), axis=1).sum() / 2
    assert_allclose(area, reference.area, rtol=1e-5)
    assert raw.files == (path, path.parent / "Textures" / "colormap.png")
    assert raw.mesh.materials[0].texture is not None and not raw.skinned and raw.animations == 4
    assert raw.mesh.vertices[:, 1].max() > read_gltf(path, drop=["antenna"]).mesh.vertices[:, 1].max() + 0.1


CAMERAS = view_cameras(3, 96)


def drawn(path: Path) -> NDArray[np.bool_]:
    """Silhouettes of a character, (V, S, S)."""
    character = read_character(Entry("a", "gltf", path))
    return np.asarray(silhouettes(in_frame(character, BuildConfig())[0], CAMERAS)) > 0


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("kaykit/Knight.glb", draco),
        ("animated/animal_fox.glb", partial(draco, preserve_order=True, quantization_bits=20)),
        ("animated/animal_fox.glb", meshopted),
        ("animated/animal_fox.glb", partial(meshopted, extension="KHR_meshopt_compression", version=1)),
    ],
)
def test_compression_keeps_the_look(
    characters_dir: Path, tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    source, packed = characters_dir / name, tmp_path / "a.glb"
    packed.write_bytes(pack(source.read_bytes()))
    plain, found = read_gltf(source), read_gltf(packed)
    assert (found.parts, len(found.mesh.faces)) == (plain.parts, len(plain.mesh.faces))
    assert found.skinned and not found.warnings
    for kind in ("uv", "normals", "colors"):
        assert (getattr(found.mesh, kind) is None) == (getattr(plain.mesh, kind) is None)
    before, after = drawn(source), drawn(packed)
    assert ((before & after).sum(axis=(1, 2)) >= 0.99 * (before | after).sum(axis=(1, 2))).all()


def read(tmp_path: Path, content: bytes) -> RawMesh:
    path = tmp_path / "a.glb"
    path.write_bytes(content)
    return read_gltf(path)


def plain_square() -> bytes:
    writer = GltfWriter()
    points = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    colours = writer.accessor(np.array([[255, 0, 0, 255]] * 4), "u1", normalized=True)
    uv = writer.accessor(np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * 65535, "u2", normalized=True)
    writer.mesh_node(writer.primitive(points, [0, 1, 2, 0, 2, 3], COLOR_0=colours, TEXCOORD_0=uv))
    return writer.glb()


@pytest.mark.parametrize("pack", [draco, meshopted])
def test_quantised_positions(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    writer = opened(plain_square())
    # The least number counts as the one above it.
    points = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * 32767
    points[0, :2] -= 1
    (primitive,) = writer.data["meshes"][0]["primitives"]
    primitive["attributes"]["POSITION"] = writer.accessor(points, "i2", normalized=True)
    vertices = read(tmp_path, pack(writer.glb())).mesh.vertices
    assert_allclose(np.ptp(vertices, axis=0), [2, 2, 0], atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["attributes"].pop("POSITION"),
        lambda p: p["attributes"].update(POSITION=77),
        lambda p: p.update(bufferView=0),
        lambda p: p.update(bufferView=99),
        lambda p: p.pop("bufferView"),
    ],
)
def test_damaged_draco_is_refused(change: Any) -> None:
    writer = opened(draco(plain_square()))
    change(writer.data["meshes"][0]["primitives"][0]["extensions"][DRACO])
    assert is_clear(refused(rewritten(writer)))


def test_draco_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_allowed", 2**20)
    count = 60_000
    writer = GltfWriter()
    points = np.zeros((count, 3))
    points[:3] = TRIANGLE
    writer.mesh_node(writer.primitive(points, np.arange(count)))
    path = tmp_path / "a.glb"
    path.write_bytes(draco(writer.glb(), preserve_order=True))
    with pytest.raises(CharacterError, match=r"a\.glb needs (at least|more)"):
        read_character(Entry("a", "gltf", path))
