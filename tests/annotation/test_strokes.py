"""Lines as graphs: places and numbers are those of the mesh, bounded, unique in a frame and the same in all."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from specsia_build.annotation.lines import Lines, feature_edges, visible_lines
from specsia_build.annotation.strokes import Strokes, strokes, vertex_ranks
from specsia_build.frame import Camera
from specsia_build.rendering.mesh import Material, Mesh, concatenate
from tests.annotation.scenes import lines_of, parts, running
from tests.annotation.scenes import seen as seen_in
from tests.rendering.scenes import BLUE, RED, SIZE, box, sheet, sphere


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


def test_a_box_is_its_corners() -> None:
    """Seen from its corner: six corners around and the two ends of the edge in the middle, diagonals left out."""
    mesh = box((0, 0, 0), (0.25, 0.25, 0.325))
    found = strokes_of(mesh, yaw=45.0)
    check(found, 8)
    half = 10 * math.sqrt(2)
    places = sorted((round(x, 1), round(y, 1)) for x, y in found.places.tolist())
    assert places == [(round(x, 1), y) for x in (27 - half, 27.0, 27 + half) for y in (14.0, 40.0)]
    assert sorted(map(len, found.neighbours())) == [2, 2, 2, 2, 3, 3]
    corners = mesh.vertices[found.points]
    np.testing.assert_allclose(found.places[:, 1], 27 - 40 * corners[:, 2], atol=0.01)


def test_numbers_stay_with_the_surface() -> None:
    """Of two frames, those points match that are the same vertex, wherever it went; where a line is cut none does."""
    still = concatenate([box((0, 0, 0), (0.2, 0.2, 0.2), RED), box((0.15, -0.3, 0.1), (0.1, 0.05, 0.2), BLUE)])
    there = still.with_vertices(still.vertices + np.array([0.05, 0, 0.03], np.float32))
    count = len(still.vertices)
    one, other = strokes_of(still, yaw=20.0, frame=0), strokes_of(there, yaw=20.0, frame=1)
    both = np.intersect1d(one.points, other.points)
    assert (both < count).all() and (one.points >= count).any() and (other.points >= count).any()
    np.testing.assert_array_equal(both, np.sort(one.points[one.points < count]))
    moves = other.places[np.searchsorted(other.points, both)] - one.places[np.searchsorted(one.points, both)]
    np.testing.assert_allclose(moves, np.broadcast_to(moves[0], moves.shape), atol=0.02)


def test_what_moves_apart_has_points_of_its_own() -> None:
    """Of two sheets that touch at rest one goes aside: every corner is a point, and where its vertex is."""
    red, blue = (Material(base_color=color) for color in (RED, BLUE))
    still = concatenate([sheet(7, 14, 27, 40, material=red), sheet(27, 14, 37, 40, material=blue)])
    features = feature_edges(still, still.face_material, bound=np.repeat(np.arange(2, dtype=np.int32), 4))
    camera = Camera(0.0, SIZE)
    there = still.with_vertices(still.vertices + np.repeat([[0, 0, 0], [0.1, 0, 0.05]], 4, axis=0).astype(np.float32))
    found = strokes(visible_lines(seen_in(there, camera), features), vertex_ranks(still))
    vertices = found.points < len(still.vertices)
    assert found.points[vertices].tolist() == list(range(8))
    np.testing.assert_allclose(found.places[vertices], camera.project(there.vertices)[:, :2], atol=0.01)


@pytest.mark.parametrize("most", [120, 60, 12])
def test_points_are_bounded_and_neighbouring_frames_keep_the_same(most: int) -> None:
    mesh = concatenate([sphere(0.3, 96, 192), box((0.1, -0.4, 0), (0.2, 0.05, 0.2), BLUE)])
    moved = mesh.with_vertices(mesh.vertices + np.float32(0.01))
    one, other = strokes_of(mesh, 10.0, 256, most, 0), strokes_of(moved, 10.0, 256, most, 1)
    assert len(strokes_of(mesh, 10.0, 256).points) > 150
    for found in (one, other):
        check(found, most)
        assert len(found.points) > most // 2
    vertices = one.points < len(mesh.vertices)
    assert np.isin(one.points[vertices], other.points).mean() > 0.9


def test_a_closed_line_without_vertices_stays_closed() -> None:
    turn = 2 * np.pi * np.arange(200) / 200
    ring = 50 + 40 * np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)
    lines = Lines(np.stack([ring, np.roll(ring, -1, axis=0)], axis=1), np.full((200, 2), -1, np.int32))
    found = strokes(lines, np.arange(10, dtype=np.int32), frame=2)
    check(found, 40)
    assert len(found.points) > 8
    assert all(len(each) == 2 for each in found.neighbours())
    assert found.points.min() == 10 + 2 * 3050


def test_loose_ends_are_joined_to_what_is_near() -> None:
    """Two pieces that end a pixel from a third's vertex are joined to it, one that ends farther away is not."""
    places = [[(0, 0), (10, 0)], [(20, 8), (11, 0)], [(20, -8), (10, 1)], [(40, 40), (10, -2)]]
    lines = Lines(np.array(places, np.float32), np.array([[0, 1], [2, -1], [3, -1], [4, -1]], np.int32))
    found = strokes(lines, np.arange(5, dtype=np.int32))
    assert found.points.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.neighbours()[1] == [0, 2, 3]


def test_ranks_spread_over_the_surface() -> None:
    """Of a fine sheet beside a coarse one the first ranks are spread by area, and vertices at one place are one."""
    fine = sphere(0.1, 48, 96, centre=(-0.3, 0, 0))
    mesh = concatenate([fine, sphere(0.1, 6, 8, centre=(0.3, 0, 0)), sheet(2, 2, 10, 10)])
    ranks = vertex_ranks(mesh)
    assert sorted(ranks.tolist()) == list(range(len(mesh.vertices)))
    first = np.argsort(ranks)[:40]
    on_fine = first < len(fine.vertices)
    assert 10 < np.count_nonzero(on_fine) < 30
    twice = replace(mesh, vertices=np.concatenate([mesh.vertices] * 2))
    np.testing.assert_array_equal(np.argsort(vertex_ranks(twice))[:40], first)


def test_a_real_character_keeps_its_points(characters_dir: Path) -> None:
    actor, frames = running(characters_dir / "animated/mech_george.glb", 4, 256)
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
