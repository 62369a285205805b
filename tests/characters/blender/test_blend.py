"""A .blend file whose reading can be worked out by hand: what a render shows, in its colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from specsia_build.characters.blender import CACHE_SETTING
from specsia_build.characters.character import RawMesh
from specsia_build.rendering.mesh import Material, Mesh, flat_normals
from tests.characters.blender.conftest import Write, read_with_blender

UNRENDERED = """
import sys
import bpy

bpy.ops.wm.read_factory_settings(use_empty=True)
mesh = bpy.data.meshes.new("mesh")
mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 0, 1)], [], [(0, 1, 2)])
for name in ("body", "old"):
    item = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(item)
    item.hide_render = True
item.hide_set(True)
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
"""


@pytest.fixture(scope="module")
def blend(tmp_path_factory: pytest.TempPathFactory, write: Write) -> Path:
    return write(tmp_path_factory.mktemp("blend") / "scene.blend", Path(__file__).with_name("make_blend.py"))


@pytest.fixture
def raw(blend: Path, monkeypatch: pytest.MonkeyPatch) -> RawMesh:
    monkeypatch.setenv(CACHE_SETTING, str(blend.parent))
    return read_with_blender(blend)


def part_of(raw: RawMesh, material: str) -> tuple[Mesh, NDArray[np.bool_], Material]:
    """The whole mesh, which faces have the material of that name, and the material."""
    (index,) = [k for k, m in enumerate(raw.mesh.materials) if m.name == material]
    return raw.mesh, raw.mesh.face_material == index, raw.mesh.materials[index]


def test_a_blend_file_is_what_a_render_would_show(raw: RawMesh) -> None:
    assert "Hidden" not in raw.parts
    assert {"Body", "Flipped", "Cloth", "Hand", "Unseen"} <= set(raw.parts)
    assert (raw.skinned, raw.animations) == (True, 1)
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


@pytest.mark.parametrize(("pose", "height"), [("rest", 0.0), ("Lift", 1.0), ("Lift@11", 3.0), ("Lift@6", 2.0)])
def test_a_pose_moves_what_is_bound_to_it(
    blend: Path, monkeypatch: pytest.MonkeyPatch, pose: str, height: float
) -> None:
    monkeypatch.setenv(CACHE_SETTING, str(blend.parent))
    mesh, chosen, _ = part_of(read_with_blender(blend, pose=pose), "painted")
    assert mesh.vertices[mesh.faces[chosen]][..., 2].min() == pytest.approx(height, abs=1e-4)


def test_what_the_viewport_shows_is_read_where_a_render_would_show_no_mesh(tmp_path: Path, write: Write) -> None:
    raw = read_with_blender(write(tmp_path / "melon.blend", UNRENDERED))
    assert (raw.parts, len(raw.warnings)) == (("body",), 1)
