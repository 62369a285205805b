"""The recipe `frames`: what it promises of a clip's files is checked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from specsia_build import png
from specsia_build.recipes.folder import read_parts
from specsia_build.recipes.frames import Frames
from tests.clips import SIZE

CLIP = "a-sway-00"


def _lose_alpha(folder: Path) -> None:
    path = folder / "color/0001.png"
    pixels = png.decode(path.read_bytes(), 4).copy()
    pixels[SIZE // 2, SIZE // 2, 3] -= 1
    path.write_bytes(png.encode(pixels))


def _shrink(folder: Path) -> None:
    (folder / "pos/0000.png").write_bytes(png.encode(np.zeros((SIZE, SIZE // 2, 4), np.uint8)))


def _grey(folder: Path) -> None:
    (folder / "color/0000.png").write_bytes((folder / "mask/0000.png").read_bytes())


@pytest.mark.parametrize(
    ("spoil", "where"), [(_lose_alpha, "in frame 0001.png"), (_shrink, "/pos/0000.png"), (_grey, "/color/0000.png")]
)
def test_what_does_not_fit_in_a_clip_is_a_problem(
    frames_run: Path, tmp_path: Path, spoil: Callable[[Path], None], where: str
) -> None:
    (part,) = (part for part in read_parts(frames_run / "frames") if part.key == CLIP)
    shutil.copytree(frames_run / "frames" / CLIP, tmp_path / CLIP)
    assert list(Frames().verify(tmp_path, part)) == []
    spoil(tmp_path / CLIP)
    (problem,) = Frames().verify(tmp_path, part)
    assert problem.startswith(CLIP) and where in problem
