"""Pages and their strips of pictures, turntables and sheets."""

import io
from collections.abc import Iterable, Sequence
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
from specsia_build.look import page as pages
from specsia_build.look.drawing import Choice, Style, draw_sheet, draw_turntable
from specsia_build.look.items import TARGET, FailedItem, Gallery, Item, Side
from specsia_build.look.page import PICTURES_MARK, write_page
from specsia_build.look.strips import STRIP_COLUMNS, Strip, large_of, make_strips, tile_of
from specsia_build.look.strips import strip_of as strip_of_pngs
from specsia_build.pictures.sheets import Sheet
from tests.look.galleries import Drawn, colours, gallery, item
from tests.look.pages import document_of, frames_of, item_of


def gallery_of(ids: Sequence[str], seed: int = 0, frames: int = 4) -> Gallery:
    """Pictures of noise, which hardly gets smaller by being encoded; another `seed` gives others."""

    def noise(key: str, *of: object) -> NDArray[np.uint8]:
        return np.random.default_rng([seed, *f"{key}{of}".encode()]).integers(0, 255, (32, 32, 4), np.uint8)

    sides = {TARGET: Side(TARGET, ("gt",))}
    items = [Item(id=key, character=key, split="train", frames=frames, sides=sides) for key in ids]
    return gallery("here", *items, draw=noise)


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page may hold but a few pictures itself."""
    monkeypatch.setattr(pages, "MOST_WITHIN", 10_000)


def test_pictures_beside_the_page(tmp_path: Path) -> None:
    page = tmp_path / "a b%20c#d.html"
    ids = [f"{number}?<&" for number in range(20)]
    write_page(gallery_of(ids), {}, page)
    document = document_of(page)
    folder = tmp_path / "a b%20c#d_files"
    assert page.stat().st_size < 400_000
    for key in ids:
        side = item_of(document, key)["sides"]["Y*"]
        assert side["strips"]["gt"].startswith("a%20b%2520c%23d_files/")
        assert len(frames_of(side["strips"]["gt"], document, page)) == 4
        frames_of(side["cover"], document, page)
    assert len(list(folder.iterdir())) == 2 * len(ids) + 1
    assert (folder / PICTURES_MARK).is_file()


def test_outdated_files_are_removed(tmp_path: Path) -> None:
    page, folder = tmp_path / "page.html", tmp_path / "page_files"
    write_page(gallery_of("abcdef", seed=1), {}, page)
    earlier = {path.name for path in folder.iterdir()}
    (folder / "mine.webp").write_bytes(b"mine")
    write_page(gallery_of("abcdef", seed=2), {}, page)
    now = {path.name for path in folder.iterdir()}
    assert now & earlier == {PICTURES_MARK}
    assert "mine.webp" in now
    (folder / "mine.webp").unlink()
    write_page(gallery_of("a", frames=1), {}, page)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    strip = item_of(document_of(page), "a")["sides"]["Y*"]["strips"]["gt"]
    assert strip.startswith("data:image/webp;base64,")


def test_interrupted_report_keeps_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.html"
    write_page(gallery_of("abcdef", seed=1), {}, page)
    before = page.read_bytes()

    def interrupted(_document: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pages, "html_of", interrupted)
        write_page(gallery_of("abcdefg", seed=2), {}, page)
    assert page.read_bytes() == before
    document = document_of(page)
    for entry in document["items"]:
        assert len(frames_of(entry["sides"]["Y*"]["strips"]["gt"], document, page)) == 4
    write_page(gallery_of("abcdef", seed=1), {}, page)
    assert page.read_bytes() == before
    assert len(list((tmp_path / "page_files").iterdir())) == 2 * 6 + 1


def test_foreign_folder_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "page_files"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="page_files"):
        write_page(gallery_of("abcdef"), {}, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


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
def test_frames_in_rows(tile: int) -> None:
    pictures = [square(10 * k) for k in range(23)]
    strip = strip_of(pictures, tile)
    pixels = opened(strip.data)
    assert strip.suffix == "webp"
    assert pixels.shape == (3 * tile, STRIP_COLUMNS * tile, 4)
    for k in range(23):
        left, top = tile * (k % STRIP_COLUMNS), tile * (k // STRIP_COLUMNS)
        middle = pixels[top + tile // 2, left + tile // 2]
        assert abs(int(middle[0]) - 10 * k) < 8
        assert (middle[3], pixels[top, left, 3]) == (255, 0)


def test_clear_pixels_do_not_bleed() -> None:
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[:, 31:] = (255, 255, 255, 255)
    assert (opened(strip_of([picture], 32).data)[:, 15, :3] > 235).all()


def test_larger_frames_keep_target_only() -> None:
    pictures = [np.roll(square(200, 96), k, axis=1) for k in range(12)]
    reader = Drawn(lambda _, __, ___, frame: pictures[frame])
    sides = {TARGET: ("gt",), "a": ("color",)}
    for tile, side in ((32, 64), (64, 96)):
        strips = make_strips(reader, "x", sides, range(12), tile)
        assert set(strips.strips["a"]) == {"color", "cover"}
        assert strips.strips[TARGET]["gt"] == strips.strips["a"]["color"]
        assert strips.strips[TARGET]["large"] == strip_of(pictures, side)
    strips = make_strips(reader, "x", sides, range(12), 96)
    assert set(strips.strips[TARGET]) == {"gt", "cover"}
    assert [large_of(128, 512, frames) for frames in (10, 60, 200)] == [256, 256, None]


def test_more_pictures_are_smaller() -> None:
    side, reader = Side(TARGET, ("gt",)), Drawn(lambda *_: square(9, 1024))

    def tile(count: int) -> int:
        items = (Item(str(k), str(k), "train", 60, {TARGET: side}) for k in range(count))
        return tile_of(Gallery("run", "here", "t", "l", False, tuple(items), reader))

    tiles = [tile(count) for count in (3, 500, 4_000, 15_000)]
    assert tiles[0] == 256 and tiles[-1] < 96
    assert tiles == sorted(tiles, reverse=True)


FEW = Style(tile=16)


def some() -> Gallery:
    """Three characters of four views by two backends, the last in another split."""
    values = {"relief": [0.9] * 4, "fusion": [0.8] * 4}
    return gallery("run", item("a", values), item("b", values), item("c", values, split="test"))


def clips() -> Gallery:
    """A clip of six frames and one of three, the first at twice the pace."""
    run = item("a-run", {"relief": [0.9] * 6}, yaws=None, fps=12.0, action="run")
    return gallery("clips", run, item("a-sit", {"relief": [0.9] * 3}, yaws=None, fps=6.0, action="sit"))


def read(pictures: Gallery, key: str, side: str, layer: str, frame: int) -> NDArray[np.uint8]:
    return png.decode(pictures.reader.read(key, side, [layer], [frame])[layer][0], 4)


def frames(path: Path) -> list[NDArray[np.uint8]]:
    with Image.open(path) as opened:
        return [np.asarray(image.convert("RGBA")) for image in ImageSequence.Iterator(opened)]


def held(sheet: Sheet, drawn: NDArray[np.uint8], tile: int) -> NDArray[np.uint8]:
    """One of the tiles of a drawing, numbered as they are drawn."""
    per = len(sheet.rows) * len(sheet.columns)
    block, inner = divmod(tile, per)
    x, y = sheet.place(block, *divmod(inner, len(sheet.columns)))
    return drawn[y : y + sheet.tile, x : x + sheet.tile]


def test_turntable_pairs_gt_with_z(tmp_path: Path) -> None:
    run, out = some(), tmp_path / "turn.png"
    told = draw_turntable(run, out, Choice(most=2), replace(FEW, labels=False, across=2), seconds=2)
    assert (told.items, told.frames, told.fps, told.warnings) == (2, 4, Fraction(2), ())
    sheet = Sheet(["", ""], [""], [""] * 3, across=2, tile=16)
    drawn = frames(out)
    assert told.size == sheet.size == drawn[0].shape[1::-1]
    assert len(drawn) == 4
    for view, picture in enumerate(drawn):
        wanted = [("Y*", schema.GT), ("relief", schema.COLOR), ("fusion", schema.COLOR)]
        for tile, (key, (side, layer)) in enumerate((key, pick) for key in "ab" for pick in wanted):
            np.testing.assert_array_equal(held(sheet, picture, tile), read(run, key, side, layer, view))
    with Image.open(out) as opened:
        assert opened.info["duration"] == 500


def test_clips_loop_at_their_own_rate(tmp_path: Path) -> None:
    usual, out = clips(), tmp_path / "clips.png"
    long = replace(usual, items=(replace(usual.items[0], fps=6.0), usual.items[1]))
    for played, order in ((usual, (0, 0, 1, 1, 2, 2)), (long, (0, 1, 2, 0, 1, 2))):
        told = draw_turntable(played, out, Choice(show=["relief"]), replace(FEW, labels=False, across=2))
        assert (told.frames, told.fps) == (6, Fraction(12 if played is usual else 6))
        sheet = Sheet(["", ""], [""], [""], across=2, tile=16)
        for frame, (picture, other) in enumerate(zip(frames(out), order, strict=True)):
            for tile, (key, number) in enumerate((("a-run", frame), ("a-sit", other))):
                wanted = read(usual, key, "relief", schema.COLOR, number)
                np.testing.assert_array_equal(held(sheet, picture, tile), wanted)


def test_sheet_column_per_view(tmp_path: Path) -> None:
    run, out = some(), tmp_path / "sheet.png"
    show = ["relief:mask", "Y*:silhouette", "fusion"]
    look = replace(FEW, values=True, ground=(9, 8, 7), across=1)
    told = draw_sheet(run, out, Choice(["c", "a"], show=show), look, views=[3, 1])
    heads, views = ["Zmask relief", "silhouette", "Z fusion"], ["270°", "90°"]
    sheet = Sheet(["c", "a"], heads, views, tile=16, notes=True, ground=(9, 8, 7))
    (drawn,) = frames(out)
    assert told.size == sheet.size == drawn.shape[1::-1]
    assert tuple(drawn[0, 0]) == (9, 8, 7, 255)
    layers = [("relief", schema.MASK), ("Y*", schema.GT_MASK), ("fusion", schema.COLOR)]
    for block, key in enumerate("ca"):
        for number, ((side, layer), view) in enumerate((pick, view) for pick in layers for view in (3, 1)):
            field = held(sheet, drawn, 6 * block + number)
            np.testing.assert_array_equal(field, read(run, key, side, layer, view))


def test_evaluation_columns_by_method(tmp_path: Path) -> None:
    evaluation, look = replace(some(), kind="evaluation"), replace(FEW, across=1)
    drawing = draw_sheet(evaluation, tmp_path / "sheet.png", Choice(["a"], show=["fusion"]), look, views=[0])
    assert drawing.size == Sheet(["a"], ["fusion"], ["0°"], tile=16).size


def test_unreadable_picture_warns(tmp_path: Path) -> None:
    items = (item(key, {"relief": [0.9] * 4}) for key in "ab")
    run = gallery("run", *items, draw=lambda key, *of: "b is damaged" if key == "b" else colours(key, *of))
    choice, look = Choice(["a", "b"], show=["Y*"]), replace(FEW, across=1)
    told = draw_sheet(run, tmp_path / "sheet.png", choice, look, views=[0])
    assert [str(warning) for warning in told.warnings] == ["Y* of b cannot be read: b is damaged"]
    (drawn,) = frames(tmp_path / "sheet.png")
    sheet = Sheet(["a", "b"], ["Y*"], ["0°"], tile=16)
    np.testing.assert_array_equal(held(sheet, drawn, 0), read(run, "a", "Y*", schema.GT, 0))
    assert tuple(held(sheet, drawn, 1)[0, 0]) == (236, 228, 222, 255)
    with pytest.raises(SpecsiaError, match=r"Y\* of b cannot be read: b is damaged"):
        draw_turntable(run, tmp_path / "turn.webp", Choice(["b"], show=["Y*"]), FEW)
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
def test_missing_input_is_refused(tmp_path: Path, choice: Choice, views: list[int]) -> None:
    run = replace(some(), failed=(FailedItem("lost", "lost", "render", None, "the file is empty"),))
    with pytest.raises(UsageError):
        draw_sheet(run, tmp_path / "sheet.png", choice, FEW, views=views)
    with pytest.raises(UsageError):
        draw_turntable(gallery("run"), tmp_path / "turn.webp", Choice(), FEW)
    assert not list(tmp_path.iterdir())
