"""Lines around figures: found where they are drawn, by width and colour, and not where they are not."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy
from numpy.typing import NDArray

from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.drawn_contour import Contour, find_contour
from tests.backends.drawings import HAIR, SHIRT, SKIN, Image, disc, figure, limb, painted, pixels


def drawn(width: int, grey: int = 0, size: int = 512) -> tuple[Image, Image]:
    """A figure without and with a contour."""
    image = painted(*figure(size))
    return image, draw_contour(image, np.ascontiguousarray(image[..., 3]), width, grey)


def iou_of_bare(contour: Contour, picture: Image, bare: Image) -> float:
    """Overlap of what is left of a picture with the figure that was drawn around."""
    left, true = contour.bare()[..., 3] >= 128, bare[..., 3] >= 128
    return float((left & true).sum() / (left | true).sum())


@pytest.mark.parametrize("width", [1, 2, 4, 9, 16, 30, 40])
@pytest.mark.parametrize("grey", [0, 120, 255])
def test_width_and_grey(width: int, grey: int) -> None:
    bare, picture = drawn(width, grey)
    contour = find_contour(picture)
    assert contour.kept and contour.ink.width == pytest.approx(width, abs=0.6)
    assert np.abs(contour.ink.colours.astype(int) - grey).max() <= 3
    assert iou_of_bare(contour, picture, bare) > 0.93


def shaded(size: int) -> Image:
    """A ball that grows darker towards its edge, as a painter shades it."""
    depth = disc(size, 0.5, 0.5, 0.35)
    return painted(depth, np.clip(60 + 900 * depth, 0, 220)[..., None] * np.ones(3))


def halves(size: int) -> Image:
    """A figure with a black upper and a white lower half, neither of them a line."""
    return painted(disc(size, 0.5, 0.5, 0.35), np.where(pixels(size)[1] < 0.5, 10, 240)[..., None])


def hooded(size: int) -> Image:
    """A light ball in a dark hood, a broad rim around all but its lowest fifth."""
    light = (disc(size, 0.5, 0.5, 0.29) > 0) | (pixels(size)[1] > 0.72)
    return painted(disc(size, 0.5, 0.5, 0.35), np.where(light, 220, 30)[..., None] * np.ones(3))


@pytest.mark.parametrize("draw", [lambda size: painted(*figure(size)), shaded, halves, hooded])
def test_no_contour(draw: Callable[[int], Image]) -> None:
    contour = find_contour(draw(512))
    assert not contour.kept and not contour.line.any()


def test_contour_of_shades() -> None:
    bare, _ = drawn(1)
    covered = bare[..., 3] >= 128
    distance, nearest = scipy.ndimage.distance_transform_edt(~covered, return_indices=True)
    picture = np.where((distance <= 4)[..., None], bare[tuple(nearest)], 0)
    picture[(distance > 0) & (distance <= 4), :3] //= 3
    picture[(distance > 0) & (distance <= 4), 3] = 255
    contour = find_contour(picture.astype(np.uint8))
    assert contour.kept and contour.ink.width == pytest.approx(4, abs=0.6) and len(contour.ink.colours) > 1
    around = contour.ink.around(bare)[(distance > 1) & (distance <= 3)]
    true = picture[(distance > 1) & (distance <= 3)][:, :3]
    assert np.median(np.abs(around.astype(int) - true)) <= 3
    beside = {tuple(colour) for colour in contour.ink.beside.tolist()}
    assert {SKIN, SHIRT} <= beside or {HAIR, SHIRT} <= beside


def test_uneven_line_in_paper() -> None:
    depth, (columns, rows) = 512 * disc(512, 0.5, 0.5, 0.3), pixels(512)
    inner = 8 + 1.5 * np.sin(5 * np.arctan2(rows - 0.5, columns - 0.5))
    shades = np.where(depth < 3, 235, np.where(depth < inner, 60 + 10 * np.sin(40 * rows), 140))
    picture = painted(depth / 512, shades[..., None])
    contour = find_contour(picture)
    assert contour.kept and contour.ink.width == pytest.approx(5, abs=1.2)
    left = contour.bare()
    assert left[left[..., 3] > 127][:, :3].min() >= 110 and left[left[..., 3] > 127][:, :3].max() <= 145


@pytest.mark.parametrize("border", [0, 10])
def test_sticker_with_a_fringe(border: int) -> None:
    """Around the figure are a line of 5 pixels, a white border, and a grey fringe where it was cut out."""
    bare, picture = drawn(5, 30)
    if border:
        picture = draw_contour(picture, np.ascontiguousarray(picture[..., 3]), border, 252)
    picture = draw_contour(picture, np.ascontiguousarray(picture[..., 3]), 1, 110)
    contour = find_contour(picture)
    assert contour.kept and contour.ink.width == pytest.approx(5, abs=0.8)
    assert contour.ink.colours.max() < 60 and iou_of_bare(contour, picture, bare) > 0.93


def test_line_of_a_brush() -> None:
    """A line of one ink that is three times as wide here as there, as a brush draws it, is gone wholly."""
    depth, (columns, rows) = 512 * disc(512, 0.5, 0.5, 0.3), pixels(512)
    width = 8 + 4 * np.sin(7 * np.arctan2(rows - 0.5, columns - 0.5))
    contour = find_contour(painted(depth / 512, np.where(depth < width, 15, 180)[..., None]))
    assert contour.kept and contour.ink.width == pytest.approx(8, abs=2)
    left = contour.bare()
    assert left[left[..., 3] > 127][:, :3].min() > 170


def test_line_around_a_figure_that_is_black_above() -> None:
    """Where the figure is black itself, as a hat, no line can be told; noise is that of a JPEG."""
    depth, (_, rows) = 512 * disc(512, 0.5, 0.5, 0.35), pixels(512)
    noise = np.random.default_rng(0).uniform(0, 60, (512, 512))
    colours = np.where((depth < 5) | (rows < 0.7), noise, 240)[..., None] * np.ones(3)
    contour = find_contour(painted(depth / 512, colours))
    assert contour.kept and contour.ink.width == pytest.approx(5, abs=1)


def parts(mask: NDArray[np.bool_]) -> int:
    return int(scipy.ndimage.label(mask, np.ones((3, 3)))[1])


@pytest.mark.parametrize("size", [512, 1536])
def test_rests_of_whiskers_go_with_the_contour(size: int) -> None:
    """Whiskers are short lines with a pale core, which would get a contour of its own."""
    columns, rows = pixels(size)
    head = 512 * disc(size, 0.5, 0.5, 0.2)
    whisker = 512 * np.minimum(0.01 - np.abs(rows - 0.5), 0.23 - np.abs(columns - 0.5))
    is_pale = (head > 5) | ((head < -2) & (whisker > 2.5))
    picture = painted(np.maximum(head, whisker), np.where(is_pale, 200, 20)[..., None] * np.ones(3))
    contour = find_contour(picture)
    left = contour.bare()[..., 3] >= 128
    assert contour.kept and parts(left) == 1 and not left[head < 0].any()


def test_limbs_of_lines_stay_joined() -> None:
    """A whisker is a line of the contour's ink and width, and a spear is thin and outlined."""
    body = np.maximum(disc(512, 0.4, 0.5, 0.2), limb(512, (0.55, 0.5), (0.75, 0.5), 0.03))
    bare = painted(np.maximum(body, limb(512, (0.75, 0.15), (0.75, 0.85), 0.012)))
    picture = draw_contour(bare, np.ascontiguousarray(bare[..., 3]), 4, 0)
    whisker = limb(512, (0.2, 0.45), (0.05, 0.4), 0.004) > 0
    picture[whisker] = (0, 0, 0, 255)
    contour = find_contour(picture)
    left = contour.bare()[..., 3] > 127
    assert contour.kept and parts(left) == 1
    assert left[:, :60].any() and left[100, 370:400].any()
