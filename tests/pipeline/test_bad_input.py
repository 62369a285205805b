"""A build of bad characters only: what it says at its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from specsia_build.cli import main
from specsia_build.errors import MOST_SHOWN


@pytest.mark.parametrize("count", [1, 2])
def test_a_build_without_a_sound_character_says_where_to_look(count: int, tmp_path: Path) -> None:
    for index in range(count):
        (tmp_path / f"{index}.obj").write_text("v 0 0 0\n")
    out = tmp_path / "out"
    arguments = ["build", str(tmp_path), "--out", str(out), "--size", "64", "--views", "2", "--workers", "1"]
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 1
    assert "all characters are quarantined" in ran.output
    assert "failures.jsonl" in ran.output
    assert "--stage" not in ran.output


def test_a_reason_is_one_short_line_and_the_whole_of_it_is_kept(tmp_path: Path) -> None:
    name = "\x1b]0;gone\x07" + "x" * 30_000
    (tmp_path / "a.gltf").write_text(json.dumps({"asset": {"version": "2.0"}, "extensionsRequired": [name]}))
    out = tmp_path / "out"
    arguments = ["build", str(tmp_path), "--out", str(out), "--size", "64", "--views", "2", "--workers", "1"]
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 1
    assert all(line.isprintable() and len(line) < 400 for line in ran.output.split("\n"))
    (failure,) = map(json.loads, (out / "failures.jsonl").read_text(encoding="utf-8").splitlines())
    assert failure["reason"].isprintable()
    assert len(failure["reason"]) <= MOST_SHOWN
    assert failure["reason"].endswith("…")
    whole = (out / failure["details"]).read_text(encoding="utf-8")
    assert len(whole) > 30_000
    assert whole.startswith(failure["reason"][:-1])
