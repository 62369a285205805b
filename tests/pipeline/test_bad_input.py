"""A build of bad characters only: what it says at its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from specsia_build.cli import main


@pytest.mark.parametrize(("count", "sentence"), [(1, "the only character is quarantined"), (2, "all 2 characters are")])
def test_a_build_without_a_sound_character_says_where_to_look(count: int, sentence: str, tmp_path: Path) -> None:
    for index in range(count):
        (tmp_path / f"{index}.obj").write_text("v 0 0 0\n")
    out = tmp_path / "out"
    arguments = ["build", str(tmp_path), "--out", str(out), "--size", "64", "--views", "2", "--workers", "1"]
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 1
    assert sentence in ran.output
    assert "failures.jsonl" in ran.output
    assert "--stage" not in ran.output
