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
from specsia_build.cli.main import main
from specsia_build.cli.output import JSON, show, tell
from specsia_build.look.markup import tag, text
from specsia_build.pipeline.progress import Progress
from tests.shapes import write_figure, write_folder

NASTY = "\x1b]0;owned\x07\n\x9b2J\u202egnp.\u2028\udc80"


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    found = capsys.readouterr()
    return found.out + found.err


def test_lines_are_made_printable(capsys: pytest.CaptureFixture[str]) -> None:
    show(NASTY, "plain é")
    Progress().say(NASTY)
    lines = printed(capsys).splitlines()
    assert len(lines) == 3
    assert lines[1] == "plain é"
    assert all(line.isprintable() for line in lines)


def test_json_holds_the_very_text_and_nothing_raw(capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(main) as context:
        context.meta[JSON] = True
        tell({"name": NASTY, "plain": "é\U0001f9d9", NASTY: [1]}, ())
    out = printed(capsys)
    assert all(line.isprintable() for line in out.split("\n"))
    assert json.loads(out) == {"name": NASTY, "plain": "é\U0001f9d9", NASTY: [1]}
    assert "é\U0001f9d9" in out


def test_markup_is_made_printable() -> None:
    for made in (text(NASTY), tag("p", NASTY, title=NASTY)):
        assert made.isprintable()


def test_commands_print_through_one_place() -> None:
    folder = Path(specsia_build.cli.__file__).parent
    others = [path.name for path in folder.glob("*.py") if "click.echo" in path.read_text(encoding="utf-8")]
    assert sorted(others) == ["output.py"]


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
        (("report", ""), "an argument is empty"),
        (("backends", "doctor", ""), "an argument is empty"),
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


def test_a_folder_that_was_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    done = CliRunner().invoke(main, ["status", "../run"])
    assert (done.exit_code, done.output) == (
        2,
        "specsia: the folder that you are in was removed: go to one that is there\n",
    )


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


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("backends relie", "Did you mean 'selftest relief'?"),
        ("backends lisst", "Did you mean 'list'?"),
        ("backends doctor wonder", "Did you mean 'wonder3d'?"),
        ("report no/such/run", "give that of a run, a dataset or an evaluation"),
        ("verify .", "is no packed dataset"),
        ("convert . --to published --out x", "is no packed dataset"),
        ("push . --repo a/b --dry-run", "is no complete dataset"),
    ],
)
def test_a_mistake_of_usage_ends_with_2(line: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(main, line.split())
    assert ran.exit_code == 2, ran.output
    assert says in ran.stderr


def test_names_are_not_read_in_another_encoding(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "specsia_build", "characters", str(write_folder(tmp_path / "Zoë", 1))]
    ascii_locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}

    def told(utf8: str) -> tuple[int, str]:
        environment = {**os.environ, **ascii_locale, "PYTHONUTF8": utf8}
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        return ran.returncode, ran.stderr

    assert told("0") == (2, "specsia: names of files would be read as ascii and mistaken: set PYTHONUTF8=1\n")
    assert told("1")[0] == 0
