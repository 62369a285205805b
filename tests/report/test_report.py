"""The page of a run shows what the run has: its facts are true, its pictures there, damage is told, nothing is lost."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from click.testing import CliRunner

from specsia_build import png
from specsia_build.backends.inflate.backend import Inflate
from specsia_build.cli import main
from specsia_build.config_file import write_settings
from specsia_build.errors import UsageError
from specsia_build.gallery.gather import gather
from specsia_build.pipeline.failures import Failure, read_failures, write_failures
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.store import read_artefact, write_artefact
from specsia_build.stages import project, reconstruct, render
from specsia_build.stages.artefact import Artefact, seal
from specsia_build.stages.stage import CHOSEN
from tests.artefacts import file_of
from tests.report.conftest import Run
from tests.report.shown import frames_of, item_of, report_of
from tests.report.tiny_run import IDS, STRANGE_ID, STRANGE_LICENCE, tiny_run


@pytest.fixture
def copied(whole: Run, tmp_path: Path) -> Run:
    """A copy of the run that a test may spoil."""
    config, layout = whole
    shutil.copytree(layout.root, tmp_path / "run")
    return config, RunLayout(tmp_path / "run")


def test_what_the_latest_build_left_out_is_not_shown(copied: Run, tmp_path: Path) -> None:
    layout = copied[1]
    layout.left_out.write_text(json.dumps([IDS[0], "bröken"]))
    document = report_of(layout.root, tmp_path / "page.html")
    assert [one["id"] for one in document["items"]] == list(IDS[1:])
    assert document["failures"] == []
    assert document["missing"][0] == "2 of 5 characters of the source are left out by --limit, --exclude or --shard."


def test_facts_of_a_whole_run(whole: Run) -> None:
    facts = gather(*whole)
    assert facts.source == "characters.jsonl"
    assert facts.backends == ("inflate",)
    assert tuple(made.id for made in facts.made) == IDS
    assert len(facts.failures) == 1
    assert facts.unreadable == 0
    assert facts.outdated == {}
    for made in facts.made:
        assert made.license == STRANGE_LICENCE
        assert 1 <= made.numbers["outline_px"] <= 4
        result = made.sides["inflate"]
        assert len(result.values["iou"]) == 4
        assert float(result.facts["scale"]) > 0
    assert facts.packed is not None
    assert facts.packed.current
    assert sum(facts.packed.rows["inflate"].values()) == 4 * len(IDS)
    stages = [(time.stage, time.failed) for time in facts.times]
    assert stages.count(("render", False)) == len(IDS)
    assert stages.count(("render", True)) == 1
    assert stages.count(("project", False)) == len(IDS)


def test_every_character_is_an_item_with_its_facts(whole: Run, shown: tuple[dict[str, Any], Path]) -> None:
    document, _ = shown
    facts = gather(*whole)
    assert (document["format"], document["kind"], document["moving"]) == (1, "run", False)
    assert document["sides"] == ["Y*", "inflate"]
    assert [one["id"] for one in document["items"]] == list(IDS)
    for made in facts.made:
        item = item_of(document, made.id)
        assert (item["split"], item["frames"], item["yaws"]) == (made.split, 4, [0, 90, 180, 270])
        assert item["license"] == STRANGE_LICENCE
        assert item["numbers"]["outline_px"] == made.numbers["outline_px"]
        assert item["numbers"]["seconds"] == pytest.approx(sum(t.seconds for t in facts.times if t.id == made.id), 1e-3)
        result = item["sides"]["inflate"]
        assert result["values"]["iou"] == pytest.approx(made.sides["inflate"].values["iou"], abs=1e-5)
        assert result["facts"]["scale"] == pytest.approx(made.sides["inflate"].facts["scale"], abs=1e-5)
    assert {section["anchor"] for section in document["sections"]} >= {"counts", "quality", "times", "settings"}
    settings = next(section["html"] for section in document["sections"] if section["anchor"] == "settings")
    assert "<dt>like</dt><dd>none</dd>" in settings


def test_strips_show_the_pictures_of_the_artefacts(whole: Run, shown: tuple[dict[str, Any], Path]) -> None:
    document, page = shown
    assert document["tile"] == 64
    clean = read_artefact(whole[1].artefact(render.STAGE, None, STRANGE_ID), STRANGE_ID).files
    made = read_artefact(whole[1].artefact(project.STAGE, "inflate", STRANGE_ID), STRANGE_ID).files
    sides = item_of(document, STRANGE_ID)["sides"]
    of_side = {"Y*": (clean, ("gt", "gt_mask")), "inflate": (made, ("color", "mask", "pos", "edge"))}
    for side, (files, layers) in of_side.items():
        assert set(sides[side]["strips"]) == set(layers)
        for layer in layers:
            frames = frames_of(sides[side]["strips"][layer], document, page)
            assert len(frames) == 4
            for view, frame in enumerate(frames):
                stored = png.decode(files[f"{layer}_{view:02d}.png"], 1 if frame.ndim == 2 else 4)
                if frame.ndim == 2:
                    assert (frame == stored).all()
                else:
                    assert np.abs(frame[..., 3].astype(int) - stored[..., 3]).mean() < 3
                    inside = stored[..., 3] == 255
                    assert np.abs(frame[inside][:, :3].astype(int) - stored[inside][:, :3]).mean() < 12
    (cover,) = frames_of(sides["inflate"]["cover"], document, page)
    assert np.abs(cover.astype(int) - frames_of(sides["inflate"]["strips"]["color"], document, page)[0]).mean() < 4


def test_the_page_says_how_much_of_a_view_a_character_covers(whole: Run, shown: tuple[dict[str, Any], Path]) -> None:
    for key in IDS:
        clean = read_artefact(whole[1].artefact(render.STAGE, None, key), key).files
        numbers = item_of(shown[0], key)["numbers"]
        mask = png.decode(clean["gt_mask_00.png"], 1)
        assert numbers["coverage"] == pytest.approx(mask.mean() / 255, abs=1e-4)
        assert 1 <= numbers["colours"] <= 20


def test_the_same_run_gives_the_same_page(whole: Run, shown: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    report_of(whole[1].root, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == shown[1].read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_failures_are_listed_with_reasons_and_what_mends_them(whole: Run, shown: tuple[dict[str, Any], Path]) -> None:
    (failure,) = read_failures(whole[1].failures)
    (found,) = shown[0]["failures"]
    assert (found["id"], found["stage"], found["reason"]) == ("bröken", "render", failure.reason)
    assert found["command"] == f"specsia build --out {whole[1].root}"
    assert found["strip"] is None


def test_hostile_texts_stay_texts(copied: Run, tmp_path: Path) -> None:
    text = '</script><script>alert(1)</script> "&\u202e\x1b'
    write_failures(copied[1].failures, [Failure("0", "render", None, text, "logs/<a>.txt")])
    document = report_of(copied[1].root, tmp_path / "page.html")
    assert document["failures"][0]["reason"] == text
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert page.count("</script>") == 2


def test_a_run_that_is_only_rendered_shows_its_targets(tmp_path: Path) -> None:
    _, layout = tiny_run(tmp_path, ("render",))
    document = report_of(layout.root, tmp_path / "page.html")
    assert document["sides"] == ["Y*"]
    assert len(frames_of(item_of(document, "0")["sides"]["Y*"]["strips"]["gt"], document, tmp_path / "page.html")) == 4
    said = " ".join(document["missing"])
    assert "inflate has no result: its stages reconstruct and project have not run, or not since" in said
    assert "Nothing is packed" in said
    assert document["go_on"] == f"specsia build --out {layout.root}"
    assert "quality" not in {section["anchor"] for section in document["sections"]}


def test_what_was_quarantined_for_its_looks_is_shown(tmp_path: Path) -> None:
    _, layout = tiny_run(tmp_path, ("render", "reconstruct", "project"), min_iou=1.0)
    document = report_of(layout.root, tmp_path / "page.html")
    found = {one["id"]: one for one in document["failures"]}[STRANGE_ID]
    assert "below min_iou 1" in found["reason"]
    assert found["details"] == f"quarantine/project/inflate/{STRANGE_ID}"
    assert found["command"] == f"specsia build --out {layout.root} --low-iou keep"
    kept = sorted((layout.root / found["details"]).glob("color_*.png"))
    frames = frames_of(found["strip"], document, tmp_path / "page.html")
    assert len(frames) == found["frames"] == len(kept)
    stored = png.decode(kept[0].read_bytes(), 4)
    assert np.abs(frames[0][..., 3].astype(int) - stored[..., 3]).mean() < 3


def test_results_that_no_longer_follow_from_their_inputs_are_left_out(copied: Run, tmp_path: Path) -> None:
    config, layout = copied
    file_of(layout.artefact(reconstruct.STAGE, "inflate", "0")).unlink()
    facts = gather(config, layout)
    assert facts.outdated == {"project inflate": 1}
    assert "inflate" not in facts.made[0].sides
    assert facts.packed is not None
    assert not facts.packed.current
    document = report_of(layout.root, tmp_path / "page.html")
    assert list(item_of(document, "0")["sides"]) == ["Y*"]
    said = " ".join(document["missing"])
    assert "1 of 4 rendered characters have no result of inflate" in said
    assert "The packed dataset is not exactly what is built now" in said
    other_size = gather(replace(config, size=96), layout)
    assert other_size.made == ()
    assert other_size.outdated == {"render": len(IDS)}


@pytest.mark.parametrize(
    ("changed", "outdated", "said"),
    [
        ({"look": "lit"}, {"render": len(IDS)}, "4 of 5 characters of the source were rendered with other settings"),
        ({"seed": 1}, {"render": len(IDS)}, "by another version, and are not shown: specsia build --out"),
        ({"renderer": "pyrender"}, {"render": len(IDS)}, "by another version, and are not shown: specsia build --out"),
        (
            {"pos_frame": "view"},
            {"project inflate": len(IDS)},
            "have not run, or not since their inputs, settings or versions",
        ),
    ],
)
def test_what_other_settings_made_is_not_shown(
    copied: Run, tmp_path: Path, changed: dict[str, Any], outdated: dict[str, int], said: str
) -> None:
    config, layout = copied
    now = replace(config, **changed)
    write_settings(now, layout.config)
    assert gather(now, layout).outdated == outdated
    document = report_of(layout.root, tmp_path / "page.html")
    assert said in " ".join(document["missing"])
    assert all(list(item["sides"]) == ["Y*"] for item in document["items"])


AGAIN = ["reconstruct inflate", "project inflate"]


@pytest.mark.parametrize(
    ("where", "now", "outdated"),
    [
        ("stages.render.STAGE", replace(render.STAGE, version=99), ["render"]),
        ("rendering.fast.renderer.FastRenderer.version", 99, ["render"]),
        ("stages.project.REGISTRATION_VERSION", 99, ["project inflate"]),
        ("gallery.gather.backend_of", lambda _: replace(Inflate(), version=99), AGAIN),
        ("backends.inflate.backend.Inflate.settings", lambda _: {"depth": 2}, AGAIN),
        ("gallery.gather.backend_of", Mock(side_effect=UsageError("it is not here")), []),
    ],
)
def test_what_other_versions_and_backends_of_the_same_name_made_is_not_shown(
    whole: Run, monkeypatch: pytest.MonkeyPatch, where: str, now: object, outdated: list[str]
) -> None:
    monkeypatch.setattr(f"specsia_build.{where}", now)
    assert gather(*whole).outdated == dict.fromkeys(outdated, len(IDS))


def test_what_does_not_say_its_settings_is_taken_for_current(copied: Run) -> None:
    config, layout = copied
    path = layout.artefact(render.STAGE, None, "1")
    found = read_artefact(path, "1")
    old = {name: value for name, value in found.meta.items() if name != CHOSEN}
    write_artefact(path, seal(Artefact("1", found.files, old), "render", old["fingerprint"], old["inputs"]))
    assert gather(config, layout).outdated == {}
    assert [one.id for one in gather(replace(config, look="lit"), layout).made] == ["1"]


def test_a_changed_picture_makes_the_dataset_outdated(copied: Run) -> None:
    _, layout = copied
    path = layout.artefact(render.STAGE, None, "1")
    artefact = read_artefact(path, "1")
    files = {**artefact.meta["files"], "gt_02.png": {"sha256": "0" * 64, "bytes": 1}}
    write_artefact(path, Artefact("1", artefact.files, {**artefact.meta, "files": files}))
    facts = gather(*copied)
    assert facts.packed is not None
    assert not facts.packed.current


def test_nothing_built_at_all(copied: Run, tmp_path: Path) -> None:
    _, layout = copied
    shutil.rmtree(layout.root / "artefacts")
    shutil.rmtree(layout.dataset)
    layout.log.unlink()
    write_failures(layout.failures, [])
    document = report_of(layout.root, tmp_path / "page.html")
    assert document["items"] == document["failures"] == []
    assert document["missing"]


def test_damage_costs_one_side_its_pictures_only(copied: Run, tmp_path: Path) -> None:
    _, layout = copied
    path = file_of(layout.artefact(project.STAGE, "inflate", "1"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    document = report_of(layout.root, tmp_path / "page.html")
    spoilt = item_of(document, "1")
    assert spoilt["sides"]["inflate"]["problem"].startswith("its pictures cannot be read: the artefact")
    assert spoilt["flags"] == ["unreadable"]
    assert set(spoilt["sides"]["Y*"]["strips"]) == {"gt", "gt_mask"}
    assert set(item_of(document, "0")["sides"]["inflate"]["strips"]) == {"color", "mask", "pos", "edge"}


def test_the_latest_time_counts_and_damaged_lines_are_left_out(copied: Run, tmp_path: Path) -> None:
    _, layout = copied
    again = {"stage": "render", "backend": None, "id": "0", "seconds": 123.0, "peak_mb": 7.0, "reason": None}
    with layout.log.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({**again, "parts": {"read": 100.0}}) + "\n")
        stream.write('{"stage": "render", "backend": nu{"stage"\n[1]\n')
    facts = gather(*copied)
    assert [time.seconds for time in facts.times if (time.stage, time.id) == ("render", "0")] == [123.0]
    assert facts.unreadable == 2
    document = report_of(layout.root, tmp_path / "page.html")
    (times,) = [section["html"] for section in document["sections"] if section["anchor"] == "times"]
    assert "2 damaged lines of the log left out" in times
    slowest = times[times.index("Slowest characters") :]
    assert re.search(r"<tbody><tr><td>0</td>\s*<td[^>]*>1\d\d\.\d\d", slowest)


def test_no_other_file_is_replaced(whole: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.html").write_text("<p>mine")
    done = CliRunner().invoke(main, ["report", str(whole[1].root), "--out", str(tmp_path / "mine.html")])
    assert done.exit_code == 2
    assert "is no report of specsia: name another file" in done.output
    assert (tmp_path / "mine.html").read_text() == "<p>mine"
