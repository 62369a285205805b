"""Line art, segments and strokes of known shapes; nothing hidden is drawn, and fills do not leak."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.annotation import lines as art
from specsia_build.annotation.lines import contents, draw_lines, feature_edges, segments, visible_lines
from specsia_build.annotation.regions import regions
from specsia_build.annotation.strokes import Strokes, strokes, vertex_ranks
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.config import BuildConfig
from specsia_build.frame import Camera
from specsia_build.rendering.mesh import Material, Mesh, Texture, concatenate
from specsia_build.stages.render import in_frame
from tests.annotation import scenes
from tests.annotation.scenes import enclosed, expected, leaks, line_art, lines_of, parts, rectangle, uncovered
from tests.annotation.scenes import seen as seen_in
from tests.rendering.scenes import BLUE, RED, SIZE, box, mesh_of, sheet, sphere

ROUNDING = 3
"""Levels by which vertices that lie on 1/256 pixel may change a pixel."""


@pytest.mark.parametrize("width", [1.0, 2.5, 4.0])
def test_front_of_box_is_rectangle(width: float) -> None:
    found = line_art(box((0, 0, 0), (0.25, 0.25, 0.325)), width=width)
    np.testing.assert_allclose(found, expected([rectangle(17, 14, 37, 40)], width=width), atol=ROUNDING)


def test_box_corner_has_middle_edge() -> None:
    found = line_art(box((0, 0, 0), (0.25, 0.25, 0.325)), yaw=45.0)
    half = 10 * np.sqrt(2)
    outline, middle = rectangle(27 - half, 14, 27 + half, 40), [(27.0, 14.0), (27.0, 40.0)]
    np.testing.assert_allclose(found, expected([outline, middle]), atol=2 * ROUNDING)


def test_ball_is_circle() -> None:
    found = line_art(sphere(0.5), yaw=11.0)
    row, column = np.indices(found.shape) + 0.5
    away = np.hypot(row - 27, column - 27)
    assert (found[abs(away - 20) > 1.5] == 255).all()
    assert enclosed(found)[1] == 2
    np.testing.assert_allclose(found, 255 * (1 - np.clip(1 - abs(away - 20), 0, 1)), atol=60)


def test_hidden_lines_are_cut() -> None:
    far, near = sheet(8, 10, 40, 30, y=0.3), sheet(25.5, 20.25, 50, 45, y=-0.3)
    found = line_art(concatenate([far, near]))
    seen = [(25.5, 30.0), (8.0, 30.0), (8.0, 10.0), (40.0, 10.0), (40.0, 20.25)]
    np.testing.assert_allclose(found, expected([rectangle(25.5, 20.25, 50, 45), seen]), atol=ROUNDING)


def test_intersections_have_lines() -> None:
    """A board that is turned about the upright line at column 30.3 in another: they have no edge there."""
    flat, turned = sheet(8, 10, 46, 44), sheet(12, 14, 50, 40)
    at = (30.3 - SIZE / 2) / 40
    vertices = turned.vertices.copy()
    vertices[:, 1] = 0.5 * (at - vertices[:, 0])
    mesh = concatenate([replace(flat, materials=(Material("a"),)), turned.with_vertices(vertices)])
    lines, seen, features = lines_of(mesh)
    picture = draw_lines(lines, SIZE, 1.0)
    assert uncovered(picture, seen, features.region) == (0, uncovered(picture, seen, features.region)[1])
    within = (lines.vertices < 0).all(axis=1)
    assert within.sum() > 20
    # Where they cross is known to a fraction of a pixel.
    row = lines.places[..., 1]
    inner = lines.places[within & ((row > 15) & (row < 39)).all(axis=1)]
    np.testing.assert_allclose(inner[..., 0], 30.3, atol=0.02)


def test_region_and_material_borders() -> None:
    """Two triangles of one board: whatever differs between them, there is a line along their common side."""
    board = sheet(10, 10, 44, 44)
    diagonal = expected([rectangle(10, 10, 44, 44), [(10.0, 10.0), (44.0, 44.0)]])
    seen = seen_in(board, Camera(0.0, SIZE))
    by_region = visible_lines(seen, feature_edges(board, np.array([0, 1], np.int32)))
    np.testing.assert_allclose(draw_lines(by_region, SIZE, 1.0), diagonal, atol=ROUNDING)
    two = replace(board, materials=(Material("a"), Material("b")), face_material=np.array([0, 1], np.int32))
    by_material = visible_lines(seen, feature_edges(two, np.zeros(2, np.int32)))
    np.testing.assert_array_equal(by_material.places, by_region.places)
    neither = visible_lines(seen, feature_edges(board, np.zeros(2, np.int32)))
    border = expected([rectangle(10, 10, 44, 44)])
    np.testing.assert_allclose(draw_lines(neither, SIZE, 1.0), border, atol=ROUNDING)


def test_cutouts_are_outlined() -> None:
    """A board of which a texture leaves a disc: nothing is drawn around the board, all around the disc."""
    row, column = np.indices((128, 128)) + 0.5
    texels = np.full((128, 128, 4), 255, np.uint8)
    texels[..., 3] = 255 * (np.hypot(row - 64, column - 64) < 40)
    leaf = Material("leaf", texture=Texture(texels, wrap=("clamp", "clamp")), alpha_mode="mask")
    lines, seen, _ = lines_of(sheet(2, 2, 52, 52, material=leaf))
    picture = draw_lines(lines, SIZE, 1.0)
    assert leaks(picture, seen) == 0
    row, column = np.indices(picture.shape) + 0.5
    away = np.hypot(row - 27, column - 27)
    assert (picture[abs(away - 40 * 50 / 128) > 2] == 255).all()
    assert enclosed(picture)[1] == 2


def test_no_edges_no_lines() -> None:
    point = mesh_of([[0, 0, 0]] * 3, [[0, 1, 2]])
    away = box((5, 0, 0), (0.1, 0.1, 0.1))
    for mesh in (point, away):
        lines, _, _ = lines_of(mesh)
        assert lines.places.shape == (0, 2, 2) and lines.vertices.shape == (0, 2)
        assert (draw_lines(lines, SIZE, 1.0) == 255).all()


WHITE, BLACK = 255, 0


def paper(*shape: int) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.uint8]]:
    """White paper with nothing on it: lines, regions and mask."""
    return np.full(shape, WHITE, np.uint8), np.full(shape, -1, np.int32), np.zeros(shape, np.uint8)


def ring() -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.uint8]]:
    """An outlined square of region 0 with a hole; region 3 in its lower half, without a line between."""
    line, label, mask = paper(20, 20)
    label[2:18, 2:18], label[11:18, 10:18], label[6:9, 6:9] = 0, 3, -1
    mask[label >= 0] = 255
    line[2:18, [2, 17]] = line[[2, 17], 2:18] = line[5:10, [5, 9]] = line[[5, 9], 5:10] = BLACK
    return line, label, mask


def test_segment_numbers_in_reading_order() -> None:
    line, label, mask = ring()
    seg = segments(line, label, mask)
    assert seg.dtype == np.int32
    assert (seg[line == BLACK] == 0).all()
    assert (seg[[0, 19]] == 1).all()
    assert (seg[6:9, 6:9] == 1).all()
    assert (seg[3, 3:17] == 2).all()
    assert (seg[12:17, 10:17] == 3).all()
    assert np.unique(seg).tolist() == [0, 1, 2, 3]


def test_empty_frame_is_background() -> None:
    seg = segments(*paper(5, 7))
    assert (seg == 1).all()
    found = contents(seg, paper(5, 7)[1], np.empty((0, 3), np.uint8))
    assert (found.region.tolist(), found.pixels.tolist()) == ([-1, -1], [0, 35])
    assert found.colors.tolist() == [[0] * 4] * 2
    flow, unmatched = np.zeros((5, 7, 2), np.float32), np.ones((5, 7), np.bool_)
    assert art.matching(seg, paper(5, 7)[1], seg, paper(5, 7)[1], flow, unmatched).tolist() == [0, 1]


def test_segment_contents() -> None:
    line, label, mask = ring()
    palette = np.array([[10, 20, 30], [0, 0, 0], [0, 0, 0], [200, 100, 50]], np.uint8)
    seg = segments(line, label, mask)
    found = contents(seg, label, palette)
    assert found.region.tolist() == [-1, -1, 0, 3]
    assert found.pixels.tolist() == [int((seg == k).sum()) for k in range(4)]
    assert found.colors.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [10, 20, 30, 255], [200, 100, 50, 255]]
    label[3, 3:6] = 3
    assert contents(seg, label, palette).region.tolist() == [-1, -1, 0, 3]


def figure(shift: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Segments and regions of three outlined boxes, one of region 0 and two of region 1, moved."""
    line, label, mask = paper(20, 40)
    for left, region in ((2, 0), (10, 1), (22, 1)):
        label[4:14, left + shift : left + shift + 8] = region
        line[4:14, [left + shift, left + shift + 7]] = line[[4, 13], left + shift : left + shift + 8] = BLACK
    mask[label >= 0] = 255
    return segments(line, label, mask), label


def test_segments_match_by_points() -> None:
    (seg, label), (later, later_label) = figure(0), figure(5)
    flow = np.zeros((20, 40, 2), np.float32)
    flow[..., 0] = 5
    unmatched = label < 0
    assert art.matching(seg, label, later, later_label, flow, unmatched).tolist() == [0, 1, 2, 3, 4]
    assert art.matching(later, later_label, seg, label, -flow, later_label < 0).tolist() == [0, 1, 2, 3, 4]
    unmatched[seg == 3] = True
    assert art.matching(seg, label, later, later_label, flow, unmatched).tolist() == [0, 1, 2, -1, 4]


def test_segments_match_within_regions() -> None:
    (seg, label), (later, later_label) = figure(0), figure(0)
    flow = np.zeros((20, 40, 2), np.float32)
    flow[..., 0] = 8
    assert art.matching(seg, label, later, later_label, flow, label < 0).tolist() == [0, 1, -1, 4, -1]
    assert art.matching(seg, label, later, later_label, flow + 100, label < 0).tolist() == [0, 1, -1, -1, -1]


REAL = [f"animated/{name}.glb" for name in ("animal_fox", "mech_george", "woman_witch")]


@pytest.mark.parametrize("name", ["kaykit/Knight.glb", *REAL])
def test_real_characters_do_not_leak(characters_dir: Path, name: str) -> None:
    mesh, _ = in_frame(read_character(Entry("one", "gltf", characters_dir / name)), BuildConfig())
    found = regions(mesh)
    by_part, by_region = feature_edges(mesh, parts(mesh)), feature_edges(mesh, found.of_face)
    for yaw, size in ((0.0, 96), (75.0, 160), (200.0, 256)):
        seen = seen_in(mesh, Camera(yaw, size))
        for width in (1.0, 2.0):
            picture = draw_lines(visible_lines(seen, by_part), size, width)
            assert leaks(picture, seen) == 0
            bare, total = uncovered(picture, seen, by_part.region)
            # Specks, which have no line around them.
            assert bare <= 0.002 * total
            astray, held = scenes.mixed(picture, seen, by_part.region)
            assert astray <= 0.001 * held
    label = np.where(seen.face >= 0, found.of_face[seen.face], -1).astype(np.int32)
    line = draw_lines(visible_lines(seen, by_region), size, 1.0)
    seg = segments(line, label, np.where(label >= 0, 255, 0).astype(np.uint8))
    inside = contents(seg, label, found.colors)
    assert len(inside.region) > 12 and (inside.pixels[2:] >= 4).all()
    right = np.bincount(seg.ravel(), inside.region[seg].ravel() == label.ravel(), len(inside.region))
    assert (right[2:] >= 0.98 * inside.pixels[2:]).all()
    flow = np.zeros((*seg.shape, 2), np.float32)
    assert art.matching(seg, label, seg, label, flow, label < 0).tolist() == list(range(len(inside.region)))


def strokes_of(mesh: Mesh, yaw: float = 0.0, size: int = SIZE, most: int = 3050, frame: int = 0) -> Strokes:
    return strokes(lines_of(mesh, yaw, size)[0], vertex_ranks(mesh), frame, most)


def check(found: Strokes, most: int) -> None:
    assert len(found.points) == len(found.places) <= most
    assert len(np.unique(found.points)) == len(found.points)
    assert (found.joined[:, 0] < found.joined[:, 1]).all()
    assert len(np.unique(found.joined, axis=0)) == len(found.joined)
    neighbours = found.neighbours()
    assert all(neighbours)
    assert all(point in neighbours[other] for point, others in enumerate(neighbours) for other in others)


def test_box_points_are_corners() -> None:
    """From its corner: six corners around, two ends of the edge in the middle, and no diagonals."""
    mesh = box((0, 0, 0), (0.25, 0.25, 0.325))
    found = strokes_of(mesh, yaw=45.0)
    check(found, 8)
    half = 10 * math.sqrt(2)
    places = sorted((round(x, 1), round(y, 1)) for x, y in found.places.tolist())
    assert places == [(round(x, 1), y) for x in (27 - half, 27.0, 27 + half) for y in (14.0, 40.0)]
    assert sorted(map(len, found.neighbours())) == [2, 2, 2, 2, 3, 3]
    corners = mesh.vertices[found.points]
    np.testing.assert_allclose(found.places[:, 1], 27 - 40 * corners[:, 2], atol=0.01)


def test_point_numbers_follow_surface() -> None:
    """Of two frames those points match that are the same vertex, wherever it went; ends of cuts do not."""
    near = box((0.15, -0.3, 0.1), (0.1, 0.05, 0.2), BLUE)
    still = concatenate([box((0, 0, 0), (0.2, 0.2, 0.2), RED), near])
    there = still.with_vertices(still.vertices + np.array([0.05, 0, 0.03], np.float32))
    count = len(still.vertices)
    one, other = strokes_of(still, yaw=20.0, frame=0), strokes_of(there, yaw=20.0, frame=1)
    both = np.intersect1d(one.points, other.points)
    assert (both < count).all() and (one.points >= count).any() and (other.points >= count).any()
    np.testing.assert_array_equal(both, np.sort(one.points[one.points < count]))
    moves = other.places[np.searchsorted(other.points, both)] - one.places[np.searchsorted(one.points, both)]
    np.testing.assert_allclose(moves, np.broadcast_to(moves[0], moves.shape), atol=0.02)


def test_separate_parts_have_own_points() -> None:
    """Of two sheets that touch at rest one goes aside: every corner is a point, and where its vertex is."""
    red, blue = (Material(base_color=color) for color in (RED, BLUE))
    still = concatenate([sheet(7, 14, 27, 40, material=red), sheet(27, 14, 37, 40, material=blue)])
    features = feature_edges(still, still.face_material, bound=np.repeat(np.arange(2, dtype=np.int32), 4))
    camera = Camera(0.0, SIZE)
    moves = np.repeat(np.array([[0, 0, 0], [0.1, 0, 0.05]], np.float32), 4, axis=0)
    there = still.with_vertices(still.vertices + moves)
    found = strokes(visible_lines(seen_in(there, camera), features), vertex_ranks(still))
    vertices = found.points < len(still.vertices)
    assert found.points[vertices].tolist() == list(range(8))
    np.testing.assert_allclose(found.places[vertices], camera.project(there.vertices)[:, :2], atol=0.01)


@pytest.mark.parametrize("most", [120, 60, 12])
def test_points_are_bounded_and_stable(most: int) -> None:
    mesh = concatenate([sphere(0.3, 96, 192), box((0.1, -0.4, 0), (0.2, 0.05, 0.2), BLUE)])
    moved = mesh.with_vertices(mesh.vertices + np.float32(0.01))
    one, other = strokes_of(mesh, 10.0, 256, most, 0), strokes_of(moved, 10.0, 256, most, 1)
    assert len(strokes_of(mesh, 10.0, 256).points) > 150
    for found in (one, other):
        check(found, most)
        assert len(found.points) > most // 2
    vertices = one.points < len(mesh.vertices)
    assert np.isin(one.points[vertices], other.points).mean() > 0.9


def test_closed_line_stays_closed() -> None:
    turn = 2 * np.pi * np.arange(200) / 200
    ring = 50 + 40 * np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)
    lines = art.Lines(np.stack([ring, np.roll(ring, -1, axis=0)], axis=1), np.full((200, 2), -1, np.int32))
    found = strokes(lines, np.arange(10, dtype=np.int32), frame=2)
    check(found, 40)
    assert len(found.points) > 8
    assert all(len(each) == 2 for each in found.neighbours())
    assert found.points.min() == 10 + 2 * 3050


def test_loose_ends_join_nearest() -> None:
    """Pieces that end a pixel from another's vertex are joined to it, one that ends farther away is not."""
    places = [[(0, 0), (10, 0)], [(20, 8), (11, 0)], [(20, -8), (10, 1)], [(40, 40), (10, -2)]]
    lines = art.Lines(np.array(places, np.float32), np.array([[0, 1], [2, -1], [3, -1], [4, -1]], np.int32))
    found = strokes(lines, np.arange(5, dtype=np.int32))
    assert found.points.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.neighbours()[1] == [0, 2, 3]


def test_ranks_cover_surface() -> None:
    """Beside a coarse mesh a fine one's first ranks are spread by area; vertices at one place are one."""
    fine = sphere(0.1, 48, 96, centre=(-0.3, 0, 0))
    mesh = concatenate([fine, sphere(0.1, 6, 8, centre=(0.3, 0, 0)), sheet(2, 2, 10, 10)])
    ranks = vertex_ranks(mesh)
    assert sorted(ranks.tolist()) == list(range(len(mesh.vertices)))
    first = np.argsort(ranks)[:40]
    on_fine = first < len(fine.vertices)
    assert 10 < np.count_nonzero(on_fine) < 30
    twice = replace(mesh, vertices=np.concatenate([mesh.vertices] * 2))
    np.testing.assert_array_equal(np.argsort(vertex_ranks(twice))[:40], first)


def test_real_character_keeps_points(characters_dir: Path) -> None:
    actor, frames = scenes.running(characters_dir / "animated/mech_george.glb", 4, 256)
    mesh, before = actor.mesh, None
    features, ranks = feature_edges(mesh, parts(mesh)), vertex_ranks(mesh)
    for k, layers in enumerate(frames):
        assert layers.seen is not None
        found = strokes(visible_lines(layers.seen, features), ranks, k, 700)
        check(found, 700)
        known = found.points < len(mesh.vertices)
        places = layers.seen.screen[found.points[known]] / 256
        np.testing.assert_allclose(found.places[known], places, atol=1e-3)
        if before is not None:
            assert np.isin(before[before < len(mesh.vertices)], found.points).mean() > 0.6
        before = found.points
