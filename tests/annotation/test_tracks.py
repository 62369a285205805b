"""Points that are followed: spread evenly, found again as exactly as they are drawn, hidden where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from specsia_build.annotation.tracks import Points, chosen, flow, points_at, tracked
from specsia_build.rendering.mesh import concatenate
from specsia_build.rendering.seen import Seen
from tests.annotation.scenes import SIZE, boards, cube, lies_open, moved, running, seen, turned
from tests.rendering.scenes import soup, sphere


class Tracks:
    """N points in T frames: places (T, N, 2), and whether they are visible (T, N)."""

    def __init__(self, points: Points, frames: list[Seen], rest: NDArray[np.float32]) -> None:
        found = np.array([tracked(points, view, rest) for view in frames])
        assert found.shape == (len(frames), len(points.face), 3)
        assert found.dtype == np.float32
        assert np.isin(found[..., 2], (0, 1)).all()
        self.places, self.visible = found[..., :2], found[..., 2] == 1


def test_points_follow_a_surface_out_of_the_frame_and_back() -> None:
    mesh = boards((-10, 10, -10, 10, 0.0))
    steps = [0, 3, 14.5, 60, -100, 0]
    frames = [seen(moved(mesh, step, -step / 2)) for step in steps]
    points = chosen(frames[0], 12)
    found = Tracks(points, frames, mesh.vertices)
    assert found.places.shape == (6, 12, 2)
    moves = np.array([[step, -step / 2] for step in steps])
    np.testing.assert_allclose(found.places - found.places[0], np.repeat(moves[:, None], 12, axis=1), atol=1e-2)
    np.testing.assert_array_equal(found.visible.all(axis=1), [True, True, True, False, False, True])
    np.testing.assert_array_equal(found.visible, ((found.places >= 0) & (found.places < SIZE)).all(axis=2))


def test_points_are_hidden_while_something_is_in_front_of_them() -> None:
    mesh = concatenate([boards((-20, 20, -20, 20, 0.0)), cube(5, (-40, -20, 0))])
    frames = [seen(moved(mesh, step, 0, vertices=slice(4, 12))) for step in range(0, 80, 8)]
    points = chosen(frames[0], 40)
    found = Tracks(points, frames, mesh.vertices)
    assert (found.places == found.places[0]).all()
    for k, visible in enumerate(found.visible):
        x, y = np.abs(found.places[k] - (-8 + 8 * k, 32)).T
        far = np.maximum(x, y)
        assert visible[far > 5.8].all() and not visible[far < 4.2].any()


def test_points_are_spread_evenly_and_more_of_them_begin_with_the_same() -> None:
    mesh = sphere(0.4)
    view = seen(mesh)
    few, many = chosen(view, 20), chosen(view, 80)
    np.testing.assert_array_equal(many.face[:20], few.face)
    places = tracked(many, view, mesh.vertices)[:, :2]
    np.testing.assert_allclose(places, np.floor(places) + 0.5, atol=1e-3)
    even = np.sqrt((view.face >= 0).sum() / 80)
    assert pdist(places).min() > 0.6 * even
    rest = np.argwhere(view.face >= 0) + 0.5
    gaps = np.linalg.norm(rest[:, None, ::-1] - places, axis=2).min(axis=1)
    assert gaps.max() < 1.2 * even + 2


@given(seed=st.integers(0, 1000), degrees=st.floats(-60, 60))
@settings(max_examples=10)
def test_tracks_between_two_frames_are_their_flow(seed: int, degrees: float) -> None:
    mesh = soup(seed, 30, 0.3)
    here, there = seen(mesh), seen(turned(mesh, degrees))
    pixels = np.flatnonzero(here.face >= 0)
    points = points_at(here, pixels)
    found, through = flow(here, there, mesh.vertices), Tracks(points, [here, there], mesh.vertices)
    assert through.visible[0].all()
    moved_by = through.places[1] - through.places[0]
    np.testing.assert_allclose(moved_by, found.pixels.reshape(-1, 2)[pixels], atol=1e-4)
    np.testing.assert_array_equal(through.visible[1], ~found.unmatched.reshape(-1)[pixels])


def test_points_of_a_running_character(characters_dir: Path) -> None:
    actor, layers = running(characters_dir / "animated" / "woman_witch.glb", frames=5)
    frames = [one.seen for one in layers if one.seen is not None]
    points = chosen(frames[2], 50)
    found = Tracks(points, frames, actor.mesh.vertices)
    assert found.visible[2].all() and found.visible.mean() > 0.6
    at = np.floor(found.places[2]).astype(int)[:, ::-1]
    for k, frame in enumerate(frames):
        places = frames[2].values(frame.screen / 256)[tuple(at.T)]
        np.testing.assert_allclose(found.places[k], places, atol=1e-3)
        assert np.mean(found.visible[k] == lies_open(frames[2], frame, at)) >= 0.96
