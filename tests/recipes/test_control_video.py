"""The recipe `control-video`: films of one size and length, and tables that both trainers read."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from specsia_build.films import read_mp4
from specsia_build.recipes.control_video import COLUMNS, ControlVideo
from specsia_build.recipes.recipe import ClipFrames, Written
from tests.recipes.drawn import clip_frames, disc, part_of, ring, written

SIZE, FRAMES = 64, 9
KEY = "hero-walk-00"
PROMPT = "a hero character walks, on a white background"


def _clip(frames: int = 4, size: int = SIZE) -> ClipFrames:
    line = ring(size)
    pictures = [np.roll(disc(size, 12), k, axis=1) for k in range(frames)]
    return clip_frames(KEY, {"color": pictures, "line": [np.roll(line, k, axis=1) for k in range(frames)]})


def _written(folder: Path) -> Written:
    record = written(ControlVideo(), part_of(KEY, [_clip()], frames=FRAMES), folder)
    for name, data in ControlVideo().whole([record]):
        (folder / name).write_bytes(data)
    return record


def test_films_have_the_length_that_was_asked_for_and_lie_on_white(tmp_path: Path) -> None:
    record = _written(tmp_path)
    video, control = (np.stack(list(read_mp4(tmp_path / kind / f"{KEY}.mp4")[1])) for kind in ("videos", "control"))
    assert video.shape == control.shape == (FRAMES, SIZE, SIZE, 3)
    assert (video[:, 0, 0] > 250).all()
    assert np.abs(video[:, SIZE // 2, SIZE // 2].astype(int) - (200, 80, 40)).max() < 12
    assert np.abs(control[5, ..., 0].astype(int) - _clip().frame("line", 1)).max() <= 1
    assert list(ControlVideo().verify(tmp_path, record)) == []


def test_the_tables_name_what_lies_beside_them_by_split(tmp_path: Path) -> None:
    record = _written(tmp_path)
    parts = [
        replace(record, key=key, split=split) for key, split in (("a", "train"), ("b", "validation"), ("c", "test"))
    ]
    tables = {name: list(csv.reader(io.StringIO(data.decode()))) for name, data in ControlVideo().whole(parts)}
    rows = {key: [f"videos/{key}.mp4", f"control/{key}.mp4", f"reference/{key}.png", PROMPT] for key in "abc"}
    assert tables == {
        "metadata.csv": [list(COLUMNS), rows["a"]],
        "metadata_test.csv": [list(COLUMNS), rows["b"], rows["c"]],
    }
    assert all((tmp_path / name.replace("a.", f"{KEY}.")).is_file() for name in rows["a"][:3])
