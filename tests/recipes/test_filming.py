"""What films of clips share: the order of frames, canvases, and how films are looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from specsia_build.errors import CharacterError
from specsia_build.films import write_mp4
from specsia_build.npz import encode_named
from specsia_build.recipes.filming import binarised, corner, film, line_film, named_arrays, on_canvas, played, rgb
from specsia_build.recipes.parts import read_parts
from specsia_build.recipes.registry import load_recipe
from tests.clips import clips_config, run_clips, write_figures
from tests.recipes.drawn import clip_frames, disc

SIZE = (32, 48)


def _order(frames: int, least: int, loops: bool) -> list[int]:
    return played(clip_frames("a-b-00", {"color": [disc(8, 3)] * frames}, loops=loops), least)


def test_a_loop_goes_round_and_what_is_none_goes_to_and_fro() -> None:
    assert _order(3, 8, loops=True) == [0, 1, 2, 0, 1, 2, 0, 1]
    assert _order(4, 10, loops=False) == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]
    assert _order(2, 5, loops=False) == [0, 1, 0, 1, 0]
    assert _order(5, 3, loops=False) == [0, 1, 2, 3, 4]


def test_no_film_is_made_of_one_frame() -> None:
    with pytest.raises(CharacterError, match="a-b-00 is one frame"):
        _order(1, 61, loops=True)


@pytest.mark.parametrize("size", [8, 9])
def test_a_picture_lies_in_the_middle_of_its_canvas(size: int) -> None:
    picture = np.arange(size * size, dtype=np.uint8).reshape(size, size)
    whole = on_canvas(picture, (10, 20), 255)
    row, column = corner(size, (10, 20))
    np.testing.assert_array_equal(whole[row : row + size, column : column + size], picture)
    assert abs(column - (20 - size - column)) <= 1
    assert np.count_nonzero(whole == 255) == 200 - size * size + np.count_nonzero(picture == 255)


def test_lines_are_binarised_where_everybody_does() -> None:
    np.testing.assert_array_equal(binarised(np.array([[0, 199, 200, 255]], np.uint8)), [[0, 0, 255, 255]])


def test_films_that_are_not_what_they_should_be_are_told(tmp_path: Path) -> None:
    grey = np.full(SIZE, 255, np.uint8)
    grey[4:20, 4:20] = 0
    write_mp4(tmp_path / "a.mp4", iter([rgb(grey)] * 3), 8, lossless=True)
    assert [frame.shape for frame in line_film(tmp_path, "a.mp4", SIZE, 3, rgb(grey))] == [SIZE] * 3
    for size, count, first, said in (
        ((48, 32), 3, None, "a.mp4 has 48 x 32 pixels, not 32 x 48"),
        (SIZE, 4, None, "a.mp4 has 3 frames, not 4"),
        (SIZE, 3, 255 - rgb(grey), "a.mp4 does not begin with"),
    ):
        with pytest.raises(ValueError, match=said):
            list(film(tmp_path, "a.mp4", size, count, first))
    write_mp4(tmp_path / "b.mp4", iter([np.full((*SIZE, 3), (250, 20, 20), np.uint8)]), 8)
    with pytest.raises(ValueError, match=r"b\.mp4 has colours"):
        list(line_film(tmp_path, "b.mp4", SIZE, 1))
    (tmp_path / "c.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:200])
    with pytest.raises(ValueError, match=r"c\.mp4 it is no film"):
        list(film(tmp_path, "c.mp4", SIZE, 3))


def test_what_is_written_of_drawn_clips_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["anidoc", "flipsketch", "control-video"]
    asked = {"recipes": names, "views": 1, "turntable": False, "patterns": ["walk"], "frames": 9}
    layout, summary = run_clips(tmp_path / "run", clips_config(write_figures(tmp_path / "figures", 1), **asked))
    assert "kept in" not in capsys.readouterr().err
    assert summary.recipes == dict.fromkeys(names, 1)
    for name in names:
        (part,) = read_parts(layout.root / name)
        assert part.facts["drawn"] == 4
        assert list(load_recipe(name).verify(layout.root / name, part)) == []


def test_arrays_are_those_that_are_named(tmp_path: Path) -> None:
    arrays = {"points": np.ones((2, 3), np.float32), "visible": np.zeros((2,), bool)}
    (tmp_path / "a.npz").write_bytes(encode_named(arrays))
    kinds = {"points": (np.float32, (2, 3)), "visible": (bool, (2,))}
    found = named_arrays(tmp_path, "a.npz", kinds)
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())
    for other in ({"points": kinds["points"]}, {**kinds, "visible": (bool, (3,))}, {**kinds, "points": (bool, (2, 3))}):
        with pytest.raises(ValueError, match=r"a\.npz holds"):
            named_arrays(tmp_path, "a.npz", other)
    (tmp_path / "b.npz").write_bytes(encode_named({"points": np.zeros(10**6)}))
    with pytest.raises(ValueError, match="at most"):
        named_arrays(tmp_path, "b.npz", {"points": (np.float64, (2,))})
