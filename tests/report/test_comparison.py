"""`specsia report A B`: runs and datasets beside each other, sorted by what changed most."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from specsia_build.cli import main
from tests.artefacts import artefact
from tests.report.shown import document_of, frames_of, item_of
from tests.report.tiny_run import STRANGE_ID, config_of, run, write_manifest


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of the same characters, of which the second turns one to the side and has one more."""
    top = tmp_path_factory.mktemp("beside")
    manifest = write_manifest(top, ("0", "1", STRANGE_ID), ())
    run(config_of(manifest), top / "old" / "run")
    lines = manifest.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace('"id"', '"front": "+x", "id"')
    lines.append(lines[0].replace('"0"', '"more"'))
    other = top / "other.jsonl"
    other.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run(config_of(other), top / "new" / "run")
    return top / "old" / "run", top / "new" / "run"


def report(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


def test_two_runs_beside_each_other(two_runs: tuple[Path, Path], tmp_path: Path) -> None:
    one, two = two_runs
    page = tmp_path / "page.html"
    done = report(one, two, "--out", page)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"the report is in {page}\n"
    document = document_of(page)
    assert (document["kind"], document["title"]) == ("comparison", "old and new")
    assert document["sides"] == ["Y*", "old: Y*", "old: inflate", "new: Y*", "new: inflate"]
    ranked = sorted(document["items"], key=lambda item: -item["numbers"].get("change", -1))
    assert ranked[0]["id"] == "1" and ranked[0]["numbers"]["change"] > 0.01
    assert ranked[1]["numbers"]["change"] == 0 and "change" not in item_of(document, "more")["numbers"]
    assert {number["key"] for number in document["numbers"]} >= {"change", "difference", "pixels"}
    assert ranked[0]["numbers"]["pixels"] > 1 and ranked[1]["numbers"]["pixels"] == 0
    assert set(item_of(document, "1")["sides"]) == {"old: Y*", "old: inflate", "new: Y*", "new: inflate"}
    same = item_of(document, STRANGE_ID)["sides"]
    assert set(same) == {"Y*", "old: inflate", "new: inflate"}
    strips = [same[name]["strips"]["color"] for name in ("old: inflate", "new: inflate")]
    assert len(frames_of(strips[0], document, page)) == 4 and strips[0] == strips[1]
    turned = item_of(document, "1")["sides"]
    first, second = (frames_of(turned[f"{name}: Y*"]["strips"]["gt"], document, page) for name in ("old", "new"))
    assert any((a != b).any() for a, b in zip(first, second, strict=True))
    assert "1 character only in new: more." in document["missing"]
    sections = {section["title"]: section["html"] for section in document["sections"]}
    assert "<td>inflate</td>" in sections["What changed"] and "<td>1</td>" in sections["Changed most"]


def test_a_run_and_a_dataset_of_other_views(two_runs: tuple[Path, Path], tmp_path: Path) -> None:
    one, _ = two_runs
    few = replace(config_of(one.parents[1] / "characters.jsonl"), views=2)
    run(few, tmp_path / "few")
    page = tmp_path / "page.html"
    assert report(one, tmp_path / "few" / "dataset", "--out", page).exit_code == 0
    document = document_of(page)
    item = item_of(document, "0")
    assert (item["frames"], item["yaws"]) == (2, [0, 180])
    assert item["sides"]["Y*"] and [*document["sides"]][1:] == ["run: inflate", "dataset: inflate"]
    assert any("3 characters with other views" in said for said in document["missing"])
    frames = [
        frames_of(item["sides"][name]["strips"]["color"], document, page)[1]
        for name in ("run: inflate", "dataset: inflate")
    ]
    assert np.abs(frames[0][..., 3].astype(int) - frames[1][..., 3]).mean() < 8


def test_what_is_not_there_is_one_sentence(two_runs: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = report(two_runs[0], tmp_path / "empty", "--out", tmp_path / "page.html")
    assert done.exit_code == 2 and done.stderr.startswith(f"specsia: {tmp_path / 'empty'} holds no build")
    assert not (tmp_path / "page.html").exists()


def test_a_page_that_is_no_report_stays(two_runs: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "mine.html").write_text("my own page")
    done = report(*two_runs, "--out", tmp_path / "mine.html")
    assert done.exit_code == 2 and "is no report of specsia" in done.stderr


def test_a_damaged_artefact_is_said_on_the_page(two_runs: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(two_runs[0], tmp_path / "hurt")
    path = artefact(tmp_path / "hurt", "render", "0")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    page = tmp_path / "page.html"
    assert report(two_runs[0], tmp_path / "hurt", "--out", page).exit_code == 0
    sides = item_of(document_of(page), "0")["sides"]
    assert "cannot be read" in sides["hurt: Y*"]["problem"] and "problem" not in sides["run: Y*"]
