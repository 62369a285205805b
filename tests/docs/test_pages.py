"""Every command that README, docs, the model's card and the help of commands print works as printed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from specsia_build.cli import main
from tests.cli.test_help import commands
from tests.docs.blocks import PAGES, Block, commands_of, mentioned, runnable
from tests.docs.listed import NOT_RUN
from tests.docs.sandbox import run_block, serving, write_sources
from tests.hub_server import WRITER, serve
from tests.object_store import object_store

PREPARATION = """
specsia build path/to/characters --out my-run
specsia build path/to/characters --shard 1/2 --out share-1
specsia build path/to/characters --shard 2/2 --out share-2
cp -r my-run old-run
cp -r my-run specsia-out
cp -r my-run/dataset DATASET
cp -r my-run/dataset A
cp -r my-run/dataset B
specsia train my-run/dataset --out RUN
specsia push my-run/dataset --repo owner/name
specsia build PATH/TO/3DBiCar --out of-3dbicar
specsia push of-3dbicar/dataset --repo owner/SPECSIA-15K
specsia build path/to/characters --out s3://bucket
specsia clips person.jsonl --recipe frames --recipe dravie --out DIR
cp -r DIR/frames-relief/person-wave-00 my-frames
cp -r my-frames FRAMES
cp my-frames/color/0000.png front.png
cp front.png drawing.png
"""
"""What a reader has who comes to a page: a run, what others published, frames of a tool."""


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of all sandboxes: programs, a Hub, a bucket, and nothing of the user's."""
    folder = tmp_path_factory.mktemp("docs")
    with object_store() as (_, store), serve(folder / "hub") as hub:
        mine = {
            "HOME": str(folder / "home"),
            "HF_HOME": str(folder / "home" / "hf"),
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": WRITER,
            "HF_HUB_DISABLE_XET": "1",
            "NUMBA_CACHE_DIR": os.environ["NUMBA_CACHE_DIR"],
            "SPECSIA_BLENDER": "blender",
            "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"],
            **store,
        }
        with serving(folder / "programs", mine) as programs:
            yield {"PATH": f"{programs}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", **mine}


@pytest.fixture(scope="module")
def surroundings(variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is there before a page begins."""
    folder = tmp_path_factory.mktemp("surroundings")
    write_sources(folder, Path(variables["PATH"].partition(":")[0]).with_name("samples"))
    _check(Block("the surroundings", 0, "sh", PREPARATION), folder, variables)
    return folder


def _check(block: Block, folder: Path, variables: Mapping[str, str]) -> None:
    log = folder.with_name(f"{folder.name}.log")
    with log.open("wb") as stream:
        code = run_block(block, folder, variables, stream)
    assert code == 0, f"{block.page}:{block.line}\n{block.text}\n{log.read_text()[-3000:]}"


def _is_listed(block: Block) -> bool:
    return (block.page, block.first) in NOT_RUN


BLOCKS = [block for page in PAGES for block in runnable(page)]

RUN = [page for page in PAGES if any(block.page == page and not _is_listed(block) for block in BLOCKS)]

EXAMPLES = [line for _, command in commands() for line in getattr(command, "examples", ())]

QUICK = {"characters", "convert", "diff", "report", "sheet", "status", "turntable"}
"""Commands whose examples are run in this process where the surroundings hold what they name."""


@pytest.mark.parametrize("page", RUN)
def test_the_commands_of_a_page_work_as_printed_in_their_order(
    page: str, surroundings: Path, variables: dict[str, str], tmp_path: Path
) -> None:
    folder = shutil.copytree(surroundings, tmp_path / "sandbox")
    for block in BLOCKS:
        if block.page == page and not _is_listed(block):
            _check(block, folder, variables)


def _parse(words: list[str]) -> None:
    """See that a command takes its options and how many arguments there are; raises `click.UsageError` if not."""
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
            for one in value if isinstance(value, list | tuple) else [value]:
                if isinstance(one, str):
                    parameter.type(one, parameter, context)


@pytest.mark.usefixtures("no_workers")
def test_the_examples_of_help_are_parsed_and_the_quick_ones_work(
    surroundings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shutil.copytree(surroundings, tmp_path / "sandbox"))
    for line in dict.fromkeys(EXAMPLES):
        _, *words = shlex.split(line)
        _parse(words)
        if words[0] in QUICK and Path(words[1]).exists():
            ran = CliRunner().invoke(main, [*words, *["--workers", "1"] * (words[0] in ("characters", "convert"))])
            assert ran.exit_code == 0, f"{line}\n{ran.output}"


@pytest.mark.parametrize("block", [b for b in BLOCKS if _is_listed(b)], ids=lambda b: f"{b.page}:{b.line}")
def test_the_commands_that_are_not_run_are_parsed(block: Block) -> None:
    if block.language != "python":
        for words in commands_of(block.text):
            _parse(words)


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_a_text_names_is_one_of_its_command(page: str) -> None:
    known = {names: command for names, command in commands() if names}
    for line in mentioned(page):
        words = re.findall(r"[^\s\[\]|…,]+", line)[1:]
        named = next((tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in known), None)
        assert named is not None, line
        options = {text for parameter in known[named].params for text in (*parameter.opts, *parameter.secondary_opts)}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options | {"--help"}, line


def test_what_is_listed_is_there_once() -> None:
    found = [(block.page, block.first) for block in BLOCKS]
    assert [found.count(listed) for listed in NOT_RUN] == [1] * len(NOT_RUN)
