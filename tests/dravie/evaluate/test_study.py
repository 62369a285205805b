"""`specsia study`: its page in a browser, and the score of what it downloads."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from specsia_build import png
from specsia_build.dravie.evaluate.statistics import bootstrap
from specsia_build.look.repair import REPAIR_RECORD, picture
from tests.commands import specsia

if TYPE_CHECKING:
    from playwright.sync_api import Browser

COLOURS = {"red": (200, 0, 0), "green": (0, 160, 0), "blue": (0, 0, 200)}


@pytest.fixture
def repairs(tmp_path: Path) -> list[Path]:
    """Three folders of two repaired drawings, each of one colour, of three frames of 16 pixels."""
    for run, colour in COLOURS.items():
        for name in ("cat", "dog"):
            folder = tmp_path / run / name
            frame = np.full((16, 16, 4), (*colour, 255), np.uint8)
            frame[:4] = 0
            for number in range(3):
                path = picture(folder, "repaired", number)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(png.encode(frame))
            record: dict[str, object] = {"name": name, "frames": 3, "warnings": [], "settings": {}}
            (folder / REPAIR_RECORD).write_text(json.dumps(record))
        (tmp_path / run / "repairs.json").write_text(json.dumps({"failed": {}}))
    return [tmp_path / run for run in COLOURS]


def test_study_of_three_runs(repairs: list[Path], tmp_path: Path, browser: Browser) -> None:
    out, answers = tmp_path / "page", tmp_path / "answers.csv"
    specsia("study", *repairs, "--out", out, "--seed", 3)
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((out / "index.html").as_uri())
    seen = []
    # Blind to names, this person prefers red to all, and green where it is on the left.
    for number in range(12):
        assert page.inner_text("#place") == f"{number + 1} of 12"
        assert not any(colour in page.inner_text("body") for colour in COLOURS)
        sides = []
        for side in ("left", "right"):
            path = Path(page.locator(f"#{side} img").evaluate("image => image.src").removeprefix("file://"))
            with Image.open(path) as film:
                shown = np.array(film.convert("RGB"), int)
            middle = shown[12, 8]
            assert shown[1, 8].min() > 250
            sides.append(min(COLOURS, key=lambda name: np.abs(middle - COLOURS[name]).sum()))
        if number == 0:
            page.keyboard.press("ArrowLeft")
            page.keyboard.press("Backspace")
        choice = "right" if sides[1] == "red" else "left"
        seen.append((*sides, choice))
        page.keyboard.press(f"Arrow{choice.title()}")
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(answers)
    context.close()
    assert all(url.startswith(("file://", "data:")) for url in asked)

    rows = list(csv.DictReader(answers.open()))
    assert [(row["left"], row["right"], row["answer"]) for row in rows] == seen
    assert set(Counter(row["pair"] for row in rows).values()) == {2}
    for pair in {row["pair"] for row in rows}:
        first, second = [row for row in rows if row["pair"] == pair]
        assert (first["left"], first["right"]) == (second["right"], second["left"])

    scored = json.loads(specsia("study", "--score", answers, "--json").stdout)
    shares = {(s["first"], s["second"]): s for s in scored["shares"]}
    assert shares["green", "red"]["share"] == 0 and shares["blue", "red"]["interval"] == [0, 0]
    assert shares["blue", "green"]["share"] == 0.5
    # Both pairs of blue and green were answered by side, so differently each time; the other four alike.
    assert scored["agreement"] == pytest.approx(4 / 6)
    assert scored["interval"] == list(bootstrap([0, 0, 1, 1, 1, 1]))


def test_same_seed_same_page(repairs: list[Path], tmp_path: Path) -> None:
    pages = []
    for number, seed in enumerate((1, 1, 2)):
        specsia("study", *repairs, "--out", tmp_path / str(number), "--seed", seed, "--pairs", 4)
        pages.append((tmp_path / str(number) / "index.html").read_bytes())
    assert pages[0] == pages[1] != pages[2]


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "pair,item,left,right,answer\n1,cat,red,blue,both\n", "pair\n\x00\n", "\xff"]
)
def test_bad_answers(text: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_bytes(text.encode("latin-1"))
    said = specsia("study", "--score", path, code=2).stderr
    assert str(path) in said and len(said.strip().splitlines()) == 1


def test_impossible_studies(repairs: list[Path], tmp_path: Path) -> None:
    specsia("study", repairs[0], "--out", tmp_path / "page", code=2)
    specsia("study", *repairs, code=2)
    specsia("study", *repairs, "--out", repairs[0], code=2)
    other = tmp_path / "other"
    repairs[1].rename(other)
    (other / "cat").rename(other / "cow")
    (other / "dog").rename(other / "hen")
    specsia("study", repairs[0], other, "--out", tmp_path / "page", code=2)
    assert not (tmp_path / "page").exists()
