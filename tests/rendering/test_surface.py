"""Depth, normals, parts, materials and light of views, against surfaces that are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from specsia_build.errors import CharacterError
from specsia_build.frame import Camera
from specsia_build.rendering.mesh import Material, Mesh, concatenate
from specsia_build.rendering.surface import SurfaceView, seeded_lights, surface_views
from tests.rendering.scenes import BLUE, RED, box, mesh_of, real_mesh, sphere

SIZE = 96
CAMERAS = (
    Camera(20.0, SIZE, elevation_deg=30.0, roll_deg=15.0, target=(0.05, 0.0, 0.1)),
    Camera(20.0, SIZE, elevation_deg=-30.0, fov_deg=50.0, radius=1.5, target=(0.05, 0.0, 0.1), rows=80),
    Camera(300.0, SIZE, fov_deg=80.0, radius=0.8, centre=(40.0, 52.0)),
)


def view(mesh: Mesh, camera: Camera) -> SurfaceView:
    (only,) = surface_views(mesh, [camera])
    return only


def rays(camera: Camera) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Origins and directions (H, W, 3) of the rays through pixels' middles, 1 along the camera's axis."""
    right, up, forward = camera.basis()
    rows, columns = np.indices((camera.height, camera.size)) + 0.5
    x, y = camera.principal_point
    aside = (columns - x)[..., None] * right + (y - rows)[..., None] * up
    if camera.fov_deg is None:
        origins = camera.position() + aside / camera.pixels_per_unit
        return origins, np.broadcast_to(forward, origins.shape)
    directions = forward + aside / camera.focal_length
    return np.broadcast_to(camera.position(), directions.shape), directions


def points_of(seen: SurfaceView) -> NDArray[np.float64]:
    """Points of the frame (H, W, 3) by the depths."""
    origins, directions = rays(seen.camera)
    return np.asarray(origins + seen.depth[..., None] * directions)


def inner(seen: SurfaceView, steps: int = 2) -> NDArray[np.bool_]:
    """Pixels that show a surface and lie some steps within it."""
    mask = seen.shown.copy()
    for _ in range(steps):
        mask[1:-1, 1:-1] &= mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    return mask


@pytest.mark.parametrize("camera", CAMERAS)
def test_sphere(camera: Camera) -> None:
    radius, centre = 0.3, np.array([0.1, -0.05, 0.1])
    seen = view(sphere(radius, 96, 192, centre.tolist()), camera)
    origins, directions = rays(camera)
    square = (directions**2).sum(axis=2)
    half = ((origins - centre) * directions).sum(axis=2)
    inside = half**2 - square * (((origins - centre) ** 2).sum(axis=2) - radius**2)
    depth = (-half - np.sqrt(np.maximum(inside, 0))) / square
    facing = inside / square > 0.3 * radius**2  # Where the surface is not at a slant to the ray
    assert facing.sum() > 500 and seen.shown[facing].all()
    # Half a pixel's worth at a slope of up to 1.5, as a sample lies beside the middle.
    assert_allclose(seen.depth[facing], depth[facing], atol=0.12 * 1.5 * camera.span / SIZE)
    normal = (origins + depth[..., None] * directions - centre) / radius
    assert (seen.normal * normal).sum(axis=2)[facing].min() > np.cos(np.deg2rad(2))
    assert not seen.depth[~seen.shown].any() and not seen.normal[~seen.shown].any()
    assert_allclose(np.linalg.norm(seen.normal[seen.shown], axis=1), 1, atol=1e-5)


def quad(double: bool = True) -> Mesh:
    """A slanted rectangle, its outside to the front and above."""
    corners = [(-0.4, -0.3, -0.3), (0.4, -0.3, -0.3), (0.4, 0.3, 0.3), (-0.4, 0.3, 0.3)]
    return mesh_of(corners, [[0, 1, 2], [0, 2, 3]], Material(double_sided=double))


def in_axes(seen: SurfaceView) -> NDArray[np.floating]:
    """Normals in the camera's axes: x right, y up, z towards the viewer."""
    return np.asarray(seen.normal @ seen.camera.c2w()[:3, :3])


@pytest.mark.parametrize("yaw", [15.0, 195.0])
@pytest.mark.parametrize("fov", [None, 60.0])
def test_plane_from_both_sides(yaw: float, fov: float | None) -> None:
    camera = Camera(yaw, SIZE, elevation_deg=10.0 if yaw < 90 else -10.0, fov_deg=fov, radius=1.5)
    seen = view(quad(), camera)
    mask = inner(seen)
    # The plane is y = z.
    points = points_of(seen)[mask]
    assert len(points) > 500 and np.abs(points[:, 1] - points[:, 2]).max() < 0.2 * camera.span / SIZE
    towards = 1.0 if yaw < 90 else -1.0
    expected = towards * np.array([0, -1, 1]) / np.sqrt(2)
    assert_allclose(seen.normal[mask], np.broadcast_to(expected, seen.normal[mask].shape), atol=1e-5)
    own = in_axes(seen)[mask]
    assert_allclose(own, np.broadcast_to(camera.w2c()[:3, :3] @ expected, own.shape), atol=1e-5)
    assert own[:, 2].min() > 0


def test_normals_point_inwards_in_a_room() -> None:
    """From inside an open box its walls are seen from behind."""
    room = box((0, 0, 0), (0.4, 0.4, 0.4), double_sided=True)
    corners = room.vertices[room.faces]
    room = room.of_faces(~(corners[..., 1] == corners[..., 1].min()).all(axis=1))
    seen = view(room, Camera(0.0, SIZE, fov_deg=60.0, radius=0.9))
    assert (in_axes(seen)[inner(seen)][:, 2] > -1e-5).all()
    assert_allclose(seen.normal[SIZE // 2, SIZE // 2], [0, -1, 0], atol=1e-5)
    assert seen.depth[SIZE // 2, SIZE // 2] == pytest.approx(1.3, abs=1e-4)


def test_normal_pictures() -> None:
    camera = Camera(90.0, SIZE, fov_deg=40.0)
    seen = view(box((0, 0, 0), (0.2, 0.2, 0.2)), camera)
    middle = SIZE // 2, SIZE // 2
    assert seen.normal_picture()[middle].tolist() == [255, 128, 128, 255]
    assert seen.normal_picture(own_axes=True)[middle].tolist() == [128, 128, 255, 255]
    assert_array_equal(seen.normal_picture()[..., 3], seen.layers.mask)
    assert not seen.normal_picture()[0, 0].any()


def test_parts_and_materials() -> None:
    places = {(-0.3, 0, 0): RED, (0.3, 0, 0): BLUE, (0, 0, 0.35): RED}
    parts = [box(centre, (0.1, 0.1, 0.1), color) for centre, color in places.items()]
    seen = view(concatenate(parts), Camera(0.0, SIZE, fov_deg=40.0))
    at = [np.floor(seen.camera.project(np.array(place))[1::-1]).astype(int) for place in places]
    numbers = [int(seen.part[row, column]) for row, column in at]
    materials = [int(seen.material[row, column]) for row, column in at]
    assert len(set(numbers)) == 3
    assert [concatenate(parts).materials[k].base_color for k in materials] == list(places.values())
    for layer in (seen.part, seen.material):
        assert_array_equal(layer >= 0, seen.shown)


def test_light_by_seeds() -> None:
    seen = view(sphere(0.4), Camera(0.0, SIZE))
    first, second = seen.lit(1), seen.lit(2)
    assert_array_equal(first, view(sphere(0.4), Camera(0.0, SIZE)).lit(1))
    assert np.abs(first.astype(int) - second).max() > 20
    assert_array_equal(first[..., 3], seen.layers.color[..., 3])
    assert (first <= seen.layers.color).all() and not first[seen.layers.color[..., 3] == 0].any()
    lights = seeded_lights(1)
    # The brightest of the ball is where it faces the lights, each by its share.
    shown = inner(seen)
    light = np.maximum(seen.normal[shown] @ lights[:, :3].T, 0) @ lights[:, 3]
    assert np.corrcoef(light, first[shown][:, 0])[0, 1] > 0.95


@pytest.mark.parametrize("fov", [None, 45.0])
def test_depth_of_a_real_character_reprojects(characters_dir: Path, fov: float | None) -> None:
    """Each point by its depth is the position shown there, and lies on what the next camera sees."""
    cameras = [Camera(yaw, 192, elevation_deg=15.0, fov_deg=fov) for yaw in (0.0, 25.0)]
    mesh = real_mesh(characters_dir, "kaykit_mage", cameras)
    one, other = surface_views(mesh, cameras)
    mask = inner(one, 1)
    points = points_of(one)[mask]
    distance = one.camera.project(one.layers.position[mask])[:, 2] + one.camera.radius
    # What faces carry may lie a tenth of a pixel off, see `splitting`.
    assert_allclose(one.depth[mask], distance, atol=0.2 * one.camera.span / 192)
    assert_allclose(np.median(np.abs(points - one.layers.position[mask])), 0, atol=2e-3)
    column, row, depth = other.camera.project(points).T
    there = other.depth[row.astype(int), column.astype(int)]
    distance = other.camera.w2c(opencv=True)[2, :3] @ points.T + other.camera.w2c(opencv=True)[2, 3]
    assert_allclose(distance, depth + other.camera.radius, atol=1e-9)
    visible = (there > 0) & (np.abs(there - distance) < 0.02)
    assert visible.mean() > 0.8
    # None lies clearly before what is seen, as that would hide it.
    assert ((there > 0) & (distance < there - 0.02)).mean() < 0.03
    before = visible & (one.normal[mask] @ other.camera.basis()[2] < -0.7)
    agree = (one.normal[mask] * other.normal[row.astype(int), column.astype(int)]).sum(axis=1)[before]
    assert np.median(agree) > 0.99


def test_undrawable_meshes() -> None:
    for mesh in (quad().of_faces(np.zeros(2, bool)), quad().with_vertices(np.full((4, 3), np.nan))):
        with pytest.raises(CharacterError):
            view(mesh, CAMERAS[1])
    loose = replace(quad(), vertices=np.concatenate([quad().vertices, np.full((1, 3), np.nan, np.float32)]))
    assert view(loose, CAMERAS[1]).shown.any()
