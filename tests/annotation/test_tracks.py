"""Flow, tracks and Ultra-Dense Pose of known movements."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from specsia_build.animation.rig import Rig
from specsia_build.annotation.tracks import Flow, TrackPoints, chosen, flow, points_at, tracked
from specsia_build.annotation.udp import landmarks, udp
from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig, ClipSettings
from specsia_build.frame import Camera
from specsia_build.rendering.layers import SUBPIXEL, Seen
from specsia_build.rendering.mesh import Material, Mesh, concatenate
from specsia_build.stages.clips.actor import actor_of
from specsia_build.stages.stage import Job
from tests.animation.people import BODY, KAYKIT, MIXAMO, QUATERNIUS, person
from tests.annotation.scenes import CAMERA, SIZE, boards, cube, drawn, lies_open, moved, running, seen, turned
from tests.rendering.scenes import box, cape, mesh_of, net, sheet, soup, sphere, textured


def between(here: Mesh, there: Mesh, camera: Camera = CAMERA, other: Camera = CAMERA) -> tuple[Flow, Seen]:
    rest = here.vertices if here.rest is None else here.rest
    before = seen(here, camera)
    return flow(before, seen(there, other), rest), before


def inside(mesh: Mesh) -> NDArray[np.bool_]:
    return np.asarray(drawn(mesh).mask == 255)


@pytest.mark.parametrize(("columns", "rows"), [(3.0, 0.0), (3.0, -2.0), (-4.5, 7.25)])
@pytest.mark.parametrize(
    "mesh", [boards((-10, 12, -9, 8, 0.0)), cube(7.3), sphere(0.2)], ids=["board", "cube", "ball"]
)
def test_shift_is_flow(mesh: Mesh, columns: float, rows: float) -> None:
    result, view = between(mesh, moved(mesh, columns, rows))
    there = view.face >= 0
    np.testing.assert_allclose(result.pixels[there], [[columns, rows]] * there.sum(), atol=1 / 128)
    assert not result.unmatched[there].any()
    assert result.unmatched[~there].all() and (result.pixels[~there] == 0).all()


def test_covered_pixels_are_unmatched() -> None:
    mesh = boards((-30, 30, -30, 30, 0.2), (-20, -10, -10, 10, -0.2))
    other = moved(mesh, 30, 0, vertices=slice(4, 8))
    result, view = between(mesh, other)
    front = view.face >= 2
    covered = np.zeros_like(front)
    covered[22:42, 42:52] = True
    np.testing.assert_array_equal(result.unmatched, covered | ~inside(mesh))
    np.testing.assert_allclose(result.pixels[front], [[30, 0]] * front.sum(), atol=1e-3)
    back = between(other, mesh)[0]
    uncovered = np.zeros_like(front)
    uncovered[22:42, 12:22] = True
    np.testing.assert_array_equal(back.unmatched, uncovered | ~inside(mesh))


def test_edge_on_faces_are_hidden() -> None:
    mesh = boards((-10, 10, -10, 10, 0.0), (20, 30, -12, 12, -0.2))
    after = moved(mesh, -25, 0, vertices=slice(4, 8))
    after.vertices[:4, 1] = after.vertices[:4, 0]
    after.vertices[:4, 0] *= 1 / (10 * SUBPIXEL)
    result, here = between(mesh, after)
    turned_away = (here.face >= 0) & (here.face < 2)
    assert turned_away.sum() == 400
    assert result.unmatched[turned_away].all()


def test_matches_through_texture_holes() -> None:
    """Upright stripes, every other one cut out, that move over what is behind them as it does."""
    stripes = np.full((4, 16, 4), 255, np.uint8)
    stripes[:, ::2, 3] = 0
    fence = sheet(4, 4, 52, 52, y=-0.1, material=replace(textured(stripes), alpha_mode="mask"), size=SIZE)
    mesh = concatenate([fence, sheet(4, 4, 52, 52, y=0.1, size=SIZE)])
    camera = Camera(0.0, SIZE)
    rest, view = mesh.vertices, seen(mesh, camera)
    step = np.array([3.4 / camera.pixels_per_unit, 0, 0], np.float32)
    result = flow(view, seen(replace(mesh, vertices=rest + step, rest=rest), camera), rest)
    behind = view.face >= 2
    assert behind.sum() > 1000
    assert not result.unmatched[(view.face >= 0) & ~behind].any()
    assert result.unmatched[behind].mean() < 0.2


@pytest.mark.parametrize("yaw", [0.0, 180.0])
def test_cape_sides_differ(yaw: float) -> None:
    """One sheet from both sides: the same faces and rest positions, and yet not what was seen."""
    mesh = cape(Material(double_sided=True))
    other = Camera(yaw + 180, SIZE, 1.0)
    result, view = between(mesh, mesh, Camera(yaw, SIZE, 1.0), other)
    assert (view.face >= 0).sum() > 500
    assert result.unmatched.all()


def slivers(count: int) -> Mesh:
    """A board cut into upright slivers, each edge on as often as not after vertices are rounded."""
    x = np.linspace(-0.3, 0.3, count + 1)
    ends = [np.stack([x, 0 * x, np.full_like(x, z)], axis=1) for z in (-0.3, 0.3)]
    return mesh_of(np.concatenate(ends), net(2, count + 1))


@pytest.mark.parametrize("mesh", [sphere(0.4, 120, 240), slivers(20000)], ids=["ball", "slivers"])
def test_subpixel_faces_are_found(mesh: Mesh) -> None:
    """No pixel need show a face again that another showed."""
    result, view = between(mesh, moved(mesh, 3.37, 1.71))
    there = view.face >= 0
    np.testing.assert_allclose(result.pixels[there], [[3.37, 1.71]] * there.sum(), atol=1 / 64)
    assert not result.unmatched[there].any()


@given(seed=st.integers(0, 1000), columns=st.integers(-20, 20), rows=st.integers(-20, 20))
@settings(max_examples=25)
def test_whole_pixel_shift_is_exact(seed: int, columns: int, rows: int) -> None:
    """What moves by whole pixels shows the same, but for what leaves, however triangles pierce."""
    mesh = soup(seed, 40, 0.3)
    other = moved(mesh, columns, rows)
    result, view = between(mesh, other)
    there = view.face >= 0
    lands = np.indices(there.shape) + np.array([rows, columns])[:, None, None]
    stays = ((lands >= 1) & (lands < SIZE - 1)).all(axis=0)
    np.testing.assert_allclose(result.pixels[there], [[columns, rows]] * there.sum(), atol=1 / 64)
    assert not result.unmatched[there & stays].any()


@given(seed=st.integers(0, 1000), degrees=st.floats(-40, 40))
@example(seed=258, degrees=-29.0)
@settings(max_examples=15)
def test_only_visible_points_match(seed: int, degrees: float) -> None:
    mesh = soup(seed, 30, 0.3)
    other = turned(mesh, degrees)
    found, shown = between(mesh, other)
    pixels = np.argwhere(shown.face >= 0)[:: 1 + np.count_nonzero(shown.face >= 0) // 300]
    matched = ~found.unmatched[tuple(pixels.T)]
    # The flow sees four pixels around a place, and misses slivers between: at most 7.5 % in 351 trials.
    assert np.mean(matched == lies_open(shown, seen(other), pixels)) > 0.9


def test_walk_maps_onto_itself(characters_dir: Path) -> None:
    actor, (here, there) = running(characters_dir / "kaykit/Knight.glb")
    assert here.seen is not None and there.seen is not None
    for view, other in ((here.seen, there.seen), (there.seen, here.seen)):
        result = flow(view, other, actor.mesh.vertices)
        pixels = np.argwhere(~result.unmatched)
        at = pixels[:, ::-1] + 0.5 + result.pixels[tuple(pixels.T)]
        place = view.values(other.screen / 256)[tuple(pixels.T)]
        assert np.abs(at - place).max() <= 0.5 + 1e-3
        assert 0.5 < len(pixels) / (view.face >= 0).sum() < 1
        some = np.argwhere(view.face >= 0)[::20]
        matched = ~result.unmatched[tuple(some.T)]
        assert np.mean(matched == lies_open(view, other, some)) > 0.96


def tracks(
    points: TrackPoints, frames: list[Seen], rest: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Places (T, N, 2) of N points in T frames, and whether they are visible (T, N)."""
    rows = np.array([tracked(points, view, rest) for view in frames])
    assert rows.shape == (len(frames), len(points.face), 3) and rows.dtype == np.float32
    assert np.isin(rows[..., 2], (0, 1)).all()
    return rows[..., :2], rows[..., 2] == 1


def test_points_leave_and_return() -> None:
    mesh = boards((-10, 10, -10, 10, 0.0))
    steps = [0, 3, 14.5, 60, -100, 0]
    frames = [seen(moved(mesh, step, -step / 2)) for step in steps]
    points = chosen(frames[0], 12)
    places, visible = tracks(points, frames, mesh.vertices)
    moves = np.array([[step, -step / 2] for step in steps])
    np.testing.assert_allclose(places - places[0], np.repeat(moves[:, None], 12, axis=1), atol=1e-2)
    np.testing.assert_array_equal(visible.all(axis=1), [True, True, True, False, False, True])
    np.testing.assert_array_equal(visible, ((places >= 0) & (places < SIZE)).all(axis=2))


def test_occluded_points_are_hidden() -> None:
    mesh = concatenate([boards((-20, 20, -20, 20, 0.0)), cube(5, (-40, -20, 0))])
    frames = [seen(moved(mesh, step, 0, vertices=slice(4, 12))) for step in range(0, 80, 8)]
    points = chosen(frames[0], 40)
    places, visible = tracks(points, frames, mesh.vertices)
    assert (places == places[0]).all()
    for k, open_points in enumerate(visible):
        far = np.abs(places[k] - (-8 + 8 * k, 32)).max(axis=1)
        assert open_points[far > 5.8].all() and not open_points[far < 4.2].any()


def test_points_spread_evenly_by_prefix() -> None:
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
def test_two_frame_tracks_are_flow(seed: int, degrees: float) -> None:
    mesh = soup(seed, 30, 0.3)
    here, there = seen(mesh), seen(turned(mesh, degrees))
    pixels = np.flatnonzero(here.face >= 0)
    points = points_at(here, pixels)
    result, (places, visible) = flow(here, there, mesh.vertices), tracks(points, [here, there], mesh.vertices)
    assert visible[0].all()
    np.testing.assert_allclose(places[1] - places[0], result.pixels.reshape(-1, 2)[pixels], atol=1e-4)
    np.testing.assert_array_equal(visible[1], ~result.unmatched.reshape(-1)[pixels])


def test_points_of_a_runner(characters_dir: Path) -> None:
    actor, layers = running(characters_dir / "animated" / "woman_witch.glb", frames=5)
    frames = [layer.seen for layer in layers if layer.seen is not None]
    points = chosen(frames[2], 50)
    places, visible = tracks(points, frames, actor.mesh.vertices)
    assert visible[2].all() and visible.mean() > 0.6
    at = np.floor(places[2]).astype(int)[:, ::-1]
    for k, frame in enumerate(frames):
        np.testing.assert_allclose(places[k], frames[2].values(frame.screen / 256)[tuple(at.T)], atol=1e-3)
        assert np.mean(visible[k] == lies_open(frames[2], frame, at)) >= 0.96


def character(lowered: float = 0.0, **how: object) -> tuple[Mesh, Rig, dict[str, int]]:
    """A person of boxes, one at each joint, with its arms lowered at rest; its boxes by their bones."""
    figure, bones = person(lowered=lowered, **how)  # type: ignore[arg-type]
    worlds = figure.skeleton.rest_worlds
    turn = np.eye(4)
    turn[:3, :3] = figure.turn / float(how.get("size", 1.0))  # type: ignore[arg-type]
    parts, slots = [], []
    for k, bone in enumerate(bones):
        centre = turn[:3, :3] @ worlds[k, :3, 3]
        part = box((0, 0, 0), (0.03, 0.05, 0.04))
        arm = bone.endswith(("UpperArm", "LowerArm", "Hand"))
        side = (1 if bone.startswith("left") else -1) if arm else 0
        spun = Rotation.from_euler("y", side * lowered, degrees=True).apply(part.vertices)
        parts.append(part.with_vertices((spun + centre).astype(np.float32)))
        slots += [k] * len(part.vertices)
    mesh = concatenate(parts)
    back = np.linalg.inv(turn)
    rig = Rig(
        skeleton=figure.skeleton,
        points=(mesh.vertices @ back[:3, :3].T).astype(np.float32),
        slots=np.array(slots, np.int32)[:, None],
        weights=np.ones((len(slots), 1), np.float32),
        nodes=np.arange(len(bones), dtype=np.int32),
        inverse_binds=np.asarray(np.linalg.inv(worlds), np.float64),
        placement=turn,
    )
    return mesh, rig, bones


def test_arms_at_thirty_degrees() -> None:
    mesh, rig, _ = character(lowered=30.0)
    result = landmarks(mesh, rig, {})
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    expected = (mesh.vertices - low) / (high - low)
    np.testing.assert_allclose(result.values[:, [0, 2]], expected[:, [0, 2]], atol=1e-3)
    # Knees are not stretched all the way, as no one's are.
    np.testing.assert_allclose(result.values[:, 1], expected[:, 1], atol=0.04)
    assert result.values.dtype == np.float32 and not result.warning


@pytest.mark.parametrize(
    "how",
    [
        {"lowered": 45.0},
        {"lowered": 80.0, "seed": 4},
        {"names": MIXAMO, "up": "+y", "size": 100.0, "seed": 1},
        {"names": MIXAMO, "lowered": 30.0, "up": "-z"},
    ],
)
def test_t_pose_and_a_pose_agree(how: dict[str, object]) -> None:
    """However its joints are called and oriented, whatever its units, wherever its arms rest."""
    expected = landmarks(*character()[:2], {})
    result = landmarks(*character(**how)[:2], {})  # type: ignore[arg-type]
    assert not result.warning
    np.testing.assert_allclose(result.values, expected.values, atol=1e-4)


@pytest.mark.parametrize("names", [None, MIXAMO, KAYKIT, QUATERNIUS])
def test_left_front_and_up(names: dict[str, str] | None) -> None:
    mesh, rig, bones = character(names=names, up="+y")
    at = dict(zip(bones, landmarks(mesh, rig, {}).values.reshape(-1, 8, 3).mean(axis=1), strict=True))
    assert at["leftHand"][0] > 0.95 and at["rightHand"][0] < 0.05 and abs(at["hips"][0] - 0.5) < 1e-3
    assert at["head"][2] > 0.95 and at["leftFoot"][2] < 0.1
    if "leftToes" in at:
        assert at["leftToes"][1] < 0.3 < at["leftFoot"][1]


def test_bones_stated_by_the_file() -> None:
    mesh, rig, bones = character(names=dict.fromkeys(BODY, "joint"))
    assert landmarks(mesh, rig, {}).warning
    expected = landmarks(*character()[:2], {})
    np.testing.assert_allclose(landmarks(mesh, rig, bones).values, expected.values, atol=1e-5)


def test_other_rigs_warn() -> None:
    legless = [bone for bone in BODY if not bone.endswith(("Leg", "Foot", "Toes"))]
    mesh, rig, _ = character(names={bone: bone for bone in legless})
    result = landmarks(mesh, rig, {})
    assert "hips" in str(result.warning)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    np.testing.assert_allclose(result.values, (mesh.vertices - low) / (high - low), atol=1e-6)


def test_landmarks_in_one_scale() -> None:
    mesh, rig, *_ = character()
    boxed, tall = (landmarks(mesh, rig, {}, scale).values for scale in ("box", "height"))
    assert (boxed.min(axis=0) == 0).all() and (boxed.max(axis=0) == 1).all()
    sides = np.ptp(tall, axis=0)
    assert sides.max() == pytest.approx(1) and sides.min() < 0.9 and tall[:, 2].min() == 0
    np.testing.assert_allclose(tall.min(axis=0) + tall.max(axis=0), [1, 1, sides[2]], atol=1e-6)
    np.testing.assert_allclose((tall - tall.min(axis=0)) / sides, boxed, atol=1e-5)


def test_landmarks_of_a_frame() -> None:
    mesh = boards((-10.5, 12, -9, 8, 0.0))
    values = np.array([[0, 0.2, 0], [1, 0.2, 0], [1, 0.2, 1], [0, 0.2, 1]], np.float32)
    frame, other = drawn(mesh), drawn(moved(mesh, 7, -11))
    picture = udp(frame, values)
    assert picture.shape == (SIZE, SIZE, 4) and picture.dtype == np.float32
    assert 0 <= picture.min() <= picture.max() <= 1
    occupied = picture[..., 3] == 1
    np.testing.assert_array_equal(occupied, frame.mask >= 128)
    assert (picture[~occupied] == 0).all()
    rows, columns = np.nonzero(occupied & (frame.mask == 255))
    expected = np.stack([(columns - 21) / 22.5, np.full(len(rows), 0.2), (40.5 - rows) / 17], axis=1)
    np.testing.assert_allclose(picture[rows, columns, :3], expected, atol=1e-4)
    np.testing.assert_allclose(udp(other, values)[rows - 11, columns + 7], picture[rows, columns], atol=1e-4)


@pytest.mark.parametrize(("name", "person"), [("man_king", True), ("mech_mike", True), ("animal_fox", False)])
def test_real_characters(characters_dir: Path, name: str, person: bool) -> None:
    entry = Entry(name, "gltf", characters_dir / "animated" / f"{name}.glb")
    actor = actor_of(Job(entry, BuildConfig(clips=ClipSettings())))
    result = landmarks(actor.mesh, actor.rig, {})
    assert bool(result.warning) != person
    assert result.values.min() == 0 and result.values.max() == 1
