"""`--config`: a file, or the name of settings that come with the package."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from specsia_build.cli import main
from specsia_build.config import BuildConfig
from specsia_build.pipeline.selection import _excluded
from specsia_build.pipeline.settings import effective, named_settings


def settings(name: str) -> BuildConfig:
    return effective(None, None, named_settings(name), {}, fresh=True)[0]


def test_a_file_beats_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("specsia-15k").write_text("size: 96\n")
    assert settings("specsia-15k").size == 96


@pytest.mark.parametrize("name", ["no-such", "backends/crm", "../manifests/sample"])
def test_what_is_neither_gets_the_names_that_there_are(name: str) -> None:
    ran = CliRunner().invoke(main, ["build", "--config", name])
    assert ran.exit_code == 2
    assert f"there is no file {name}" in ran.output
    assert "sample, specsia-15k" in ran.output


def test_a_file_of_ids_to_leave_out_may_have_spaces_marks_and_any_ends_of_lines(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_bytes("\ufeffa\r\n b \n\n\tc\r\n".encode())
    assert _excluded(str(tmp_path / "ids.txt")) == {"a", "b", "c"}
