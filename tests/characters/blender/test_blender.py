""".blend files: surfaces as rendered, colours, motions, when Blender is started; FBX as Blender writes it."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from PIL import Image

from specsia_build.characters.blender import CACHE_SETTING
from specsia_build.characters.character import Entry, RawMesh, RawMoving
from specsia_build.characters.gltf.converted import read_converted
from specsia_build.characters.read import read_character
from specsia_build.errors import CharacterError, WriteError
from specsia_build.rendering.blender import process as blender_process
from specsia_build.rendering.mesh import Material, Mesh, flat_normals
from tests.animation.people import posed
from tests.characters.blender.conftest import Write, read_with_blender
from tests.characters.gltf.writer import GltfWriter
from tests.needs import needs

UNRENDERED = """
for name in ("body", "old"):
    item = add(name)
    item.hide_render = True
item.hide_set(True)
"""

STRIP = ((1.0, 0.0, 0.0), (1.0, 0.0, 3.0), (1.0, 0.0, 4.0))
"""Its lowest, middle and uppermost left corner at rest."""

SWORD, BOX, CHEEK = (2.0, 0.0, 5.0), (1.0, 20.0, 1.0), (2.2, 10.0, 1.2)
MIRRORED, CHIN = (-2.2, 10.0, 1.2), (2.0, 10.5, 0.0)


@pytest.fixture(scope="module")
def blend(tmp_path_factory: pytest.TempPathFactory, write: Write) -> Path:
    path = tmp_path_factory.mktemp("blend") / "scene.blend"
    return write(path, "from tests.characters.blender import make_blend")


@pytest.fixture
def kept(blend: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Blender exports of the file is kept for all tests of this module."""
    monkeypatch.setenv(CACHE_SETTING, str(blend.parent))


@pytest.fixture
def raw(blend: Path, kept: None) -> RawMesh:
    return read_with_blender(blend, moving=True)


def moving_of(raw: RawMesh) -> RawMoving:
    assert raw.moving is not None
    return raw.moving


def part_of(raw: RawMesh, material: str) -> tuple[Mesh, NDArray[np.bool_], Material]:
    """The whole mesh, which faces have the material of that name, and the material."""
    (index,) = [k for k, m in enumerate(raw.mesh.materials) if m.name == material]
    return raw.mesh, raw.mesh.face_material == index, raw.mesh.materials[index]


def test_blend_file_matches_its_render(raw: RawMesh) -> None:
    assert "Hidden" not in raw.parts and {"Body", "Flipped", "Cloth", "Hand", "Unseen"} <= set(raw.parts)
    assert (raw.skinned, raw.animations) == (True, 4)
    mesh, chosen, red = part_of(raw, "red")
    # The mirror modifier doubles the square to the other side of x.
    assert (chosen.sum(), red.base_color, red.alpha_mode) == (8, (1, 0, 0, 1), "opaque")
    assert mesh.vertices[mesh.faces[chosen]][..., 0].min() == -1
    mesh, chosen, glass = part_of(raw, "glass")
    assert (glass.base_color, glass.alpha_mode) == ((0, 0, 1, 0.25), "blend")
    assert (red.double_sided, glass.double_sided) == (True, False)
    # A mirrored object keeps its outside outside: winding and normals agree.
    assert mesh.normals is not None
    assert_allclose(mesh.normals[chosen], flat_normals(mesh)[chosen], atol=1e-6)
    assert_allclose(mesh.normals[chosen][0, 0], [0, -1, 0], atol=1e-6)
    assert any("strands" in warning.sentence for warning in raw.warnings)


def test_node_tree_becomes_texture(raw: RawMesh) -> None:
    mesh, chosen, cloth = part_of(raw, "cloth")
    assert_allclose(cloth.base_color, (0.5, 0.25, 1.0, 1.0), atol=1e-6)
    assert cloth.alpha_mode == "blend" and cloth.texture is not None
    assert (cloth.texture.wrap, cloth.texture.nearest) == (("clamp", "clamp"), True)
    assert cloth.texture.pixels[1].tolist() == [[255, 0, 0, 255], [0, 255, 0, 255]]
    assert cloth.texture.pixels[0, 1, 3] == 0
    assert mesh.uv is not None
    # u = 2 u' + 0.25, v upwards = 3 v', turned over.
    corners = mesh.vertices[mesh.faces[chosen]]
    assert_allclose(mesh.uv[chosen][..., 0], 2 * corners[..., 0] + 0.25, atol=1e-5)
    assert_allclose(mesh.uv[chosen][..., 1], 1 - 3 * corners[..., 2], atol=1e-5)


def test_material_vertex_colours(raw: RawMesh) -> None:
    mesh, chosen, painted = part_of(raw, "painted")
    assert painted.base_color == (1, 1, 1, 1) and mesh.colors is not None
    assert set(mesh.colors[chosen][..., 0].round(2).ravel().tolist()) == {0.0, 0.25, 0.5, 0.75}


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(("pose", "height"), [("rest", 0.0), ("Lift", 0.0), ("Lift@6", 2.0), ("Lift@3", 0.8)])
def test_pose_moves_bound_parts(blend: Path, pose: str, height: float) -> None:
    mesh, chosen, _ = part_of(read_with_blender(blend, pose=pose), "strip")
    assert mesh.vertices[mesh.faces[chosen]][..., 2].min() == pytest.approx(height, abs=1e-4)


def test_viewport_mesh_as_fallback(tmp_path: Path, write: Write) -> None:
    raw = read_with_blender(write(tmp_path / "melon.blend", UNRENDERED))
    assert (raw.parts, len(raw.warnings)) == (("body",), 1)


def test_rest_equals_still_mesh(raw: RawMesh) -> None:
    assert_allclose(posed(raw.mesh, moving_of(raw).rig, None, 0.0).vertices, raw.mesh.vertices, atol=1e-5)
    for point in (*STRIP, SWORD, BOX, CHEEK, MIRRORED, CHIN):
        assert np.linalg.norm(raw.mesh.vertices - point, axis=1).min() < 1e-5, point


@pytest.mark.parametrize(
    ("points", "name", "t", "expected"),
    [
        (STRIP, "Bend", 0.0, STRIP),
        # Half of what the middle's bones say, bent and not: (0, -0.5, 1) and (0, 0, 1.5) of the rig, which is
        # twice.
        (STRIP, "Bend", 1.0, ((1, 3, 0), (1, 2.5, 2.5), (1, 1, 2))),
        ((SWORD,), "Bend", 1.0, ((2, 0, 2),)),
        ((BOX,), "BoxAction", 1.0, ((11, 20, 1),)),
        # A take is of one thing and is not played with what is no take of it.
        (STRIP, "BoxAction", 1.0, STRIP),
        ((CHEEK, MIRRORED, CHIN), "Smiling", 1.0, ((3, 10, 2), (-3, 10, 2), (2, 10.5, 0))),
        ((CHEEK, CHIN), "Smiling", 0.5, ((2.6, 10, 1.6), (2, 10.5, 0))),
        # One unit along the bone, upwards, of a rig that is twice as large.
        ((*STRIP, SWORD), "Lift", 0.5, tuple((x, y, z + 2) for x, y, z in (*STRIP, SWORD))),
    ],
)
def test_points_keep_their_place(raw: RawMesh, points: object, name: str, t: float, expected: object) -> None:
    moving = moving_of(raw)
    (motion,) = [motion for motion in moving.motions if motion.name == name]
    rows = [int(np.argmin(np.linalg.norm(raw.mesh.vertices - point, axis=1))) for point in np.array(points)]
    placed = posed(raw.mesh, moving.rig, motion, motion.start + t).vertices[rows]
    assert_allclose(placed, np.array(expected), atol=1e-4)


def test_motions_in_seconds(raw: RawMesh) -> None:
    lengths = {motion.name: round(motion.duration, 6) for motion in moving_of(raw).motions}
    assert lengths == {"Bend": 1.0, "BoxAction": 1.0, "Lift": 0.5, "Smiling": 1.0}
    assert any("'Endless'" in warning.sentence for warning in raw.warnings)


MATERIALS = """
def triangle(name, *look):
    made, shader = material(name, *look)
    return add(name, look=made), shader

for name, alpha in (("solid", 1.0), ("visor", 0.25), ("hidden", 0.0)):
    triangle(name, (0.1, 0.4, 0.9), alpha)
for name in ("hair", "gone"):
    shader = triangle(name)[1]
    image = bpy.data.images.new(name, 2, 2)
    image.source, image.filepath = "FILE", "/elsewhere/" + name + ".png"
    picture = shader.id_data.nodes.new("ShaderNodeTexImage")
    picture.image = image
    shader.id_data.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
paint = triangle("painted")[0].data.color_attributes.new("paint", "BYTE_COLOR", "CORNER")
for point in paint.data:
    point.color = (1.0, 0.0, 0.0, 1.0)
"""

TAKES = """
box = add("box")
box.animation_data_create()
for name, index in (("slide", 0), ("rise", 2)):
    box.animation_data.action = bpy.data.actions.new(name)
    for frame in (1, 11):
        box.location[index] = frame
        box.keyframe_insert("location", index=index, frame=frame)
"""


def read(path: Path, **options: Any) -> RawMesh:
    return read_converted(Entry("a", "fbx", path, **options), moving=True)


def test_fbx_materials(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "hero.fbx", MATERIALS)
    (tmp_path / "textures").mkdir()
    Image.fromarray(np.full((2, 2, 4), (90, 60, 30, 0), np.uint8)).save(tmp_path / "textures/hair.png")
    raw = read(path)
    materials = raw.mesh.materials
    looks = {m.name: (round(m.base_color[3], 3), m.alpha_mode, m.texture is not None) for m in materials}
    assert looks == {
        "solid": (1.0, "opaque", False),
        "visor": (0.25, "blend", False),
        "hidden": (1.0, "opaque", False),
        "hair": (1.0, "blend", True),
        "gone": (1.0, "opaque", False),
        "painted": (1.0, "opaque", False),
    }
    assert len(raw.warnings) == 1 and raw.warnings[0].subject == "gone.png"
    assert tmp_path / "textures/hair.png" in raw.files
    (painted,) = (k for k, m in enumerate(raw.mesh.materials) if m.name == "painted")
    assert raw.mesh.colors is not None
    colours = raw.mesh.colors[raw.mesh.face_material == painted][..., :3]
    assert_allclose(colours, [[[1, 0, 0]] * 3], atol=1e-3)


def test_takes_become_motions(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "takes.fbx", TAKES)
    moving = read(path).moving
    assert moving is not None
    names = [motion.name for motion in moving.motions]
    assert [name.rpartition("|")[2] for name in names] == ["rise", "slide"]
    ends = {name: read(path, pose=f"{name}@11").mesh.vertices for name in ("slide", "rise")}
    starts = {name: read(path, pose=f"{name}@1").mesh.vertices for name in ("slide", "rise")}
    np.testing.assert_allclose(ends["slide"] - starts["slide"], [[10, 0, 0]] * 3, atol=1e-3)
    np.testing.assert_allclose(ends["rise"] - starts["rise"], [[0, 0, 10]] * 3, atol=1e-3)


STAND_IN = """
import errno, json, shutil, sys
sys.path.insert(0, {folder!r})
import job_server

def export(job):
    open({asked!r}, "a").write("x")
    if "images" not in job:
        return {{"images": {{"skin": "C:\\\\art\\\\skin.png"}}}}
    if open(job["path"], "rb").read() == b"full":
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            raise RuntimeError("closed too late")
    shutil.copy({glb!r}, job["out"] + "/scene.glb")
    open(job["out"] + "/scene.json", "w").write(json.dumps(dict(fps=24, warnings=["is odd"])))
    return {{}}

job_server.main(export, {{"blender": "none"}})
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Exports each file as one triangle without Blender; the file has a letter for each time."""
    writer = GltfWriter()
    writer.mesh_node(name="body")
    script, count, glb = tmp_path / "stand_in.py", tmp_path / "asked", writer.write_glb(tmp_path / "made.bin")
    folder = str(blender_process.scripts_folder())
    script.write_text(STAND_IN.format(folder=folder, asked=str(count), glb=str(glb)))
    monkeypatch.setattr(blender_process, "find_command", lambda _: [sys.executable, str(script)])
    return count


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "x.blend"
    path.write_bytes(b"blend")
    return path


def test_blender_runs_once_per_file(stored: Path, asked: Path, own_cache: Path) -> None:
    raw = read_with_blender(stored)
    assert (raw.up, raw.front, raw.parts, len(raw.mesh.faces)) == ("+z", "-y", ("body",), 1)
    # +Y of glTF is +Z here.
    np.testing.assert_array_equal(raw.mesh.vertices[raw.mesh.faces[0]], [[0, 0, 0], [1, 0, 0], [0, 0, 2]])
    assert [(w.code, w.subject) for w in raw.warnings] == [
        ("file-missing", "skin.png"),
        ("converted", "x.blend"),
    ]
    assert {file.stem for file in raw.files} == {"x", "skin"}
    read_with_blender(stored)
    assert asked.read_text() == "xx"
    Image.new("RGB", (1, 1)).save(stored.with_name("skin.png"))
    assert [str(warning) for warning in read_with_blender(stored).warnings] == ["x.blend is odd"]
    assert asked.read_text() == "xxx"
    # What is kept and damaged is made again.
    for file in own_cache.glob("*/*.json"):
        file.write_bytes(b"{")
    assert len(read_with_blender(stored).mesh.faces) == 1


@pytest.mark.usefixtures("asked")
def test_full_disk_is_not_the_characters_fault(stored: Path, own_cache: Path) -> None:
    stored.write_bytes(b"full")
    with pytest.raises(WriteError):
        read_with_blender(stored)
    assert not list(own_cache.glob("*/scene.glb"))


@pytest.mark.parametrize(("minor", "way"), [(11, "pip install"), (13, "set SPECSIA_BLENDER")])
def test_missing_blender_names_the_fix(
    stored: Path, monkeypatch: pytest.MonkeyPatch, minor: int, way: str
) -> None:
    monkeypatch.delenv(blender_process.EXECUTABLE_SETTING, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr(sys, "version_info", (3, minor, 0))
    with pytest.raises(CharacterError, match=rf"x\.blend: .* Blender: {way}"):
        read_character(Entry("x", "blend", stored))


def test_error_includes_blenders_reason(tmp_path: Path) -> None:
    needs("blender", "libraries")
    (tmp_path / "x.blend").write_bytes(b"BLENDER and no more")
    with pytest.raises(CharacterError, match=r"could not be read by Blender \(.+\): export it as glTF"):
        read_with_blender(tmp_path / "x.blend")
