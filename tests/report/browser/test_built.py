"""The page that a real run has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.report.browser.conftest import Show, colours
from tests.report.conftest import Run
from tests.report.shown import report_of
from tests.report.tiny_run import IDS, STRANGE_LICENCE


def test_the_page_of_a_run_is_whole(show: Show, shown: tuple[dict[str, Any], Path]) -> None:
    document, path = shown
    page = show(path)
    assert page.locator(".tile dd").first.inner_text() == str(len(IDS))
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert page.locator("details h2").all_inner_texts() == [one["title"] for one in document["sections"]]
    assert page.is_visible(f"text={STRANGE_LICENCE}")
    axes = page.locator(".chart text")
    assert axes.count() > 10
    assert set(axes.evaluate_all("texts => texts.map(text => getComputedStyle(text).opacity)")) == {"1"}
    page.click("nav a:has-text('Failures')")
    assert "bröken" in page.inner_text("main")
    page.click("nav a:has-text('Gallery')")
    page.wait_for_selector(".card:last-child .strip.ready")
    for picture in page.locator(".card .turning").all():
        assert len(colours(picture.screenshot())) > 2
    page.locator(".card input").first.check()
    page.click("text=Leave them out")
    commands = page.locator("#dock pre").all_inner_texts()
    assert commands == [f"{IDS[0]}\n", f"specsia build --out {document['root']} --exclude exclude.txt"]
    page.locator(".card a").last.click()
    page.wait_for_selector("main.item .strip.ready")
    assert page.inner_text("h1") == IDS[-1]


def test_a_dataset_is_loaded_without_what_is_left_out(
    show: Show, whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report_of(whole[1].dataset, tmp_path / "page.html")
    page = show(tmp_path / "page.html", "#gallery")
    page.locator(".card input").first.check()
    page.click("text=Leave them out")
    names, program = page.locator("#dock pre").all_text_contents()
    (tmp_path / "exclude.txt").write_text(names, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    found: dict[str, Any] = {}
    exec(program, found)
    left = {name for rows in found["pairs"].values() for name in rows["character_id"]}
    assert left == set(IDS[1:])
