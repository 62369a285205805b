"""What decides a projection, and registration of what may have any turn about Z."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from specsia_build.backends.selftest import ellipsoid
from specsia_build.config import BuildConfig
from specsia_build.frame import Camera, view_cameras
from specsia_build.rendering.fast.renderer import silhouettes
from specsia_build.rendering.mesh import concatenate
from specsia_build.stages import project
from tests.rendering.scenes import look_at


def test_whether_the_turn_is_to_be_found_decides_it_too() -> None:
    seen = {name: {"sha256": name} for name in ("gt_mask_00.png", "gt_00.png")}
    mesh: dict[str, Any] = {"files": {"vertices.npy": {"sha256": "v"}}}
    config, truth = BuildConfig(views=1), {"files": seen}
    still, turned = (project.made_from(config, truth, {**mesh, "needs_yaw": needs}) for needs in (False, True))
    assert still == {"gt_mask_00.png": "gt_mask_00.png", "gt_00.png": "gt_00.png", "reconstruction/vertices.npy": "v"}
    assert turned != still


@pytest.mark.parametrize("yaw", [30.0, 130.0, 217.0, 300.0])
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
