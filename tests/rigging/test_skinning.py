"""Skin weights: of figures of known shape, and against the weights that artists gave."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.animation.carry import carried
from specsia_build.animation.motion import poses
from specsia_build.animation.rig import Rig, posed_through
from specsia_build.backends.selftest import ellipsoid
from specsia_build.characters.character import RawMoving
from specsia_build.characters.motions import built_in, motion_for
from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import silhouettes
from specsia_build.rendering.layers import iou
from specsia_build.rendering.mesh import Mesh, concatenate
from specsia_build.repairing.reconstruction import reconstruct
from specsia_build.rigging.joints import JOINTS
from specsia_build.rigging.skeleton import rig_figure
from specsia_build.rigging.skinning import DrawnLimbs, Segments, skin_weights
from specsia_build.rigging.webs import without_crumbs, without_webs
from tests.rigging.figures import box, merged, own_weights, real_front, scaled_joints, true_joints

BODY = box((0.0, 0.0, 0.5), (0.3, 0.2, 1.0))
SHOULDER = box((0.2, 0.0, 0.9), (0.14, 0.1, 0.1))
GAP = 0.02
ARM = box((0.15 + GAP + 0.05, 0.0, 0.5), (0.1, 0.1, 0.9))
LINES: list[Segments] = [
    [(np.array([0, 0, 0.05]), np.array([0, 0, 0.95]))],
    [(np.array([0.22, 0, 0.9]), np.array([0.22, 0, 0.1]))],
]


def on_grid(mesh: Mesh) -> Mesh:
    """The mesh with vertices all over its faces, a cube's 12 split three times."""
    for _ in range(3):
        corners = mesh.vertices[mesh.faces]
        a, b, c = corners.swapaxes(0, 1)
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        quarters = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
        vertices = np.concatenate([np.stack(quarter, axis=1) for quarter in quarters]).reshape(-1, 3)
        faces = np.arange(len(vertices), dtype=np.int32).reshape(-1, 3)
        mesh = Mesh(vertices, faces, mesh.materials, np.zeros(len(faces), np.int32))
    return mesh


@pytest.mark.parametrize("is_open", [False, True])
def test_an_arm_beside_the_hip_does_not_drag_it(is_open: bool) -> None:
    body = on_grid(BODY)
    if is_open:
        body = body.of_faces(body.vertices[body.faces][..., 2].min(axis=1) < 0.999)
    mesh = concatenate([body, SHOULDER, on_grid(ARM)])
    weights = skin_weights(mesh, ["body", "arm"], LINES)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    low = (mesh.vertices[:, 2] < 0.6) & mesh.used
    beside = mesh.vertices[:, 0] > 0.15 + GAP / 2
    assert weights[low & ~beside, 1].max() < 0.01
    assert weights[low & beside, 0].max() < 0.01
    # Without the gap, half of the hip would hang on the arm: the nearer of the two lines moves a point.
    touching = mesh.with_vertices(mesh.vertices - np.where(beside, GAP, 0)[:, None] * np.eye(3)[0])
    assert skin_weights(touching, ["body", "arm"], LINES)[low & ~beside, 1].max() > 0.2


def test_an_arm_ends_where_the_drawing_of_its_sleeve_ends() -> None:
    """An arm drawn on a coat as one surface: its sleeve begins at x = 0.1, nearer to it at 0.05."""
    mesh = on_grid(box((0.0, 0.0, 0.0), (0.6, 0.1, 0.8)))
    lines: list[Segments] = [[(np.array([x, 0, -0.3]), np.array([x, 0, 0.3]))] for x in (-0.1, 0.2)]
    picture = np.full((270, 270, 4), 255, np.uint8)
    picture[:, 155:, :3] = (40, 90, 160)  # A pixel is 0.005 wide, so that 155 is at x = 0.1.
    limbs = np.array([0, 1])
    x = mesh.vertices[:, 0]
    sleeve, coat = x > 0.12, x < 0.08
    plain = skin_weights(mesh, ["body", "arm"], lines)
    assert plain[coat & (x > 0.06), 1].min() > 0.5
    drawn = skin_weights(mesh, ["body", "arm"], lines, DrawnLimbs(picture, limbs))
    assert drawn[coat, 1].max() < 0.2 and drawn[sleeve, 1].min() > 0.8
    # Colours do not move the border between two bones of one limb.
    of_one = skin_weights(mesh, ["body", "arm"], lines, DrawnLimbs(picture, 0 * limbs))
    np.testing.assert_allclose(of_one, plain, atol=1e-9)


def open_edges(faces: NDArray[np.int32]) -> int:
    """Number of edges that one face alone has."""
    edges = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    return int(np.count_nonzero(np.unique(edges, axis=0, return_counts=True)[1] == 1))


def moved_by(names: NDArray[np.str_], mesh: Mesh, places: NDArray[np.float64]) -> RawMoving:
    """A person's rig, joints at places (22, 3), of which one moves each vertex of a mesh, by `names` (V,)."""
    bone = np.array([JOINTS.index(name) for name in names])
    parents, weights = np.maximum(np.arange(-1, len(JOINTS)), -1), np.eye(len(JOINTS) + 1)[bone + 1]
    rig = Rig.unturned(("root", *JOINTS), parents, np.vstack([np.zeros(3), places]), mesh.vertices, weights)
    return RawMoving(rig=rig, humanoid={name: number for number, name in enumerate(JOINTS, 1)})


def test_both_sides_of_a_cut_are_closed() -> None:
    mesh = ellipsoid((0, 0, 0), (0.3, 0.2, 0.4), (1, 0, 0), (0, 0, 1))
    x, _, z = mesh.vertices.T
    names = np.select([(x > 0.1) & (z < 0.1), x > 0.1], ["leftHand", "leftUpperArm"], "chest")
    cut = without_webs(mesh, moved_by(names, mesh, np.zeros((len(JOINTS), 3))))
    # Vertices at the poles lie at one place. At either end of the cut is an edge from arm to body.
    assert open_edges(cut.faces) == open_edges(mesh.faces) + 4
    of_faces = names[cut.faces]
    assert not ((of_faces == "leftHand").any(axis=1) & (of_faces == "chest").any(axis=1)).any()


def test_a_loose_part_goes_with_the_nearest_bone() -> None:
    mesh = concatenate([on_grid(BODY), box((0.0, 0.0, 1.2), (0.1, 0.1, 0.1))])
    halves: list[Segments] = [
        [(np.array([0, 0, 0.05]), np.array([0, 0, 0.4]))],
        [(np.array([0, 0, 0.6]), np.array([0, 0, 0.95]))],
    ]
    assert skin_weights(mesh, ["low", "high"], halves)[-8:, 1].min() > 0.99


def test_loose_parts_go_with_the_next_part_as_a_whole() -> None:
    """Below a hand beside a leg are two pieces of its fingertip, the lower one nearer to the leg."""
    leg, hand = box((0.0, 0.0, 0.5), (0.2, 0.2, 1.0)), box((0.4, 0.0, 0.85), (0.1, 0.1, 0.3))
    tips = [box((x, 0.0, z), (0.06, 0.06, 0.06)) for x, z in ((0.36, 0.63), (0.32, 0.53))]
    mesh = concatenate([on_grid(leg), on_grid(hand), *(on_grid(tip) for tip in tips)])
    lines: list[Segments] = [
        [(np.array([0, 0, 0.05]), np.array([0, 0, 0.95]))],
        [(np.array([0.4, 0, 0.95]), np.array([0.4, 0, 0.75]))],
    ]
    weights = skin_weights(mesh, ["leg", "hand"], lines)
    assert weights[mesh.vertices[:, 0] > 0.2, 1].min() > 0.99


def test_weights_are_near_those_of_artists(characters_dir: Path) -> None:
    """The mean distance of weights, from 0 to 2, on people that the exponent was not fitted to."""
    off = []
    for name in ("man_punk", "man_suit", "woman_casual", "woman_scifi", "woman_witch"):
        own, front = real_front(characters_dir / "animated" / f"{name}.glb")
        assert front.mesh is not None
        joints = true_joints(own, front)
        moving = rig_figure(front.mesh, joints, front.image)
        weights = np.zeros((len(front.mesh.vertices), 23))
        np.put_along_axis(weights, moving.rig.slots.astype(np.int64), moving.rig.weights, axis=1)
        distance = np.abs(merged(weights[:, 1:], joints) - own_weights(own, front)).sum(axis=1)
        off.append(float(distance[front.mesh.used].mean()))
    assert np.mean(off) < 0.2 and max(off) < 0.25


@pytest.mark.parametrize("name", ["man_king", "woman_witch"])
def test_a_reconstruction_walks_as_with_the_true_rig(characters_dir: Path, name: str) -> None:
    own, front = real_front(characters_dir / "animated" / f"{name}.glb")
    placed = reconstruct(front, "relief", 10)
    joints, front = scaled_joints(true_joints(own, front), placed.fit), front.shrunk(placed.fit)
    assert front.mesh is not None and front.rig is not None
    walk = next(motion for motion in built_in().motions if motion.name == "walk")
    moving = rig_figure(placed.mesh, joints, front.image)
    true_walk, _ = motion_for(front.rig, own.humanoid, built_in(), walk)
    our_walk, _ = motion_for(moving.rig, moving.humanoid, built_in(), walk)
    times = np.linspace(0, walk.duration, 5)[:-1]

    def seen(mesh: Mesh, rig: Rig, motion: object) -> list[Mesh]:
        track = poses(rig.skeleton, motion, times)  # type: ignore[arg-type]
        return list(posed_through(replace(mesh, normals=None), rig, track))

    true, ours = seen(front.mesh, front.rig, true_walk), seen(placed.mesh, moving.rig, our_walk)
    carried_rig, _ = carried(front.mesh, front.rig, placed.mesh)
    best = seen(placed.mesh, carried_rig, true_walk)
    ground = placed.mesh.bounds()[0][2]
    assert max(abs(mesh.bounds()[0][2] - ground) for mesh in ours) < 0.02
    cameras = [Camera(yaw, 256) for yaw in (0.0, 60.0)]
    masks = [[silhouettes(mesh, cameras) for mesh in meshes] for meshes in (true, best, ours)]
    scores = np.array([[iou(*pair) for pair in zip(masks[0], other, strict=True)] for other in masks[1:]])
    assert scores[1].mean() > scores[0].mean() - 0.03


@pytest.mark.parametrize(("reach", "comes_off"), [(0.08, False), (0.3, True)])
def test_small_patch_of_another_bone_does_not_come_off(reach: float, comes_off: bool) -> None:
    """A hand near the hip takes a patch of it; one as large as a hand stays, as below a sleeve."""
    mesh = ellipsoid((0, 0, 0), (0.3, 0.2, 0.4), (1, 0, 0), (0, 0, 1))
    x, y, z = mesh.vertices.T
    is_patch = (x > 0) & (np.hypot(y, z + 0.05) < reach)
    weights = np.eye(2)[is_patch.astype(np.int64)]
    out = without_crumbs(mesh, weights, np.eye(2, dtype=np.bool_))
    assert is_patch.any() and (out[:, 1] > 0).any() == comes_off
    np.testing.assert_array_equal(out, weights if comes_off else np.eye(2)[np.zeros(len(x), np.int64)])
