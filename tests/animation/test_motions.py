"""Poses, transforms, built-in motions, and skin weights carried onto other surfaces."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from specsia_build.animation.carry import INFLUENCES, carried
from specsia_build.animation.motion import TRANSLATION, Motion, Track, poses
from specsia_build.animation.rig import Morph, Rig
from specsia_build.animation.skeleton import composed, decomposed, rotation_between
from specsia_build.characters.motions import BUILT_IN, built_in
from specsia_build.errors import CharacterError
from specsia_build.frame import up_rotation
from specsia_build.rendering.mesh import Mesh, concatenate, flat_normals
from tests.animation.people import posed, skeleton_of, two_joints
from tests.rendering.scenes import mesh_of, net


def arm() -> tuple[Mesh, Rig]:
    """Two triangles, one at each of two joints of an arm along x, the second joint at x = 1."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [2, 0, 0], [1, 1, 0]], np.float32)
    mesh = mesh_of(vertices, [[0, 1, 2], [3, 4, 5]])
    rig = two_joints(vertices, np.repeat([0.0, 1.0], 3), (1, 0, 0))
    rise = Morph(1, 0, np.array([4], np.int32), np.array([[0, 0, 0.5]], np.float32))
    return mesh, replace(rig, morphs=(rise,))


def about_z(degrees: float) -> list[float]:
    half = np.deg2rad(degrees) / 2
    return [0.0, 0.0, float(np.sin(half)), float(np.cos(half))]


def bending(values: list[Any], times: list[float], way: Any = "LINEAR", path: Any = "rotation") -> Motion:
    track = Track(1, path, np.array(times, float), np.array(values, float), way)
    return Motion("bend", (track,), times[0], times[-1])


def test_rest_pose_and_placement() -> None:
    mesh, rig = arm()
    still = posed(mesh, rig, None, 0.0)
    np.testing.assert_allclose(still.vertices, mesh.vertices)
    assert still.rest is not None and (still.rest == mesh.vertices).all()
    lift = np.diag([2.0, 2, 2, 1])
    lift[2, 3] = 1
    np.testing.assert_allclose(posed(mesh, rig.placed(lift), None, 0).vertices, 2 * mesh.vertices + [0, 0, 1])


@pytest.mark.parametrize(("interpolation", "degrees"), [("LINEAR", 45.0), ("STEP", 0.0)])
def test_elbow_moves_vertices_below(interpolation: str, degrees: float) -> None:
    mesh, rig = arm()
    bent = posed(mesh, rig, bending([about_z(0), about_z(90)], [0, 1], interpolation), 0.5)
    radians = np.deg2rad(degrees)
    np.testing.assert_allclose(bent.vertices[4], [1 + np.cos(radians), np.sin(radians), 0], atol=1e-6)
    np.testing.assert_allclose(bent.vertices[:3], mesh.vertices[:3])


def test_times_in_single_precision() -> None:
    """Rounding hides no step for a frame, and repeats no first frame of a loop as the last."""
    mesh, rig = arm()
    times = (np.arange(25, dtype=np.float32) / np.float32(24)).astype(float).tolist()
    motion = bending([[k, 0, 0] for k in range(25)], times, "STEP", "translation")
    seen = [posed(mesh, rig, motion, time).vertices[3, 0] for time in motion.times(24)]
    np.testing.assert_allclose(seen, range(24))
    assert len(Motion("loop", (), 0.0, float(np.float32(4 / 3))).times(30)) == 40


def test_spline_through_keys_and_tangents() -> None:
    mesh, rig = arm()
    values = [[[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 0, 0], [3, 0, 0], [0, 0, 0]]]
    motion = bending(values, [0, 2], "CUBICSPLINE", "translation")
    # At the middle: (1 + 3) / 2 + span 2 · (leaving 2 / 8 − coming 0) = 2.5.
    np.testing.assert_allclose(posed(mesh, rig, motion, 1.0).vertices[3], [2.5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(posed(mesh, rig, motion, 9.0).vertices[3], [3, 0, 0], atol=1e-6)


@given(st.floats(-180, 180), st.floats(-180, 180), st.floats(0, 1))
def test_rotations_take_shorter_arc(first: float, second: float, share: float) -> None:
    mesh, rig = arm()
    motion = bending([about_z(first), about_z(second)], [0, 1])
    turned = posed(mesh, rig, motion, share).vertices[4] - [1, 0, 0]
    way = (second - first + 180) % 360 - 180
    if abs(abs(way) - 180) > 1e-3:
        expected = np.deg2rad(first + share * way)
        np.testing.assert_allclose(turned, [np.cos(expected), np.sin(expected), 0], atol=1e-5)


@given(arrays(np.float64, (2, 3), elements=st.integers(-2, 2).map(float)), st.sampled_from([1e-3, 1.0, 1e6]))
def test_rotation_between_directions(directions: NDArray[np.float64], length: float) -> None:
    """The goal is reached, also by half a turn, and what is at right angles to both stays."""
    start, end = directions
    turn = rotation_between(start * length, end)
    assert_allclose([turn @ turn.T, np.linalg.det(turn) * np.eye(3)], [np.eye(3)] * 2, atol=1e-9)
    if start.any() and end.any():
        assert_allclose(turn @ start / np.linalg.norm(start), end / np.linalg.norm(end), atol=1e-9)
        assert_allclose(turn @ np.cross(start, end), np.cross(start, end), atol=1e-9)
    else:
        assert (turn == np.eye(3)).all()
    # Rounding is no direction.
    assert (rotation_between(start * 1e-12, end) == np.eye(3)).all()


def test_morph_weights_are_local() -> None:
    mesh, rig = arm()
    moved = posed(mesh, rig, bending([[0.0], [1.0]], [0, 1], path="weights"), 0.5)
    np.testing.assert_allclose(moved.vertices[4] - mesh.vertices[4], [0, 0, 0.25])
    np.testing.assert_allclose(np.delete(moved.vertices, 4, axis=0), np.delete(mesh.vertices, 4, axis=0))


def test_mirrored_parts_keep_winding() -> None:
    mesh, rig = arm()
    mesh = Mesh(**{**vars(mesh), "normals": flat_normals(mesh)})
    mirrored = posed(mesh, rig, bending([[1, 1, 1], [1, 1, -1]], [0, 1], path="scale"), 1.0)
    assert mirrored.faces.tolist() == [[0, 1, 2], [3, 5, 4]]
    assert mirrored.normals is not None
    np.testing.assert_allclose(mirrored.normals[0], [[0, 0, 1]] * 3)
    np.testing.assert_allclose(mirrored.normals[1], [[0, 0, -1]] * 3)


def test_batched_poses_match_single_ones() -> None:
    _, rig = arm()
    motion = bending([about_z(0), about_z(80), about_z(-40)], [0, 1, 2])
    times = np.linspace(-1, 3, 9)
    together = poses(rig.skeleton, motion, times).worlds
    for k, time in enumerate(times):
        np.testing.assert_allclose(poses(rig.skeleton, motion, np.array([time])).worlds[0], together[k])


def test_dropped_vertices_drop_morphs() -> None:
    _, rig = arm()
    assert rig.of_vertices(np.array([1, 1, 1, 1, 0, 1], bool)).morphs == ()
    assert rig.of_vertices(np.array([0, 0, 0, 1, 1, 1], bool)).morphs[0].vertices.tolist() == [1]


_SCALES = st.floats(-3, 3).filter(lambda value: value == 0 or abs(value) > 1e-3)


@given(
    arrays(np.float64, (2, 3), elements=st.floats(-5, 5)),
    arrays(np.float64, (2, 4), elements=st.floats(-1, 1)),
    arrays(np.float64, (2, 3), elements=_SCALES),
)
def test_transform_round_trip(translations: np.ndarray, rotations: np.ndarray, scales: np.ndarray) -> None:
    matrices = composed(translations, rotations, scales)
    parts = decomposed(matrices)
    np.testing.assert_allclose(composed(*parts), matrices, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(parts[1], axis=-1), 1)


def test_nearest_rotation_of_a_shear() -> None:
    sheared = np.eye(4)
    sheared[0, 1] = 0.5
    translation, rotation, scale = decomposed(sheared)
    assert np.abs(composed(translation, rotation, scale) - sheared).max() < 0.3
    np.testing.assert_allclose(scale, (1, 1.25**0.5, 1))


FEET = ["leftFoot", "rightFoot"]


def motion(name: str) -> Motion:
    return next(gait for gait in built_in().motions if gait.name == name)


def places(name: str, *bones: str, at: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """(T, bones, 3) over a motion, Z up and facing -Y."""
    gait, file = motion(name), built_in()
    times = np.linspace(gait.start, gait.end, 61) if at is None else at
    nodes = [file.skeleton.names.index(bone) for bone in bones]
    return np.asarray(poses(file.skeleton, gait, times).worlds[..., :3, 3][:, nodes] @ up_rotation(file.up).T)


@pytest.mark.parametrize("name", BUILT_IN)
def test_loops_are_smooth(name: str) -> None:
    file, gait = built_in(), motion(name)
    worlds = poses(file.skeleton, gait, np.linspace(gait.start, gait.end, 200)).worlds
    hips = file.skeleton.names.index("hips")
    travelled = worlds[-1, hips, :3, 3] - worlds[0, hips, :3, 3]
    assert (np.linalg.norm(travelled) > 0.3) == (name in ("walk", "run"))
    assert_allclose(worlds[-1, :, :3, 3] - travelled, worlds[0, :, :3, 3], atol=1e-3)
    assert np.abs(np.diff(worlds[..., :3, 3], axis=0)).max() < 0.2
    assert {track.node for track in gait.tracks if track.path == TRANSLATION} == {hips}


def test_feet_on_the_ground() -> None:
    for name in BUILT_IN:
        assert places(name, *FEET)[..., 2].min() > 0.08 - 0.003
    ankle = places("walk", "leftFoot", at=np.linspace(0.0, 0.59, 20))[:, 0]
    assert_allclose(ankle, np.broadcast_to(ankle[0], ankle.shape), atol=0.004)
    assert places("walk", *FEET)[..., 2].min(axis=1).max() < 0.085
    assert places("run", *FEET)[..., 2].min(axis=1).max() > 0.1
    assert places("jump", *FEET)[..., 2].min(axis=1).max() > 0.3


BEND = bending([[0, 0, 0, 1.0], [0.5, 0, 0, 0.75**0.5]], [0, 1])
"""The upper joint turns by 60 degrees."""


def tube(
    low: float = 0.0, high: float = 1.0, radius: float = 0.1, rings: int = 21, sides: int = 16, x: float = 0.0
) -> Mesh:
    """An upright tube without caps, its outside wound counter-clockwise."""
    turn = np.arange(sides) * 2 * np.pi / sides
    heights = np.linspace(low, high, rings)
    circle = np.stack([x + radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    vertices = np.concatenate([np.column_stack([circle, np.full(sides, h)]) for h in heights])
    ring, place = np.divmod(net(rings, sides + 1), sides + 1)
    return mesh_of(vertices.astype(np.float32), ring * sides + place % sides)


def rigged(mesh: Mesh, upper: NDArray[np.floating], place: NDArray[np.float64] | None = None) -> Rig:
    """A joint at the ground and one half a unit above."""
    return two_joints(mesh.vertices, upper, (0, 0, 0.5), place)


def smooth(mesh: Mesh) -> NDArray[np.floating]:
    return np.asarray(np.clip((mesh.vertices[:, 2] - 0.4) / 0.2, 0, 1))


def apart(first: Mesh, second: Mesh) -> float:
    return float(np.abs(first.vertices - second.vertices).max())


def standing() -> tuple[Mesh, Rig]:
    """A tube that bends smoothly in its middle."""
    mesh = tube()
    return mesh, rigged(mesh, smooth(mesh))


@pytest.mark.parametrize(
    ("other", "most"),
    [(tube(), 1e-5), (tube(rings=57, sides=41, radius=0.102), 0.005)],
    ids=["itself", "another net"],
)
def test_same_surface_moves_alike(other: Mesh, most: float) -> None:
    new, how = carried(*standing(), other)
    assert apart(posed(other, new, None, 0), other) < 1e-6
    assert apart(posed(other, new, BEND, 1), posed(other, rigged(other, smooth(other)), BEND, 1)) < most
    assert (how.matched, how.inpainted, how.unmatched_pieces, how.warnings) == (1, 0, 0, ())


def test_missing_weights_interpolated() -> None:
    mesh = tube()
    ends = mesh.of_faces(np.abs(mesh.vertices[mesh.faces].mean(axis=1)[:, 2] - 0.5) > 0.2)
    new, how = carried(ends, rigged(mesh, (mesh.vertices[:, 2] > 0.5).astype(float)), mesh)
    upper = (new.weights * (new.slots == np.flatnonzero(new.nodes == 1)[0])).sum(axis=1)
    ring = upper.reshape(21, 16)
    assert how.inpainted > 0 and how.unmatched_pieces == 0
    assert (np.diff(ring.mean(axis=1)) > -1e-6).all() and 0.4 < ring[10].mean() < 0.6
    assert np.ptp(ring, axis=1).max() < 1e-3
    np.testing.assert_allclose(new.weights.sum(axis=1), 1, atol=1e-6)


def test_detached_piece_takes_nearest() -> None:
    mesh, rig = standing()
    crumb = tube(0.8, 0.9, 0.02, rings=3, sides=6, x=0.4)
    new, how = carried(mesh, rig, concatenate([mesh, crumb]))
    assert how.unmatched_pieces == 1 and how.warnings == ()
    assert (new.nodes[new.slots[len(mesh.vertices) :, 0]] == 1).all()
    _, how = carried(mesh, rig, tube(x=0.5))
    assert how.matched == 0 and how.unmatched_pieces == 1 and len(how.warnings) == 1


def test_rest_differs_from_bind_pose() -> None:
    mesh, rig = standing()
    rotations = np.array([[0, 0, 0, 1.0], [0.3, 0, 0, 0.91**0.5]])
    bent = replace(rig, skeleton=replace(rig.skeleton, rotations=rotations))
    rest = replace(posed(mesh, bent, None, 0), rest=None)
    new, _ = carried(rest, bent, rest)
    assert apart(posed(rest, new, None, 0), rest) < 1e-6
    assert apart(posed(rest, new, BEND, 1), posed(rest, bent, BEND, 1)) < 0.01


def test_opposite_joints_interpolate_near() -> None:
    mesh, rig = standing()
    half = np.array([0, 0, np.sin(1.55), np.cos(1.55)])
    turned = replace(rig, skeleton=replace(rig.skeleton, rotations=np.array([[0, 0, 0, 1.0], half])))
    rest = replace(posed(mesh, turned, None, 0), rest=None)
    ends = rest.of_faces(np.abs(rest.vertices[rest.faces].mean(axis=1)[:, 2] - 0.5) > 0.2)
    whole = tube(rings=30)
    new, how = carried(ends, turned, whole)
    assert how.inpainted > 0
    assert apart(posed(whole, new, None, 0), whole) < 1e-6
    assert np.abs(posed(whole, new, BEND, 1).vertices - whole.vertices)[:, :2].max() < 0.6


def test_skin_units_are_scaled() -> None:
    mesh, rig = standing()
    upper = mesh.vertices[:, 2] > 0.5
    scaled = np.diag([100.0, 100, 100, 1])
    rig = replace(
        rig,
        points=np.where(upper[:, None], rig.points / 100, rig.points).astype(np.float32),
        slots=np.where(upper[:, None], rig.slots + 2, rig.slots).astype(np.int32),
        nodes=np.tile(rig.nodes, 2),
        inverse_binds=np.concatenate([rig.inverse_binds, rig.inverse_binds @ scaled]),
    )
    new, _ = carried(mesh, rig, mesh)
    assert len(new.nodes) == 2
    assert apart(posed(mesh, new, BEND, 1), posed(mesh, rig, BEND, 1)) < 1e-5


def test_placement_and_morphs_carried() -> None:
    place = np.array([[0, -2.0, 0, 1], [2, 0, 0, 0], [0, 0, 2, 3], [0, 0, 0, 1]])
    plain = tube()
    mesh = replace(plain, vertices=(plain.vertices @ place[:3, :3].T + place[:3, 3]).astype(np.float32))
    rig = rigged(mesh, smooth(plain), place)
    swell = Morph(0, 0, np.arange(100, 140, dtype=np.int32), np.full((40, 3), 0.05, np.float32))
    half = replace(rig.skeleton, morph_weights={0: np.array([0.5])})
    rig = replace(rig, skeleton=half, morphs=(swell,))
    mesh = replace(posed(mesh, rig, None, 0), rest=None)
    grown = Motion("grow", (Track(0, "weights", np.array([0.0]), np.array([[1.0]])), *BEND.tracks), 0, 1)
    new, _ = carried(mesh, rig, mesh)
    assert apart(posed(mesh, new, None, 0), mesh) < 1e-5
    assert apart(posed(mesh, new, grown, 1), posed(mesh, rig, grown, 1)) < 1e-5


def test_influences_stay_few() -> None:
    mesh = tube(rings=41)
    rig = rigged(mesh, smooth(mesh))
    slots = np.minimum(mesh.vertices[:, 2] * 40, 39).astype(np.int32)[:, None]
    rig = replace(
        rig,
        skeleton=skeleton_of([""] * 40, [-1] * 40),
        slots=slots,
        weights=np.ones((len(slots), 1), np.float32),
        nodes=np.arange(40, dtype=np.int32),
        inverse_binds=np.tile(np.eye(4), (40, 1, 1)),
    )
    new, _ = carried(mesh.of_faces(mesh.vertices[mesh.faces].mean(axis=1)[:, 0] > 0.08), rig, mesh)
    assert new.slots.shape[1] <= INFLUENCES
    np.testing.assert_allclose(new.weights.sum(axis=1), 1, atol=1e-6)


def test_flat_at_rest_is_refused() -> None:
    mesh, rig = standing()
    gone = replace(rig, skeleton=replace(rig.skeleton, scales=np.zeros((2, 3))))
    with pytest.raises(CharacterError, match="empty"):
        carried(replace(posed(mesh, gone, None, 0), rest=None), gone, mesh)


def test_posed_character_moves_from_its_pose() -> None:
    mesh, rig = standing()
    stands = poses(rig.skeleton, BEND, np.array([0.4]))
    bent = replace(posed(mesh, rig, BEND, 0.4), rest=None)
    new, _ = carried(bent, rig, bent, stands)
    assert apart(posed(bent, new, BEND, 0.4), bent) < 1e-6
    for time in (0.0, 1.0):
        assert apart(posed(bent, new, BEND, time), posed(mesh, rig, BEND, time)) < 0.01
    with pytest.raises(CharacterError, match="skeleton"):
        carried(bent, rig, bent)


def test_touching_rigid_parts_keep_joints() -> None:
    lower, upper = tube(0, 0.5, rings=2), tube(0.5, 1, rings=2)
    mesh = concatenate([lower, upper])
    rig = rigged(mesh, np.repeat([0.0, 1.0], len(lower.vertices)))
    new, _ = carried(mesh, rig, mesh)
    assert apart(posed(mesh, new, BEND, 1), posed(mesh, rig, BEND, 1)) < 1e-5
