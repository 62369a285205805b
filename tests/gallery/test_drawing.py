"""Turntables and sheets of a gallery: what is chosen, where it lies, and what is said where it cannot be."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from specsia_build import png
from specsia_build.dataset import schema
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.gallery.drawing import Choice, Look, draw_sheet, draw_turntable
from specsia_build.gallery.items import Gallery, Lost
from specsia_build.sheets import Ground, Sheet, parse_ground
from tests.gallery.made import gallery, item

FEW = Look(tile=16)


def some() -> Gallery:
    """Three characters of four views by two backends, the last in another split."""
    values = {"inflate": [0.9] * 4, "fusion": [0.8] * 4}
    return gallery("run", item("a", values), item("b", values), item("c", values, split="test"))


def clips() -> Gallery:
    """A clip of six frames and one of three, the first at twice the pace."""
    made = gallery(
        "clips",
        item("a-run", {"inflate": [0.9] * 6}, yaws=None, fps=12.0, action="run"),
        item("a-sit", {"inflate": [0.9] * 3}, yaws=None, fps=6.0, action="sit"),
    )
    return replace(made, moving=True)


def read(found: Gallery, key: str, side: str, layer: str, frame: int) -> NDArray[np.uint8]:
    return png.decode(found.reader.read(key, side, layer, [frame])[0], 4)


def frames(path: Path) -> list[NDArray[np.uint8]]:
    with Image.open(path) as opened:
        return [np.asarray(image.convert("RGBA")) for image in ImageSequence.Iterator(opened)]


def held(sheet: Sheet, drawn: NDArray[np.uint8], tile: int) -> NDArray[np.uint8]:
    """One of the tiles of a drawing, numbered as they are drawn."""
    per = len(sheet.rows) * len(sheet.columns)
    block, inner = divmod(tile, per)
    x, y = sheet.place(block, *divmod(inner, len(sheet.columns)))
    return drawn[y : y + sheet.tile, x : x + sheet.tile]


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_turntable_shows_y_star_beside_each_z_view_by_view(tmp_path: Path, suffix: str) -> None:
    found, out = some(), tmp_path / f"turn.{suffix}"
    told = draw_turntable(found, out, Choice(most=2), replace(FEW, labels=False, across=2), seconds=2)
    assert (told.items, told.frames, told.fps, told.warnings) == (2, 4, Fraction(2), ())
    sheet = Sheet(["", ""], [""], [""] * 3, across=2, tile=16)
    drawn = frames(out)
    assert told.size == sheet.size == drawn[0].shape[1::-1]
    assert len(drawn) == 4
    for view, picture in enumerate(drawn):
        wanted = [("Y*", schema.GT), ("inflate", schema.COLOR), ("fusion", schema.COLOR)]
        for tile, (key, (side, layer)) in enumerate((key, one) for key in "ab" for one in wanted):
            np.testing.assert_array_equal(held(sheet, picture, tile), read(found, key, side, layer, view))
    with Image.open(out) as opened:
        assert opened.info["duration"] == 500


def test_to_and_fro_no_end_is_shown_twice(tmp_path: Path) -> None:
    found, out = some(), tmp_path / "turn.png"
    told = draw_turntable(found, out, Choice(["a"], show=["Y*"]), replace(FEW, labels=False), fps=5, swing=True)
    assert (told.frames, told.fps) == (6, Fraction(5))
    order = [held(Sheet([""], [""], [""], tile=16), picture, 0) for picture in frames(out)]
    for picture, view in zip(order, (0, 1, 2, 3, 2, 1), strict=True):
        np.testing.assert_array_equal(picture, read(found, "a", "Y*", schema.GT, view))


def test_clips_play_at_their_own_pace_and_shorter_ones_begin_anew(tmp_path: Path) -> None:
    found, out = clips(), tmp_path / "clips.png"
    long = replace(found, items=(replace(found.items[0], fps=6.0), found.items[1]))
    for shown, order in ((found, (0, 0, 1, 1, 2, 2)), (long, (0, 1, 2, 0, 1, 2))):
        told = draw_turntable(shown, out, Choice(show=["inflate"]), replace(FEW, labels=False, across=2))
        assert (told.frames, told.fps) == (6, Fraction(12 if shown is found else 6))
        sheet = Sheet(["", ""], [""], [""], across=2, tile=16)
        for frame, (picture, other) in enumerate(zip(frames(out), order, strict=True)):
            wanted = (
                read(found, "a-run", "inflate", schema.COLOR, frame),
                read(found, "a-sit", "inflate", schema.COLOR, other),
            )
            np.testing.assert_array_equal(held(sheet, picture, 0), wanted[0])
            np.testing.assert_array_equal(held(sheet, picture, 1), wanted[1])


@pytest.mark.parametrize("by_view", [True, False])
def test_a_sheet_has_a_column_or_a_row_for_each_view(tmp_path: Path, by_view: bool) -> None:
    found, out = some(), tmp_path / "sheet.png"
    show = ["inflate:mask", "Y*:silhouette", "fusion"]
    look = replace(FEW, values=True, ground=Ground((9, 8, 7)))
    told = draw_sheet(found, out, Choice(["c", "a"], show=show), look, views=[3, 1], by_view=by_view)
    heads, views = ["Zmask inflate", "silhouette", "Z fusion"], ["270°", "90°"]
    rows, columns = (heads, views) if by_view else (views, heads)
    sheet = Sheet(["c", "a"], rows, columns, tile=16, notes=True, ground=Ground((9, 8, 7)))
    (drawn,) = frames(out)
    assert told.size == sheet.size == drawn.shape[1::-1]
    assert tuple(drawn[0, 0]) == (9, 8, 7, 255)
    layers = [("inflate", schema.MASK), ("Y*", schema.GT_MASK), ("fusion", schema.COLOR)]
    cells = [(one, view) for one in layers for view in (3, 1)]
    cells = cells if by_view else [(one, view) for view in (3, 1) for one in layers]
    for block, key in enumerate("ca"):
        for number, ((side, layer), view) in enumerate(cells):
            wanted = read(found, key, side, layer, view)
            np.testing.assert_array_equal(held(sheet, drawn, 6 * block + number), wanted)


def test_views_are_spread_where_none_is_named_and_times_are_told_of_clips(tmp_path: Path) -> None:
    out = tmp_path / "sheet.webp"
    told = draw_sheet(clips(), out, Choice(["a-run"], show=["inflate"]), FEW)
    assert told.size == Sheet(["a-run"], ["Z"], ["0.00 s", "0.08 s", "0.17 s", "0.25 s", "0.33 s"], tile=16).size
    both = draw_sheet(clips(), tmp_path / "both.png", Choice(show=["inflate"]), FEW, views=[0, 2])
    assert both.size == Sheet(["a-run", "a-sit"], ["Z"], ["", ""], tile=16).size, "they differ"
    first = out.read_bytes()
    draw_sheet(clips(), out, Choice(["a-run"], show=["inflate"]), FEW)
    assert out.read_bytes() == first


def test_what_cannot_be_read_says_so_in_its_tile_and_in_a_warning(tmp_path: Path) -> None:
    found = gallery("run", item("a", {"inflate": [0.9] * 4}), item("b", {"inflate": [0.9] * 4}), unreadable="b")
    told = draw_sheet(found, tmp_path / "sheet.png", Choice(["a", "b"], show=["Y*"]), FEW, views=[0])
    assert told.warnings == ("Y* of b cannot be read: b is damaged",)
    (drawn,) = frames(tmp_path / "sheet.png")
    sheet = Sheet(["a", "b"], ["Y*"], ["0°"], tile=16)
    np.testing.assert_array_equal(held(sheet, drawn, 0), read(found, "a", "Y*", schema.GT, 0))
    assert tuple(held(sheet, drawn, 1)[0, 0]) == (236, 228, 222, 255)
    with pytest.raises(SpecsiaError, match=r"Y\* of b cannot be read: b is damaged"):
        draw_turntable(found, tmp_path / "turn.webp", Choice(["b"], show=["Y*"]), FEW)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


def test_what_a_backend_did_not_make_is_a_tile_without_it_and_a_warning(tmp_path: Path) -> None:
    found = gallery("run", item("a", {"inflate": [0.9] * 4, "fusion": [0.8] * 4}), item("b", {"inflate": [0.9] * 4}))
    told = draw_sheet(found, tmp_path / "sheet.png", Choice(), FEW, views=[0])
    assert told.warnings == ("Z fusion of b is not there",)
    (drawn,) = frames(tmp_path / "sheet.png")
    sheet = Sheet(["a", "b"], ["Y*", "Z inflate", "Z fusion"], ["0°"], tile=16)
    assert tuple(held(sheet, drawn, 5)[0, 0]) == (236, 228, 222, 255)


@dataclass(frozen=True)
class Ghosts:
    """Reads a white disc in the middle of nothing, and of Y* one with a grey contour."""

    def read(self, _: str, side: str, layer: str, frames: Sequence[int]) -> list[bytes]:
        y, x = np.mgrid[:32, :32] - 15.5
        picture = np.full((32, 32, 4), 255, np.uint8)
        picture[..., 3] = 255 * (np.hypot(x, y) < 14)
        picture[(np.hypot(x, y) > 12) & (layer == schema.GT), :3] = 90
        return [png.encode(picture)] * len(frames)

    def only(self, _: Collection[str]) -> Ghosts:
        return self


def test_what_has_the_colour_of_its_ground_is_told_once(tmp_path: Path) -> None:
    found, out = replace(some(), reader=Ghosts()), tmp_path / "sheet.png"
    said = tuple(
        f"Z {backend} of a has the colour of the background, so that it is hardly seen in 0°: --background '#8090a0' "
        "shows it"
        for backend in ("inflate", "fusion")
    )
    assert draw_sheet(found, out, Choice(["a"]), FEW).warnings == said
    for name in ("#8090a0", "black", "transparent", "checkerboard"):
        look = replace(FEW, ground=parse_ground(name))
        assert draw_sheet(found, out, Choice(["a"]), look).warnings == ()
    assert draw_sheet(some(), out, Choice(["a"]), FEW).warnings == ()


def test_letters_that_the_font_lacks_are_a_warning(tmp_path: Path) -> None:
    found = gallery("run", item("قارس", {"inflate": [0.9] * 4}), item("bröken", {"inflate": [0.9] * 4}))
    told = draw_sheet(found, tmp_path / "sheet.png", Choice(), FEW)
    assert told.warnings == ("the font lacks letters of قارس, which are drawn as boxes",)
    assert draw_sheet(found, tmp_path / "sheet.png", Choice(), replace(FEW, labels=False)).warnings == ()


@pytest.mark.parametrize(
    ("choice", "views", "sentence"),
    [
        (Choice(["aa"]), [], r"run has no character 'aa'\. Did you mean 'a'\?"),
        (Choice(["nobody"]), [], r"run has no character 'nobody'\. It has a, b, c\."),
        (Choice(["lost"]), [], r"'lost' has no pictures: it failed at render: the file is empty"),
        (
            Choice(split="validation"),
            [],
            r"run has nothing in split 'validation' to draw: it has train \(2\), test \(1\)",
        ),
        (Choice(show=["inflat"]), [], r"nothing is shown by 'inflat': .*Did you mean 'inflate'\?"),
        (Choice(show=["inflate:colr"]), [], r"inflate has no layer 'colr': there is .*Did you mean 'color'\?"),
        (Choice(show=["wonder3d:color"]), [], r"nothing is shown by 'wonder3d': there is Y\*, inflate, fusion"),
        (Choice(), [2, 4], r"a has no view 4: the last of its 4 is 3"),
        (Choice(), [0] * 4000, r"is more than PNG can hold"),
    ],
)
def test_what_is_not_there_is_a_sentence(tmp_path: Path, choice: Choice, views: list[int], sentence: str) -> None:
    found = replace(some(), lost=(Lost("lost", "lost", "render", None, "the file is empty"),))
    with pytest.raises(UsageError, match=sentence):
        draw_sheet(found, tmp_path / "sheet.png", choice, FEW, views=views)
    assert not list(tmp_path.iterdir())


def test_nothing_at_all_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run has nothing to draw: it has nothing yet"):
        draw_turntable(gallery("run"), tmp_path / "turn.webp", Choice(), FEW)
    told = replace(gallery("run"), missing=("All is of another version.", "It is packed."))
    with pytest.raises(UsageError, match=r"nothing to draw: All is of another version\. It is packed\."):
        draw_turntable(told, tmp_path / "turn.webp", Choice(), FEW)


def test_hundreds_of_characters_are_more_than_webp_can_hold(tmp_path: Path) -> None:
    many = gallery("run", *(item(f"c{k}", {"inflate": [0.9] * 2}) for k in range(300)))
    with pytest.raises(UsageError, match="more than WebP can hold, 16383 on a side: choose fewer"):
        draw_sheet(many, tmp_path / "sheet.webp", Choice(), Look(tile=64))
