"""Help, examples that can be copied, and errors about wrong command lines."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from specsia_build.characters.formats import FORMATS
from specsia_build.cli import runs
from specsia_build.cli.main import main
from specsia_build.stages.registry import PAIR_STAGES, STAGES
from tests.commands import specsia


def commands(
    group: click.Group = main, names: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its words after `specsia`."""
    yield names, group
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*names, name))
        else:
            yield (*names, name), command


def parse(words: list[str]) -> None:
    """See that a command takes its options and how many arguments there are; raises `click.UsageError` if
    not."""
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert name is not None
        assert found is not None
        command, context = found, click.Context(found, info_name=name)
    given, left, _ = command.make_parser(context).parse_args(list(words))
    assert not left, left
    for parameter in command.params:
        value = given.get(parameter.name or "")
        if isinstance(parameter.type, click.Choice | click.types.IntParamType | click.types.FloatParamType):
            for word in value if isinstance(value, list | tuple) else [value]:
                if isinstance(word, str):
                    parameter.type(word, parameter, context)


def test_help_ends_with_two_examples() -> None:
    for names, command in commands():
        said = CliRunner().invoke(main, [*names, "--help"], terminal_width=80).output
        about, heading, examples = said.rpartition("\nExamples:\n")
        assert heading and len(examples.splitlines()) == 2, names
        for line in examples.splitlines():
            program, *words = shlex.split(line)
            assert (program, *words[: len(names)]) == ("specsia", *names)
            parse(words)
        if isinstance(command, click.Group):
            assert "..." not in about.partition("\nCommands:\n")[2], names
        if names in (("build",), ("clips",), ("characters",)):
            assert ", ".join(FORMATS) in " ".join(said.split())


def test_help_names_all_stages() -> None:
    assert tuple(stage.name for stage in STAGES) == runs.STAGE_NAMES
    assert (*(stage.name for stage in PAIR_STAGES), "pack") == runs.CLIP_STAGE_NAMES


def test_help_imports_no_command() -> None:
    code = "import sys; from specsia_build.cli import main; main(['--help'], standalone_mode=False); "
    code += "print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = ran.stdout.split()
    assert not {"numpy", "rich", "specsia_build.cli.runs"} & set(loaded)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("biuld", "Did you mean 'build'?"),
        ("backends doctor wonder", "Did you mean 'wonder3d'?"),
        ("status --jsno x", "Did you mean '--json'?"),
        ("build sample:1 --stage rendr", "'render'"),
        ("build sample:1 --backend relieff", "Did you mean 'relief'?"),
        ("build sample:1 --renderer cicles", "it is one of cycles"),
        ("build --config sampel", "Did you mean 'sample'?"),
        ("build s3://bucket/mine", "is a URL"),
        ("clips sample:1 --recipe anidok", "Did you mean 'anidoc'?"),
        ("build nowhere --out out", "nowhere'"),
        ("build sample:0 --out out", "sample:N"),
        ("build --backend mesh-dir:nothere --out out", "/nothere"),
        ("build --exclude nothere --out out", "nothere cannot be read"),
        ("build --like nothere --out out", "there is no folder nothere"),
        ("build sample:1 --stage pack --out out", "nothing of relief to pack"),
        (
            "clips sample:1 --stage pack --out out",
            "no clips to pack: run `specsia clips --stage motions` first",
        ),
        ("clips sample:1 --stage project --out out", "--layout pairs or --backend NAME moves them too"),
        ("build --size 7 --out out", "size"),
        ("build --max-failures some --out out", "max_failures"),
        ("build --max-failures 200% --out out", "a share of all (1%)"),
        ("build --max-failures=-1% --out out", "give a count (3) or a share of all"),
        ("status .", "holds no build"),
        ("train", "Missing argument 'DATASET'. For example: specsia train "),
        ("export x", "Missing option '--layout'. For example: specsia export "),
        ("report no/such/run", "give the folder of a run, a dataset, an evaluation or a repair"),
        ("export . --layout specsia-15k-rows --out x", "is not a packed dataset"),
    ],
)
@pytest.mark.usefixtures("no_workers")
def test_wrong_command_line_exits_2(
    line: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = specsia(*line.split(), code=2)
    assert ran.stdout == ""
    (error,) = [line for line in ran.stderr.splitlines() if line.startswith("specsia: ")]
    assert says in error
    assert not Path("out", "artefacts").exists()


@pytest.mark.parametrize("words", [["verify"], ["build", "sample:1", "--out"], ["sheet"]])
def test_name_that_is_not_utf_8(words: list[str], tmp_path: Path) -> None:
    assert "is not UTF-8: rename it" in specsia(*words, tmp_path / "h\udce9ro", code=2).stderr
