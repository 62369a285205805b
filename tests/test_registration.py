"""Registration: known similarities are recovered from bad starts, and outlines cover what triangles cover."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from specsia_build.frame import Camera, view_cameras
from specsia_build.registration import (
    FRONTAL_LOSS,
    LOST,
    Similarity,
    descent,
    iou,
    lost_part,
    recall,
    register,
)
from specsia_build.registration.descent import TrueSilhouettes, descend, masks_of
from specsia_build.registration.masks import outline_distance
from specsia_build.registration.outline import shape_of
from specsia_build.rendering.fast.renderer import silhouettes
from specsia_build.rendering.mesh import Material, Mesh, concatenate
from tests.rendering.scenes import box, real_mesh, sphere

CAMERAS = view_cameras(10, 192)


def figure(*limbs: Mesh) -> Mesh:
    """A head, a body that is deeper than wide, one arm raised, a tail and two unequal legs."""
    return concatenate(
        [
            sphere(0.17, 16, 32, (0.02, -0.03, 0.33)),
            box((0, 0, 0), (0.12, 0.16, 0.2)),
            box((0.22, 0.02, 0.16), (0.11, 0.05, 0.04)),
            box((0, 0.25, -0.12), (0.03, 0.12, 0.03)),
            box((-0.07, 0, -0.33), (0.04, 0.05, 0.15)),
            box((0.07, -0.04, -0.3), (0.04, 0.07, 0.12)),
            *limbs,
        ]
    )


def ious(
    mesh: Mesh, result: Similarity, masks: NDArray[np.uint8], cameras: Sequence[Camera]
) -> NDArray[np.float64]:
    ours = silhouettes(result.apply_to(mesh), cameras)
    return np.array([iou(a, b) for a, b in zip(ours, masks, strict=True)])


def undone(mesh: Mesh, wanted: Similarity) -> Mesh:
    """A mesh that `wanted` brings back to where it is."""
    back = (mesh.vertices - np.array(wanted.translation)) @ wanted.rotation() / wanted.scale
    return mesh.with_vertices(back)


def test_similarity_transform() -> None:
    about_x = Similarity(pitch_deg=90).apply(np.array([[0.0, 1.0, 0.0]]))
    assert_allclose(about_x, [[0, 0, 1]], atol=1e-12)
    about_z = Similarity(yaw_deg=90).apply(np.array([[1.0, 0.0, 0.0]]))
    assert_allclose(about_z, [[0, 1, 0]], atol=1e-12)
    yaw_comes_first = Similarity(2.0, 90, 90, (0.1, 0.2, 0.3)).apply(np.array([[1.0, 0.0, 0.0]]))
    assert_allclose(yaw_comes_first, [[0.1, 0.2, 2.3]], atol=1e-12)


def test_iou_counts_half_covered_pixels() -> None:
    coverage = np.array([[255, 128, 127, 0]], np.uint8)
    other = np.array([[255, 127, 128, 0]], np.uint8)
    assert iou(coverage, other) == pytest.approx(1 / 3)
    assert iou(coverage, coverage) == 1
    assert iou(coverage, np.zeros_like(coverage)) == 0
    assert iou(np.zeros_like(coverage), np.full_like(coverage, 127)) == 1


HOSTILE = [
    Similarity(),
    Similarity(2.0, 20, 0, (0.2, -0.2, 0.2)),
    Similarity(1.3, 13, 0, (-0.2, 0.1, 0.15)),
    Similarity(0.6, -18, 0, (0.2, 0.2, -0.2)),
    Similarity(1.02, 2, 0, (0.01, 0.01, -0.01)),
]


@pytest.mark.parametrize("wanted", HOSTILE)
def test_similarity_is_recovered(wanted: Similarity) -> None:
    target = figure()
    masks = silhouettes(target, CAMERAS)
    mesh = undone(target, wanted)
    registration = register(mesh, masks, CAMERAS)
    before, result = ious(mesh, Similarity(), masks, CAMERAS)[0], registration.similarity
    assert registration.frontal_iou_before == pytest.approx(before, abs=0.01)
    assert result.scale == pytest.approx(wanted.scale, rel=0.004)
    assert result.pitch_deg == pytest.approx(wanted.pitch_deg, abs=0.4)
    assert_allclose(result.translation, wanted.translation, atol=0.004)
    assert ious(mesh, result, masks, CAMERAS).min() >= 0.99


def test_ambiguous_front_is_not_turned() -> None:
    target = concatenate([sphere(0.17, 16, 32, (0, 0, 0.33)), box((0, 0, 0), (0.25, 0.1, 0.2))])
    target = concatenate([target, box((0, -0.05, -0.33), (0.1, 0.12, 0.14))])
    masks = silhouettes(target, CAMERAS)
    for yaw in (0.0, 120.0, -150.0):
        mesh = undone(target, Similarity(1.2, -8, yaw, (0.05, -0.04, 0.03)))
        result = register(mesh, masks, CAMERAS, with_yaw=True).similarity
        assert ious(mesh, result, masks, CAMERAS).min() >= 0.99


def test_frontal_view_beats_the_mean() -> None:
    # A reconstruction that is right from the front, too flat, and too far back.
    target = figure()
    masks = silhouettes(target, CAMERAS)
    flat = target.with_vertices(target.vertices * np.array([1.0, 0.3, 1.0]) + np.array([0, 0.12, 0]))
    result = register(flat, masks, CAMERAS)
    before, after = ious(flat, Similarity(), masks, CAMERAS), ious(flat, result.similarity, masks, CAMERAS)
    assert after[0] >= before[0] - FRONTAL_LOSS - 0.005
    assert after.mean() > before.mean()
    assert result.frontal_iou_before == pytest.approx(before[0], abs=0.01)


FARTHEST = [Similarity(2.0, 20, 0, (0.2, -0.2, 0.2)), Similarity(0.5, -20, 0, (-0.2, 0.2, -0.2))]


@pytest.mark.parametrize("name", ["kaykit_knight", "kenney_character"])
def test_real_characters_are_recovered(characters_dir: Path, name: str) -> None:
    cameras = view_cameras(10, 256)
    target = real_mesh(characters_dir, name, cameras)
    masks = silhouettes(target, cameras)
    for wanted in FARTHEST:
        mesh = undone(target, wanted)
        result = register(mesh, masks, cameras).similarity
        assert ious(mesh, result, masks, cameras).min() >= 0.995


@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("name", ["kaykit_mage", "kenney_character"])
def test_missing_arm_or_third_leg(characters_dir: Path, name: str, lost: bool) -> None:
    cameras = view_cameras(10, 256)
    whole = real_mesh(characters_dir, name, cameras)
    middles = whole.vertices[whole.faces].mean(axis=1)
    armless = whole.of_faces(middles[:, 0] < whole.vertices[:, 0].max() * 0.45)
    mesh = armless if lost else concatenate([whole, box((-0.3, 0.1, -0.35), (0.04, 0.04, 0.14))])
    masks = silhouettes(whole, cameras)
    wanted = Similarity(1.25, 9, 0, (0.08, -0.05, 0.06))
    moved = undone(mesh, wanted)
    result = register(moved, masks, cameras).similarity
    assert ious(moved, result, masks, cameras).mean() >= ious(moved, wanted, masks, cameras).mean() - 0.005
    assert result.scale == pytest.approx(wanted.scale, rel=0.025)
    assert result.pitch_deg == pytest.approx(wanted.pitch_deg, abs=2)


@pytest.mark.slow
def test_as_good_as_brute_force(characters_dir: Path) -> None:
    cameras = view_cameras(10, 128)
    target = real_mesh(characters_dir, "kaykit_mage", cameras)
    masks = silhouettes(target, cameras)
    # A reconstruction with a wrong depth: no similarity fits, so that the best one is not known beforehand.
    mesh = target.with_vertices(target.vertices * np.array([1.0, 0.7, 1.0], np.float32))
    result = register(mesh, masks, cameras).similarity
    ours = ious(mesh, result, masks, cameras)
    best = ours.mean()
    steps = ((-3.0, 0.0, 3.0), (0.97, 1.0, 1.03), (-0.03, 0.0, 0.03), (-0.02, 0.0, 0.02))
    for pitch, scale, y, z in product(*steps):
        tried = ious(mesh, Similarity(scale, pitch, 0, (0, y, z)), masks, cameras)
        if tried[0] >= ours[0] - FRONTAL_LOSS:
            best = max(best, tried.mean())
    assert ours.mean() >= best - 0.004


def with_arms(size: int) -> np.ndarray:
    """A body with two arms, (size, size) uint8."""
    mask = np.zeros((size, size), np.uint8)
    unit = size // 64
    mask[16 * unit : 56 * unit, 24 * unit : 40 * unit] = 255
    mask[24 * unit : 28 * unit, 8 * unit : 56 * unit] = 255
    return mask


@pytest.mark.parametrize("size", [64, 192, 512])
def test_lost_arm_differs_from_thin_outline(size: int) -> None:
    whole, unit = with_arms(size), size // 64
    amputated = whole.copy()
    amputated[:, 40 * unit :] = 0
    area = 16 * 40 + 2 * 16 * 4
    assert recall(amputated, whole) == pytest.approx(1 - 64 / area)
    assert lost_part(amputated, whole) == pytest.approx(64 / area, abs=0.01)
    thinner = np.roll(whole, unit // 2, axis=1) & whole
    assert lost_part(thinner, whole) < LOST < lost_part(amputated, whole)


def test_empty_silhouettes() -> None:
    whole, nothing, mesh = with_arms(64), np.zeros((64, 64), np.uint8), figure()
    assert (recall(nothing, whole), lost_part(nothing, whole)) == (0.0, 1.0)
    assert (recall(whole, nothing), lost_part(whole, nothing)) == (1.0, 0.0)
    result = register(mesh, np.zeros((10, 192, 192), np.uint8), CAMERAS)
    assert np.isfinite(result.similarity.apply(mesh.vertices)).all()
    assert result.frontal_iou_before == 0


SIZE = 48
THREE = view_cameras(3, SIZE)


def target() -> TrueSilhouettes:
    return TrueSilhouettes.of(np.zeros((3, SIZE, SIZE), np.uint8), THREE, SIZE, reach=0)


def triangles(points: NDArray[np.float64]) -> Mesh:
    """Loose triangles (F, 3, 3)."""
    faces = np.arange(3 * len(points), dtype=np.int32).reshape(-1, 3)
    return Mesh(
        points.reshape(-1, 3).astype(np.float32), faces, (Material(),), np.zeros(len(points), np.int32)
    )


def covered(mesh: Mesh, view: NDArray[np.float64], size: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels whose centre lies in a triangle by more, and by no more, than a thousandth of a pixel."""
    corners = (mesh.vertices.astype(np.float64) @ view[:, :3].T + view[:, 3])[mesh.faces]
    rows, columns = np.indices((size, size)) + 0.5
    deepest = np.full((size, size), -np.inf)
    for triangle in corners:
        (ax, ay), (bx, by), (cx, cy) = triangle
        turn = np.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
        inside = np.full((size, size), np.inf)
        for (px, py), (qx, qy) in zip(triangle, np.roll(triangle, -1, axis=0), strict=True):
            length = max(float(np.hypot(qx - px, qy - py)), 1e-9)
            depth = turn * ((qx - px) * (rows - py) - (qy - py) * (columns - px)) / length
            inside = np.minimum(inside, depth)
        deepest = np.maximum(deepest, inside)
    return deepest > 1e-3, np.abs(deepest) <= 1e-3


SCENES = {
    "closed": lambda: concatenate([sphere(0.3, 9, 14, (0.1, 0, 0.1)), box((-0.2, 0, -0.1), (0.1, 0.3, 0.2))]),
    "loose": lambda: triangles(np.random.default_rng(3).uniform(-0.7, 0.7, (12, 3, 3))),
    "tiny": lambda: triangles(np.random.default_rng(4).uniform(-0.5, 0.5, (200, 1, 3)) + 0.02 * np.eye(3)),
    "out of the frame": lambda: triangles(np.random.default_rng(5).uniform(-3, 3, (12, 3, 3))),
    "three faces on an edge": lambda: triangles(
        np.array(
            [[[0, 0, -0.4], [0, 0, 0.4], [x, y, 0.1]] for x, y in ((0.4, 0.1), (-0.3, 0.2), (0.1, -0.4))]
        )
    ),
}


@pytest.mark.parametrize("scene", SCENES)
def test_silhouette_is_union_of_triangles(scene: str) -> None:
    mesh = SCENES[scene]()
    similarity = Similarity(1.1, 9, 20, (0.03, 0.01, -0.02))
    masks = masks_of(shape_of(mesh), similarity, target())
    for mask, view in zip(masks, target().views(similarity), strict=True):
        sure, edge = covered(mesh, view, SIZE)
        assert sure.any()
        assert (mask == sure)[~edge].all()


def test_step_counts_pixels() -> None:
    shape, cameras = shape_of(sphere(0.31)), view_cameras(3, 256)
    aim = TrueSilhouettes.of(silhouettes(sphere(0.3), cameras), cameras, 256)
    for k in range(100):
        start = Similarity(1 + 4e-3 * k, 0.4 * k, 0.0, (4e-4 * k, 0.0, 8e-4 * k))
        first = descend(shape, aim, start, with_yaw=False, steps=1)[0]
        assert first == descent.ious(shape, start, aim).mean()


@pytest.mark.parametrize("yaw", [0.0, 100.0, 205.0])
def test_converges_in_six_steps(yaw: float) -> None:
    target, wanted = figure(), Similarity(1.2, -8.0, yaw, (0.05, -0.04, 0.03))
    goal = TrueSilhouettes.of(silhouettes(target, CAMERAS), CAMERAS, 96)
    shape = shape_of(undone(target, wanted))
    start = wanted.changed(0.05, 0.09, -0.1, np.array([0.02, -0.02, 0.02]))
    _, result, rested = descend(shape, goal, start, with_yaw=True, steps=6)
    assert rested
    assert_allclose([result.scale, *result.translation], [wanted.scale, *wanted.translation], atol=1e-3)
    assert_allclose([result.pitch_deg, result.yaw_deg], [wanted.pitch_deg, wanted.yaw_deg], atol=0.1)


def test_outline_distance() -> None:
    for border in (20.0, 20.3, 20.75):
        share = np.clip(border - np.arange(SIZE), 0, 1)
        coverage = np.broadcast_to(np.round(255 * share).astype(np.uint8), (SIZE, SIZE)).copy()
        distance = outline_distance(coverage, 6.0)
        assert_allclose(distance[24], np.clip(np.arange(SIZE) + 0.5 - border, -6, 6), atol=0.06)
