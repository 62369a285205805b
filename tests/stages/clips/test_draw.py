from __future__ import annotations

from dataclasses import replace
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


def test_lines_that_leave_little_between_them_are_said(tmp_path: Path) -> None:
    source = write_figures(tmp_path / "figures", 1)
    for recipe in ("paintbucket", "animerun"):
        said = {}
        for size, line_px in ((64, 4.0), (64, 1.0), (256, 1.0)):
            config = replace(clips_config(source, recipes=[recipe], views=1, line_px=line_px, frames=2), size=size)
            layout, _ = run_clips(tmp_path / f"{recipe}-{size}-{line_px}", config)
            meta = read_meta(layout.artefact(draw.STAGE, None, "a-walk-00"))
            assert meta is not None
            said[size, line_px] = [text for text in meta["warnings"] if text.startswith("lines cover")]
        (thick,) = said[64, 4.0]
        assert "of what 'walk' shows in view 0" in thick
        assert thick.endswith("--line-px 1 or a --size above 64 leaves more")
        assert said[256, 1.0] == []
