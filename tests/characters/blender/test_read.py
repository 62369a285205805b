"""FBX and .blend characters: what Blender reads, what is kept, and what is said where there is no Blender."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from msgspec.structs import replace
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from PIL import Image

from specsia_build.characters.blender.kept import CACHE_SETTING, cache_key
from specsia_build.characters.blender.read import SCRIPT, read_with_blender
from specsia_build.characters.character import Entry
from specsia_build.characters.raw import RawMesh
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.errors import CharacterError, WriteError
from specsia_build.rendering.blender import process as blender_process
from specsia_build.rendering.blender.process import find_command
from specsia_build.rendering.mesh import Material, Mesh, flat_normals


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_SETTING, str(tmp_path / "cache"))
    return tmp_path / "cache" / "blender"


@pytest.fixture
def no_blender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(blender_process.EXECUTABLE_SETTING, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda _: None)


@pytest.fixture
def needs_blender() -> None:
    if find_command(SCRIPT.name) is None:
        pytest.skip(blender_process.how_to_get("this test"))


def key(path: Path, pose: str) -> str:
    return cache_key(path, pose, path.parent, SCRIPT)


def keep(path: Path, folder: Path, pose: str = "rest", **changes: object) -> None:
    """What the script would have left in the cache for a file: two triangles, two parts, two materials."""
    kept = folder / key(path, pose)
    kept.mkdir(parents=True)
    grey = {
        "name": "grey",
        "base_color": [0.8, 0.8, 0.8, 1.0],
        "texture": None,
        "opacity": None,
        "emissive": [0, 0, 0],
        "alpha_mode": "opaque",
        "alpha_cutoff": 0.5,
        "unlit": False,
        "double_sided": True,
        "vertex_colors": None,
    }
    painted = {
        **grey,
        "name": "painted",
        "alpha_mode": "blend",
        "texture": {"image": 0, "wrap": "clamp", "nearest": True, "uv": None, "transform": [[1, 0, 0], [0, 1, 0]]},
    }
    facts = {
        "blender": "4.2.0",
        "materials": [grey, painted],
        "images": [{"name": "C:\\art\\skin.png", "file": None}],
        "parts": [["Body", "Mesh", "Rig"], ["Sword", "Mesh.001", "Rig"]],
        "skinned": True,
        "animations": 3,
        "landmarks": [],
        "rest_landmarks": [],
        "warnings": ["the mix of colours in material 'painted' was simplified"],
        "idle": [],
        **changes,
    }
    np.savez(
        kept / "mesh.npz",
        vertices=np.arange(18, dtype=np.float32).reshape(6, 3) ** 2,
        faces=np.array([[0, 1, 2], [3, 4, 5]], np.int32),
        face_material=np.array([0, 1], np.int32),
        face_part=np.array([0, 1], np.int32),
        normals=np.ones((2, 3, 3), np.float32),
        uv=np.zeros((2, 3, 2), np.float32),
    )
    (kept / "mesh.json").write_text(json.dumps(facts))


@pytest.mark.usefixtures("no_blender")
def test_a_texture_without_an_image_is_said_to_be_one(tmp_path: Path, own_cache: Path) -> None:
    path = tmp_path / "hero.fbx"
    path.write_bytes(b"fbx")
    keep(path, own_cache, images=[{"name": "/home/her/.", "file": None}])
    assert "hero.fbx has a texture that names no image; it was left out" in read_with_blender(path).warnings


@pytest.mark.parametrize(("name", "kind"), [("x.fbx", "an FBX"), ("x.blend", "a Blender")])
@pytest.mark.usefixtures("no_blender")
def test_without_blender_the_way_to_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    (tmp_path / name).write_bytes(b"")

    def said() -> str:
        with pytest.raises(CharacterError) as caught:
            read_character(Entry("x", name.partition(".")[2], tmp_path / name))
        return str(caught.value)

    monkeypatch.setattr(sys, "version_info", (3, 11, 7))
    needs = f"{name} is {kind} file: reading it needs Blender: "
    assert said() == f"{needs}pip install 'specsia[blender]', or set SPECSIA_BLENDER to a Blender executable"
    # No other Python has the package: what pip says of it would not help.
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    assert said() == (
        f"{needs}set SPECSIA_BLENDER to a Blender executable "
        "(the extra 'blender' is for Python 3.11 alone, and this is 3.13)"
    )


@pytest.mark.usefixtures("no_blender")
def test_a_setting_that_names_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(blender_process.EXECUTABLE_SETTING, "/no/such/blender")
    (tmp_path / "x.fbx").write_bytes(b"")
    with pytest.raises(CharacterError, match=r"SPECSIA_BLENDER is '/no/such/blender', which is no program"):
        read_character(Entry("x", "fbx", tmp_path / "x.fbx"))


def test_a_missing_system_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bpy.py").write_text(
        "raise ImportError('libXi.so.6: cannot open shared object file: No such file or directory')"
    )
    monkeypatch.delenv(blender_process.EXECUTABLE_SETTING, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    script = str(blender_process.scripts_folder() / SCRIPT.name)
    monkeypatch.setattr(blender_process, "find_command", lambda _: [sys.executable, script])
    (tmp_path / "x.fbx").write_bytes(b"")
    with pytest.raises(CharacterError, match=r"'import bpy' fails for want of libXi\.so\.6: apt-get install libx11-6"):
        read_character(Entry("x", "fbx", tmp_path / "x.fbx"))


def test_the_key_follows_what_decides_the_result(tmp_path: Path) -> None:
    one, same, other = tmp_path / "a.fbx", tmp_path / "b.FBX", tmp_path / "c.fbx"
    for path, text in ((one, "1"), (same, "1"), (other, "2")):
        path.write_text(text)
    assert key(one, "rest") == key(same, "rest")
    assert key(one, "rest") != key(one, "Walk")
    assert key(one, "rest") != key(other, "rest")


@pytest.mark.usefixtures("no_blender")
def test_what_is_kept_needs_no_blender(tmp_path: Path, own_cache: Path) -> None:
    path = tmp_path / "hero.fbx"
    path.write_bytes(b"fbx")
    keep(path, own_cache)
    raw = read_with_blender(path)
    assert (raw.up, raw.front, raw.skinned, raw.animations) == ("+z", "-y", True, 3)
    assert raw.parts == ("Body", "Mesh", "Rig", "Sword", "Mesh.001")
    assert raw.warnings == (
        "hero.fbx: the mix of colours in material 'painted' was simplified",
        "texture 'skin.png' of hero.fbx is not there; it was left out",
    )
    assert {file.stem for file in raw.files} == {"hero", "skin"}
    assert raw.mesh.materials[1].texture is None
    assert raw.mesh.materials[1].alpha_mode == "opaque"


@pytest.mark.usefixtures("no_blender")
def test_a_texture_is_found_by_its_name_and_drops_are_taken_away(tmp_path: Path, own_cache: Path) -> None:
    path = tmp_path / "hero.fbx"
    path.write_bytes(b"fbx")
    keep(path, own_cache)
    Image.new("RGBA", (2, 2), (10, 20, 30, 40)).save(tmp_path / "skin.png")
    raw = read_with_blender(path, drop=["Body"])
    assert len(raw.mesh.faces) == 1
    painted = raw.mesh.materials[raw.mesh.face_material[0]]
    assert painted.texture is not None
    assert (painted.texture.wrap, painted.texture.nearest) == (("clamp", "clamp"), True)
    assert painted.texture.pixels[0, 0].tolist() == [10, 20, 30, 40]
    assert painted.alpha_mode == "blend"
    with pytest.raises(CharacterError, match=r"hero\.fbx has nothing left once its parts are dropped"):
        read_with_blender(path, drop=["Rig"])


@pytest.mark.usefixtures("no_blender")
def test_a_manifest_s_texture_replaces_the_grey_beside_it(tmp_path: Path, own_cache: Path) -> None:
    path = tmp_path / "hero.fbx"
    path.write_bytes(b"fbx")
    keep(path, own_cache)
    Image.new("RGB", (1, 1), (9, 8, 7)).save(tmp_path / "given.png")
    raw = read_with_blender(path, texture=tmp_path / "given.png", root=tmp_path)
    assert raw.mesh.materials[0].base_color == (1.0, 1.0, 1.0, 1.0)
    assert raw.mesh.materials[0].texture is not None
    assert tmp_path / "given.png" in raw.files


STAND_IN = """
import errno, json, os, sys
sys.path.insert(0, {folder!r})
import job_server
import numpy as np

def read(job):
    if job["pose"] == "full":
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            raise RuntimeError("closed too late")
    np.savez(job["out"] + "/mesh.npz", vertices=np.zeros((3, 3), "f4"), faces=np.array([[0, 1, 2]], "i4"),
             face_material=np.zeros(1, "i4"), face_part=np.zeros(1, "i4"))
    facts = dict(materials=[], images=[], parts=[["Body"]], skinned=False, animations=0, landmarks=[],
                 rest_landmarks=[], warnings=[], idle=[])
    open(job["out"] + "/mesh.json", "w").write(json.dumps(facts))
    return {{}}

job_server.main(read, {{"blender": "none"}})
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads every file as one triangle without any Blender; the pose `full` meets a full disk."""
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN.format(folder=str(blender_process.scripts_folder())))
    monkeypatch.setattr(blender_process, "find_command", lambda _: [sys.executable, str(script)])


@pytest.mark.usefixtures("stand_in")
def test_a_full_disk_under_blender_is_no_fault_of_the_character(tmp_path: Path, own_cache: Path) -> None:
    (tmp_path / "x.fbx").write_bytes(b"")
    with pytest.raises(WriteError, match=r"the disk is full, .* could not be written \(.* free\): make room and"):
        read_with_blender(tmp_path / "x.fbx", pose="full")
    assert list(own_cache.iterdir()) == []


@pytest.mark.usefixtures("stand_in")
def test_a_cache_that_cannot_be_written_is_no_fault_of_the_character(tmp_path: Path, own_cache: Path) -> None:
    (tmp_path / "x.fbx").write_bytes(b"")
    own_cache.parent.write_bytes(b"a file in its place")
    with pytest.raises(WriteError, match="because a folder or file stands in its way"):
        read_with_blender(tmp_path / "x.fbx")


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", None])
@pytest.mark.usefixtures("stand_in")
def test_what_is_kept_and_damaged_is_read_again(tmp_path: Path, own_cache: Path, damage: bytes | None) -> None:
    path = tmp_path / "x.fbx"
    path.write_bytes(b"")
    before = read_with_blender(path)
    facts, arrays = own_cache / key(path, "rest") / "mesh.json", own_cache / key(path, "rest") / "mesh.npz"
    if damage is None:
        flipped = bytearray(arrays.read_bytes())
        flipped[150] ^= 1
        arrays.write_bytes(flipped)
    else:
        facts.write_bytes(damage)
    again = read_with_blender(path)
    assert np.array_equal(again.mesh.vertices, before.mesh.vertices)
    assert [folder.name for folder in own_cache.iterdir()] == [key(path, "rest")]


def test_an_fbx_file_as_text_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "x.fbx").write_text("; FBX 7.3.0 project file\nFBXHeaderExtension:  {\n}\n")
    with pytest.raises(CharacterError, match=r"x\.fbx is an FBX file as text \(ASCII\): export it as binary FBX or"):
        read_character(Entry("x", "fbx", tmp_path / "x.fbx"))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.usefixtures("needs_blender")
def test_a_file_of_a_newer_blender_is_said_to_be_one(tmp_path: Path, packed: bool) -> None:
    content = b"BLENDER17-01v0501REND" + bytes(400)
    path = tmp_path / "x.blend"
    path.write_bytes(pyarrow.compress(content, "zstd", asbytes=True) if packed else content)
    with pytest.raises(CharacterError, match=r"^x\.blend was saved by Blender 5\.1, .*: export it as GLB, or set"):
        read_with_blender(path)


@pytest.mark.usefixtures("needs_blender")
def test_a_file_that_blender_cannot_read(tmp_path: Path, own_cache: Path) -> None:
    (tmp_path / "x.fbx").write_text("not an FBX file")
    with pytest.raises(CharacterError, match=r"x\.fbx could not be read by Blender \(\w.*\): export it again"):
        read_character(Entry("x", "fbx", tmp_path / "x.fbx"))
    assert list(own_cache.iterdir()) == []


@pytest.mark.usefixtures("needs_blender")
def test_the_real_characters_stand_upright_face_front_and_are_coloured(characters_dir: Path, tmp_path: Path) -> None:
    entries = {e.id: e for e in open_source(str(characters_dir / "characters.jsonl"), tmp_path).entries}
    for name in ("quaternius_male_casual", "quaternius_smooth_male_suit", "quaternius_zombie"):
        character = read_character(entries[name])
        mesh = character.mesh
        low, high = mesh.bounds()
        assert high[2] - low[2] > 2 * (high[1] - low[1]), f"{name} lies down"
        # The tie of that suit was lost when its file was written.
        assert [w for w in character.warnings if "'TieTexture' has no colour" not in w] == [], name
        assert all(m.alpha_mode == "opaque" and m.base_color[3] == 1 for m in mesh.materials), name
        colours = {m.base_color for m in mesh.materials}
        assert len(colours) > 2 or mesh.materials[0].texture is not None, name
        assert mesh.normals is not None
        assert_allclose(np.linalg.norm(mesh.normals, axis=-1), 1, atol=1e-3)
        # Feet point to where the character looks: they reach further to the front than the legs above them.
        height = (mesh.vertices[:, 2] - low[2]) / (high[2] - low[2])
        assert mesh.vertices[height < 0.05, 1].min() < mesh.vertices[(height > 0.15) & (height < 0.3), 1].min(), name


@pytest.mark.usefixtures("needs_blender")
def test_an_action_is_another_pose(characters_dir: Path, tmp_path: Path, own_cache: Path) -> None:
    entries = {e.id: e for e in open_source(str(characters_dir / "characters.jsonl"), tmp_path).entries}
    rest = read_character(entries["quaternius_knightcharacter"])
    posed = read_character(replace(entries["quaternius_knightcharacter"], pose="Idle@40"))
    assert rest.mesh.faces.shape == posed.mesh.faces.shape
    assert np.ptp(posed.mesh.vertices[:, 0]) < 0.8 * np.ptp(rest.mesh.vertices[:, 0]), "the arms should hang"
    with pytest.raises(
        CharacterError, match=r"^KnightCharacter\.fbx has no action 'Fly': its actions are HumanArmature\|"
    ):
        read_character(replace(entries["quaternius_knightcharacter"], pose="Fly"))
    assert len(list(own_cache.iterdir())) == 2
    beyond = read_character(replace(entries["quaternius_knightcharacter"], pose="Idle@-40"))
    assert "the pose 'Idle@-40' lies outside its action, whose frames are 1 to" in " ".join(beyond.warnings)
    assert not any("outside" in said for said in posed.warnings)


@pytest.mark.usefixtures("needs_blender")
def test_blender_reads_a_glb_as_the_gltf_reader_does(characters_dir: Path) -> None:
    path = characters_dir / "kenney" / "kenney_character.glb"
    ours = read_character(Entry("k", "gltf", path))
    theirs = read_with_blender(path)
    assert len(theirs.mesh.faces) == len(ours.mesh.faces)
    assert_allclose(np.array(theirs.mesh.bounds()), np.array(ours.mesh.bounds()), atol=1e-4)
    textured = [m for m in theirs.mesh.materials if m.texture is not None]
    assert textured
    assert ours.mesh.materials[0].texture is not None
    assert np.array_equal(textured[0].texture.pixels, ours.mesh.materials[0].texture.pixels)  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def blend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("needs the bpy package to write a .blend file")
    path = tmp_path_factory.mktemp("blend") / "scene.blend"
    script = Path(__file__).with_name("make_blend.py")
    subprocess.run([sys.executable, str(script), str(path)], check=True, capture_output=True, timeout=300)
    return path


def part_of(raw: RawMesh, material: str) -> tuple[Mesh, NDArray[np.bool_], Material]:
    """The whole mesh, which faces have the material of that name, and the material."""
    (index,) = [k for k, m in enumerate(raw.mesh.materials) if m.name == material]
    return raw.mesh, raw.mesh.face_material == index, raw.mesh.materials[index]


def test_a_blend_file_is_what_a_render_would_show(blend: Path) -> None:
    raw = read_with_blender(blend)
    assert raw.parts[:9] == (
        "Body",
        "BodyMesh",
        "Flipped",
        "FlippedMesh",
        "Cloth",
        "ClothMesh",
        "Hand",
        "HandMesh",
        "Rig",
    )
    assert (raw.skinned, raw.animations) == (True, 1)
    mesh, chosen, red = part_of(raw, "red")
    # The mirror modifier doubles the square to the other side of x.
    assert (chosen.sum(), red.base_color, red.alpha_mode) == (4, (1, 0, 0, 1), "opaque")
    assert mesh.vertices[mesh.faces[chosen]][..., 0].min() == -1
    mesh, chosen, glass = part_of(raw, "glass")
    assert (glass.base_color, glass.alpha_mode) == ((0, 0, 1, 0.25), "blend")
    assert red.double_sided
    assert not glass.double_sided
    # A mirrored object keeps its outside outside: winding and normals agree.
    assert mesh.normals is not None
    assert_allclose(mesh.normals[chosen], flat_normals(mesh)[chosen], atol=1e-6)
    assert_allclose(mesh.normals[chosen][0, 0], [0, -1, 0], atol=1e-6)


def test_what_is_hidden_from_the_viewport_alone_is_there(blend: Path) -> None:
    parts = read_with_blender(blend).parts
    shown = [f"Out of sight {k}" in parts for k in range(3)]
    # By the object's monitor, by its eye, and by a collection that no render shows.
    assert shown == [True, True, False]
    assert "Hidden" not in parts


def test_what_is_simplified_or_left_out_is_said(blend: Path) -> None:
    assert sorted(read_with_blender(blend).warnings) == [
        "scene.blend: hair or fur made of strands was left out ('Furry'): make it a mesh in Blender to have it",
        "scene.blend: the colour ramp of material 'stepped' was simplified to its last colour",
        "scene.blend: the look-up of texture 'painted' by a TEX_COORD node was simplified to UVs",
        "scene.blend: the look-up of texture 'painted' by box projection was simplified to UVs",
        "scene.blend: what is drawn with Grease Pencil was left out ('Brows'): make it a mesh",
    ]


def test_vertex_colours_without_a_name_are_those_that_a_render_shows(blend: Path) -> None:
    mesh, chosen, _ = part_of(read_with_blender(blend), "tinted")
    assert mesh.colors is not None
    assert_allclose(mesh.colors[chosen][..., :3], 0.5)


@pytest.mark.parametrize(("name", "opacity"), [("cornea", 0.2), ("veil", 0.25), ("other veil", 0.75)])
def test_what_lets_light_through_does_not_hide_what_is_behind(blend: Path, name: str, opacity: float) -> None:
    _, _, made = part_of(read_with_blender(blend), name)
    assert made.alpha_mode == "blend"
    assert made.base_color[3] == pytest.approx(opacity)


def test_colours_that_come_by_an_emission_a_group_or_a_ramp(blend: Path) -> None:
    raw = read_with_blender(blend)
    _, _, glowing = part_of(raw, "glowing")
    assert glowing.unlit
    assert glowing.texture is not None
    assert glowing.base_color[:3] == (1.0, 1.0, 1.0)
    assert part_of(raw, "toon")[2].base_color == (1.0, 0.5, 0.0, 1.0)
    assert part_of(raw, "stepped")[2].base_color == (0.5, 0.25, 0.0, 1.0)


def test_a_node_tree_becomes_a_texture_and_a_factor(blend: Path) -> None:
    mesh, chosen, cloth = part_of(read_with_blender(blend), "cloth")
    assert_allclose(cloth.base_color, (0.5, 0.25, 1.0, 1.0))
    assert cloth.alpha_mode == "blend"
    assert cloth.texture is not None
    assert (cloth.texture.wrap, cloth.texture.nearest) == (("clamp", "clamp"), True)
    assert cloth.texture.pixels[1].tolist() == [[255, 0, 0, 255], [0, 255, 0, 255]]
    assert cloth.texture.pixels[0, 1, 3] == 0
    assert mesh.uv is not None
    # u = 2 u' + 0.25, v upwards = 3 v', turned over.
    corners = mesh.vertices[mesh.faces[chosen]]
    assert_allclose(mesh.uv[chosen][..., 0], 2 * corners[..., 0] + 0.25, atol=1e-6)
    assert_allclose(mesh.uv[chosen][..., 1], 1 - 3 * corners[..., 2], atol=1e-6)


def test_vertex_colours_that_a_material_asks_for(blend: Path) -> None:
    mesh, chosen, painted = part_of(read_with_blender(blend), "painted")
    assert painted.base_color == (1, 1, 1, 1)
    assert mesh.colors is not None
    assert set(mesh.colors[chosen][..., 0].ravel().tolist()) == {0.0, 0.25, 0.5, 0.75}
    _, tinted, _ = part_of(read_with_blender(blend), "tinted")
    assert_allclose(mesh.colors[~(chosen | tinted)], 1)


@pytest.mark.parametrize(("pose", "height"), [("rest", 0.0), ("Lift", 1.0), ("Lift@11", 3.0), ("Lift@6", 2.0)])
def test_a_pose_moves_what_is_bound_to_it(blend: Path, pose: str, height: float) -> None:
    mesh, chosen, _ = part_of(read_with_blender(blend, pose=pose), "painted")
    assert mesh.vertices[mesh.faces[chosen]][..., 2].min() == pytest.approx(height, abs=1e-5)


def test_an_installed_blender_runs_the_same_script(
    blend: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "blender"
    script = tmp_path / "blender.py"
    script.write_text(
        "import runpy, sys\n"
        "print('Blender 4.2.0 says hello')\n"
        "runpy.run_path(sys.argv[sys.argv.index('-P') + 1], run_name='__main__')\n"
    )
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{script}' \"$@\"\n")
    program.chmod(0o755)
    monkeypatch.setenv(blender_process.EXECUTABLE_SETTING, str(program))
    command = find_command(SCRIPT.name)
    assert command is not None
    assert command[0] == str(program)
    assert len(read_with_blender(blend).mesh.faces) == 34
