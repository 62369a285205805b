"""The backend `relief`: closed meshes in the drawing's colours, deterministic; and its training."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy
import torch
from click.testing import CliRunner
from numpy.typing import NDArray

from specsia_build.backends import selftest
from specsia_build.backends.base import Context
from specsia_build.backends.relief import backend, examples, net, train
from specsia_build.backends.relief.colouring import DrawnFront, back_of, likelihoods
from specsia_build.backends.relief.legs import profile_legs
from specsia_build.backends.relief.net import CHANNELS
from specsia_build.backends.relief.sheets import SIZE, Crop, extended, figure_of, surface_of, textured
from specsia_build.backends.scoring import check_generated
from specsia_build.characters.samples.write import provide
from specsia_build.characters.sources import open_source
from specsia_build.errors import CharacterError
from specsia_build.networks.unet import read_tensors
from specsia_build.pictures.palettes import COLOURS
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.topology import topology
from tests.backends.drawings import PALETTE, SHIRT, Image, disc, figure, iou, limb, painted, pixels, seen


def reconstructed(image: Image) -> Mesh:
    return backend.create(None).reconstruct(image, Context("7", 1))


def colours_of(mesh: Mesh) -> NDArray[np.uint8]:
    """Distinct colours (N, 3) of a mesh's texture."""
    texture = mesh.materials[0].texture
    assert texture is not None
    return np.unique(np.asarray(texture.pixels)[..., :3].reshape(-1, 3), axis=0)


TWO = np.maximum(disc(256, 0.25, 0.5, 0.15), limb(256, (0.7, 0.3), (0.7, 0.8), 0.08))
ODD = {
    "two characters": painted(TWO),
    "landscape": painted(0.1 - np.abs(pixels(256)[1] - 0.5), (90, 160, 60)),
    "cut by the frame": painted(disc(256, 0.5, 1.0, 0.4)),
    "thin line": painted(limb(256, (0.2, 0.2), (0.8, 0.8), 0.003)),
    "small dot": painted(disc(256, 0.5, 0.5, 0.012)),
    "smallest": painted(disc(64, 0.5, 0.5, 0.3)),
    "large": painted(disc(1100, 0.5, 0.5, 0.3)),
    "ring": painted(0.05 - np.abs(np.hypot(*(at - 0.5 for at in pixels(256))) - 0.3)),
    "specks": painted(np.maximum.reduce([disc(256, x / 9, x * x % 9 / 9 + 0.05, 0.01) for x in range(1, 9)])),
}


@pytest.mark.parametrize("size", [200, 512])
def test_closed_mesh_fills_silhouette(size: int) -> None:
    image = painted(*figure(size))
    mesh = reconstructed(image)
    found = topology(mesh)
    assert np.isfinite(mesh.vertices).all()
    assert found.closed.all() and not np.isnan(found.volumes).any()
    check_generated(mesh, image)
    assert iou(seen(mesh, size=size), image) > 0.97


def test_cells_are_coarse_where_depths_are_flat() -> None:
    cut = figure_of(painted(disc(256, 0.5, 0.5, 0.3)))
    rows, columns = np.mgrid[:SIZE, :SIZE] / SIZE
    depths = np.full((SIZE, SIZE), 0.1), np.sin(40 * rows * columns)
    flat, bent = (np.stack([depth, -depth], axis=-1) for depth in depths)
    coarse, fine = surface_of(cut, flat), surface_of(cut, bent)
    assert len(coarse.faces) < 0.25 * len(fine.faces)
    for surface in (coarse, fine):
        sides = np.concatenate([surface.faces[:, [k, (k + 1) % 3]] for k in range(3)])
        assert len(np.unique(sides, axis=0)) == len(sides)
        assert {*map(tuple, sides)} == {*map(tuple, sides[:, ::-1])}


ANIMAL = np.maximum(
    limb(256, (0.5, 0.3), (0.5, 0.45), 0.2),
    np.maximum(*(limb(256, (x, 0.5), (x, 0.9), 0.04) for x in (0.4, 0.6))),
)


@pytest.mark.parametrize(("below", "parts"), [(0.3, 5), (0.1, 1), (0.04, 1)])
def test_leg_as_deep_as_body_becomes_two(below: float, parts: int) -> None:
    cut = figure_of(painted(ANIMAL))
    half = np.full((SIZE, SIZE), 0.3)
    half[SIZE // 2 :] = below
    surface = surface_of(cut, np.stack([half, -half], axis=-1))
    mesh = textured(cut, surface, *[cut.picture[..., :3]] * 2)
    found = topology(mesh)
    assert len(found.areas) == parts and found.closed.all()
    assert iou(seen(mesh, size=256), painted(ANIMAL)) > 0.98
    profile = seen(mesh, yaw=90.0, size=256)[..., 3] > 0
    feet = profile[215]
    assert feet[128] == (parts == 1)
    if parts > 1:
        # Each leg is as deep as it is wide, at the ends of the body; the middle of the belly lies above.
        columns = np.flatnonzero(feet)
        body = np.flatnonzero(profile[100])
        assert np.ptp(columns) == pytest.approx(np.ptp(body), abs=4)
        assert len(columns) == pytest.approx(2 * 0.08 * 256, abs=8)


def feet_of(*legs: tuple[float, float, int]) -> list[str]:
    """Where an animal's feet stand, drawn from its side; of each leg the x of hip and foot, and a grey."""
    trunk = limb(256, (0.25, 0.4), (0.75, 0.4), 0.14)
    bones = [limb(256, (hip, 0.45), (foot, 0.9), 0.035) for hip, foot, _ in legs]
    image = painted(np.maximum.reduce([trunk, *bones]))
    for bone, (*_, grey) in zip(bones, legs, strict=True):
        image[(bone >= 0) & (trunk < 0), :3] = grey
    cut, half = figure_of(image), np.full((SIZE, SIZE), 0.15)
    surface = surface_of(cut, np.stack([half, -half], axis=-1), profile=True)
    mesh = textured(cut, surface, *[cut.picture[..., :3]] * 2)
    assert topology(mesh).closed.all() and iou(seen(mesh, size=256), image) > 0.97
    x, y, z = mesh.vertices.T
    scale = np.ptp(x) / 0.78  # Of 0.25 - 0.14 to 0.75 + 0.14 of the picture
    names = {(True, False): "near", (False, True): "far", (True, True): "both"}
    feet = []
    for _, foot, _ in legs:
        depths = y[(np.abs(x - x.min() - (foot - 0.11) * scale) < 0.03 * scale) & (z < z.min() + 0.1 * scale)]
        is_wall = (np.abs(depths) < 0.01).any()
        feet.append("wall" if is_wall else names[bool((depths < 0).any()), bool((depths > 0).any())])
    return feet


def test_legs_of_animal_from_its_side_stand_apart() -> None:
    assert feet_of((0.25, 0.25, 90), (0.75, 0.75, 90)) == ["both", "both"]
    # Of two legs, the far one is darker, or else the inner one.
    shaded = feet_of((0.25, 0.2, 90), (0.25, 0.36, 140), (0.75, 0.64, 90), (0.75, 0.8, 140))
    assert shaded == ["far", "near", "far", "near"]
    even = feet_of((0.25, 0.2, 90), (0.25, 0.36, 90), (0.75, 0.75, 90))
    assert even == ["near", "far", "both"]
    # A figure that strides is no animal on four legs.
    assert feet_of((0.5, 0.3, 90), (0.5, 0.7, 90)) == ["wall", "wall"]


@pytest.mark.parametrize(
    ("ends", "legs"),
    [
        ({12: 95, 60: 95}, 2),
        ({12: 95, 60: 95, 80: 86}, 2),  # A trunk ends above the ground.
        ({44: 95, 54: 95}, 0),  # A bird's legs are close to each other.
        ({}, 0),
    ],
)
def test_legs_stand_on_the_ground_in_front_and_behind(ends: dict[int, int], legs: int) -> None:
    inside = np.zeros((100, 100), np.bool_)
    inside[30:60, 10:90] = True
    for column, end in ends.items():
        inside[60:end, column : column + 7] = True
    assert len(profile_legs(inside, np.zeros(inside.shape))) == legs
    assert not profile_legs(np.zeros_like(inside), np.zeros(inside.shape))


def test_rim_lies_on_contour() -> None:
    flat = surface_of(figure_of(painted(disc(256, 0.5, 0.5, 0.3))), np.zeros((SIZE, SIZE, 2)))
    shared = np.intersect1d(flat.faces[flat.front], flat.faces[~flat.front])
    x, y, _ = flat.points[shared].T
    middle = (flat.points.min(axis=0) + flat.points.max(axis=0)) / 2
    np.testing.assert_allclose(np.hypot(x - middle[0], y - middle[1]), 0.3 * 256, atol=0.4)


def test_back_may_take_rim_colours() -> None:
    distance = disc(64, 0.5, 0.5, 0.4) * 64
    labels = np.where(distance < 0, COLOURS, np.where(distance < net.RIM + 1, 3, 5))
    front, around, along = net.guides(labels)
    np.testing.assert_array_equal(front, labels)
    assert (around[distance >= 0] == 3).all() and (along[distance >= 0] == 3).all()


@pytest.mark.parametrize("name", sorted(ODD))
def test_odd_drawings(name: str) -> None:
    mesh = reconstructed(ODD[name])
    assert np.isfinite(mesh.vertices).all() and len(mesh.faces) > 0
    assert np.ptp(mesh.vertices, axis=0).max() < 3


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((128, 128, 4), np.uint8),
        np.full((128, 128, 4), 255, np.uint8),
        np.full((128, 100, 4), 255, np.uint8),
        painted(disc(32, 0.5, 0.5, 0.3)),
        np.zeros((128, 128, 3), np.uint8),
        painted(disc(256, 0.5, 0.5, 0.003)),
    ],
    ids=["blank", "no background", "not square", "small", "no alpha", "one pixel"],
)
def test_unusable_pictures(image: Image) -> None:
    with pytest.raises(CharacterError):
        reconstructed(image)


def test_colours_come_from_drawing() -> None:
    distance, colours = figure(512)
    image = np.dstack([colours, np.full((512, 512), 255)]).astype(np.uint8)
    image[distance <= 0] = 0
    own, found = np.array(PALETTE), colours_of(reconstructed(image))
    apart = np.abs(found[:, None].astype(int) - own).max(axis=2)
    # Edges between colours are mixed in the crop.
    assert np.mean(apart.min(axis=1) > 24) < 0.1
    assert (apart.min(axis=0) == 0).all()


def test_mirrored_drawing_has_mirrored_depths() -> None:
    image = painted(limb(256, (0.2, 0.2), (0.7, 0.8), 0.1))
    small = figure_of(image).crop.resized(image)
    labels = np.where(small[..., 3] >= 250, 0, COLOURS)
    straight = backend._predict(small, labels, 0.0)
    mirrored = backend._predict(small[:, ::-1], labels[:, ::-1], 0.0)
    for one, two in zip(straight, mirrored, strict=True):
        np.testing.assert_allclose(one[small[..., 3] >= 250], two[:, ::-1][small[..., 3] >= 250], atol=1e-5)


def test_front_shows_drawing() -> None:
    image = painted(*figure(512))
    shown = seen(reconstructed(image))
    both = (shown[..., 3] == 255) & (image[..., 3] == 255)
    assert np.abs(shown[both].astype(int) - image[both]).mean() < 1.5


def test_thin_parts_keep_their_colours() -> None:
    image = np.zeros((64, 64, 4), np.uint8)
    image[20:44, 10:30] = (200, 30, 30, 255)
    image[31:33, 30:60] = (30, 160, 60, 255)
    colours, trusted = extended(image)
    assert (colours[31:33, 30:32] == (200, 30, 30)).all() and not trusted[31:33, 30:32].any()
    assert (colours[31:33, 33:60] == (30, 160, 60)).all() and trusted[31:33, 33:60].all()


def test_painted_back_has_no_patches() -> None:
    """Strokes of several shades are one material."""
    strokes = scipy.ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(512, 512)), 5)
    shade = 140 + 30 * strokes / strokes.std()
    image = painted(disc(512, 0.5, 0.5, 0.3), np.stack([0.4 * shade, shade, 0.3 * shade], -1).clip(0, 255))
    back = seen(reconstructed(image), 180.0, 256)
    inner = scipy.ndimage.binary_erosion(back[..., 3] == 255, iterations=8)
    assert back[inner][:, 1].std() < 15


def test_painted_back_repeats_strokes_but_no_eyes() -> None:
    """The back of a painted head is all hair: strokes of the hair are repeated, not those of dark eyes."""
    rows, columns = np.indices((SIZE, SIZE))
    away = np.maximum(abs(rows - 64), abs(columns - 64))
    is_eye = away < 4
    is_skin = (away < 30) & ~is_eye
    shades = 60 + np.random.default_rng(0).integers(-25, 25, (SIZE, SIZE))
    colours = np.repeat(np.where(is_skin, 230, shades)[..., None].astype(np.uint8), 3, axis=2)
    whole = (slice(0, SIZE), slice(0, SIZE))
    drawn = DrawnFront(colours, colours, is_skin.astype(np.intp), Crop(0.0, 0.0, float(SIZE)), whole)
    logits = np.full((SIZE, SIZE, COLOURS + 1), -50.0, np.float32)
    logits[..., 0] = 0
    assert drawn.painterly == 1
    back = back_of(drawn, logits)[..., 0].astype(int)
    assert abs(back - colours[..., 0])[away > 45].mean() < 2
    assert back[away < 30].max() < 100 and back[is_eye].std() < 4


@pytest.mark.parametrize(("other", "expected"), [(150, 140), (230, 130)])
def test_likely_colours_are_mixed_if_they_are_alike(other: int, expected: int) -> None:
    """Of two colours that are as likely at the back, 20 levels apart or 100."""
    image = painted(disc(256, 0.5, 0.5, 0.3), np.where(pixels(256)[0] < 0.5, 130, other)[..., None])
    cut = figure_of(image)
    small = cut.crop.resized(cut.picture)
    labels = np.where(small[..., 3] < 128, COLOURS, (small[..., 0] > 140).astype(np.intp))
    whole = (slice(0, SIZE), slice(0, SIZE))
    drawn = DrawnFront(cut.picture[..., :3], small[..., :3], labels, cut.crop, whole)
    likely = np.zeros((len(drawn.present), SIZE, SIZE), np.float32)
    colours = drawn.painted(likely, np.ones(cut.picture.shape[:2], np.bool_), 40.0)
    middle = colours[len(colours) // 2, len(colours) // 2]
    assert middle == pytest.approx([expected] * 3, abs=6)


def test_colours_stay_at_their_heights() -> None:
    """The network likes a dress a little more all over the back, also behind the head far above it."""
    is_dress = np.repeat(np.arange(64)[:, None] >= 32, 64, axis=1)
    colours = np.repeat(np.where(is_dress, 60, 200)[..., None].astype(np.uint8), 3, axis=2)
    whole = (slice(0, 64), slice(0, 64))
    drawn = DrawnFront(colours, colours, is_dress.astype(np.intp), Crop(0.0, 0.0, 64.0), whole)
    logits = np.full((64, 64, COLOURS + 1), -50.0, np.float32)
    logits[..., :2] = 0.0, 2.0
    back = likelihoods(drawn, logits).argmax(axis=0) == 1
    assert back[26:].all() and not back[:20].any()


@pytest.mark.parametrize(
    ("radius", "reaches", "stays"), [(5, False, False), (5, True, True), (20, False, True)]
)
def test_small_areas_inside_of_the_back_go(radius: int, reaches: bool, stays: bool) -> None:
    """A beak that the network copies to the back goes; a belt that reaches the edge and a large pack stay."""
    rows, columns = np.indices((64, 64))
    is_beak = np.hypot(rows - 32, columns - 32) <= radius
    if reaches:
        is_beak |= np.abs(rows - 32) <= radius
    colours = np.where(is_beak[..., None], (250, 200, 0), (20, 20, 20)).astype(np.uint8)
    whole = (slice(0, 64), slice(0, 64))
    drawn = DrawnFront(colours, colours, is_beak.astype(np.intp), Crop(0.0, 0.0, float(SIZE)), whole)
    logits = np.full((64, 64, COLOURS + 1), -50.0, np.float32)
    logits[..., 0] = 0
    logits[is_beak, 1] = 5
    assert (back_of(drawn, logits)[32, 32, 0] > 200) == stays


@pytest.mark.parametrize(("inside", "is_of_lines"), [((250, 250, 246), True), (SHIRT, False)])
def test_lines_on_paper_stay_on_the_front(inside: tuple[int, int, int], is_of_lines: bool) -> None:
    """The back of a line drawing is paper; a drawing that is coloured in keeps its colours."""
    columns, rows = pixels(512)
    image = painted(disc(512, 0.5, 0.5, 0.4), inside)
    lines = (columns * 512 % 20 < 5) | (np.abs(rows * 512 % 20) < 5)
    image[lines & (image[..., 3] == 255), :3] = 10
    behind = seen(reconstructed(image), 180)
    covered = behind[behind[..., 3] == 255, :3]
    assert np.array_equal(covered, np.broadcast_to(inside, covered.shape)) == is_of_lines
    front = seen(reconstructed(image))
    assert (front[front[..., 3] == 255, :3].max(axis=1) < 60).mean() > 0.2


def test_sides_have_no_stripes() -> None:
    """Rows of hatching at the silhouette are not drawn out over the sides."""
    depth, (_, rows) = disc(512, 0.5, 0.5, 0.3), pixels(512)
    image = painted(depth, np.where((512 * rows).astype(int) % 12 < 3, 90, 150)[..., None])
    side = seen(reconstructed(image), 90.0, 256)
    rim = scipy.ndimage.binary_erosion(side[..., 3] == 255, iterations=8)
    steps = np.abs(np.diff(side[..., 0].astype(int), axis=0))
    assert np.percentile(steps[rim[1:] & rim[:-1]], 75) <= 30


def test_highlight_at_the_silhouette_does_not_fill_the_side() -> None:
    depth = disc(512, 0.5, 0.5, 0.3)
    image = painted(depth, np.where((depth < 0.004)[..., None], 255, (60, 120, 190)))
    side = seen(reconstructed(image), 90.0, 256)
    rim = scipy.ndimage.binary_erosion(side[..., 3] == 255, iterations=8)
    assert np.mean(side[rim][:, 0] > 170) < 0.03


def test_thin_parts_are_thin() -> None:
    """A spear beside a body is no plate when it is seen from the side."""
    image = painted(np.maximum(disc(512, 0.4, 0.5, 0.2), limb(512, (0.55, 0.3), (0.75, 0.2), 0.006)))
    vertices = reconstructed(image).vertices
    spear = vertices[vertices[:, 0] > 0.25]
    assert np.ptp(spear[:, 1]) < 0.12 and np.ptp(vertices[:, 1]) > 0.2


def test_far_side_mirrors_a_profile() -> None:
    image = painted(*figure(256))
    mesh = backend.create(None).reconstruct(image, Context("7", 1, is_profile=True))
    near, far = seen(mesh, 0.0, 256), seen(mesh, 180.0, 256)[:, ::-1]
    both = (near[..., 3] == 255) & (far[..., 3] == 255)
    assert np.abs(near[both].astype(int) - far[both]).mean() < 3
    low, high = mesh.bounds()
    assert low[1] == pytest.approx(-high[1], abs=1e-3)


def test_drawn_back_is_used() -> None:
    image = painted(*figure(256))
    back = image.copy()
    back[..., :3] = (10, 200, 30)
    back[..., :3] *= back[..., 3:] > 0
    mesh = backend.create(None).reconstruct(image, Context("7", 1, back=back))
    shown = seen(mesh, 180.0, 256)
    assert np.abs(shown[shown[..., 3] == 255][:, :3].astype(int) - (10, 200, 30)).mean() < 8


def test_frame_tells_the_length() -> None:
    image = painted(limb(256, (0.5, 0.4), (0.5, 0.6), 0.08))
    framed = backend.create(None).reconstruct(image, Context("7", 1, framed=True))
    assert np.ptp(framed.vertices[:, 1]) == pytest.approx(1, abs=0.1)


def test_bytes_do_not_depend_on_threads() -> None:
    image = painted(*figure(256))
    first = reconstructed(image)
    with ThreadPoolExecutor(4) as pool:
        others = list(pool.map(lambda _: reconstructed(image), range(4)))
    for other in others:
        assert other.vertices.tobytes() == first.vertices.tobytes()
        assert np.array_equal(colours_of(other), colours_of(first))
        assert other.uv is not None and first.uv is not None and other.uv.tobytes() == first.uv.tobytes()


def test_weights_are_small() -> None:
    assert net.WEIGHTS_FILE.stat().st_size < 4 << 20


@pytest.fixture(scope="module")
def picture() -> Any:
    return examples._picture(selftest.figure())


def test_examples_depend_on_seed_only(picture: Any) -> None:
    one, two, other = (examples.example(picture, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not np.array_equal(one["x"], other["x"])
    assert one["x"].shape == (CHANNELS, SIZE, SIZE)
    thickness = (one["depth"][0] - one["depth"][1])[one["both"][0] > 0]
    assert thickness.min() > -0.02
    assert 0.05 < thickness.mean() < 1


def test_stretched_rows_keep_their_shape() -> None:
    cover = np.zeros((60, 60, 2), np.uint8)
    cover[5:55, 20:40] = 255
    depth = np.zeros((60, 60, 2), np.float16)
    depth[5:55, 20:40] = (10, -10)
    whole = np.dstack([cover, cover])
    ratios, heights = [], []
    for seed in range(20):
        _, _, covered, deep = examples._reshaped(np.random.default_rng(seed), (whole, whole, cover, depth))
        widths, depths = np.count_nonzero(covered[..., 0], axis=1), deep[..., 0].max(axis=1).astype(float)
        np.testing.assert_allclose(widths[widths > 0], 2 * depths[widths > 0], atol=2)
        ratios += [widths.max() / widths[widths > 0].min()]
        heights += [np.count_nonzero(widths)]
    assert 1.1 < np.mean(ratios) < 1.6 and 45 < np.mean(heights) < 55 and np.std(heights) > 3


@pytest.mark.parametrize("workers", [0, 2])
def test_trained_weights_match_torch(workers: int, picture: Any, tmp_path: Path) -> None:
    model = train.train(examples.Batches([(picture, 1.0)], 1, 0), tmp_path, train.Effort(workers=workers))
    weights = tmp_path / "weights.safetensors"
    tensors = read_tensors(weights).items()
    planes = {n: v.transpose(3, 2, 0, 1).copy() if v.ndim == 4 else v for n, v in tensors}
    model.load_state_dict({name: torch.from_numpy(value) for name, value in planes.items()})
    example = examples.example(picture, np.random.default_rng(3))
    with torch.no_grad():
        predicted, key = model(torch.from_numpy(example["x"])[None])
        labels, guides = (torch.from_numpy(example[name]).long() for name in ("labels", "guides"))
        hot = torch.nn.functional.one_hot(labels, COLOURS + 1)[..., :COLOURS]
        pooled = torch.nn.functional.avg_pool2d(hot.permute(2, 0, 1)[None].float(), 2)
        logits = train.palette_logits(predicted, key, pooled, guides[None])
    found, keys = net.forward(np.ascontiguousarray(example["x"].transpose(1, 2, 0)), net.layers_of(weights))
    assert np.abs(found - predicted[0].permute(1, 2, 0).numpy()).max() < 1e-4
    _, without = net.decode(found, keys, example["labels"], 0)
    assert np.abs(without - logits[0].permute(1, 2, 0).numpy()).max() < 1e-3


def test_training_starts_from_weights(picture: Any, tmp_path: Path) -> None:
    effort = train.Effort(rate=0.0, start=net.WEIGHTS_FILE)
    train.train(examples.Batches([(picture, 1.0)], 1, 0), tmp_path, effort)
    kept, shipped = read_tensors(tmp_path / "weights.safetensors"), read_tensors(net.WEIGHTS_FILE)
    assert all(np.array_equal(kept[name], tensor) for name, tensor in shipped.items())


def test_turned_silhouettes_differ_by_thickness(picture: Any) -> None:
    made = examples.example(picture, np.random.default_rng(1))
    depth, both = (torch.from_numpy(made[name])[None] for name in ("depth", "both"))
    apart = (depth[:, :1] - depth[:, 1:]) / 4
    thinner = depth.mean(1, keepdim=True) + torch.tensor([1.0, -1.0])[:, None, None] * apart
    side, front = torch.tensor([math.pi / 2]), torch.tensor([0.0])
    assert float(train.silhouette_loss(depth, depth, both, side)) == 0
    assert float(train.silhouette_loss(thinner, depth, both, front)) < 0.01
    assert 0.3 < float(train.silhouette_loss(thinner, depth, both, side)) < 0.6


def test_kept_pictures_are_those_that_were_drawn(picture: Any, tmp_path: Path) -> None:
    examples.save_pictures(tmp_path / "kept.npz", [(picture, 0.25), (picture, 0.75)])
    kept = examples.load_pictures(tmp_path / "kept.npz")
    assert [weight for _, weight in kept] == [0.25, 0.75]
    for layer, stored in zip(picture, kept[1][0], strict=True):
        assert layer.dtype == stored.dtype and np.array_equal(layer, stored)
    ran = CliRunner().invoke(train.main, ["--out", str(tmp_path / "out")])
    assert ran.exit_code == 2


def test_manifest_shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[str, float]] = []
    monkeypatch.setattr(train, "pictures", lambda path: [(path.name, 0.5)])
    monkeypatch.setattr(train, "train", lambda drawn, *_: taken.extend(drawn))
    monkeypatch.setattr(train, "Batches", lambda drawn, steps, seed: drawn)
    ran = CliRunner().invoke(train.main, ["a.jsonl", "b.jsonl=0.4", "--out", str(tmp_path / "out")])
    assert ran.exit_code == 0, ran.output
    assert taken == [("a.jsonl", 0.5), ("b.jsonl", 0.2)]
    for share in ("0", "-1", "nan", "inf", "much"):
        ran = CliRunner().invoke(train.main, ["a.jsonl", f"b.jsonl={share}", "--out", str(tmp_path / "none")])
        assert ran.exit_code == 2 and f"'b.jsonl={share}'" in ran.output
    assert len(taken) == 2 and not (tmp_path / "none").exists()


def test_samples_at_rest_and_turned(tmp_path: Path) -> None:
    lines = []
    for entry, split in zip(open_source("sample:2", tmp_path).entries, ("train", "test"), strict=True):
        provide(entry)
        lines.append({"id": entry.id, "path": entry.path.relative_to(tmp_path).as_posix(), "split": split})
    (tmp_path / "samples.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert [weight for _, weight in examples.pictures(tmp_path / "samples.jsonl")] == [0.5, 0.5]
