from __future__ import annotations

from pathlib import Path

from specsia_build.pipeline.store import read_meta
from specsia_build.stages.clips import draw
from tests.clips import clips_config, run_clips, write_figures


def test_a_clip_says_whether_it_goes_round(tmp_path: Path) -> None:
    source = write_figures(tmp_path / "figures", 1)
    layout, _ = run_clips(tmp_path / "out", clips_config(source, recipes=["frames"], views=1))
    clips = layout.artefact(draw.STAGE, None, "a-sway-00").parent.iterdir()
    found = [meta for meta in map(read_meta, clips) if meta is not None]
    said = {meta["clip"]["action"]: meta["loops"] for meta in found}
    assert said == {"sway": True, "turntable": True, "walk": False}
