"""One file or pictures beside it: what an earlier page shows stays until the new one is there, and no longer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.errors import UsageError
from specsia_build.look import page as pages
from specsia_build.look.items import TARGET, Gallery, Item, Side
from specsia_build.look.page import PICTURES_MARK, write_page
from tests.look.made import gallery
from tests.look.shown import document_of, frames_of, item_of


def gallery_of(ids: Sequence[str], seed: int = 0, frames: int = 4) -> Gallery:
    """Pictures of noise, which hardly gets smaller by being encoded; another `seed` gives others."""

    def noise(key: str, *of: object) -> NDArray[np.uint8]:
        return np.random.default_rng([seed, *f"{key}{of}".encode()]).integers(0, 255, (32, 32, 4), np.uint8)

    sides = {TARGET: Side(TARGET, ("gt",))}
    items = [Item(id=key, character=key, split="train", frames=frames, sides=sides) for key in ids]
    return gallery("here", *items, draw=noise)


def write(shown: Gallery, page: Path) -> None:
    write_page(shown, {}, page)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page may hold but a few pictures itself."""
    monkeypatch.setattr(pages, "MOST_WITHIN", 10_000)


@pytest.mark.usefixtures("little")
def test_many_pictures_lie_beside_the_page_under_names_that_need_no_care(tmp_path: Path) -> None:
    page = tmp_path / "a b%20c#d.html"
    ids = [f"{number}?<&" for number in range(20)]
    write(gallery_of(ids), page)
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


@pytest.mark.usefixtures("little")
def test_what_only_an_earlier_page_showed_is_removed(tmp_path: Path) -> None:
    page, folder = tmp_path / "page.html", tmp_path / "page_files"
    write(gallery_of("abcdef", seed=1), page)
    earlier = {path.name for path in folder.iterdir()}
    (folder / "mine.webp").write_bytes(b"mine")
    write(gallery_of("abcdef", seed=2), page)
    now = {path.name for path in folder.iterdir()}
    assert now & earlier == {PICTURES_MARK}
    assert "mine.webp" in now
    (folder / "mine.webp").unlink()
    write(gallery_of("a", frames=1), page)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert item_of(document_of(page), "a")["sides"]["Y*"]["strips"]["gt"].startswith("data:image/webp;base64,")


@pytest.mark.usefixtures("little")
def test_an_interrupted_report_leaves_the_earlier_page_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.html"
    write(gallery_of("abcdef", seed=1), page)
    before = page.read_bytes()

    def interrupted(_document: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(pages, "html_of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(gallery_of("abcdefg", seed=2), page)
    assert page.read_bytes() == before
    document = document_of(page)
    for item in document["items"]:
        assert len(frames_of(item["sides"]["Y*"]["strips"]["gt"], document, page)) == 4
    monkeypatch.undo()
    monkeypatch.setattr(pages, "MOST_WITHIN", 10_000)
    write(gallery_of("abcdef", seed=1), page)
    assert page.read_bytes() == before
    assert len(list((tmp_path / "page_files").iterdir())) == 2 * 6 + 1


@pytest.mark.usefixtures("little")
def test_a_folder_of_someone_else_is_not_written_into(tmp_path: Path) -> None:
    folder = tmp_path / "page_files"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="page_files"):
        write(gallery_of("abcdef"), tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
