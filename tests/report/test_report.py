"""The report's facts are those of the run, and its page is whole, self-contained, escaped and always the same."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from specsia_build.config import BuildConfig
from specsia_build.pipeline.failures import Failure, read_failures, write_failures
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.progress import Progress
from specsia_build.pipeline.store import read_artefact, write_artefact
from specsia_build.report.facts import Facts
from specsia_build.report.gather import gather
from specsia_build.report.page import render_page, write_report
from specsia_build.stages import project, reconstruct, render
from specsia_build.stages.artefact import Artefact
from tests.report.tiny_run import IDS, STRANGE_ID, STRANGE_LICENCE, tiny_run

Run = tuple[BuildConfig, RunLayout]

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Reader(HTMLParser):
    """Checks that tags balance; collects texts, attributes that load or lead somewhere, and anchors."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.texts: list[str] = []
        self.references: list[str] = []
        self.alts: list[str] = []
        self.anchors: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert value is not None, f"{tag} {name} has no value"
            assert not name.startswith("on"), f"{tag} has {name}"
            if name in {"src", "href", "action", "data", "srcset", "poster", "xlink:href"}:
                self.references.append(value)
            if name == "alt":
                self.alts.append(value)
            if name == "id":
                self.anchors.append(value)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


class Quiet(Progress):
    """Counts what the bar is told."""

    def __init__(self) -> None:
        self.total = self.done = 0

    @contextmanager
    def bar(self, name: str, total: int) -> Iterator[object]:  # type: ignore[override]
        self.total = total

        def advance(count: int) -> None:
            self.done += count

        yield advance


def page_of(run: Run) -> tuple[Facts, str]:
    config, layout = run
    facts = gather(config, layout)
    return facts, render_page(facts, layout, Quiet())


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that went through all stages, with one broken character."""
    return tiny_run(tmp_path_factory.mktemp("report"))


@pytest.fixture
def copied(whole: Run, tmp_path: Path) -> Run:
    """A copy of the run that a test may spoil."""
    config, layout = whole
    shutil.copytree(layout.root, tmp_path / "run")
    return config, RunLayout(tmp_path / "run")


@pytest.fixture(scope="session")
def whole_page(whole: Run) -> str:
    return page_of(whole)[1]


def test_facts_of_a_whole_run(whole: Run) -> None:
    facts = gather(*whole)
    assert facts.source == "characters.jsonl"
    assert facts.backends == ("inflate",)
    assert tuple(made.id for made in facts.made) == IDS
    assert facts.failed == 1
    assert facts.unreadable == 0
    assert facts.outdated == {}
    for made in facts.made:
        assert made.license == STRANGE_LICENCE
        assert 1 <= made.outline_px <= 4
        result = made.results["inflate"]
        assert len(result.ious) == 4
        assert result.mean_iou == pytest.approx(sum(result.ious) / 4)
        assert result.registration["scale"] > 0
    assert facts.packed is not None
    assert facts.packed.current
    assert sum(facts.packed.rows["inflate"].values()) == 4 * len(IDS)
    stages = [(time.stage, time.failed) for time in facts.times]
    assert stages.count(("render", False)) == len(IDS)
    assert stages.count(("render", True)) == 1
    assert stages.count(("project", False)) == len(IDS)


def test_the_page_is_whole_and_self_contained(whole_page: str) -> None:
    reader = Reader(whole_page)
    assert whole_page.startswith("<!DOCTYPE html>")
    assert "script" not in reader.tags
    for reference in reader.references:
        assert reference.startswith(("data:image/webp;base64,", "#")), reference[:80]
    assert "url(" not in whole_page
    assert "@import" not in whole_page
    assert "http:" not in whole_page
    assert "https:" not in whole_page
    targets = [reference[1:] for reference in reader.references if reference.startswith("#")]
    assert targets
    assert set(targets) <= set(reader.anchors)
    assert len(reader.anchors) == len(set(reader.anchors))


def test_every_part_of_a_pair_is_shown(whole_page: str) -> None:
    alts = set(Reader(whole_page).alts)
    for character_id in IDS:
        for angle in ("0°", "90°", "180°", "270°"):
            for column in ("Z", "Zmask", "Zpos", "edge", "Y*"):
                assert f"{column} of {character_id} at {angle}" in alts


def test_texts_are_escaped(whole: Run) -> None:
    facts, page = page_of(whole)
    hostile = replace(
        facts,
        source="<script>alert(1)</script>",
        made=tuple(replace(made, warnings=('a <i>warning</i> & "more"',)) for made in facts.made),
        failures=(Failure("<u>id</u>", "render", None, "<s>reason</s>", "logs/<a>.txt"),),
    )
    reader = Reader(render_page(hostile, whole[1], Quiet()))
    assert not {"script", "i onclick", "u", "s"} & reader.tags
    for text in ("<script>alert(1)</script>", '<i>warning</i> & "more"', "<u>id</u>", "<s>reason</s>", "logs/<a>.txt"):
        assert text in reader.text
    assert STRANGE_LICENCE in Reader(page).text
    assert STRANGE_ID in Reader(page).text


def test_failures_are_listed_with_reasons(whole: Run, whole_page: str) -> None:
    text = Reader(whole_page).text
    found = read_failures(whole[1].failures)
    assert [failure.id for failure in found] == ["bröken"]
    assert found[0].reason in text
    assert "1 character failed" in text


def test_the_same_run_gives_the_same_page(whole: Run, whole_page: str) -> None:
    assert page_of(whole)[1] == whole_page


def test_every_character_advances_the_bar_once(whole: Run) -> None:
    progress = Quiet()
    render_page(gather(*whole), whole[1], progress)
    assert progress.done == progress.total > 0


def test_a_run_that_is_only_rendered_shows_its_targets(tmp_path: Path) -> None:
    facts, page = page_of(tiny_run(tmp_path, ("render",)))
    reader = Reader(page)
    assert facts.packed is None
    assert facts.built("inflate") == []
    assert f"Y* of {STRANGE_ID} at 0°" in reader.alts
    assert not any(alt.startswith("Z") for alt in reader.alts)
    assert "inflate has no result: its stages reconstruct and project have not run, so only Y* is shown." in reader.text
    assert "Nothing is packed" in reader.text
    assert "quality" not in reader.anchors


def test_low_iou_shows_the_pictures_of_the_quarantine(tmp_path: Path) -> None:
    facts, page = page_of(tiny_run(tmp_path, ("render", "reconstruct", "project"), min_iou=1.0))
    reader = Reader(page)
    assert {failure.stage for failure in facts.failures} == {"render", "project"}
    assert "Quarantined for their looks" in reader.text
    assert f"silhouettes of {STRANGE_ID} at 0°" in reader.alts
    assert f"quarantine/project/inflate/{STRANGE_ID}" in reader.text
    assert "below min_iou 1" in reader.text


def test_results_that_no_longer_follow_from_their_inputs_are_left_out(copied: Run) -> None:
    config, layout = copied
    layout.artefact(reconstruct.STAGE, "inflate", "0").unlink()
    facts, page = page_of(copied)
    assert facts.outdated == {"project inflate": 1}
    assert "inflate" not in facts.made[0].results
    assert facts.packed is not None
    assert not facts.packed.current
    text = Reader(page).text
    assert "1 of 4 rendered characters have no result of inflate" in text
    assert "The packed dataset is not exactly what is built now" in text
    other_size = gather(replace(config, size=96), layout)
    assert other_size.made == ()
    assert other_size.outdated == {"render": len(IDS)}


def test_a_changed_picture_makes_the_dataset_outdated(copied: Run) -> None:
    _, layout = copied
    path = layout.artefact(render.STAGE, None, "1")
    artefact = read_artefact(path, "1")
    files = {**artefact.meta["files"], "gt_02.png": {"sha256": "0" * 64, "bytes": 1}}
    write_artefact(path, Artefact("1", artefact.files, {**artefact.meta, "files": files}))
    facts = gather(*copied)
    assert facts.packed is not None
    assert not facts.packed.current


def test_nothing_built_at_all(copied: Run) -> None:
    _, layout = copied
    shutil.rmtree(layout.artefacts)
    shutil.rmtree(layout.dataset)
    layout.log.unlink()
    write_failures(layout.failures, [])
    reader = Reader(page_of(copied)[1])
    assert "Nothing is rendered yet." in reader.text
    assert reader.alts == []


def test_damage_costs_one_character_its_pictures_only(copied: Run) -> None:
    _, layout = copied
    path = layout.artefact(project.STAGE, "inflate", "1")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    reader = Reader(page_of(copied)[1])
    assert "its pictures cannot be read" in reader.text
    assert "Z of 0 at 0°" in reader.alts


def test_the_latest_time_counts_and_damaged_lines_are_left_out(copied: Run) -> None:
    _, layout = copied
    again = {"stage": "render", "backend": None, "id": "0", "seconds": 123.0, "peak_mb": 7.0, "reason": None}
    with layout.log.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({**again, "parts": {"read": 100.0}}) + "\n")
        stream.write('{"stage": "render", "backend": nu{"stage"\n[1]\n')
    facts, page = page_of(copied)
    assert [time.seconds for time in facts.times if (time.stage, time.id) == ("render", "0")] == [123.0]
    assert facts.unreadable == 2
    text = Reader(page).text
    assert "2 damaged lines of the log left out" in text
    slowest = text[text.index("Slowest characters") :]
    assert re.search(r"parts of the work 0 1\d\d\.\d\d", slowest)


def test_write_report_writes_the_page_whole(whole: Run, tmp_path: Path, whole_page: str) -> None:
    config, layout = whole
    path = tmp_path / "new" / "page.html"
    write_report(config, layout, path, Quiet())
    assert path.read_text(encoding="utf-8") == whole_page
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]
