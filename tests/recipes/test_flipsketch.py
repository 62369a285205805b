"""The recipe `flipsketch`: enough frames for the loader, a caption beside the film, greys kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from specsia_build import png
from specsia_build.films import read_mp4
from specsia_build.recipes.flipsketch import FlipSketch
from specsia_build.recipes.recipe import ClipFrames
from tests.recipes.drawn import clip_frames, part_of, ring, written

SIZE = 64
KEY = "hero-walk-00"
SAID = "a hero character walks"


def _clip(frames: int = 5, fps: float = 8.0) -> ClipFrames:
    line = ring(SIZE)
    return clip_frames(KEY, {"line": [np.roll(line, k, axis=1) for k in range(frames)]}, fps=fps)


@pytest.mark.parametrize(("fps", "frames"), [(8.0, 16), (3.0, 16), (12.0, 32), (24.0, 48)])
def test_a_film_has_as_many_frames_as_an_item_takes(tmp_path: Path, fps: float, frames: int) -> None:
    record = written(FlipSketch(), part_of(KEY, [_clip(fps=fps)], "test"), tmp_path)
    assert record.facts["frames"] == frames
    told, film = read_mp4(tmp_path / "test" / f"{KEY}.mp4")
    # What the loader reckons.
    every = max(1, round(told / 8))
    assert len(list(film)) // every == 16
    assert list(FlipSketch().verify(tmp_path, record)) == []


def test_a_film_its_caption_and_its_first_frame_lie_side_by_side(tmp_path: Path) -> None:
    FlipSketch().write(part_of(KEY, [_clip()]), tmp_path)
    assert sorted(path.name for path in (tmp_path / "train").iterdir()) == [
        f"{KEY}.{end}" for end in ("mp4", "png", "txt")
    ]
    assert (tmp_path / "train" / f"{KEY}.txt").read_bytes() == SAID.encode()
    sketch = png.decode((tmp_path / "train" / f"{KEY}.png").read_bytes(), 3)
    np.testing.assert_array_equal(sketch[..., 0], _clip().frame("line", 0))
    film = [frame[..., 0] for frame in read_mp4(tmp_path / "train" / f"{KEY}.mp4")[1]]
    for k, frame in enumerate(film):
        assert np.abs(frame.astype(int) - _clip().frame("line", k % 5)).max() <= 1
