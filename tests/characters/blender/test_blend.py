"""A .blend file whose reading can be worked out by hand: what a render shows, in its colours, and how it moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from specsia_build.animation.rig import posed
from specsia_build.characters.blender import CACHE_SETTING
from specsia_build.characters.character import RawMesh, RawMoving
from specsia_build.rendering.mesh import Material, Mesh, flat_normals
from tests.characters.blender.conftest import Write, read_with_blender

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
    return write(tmp_path_factory.mktemp("blend") / "scene.blend", "from tests.characters.blender import make_blend")


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


def test_a_blend_file_is_what_a_render_would_show(raw: RawMesh) -> None:
    assert "Hidden" not in raw.parts
    assert {"Body", "Flipped", "Cloth", "Hand", "Unseen"} <= set(raw.parts)
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
    assert any("strands" in warning for warning in raw.warnings)


def test_a_node_tree_becomes_a_texture_and_a_factor(raw: RawMesh) -> None:
    mesh, chosen, cloth = part_of(raw, "cloth")
    assert_allclose(cloth.base_color, (0.5, 0.25, 1.0, 1.0), atol=1e-6)
    assert cloth.alpha_mode == "blend"
    assert cloth.texture is not None
    assert (cloth.texture.wrap, cloth.texture.nearest) == (("clamp", "clamp"), True)
    assert cloth.texture.pixels[1].tolist() == [[255, 0, 0, 255], [0, 255, 0, 255]]
    assert cloth.texture.pixels[0, 1, 3] == 0
    assert mesh.uv is not None
    # u = 2 u' + 0.25, v upwards = 3 v', turned over.
    corners = mesh.vertices[mesh.faces[chosen]]
    assert_allclose(mesh.uv[chosen][..., 0], 2 * corners[..., 0] + 0.25, atol=1e-5)
    assert_allclose(mesh.uv[chosen][..., 1], 1 - 3 * corners[..., 2], atol=1e-5)


def test_vertex_colours_that_a_material_asks_for(raw: RawMesh) -> None:
    mesh, chosen, painted = part_of(raw, "painted")
    assert painted.base_color == (1, 1, 1, 1)
    assert mesh.colors is not None
    assert set(mesh.colors[chosen][..., 0].round(2).ravel().tolist()) == {0.0, 0.25, 0.5, 0.75}


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(("pose", "height"), [("rest", 0.0), ("Lift", 0.0), ("Lift@6", 2.0), ("Lift@3", 0.8)])
def test_a_pose_moves_what_is_bound_to_it(blend: Path, pose: str, height: float) -> None:
    mesh, chosen, _ = part_of(read_with_blender(blend, pose=pose), "strip")
    assert mesh.vertices[mesh.faces[chosen]][..., 2].min() == pytest.approx(height, abs=1e-4)


def test_what_the_viewport_shows_is_read_where_a_render_would_show_no_mesh(tmp_path: Path, write: Write) -> None:
    raw = read_with_blender(write(tmp_path / "melon.blend", UNRENDERED))
    assert (raw.parts, len(raw.warnings)) == (("body",), 1)


def test_at_rest_the_mesh_is_the_still_one(raw: RawMesh) -> None:
    assert_allclose(posed(raw.mesh, moving_of(raw).rig, None, 0.0).vertices, raw.mesh.vertices, atol=1e-5)
    for point in (*STRIP, SWORD, BOX, CHEEK, MIRRORED, CHIN):
        assert np.linalg.norm(raw.mesh.vertices - point, axis=1).min() < 1e-5, point


@pytest.mark.parametrize(
    ("points", "name", "t", "expected"),
    [
        (STRIP, "Bend", 0.0, STRIP),
        # Half of what the middle's bones say, bent and not: (0, -0.5, 1) and (0, 0, 1.5) of the rig, which is twice.
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
def test_points_are_where_they_belong(raw: RawMesh, points: object, name: str, t: float, expected: object) -> None:
    moving = moving_of(raw)
    (motion,) = [motion for motion in moving.motions if motion.name == name]
    rows = [int(np.argmin(np.linalg.norm(raw.mesh.vertices - point, axis=1))) for point in np.array(points)]
    placed = posed(raw.mesh, moving.rig, motion, motion.start + t).vertices[rows]
    assert_allclose(placed, np.array(expected), atol=1e-4)


def test_motions_have_their_seconds(raw: RawMesh) -> None:
    lengths = {motion.name: round(motion.duration, 6) for motion in moving_of(raw).motions}
    assert lengths == {"Bend": 1.0, "BoxAction": 1.0, "Lift": 0.5, "Smiling": 1.0}
    assert any("'Endless'" in warning for warning in raw.warnings)
