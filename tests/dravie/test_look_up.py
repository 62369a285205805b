"""Look up the drawing: beside KD-trees, at every distance; estimate the contour's style."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.drawing import NO_CONTOUR, NO_DRAWING, Drawing, visible_places
from specsia_build.dravie.look_up import EXACT, FARTHEST, PALETTE_FALLOFF, SLACK
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.drawn_contour import find_contour, ink_around
from tests.dravie.pairs import coloured, disc


def drawing_of(pos: NDArray[np.uint8], gt: NDArray[np.uint8], gt_mask: NDArray[np.uint8]) -> Drawing:
    return Drawing.of(Pair("c_00", "c", 0, pos, pos, gt, gt_mask))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 40, 256]), st.sampled_from([1, 30, 900]))
def test_agrees_with_trees(seed: int, spread: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    low = int(rng.integers(0, 257 - spread))
    frontal, view = rng.integers(low, low + spread, (2, 30, 30, 4), dtype=np.uint8)
    frontal[..., 3] = np.where(np.arange(900).reshape(30, 30) < count, 255, 0)
    frontal[0, 0, :3] |= 1
    gt = rng.integers(0, 256, (30, 30, 4), dtype=np.uint8)
    gt[..., 3] = 255
    view[..., 3] = rng.choice([0, 1, 255], (30, 30))
    reference = drawing_of(frontal, gt, frontal[..., 3]).reference
    assert reference is not None
    out, shown = reference.look_up(view, gt), view[..., 3] > 0
    assert not out[~shown].any()
    places, found = view[shown][:, :3].astype(float), out[shown].astype(int)
    distance, _ = cKDTree(reference.places.astype(float)).query(places)
    near = distance <= EXACT
    expected = 255 * np.exp(-distance / 8)
    assert (np.abs(found[near, 3] - expected[near]) <= 1).all()
    assert (found[:, 3] <= expected + 1).all()
    assert (found[:, 3] + 1 >= 255 * np.exp(-(distance + SLACK) / 8) - 1).all()
    assert (found[distance > FARTHEST, :4] == [255, 255, 255, 0]).all()
    flat, _ = cKDTree(reference.places[:, :2].astype(float)).query(places[:, :2])
    assert (np.abs(found[:, 7] - 255 * np.exp(-flat / 8)) <= 1).all()
    # A colour is that of a place which is as near as the confidence says.
    for place, channels in zip(places[::7], found[::7], strict=True):
        if channels[3] > 1 and np.linalg.norm(reference.places - place, axis=1).min() <= EXACT:
            apart = np.linalg.norm(reference.places - place, axis=1)
            same = (reference.colours == channels[:3]).all(axis=1)
            assert apart[same].min() == pytest.approx(apart.min())


def plane(depth: int) -> NDArray[np.uint8]:
    """Zpos (64, 64, 4) of an upright square at one depth."""
    y, x = np.mgrid[:64, :64]
    return np.stack([4 * x, 4 * y, depth + 0 * x, 255 + 0 * x], axis=2).astype(np.uint8)


def test_frontal_pixels_find_themselves() -> None:
    pos, behind = plane(100), plane(20)
    gt = np.random.default_rng(0).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    gt[..., 3] = 255
    reference = drawing_of(pos, gt, gt[..., 3]).reference
    assert reference is not None
    out = reference.look_up(pos, gt)
    assert_array_equal(out[..., :3], gt[..., :3])
    assert_array_equal(out[..., 4:7], gt[..., :3])
    assert_array_equal(reference.look_up(behind, gt)[..., 4:7], gt[..., :3])
    assert (reference.look_up(behind, gt)[..., :4] == [255, 255, 255, 0]).all()


def test_even_z_replaces_seen_through() -> None:
    front, behind = plane(20), plane(220)
    gt = np.full((64, 64, 4), [250, 230, 40, 255], np.uint8)
    hair = np.full((64, 64, 4), [240, 170, 60, 255], np.uint8)
    noisy = hair.copy()
    noisy[..., :3] = np.random.default_rng(0).integers(100, 256, (64, 64, 3))
    drawing = drawing_of(front, gt, gt[..., 3])
    assert_array_equal(drawing.look_up(behind, hair)[..., 4:7], hair[..., :3])
    assert_array_equal(drawing.look_up(behind, noisy)[..., 4:7], gt[..., :3])
    assert_array_equal(drawing.look_up(front, hair)[..., 4:7], gt[..., :3])


def test_equal_places_share_mean_colour() -> None:
    pos = np.full((1, 2, 4), [9, 9, 9, 255], np.uint8)
    gt = np.array([[[0, 10, 20, 255], [100, 20, 21, 255]]], np.uint8)
    reference = drawing_of(pos, gt, gt[..., 3]).reference
    assert reference is not None and len(reference.places) == 1
    assert_array_equal(reference.look_up(pos, gt)[0, 0, :8], [50, 15, 21, 255, 50, 15, 21, 255])


def test_nearest_palette_colour() -> None:
    rng = np.random.default_rng(1)
    main = np.array([[200, 30, 30], [30, 160, 60], [240, 220, 180]], np.uint8)
    pos, y = plane(100), np.indices((64, 64))[0]
    gt = np.concatenate([main[y * 3 // 64], np.full((64, 64, 1), 255, np.uint8)], axis=2)
    reference = drawing_of(pos, gt, gt[..., 3]).reference
    assert reference is not None
    assert set(map(tuple, reference.palette.round().astype(int))) == set(map(tuple, main))
    z = rng.integers(0, 256, (64, 64, 4), dtype=np.uint8)
    behind = pos[rng.permutation(64)][:, rng.permutation(64)]
    out = reference.look_up(behind, z)
    colours, at = reference.palette, reference.distances[behind[..., 0], behind[..., 1]].astype(float)
    costs = np.abs(colours - z[..., None, :3]).sum(axis=-1) + at
    assert_array_equal(out[..., 8:11], colours[costs.argmin(axis=-1)].round())
    assert (np.abs(out[..., 11] - 255 * np.exp(-costs.min(axis=-1) / PALETTE_FALLOFF)) <= 1).all()
    # The distances are those to the nearest column of a colour.
    green = int(np.abs(colours - main[1]).sum(axis=1).argmin())
    upright = np.isin(np.arange(256), 4 * y[y * 3 // 64 == 1])
    columns = np.argwhere((np.arange(256) % 4 == 0)[:, None] & upright)
    expected, _ = cKDTree(columns).query(np.array([[10, 3], [201, 250]]))
    assert_array_equal(reference.distances[[10, 201], [3, 250], green], np.floor(expected))


def test_only_opaque_pixels_count() -> None:
    pos = np.full((4, 4, 4), 255, np.uint8)
    gt, mask = np.full((4, 4, 4), 255, np.uint8), np.full((4, 4), 255, np.uint8)
    clear = np.zeros((4, 4), np.uint8)
    assert drawing_of(pos, gt, mask).reference is not None
    assert drawing_of(pos, gt, clear).reference is None
    assert drawing_of(np.dstack([pos[..., :3], clear]), gt, mask).reference is None
    assert drawing_of(pos, np.dstack([gt[..., :3], clear]), mask).reference is None
    assert drawing_of(np.dstack([0 * pos[..., :3], mask]), gt, mask).reference is None


def test_pasting_fades_with_distance() -> None:
    """From the place itself to 3 levels away, where Z's own colour stays."""
    drawing = Drawing(np.array([[100, 50, 50]], np.uint8), np.array([[0, 200, 0]], np.uint8))
    pos = np.full((1, 6, 4), [100, 50, 50, 255], np.uint8)
    pos[0, :, 0] += np.array([0, 1, 2, 3, 9, 0], np.uint8)
    z = np.full((1, 6, 4), [0, 100, 0, 255], np.uint8)
    z[0, 5, 3] = 254
    expected = [[200, 200, 167, 100, 100, 100]]
    assert np.abs(drawing.paste(z, pos)[..., 1].astype(int) - expected).max() <= 2  # confidence is one byte
    assert_array_equal(NO_DRAWING.paste(z, pos), z)


@pytest.mark.parametrize("ink", [(0, 0, 0), (160, 20, 30), (250, 240, 90)], ids=["black", "red", "yellow"])
@pytest.mark.parametrize("thickness", [1, 4])
@pytest.mark.parametrize("known", [True, False])
def test_ink_of_a_drawing(ink: tuple[int, int, int], thickness: int, known: bool) -> None:
    """It is measured where the silhouette is known, and found where it is not."""
    mask = disc(64, 40, 128)
    drawn = draw_contour(coloured(mask, (120, 190, 170)), mask, thickness, ink)
    pos = np.zeros((128, 128, 4), np.uint8)
    style = Drawing.of(Pair("a", "a", 0, coloured(mask), pos, drawn, mask if known else None)).ink
    assert style.width == pytest.approx(thickness, abs=0.5)
    assert np.abs(style.colours.astype(int) - ink).max() <= 3
    assert not find_contour(drawn).bare()[..., 3][mask == 0].any()


def test_contour_that_follows_the_figure() -> None:
    """Its colours are recovered beside each half of the figure, and drawn again from a damaged one."""
    mask = disc(64, 40, 128)
    figure, shade = coloured(mask, (230, 120, 90)), np.zeros((128, 128, 3), np.uint8)
    figure[:, 64:, :3] = np.where(mask[:, 64:, None] > 0, np.array([90, 140, 230], np.uint8), np.uint8(0))
    shade[:, :64], shade[:, 64:] = (115, 60, 45), (45, 70, 115)
    drawn = draw_contour(figure, mask, 3, shade)
    for style in (ink_around(drawn, mask), find_contour(drawn).ink):
        assert style is not None and style.width == pytest.approx(3, abs=0.5) and len(style.colours) >= 2
        around = style.around(figure).astype(int)
        assert np.abs(around - shade).max(axis=2)[:, [20, 50, 78, 108]].max() <= 3
    assert ink_around(figure, mask) is None and not find_contour(figure).kept


def test_no_contour_no_ink() -> None:
    mask = disc(64, 40, 128)
    frontal = Pair("a", "a", 0, coloured(mask), np.zeros((128, 128, 4), np.uint8), coloured(mask))
    assert Drawing.of(frontal).ink is NO_CONTOUR
    assert_array_equal(find_contour(coloured(mask)).bare()[..., 3], mask)


def test_drawn_back_by_position() -> None:
    pos, behind = plane(255), plane(0)
    red, blue = (np.full((64, 64, 4), c, np.uint8) for c in ((255, 0, 0, 255), (0, 0, 255, 255)))
    drawing = replace(drawing_of(pos, red, red[..., 3]), back=visible_places(behind, blue, blue[..., 3]))
    for view, colour in ((pos, red), (behind, blue)):
        channels = drawing.look_up(view, colour)
        assert (channels[..., :3] == colour[..., :3]).all() and (channels[..., 3] == 255).all()
    assert drawing.reference is not None and (drawing.reference.flat[..., :3] == [255, 0, 0]).all()
