"""Terminal output: one line stays one line, names cannot steer the terminal, panels sum up."""

import json
import re
from contextlib import suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from specsia_build.cli.closing import end
from specsia_build.cli.command import JSON, tell
from specsia_build.cli.main import main
from specsia_build.config import BuildConfig
from specsia_build.pipeline.failures import BuildSummary, Failure
from specsia_build.pipeline.run import RunPaths
from tests.commands import specsia
from tests.dataset.small import build_small
from tests.dravie.pairs import write_run
from tests.shapes import write_figure

NASTY = "\x1b]0;owned\x07\n\x9b2J\u202egnp.\u2028\udc80"


def test_json_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(main) as context:
        context.meta[JSON] = True
        tell({"name": NASTY, "plain": "é\U0001f9d9", NASTY: [1]}, ())
    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.split("\n"))
    assert json.loads(out) == {"name": NASTY, "plain": "é\U0001f9d9", NASTY: [1]}
    assert "é\U0001f9d9" in out


def test_printable_file_names(tmp_path: Path) -> None:
    write_figure(tmp_path / "a.obj").rename(tmp_path / "a\x1b]0;x\x07\u202e.obj")
    (tmp_path / "b\n\x9b2J.obj").write_text("v 0 0 0\n")
    for more in ((), ("--json",)):
        ran = specsia("characters", tmp_path, *more)
        assert all(line.isprintable() for line in ran.output.split("\n")), ran.output


def test_internal_error_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise KeyError(NASTY)

    monkeypatch.setattr("specsia_build.backends.registry.available_backends", broken)
    ran = CliRunner().invoke(main, ["backends", "list"])
    assert (ran.exit_code, ran.stdout) == (1, "")
    first, *where = ran.stderr.splitlines()
    assert first.startswith("specsia: ") and "KeyError: " in first
    assert where[0].startswith("Traceback")
    assert all(line.isprintable() for line in ran.stderr.split("\n"))


@pytest.mark.parametrize(
    "words", [("characters", ""), ("build", "--out", ""), ("build", "sample:1", "--config=")]
)
def test_empty_argument_is_not_cwd(words: tuple[str, ...]) -> None:
    assert " is empty" in specsia(*words, code=2).output


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset and a model."""
    folder = tmp_path_factory.mktemp("closing")
    build_small(folder / "one", ["a", "b", "c"])
    write_run(folder / "model")
    return folder


@pytest.mark.parametrize(
    ("line", "following"),
    [
        ("verify one --workers 1", "specsia push one --repo OWNER/NAME --dry-run"),
        ("export one --layout pairs --out out --workers 1", "specsia verify out"),
        ("enhance model one --split test --out new", "specsia evaluate model one"),
        ("turntable one --size 32 --out a.webp", "specsia sheet one --out sheet.png"),
        ("report one", "specsia sheet one --out sheet.png"),
    ],
)
def test_next_command_is_suggested(
    at: Path, line: str, following: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(at)
    ran = specsia(*line.split())
    assert following in ran.stderr and following not in ran.stdout


def test_run_is_named_as_in_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = RunPaths(tmp_path, "s3://bucket/run")
    failed = [Failure("a", "render", None, "cut short")] * 20
    for stopped, dataset in (("enough", None), (None, None), (None, "s3://bucket/run/dataset")):
        rows = {"relief": 1}
        summary = BuildSummary("one", 1, failures=failed, stopped=stopped, dataset=dataset, rows=rows)
        with suppress(click.exceptions.Exit), click.Context(main):
            end(summary, BuildConfig(), paths)
    said = re.findall("specsia (?:build --out|report|status) (.*)", capsys.readouterr().err)
    assert set(said) == {"s3://bucket/run"}
