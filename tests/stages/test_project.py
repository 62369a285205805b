"""A drawing in the place of the frontal view, what decides a projection, and registration of any turn about Z."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from specsia_build.backends.selftest import ellipsoid
from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig
from specsia_build.errors import CharacterError
from specsia_build.frame import Camera, view_cameras
from specsia_build.rendering.fast.renderer import silhouettes
from specsia_build.rendering.mesh import concatenate
from specsia_build.stages import project
from specsia_build.stages.render import drawn_frontal
from tests.rendering.scenes import look_at


def test_whether_the_turn_is_to_be_found_decides_it_too() -> None:
    seen = {name: {"sha256": name} for name in ("gt_mask_00.png", "gt_00.png")}
    mesh: dict[str, Any] = {"files": {"vertices.npy": {"sha256": "v"}}}
    config, truth = BuildConfig(views=1), {"files": seen}
    still, turned = (project.made_from(config, truth, {**mesh, "needs_yaw": needs}) for needs in (False, True))
    assert still == {"gt_mask_00.png": "gt_mask_00.png", "gt_00.png": "gt_00.png", "reconstruction/vertices.npy": "v"}
    assert turned != still


@pytest.mark.parametrize("yaw", [30.0, 217.0])
def test_colours_tell_the_front_where_silhouettes_do_not(yaw: float) -> None:
    face, back = (0.9, 0.7, 0.6), (0.2, 0.2, 0.6)
    body = concatenate(
        [ellipsoid((0, 0, 0.3), (0.15, 0.12, 0.17), face, back), ellipsoid((0, 0, -0.1), (0.3, 0.1, 0.3), face, back)]
    )
    cameras = view_cameras(4, 128)
    masks = silhouettes(body, cameras)
    gt = look_at(body, size=128).color
    turned = body.rotated(Camera(yaw, 128).turn())
    found = project.registered(turned, masks, cameras, gt, "unlit", any_yaw=True)
    seen = look_at(found.similarity.apply_to(turned), size=128).color
    assert np.abs(seen[64, 64].astype(int) - gt[64, 64]).max() < 8


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
def test_a_figure_is_cut_from_its_paper(tmp_path: Path, paper: int, alpha: int, masked: bool) -> None:
    if masked:
        mask(tmp_path / "mask512.png", (50, 60))
        mask(tmp_path / "mask.png", (100, 120))
    laid = drawn_frontal(drawing(tmp_path, paper, alpha), FRONT)
    assert np.array_equal(laid[..., 3] >= 128, FRONT[..., 3] >= 128)
    assert np.abs(laid[30, 30].astype(int) - (20, 20, 200, 255)).max() <= 2


def test_drawings_that_cannot_be_cut_out_are_refused(tmp_path: Path) -> None:
    """Of an uneven paper without a mask, and with one of another size."""
    with pytest.raises(CharacterError, match=r"mask\.png beside it"):
        drawn_frontal(drawing(tmp_path, 120), FRONT)
    mask(tmp_path / "mask.png", (50, 60))
    with pytest.raises(CharacterError, match=r"100 x 120 pixels"):
        drawn_frontal(drawing(tmp_path, 255), FRONT)
