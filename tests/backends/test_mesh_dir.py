"""One mesh file per character, whatever its format's axes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from specsia_build.backends.base import Context, Reading
from specsia_build.backends.mesh_dir import create
from specsia_build.errors import CharacterError, UsageError
from specsia_build.frame import axis_vector
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.mesh import Mesh

NO_IMAGE = np.zeros((64, 64, 4), np.uint8)

OURS = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.2, 0], [0, 0, 0.4]])
"""A tetrahedron in the project's axes: 0.1 to the figure's left, 0.2 behind it, 0.4 up."""

FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def write(path: Path, points: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = OURS) -> None:
    """Write the tetrahedron in the axes of the file's format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    turned = points if path.suffix == ".ply" else points[:, [0, 2, 1]] * (1, 1, -1)
    trimesh.Trimesh(turned, FACES, process=False).export(path)


def read(folder: Path, character_id: str) -> Mesh:
    return create(str(folder)).reconstruct(NO_IMAGE, Context(character_id, 0))


def assert_ours(mesh: Mesh) -> None:
    low, high = mesh.bounds()
    np.testing.assert_allclose(low, [0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(high, [0.1, 0.2, 0.4], atol=1e-6)
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    assert np.einsum("ij,ij->", a, np.cross(b, c)) > 0
    assert all(material.double_sided for material in mesh.materials)


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply"])
def test_formats_come_in_our_axes(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / f"7{suffix}")
    assert_ours(read(tmp_path, "7"))
    assert create(str(tmp_path)).inputs("7") == (tmp_path / f"7{suffix}",)


def test_manifest_states_up_and_front(tmp_path: Path) -> None:
    write(tmp_path / "7.ply", OURS @ np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]))
    (tmp_path / "manifest.json").write_text(json.dumps({"up": "+z", "front": "+x"}))
    assert_ours(read(tmp_path, "7"))
    backend = create(str(tmp_path))
    assert backend.settings() == {"up": "+z", "front": "+x", "axes": None, "colors": "own"}
    assert tmp_path / "manifest.json" in backend.inputs("7")


@pytest.mark.parametrize("axes", [["+y", "-x", "+z"], ["-y", "-x", "+z"]])
def test_manifest_states_axes_that_may_be_a_mirror(tmp_path: Path, axes: list[str]) -> None:
    rows = np.array([axis_vector(axis) for axis in axes])
    faces = FACES if np.linalg.det(rows) > 0 else FACES[:, ::-1]
    trimesh.Trimesh(OURS @ rows, faces, process=False).export(tmp_path / "7.obj")
    (tmp_path / "manifest.yaml").write_text(json.dumps({"axes": axes}))
    readings: list[Reading] = []
    assert_ours(create(str(tmp_path)).reconstruct(NO_IMAGE, Context("7", 0, note=readings.append)))
    assert [reading.axes for reading in readings] == [tuple(axes)]


def test_manifest_states_the_encoding_of_colours(tmp_path: Path) -> None:
    turned = OURS[:, [0, 2, 1]] * (1, 1, -1)
    trimesh.Trimesh(turned, FACES, vertex_colors=[[128, 64, 200, 255]] * 4, process=False).export(tmp_path / "7.glb")
    readings: list[Reading] = []
    context = Context("7", 0, note=readings.append)
    own = create(str(tmp_path)).reconstruct(NO_IMAGE, context).colors
    (tmp_path / "manifest.yaml").write_text("colors: srgb")
    decoded = create(str(tmp_path)).reconstruct(NO_IMAGE, context).colors
    assert own is not None and decoded is not None
    np.testing.assert_allclose(own[0, 0], np.array([128, 64, 200, 255]) / 255, atol=1e-6)
    np.testing.assert_allclose(linear_to_srgb(decoded[0, 0, :3]) * 255, [128, 64, 200], atol=0.01)
    assert [reading.linear for reading in readings] == [True, False]


def test_manifest_names_files(tmp_path: Path) -> None:
    write(tmp_path / "out" / "wizard.ply")
    write(tmp_path / "out" / "knight" / "it3000.ply")
    (tmp_path / "manifest.json").write_text(json.dumps({"meshes": {"7": "out/wizard.ply", "8": "out/knight"}}))
    assert_ours(read(tmp_path, "7"))
    assert_ours(read(tmp_path, "8"))


@pytest.mark.parametrize(
    "content",
    ["[]", '{"upp": "+z"}', '{"up": "north"}', '{"front": "+z"}', '{"meshes": {"7": "../elsewhere.ply"}}', "{"],
)
def test_bad_manifest(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(UsageError, match=r"manifest\.json"):
        create(str(tmp_path))


def test_no_mesh_and_two_meshes(tmp_path: Path) -> None:
    write(tmp_path / "70.ply")
    with pytest.raises(CharacterError, match="no mesh for '7'"):
        read(tmp_path, "7")
    assert create(str(tmp_path)).inputs("7") == ()
    for suffix in ("ply", "obj"):
        write(tmp_path / f"7.{suffix}")
    with pytest.raises(CharacterError, match="2 meshes for '7'"):
        read(tmp_path, "7")


def test_files_that_a_mesh_names_are_reported_and_stay_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "meshes"
    folder.mkdir()
    mesh = "mtllib 7.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nvt 0 0\nusemtl skin\nf 1/1 3/1 2/1\nf 1/1 2/1 4/1\n"
    (folder / "7.obj").write_text(mesh)
    (folder / "7.mtl").write_text("newmtl skin\nmap_Kd skin.png\n")
    (tmp_path / "secret.png").write_bytes(b"")
    (folder / "skin.png").symlink_to(tmp_path / "secret.png")
    files: set[Path] = set()
    mesh_read = create(str(folder)).reconstruct(NO_IMAGE, Context("7", 0, read=files.update))
    assert {folder / "7.obj", folder / "7.mtl", folder / "skin.png"} <= files
    assert mesh_read.materials[0].texture is None
