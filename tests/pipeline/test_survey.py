"""Characters are told in their order while others are still read."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from specsia_build.cli import main
from specsia_build.pipeline import survey
from tests.shapes import write_folder


def test_a_long_list_is_printed_page_by_page_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "PAGE", 2)
    write_folder(tmp_path, 5)
    ran = CliRunner().invoke(main, ["characters", str(tmp_path), "--workers", "2"])
    first = [line.split()[0] for line in ran.stdout.splitlines()]
    assert first[:8] == ["id", "0", "1", "id", "2", "3", "id", "4"]
    assert "5 characters (5 obj)" in ran.stdout
