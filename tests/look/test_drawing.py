"""Turntables and sheets of a gallery: what is chosen, where it lies, and what is said where it cannot be."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from specsia_build import png
from specsia_build.dataset import schema
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.look.drawing import Choice, Style, draw_sheet, draw_turntable
from specsia_build.look.items import Gallery, Lost
from specsia_build.sheets import Ground, Sheet
from tests.look.made import colours, gallery, item

FEW = Style(tile=16)


def some() -> Gallery:
    """Three characters of four views by two backends, the last in another split."""
    values = {"relief": [0.9] * 4, "fusion": [0.8] * 4}
    return gallery("run", item("a", values), item("b", values), item("c", values, split="test"))


def clips() -> Gallery:
    """A clip of six frames and one of three, the first at twice the pace."""
    run = item("a-run", {"relief": [0.9] * 6}, yaws=None, fps=12.0, action="run")
    return gallery("clips", run, item("a-sit", {"relief": [0.9] * 3}, yaws=None, fps=6.0, action="sit"))


def read(found: Gallery, key: str, side: str, layer: str, frame: int) -> NDArray[np.uint8]:
    return png.decode(found.reader.read(key, side, [layer], [frame])[layer][0], 4)


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
        wanted = [("Y*", schema.GT), ("relief", schema.COLOR), ("fusion", schema.COLOR)]
        for tile, (key, (side, layer)) in enumerate((key, one) for key in "ab" for one in wanted):
            np.testing.assert_array_equal(held(sheet, picture, tile), read(found, key, side, layer, view))
    with Image.open(out) as opened:
        assert opened.info["duration"] == 500


def test_clips_play_at_their_own_pace_and_shorter_ones_begin_anew(tmp_path: Path) -> None:
    found, out = clips(), tmp_path / "clips.png"
    long = replace(found, items=(replace(found.items[0], fps=6.0), found.items[1]))
    for shown, order in ((found, (0, 0, 1, 1, 2, 2)), (long, (0, 1, 2, 0, 1, 2))):
        told = draw_turntable(shown, out, Choice(show=["relief"]), replace(FEW, labels=False, across=2))
        assert (told.frames, told.fps) == (6, Fraction(12 if shown is found else 6))
        sheet = Sheet(["", ""], [""], [""], across=2, tile=16)
        for frame, (picture, other) in enumerate(zip(frames(out), order, strict=True)):
            for tile, (key, number) in enumerate((("a-run", frame), ("a-sit", other))):
                wanted = read(found, key, "relief", schema.COLOR, number)
                np.testing.assert_array_equal(held(sheet, picture, tile), wanted)


def test_a_sheet_has_a_column_for_each_view(tmp_path: Path) -> None:
    found, out = some(), tmp_path / "sheet.png"
    show = ["relief:mask", "Y*:silhouette", "fusion"]
    look = replace(FEW, values=True, ground=Ground((9, 8, 7)), across=1)
    told = draw_sheet(found, out, Choice(["c", "a"], show=show), look, views=[3, 1])
    heads, views = ["Zmask relief", "silhouette", "Z fusion"], ["270°", "90°"]
    sheet = Sheet(["c", "a"], heads, views, tile=16, notes=True, ground=Ground((9, 8, 7)))
    (drawn,) = frames(out)
    assert told.size == sheet.size == drawn.shape[1::-1]
    assert tuple(drawn[0, 0]) == (9, 8, 7, 255)
    layers = [("relief", schema.MASK), ("Y*", schema.GT_MASK), ("fusion", schema.COLOR)]
    for block, key in enumerate("ca"):
        for number, ((side, layer), view) in enumerate((one, view) for one in layers for view in (3, 1)):
            np.testing.assert_array_equal(held(sheet, drawn, 6 * block + number), read(found, key, side, layer, view))


def test_what_cannot_be_read_says_so_in_its_tile_and_in_a_warning(tmp_path: Path) -> None:
    items = (item(key, {"relief": [0.9] * 4}) for key in "ab")
    found = gallery("run", *items, draw=lambda key, *of: "b is damaged" if key == "b" else colours(key, *of))
    told = draw_sheet(found, tmp_path / "sheet.png", Choice(["a", "b"], show=["Y*"]), replace(FEW, across=1), views=[0])
    assert told.warnings == ("Y* of b cannot be read: b is damaged",)
    (drawn,) = frames(tmp_path / "sheet.png")
    sheet = Sheet(["a", "b"], ["Y*"], ["0°"], tile=16)
    np.testing.assert_array_equal(held(sheet, drawn, 0), read(found, "a", "Y*", schema.GT, 0))
    assert tuple(held(sheet, drawn, 1)[0, 0]) == (236, 228, 222, 255)
    with pytest.raises(SpecsiaError, match=r"Y\* of b cannot be read: b is damaged"):
        draw_turntable(found, tmp_path / "turn.webp", Choice(["b"], show=["Y*"]), FEW)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


@pytest.mark.parametrize(
    ("choice", "views"),
    [
        (Choice(["aa"]), []),
        (Choice(["lost"]), []),
        (Choice(split="validation"), []),
        (Choice(show=["relie"]), []),
        (Choice(show=["relief:colr"]), []),
        (Choice(), [2, 4]),
        (Choice(), [0] * 4000),
    ],
)
def test_what_is_not_there_is_refused(tmp_path: Path, choice: Choice, views: list[int]) -> None:
    found = replace(some(), lost=(Lost("lost", "lost", "render", None, "the file is empty"),))
    with pytest.raises(UsageError):
        draw_sheet(found, tmp_path / "sheet.png", choice, FEW, views=views)
    with pytest.raises(UsageError):
        draw_turntable(gallery("run"), tmp_path / "turn.webp", Choice(), FEW)
    assert not list(tmp_path.iterdir())
