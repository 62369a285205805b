"""Who leaves out what a command needs is shown a line that has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from specsia_build.cli import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["adapt"], "Missing argument 'RUN'. For example: specsia adapt pretrained --frames my-frames --drawing "),
        (["adapt", "pretrained"], "Missing option '--out'. For example: specsia adapt pretrained --frames my-frames "),
        (["enhance", "pretrained"], "Missing argument 'INPUT'. For example: specsia enhance "),
        (["evaluate"], "Missing argument 'RUN...'. For example: specsia evaluate "),
        (["train"], "Missing argument 'DATASET'. For example: specsia train "),
        (["convert", "x"], "Missing option '--to'. Choose from: published. For example: specsia convert "),
        (["build", "s3://bucket/mine"], "'s3://bucket/mine' is a URL, and characters are read from this machine"),
        (["backends", "doctor"], "Missing argument 'NAME'. For example: specsia backends doctor "),
    ],
)
def test_what_is_missing_is_shown_in_a_line_that_works(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"specsia: {said}" in CliRunner().invoke(main, words).output


def test_a_frontal_view_may_come_with_a_drawing(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    output = CliRunner().invoke(main, ["adapt", "pretrained", "--out", str(tmp_path / "run")]).output
    assert "either as --dataset DATASET --character ID, where --drawing PNG may" in output
    assert "or as --frames DIR --drawing PNG" in output
