"""The command group; errors become one sentence on standard error and an exit code."""

from __future__ import annotations

import importlib
import os
import signal
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import click

from specsia_build import __version__
from specsia_build.cli.command import FAILED, INTERRUPTED, STOPPED, USAGE, CommandGroup
from specsia_build.errors import SpecsiaError, UsageError, brief
from specsia_build.files.writing import write_trouble
from specsia_build.terminal.screen import complain, say


class _Known(NamedTuple):
    module: str
    does: str


COMMANDS = {
    name: _Known(f"specsia_build.cli.{module}", does)
    for name, module, does in (
        ("build", "runs", "Build and pack a dataset from characters."),
        ("clips", "runs", "Draw characters in motion, layer by layer."),
        ("merge", "runs", "Join runs that each built a share of one source."),
        ("characters", "characters", "List what a source holds before anything is built."),
        ("status", "runs", "Say what a run holds, what failed and why."),
        ("verify", "datasets", "Check every promise of a packed dataset."),
        ("diff", "datasets", "Say what differs between two datasets."),
        ("report", "looking", "Write an HTML page to look at."),
        ("turntable", "looking", "Write a film of characters that turn, or of clips."),
        ("sheet", "looking", "Write a picture of characters from several views."),
        ("convert", "datasets", "Pack a dataset anew in another schema."),
        ("backends", "machine", "Name, check and try reconstruction backends."),
        ("repair", "models", "Repair a drawing from every side."),
        ("train", "models", "Train DraViE on a dataset."),
        ("adapt", "models", "Fit a model to one character's frontal view."),
        ("enhance", "models", "Repair frames with a model."),
        ("evaluate", "models", "Compare models with baselines on test characters."),
        ("push", "datasets", "Push a dataset to the Hugging Face Hub and check it."),
        ("doctor", "machine", "Say what this machine has, lacks and how to get it."),
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
        found = getattr(importlib.import_module(COMMANDS[name].module), name)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, known.does) for name, known in COMMANDS.items()])

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        with _reported():
            return super().make_context(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        with stoppable(), _reported(ctx):
            return super().invoke(ctx)


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into a KeyboardInterrupt, and exit at once at the third."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = 0

    def handle(_number: int, _frame: object) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise KeyboardInterrupt
        os.write(2, b"specsia: stopping; once more ends it at once\n")
        if asked > 2:
            os._exit(INTERRUPTED)

    # nohup and some shells start a process with a signal ignored.
    kinds = [kind for kind in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(kind) != signal.SIG_IGN]
    before = {kind: signal.signal(kind, handle) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            # Later signals do not disturb the end of a process that was stopped.
            signal.signal(kind, signal.SIG_IGN if asked else handler)


@contextmanager
def _reported(ctx: click.Context | None = None) -> Iterator[None]:
    """Turn errors into one sentence on standard error and an exit code."""

    def failed() -> int:
        # Which command it is, is known only once the group has been invoked.
        return _IN_TROUBLE.get((ctx and ctx.invoked_subcommand) or "", FAILED)

    try:
        yield
    except (click.exceptions.NoArgsIsHelpError, click.exceptions.Exit, click.Abort):
        raise
    except click.UsageError as error:
        asked = error.ctx.command_path if error.ctx is not None else "specsia"
        raise _Sentence(_usage(error), USAGE, f"{asked} --help") from error
    except click.ClickException:
        raise
    except SpecsiaError as error:
        raise _Sentence(str(error), USAGE if isinstance(error, UsageError) else failed()) from error
    except KeyboardInterrupt as error:
        raise _Sentence(str(error) or STOPPED, INTERRUPTED) from error
    except BrokenPipeError:
        # click ends the process with exit code 1.
        raise
    except OSError as error:
        where = f"{error.filename}: " if isinstance(error.filename, str) else ""
        raise _Sentence(str(write_trouble(error) or brief(f"{where}{error.strerror or error}")), failed()) from error
    # A fault of the program: where it happened is needed to fix it.
    except Exception as error:
        fault = brief(f"{type(error).__name__}: {error}")
        said = f"a fault of specsia itself, please report it with the lines below: {fault}"
        raise _Sentence(said, failed(), where=traceback.format_exc().splitlines()) from error


def _usage(error: click.UsageError) -> str:
    """A wrong command line in a sentence, with an example where something is missing."""
    said = " ".join(error.format_message().split())
    examples = [*getattr(error.ctx.command, "examples", ())] if error.ctx is not None else []
    if isinstance(error, click.MissingParameter) and examples:
        return f"{said.removesuffix('.')}. For example: {examples[0]}"
    return said


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
