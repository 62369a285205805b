"""Help: what a command takes, examples that can be copied, and what was meant by a name that is not known."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from specsia_build.characters.formats import FORMATS
from specsia_build.cli.main import main


def commands(group: click.Group = main, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its words after `specsia`."""
    yield names, group
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, (*names, name))
        else:
            yield (*names, name), found


def test_every_help_ends_with_two_examples_that_the_command_takes() -> None:
    for names, command in commands():
        said = CliRunner().invoke(main, [*names, "--help"], terminal_width=60).output
        _, heading, examples = said.rpartition("\nExamples:\n")
        assert heading, names
        assert [line.strip() for line in examples.splitlines()] == list(getattr(command, "examples", ())), names
        assert len(examples.splitlines()) == 2, names
        for line in examples.splitlines():
            program, *words = shlex.split(line)
            assert (program, *words[: len(names)]) == ("specsia", *names)
            if not isinstance(command, click.Group):
                options = command.make_context(names[-1], words[len(names) :], resilient_parsing=True)
                assert not options.args, line


def test_what_commands_do_is_said_whole() -> None:
    for names, command in commands():
        if isinstance(command, click.Group):
            said = CliRunner().invoke(main, [*names, "--help"], terminal_width=80).output
            assert "..." not in said.partition("\nCommands:\n")[2], names


@pytest.mark.parametrize("name", ["build", "clips", "characters"])
def test_help_names_all_formats_that_are_read(name: str) -> None:
    said = CliRunner().invoke(main, [name, "--help"]).output
    assert ", ".join(FORMATS) in " ".join(said.split())


def test_help_imports_no_command() -> None:
    code = (
        "import sys; from specsia_build.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = ran.stdout.split()
    assert not {"numpy", "rich", "specsia_build.cli.build"} & set(loaded)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["biuld"], "No such command 'biuld'. Did you mean 'build'?"),
        (["backends", "lsit"], "No such command 'lsit'. Did you mean 'list'?"),
        (
            ["build", "--stage", "rendr"],
            "'project', 'pack'. Did you mean 'render'?",
        ),
        (["status", "--jsno", "x"], "No such option '--jsno'. Did you mean '--json'?"),
        (["build", "sample:1", "--backend", "relie"], "Did you mean 'relief'?"),
        (["clips", "sample:1", "--recipe", "anidok"], "Did you mean 'anidoc'?"),
        (["build", "sample:1", "--renderer", "eevy"], "Did you mean 'eevee'?"),
        (["clips", "sample:1", "--motion", "wlak"], "Did you mean 'walk'?"),
        (["build", "--config", "sampel"], "Did you mean 'sample'?"),
    ],
)
def test_what_was_meant_by_an_unknown_name_is_said_in_one_line(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 2
    assert ran.stdout == ""
    first = ran.stderr.splitlines()[0]
    assert first.startswith("specsia: ")
    assert first.endswith(sentence)


def test_no_command_at_all_gives_the_help() -> None:
    assert "\nCommands:\n" in CliRunner().invoke(main, []).output


@pytest.mark.parametrize("words", [["verify"], ["build", "sample:1", "--out"], ["build"], ["train"], ["sheet"]])
def test_a_name_that_is_not_utf_8_is_refused_in_one_line(words: list[str], tmp_path: Path) -> None:
    ran = CliRunner().invoke(main, [*words, str(tmp_path / "h\udce9ro")])
    assert ran.exit_code == 2
    first = ran.stderr.splitlines()[0]
    assert first.startswith("specsia: the name of '")
    assert first.endswith("h\\udce9ro' is not UTF-8: rename it, or the folder that is so named")


def test_a_command_in_a_folder_whose_name_is_not_utf_8_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "h\udce9ro"
    here.mkdir()
    monkeypatch.chdir(here)
    ran = CliRunner().invoke(main, ["build", "sample:1"])
    assert (ran.exit_code, "is not UTF-8: rename it" in ran.stderr) == (2, True)
