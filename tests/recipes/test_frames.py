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
from tests.recipes.drawn import complaints

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
    ("spoil", "sentence"),
    [
        (_lose_alpha, "mask differs from the alpha of color in 1 pixels"),
        (_shrink, f"pos/0000.png has {SIZE // 2} x {SIZE} pixels, not {SIZE} x {SIZE}"),
        (_grey, "color/0000.png is of mode L, not RGBA"),
    ],
)
def test_what_does_not_fit_in_a_clip_is_told(
    frames_run: Path, tmp_path: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    (part,) = (part for part in read_parts(frames_run / "frames") if part.key == CLIP)
    shutil.copytree(frames_run / "frames" / CLIP, tmp_path / CLIP)
    assert list(Frames().verify(tmp_path, part)) == []
    spoil(tmp_path / CLIP)
    (told,) = complaints(Frames(), tmp_path, part)
    assert told.startswith(CLIP)
    assert sentence in told
