"""Sheets of tiles: where each lies, what it lies on, and how names are written."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.errors import UsageError
from specsia_build.sheets import Sheet, parse_ground, rgba, scaled, shortened

WHITE = (255, 255, 255, 255)


def tile(red: int, side: int = 32) -> NDArray[np.uint8]:
    """An opaque square of one colour in a transparent frame of four pixels, (side, side, 4)."""
    out = np.zeros((side, side, 4), np.uint8)
    out[4:-4, 4:-4] = (red, 50, 100, 255)
    return out


def test_each_tile_lies_in_its_place_block_by_block_and_row_by_row() -> None:
    sheet = Sheet(["a", "b", "c"], ["one", "two"], ["x", "y"], across=2, tile=32)
    tiles = [tile(20 * number) for number in range(12)]
    drawn = sheet.draw(tiles)
    assert drawn.shape == (*sheet.size[::-1], 4)
    places = [sheet.place(block, row, column) for block in range(3) for row in range(2) for column in range(2)]
    for number, (x, y) in enumerate(places):
        np.testing.assert_array_equal(drawn[y + 4 : y + 28, x + 4 : x + 28], tiles[number][4:-4, 4:-4])
        assert tuple(drawn[y, x]) == tuple(drawn[y + 31, x + 31]) == WHITE
        assert 0 <= x <= sheet.size[0] - 32 - sheet.gap and 0 <= y <= sheet.size[1] - 32 - sheet.gap
    assert places[4][0] > places[1][0] and places[4][1] == places[0][1], "the second block is beside the first"
    assert places[8][0] == places[0][0] and places[8][1] > places[2][1], "the third is below it"


@pytest.mark.parametrize(
    ("name", "page", "behind"),
    [
        ("white", WHITE, {WHITE}),
        ("#102030", (16, 32, 48, 255), {(16, 32, 48, 255)}),
        ("transparent", (0, 0, 0, 0), {(0, 0, 0, 0)}),
        ("checkerboard", WHITE, {WHITE, (222, 222, 222, 255)}),
    ],
)
def test_tiles_lie_on_the_ground(name: str, page: tuple[int, ...], behind: set[tuple[int, ...]]) -> None:
    sheet = Sheet([""], [""], [""], tile=64, ground=parse_ground(name))
    half = np.full((64, 64, 4), (200, 0, 0, 128), np.uint8)
    half[:, 32:] = 0
    drawn = sheet.draw([half])
    assert tuple(drawn[0, 0]) == page
    assert set(map(tuple, drawn[2:66, 34:66].reshape(-1, 4).tolist())) == behind
    wanted = (200, 0, 0, 128) if name == "transparent" else (200 * 128 + page[0] * 127 + 127) // 255
    assert tuple(drawn[2, 2]) == wanted if name == "transparent" else drawn[2, 2, 0] == wanted


@pytest.mark.parametrize("name", ["mauv", "#12", "", "#00000080", "x" * 5000])
def test_what_is_no_colour_is_a_sentence(name: str) -> None:
    with pytest.raises(UsageError, match=r"is no background: name white, transparent"):
        parse_ground(name)


def test_notes_stand_below_their_tiles_and_what_is_missing_says_so() -> None:
    sheet = Sheet([""], [""], ["", ""], tile=96, notes=True)
    drawn = sheet.draw([tile(9, 96), "cannot be read"], ["IoU 0.93", ""])
    (x, y), (other, _) = sheet.place(0), sheet.place(0, 0, 1)
    assert (drawn[y + 96 :, x : x + 96, 0] < 100).any()
    assert (drawn[y + 96 :, other:] == 255).all()
    missing = drawn[y : y + 96, other : other + 96]
    assert tuple(missing[0, 0]) == (236, 228, 222, 255)
    assert (missing[..., 0] < 100).any()


def test_long_names_are_cut_in_their_middle() -> None:
    assert shortened("knight", 16, 100) == "knight"
    cut = shortened("a knight with a very long name and 7", 16, 100)
    assert cut.startswith("a kn") and cut.endswith("d 7") and cut.count("…") == 1
    endless = shortened("x" * 2500 + "y" * 2500, 16, 100)
    assert endless.startswith("xx") and endless.endswith("yy") and len(endless) < 20
    assert shortened("knight", 16, 3) == ""
    wide = Sheet(["x" * 5000], ["y" * 5000], ["z" * 5000], tile=64)
    assert wide.size[0] < 64 * 2 + 32
    assert wide.draw([tile(1)]).shape == (*wide.size[::-1], 4)


def test_a_picture_of_another_size_fills_its_tile_in_its_shape() -> None:
    assert scaled(tile(7), 32) is not None
    np.testing.assert_array_equal(scaled(tile(7), 32), tile(7))
    wide = scaled(np.full((20, 40, 4), (200, 10, 10, 255), np.uint8), 16)
    assert (wide[4:12, :, 3] == 255).all() and (wide[:4, :, 3] == 0).all() and (wide[12:, :, 3] == 0).all()
    edge = scaled(
        np.concatenate([np.full((64, 32, 4), (200, 10, 10, 255), np.uint8), np.zeros((64, 32, 4), np.uint8)], 1), 21
    )
    seen = edge[edge[..., 3] > 20]
    assert abs(seen[:, 0].astype(int) - 200).max() <= 2, "what is transparent has no colour"


def test_pictures_of_any_kind_are_rgba() -> None:
    grey = np.array([[0, 200]], np.uint8)
    np.testing.assert_array_equal(rgba(png.encode(grey)), [[[0, 0, 0, 255], [200, 200, 200, 255]]])
    np.testing.assert_array_equal(
        rgba(png.encode(tile(3)[..., :3])), np.dstack([tile(3)[..., :3], np.full((32, 32), 255)])
    )
    np.testing.assert_array_equal(rgba(png.encode(tile(3))), tile(3))
    paletted = Image.fromarray(tile(3)[..., :3]).quantize(4)
    np.testing.assert_array_equal(rgba(saved(paletted, "PNG")), rgba(png.encode(tile(3)[..., :3])))
    for damaged in (b"", b"nothing at all, but long enough", png.encode(grey)[:-20]):
        with pytest.raises(ValueError, match=r"is not a PNG|is cut off"):
            rgba(damaged)
    for name in ("JPEG", "WebP"):
        with pytest.raises(ValueError, match="is not a PNG file"):
            rgba(saved(paletted, name))


def saved(image: Image.Image, name: str) -> bytes:
    stream = io.BytesIO()
    image.convert("RGB" if name != "PNG" else image.mode).save(stream, name)
    return stream.getvalue()
