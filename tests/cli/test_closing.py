"""Commands that make or check something end with a panel of what to know of it; documents stay alone."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from specsia_build.cli.closing import end, failure_lines
from specsia_build.cli.main import main
from specsia_build.config import BuildConfig, ClipSettings
from specsia_build.pipeline.failures import Failure
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.summary import BuildSummary
from tests.dataset.small import build_small
from tests.dravie.repair.test_enhance import write_run


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two datasets, a model and characters."""
    folder = tmp_path_factory.mktemp("closing")
    build_small(folder / "one", ["a", "b", "c"])
    build_small(folder / "two", ["a", "b", "d"])
    write_run(folder / "model", with_pos=False)
    return folder


@pytest.mark.parametrize(
    ("line", "labels", "follows", "code"),
    [
        ("verify one --workers 1", ("checked",), "specsia push one --repo OWNER/NAME --dry-run", 0),
        ("convert one --to published --out out --workers 1", ("packed", "dataset", "load"), "specsia verify out", 0),
        ("enhance model one --split test --out new", ("repaired", "pictures"), "specsia evaluate model one", 0),
        ("turntable one --size 32 --out a.webp", ("drawn", "file"), "specsia sheet one --out sheet.png", 0),
        ("sheet one --size 32 --out a.png", ("drawn", "file"), "specsia turntable one --out turntable.webp", 0),
        ("report one", ("shown", "report"), "specsia sheet one --out sheet.png", 0),
    ],
)
def test_commands_end_with_what_is_to_be_known(
    at: Path, line: str, labels: tuple[str, ...], follows: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(at)
    ran = CliRunner().invoke(main, line.split())
    assert ran.exit_code == code, ran.output
    facts = dict.fromkeys(row.split()[0] for row in ran.stderr.splitlines() if row.startswith("  ") and row.strip())
    assert {*labels, "time", "next"} <= facts.keys()
    assert follows in ran.stderr and follows not in ran.stdout


@pytest.mark.parametrize("line", ["verify one --workers 1 --json", "diff one two --json"])
def test_a_document_is_all_that_is_said(at: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(at)
    ran = CliRunner().invoke(main, line.split())
    assert json.loads(ran.stdout)
    assert "next" not in ran.stderr


def test_one_of_a_kind_is_called_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = BuildSummary("one", 1, clips=1, recipes={"frames": 1, "conr": 1}, rows={"relief": 1}, dataset=tmp_path)
    with click.Context(main):
        end(summary, BuildConfig(clips=ClipSettings()), RunLayout(tmp_path))
    told = capsys.readouterr()
    assert "1 clip of one is in" in told.out
    assert "1 character of one is in" in told.out
    assert not re.search(r"\b1 [a-z]+s\b", told.out + told.err)


def test_where_reconstructions_that_move_are_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = BuildConfig(backends=("relief", "fusion:0.5"), clips=ClipSettings(reconstructed=True))
    with click.Context(main):
        end(BuildSummary("one", 1, clips=4, recipes={"frames": 4}), config, RunLayout(tmp_path))
    by = "".join(f" and, by {name}, in {tmp_path / f'frames-{name}'}" for name in ("relief", "fusion"))
    assert f"4 clips of one are in {tmp_path / 'frames'}{by}\n" in capsys.readouterr().out


def test_what_stages_say_alike_of_a_character_is_one_line() -> None:
    said = [("half", "render"), ("other", "render"), ("half", "motions"), ("third", "motions")]
    failures = [Failure(character, stage, None, "cut short") for character, stage in said]
    assert failure_lines(failures) == [
        "failed: half at render and motions: cut short",
        "failed: other at render: cut short",
        "failed: third at motions: cut short",
    ]


def test_a_run_is_called_what_its_out_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = RunLayout(tmp_path, "s3://bucket/run")
    failed = [Failure("a", "render", None, "cut short")] * 20
    for stopped, dataset in (("enough", None), (None, None), (None, "s3://bucket/run/dataset")):
        summary = BuildSummary("one", 1, failures=failed, stopped=stopped, dataset=dataset, rows={"relief": 1})
        with suppress(click.exceptions.Exit), click.Context(main):
            end(summary, BuildConfig(), layout)
    said = re.findall("specsia (?:build --out|report|status) (.*)", capsys.readouterr().err)
    assert set(said) == {"s3://bucket/run"}
