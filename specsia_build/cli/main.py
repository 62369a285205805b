"""The command group; errors become one sentence on standard error and an exit code."""

from __future__ import annotations

import importlib
import os
import re
import select
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import click

from specsia_build import __version__
from specsia_build.cli.command import STOPPED, CommandGroup
from specsia_build.cli.stopping import stoppable
from specsia_build.errors import SpecsiaError, UsageError, brief, meant
from specsia_build.files.trouble import write_trouble
from specsia_build.terminal.screen import complain, say

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes."""


class _Known(NamedTuple):
    module: str
    does: str


COMMANDS = {
    name: _Known(f"specsia_build.cli.{module}", does)
    for name, module, does in (
        ("build", "build", "Build and pack a dataset from characters."),
        ("clips", "clips", "Draw characters in motion, layer by layer."),
        ("merge", "merge", "Join runs that each built a share of one source."),
        ("characters", "inspect", "List what a source holds before anything is built."),
        ("status", "inspect", "Say what a run holds, what failed and why."),
        ("verify", "verify", "Check every promise of a packed dataset."),
        ("diff", "diff", "Say what differs between two datasets."),
        ("report", "report", "Write an HTML page to look at."),
        ("turntable", "drawing", "Write a film of characters that turn, or of clips."),
        ("sheet", "drawing", "Write a picture of characters from several views."),
        ("convert", "convert", "Pack a dataset anew in another schema."),
        ("backends", "backends", "Name, check and try reconstruction backends."),
        ("repair", "repair", "Repair a drawing from every side."),
        ("train", "train", "Train DraViE on a dataset."),
        ("adapt", "adapt", "Fit a model to one character's frontal view."),
        ("enhance", "enhance", "Repair frames with a model."),
        ("evaluate", "evaluate", "Compare models with baselines on test characters."),
        ("push", "push", "Push a dataset to the Hugging Face Hub and check it."),
        ("doctor", "doctor", "Say what this machine has, lacks and how to get it."),
    )
}
"""Module of each command and what it does; it is imported only when the command is asked for, so that help is quick."""

_IN_TROUBLE = {"diff": USAGE}
"""Exit codes of commands that could not be done, where `FAILED` says what was found."""


class _Commands(CommandGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[name].module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, known.does) for name, known in COMMANDS.items()])

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        _open_streams()
        with _reported():
            return super().make_context(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        with stoppable(INTERRUPTED), _reported(ctx):
            require_utf8()
            require_cwd()
            return super().invoke(ctx)


def _open_streams() -> None:
    """Replace closed standard streams by the null device."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123  for as long as it runs


def require_utf8() -> None:
    """Refuse a locale in which Python does not read file names as UTF-8.

    Raises:
        UsageError: if the locale has it take them for something else.
    """
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8":
        raise UsageError(f"names of files would be read as {encoding} and mistaken: set PYTHONUTF8=1")


def require_cwd() -> None:
    """Refuse to work in a folder that was removed, as relative paths start from it.

    Raises:
        UsageError: if it was removed.
    """
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise UsageError("the folder that you are in was removed: go to one that is there") from error


@contextmanager
def _reported(ctx: click.Context | None = None) -> Iterator[None]:
    """Turn errors into one sentence on standard error and an exit code."""
    try:
        yield
    except (click.exceptions.NoArgsIsHelpError, click.exceptions.Exit, click.Abort):
        raise
    except click.UsageError as error:
        asked = error.ctx.command_path if error.ctx is not None else "specsia"
        said = f"{' '.join(error.format_message().split())}{_chosen(error)}{_for_example(error)}"
        raise _Sentence(said, USAGE, f"{asked} --help") from error
    except UsageError as error:
        raise _Sentence(str(error), USAGE) from error
    except SpecsiaError as error:
        raise _Sentence(str(error), _in_trouble(ctx)) from error
    except KeyboardInterrupt as error:
        raise _Sentence(str(error) or STOPPED, INTERRUPTED) from error
    # Where a file is written, its own sentence comes first; this is for all that the system may refuse besides.
    except OSError as error:
        stuck = _is_stuck(sys.stdout)
        if isinstance(error, BrokenPipeError) and (stuck or _is_unread(sys.stdout) or _is_unread(sys.stderr)):
            # Who reads results and leaves has seen enough of them; who reads along and leaves does not see them.
            code = DONE if stuck or not _is_unread(sys.stderr) else _in_trouble(ctx)
            _is_stuck(sys.stderr)
            raise click.exceptions.Exit(code) from error
        said = f"standard output cannot be written: {error.strerror or error}" if stuck else _refused(error)
        raise _Sentence(said, _in_trouble(ctx)) from error
    except click.ClickException:
        raise
    # Nobody expected this one; where it happened is needed to mend it.
    except Exception as error:
        fault = brief(f"{type(error).__name__}: {error}")
        said = f"a fault of specsia itself, please report it with the lines below: {fault}"
        raise _Sentence(said, _in_trouble(ctx), where=traceback.format_exc().splitlines()) from error


def _in_trouble(ctx: click.Context | None) -> int:
    """The exit code of a command that could not be done."""
    return _IN_TROUBLE.get((ctx and ctx.invoked_subcommand) or "", FAILED)


def _chosen(error: click.UsageError) -> str:
    """A suggestion for a value that is none of an option's choices, or nothing."""
    kind = error.param.type if isinstance(error, click.BadParameter) and error.param is not None else None
    given = re.match(r"'(.*)' is not one of ", error.message, re.DOTALL)
    return meant(given[1], kind.choices) if isinstance(kind, click.Choice) and given is not None else ""


def _for_example(error: click.UsageError) -> str:
    """An example of a command whose argument is missing, or nothing."""
    if not isinstance(error, click.MissingParameter) or error.ctx is None:
        return ""
    examples = getattr(error.ctx.command, "examples", ())
    # What is missing may end in a list of choices, without a full stop.
    return f"{'' if error.format_message().endswith('.') else '.'} For example: {examples[0]}" if examples else ""


def _is_stuck(stream: TextIO) -> bool:
    """Whether a stream cannot be written; its buffer is then discarded, so that the process can end in order."""
    try:
        place = stream.fileno()
    except (OSError, ValueError):
        return False
    try:
        stream.flush()
        # What was printed without a buffer is not there to be flushed.
        os.write(place, b"")
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, place)
        os.close(nowhere)
        return True
    return False


def _is_unread(stream: TextIO) -> bool:
    """Whether a stream is a pipe without a reader."""
    try:
        look = select.poll()
        look.register(stream.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in look.poll(0))
    except (OSError, ValueError):
        return False


def _refused(error: OSError) -> str:
    """The system's reason, with the file."""
    trouble = write_trouble(error)
    if trouble is not None:
        return str(trouble)
    where = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return brief(f"{where}{error.strerror or error}")


class _Sentence(click.ClickException):
    """An error: its sentence, the command that says more, and a traceback of a fault of the program."""

    def __init__(self, message: str, code: int, more: str | None = None, where: Sequence[str] = ()) -> None:
        super().__init__(message)
        vars(self)["exit_code"] = code
        self.more, self.where = more, where

    def show(self, file: Any = None) -> None:
        complain(self.format_message(), self.more)
        for line in self.where:
            say(line)


@click.group(
    cls=_Commands,
    examples=("specsia build sample:3 --out my-samples", "specsia report my-samples"),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="specsia")
def main() -> None:
    """Build datasets that teach 2D models to repair drawn characters seen from new angles."""
