"""Files of stills and films: read back, the same each time, and refused where a format cannot hold them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from specsia_build.errors import UsageError
from specsia_build.picture_files import check_size, check_target, write_moving, write_still


def frame(k: int, clear: bool) -> NDArray[np.uint8]:
    """A square that goes right, on white or on nothing, (33, 47, 4)."""
    out = np.full((33, 47, 4), 0 if clear else 255, np.uint8)
    out[8:24, 2 + 6 * k : 18 + 6 * k] = (200, 40, 90, 255)
    return out


def frames(clear: bool) -> Iterator[NDArray[np.uint8]]:
    return (frame(k, clear) for k in range(5))


@pytest.mark.parametrize("suffix", ["webp", "gif", "png"])
@pytest.mark.parametrize("clear", [False, True])
def test_a_film_is_read_back_as_it_was_and_is_the_same_each_time(tmp_path: Path, suffix: str, clear: bool) -> None:
    path = tmp_path / f"a.{suffix}"
    for _ in range(2):
        before = path.read_bytes() if path.is_file() else None
        write_moving(path, 5, frames(clear), Fraction(5, 2))
    assert path.read_bytes() == before
    with Image.open(path) as opened:
        assert opened.info.get("loop") == 0
        found = []
        for image in ImageSequence.Iterator(opened):
            found.append(np.asarray(image.convert("RGBA")).astype(int))
            assert image.info["duration"] == 400
    assert len(found) == 5
    for k, seen in enumerate(found):
        wanted = frame(k, clear).astype(int)
        assert abs(seen[..., 3] - wanted[..., 3]).max() == 0
        inside = wanted[..., 3] > 0
        # WebP stores colours for four pixels together.
        assert abs(seen - wanted)[inside].mean() < (8 if suffix == "webp" else 1e-9)


@pytest.mark.parametrize(("suffix", "film"), [("mp4", 1), ("webp", 1), ("gif", 1), ("png", 0), ("jpg", 0), ("pdf", 0)])
def test_what_we_wrote_is_the_same_each_time_and_may_be_replaced_and_nothing_else(
    tmp_path: Path, suffix: str, film: bool
) -> None:
    path, written = tmp_path / f"a.{suffix}", set()
    for _ in range(2):
        if film:
            write_moving(path, 5, frames(False), Fraction(5))
        else:
            write_still(path, frame(1, False))
        written.add(path.read_bytes())
        check_target(path, bool(film), False)
    assert len(written) == 1
    if not film and suffix != "pdf":
        with Image.open(path) as opened:
            assert abs(np.asarray(opened).astype(int) - frame(1, False)[..., :3]).mean() < 8
            assert round(opened.info["dpi"][0]) == 300
    path.write_bytes(b"a picture of somebody else" * 999)
    with pytest.raises(UsageError):
        check_target(path, bool(film), False)


@pytest.mark.parametrize(
    ("name", "film", "clear"),
    [
        ("a.bmp", True, False),
        ("a", False, False),
        ("a.gif", False, False),
        ("a.mp4", True, True),
        ("a.jpg", False, True),
        ("file/a.png", False, False),
    ],
)
def test_unsuitable_names_are_refused(tmp_path: Path, name: str, film: bool, clear: bool) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError):
        check_target(tmp_path / name, film, clear)


def test_a_picture_that_a_format_cannot_hold_is_a_sentence(tmp_path: Path) -> None:
    assert check_size(tmp_path / "a.webp", (16383, 101)) == (16383, 101)
    assert check_size(tmp_path / "a.mp4", (333, 101), 5) == (334, 102), "its sides are even"
    for name, size, count in (
        ("a.webp", (16384, 100), 1),
        ("a.png", (60000, 60000), 1),
        ("a.gif", (1000, 1000), 200),
    ):
        with pytest.raises(UsageError):
            check_size(tmp_path / name, size, count)
    check_size(tmp_path / "a.webp", (1000, 1000), 200)
