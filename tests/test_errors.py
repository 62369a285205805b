"""Text that came from data, made fit to be shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsia_build.errors import argument, printable, spelled


@given(st.text(st.characters()))
def test_printable_text_is_one_line_without_control_characters(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    shown.encode()


def test_a_folder_without_a_name_of_its_own_is_spelled_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert [spelled(name) for name in (".", "./", "..", "../..")] == [
        *map(str, (tmp_path / "a" / "b", tmp_path / "a" / "b", tmp_path / "a", tmp_path))
    ]
    for name in ("run", "../run", "run/", "/", "s3://bucket/..", "OWNER/NAME"):
        assert spelled(name) == name
    assert spelled(Path("run")) == "run"


@pytest.mark.parametrize(
    ("name", "shown"),
    [("run", "run"), ("a run", "'a run'"), ("-run", "./-run"), ("--json", "./--json"), ("a-b", "a-b")],
)
def test_what_is_to_be_copied_is_no_option(name: str, shown: str) -> None:
    assert argument(name) == argument(Path(name)) == shown
