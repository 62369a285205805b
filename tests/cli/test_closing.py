"""Commands that make or check something end with a panel of what to know of it; documents stay alone."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from specsia_build.cli.closing import end
from specsia_build.cli.main import main
from specsia_build.config import BuildConfig
from specsia_build.pipeline.failures import BuildSummary, Failure
from specsia_build.pipeline.run import RunLayout
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
    ("line", "labels", "follows"),
    [
        ("verify one --workers 1", {"checked"}, "specsia push one --repo OWNER/NAME --dry-run"),
        ("convert one --to published --out out --workers 1", {"packed", "dataset", "load"}, "specsia verify out"),
        ("enhance model one --split test --out new", {"repaired", "pictures"}, "specsia evaluate model one"),
        ("turntable one --size 32 --out a.webp", {"drawn", "file"}, "specsia sheet one --out sheet.png"),
        ("sheet one --size 32 --out a.png", {"drawn", "file"}, "specsia turntable one --out turntable.webp"),
        ("report one", {"shown", "report"}, "specsia sheet one --out sheet.png"),
    ],
)
def test_commands_end_with_what_is_to_be_known(
    at: Path, line: str, labels: set[str], follows: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(at)
    ran = CliRunner().invoke(main, line.split())
    assert ran.exit_code == 0, ran.output
    facts = {row.split()[0] for row in ran.stderr.splitlines() if row.startswith("  ") and row.strip()}
    assert labels | {"time", "next"} <= facts
    assert follows in ran.stderr and follows not in ran.stdout


@pytest.mark.parametrize("line", ["verify one --workers 1 --json", "diff one two --json"])
def test_a_document_is_all_that_is_said(at: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(at)
    ran = CliRunner().invoke(main, line.split())
    assert json.loads(ran.stdout)
    assert "next" not in ran.stderr


def test_a_run_is_called_what_its_out_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = RunLayout(tmp_path, "s3://bucket/run")
    failed = [Failure("a", "render", None, "cut short")] * 20
    for stopped, dataset in (("enough", None), (None, None), (None, "s3://bucket/run/dataset")):
        summary = BuildSummary("one", 1, failures=failed, stopped=stopped, dataset=dataset, rows={"relief": 1})
        with suppress(click.exceptions.Exit), click.Context(main):
            end(summary, BuildConfig(), layout)
    said = re.findall("specsia (?:build --out|report|status) (.*)", capsys.readouterr().err)
    assert set(said) == {"s3://bucket/run"}
