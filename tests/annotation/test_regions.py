"""Regions of known surfaces, divided as an artist would colour them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from specsia_build.annotation.regions import LEAST_SIDE, regions
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.errors import CharacterError
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import Material, Mesh, concatenate
from tests.annotation.scenes import dyed, grid, mesh_of, painted, ramp
from tests.shapes import BOX, TRIANGLES

SIX = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200], [255, 255, 255], [1, 2, 3], [128, 127, 126]])


def cube(colors: np.ndarray = SIX) -> Mesh:
    """A cube whose sides are of one material each, in display colours (6, 3)."""
    linear = srgb_to_linear(colors / 255)
    materials = tuple(Material(f"side {k}", (*color, 1.0)) for k, color in enumerate(linear))
    of_face = np.repeat(np.arange(6, dtype=np.int32), 2)
    return mesh_of(BOX, TRIANGLES, materials=materials, face_material=of_face)


def moved(mesh: Mesh, *by: float) -> Mesh:
    return mesh.with_vertices(mesh.vertices + np.array(by, np.float32))


def test_six_materials_are_six_regions() -> None:
    found = regions(cube())
    assert sorted(map(tuple, found.colors)) == sorted(map(tuple, SIX))
    assert (found.colors[found.of_face] == np.repeat(SIX, 2, axis=0)).all()
    assert [a.dtype.name for a in (found.of_face, found.colors)] == ["int32", "uint8"]


def test_equal_materials_are_one_region() -> None:
    red = Material("red", (0.5, 0.1, 0.1, 1.0))
    left, right = grid(4, 4, materials=(red,)), moved(grid(4, 4, materials=(red,)), 1, 0, 0)
    assert len(regions(concatenate([left, right])).colors) == 1
    other = replace(right, materials=(replace(red, name="scarlet"),))
    assert len(regions(concatenate([left, other])).colors) == 2


@pytest.mark.parametrize("ends", [((250, 210, 180), (225, 160, 130)), ((240, 110, 110), (130, 25, 65))])
@pytest.mark.parametrize("cells", [3, 30])
def test_gradient_is_one_region(ends: tuple[tuple[int, ...], tuple[int, ...]], cells: int) -> None:
    found = regions(painted(cells, cells, ramp(*ends)))
    assert len(found.colors) == 1
    assert np.abs(found.colors[0] - np.mean(ends, axis=0)).max() < 6


def test_long_gradient_is_split() -> None:
    levels = np.repeat(np.linspace(0, 255, 120), 2)
    found = regions(dyed(grid(120, 1), np.repeat(levels[:, None], 3, axis=1)))
    assert 2 <= len(found.colors) <= 12
    assert all(np.ptp(levels[found.of_face == k]) < 160 for k in range(len(found.colors)))


@pytest.mark.parametrize("blur", [0.0, 0.6])
@pytest.mark.parametrize("red", [(200, 40, 40), (240, 190, 165)])
def test_painted_colours_split_at_edges(red: tuple[int, int, int], blur: float) -> None:
    skin = (250, 210, 180)
    image = np.full((64, 64, 3), skin, float)
    image[:, :32] = red
    found = regions(painted(31, 31, np.round(gaussian_filter(image, (0, blur, 0)))))
    assert len(found.colors) == 2
    cells = found.of_face.reshape(31, 31, 2)
    for side, colour in ((cells[:, :15], red), (cells[:, 16:], skin)):
        (region,) = np.unique(side)
        assert np.abs(found.colors[region] - np.array(colour)).max() <= 4


def test_barely_different_neighbours_join() -> None:
    def halves(step: int) -> int:
        colors = np.full((32, 3), 120)
        colors[16:] += step
        return len(regions(dyed(grid(4, 4), colors)).colors)

    assert (halves(4), halves(9)) == (1, 2)


def test_vertex_colours_and_emission() -> None:
    mesh = grid(10, 4)
    colors = np.where(mesh.vertices[mesh.faces].mean(axis=1)[:, :1] < 0.5, (90, 140, 60), (60, 80, 160))
    assert len(regions(dyed(mesh, colors)).colors) == 2
    glowing = replace(mesh, materials=(Material(base_color=(0.0, 0.0, 0.0, 1.0), emissive=(0.0, 1.0, 0.0)),))
    assert regions(glowing).colors.tolist() == [[0, 255, 0]]


def test_cut_out_texels_are_ignored() -> None:
    stripes = np.indices((64, 64)).sum(axis=0)[..., None] % 4 < 2
    found = painted(4, 4, np.where(stripes, (250, 0, 250), (40, 90, 160)))
    pixels = found.materials[0].texture.pixels  # type: ignore[union-attr]
    pixels[..., 3] = np.where(stripes[..., 0], 0, 255)
    kept = regions(replace(found, materials=(replace(found.materials[0], alpha_mode="mask"),)))
    assert np.abs(kept.colors - np.array((40, 90, 160))).max() <= 12


def test_specks_join_neighbours() -> None:
    colors = np.full((200 * 200 * 2, 3), 200)
    cells = colors.reshape(200, 200, 2, 3)
    cells[50, 50] = cells[150, 100:102] = (20, 20, 20)
    cells[100:105, 100:105] = (20, 20, 20)
    found = regions(dyed(grid(200, 200), colors))
    shown = found.of_face.reshape(200, 200, 2)
    assert len(found.colors) == 2
    assert (shown[50, 50] == 0).all() and (shown[150, 100:102] == 0).all()
    assert (shown[100:105, 100:105] == 1).all()


def test_large_button_is_a_region() -> None:
    def with_button(side: float) -> int:
        button = moved(grid(1, 1).with_vertices(grid(1, 1).vertices * side), 0.4, -0.01, 0.4)
        return len(regions(concatenate([grid(5, 5), button])).colors)

    assert (with_button(1.2 * LEAST_SIDE), with_button(0.8 * LEAST_SIDE)) == (2, 1)


def test_face_order_does_not_matter() -> None:
    mesh = concatenate([cube(), moved(grid(6, 6), 0, -2, 0)])
    order = np.random.default_rng(0).permutation(len(mesh.faces))
    shuffled = replace(mesh, faces=mesh.faces[order], face_material=mesh.face_material[order], uv=None)
    before, after = regions(mesh).of_face[order], regions(shuffled).of_face
    assert len(set(zip(before.tolist(), after.tolist(), strict=True))) == len(set(before.tolist())) == 7


def test_degenerate_faces_are_harmless() -> None:
    mesh = grid(3, 3)
    none = np.array([[0, 0, 1], [5, 5, 5], [0, 1, 2]], np.int32)
    fins = np.array([[0, 1, 9], [0, 1, 10], [0, 1, 11]], np.int32)
    faces = np.concatenate([none, mesh.faces, fins, mesh.faces[:, [0, 2, 1]]])
    assert (regions(mesh_of(mesh.vertices, faces)).of_face == 0).all()
    dot = regions(mesh_of(np.zeros((3, 3)), [[0, 1, 2]]))
    assert dot.of_face.tolist() == [0]
    with pytest.raises(CharacterError, match="no faces"):
        regions(mesh_of(np.zeros((3, 3)), np.empty((0, 3), np.int32)))


@pytest.mark.parametrize(
    ("character", "least", "most"),
    [
        ("animated/man_casual.glb", 25, 50),
        ("animated/animal_shibainu.glb", 8, 15),
        ("kaykit/Knight.glb", 60, 280),
        ("kenney/kenney_character.glb", 10, 20),
    ],
)
def test_real_characters(characters_dir: Path, tmp_path: Path, character: str, least: int, most: int) -> None:
    mesh = read_character(open_source(str(characters_dir / character), tmp_path).entries[0]).mesh
    found = regions(mesh)
    count = len(found.colors)
    assert least <= count <= most
    assert np.unique(found.of_face).tolist() == list(range(count))
    corners = mesh.vertices[mesh.faces].astype(float)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    sizes = np.bincount(found.of_face, area)
    assert (np.diff(sizes) <= 1e-6 * area.sum()).all()
    assert sizes[-1] >= 0.99 * (LEAST_SIDE * np.ptp(mesh.vertices, axis=0).max()) ** 2
    assert _pieces(mesh, found.of_face) < 1.2 * count


def _pieces(mesh: Mesh, of_face: np.ndarray) -> int:
    """Into how many connected parts a mesh falls where regions meet."""
    places = np.unique(mesh.vertices, axis=0, return_inverse=True)[1].ravel()[mesh.faces]
    places = places + of_face[:, None].astype(np.int64) * (places.max() + 1)
    start, end = places.ravel(), np.roll(places, 1, axis=1).ravel()
    pairs = np.unique(np.stack([start, end]), return_inverse=True)[1].reshape(2, -1)
    graph = coo_array((np.ones(len(start)), pairs))
    return int(connected_components(graph, directed=False)[0])
