"""Points that are followed: spread evenly, found again as exactly as they are drawn, hidden where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from specsia_build.annotation.flow import flow
from specsia_build.annotation.tracks import chosen, points_at, tracks
from specsia_build.rendering.mesh import concatenate
from tests.annotation.views import SIZE, boards, cube, lies_open, moved, running, seen, turned
from tests.rendering.scenes import soup, sphere


def test_points_follow_a_surface_out_of_the_frame_and_back() -> None:
    mesh = boards((-10, 10, -10, 10, 0.0))
    steps = [0, 3, 14.5, 60, -100, 0]
    frames = [seen(moved(mesh, step, -step / 2)) for step in steps]
    points = chosen(frames[0], 12)
    found = tracks(points, frames, mesh.vertices)
    assert found.places.shape == (6, 12, 2) and found.places.dtype == np.float32
    assert found.visible.shape == (6, 12) and found.visible.dtype == np.bool_
    moves = np.array([[step, -step / 2] for step in steps])
    np.testing.assert_allclose(found.places - found.places[0], np.repeat(moves[:, None], 12, axis=1), atol=1e-2)
    np.testing.assert_array_equal(found.visible.all(axis=1), [True, True, True, False, False, True])
    np.testing.assert_array_equal(found.visible, ((found.places >= 0) & (found.places < SIZE)).all(axis=2))


def test_points_are_hidden_while_something_is_in_front_of_them() -> None:
    mesh = concatenate([boards((-20, 20, -20, 20, 0.0)), cube(5, (-40, -20, 0))])
    frames = [seen(moved(mesh, step, 0, vertices=slice(4, 12))) for step in range(0, 80, 8)]
    points = chosen(frames[0], 40)
    found = tracks(points, frames, mesh.vertices)
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
    np.testing.assert_array_equal(chosen(view, 80).places(view), many.places(view))
    places = many.places(view)
    np.testing.assert_allclose(places, np.floor(places) + 0.5, atol=1e-3)
    even = np.sqrt((view.face >= 0).sum() / 80)
    assert pdist(places).min() > 0.6 * even
    rest = np.argwhere(view.face >= 0) + 0.5
    gaps = np.linalg.norm(rest[:, None, ::-1] - places, axis=2).min(axis=1)
    assert gaps.max() < 1.2 * even + 2


def test_a_frame_gives_as_many_points_as_it_has_pixels() -> None:
    mesh = boards((-1, 1, -1, 2, 0.0))
    assert len(chosen(seen(mesh), 100).face) == 6
    gone = seen(moved(mesh, 500, 0))
    nothing = chosen(gone, 100)
    found = tracks(nothing, [gone, seen(mesh)], mesh.vertices)
    assert found.places.shape == (2, 0, 2) and found.visible.shape == (2, 0)
    assert tracks(chosen(seen(mesh), 4), [], mesh.vertices).places.shape == (0, 4, 2)


def test_a_sliver_of_a_figure_has_points_too() -> None:
    mesh = boards((-20, 20, 0.2, 0.4, 0.0))
    points = chosen(seen(mesh), 5)
    assert len(points.face) == 5
    assert tracks(points, [seen(mesh)], mesh.vertices).visible.all()


@given(seed=st.integers(0, 1000), degrees=st.floats(-60, 60))
@settings(max_examples=10)
def test_tracks_between_two_frames_are_their_flow(seed: int, degrees: float) -> None:
    mesh = soup(seed, 30, 0.3)
    here, there = seen(mesh), seen(turned(mesh, degrees))
    pixels = np.flatnonzero(here.face >= 0)
    points = points_at(here, pixels)
    found, through = flow(here, there, mesh.vertices), tracks(points, [here, there], mesh.vertices)
    assert through.visible[0].all()
    moved_by = through.places[1] - through.places[0]
    np.testing.assert_allclose(moved_by, found.pixels.reshape(-1, 2)[pixels], atol=1e-4)
    np.testing.assert_array_equal(through.visible[1], ~found.unmatched.reshape(-1)[pixels])


def test_points_of_a_running_character(characters_dir: Path) -> None:
    actor, layers = running(characters_dir / "animated" / "woman_witch.glb", frames=5)
    frames = [one.seen for one in layers if one.seen is not None]
    points = chosen(frames[2], 50)
    found = tracks(points, frames, actor.mesh.vertices)
    assert found.visible[2].all() and found.visible.mean() > 0.6
    at = np.floor(found.places[2]).astype(int)[:, ::-1]
    for k, frame in enumerate(frames):
        places = frames[2].values(frame.screen / 256)[tuple(at.T)]
        np.testing.assert_allclose(found.places[k], places, atol=1e-3)
        assert np.mean(found.visible[k] == lies_open(frames[2], frame, at)) >= 0.96
