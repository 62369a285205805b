"""Reconstructions that move as their characters do, from where those stand at rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from specsia_build.dataset.reading import open_dataset
from tests.clips import clips_config, run_clips, write_figure


def test_a_figure_whose_rest_is_not_its_bind_pose_moves_from_its_rest(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name, bent in (("plain", 0.0), ("bent", 0.6)):
        write_figure(tmp_path / "figures" / f"{name}.glb", 1, bent=bent)
    layout, _ = run_clips(tmp_path / "out", clips_config(tmp_path / "figures", views=1))
    opened = open_dataset(layout.dataset)
    rows = [
        row
        for split in opened.splits("default")
        for row in opened.stream("default", split, ("character_id", "action", "iou"))
    ]
    iou = {
        name: np.mean([row["iou"] for row in rows if row["character_id"] == name and row["action"] == "sway"])
        for name in ("plain", "bent")
    }
    assert iou["plain"] > 0.9 and iou["bent"] > 0.7
