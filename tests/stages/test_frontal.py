"""A character's own drawing in the place of its frontal view."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from specsia_build.characters.character import Entry
from specsia_build.errors import CharacterError
from specsia_build.stages.render import drawn_frontal

FRONT = np.zeros((64, 64, 4), np.uint8)
FRONT[10:50, 20:40] = (90, 90, 90, 255)


def drawing(folder: Path, paper: int, alpha: int = 255) -> Entry:
    """A blue box of 80 x 40 pixels on 100 x 120, on a paper of one grey."""
    pixels = np.full((120, 100, 4), (paper, paper, paper, alpha), np.uint8)
    pixels[20:100, 30:70] = (20, 20, 200, 255)
    Image.fromarray(pixels).save(folder / "drawing.png")
    return Entry(id="a", format="gltf", path=folder / "a.glb", drawing=folder / "drawing.png")


def mask(path: Path, size: tuple[int, int]) -> None:
    pixels = np.zeros((120, 100), np.uint8)
    pixels[20:100, 30:70] = 255
    Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST).save(path)


@pytest.mark.parametrize(("paper", "alpha", "masked"), [(255, 255, False), (0, 0, False), (120, 255, True)])
def test_a_figure_is_cut_from_its_paper_and_laid_onto_the_render(
    tmp_path: Path, paper: int, alpha: int, masked: bool
) -> None:
    if masked:
        mask(tmp_path / "mask512.png", (50, 60))
        mask(tmp_path / "mask.png", (100, 120))
    laid = drawn_frontal(drawing(tmp_path, paper, alpha), FRONT)
    assert np.array_equal(laid[..., 3] >= 128, FRONT[..., 3] >= 128)
    assert np.abs(laid[30, 30].astype(int) - (20, 20, 200, 255)).max() <= 2


def test_a_drawing_that_cannot_be_told_from_its_paper_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CharacterError, match=r"drawing of a cannot be told from its paper.*mask\.png beside it"):
        drawn_frontal(drawing(tmp_path, 120), FRONT)


def test_a_mask_of_another_size_is_not_passed_over(tmp_path: Path) -> None:
    mask(tmp_path / "mask.png", (50, 60))
    with pytest.raises(CharacterError, match=r"mask\.png beside drawing\.png must have its 100 x 120 pixels"):
        drawn_frontal(drawing(tmp_path, 255), FRONT)
