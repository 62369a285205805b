"""The pages of a run and of clips show what there is; damage and outdated results are left out and named."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build import png
from specsia_build.config import BuildConfig, write_settings
from specsia_build.look.run import open_run
from specsia_build.pipeline.failures import Failure, read_failures, write_failures
from specsia_build.pipeline.run import RunLayout, layout_of
from specsia_build.pipeline.store import read_artefact
from specsia_build.stages import project, render
from tests.clips import FPS, SIZE
from tests.look.shown import frames_of, item_of, report_of
from tests.look.tiny_run import IDS, STRANGE_ID, STRANGE_LICENCE, tiny_run

Run = tuple[BuildConfig, RunLayout]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that went through all stages, with one broken character."""
    return tiny_run(tmp_path_factory.mktemp("report"))


@pytest.fixture
def copied(whole: Run, tmp_path: Path) -> Run:
    """A copy of the run that a test may spoil."""
    shutil.copytree(whole[1].root, tmp_path / "run")
    return whole[0], RunLayout(tmp_path / "run")


@pytest.fixture(scope="module")
def shown(whole: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """The document of its page, and the page."""
    page = tmp_path_factory.mktemp("shown") / "page.html"
    return report_of(whole[1].root, page), page


def test_items_have_the_facts_of_their_artefacts(whole: Run, shown: tuple[dict[str, Any], Path]) -> None:
    document, _ = shown
    gallery, facts = open_run(*whole)
    assert (document["kind"], document["moving"], document["sides"]) == ("run", False, ["Y*", "relief"])
    assert [one["id"] for one in document["items"]] == list(IDS)
    for made in gallery.items:
        item = item_of(document, made.id)
        assert (item["split"], item["frames"], item["yaws"]) == (made.split, 4, [0, 90, 180, 270])
        assert item["license"] == STRANGE_LICENCE
        assert item["numbers"]["seconds"] == pytest.approx(sum(t.seconds for t in facts.times if t.id == made.id), 1e-3)
        meta = read_artefact(whole[1].artefact(project.STAGE, "relief", made.id), made.id).meta
        assert item["sides"]["relief"]["values"]["iou"] == pytest.approx(meta["iou"], abs=1e-5)
    anchors = [section["anchor"] for section in document["sections"]]
    assert anchors == ["counts", "registration", "times", "dataset", "settings"]


def test_strips_show_the_pictures_of_the_artefacts(whole: Run, shown: tuple[dict[str, Any], Path]) -> None:
    document, page = shown
    clean = read_artefact(whole[1].artefact(render.STAGE, None, STRANGE_ID), STRANGE_ID).files
    made = read_artefact(whole[1].artefact(project.STAGE, "relief", STRANGE_ID), STRANGE_ID).files
    sides = item_of(document, STRANGE_ID)["sides"]
    of_side = {"Y*": (clean, ("gt", "gt_mask")), "relief": (made, ("color", "mask", "pos", "edge"))}
    for side, (files, layers) in of_side.items():
        assert set(sides[side]["strips"]) == set(layers)
        for layer in layers:
            for view, frame in enumerate(frames_of(sides[side]["strips"][layer], document, page)):
                stored = png.decode(files[f"{layer}_{view:02d}.png"], 1 if frame.ndim == 2 else 4)
                inside = stored == stored if frame.ndim == 2 else stored[..., 3] == 255
                assert np.abs(frame[inside].astype(int) - stored[inside]).mean() < 12


def test_failures(whole: Run, shown: tuple[dict[str, Any], Path]) -> None:
    (failure,) = read_failures(whole[1].failures)
    (found,) = shown[0]["failures"]
    assert (found["id"], found["stage"], found["reason"], found["strip"]) == ("bröken", "render", failure.reason, None)
    assert found["command"] == f"specsia build --out {whole[1].root}"


def test_quarantined_pictures_are_shown(tmp_path: Path) -> None:
    _, layout = tiny_run(tmp_path, ("render", "reconstruct", "project"), min_iou=1.0)
    document = report_of(layout.root, tmp_path / "page.html")
    found = {one["id"]: one for one in document["failures"]}[STRANGE_ID]
    assert found["command"].endswith("--low-iou keep")
    kept = sorted((layout.root / found["details"]).glob("color_*.png"))
    frames = frames_of(found["strip"], document, tmp_path / "page.html")
    assert len(frames) == found["frames"] == len(kept)
    assert np.abs(frames[0][..., 3].astype(int) - png.decode(kept[0].read_bytes(), 4)[..., 3]).mean() < 3


@pytest.mark.parametrize(
    ("changed", "sides"), [({"look": "lit"}, []), ({"size": 96}, []), ({"pos_frame": "view"}, ["Y*"] * len(IDS))]
)
def test_results_of_other_settings_are_left_out(copied: Run, changed: dict[str, Any], sides: list[str]) -> None:
    config, layout = replace(copied[0], **changed), copied[1]
    write_settings(config, layout.config)
    gallery, _ = open_run(config, layout)
    assert [name for item in gallery.items for name in item.sides] == sides
    assert any("other settings" in sentence for sentence in gallery.missing)


def test_damage_costs_one_side_its_pictures(copied: Run, tmp_path: Path) -> None:
    path = copied[1].artefact(project.STAGE, "relief", "1")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    document = report_of(copied[1].root, tmp_path / "page.html")
    assert "problem" in item_of(document, "1")["sides"]["relief"]
    assert set(item_of(document, "1")["sides"]["Y*"]["strips"]) == {"gt", "gt_mask"}


@pytest.mark.parametrize("of_run", [True, False], ids=["run", "dataset"])
def test_clips_are_items_whose_frames_are_times(clips_run: RunLayout, tmp_path: Path, of_run: bool) -> None:
    page = tmp_path / "page.html"
    document = report_of(clips_run.root if of_run else clips_run.dataset, page)
    assert document["moving"] is True and len(document["items"]) == 15
    clip = item_of(document, "a-sway-00")
    assert (clip["character"], clip["action"], clip["yaws"]) == ("a", "sway", None)
    assert (clip["frames"], clip["fps"]) == (FPS, FPS)
    truth, result = clip["sides"]["Y*"], clip["sides"]["relief"]
    assert len(clip["sides"]) == 2 and len(result["values"]["iou"]) == FPS
    assert set(truth["strips"]) == {"gt", "gt_mask"}
    gt, color = (frames_of(of, document, page) for of in (truth["strips"]["gt"], result["strips"]["color"]))
    assert len(gt) == len(color) == FPS and gt[0].shape == (SIZE, SIZE, 4)
    assert np.abs(gt[0].astype(int) - gt[-1]).mean() > 1


def test_failures_have_their_clips(clips_run: RunLayout, tmp_path: Path) -> None:
    run = layout_of(shutil.copytree(clips_run.root, tmp_path / "run"))
    for path in (run.root / "artefacts").rglob("a-sway-01.tar"):
        path.unlink()
    document = report_of(run.root, tmp_path / "page.html")
    assert any(sentence.startswith("1 clip of 15 not built") for sentence in document["missing"])
    assert document["go_on"] == f"specsia clips --out {run.root}"
    write_failures(run.failures, [Failure("a", "draw", None, "it moves nowhere", clip="a-sway-01")])
    document = report_of(run.root, tmp_path / "page.html")
    assert [(one["key"], one["id"], one["stage"]) for one in document["failures"]] == [("a-sway-01", "a", "draw")]
    assert document["missing"] == []
