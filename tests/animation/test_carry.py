"""Rigs carried over: onto the character itself nothing changes, onto another surface it moves as the character does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.animation.carry import INFLUENCES, carried
from specsia_build.animation.motion import Motion, Track, poses
from specsia_build.animation.rig import Morph, Rig, posed
from specsia_build.animation.skeleton import Skeleton
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Material, Mesh, concatenate
from tests.animation.people import two_joints

BEND = Motion(
    "bend", (Track(1, "rotation", np.array([0.0, 1.0]), np.array([[0, 0, 0, 1.0], [0.5, 0, 0, 0.75**0.5]])),), 0, 1
)
"""The upper joint turns by 60 degrees."""


def tube(
    low: float = 0.0, high: float = 1.0, radius: float = 0.1, rings: int = 21, sides: int = 16, x: float = 0.0
) -> Mesh:
    """An upright tube without caps, its outside wound counter-clockwise."""
    turn = np.arange(sides) * 2 * np.pi / sides
    heights = np.linspace(low, high, rings)
    circle = np.stack([x + radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    vertices = np.concatenate([np.column_stack([circle, np.full(sides, h)]) for h in heights]).astype(np.float32)
    a = (np.arange(rings - 1)[:, None] * sides + np.arange(sides)).ravel()
    b = (np.arange(rings - 1)[:, None] * sides + (np.arange(sides) + 1) % sides).ravel()
    faces = np.concatenate([np.column_stack([a, b, b + sides]), np.column_stack([a, b + sides, a + sides])])
    return Mesh(vertices, faces.astype(np.int32), (Material(),), np.zeros(len(faces), np.int32))


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
    ("other", "most"), [(tube(), 1e-5), (tube(rings=57, sides=41, radius=0.102), 0.005)], ids=["itself", "another net"]
)
def test_the_same_surface_moves_as_the_character_does(other: Mesh, most: float) -> None:
    new, how = carried(*standing(), other)
    assert apart(posed(other, new, None, 0), other) < 1e-6
    assert apart(posed(other, new, BEND, 1), posed(other, rigged(other, smooth(other)), BEND, 1)) < most
    assert (how.matched, how.inpainted, how.unmatched_pieces, how.warnings) == (1, 0, 0, ())


def test_weights_without_a_counterpart_are_interpolated() -> None:
    mesh = tube()
    ends = mesh.of_faces(np.abs(mesh.vertices[mesh.faces].mean(axis=1)[:, 2] - 0.5) > 0.2)
    new, how = carried(ends, rigged(mesh, (mesh.vertices[:, 2] > 0.5).astype(float)), mesh)
    upper = (new.weights * (new.slots == np.flatnonzero(new.nodes == 1)[0])).sum(axis=1)
    ring = upper.reshape(21, 16)
    assert how.inpainted > 0 and how.unmatched_pieces == 0
    assert (np.diff(ring.mean(axis=1)) > -1e-6).all() and 0.4 < ring[10].mean() < 0.6
    assert np.ptp(ring, axis=1).max() < 1e-3
    np.testing.assert_allclose(new.weights.sum(axis=1), 1, atol=1e-6)


def test_a_piece_beside_the_character_takes_the_nearest() -> None:
    mesh, rig = standing()
    crumb = tube(0.8, 0.9, 0.02, rings=3, sides=6, x=0.4)
    new, how = carried(mesh, rig, concatenate([mesh, crumb]))
    assert how.unmatched_pieces == 1 and how.warnings == ()
    assert (new.nodes[new.slots[len(mesh.vertices) :, 0]] == 1).all()
    _, how = carried(mesh, rig, tube(x=0.5))
    assert how.matched == 0 and how.unmatched_pieces == 1 and len(how.warnings) == 1


def test_a_rest_that_is_not_the_bind_pose_is_undone() -> None:
    mesh, rig = standing()
    bent = replace(rig, skeleton=replace(rig.skeleton, rotations=np.array([[0, 0, 0, 1.0], [0.3, 0, 0, 0.91**0.5]])))
    rest = replace(posed(mesh, bent, None, 0), rest=None)
    new, _ = carried(rest, bent, rest)
    assert apart(posed(rest, new, None, 0), rest) < 1e-6
    assert apart(posed(rest, new, BEND, 1), posed(rest, bent, BEND, 1)) < 0.01


def test_interpolation_between_opposite_joints_stays_near() -> None:
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


def test_skins_in_other_units_mix_as_equals() -> None:
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


def test_placement_and_morphs_are_carried() -> None:
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


def test_few_influences_whatever_the_skeleton() -> None:
    mesh = tube(rings=41)
    rig = rigged(mesh, smooth(mesh))
    roots, still = np.full(40, -1, np.int32), np.tile([0.0, 0, 0, 1], (40, 1))
    many = Skeleton(("",) * 40, roots, np.zeros((40, 3)), still, np.ones((40, 3)))
    slots = np.minimum(mesh.vertices[:, 2] * 40, 39).astype(np.int32)[:, None]
    rig = replace(
        rig,
        skeleton=many,
        slots=slots,
        weights=np.ones((len(slots), 1), np.float32),
        nodes=np.arange(40, dtype=np.int32),
        inverse_binds=np.tile(np.eye(4), (40, 1, 1)),
    )
    new, _ = carried(mesh.of_faces(mesh.vertices[mesh.faces].mean(axis=1)[:, 0] > 0.08), rig, mesh)
    assert new.slots.shape[1] <= INFLUENCES
    np.testing.assert_allclose(new.weights.sum(axis=1), 1, atol=1e-6)


def test_a_character_that_is_flat_at_rest_is_refused() -> None:
    mesh, rig = standing()
    gone = replace(rig, skeleton=replace(rig.skeleton, scales=np.zeros((2, 3))))
    with pytest.raises(CharacterError, match="empty"):
        carried(replace(posed(mesh, gone, None, 0), rest=None), gone, mesh)


def test_a_character_that_stands_in_a_pose_moves_from_there() -> None:
    mesh, rig = standing()
    stands = poses(rig.skeleton, BEND, np.array([0.4]))
    bent = replace(posed(mesh, rig, BEND, 0.4), rest=None)
    new, _ = carried(bent, rig, bent, stands)
    assert apart(posed(bent, new, BEND, 0.4), bent) < 1e-6
    for time in (0.0, 1.0):
        assert apart(posed(bent, new, BEND, time), posed(mesh, rig, BEND, time)) < 0.01
    with pytest.raises(CharacterError, match="skeleton"):
        carried(bent, rig, bent)


def test_rigid_parts_that_touch_keep_their_own_joints() -> None:
    lower, upper = tube(0, 0.5, rings=2), tube(0.5, 1, rings=2)
    mesh = concatenate([lower, upper])
    rig = rigged(mesh, np.repeat([0.0, 1.0], len(lower.vertices)))
    new, _ = carried(mesh, rig, mesh)
    assert apart(posed(mesh, new, BEND, 1), posed(mesh, rig, BEND, 1)) < 1e-5
