"""The pages about a run of clips and about a packed dataset of clips."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from specsia_build.pipeline.failures import Failure, write_failures
from specsia_build.pipeline.run import RunLayout, layout_of
from tests.clips import FPS, SIZE
from tests.look.shown import frames_of, item_of, report_of


@pytest.fixture
def run(clips_run: RunLayout, tmp_path: Path) -> RunLayout:
    return layout_of(shutil.copytree(clips_run.root, tmp_path / "run"))


@pytest.mark.parametrize("of_run", [True, False], ids=["run", "dataset"])
def test_clips_are_items_whose_frames_are_times(clips_run: RunLayout, tmp_path: Path, of_run: bool) -> None:
    page = tmp_path / "page.html"
    document = report_of(clips_run.root if of_run else clips_run.dataset, page)
    assert document["moving"] is True
    assert len(document["items"]) == 15
    clip = item_of(document, "a-sway-00")
    assert (clip["character"], clip["action"], clip["yaws"]) == ("a", "sway", None)
    assert (clip["frames"], clip["fps"]) == (FPS, FPS)
    assert list(clip["sides"]) == ["Y*", "relief"]
    made = clip["sides"]["relief"]
    assert len(made["values"]["iou"]) == FPS
    assert set(clip["sides"]["Y*"]["strips"]) == {"gt", "gt_mask"}
    gt, color = (
        frames_of(source, document, page) for source in (clip["sides"]["Y*"]["strips"]["gt"], made["strips"]["color"])
    )
    assert len(gt) == len(color) == FPS
    assert gt[0].shape == (SIZE, SIZE, 4)
    assert np.abs(gt[0].astype(int) - gt[-1]).mean() > 1


def test_failures_have_their_clips(run: RunLayout, tmp_path: Path) -> None:
    for path in (run.root / "artefacts").rglob("a-sway-01.tar"):
        path.unlink()
    document = report_of(run.root, tmp_path / "page.html")
    assert any(sentence.startswith("1 clip of 15 not built") for sentence in document["missing"])
    assert document["go_on"] == f"specsia clips --out {run.root}"
    write_failures(run.failures, [Failure("a", "draw", None, "it moves nowhere", clip="a-sway-01")])
    document = report_of(run.root, tmp_path / "page.html")
    assert [(one["key"], one["id"], one["stage"]) for one in document["failures"]] == [("a-sway-01", "a", "draw")]
    assert document["missing"] == []
