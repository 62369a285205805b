"""Spoilt characters, and folders of files that nobody chose."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from PIL import Image

from benchmarks import strangers, zoo
from tests.shapes import write_folder


def test_each_trial_has_a_verdict(tmp_path: Path) -> None:
    ran = CliRunner().invoke(strangers.main, ["sample:1", "--out", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    outcomes = json.loads((tmp_path / "strangers.json").read_text())
    verdicts = {one["trial"]: one["verdict"] for one in outcomes}
    assert len(verdicts) == 10
    assert {verdicts[name] for name in ("left as it is", "in a hull")} == {strangers.FOUND}
    assert strangers.WRONG not in verdicts.values()


def test_a_folder_becomes_a_table_and_a_sheet(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "figures", 2)
    (source / "empty.obj").write_text("v 0 0 0\n")
    ran = CliRunner().invoke(zoo.main, [str(source), "--out", str(tmp_path / "out")])
    assert ran.exit_code == 0, ran.output
    assert "| obj | 3 | 2 | 0 | 1 |" in (tmp_path / "out" / "table.md").read_text()
    found = json.loads((tmp_path / "out" / "found.json").read_text())
    assert [one["name"] for one in found if one["refused"]] == ["empty"]
    assert Image.open(tmp_path / "out" / "sheet.png").size == (zoo.COLUMNS * zoo.SIZE, zoo.SIZE + zoo.LABEL)
