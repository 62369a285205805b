"""A build of bad characters only: what it says at its end."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from specsia_build.cli import main


def test_a_build_without_a_sound_character_says_where_to_look(tmp_path: Path) -> None:
    (tmp_path / "0.obj").write_text("v 0 0 0\n")
    out = tmp_path / "out"
    arguments = ["build", str(tmp_path), "--out", str(out), "--size", "64", "--views", "2", "--workers", "1"]
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 1
    assert "all characters failed" in ran.output
    assert "failures.jsonl" in ran.output
    assert "--stage" not in ran.output
