"""`specsia mesh`: files of each kind, reconstructions of runs, refusals; and meshes as `trimesh` has them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from numpy.testing import assert_allclose

import specsia as library
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from tests.characters.gltf.writer import GltfWriter
from tests.commands import specsia
from tests.writers.checking import faults_in, install_validator, likeness, read_back, seen_by_blender

KINDS = ("glb", "obj", "ply", "stl")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    backends = ("--backend", "relief", "--backend", "fusion")
    specsia("build", "sample:2", "--out", folder, "--size", "64", "--views", "2", "--workers", "1", *backends)
    return folder


@pytest.mark.parametrize("name", ["kaykit/Knight", "animated/man_king"])
def test_files_of_each_kind(characters_dir: Path, tmp_path: Path, name: str) -> None:
    source = characters_dir / f"{name}.glb"
    mesh = read_character(open_source(str(source), tmp_path).entries[0]).mesh
    for kind in KINDS:
        specsia("mesh", source, "--out", tmp_path / f"hero.{kind}", "--height", "2")
        opened: Any = trimesh.load(tmp_path / f"hero.{kind}", force="mesh")
        assert_allclose(opened.bounds[:, 1 if kind in ("glb", "obj") else 2], (0.0, 2.0), atol=1e-3)
        assert len(opened.faces) == len(mesh.faces)
    # Colours at vertices leave out what a texture has between them.
    for kind, colour in (("obj", 2.5), ("ply", 8)):
        overlap, difference = likeness(mesh, read_back(tmp_path / f"hero.{kind}", kind).character.mesh)
        assert overlap >= 0.99, kind
        assert difference <= colour, kind
    specsia("mesh", source, "--out", tmp_path / "one.glb", "--texture", "256", "--lit")
    back = read_back(tmp_path / "one.glb").character.mesh
    texture = back.materials[0].texture
    assert len(back.materials) == 1 and not back.materials[0].unlit
    assert texture is not None and texture.pixels.shape == (256, 256, 4)
    assert likeness(mesh, back)[1] <= 4


def test_reconstruction_of_a_run(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.glb"
    ran = specsia("mesh", f"{run}/1", "--backend", "relief", "--out", out, "--json")
    assert json.loads(ran.stdout)["bytes"] == out.stat().st_size
    assert faults_in(install_validator(tmp_path), [out]) == {}
    ((low, high, faces, actions),) = seen_by_blender([out])
    assert_allclose((low, high, actions), (0.0, 1.7, 0), atol=1e-3)
    assert faces == json.loads(ran.stdout)["triangles"]
    # It replaces its own files, and with the same bytes.
    before = out.read_bytes()
    specsia("mesh", f"{run}/1", "--backend", "relief", "--out", out)
    assert out.read_bytes() == before


def test_refusals(run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.glb").write_bytes(b"glTF of mine")
    (tmp_path / "mine.png").write_bytes(b"a picture of mine")
    (tmp_path / "empty.obj").write_text("v 0 0 0\n")
    for source, out, *options in (
        ("sample:2", "a.glb"),
        ("sample:1", "a.fbx"),
        ("sample:1", "a"),
        ("sample:1", "mine.glb"),
        ("sample:1", "mine.obj"),
        ("sample:1", "a.glb", "--backend", "relief"),
        ("none.glb", "a.glb"),
        (run, "a.glb"),
        (f"{run}/1", "a.glb"),
        (f"{run}/1", "a.glb", "--backend", "nothing"),
        (f"{run}/7", "a.glb", "--backend", "relief"),
        (tmp_path / "empty.obj", "a.glb"),
    ):
        lines = specsia("mesh", source, "--out", tmp_path / out, *options, code=2).stderr.splitlines()
        assert lines[0].startswith("specsia: ")
    assert (tmp_path / "mine.glb").read_bytes() == b"glTF of mine"
    assert not (tmp_path / "a.glb").exists()


def test_to_trimesh(characters_dir: Path) -> None:
    knight = library.load(characters_dir / "kaykit" / "Knight.glb").mesh
    textured = knight.to_trimesh()
    texture = knight.materials[0].texture
    assert texture is not None
    assert np.array_equal(np.asarray(textured.visual.material.baseColorTexture), texture.pixels)
    for mesh in (knight, library.load(characters_dir / "animated" / "animal_alpaca.glb").mesh):
        shape = mesh.to_trimesh()
        corners = shape.vertices[shape.faces]
        wanted = np.concatenate([mesh.vertices[mesh.faces[mesh.face_material == k]] for k in range(99)])
        assert_allclose(corners, wanted, atol=1e-6)
    alpaca = library.load(characters_dir / "animated" / "animal_alpaca.glb").mesh
    colours = {tuple(c) for c in alpaca.to_trimesh().visual.vertex_colors[:, :3].tolist()}
    assert len(colours) == len({m.base_color for m in alpaca.materials})


def test_motion_that_cannot_be_played_is_named(tmp_path: Path) -> None:
    writer = GltfWriter()
    writer.mesh_node()
    values = writer.accessor([[0, 0, 0], [1, 0, 0]])
    curve = {"input": writer.accessor([2.0, 1.0]), "output": values}
    channel = {"sampler": 0, "target": {"node": 0, "path": "translation"}}
    writer.add("animations", name="bad", channels=[channel], samplers=[curve])
    ran = specsia("mesh", writer.write_glb(tmp_path / "a.glb"), "--out", tmp_path / "b.glb", "--json")
    assert "motion-unplayable" in [warning["code"] for warning in json.loads(ran.stdout)["coded"]]


def test_character_without_colours_is_named(tmp_path: Path) -> None:
    trimesh.creation.box().export(tmp_path / "box.obj")
    ran = specsia("mesh", tmp_path / "box.obj", "--out", tmp_path / "box.glb", "--json")
    assert "one-colour" in [warning["code"] for warning in json.loads(ran.stdout)["coded"]]
