"""Axes, cameras, pixels and position colours, by numbers computed by hand."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from specsia_build.frame import (
    AXES,
    IN_VIEW,
    ORTHO_WIDTH,
    Camera,
    axis_vector,
    decode_position,
    front_rotation,
    normalise,
    position_codes,
    up_rotation,
    view_cameras,
)

OWN_LEFT = np.array([0.5, 0.0, 0.0])
FRONT = np.array([0.0, -0.5, 0.0])
TOP = np.array([0.0, 0.0, 0.5])

numbers = st.floats(-1000, 1000, allow_nan=False, width=32)
yaws = st.floats(-720, 720, allow_nan=False)


@given(yaws)
def test_camera_positions(yaw: float) -> None:
    theta = np.deg2rad(yaw)
    assert_allclose(Camera(yaw, 64).position(), [2 * np.sin(theta), -2 * np.cos(theta), 0], atol=1e-9)


@given(yaws)
def test_camera_axes_are_orthonormal(yaw: float) -> None:
    basis = Camera(yaw, 64).basis()
    assert_allclose(basis @ basis.T, np.eye(3), atol=1e-12)
    right, up, away = basis
    assert_allclose(np.cross(right, up), -away, atol=1e-12)
    assert_allclose(up, [0, 0, 1])


def test_pixel_centres() -> None:
    camera = Camera(0, 100)
    pixel = ORTHO_WIDTH / 100
    assert_allclose(camera.project(np.zeros(3)), [50, 50, 0], atol=1e-12)
    assert_allclose(camera.project(np.array([0.5 * pixel, 0, 0.5 * pixel]))[:2], [50.5, 49.5], atol=1e-9)
    assert_allclose(camera.project(np.array([-ORTHO_WIDTH / 2, 0, ORTHO_WIDTH / 2]))[:2], [0, 0], atol=1e-9)


@st.composite
def any_cameras(draw: st.DrawFn) -> Camera:
    """A camera anywhere, of either projection, that looks at the middle of anything but a square."""
    fov = draw(st.none() | st.floats(1, 170))
    angles = [draw(st.floats(low, high)) for low, high in ((0, 359.9), (-90, 90), (-179.9, 179.9))]
    yaw, elevation, roll = (round(angle, 6) for angle in angles)
    centre = draw(st.none() | st.tuples(st.floats(-100, 300), st.floats(-100, 300)))
    radius = round(draw(st.floats(1, 20)), 6)
    return Camera(yaw, 100, 1.2, elevation, roll_deg=roll, fov_deg=fov, radius=radius, rows=60, centre=centre)


@given(any_cameras())
def test_matrices_are_inverse_and_give_the_camera_again(camera: Camera) -> None:
    for opencv in (False, True):
        assert_allclose(camera.w2c(opencv=opencv) @ camera.c2w(opencv=opencv), np.eye(4), atol=1e-9)
        assert np.linalg.det(camera.c2w(opencv=opencv)) == pytest.approx(1)
    lens = {"width": 1.2, "fov_deg": camera.fov_deg, "rows": 60, "centre": camera.centre}
    again = Camera.at(camera.c2w(), 100, **lens)
    assert_allclose(again.c2w(), camera.c2w(), atol=1e-8)
    assert again.radius == pytest.approx(camera.radius)
    if abs(camera.elevation_deg) < 89.99:
        assert_allclose(again.elevation_deg, camera.elevation_deg, atol=1e-6)
        assert_allclose((again.roll_deg - camera.roll_deg + 180) % 360, 180, atol=1e-6)


@given(any_cameras(), st.integers(0, 99))
def test_points_are_projected_by_the_matrices(camera: Camera, seed: int) -> None:
    """As OpenCV projects them: the axes of an image, the focal length and the principal point in pixels."""
    points = np.random.default_rng(seed).uniform(-0.5, 0.5, (5, 3))
    x, y, away = (points @ camera.w2c(opencv=True)[:3, :3].T + camera.w2c(opencv=True)[:3, 3]).T
    scale = np.full(5, 100 / 1.2) if camera.fov_deg is None else camera.focal_length / away
    seen = away > 0.05
    column, row = camera.principal_point
    expected = np.stack([x * scale + column, y * scale + row], axis=1)[seen]
    assert_allclose(camera.project(points)[seen, :2], expected, rtol=1e-9, atol=1e-6)
    distance = camera.project(points)[:, 2] + camera.radius
    assert_allclose(distance, away, atol=1e-9)


def test_cameras_by_hand() -> None:
    """At the front, 3 away: OpenGL's x is the frame's x, y its z, and the camera looks along y."""
    camera = Camera(0.0, 100, fov_deg=90.0, radius=3.0, rows=50)
    assert_allclose(camera.c2w(), [[1, 0, 0, 0], [0, 0, -1, -3], [0, 1, 0, 0], [0, 0, 0, 1]], atol=1e-12)
    assert camera.focal_length == pytest.approx(50)
    # A point 1 left of the middle, at half the distance of a third: 50 pixels times its slope, 1 / 2.
    assert_allclose(camera.project(np.array([-1.0, -1.0, 0.5])), [25, 12.5, -1], atol=1e-9)
    above = Camera(0.0, 100, elevation_deg=90.0, fov_deg=90.0, radius=3.0)
    assert_allclose(above.position(), [0, 0, 3], atol=1e-12)
    # Seen from above the front is at the bottom.
    assert_allclose(above.project(np.array([0, -0.5, 0]))[:2], [50, 50 + 50 / 6], atol=1e-9)
    # Rolled, the camera's right points up: what is above it lands on its right.
    rolled = Camera(0.0, 100, roll_deg=90.0)
    assert_allclose(rolled.basis()[0], [0, 0, 1], atol=1e-12)
    assert rolled.project(TOP)[0] > 50


@pytest.mark.parametrize(
    "matrix", [np.eye(4) * 2, np.diag([1.0, 1, -1, 1]), np.full((4, 4), np.nan), np.zeros((4, 4))]
)
def test_no_camera_of_such_a_matrix(matrix: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="rotation"):
        Camera.at(matrix, 64)


def test_left_is_on_the_right() -> None:
    column, row, depth = Camera(0, 270).project(np.stack([OWN_LEFT, FRONT, TOP])).T
    assert_allclose(column, [235, 135, 135])
    assert_allclose(row, [135, 135, 35])
    assert_allclose(depth, [0, -0.5, 0], atol=1e-12)


@pytest.mark.parametrize("axis", AXES)
def test_axis_names(axis: str) -> None:
    assert_array_equal(axis_vector(axis.upper()), axis_vector(axis))
    assert np.abs(axis_vector(axis)).sum() == 1
    assert axis_vector(axis).sum() == (1 if axis[0] == "+" else -1)
    assert_array_equal(axis_vector(axis[1]), np.abs(axis_vector(axis)))


@pytest.mark.parametrize("axis", AXES)
def test_up_to_z_and_front_to_minus_y(axis: str) -> None:
    turns = [(up_rotation, (0, 0, 1))] + [(front_rotation, (0, -1, 0))] * (axis[1] != "z")
    for rotation, end in turns:
        turn = rotation(axis)
        assert_allclose(turn @ turn.T, np.eye(3))
        assert np.linalg.det(turn) == pytest.approx(1)
        assert_allclose(turn @ axis_vector(axis), end)
        assert_array_equal(rotation(axis.upper()), turn)
    if axis[1] != "z":
        assert_allclose(front_rotation(axis) @ [0, 0, 1], [0, 0, 1])


def test_normalised_extent() -> None:
    points = np.array([(10.0, 20, 30), (12, 21, 34), (11, 20, 31)])
    placed = normalise(points, view_cameras(10, 512), margin_px=4)
    assert (placed.centre, placed.scale, placed.fit) == ((11, 20.5, 32), 0.25, 1)
    moved = placed.apply(points)
    assert moved.dtype == np.float32
    assert_allclose(moved.min(axis=0), [-0.25, -0.125, -0.5])
    assert_allclose(moved.max(axis=0), [0.25, 0.125, 0.5])


@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=2, max_size=12), st.floats(0, 5))
def test_no_view_cuts(rows: list[tuple[float, float, float]], margin: float) -> None:
    points = np.array(rows)
    if float(np.ptp(points, axis=0).max()) < 1e-3:
        return
    cameras = (*view_cameras(10, 128), Camera(20.0, 128, elevation_deg=40, fov_deg=40, radius=1.2))
    placed = normalise(points, cameras, margin)
    moved = placed.apply(points)
    assert 0 < placed.fit <= 1
    assert_allclose((moved.min(axis=0) + moved.max(axis=0)) / 2, 0, atol=1e-4)
    assert float(np.ptp(moved, axis=0).max()) == pytest.approx(placed.fit, abs=1e-4)
    for camera in cameras:
        seen = camera.project(moved)[:, :2]
        assert margin - 1e-2 <= seen.min() <= seen.max() <= 128 - margin + 1e-2


def test_invalid_axes_and_frames() -> None:
    for name in ("", "w", "++x", "xy", "+z "):
        for function in (axis_vector, up_rotation, front_rotation):
            with pytest.raises(ValueError, match="not an axis"):
                function(name)
    with pytest.raises(ValueError, match="cannot face"):
        front_rotation("-z")
    for rows in ([(1.0, 2.0, 3.0)], [(0.0, 0.0, 0.0)] * 3, [(0.0, np.nan, 0.0), (1.0, 0.0, 0.0)]):
        with pytest.raises(ValueError, match="no extent"):
            normalise(np.array(rows), view_cameras(10, 64), 4)
    with pytest.raises(ValueError, match="no room"):
        normalise(np.array([(0.0, 0, 0), (1, 1, 1)]), [Camera(0, 8)], 4)


def code(point: tuple[float, float, float], low: list[float], high: list[float]) -> list[int]:
    gain, offset = position_codes(low, high)
    x, y, z = point
    return [int(v) for v in np.floor(gain * np.array([x, z, y]) + offset + 0.5)]


def test_corner_position_colours() -> None:
    low, high = [-1.0, -2.0, -3.0], [1.0, 2.0, 3.0]
    for x, y, z in product((-1, 1), repeat=3):
        assert code((x, 2 * y, 3 * z), low, high) == [255 * (x > 0), 255 * (z > 0), 255 * (y < 0)]
    assert code((0, 0, 0), low, high) == [128, 128, 128]


@pytest.mark.parametrize("yaw", [0.0, 36.0, 288.0])
def test_position_colours_in_a_view(yaw: float) -> None:
    """R to the image's right, G away from the camera, B up, whichever way the camera stands."""
    camera = Camera(yaw, 100)
    middle = np.array([50.0, 50.0, 2.0])
    nearer, righter, higher = middle + np.array([(0, 0, -0.2), (13.5, 0, 0), (0, -13.5, 0)])
    low, high = [-0.5, -0.4, -0.6], [0.5, 0.4, 0.6]
    gain, offset = position_codes(low, high, IN_VIEW)

    def colour(seen: NDArray[np.float64]) -> list[int]:
        """Colour of the point of the frame that lands on a pixel at a depth from the camera."""
        steps = (seen - middle) / [camera.pixels_per_unit, -camera.pixels_per_unit, 1]
        point = steps @ camera.basis()
        turned = camera.turn() @ point
        codes = np.floor(gain * turned[list(IN_VIEW.axes)] + offset + 0.5).astype(np.uint8)
        back = decode_position(codes, low, high, IN_VIEW)
        assert_allclose(back @ camera.turn(), point, atol=0.005)
        return [int(code) for code in codes]

    assert colour(middle) == [128, 128, 128]
    assert colour(nearer) == [128, 64, 128]
    assert colour(righter) == [128 + 46, 128, 128]
    assert colour(higher) == [128, 128, 128 + 38]


box = st.tuples(st.floats(-10, 10), st.floats(0.01, 20))


@given(st.lists(box, min_size=3, max_size=3), st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_position_codes_round_trip(sides: list[tuple[float, float]], share: list[float]) -> None:
    low = np.array([side[0] for side in sides])
    extent = np.array([side[1] for side in sides])
    high, point = low + extent, low + extent * np.array(share)
    codes = np.array(code((point[0], point[1], point[2]), list(low), list(high)))
    assert 0 <= codes.min() <= codes.max() <= 255
    back = decode_position(codes.astype(np.uint8), list(low), list(high))
    assert np.all(np.abs(back - point) <= extent / 255 * 0.5 + 1e-9)


def test_flat_axis_position_code() -> None:
    low, high = [-1.0, 0.25, -1.0], [1.0, 0.25, 1.0]
    gain, offset = position_codes(low, high)
    assert gain[2] == offset[2] == 0
    assert code((0, 0.25, 1), low, high) == [128, 255, 0]
    back = decode_position(np.array([[128, 255, 0]], np.uint8), low, high)
    assert back[0, 1:].tolist() == [0.25, 1]
