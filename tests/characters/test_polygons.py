"""Polygons to triangles, and vertex colours beside a texture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.obj import read_obj
from specsia_build.characters.ply import read_ply
from specsia_build.characters.polygons import triangulate
from specsia_build.characters.read import read_character
from specsia_build.rendering.mesh import Material
from tests.characters.test_ply import HEAD, RGB, XYZ, text_ply

ARROW = [(0, 0), (4, 0), (4, 4), (3, 1), (1, 1), (0, 4)]
"""Concave at two corners, none of which sees all others."""


def cut(points: NDArray[np.floating]) -> NDArray[np.int64]:
    """Triangles of one polygon (N, 3)."""
    count = len(points)
    triangles, polygon = triangulate(points, np.arange(count), np.array([0, count]), np.ones(1, bool))
    assert (polygon == 0).all() and len(triangles) == len(polygon)
    return triangles


def areas(points: NDArray[np.floating], triangles: NDArray[np.integer]) -> NDArray[np.float64]:
    """(T, 3): vectors along the normals, as long as the areas."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a) / 2


def turned(flat: NDArray[np.floating], seed: int) -> NDArray[np.float64]:
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return np.asarray(np.column_stack([flat, np.zeros(len(flat))]) @ turn.T)


@settings(max_examples=80, deadline=None)
@given(st.integers(4, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_triangles_cover_a_polygon_of_any_shape_once_and_face_as_it_does(count: int, seed: int, back: bool) -> None:
    random = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    flat = random.uniform(0.2, 1.0, (count, 1)) * np.column_stack([np.cos(angle), np.sin(angle)])
    points = turned(flat[::-1] if back else flat, seed)
    whole = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0) / 2
    found = areas(points, cut(points))
    size = float(np.linalg.norm(whole))
    assert float(np.linalg.norm(found, axis=1).sum()) == pytest.approx(size, rel=1e-3)
    assert (found @ whole > -1e-3 * size**2).all()


@pytest.mark.parametrize("start", range(4))
def test_a_concave_quad_is_cut_along_the_diagonal_inside(start: int) -> None:
    dart = np.roll(turned(np.array([(-1, 0), (0, 1), (1, 0), (0, 11)]), 3), start, axis=0)
    assert float(np.linalg.norm(areas(dart, cut(dart)), axis=1).sum()) == pytest.approx(10.0)


def test_several_polygons_keep_their_order_and_what_is_left_out_stays_out() -> None:
    points = np.column_stack([np.array(ARROW * 3, float), np.repeat([0.0, 1.0, 2.0], len(ARROW))])
    straight = np.array([(0, 0, 3), (2, 0, 3), (4, 0, 3), (4, 4, 3), (1, 1, 3), (0, 4, 3)], float)
    points = np.vstack([points, straight])
    first = np.array([0, 6, 12, 18, 24])
    triangles, polygon = triangulate(points, np.arange(24), first, np.array([True, False, True, True]))
    assert np.unique(polygon).tolist() == [0, 2, 3] and (np.diff(polygon) >= 0).all()
    assert (triangles // 6 == polygon[:, None]).all()
    for index, size in ((0, 7.0), (2, 7.0), (3, 10.0)):
        assert float(areas(points, triangles[polygon == index])[:, 2].sum()) == pytest.approx(size)


LEVELS = ((200, 40, 40), (40, 120, 60), (60, 60, 180), (120, 100, 20))
PLACES = ((0, 0), (1, 0), (1, 1), (0, 1))


def square(folder: Path, kind: str, levels: tuple[tuple[int, int, int], ...]) -> RawMesh:
    """A square of four colours by its image, and of `levels` by its corners."""
    pixels = np.array([[LEVELS[3], LEVELS[2]], [LEVELS[0], LEVELS[1]]], np.uint8)
    Image.fromarray(pixels).save(folder / "skin.png")
    path = folder / f"hero.{kind}"
    if kind == "obj":
        (folder / "hero.mtl").write_text("newmtl skin\nmap_Kd skin.png\n")
        lines = ["mtllib hero.mtl", "usemtl skin"]
        lines += [f"v {x} {y} 0 {r} {g} {b}" for (x, y), (r, g, b) in zip(PLACES, levels, strict=True)]
        lines += [f"vt {0.1 + 0.8 * x} {0.1 + 0.8 * y}" for x, y in PLACES]
        path.write_text("\n".join([*lines, "f 1/1 2/2 3/3 4/4", ""]))
        return read_obj(Entry("a", "obj", path))
    vertex, head = XYZ + "property float s\nproperty float t\n" + RGB, HEAD + "comment TextureFile skin.png\n"
    rows = [
        f"{x} {y} 0 {0.1 + 0.8 * x} {0.1 + 0.8 * y} {r} {g} {b}"
        for (x, y), (r, g, b) in zip(PLACES, levels, strict=True)
    ]
    path.write_text(text_ply(rows, ["4 0 1 2 3"], vertex, head=head))
    return read_ply(Entry("a", "ply", path))


@pytest.mark.parametrize("kind", ["obj", "ply"])
def test_a_texture_replaces_vertex_colours(tmp_path: Path, kind: str) -> None:
    raw = square(tmp_path, kind, LEVELS)
    assert raw.mesh.colors is not None
    assert (raw.mesh.colors == 1.0).all()


def lit_square(folder: Path, library: str) -> Material:
    """The material of a square with two images, `skin.png` and `lamp.png`, read as a character's."""
    square(folder, "obj", ((255, 255, 255),) * 4)
    Image.new("RGB", (2, 2), (40, 40, 0)).save(folder / "lamp.png")
    (folder / "hero.mtl").write_text(f"newmtl skin\n{library}\n")
    (material,) = read_character(Entry("hero", "obj", folder / "hero.obj")).mesh.materials
    return material


def test_light_that_is_the_image_again_is_shown_once_and_another_added(tmp_path: Path) -> None:
    material = lit_square(tmp_path, "map_Kd skin.png\nmap_Ke skin.png")
    assert material.texture is not None
    assert (material.emissive_texture, material.emissive) == (None, (0.0, 0.0, 0.0))
    assert (material.base_color, material.unlit) == ((1.0, 1.0, 1.0, 1.0), True)
    material = lit_square(tmp_path, "map_Kd skin.png\nmap_Ke lamp.png")
    assert material.emissive_texture is not material.texture is not None
    assert (material.emissive, material.unlit) == ((1.0, 1.0, 1.0), False)
