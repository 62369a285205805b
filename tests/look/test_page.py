"""Strips of frames, and pages of one file or with pictures beside it, which replace earlier ones or leave them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.errors import UsageError
from specsia_build.look import page as pages
from specsia_build.look.items import TARGET, Gallery, Item, Side
from specsia_build.look.page import PICTURES_MARK, write_page
from specsia_build.look.strips import COLUMNS, Strip, large_of, make_strips, tile_of
from specsia_build.look.strips import strip_of as strip_of_pngs
from tests.look.made import Drawn, gallery
from tests.look.shown import document_of, frames_of, item_of


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


def test_many_pictures_lie_beside_the_page_under_names_that_need_no_care(tmp_path: Path) -> None:
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


def test_what_only_an_earlier_page_showed_is_removed(tmp_path: Path) -> None:
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
    assert item_of(document_of(page), "a")["sides"]["Y*"]["strips"]["gt"].startswith("data:image/webp;base64,")


def test_an_interrupted_report_leaves_the_earlier_page_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    for item in document["items"]:
        assert len(frames_of(item["sides"]["Y*"]["strips"]["gt"], document, page)) == 4
    write_page(gallery_of("abcdef", seed=1), {}, page)
    assert page.read_bytes() == before
    assert len(list((tmp_path / "page_files").iterdir())) == 2 * 6 + 1


def test_a_folder_of_someone_else_is_not_written_into(tmp_path: Path) -> None:
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
        assert (middle[3], pixels[top, left, 3]) == (255, 0)


def test_what_is_clear_does_not_colour_the_edges() -> None:
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[:, 31:] = (255, 255, 255, 255)
    assert (opened(strip_of([picture], 32).data)[:, 15, :3] > 235).all()


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
