from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.errors import UsageError, WriteError
from specsia_build.films import need_ffmpeg, over, read_mp4, write_mp4


def _drawing(k: int) -> NDArray[np.uint8]:
    """A slanting black line on white that goes right, (32, 48, 3)."""
    rows, columns = np.mgrid[:32, :48]
    return np.repeat(np.where(abs(columns - rows // 2 - 5 - k) < 2, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_a_lossless_film_keeps_black_and_white_and_its_bytes_are_the_same_each_time(tmp_path: Path) -> None:
    frames = [_drawing(k) for k in range(9)]
    for name in ("a.mp4", "b.mp4"):
        write_mp4(tmp_path / name, iter(frames), 12.5, lossless=True)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    fps, read = read_mp4(tmp_path / "a.mp4")
    assert fps == 12.5
    np.testing.assert_array_equal(list(read), frames)


def test_what_ffmpeg_has_against_a_film_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=r"ffmpeg.*divisible by 2"):
        write_mp4(tmp_path / "odd.mp4", iter([np.zeros((31, 33, 3), np.uint8)] * 500), 8)
    assert not list(tmp_path.iterdir())


def test_a_damaged_film_is_no_film(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no film"):
        read_mp4(tmp_path / "a.mp4")


def test_ffmpeg_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    need_ffmpeg("anidoc")
    monkeypatch.setattr("specsia_build.films.importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"anidoc's films.*specsia\[video\]"):
        need_ffmpeg("anidoc")


def test_a_picture_lies_on_its_ground() -> None:
    picture = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 128]]], np.uint8)
    ground = np.array([[[7, 7, 7], [200, 100, 50], [255, 255, 255]]], np.uint8)
    np.testing.assert_array_equal(over(picture, ground), [[[10, 20, 30], [200, 100, 50], [127, 127, 127]]])
