"""Strips hold every frame in its place, in one size, and are made of whatever can be read."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.look.items import TARGET, Gallery, Item, Side
from specsia_build.look.strips import COLUMNS, Strip, large_of, make_strips, tile_of
from specsia_build.look.strips import strip_of as strip_of_pngs
from tests.look.made import Drawn


def square(level: int, size: int = 32) -> NDArray[np.uint8]:
    """A grey square in the middle of nothing."""
    picture = np.zeros((size, size, 4), np.uint8)
    picture[size // 4 : -size // 4, size // 4 : -size // 4] = (level, level, level, 255)
    return picture


def strip_of(pictures: Iterable[NDArray[np.uint8]], tile: int) -> Strip:
    return strip_of_pngs([png.encode(picture) for picture in pictures], tile)


def opened(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("tile", [16, 32, 48])
def test_frames_lie_in_rows_left_to_right(tile: int) -> None:
    pictures = [square(10 * k) for k in range(23)]
    strip = strip_of(pictures, tile)
    pixels = opened(strip.data)
    assert strip.suffix == "webp"
    assert pixels.shape == (3 * tile, COLUMNS * tile, 4)
    for k in range(23):
        left, top = tile * (k % COLUMNS), tile * (k // COLUMNS)
        middle = pixels[top + tile // 2, left + tile // 2]
        assert abs(int(middle[0]) - 10 * k) < 8
        assert middle[3] == 255
        assert pixels[top, left, 3] == 0


def test_what_is_clear_does_not_colour_the_edges() -> None:
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[:, 31:] = (255, 255, 255, 255)
    pixels = opened(strip_of([picture], 32).data)
    partly = pixels[:, 15]
    assert (partly[:, :3] > 235).all()


def test_the_target_alone_is_kept_in_larger_frames_too_as_far_as_a_browser_holds_them() -> None:
    pictures = [np.roll(square(200, 96), k, axis=1) for k in range(12)]
    reader = Drawn(lambda _, __, ___, frame: pictures[frame])
    sides = {TARGET: ("gt",), "a": ("color",)}
    for tile, side in ((32, 64), (64, 96)):
        made = make_strips(reader, "x", sides, range(12), tile)
        assert set(made.strips["a"]) == {"color", "cover"}
        assert made.strips[TARGET]["gt"] == made.strips["a"]["color"]
        assert made.strips[TARGET]["large"] == strip_of(pictures, side)
    made = make_strips(reader, "x", sides, range(12), 96)
    assert set(made.strips[TARGET]) == {"gt", "cover"}
    assert [large_of(128, 512, frames) for frames in (10, 60, 200)] == [256, 256, None]


def test_the_more_pictures_there_are_the_smaller_they_get() -> None:
    side, reader = Side(TARGET, ("gt",)), Drawn(lambda *_: square(9, 1024))

    def tile(count: int) -> int:
        items = (Item(str(k), str(k), "train", 60, {TARGET: side}) for k in range(count))
        return tile_of(Gallery("run", "here", "t", "l", False, tuple(items), (), (), reader))

    tiles = [tile(count) for count in (3, 500, 4_000, 15_000)]
    assert tiles[0] == 256 and tiles[-1] < 96
    assert tiles == sorted(tiles, reverse=True)
