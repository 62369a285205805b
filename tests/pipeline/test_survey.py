"""Characters are told in their order while others are still read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from specsia_build.cli import main
from specsia_build.pipeline import survey
from tests.characters.bodies import FIGURE, write_obj
from tests.shapes import write_folder


def test_a_long_list_is_printed_page_by_page_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "PAGE", 2)
    write_folder(tmp_path, 5)
    ran = CliRunner().invoke(main, ["characters", str(tmp_path), "--workers", "2"])
    first = [line.split()[0] for line in ran.stdout.splitlines()]
    assert first[:8] == ["id", "0", "1", "id", "2", "3", "id", "4"]
    assert "5 characters (5 obj)" in ran.stdout


def test_the_line_that_mends_is_said_whole_however_many_parts_it_names(tmp_path: Path) -> None:
    others = [f"a rather long name of a part_LOD{level}" for level in range(1, 13)]
    write_obj(tmp_path / "hero.obj", FIGURE | dict.fromkeys(others, FIGURE["Trunk"]))
    build = f"build {tmp_path} --out {tmp_path / 'out'} --stage render --size 64 --views 1"
    for arguments in (f"characters {tmp_path}", build):
        ran = CliRunner().invoke(main, f"{arguments} --workers 1")
        told = " ".join(ran.output.split())
        (dropped,) = re.findall(r'"drop": (\[.*?\]) in its manifest line', told)
        assert len(set(json.loads(dropped)) & set(others)) == 11
