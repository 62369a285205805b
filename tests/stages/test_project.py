"""What decides a projection."""

from __future__ import annotations

from typing import Any

from specsia_build.config import BuildConfig
from specsia_build.stages import project


def test_whether_the_turn_is_to_be_found_decides_it_too() -> None:
    seen = {name: {"sha256": name} for name in ("gt_mask_00.png", "gt_00.png")}
    mesh: dict[str, Any] = {"files": {"vertices.npy": {"sha256": "v"}}}
    config, truth = BuildConfig(views=1), {"files": seen}
    still, turned = (project.made_from(config, truth, {**mesh, "needs_yaw": needs}) for needs in (False, True))
    assert still == {"gt_mask_00.png": "gt_mask_00.png", "gt_00.png": "gt_00.png", "reconstruction/vertices.npy": "v"}
    assert turned != still
