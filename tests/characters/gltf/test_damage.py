"""Damaged, hostile and unsupported glTF files: one sentence, never a traceback."""

import base64
import os
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.errors import CharacterError
from tests.characters.gltf.writer import GltfWriter, png, read_gltf
from tests.hostile.sound import gltf

GLB = gltf().glb()


def refused(content: bytes) -> str | None:
    """The sentence that refuses the file, or None where it was read into a sound mesh."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.glb"
        path.write_bytes(content)
        try:
            mesh = read_character(Entry("a", "gltf", path)).mesh
        except CharacterError as error:
            return str(error)
    assert np.isfinite(mesh.vertices).all()
    assert len(mesh.faces) and mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.vertices)
    assert mesh.face_material.min() >= 0 and mesh.face_material.max() < len(mesh.materials)
    for corners in (mesh.uv, mesh.colors, mesh.normals):
        assert corners is None or (corners.shape[:2] == mesh.faces.shape and np.isfinite(corners).all())
    return None


def altered(change: Any) -> str | None:
    """What is said of the full file once `change` has been at its JSON."""
    writer = gltf()
    change(writer.data)
    return refused(writer.glb())


def is_clear(message: str | None) -> bool:
    """Whether a file was refused in one line that names it."""
    return message is not None and message.startswith("a.gl") and "\n" not in message and len(message) < 300


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"solid cube",
        b'{"nodes":' + b"[" * 100_000,
        b'{"asset": {"version": "2.0"}',
        b'{"asset": {"version": 2.0}}',
        b'{"asset": {"version": "1.0"}, "nodes": {"hips": {}}}',
        b"{}",
        struct.pack("<4sII", b"glTF", 1, 20) + bytes(8),
        struct.pack("<4sII", b"glTF", 2, 12) + bytes(8),
        GLB[:-5],
        GLB[:8] + struct.pack("<I", len(GLB) + 100) + GLB[12:],
        GLB[:8] + struct.pack("<I", len(GLB) + 2**24) + GLB[12:],
        GLB[:16] + b"JUNK" + GLB[20:],
    ],
)
def test_other_files_are_refused(content: bytes) -> None:
    assert is_clear(refused(content))


def test_the_first_version_is_named() -> None:
    content = b'{"asset": {"version": "1.0"}, "scene": "main", "scenes": {"main": {}}, "nodes": {"hips": {}}}'
    assert "version '1.0'" in str(refused(content))


def test_numbers_as_texts() -> None:
    assert altered(lambda d: d["nodes"][0].update(translation=["1", "0.5", "2e1"])) is None


@pytest.mark.parametrize("more", [0, 1])
def test_glb_of_fewer_and_more_chunks(tmp_path: Path, more: int) -> None:
    writer = gltf()
    sound = read_gltf(writer.write_glb(tmp_path / "a.glb")).mesh
    chunks = GLB[12:] + struct.pack("<I4sI", 400, b"MORE", 0)
    if not more:
        text = writer.write_gltf(tmp_path / "a.gltf").read_bytes()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
    (tmp_path / "a.glb").write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    np.testing.assert_array_equal(read_gltf(tmp_path / "a.glb").mesh.vertices, sound.vertices)


def test_unknown_required_extensions() -> None:
    required = ["KHR_mesh_quantization", "ACME_soft_voxels"]
    message = altered(lambda data: data.update(extensionsRequired=required))
    assert is_clear(message) and "ACME_soft_voxels" in str(message)


@pytest.mark.parametrize(
    "uri",
    [
        "../secret.bin",
        "%2e%2e/secret.bin",
        "sub/../../secret.bin",
        "..\\secret.bin",
        "/etc/hostname",
        "\\\\server\\secret.bin",
        "C:\\secret.bin",
        "file:///etc/hostname",
        "http://127.0.0.1/secret.bin",
        "nul\0byte.bin",
        "inside.bin",
    ],
)
@pytest.mark.parametrize("kind", ["buffer", "image"])
@pytest.mark.parametrize("name", ["home", "."])
def test_outside_files_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, kind: str, name: str
) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home" if name == "." else tmp_path)
    home = Path(name)
    (home / "inside.bin").symlink_to(tmp_path / "secret.bin")
    writer = gltf()
    (tmp_path / "secret.bin").write_bytes(writer.binary)
    if kind == "image":
        writer.data["images"][0] = {"uri": uri}
        raw = read_gltf(writer.write_gltf(home / "a.gltf"))
        assert raw.mesh.materials[0].texture is None and len(raw.warnings) >= 1
        places = [Path(os.path.normpath(file.absolute())) for file in raw.files]
        assert all(place.is_relative_to(tmp_path / "home") for place in places)
        return
    path = writer.write_gltf(home / "a.gltf", uri)
    with pytest.raises(CharacterError, match=r"a\.gltf refers to|inside\.bin"):
        read_gltf(path)


def test_data_uris_and_files(tmp_path: Path) -> None:
    writer = gltf()
    pixels = base64.b64encode(png([[[255, 0, 0, 255], [0, 255, 0, 9]]])).decode()
    writer.data["images"] = [{"uri": f"data:image/png;base64,{pixels}"}]
    embedded = read_gltf(writer.write_gltf(tmp_path / "a.gltf"))
    (tmp_path / "geometry 1.bin").write_bytes(writer.binary)
    beside = read_gltf(writer.write_gltf(tmp_path / "b.gltf", "geometry%201.bin"))
    np.testing.assert_array_equal(embedded.mesh.vertices, beside.mesh.vertices)
    assert any(material.texture is not None for material in embedded.mesh.materials)
    assert embedded.files == (tmp_path / "a.gltf",)
    assert beside.files == (tmp_path / "b.gltf", tmp_path / "geometry 1.bin")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["accessors"][6].update(count=4),
        lambda d: d["accessors"][6].update(count=10**9),
        lambda d: d["accessors"][6].update(type="MAT9"),
        lambda d: d["accessors"][6].update(componentType=5124),
        lambda d: (d["accessors"][6].pop("bufferView"), d["accessors"][6].update(count=10**9)),
        lambda d: d["bufferViews"][9].update(byteLength=10**6),
        lambda d: d["nodes"][1].update(children=[3]),
        lambda d: d["nodes"][3].update(children=[0, 2, 1]),
        lambda d: d["nodes"][3].update(children=[0, 2, 4]),
        lambda d: d["nodes"][3].update(children=[3]),
        lambda d: d["nodes"][3].update(children=[0.5]),
        lambda d: d["nodes"][3].update(matrix=[1]),
        lambda d: d["nodes"].append({"children": "x"}),
        lambda d: d["nodes"].extend([{}] * 49_997),
        lambda d: d["scenes"][0].update(nodes=[4]),
        lambda d: d["nodes"][0].update(mesh=2),
        lambda d: d["nodes"][0].update(skin="x"),
        lambda d: d["skins"][0].update(joints=[3, 4]),
        lambda d: d["skins"][0]["joints"].pop(),
        lambda d: d["skins"][0].update(inverseBindMatrices=0),
        lambda d: d["accessors"][-1].update(count=1),
        lambda d: d["meshes"][0]["primitives"][0].update(mode=7),
        lambda d: d["nodes"][2].update(translation=[1e300, 0, 0]),
        lambda d: d["nodes"][2].update(translation=[0, float("nan"), 0]),
        lambda d: d["nodes"][2].update(scale=[None, 1, 1]),
    ],
)
def test_damaged_geometry_fails(change: Any) -> None:
    assert is_clear(altered(change))


def test_common_exporter_quirks(tmp_path: Path) -> None:
    def loose(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: loose(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [loose(inner) for inner in value]
        return float(value) if type(value) is int else value

    writer = gltf()
    sound = read_gltf(writer.write_glb(tmp_path / "a.glb")).mesh
    writer.data = loose(writer.data)
    writer.data["accessors"][0] |= {"min": [float("nan")] * 3, "max": [float("inf"), -float("inf"), 10**400]}
    writer.data["nodes"][0]["name"] = "body \ud800 \N{GRINNING FACE} \\ud800 NaN"
    writer.data["nodes"][1] |= {"camera": None, "skin": None, "extras": {"name": "\udc00"}}
    raw = read_gltf(writer.write_glb(tmp_path / "b.glb"))
    np.testing.assert_array_equal(raw.mesh.vertices, sound.vertices)
    assert raw.parts == ("body \N{REPLACEMENT CHARACTER} \N{GRINNING FACE} \\ud800 NaN", "prop")


@pytest.mark.parametrize(
    "odd", [{"scale": [None] * 3}, {"translation": [0, float("nan"), 0]}, {"matrix": [None] * 16}]
)
def test_unused_faults_are_ignored(odd: dict[str, Any], tmp_path: Path) -> None:
    writer = GltfWriter()
    holder = writer.add("nodes", name="lead_hold", **odd)
    writer.add("nodes", name="hand", children=[writer.mesh_node(name="arm"), holder])
    sound = GltfWriter()
    sound.mesh_node(name="arm")
    raw = read_gltf(writer.write_glb(tmp_path / "a.glb"))
    plain = read_gltf(sound.write_glb(tmp_path / "b.glb"))
    np.testing.assert_array_equal(raw.mesh.vertices, plain.mesh.vertices)
    assert raw.warnings == ()
    writer.data["nodes"][holder]["children"] = [writer.mesh_node(name="lead")]
    with pytest.raises(CharacterError, match=r"nodes\[0\]"):
        read_gltf(writer.write_glb(tmp_path / "c.glb"))


def test_fields_without_a_picture() -> None:
    def spoil(data: dict[str, Any]) -> None:
        data.update(cameras=5, animations=[{"channels": "x"}], extras=[[[]]], extensions={"X": [None]})
        data["accessors"].append({"componentType": "x"})
        data["materials"].append(5)
        data["nodes"][0].update(camera="x", extras=[float("nan")])

    assert altered(spoil) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["nodes"][0].update(name=5),
        lambda d: d["meshes"][0].update(name=[]),
        lambda d: d["meshes"][0]["primitives"][0].update(material=99),
        lambda d: d["nodes"][2].update(extensions={"MSFT_lod": {"ids": [4]}}),
        lambda d: d["materials"].__setitem__(0, {"pbrMetallicRoughness": 5}),
        lambda d: d["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"].update(index=99),
        lambda d: d["textures"][0].update(sampler=99),
        lambda d: d["textures"][0].update(source=99),
        lambda d: d["images"].__setitem__(0, {}),
        lambda d: d["images"].__setitem__(0, {"bufferView": 99}),
        lambda d: d["images"].__setitem__(0, {"uri": "data:image/png;base64,A"}),
        lambda d: d["accessors"][1].update(count=1),
        lambda d: d["meshes"][0]["primitives"][0]["attributes"].update(NORMAL=99),
        lambda d: d["meshes"][0]["primitives"][0]["attributes"].update(COLOR_0=0, NORMAL=0),
        lambda d: d.update(extensions={"VRM": [1], "VRMC_vrm": 3}),
        lambda d: d.update(extensions={"VRM": {"materialProperties": "x", "humanoid": 5, "firstPerson": []}}),
    ],
)
def test_cosmetic_faults_cost_themselves(change: Any, tmp_path: Path) -> None:
    writer = gltf()
    sound = read_gltf(writer.write_glb(tmp_path / "a.glb")).mesh
    change(writer.data)
    mesh = read_gltf(writer.write_glb(tmp_path / "b.glb")).mesh
    np.testing.assert_array_equal(mesh.vertices, sound.vertices)
    np.testing.assert_array_equal(mesh.faces, sound.faces)
