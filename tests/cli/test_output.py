"""What reaches a terminal: one line stays one line, and nothing in a name steers anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import specsia_build
import specsia_build.cli
from specsia_build.cli.command import JSON, tell
from specsia_build.cli.main import main
from tests.shapes import write_figure

NASTY = "\x1b]0;owned\x07\n\x9b2J\u202egnp.\u2028\udc80"


def test_json_holds_the_very_text_and_nothing_raw(capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(main) as context:
        context.meta[JSON] = True
        tell({"name": NASTY, "plain": "é\U0001f9d9", NASTY: [1]}, ())
    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.split("\n"))
    assert json.loads(out) == {"name": NASTY, "plain": "é\U0001f9d9", NASTY: [1]}
    assert "é\U0001f9d9" in out


def test_commands_print_through_one_place() -> None:
    folder = Path(specsia_build.cli.__file__).parent
    others = [path.name for path in folder.glob("*.py") if "click.echo" in path.read_text(encoding="utf-8")]
    assert sorted(others) == ["command.py"]


def test_one_package_draws() -> None:
    package = Path(specsia_build.__file__).parent
    drawing = [path for path in package.rglob("*.py") if "from rich" in path.read_text(encoding="utf-8")]
    assert {path.parent.name for path in drawing} == {"terminal"}


def test_names_of_files_are_shown_printable(tmp_path: Path) -> None:
    write_figure(tmp_path / "a.obj")
    (tmp_path / "a.obj").rename(tmp_path / "a\x1b]0;x\x07\u202e.obj")
    (tmp_path / "b\n\x9b2J.obj").write_text("v 0 0 0\n")
    for more in ((), ("--json",)):
        ran = CliRunner().invoke(main, ["characters", str(tmp_path), *more])
        assert "Traceback" not in ran.output
        assert all(line.isprintable() for line in ran.output.split("\n")), ran.output


def test_a_fault_of_the_program_is_told_in_one_line_with_the_place_beneath(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise KeyError(NASTY)

    monkeypatch.setattr("specsia_build.backends.registry.available_backends", broken)
    ran = CliRunner().invoke(main, ["backends", "list"])
    assert ran.exit_code == 1
    assert ran.stdout == ""
    first, *where = ran.stderr.splitlines()
    assert first.startswith("specsia: a fault of specsia itself, please report it with the lines below: KeyError: ")
    assert where[0].startswith("Traceback")
    assert all(line.isprintable() for line in ran.stderr.split("\n"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("characters", ""), "an argument is empty"),
        (("build", "sample:1", "--out", ""), "--out is empty"),
        (("build", "sample:1", "--config="), "--config is empty"),
    ],
)
def test_an_empty_word_is_not_the_folder_that_one_is_in(words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.output.partition(": give")[0]) == (2, f"specsia: {said}")


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_hinder_nothing(closed: str) -> None:
    code = "from specsia_build.cli import main; main(['backends', 'list'])"
    done = subprocess.run(["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, code], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize(
    "line", ["--version", "backends list", "characters {} --workers 1", "characters {} --workers 1 --json"]
)
def test_output_that_cannot_leave_is_blamed_on_itself(line: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from specsia_build.cli import main; main()", *line.split()]
    command = [word.format(write_figure(tmp_path / "a.obj")) for word in command]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 1
    assert "specsia: standard output cannot be written: No space left on device" in ran.stderr
    assert "Exception ignored" not in ran.stderr and "Traceback" not in ran.stderr


@pytest.mark.parametrize(("unread", "line", "code"), [(1, "backends list", 0), (2, "build sample:1 --out {}", 1)])
def test_who_reads_and_leaves_is_told_nothing(unread: int, line: str, code: int, tmp_path: Path) -> None:
    there, here = os.pipe()
    os.close(there)
    command = [sys.executable, "-c", "from specsia_build.cli import main; main()", *line.format(tmp_path).split()]
    streams = [subprocess.PIPE, subprocess.PIPE]
    streams[unread - 1] = here
    ran = subprocess.run(command, stdout=streams[0], stderr=streams[1], text=True, check=False)
    os.close(here)
    assert (ran.returncode, ran.stdout or "", ran.stderr or "") == (code, "", "")
    assert not (tmp_path / "dataset").exists()


def test_a_pipe_that_breaks_within_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("specsia_build.backends.registry.available_backends", broken)
    ran = CliRunner().invoke(main, ["backends", "list"])
    assert (ran.exit_code, ran.stdout, ran.stderr) == (1, "", "specsia: Broken pipe\n")
