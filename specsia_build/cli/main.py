"""The command group, which turns errors into one sentence on standard error and an exit code."""

import importlib
import os
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from specsia_build import __version__
from specsia_build.cli.command import FAILED, INTERRUPTED, STOPPED, USAGE, CommandGroup
from specsia_build.errors import SpecsiaError, UsageError, brief
from specsia_build.files.writing import write_trouble
from specsia_build.terminal import complain, say

COMMANDS = {
    name: (f"specsia_build.cli.{module}", summary)
    for name, module, summary in (
        ("build", "runs", "Build and pack a dataset from characters."),
        ("clips", "runs", "Draw characters in motion, layer by layer."),
        ("merge", "runs", "Join runs that each built a share of one source."),
        ("characters", "inspecting", "List what a source holds before anything is built."),
        ("status", "runs", "Show what a run holds, what failed and why."),
        ("verify", "datasets", "Check the files, rows and images of a packed dataset."),
        ("diff", "datasets", "Compare two datasets."),
        ("stats", "datasets", "Count what a dataset holds."),
        ("select", "datasets", "Write chosen rows of datasets as one dataset."),
        ("report", "datasets", "Write an HTML page to look at."),
        ("turntable", "datasets", "Write a film of characters that turn, or of clips."),
        ("sheet", "datasets", "Write a picture of characters from several views."),
        ("export", "exporting", "Write a run or a dataset in another layout."),
        ("mesh", "exporting", "Write a character or a reconstruction as a GLB, VRM, OBJ, PLY or STL file."),
        ("backends", "inspecting", "List, check and test reconstruction backends."),
        ("repair", "models", "Repair a drawing from every side."),
        ("web", "web", "Serve a page to drop a drawing on."),
        ("train", "models", "Train DraViE on a dataset."),
        ("adapt", "models", "Fit a model to one character's frontal view."),
        ("enhance", "models", "Repair frames with a model."),
        ("evaluate", "models", "Compare models with baselines on test characters."),
        ("study", "inspecting", "Ask people which of two films is better."),
        ("benchmark", "benchmark", "Score frames of a method on a frozen set."),
        ("push", "datasets", "Push a dataset to the Hugging Face Hub and check it."),
        ("doctor", "inspecting", "Show what this machine has and lacks, and how to get it."),
    )
}
"""Module and summary of each command; a module is imported as its command runs, so that help is quick."""


class _Commands(CommandGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[name][0]), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        with _report_errors(None):
            return super().make_context(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        with stoppable(), _report_errors(ctx):
            return super().invoke(ctx)


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into a KeyboardInterrupt, and exit at once at the third."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = 0

    def handle(_number: int, _frame: object) -> None:
        nonlocal signals
        signals += 1
        if signals == 1:
            raise KeyboardInterrupt
        os.write(2, b"specsia: stopping; press Ctrl-C again to stop at once\n")
        if signals > 2:
            os._exit(INTERRUPTED)

    # nohup and some shells start a process with a signal ignored.
    kinds = [kind for kind in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(kind) != signal.SIG_IGN]
    before = {kind: signal.signal(kind, handle) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            # Later signals must not disturb the cleanup of a stopped process.
            signal.signal(kind, signal.SIG_IGN if signals else handler)


class _Failure(click.ClickException):
    """An error with its exit code, the command that shows help, and the traceback of a bug."""

    def __init__(self, message: str, code: int, more: str | None = None, trace: str = "") -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]
        self.more, self.trace = more, trace

    def show(self, file: Any = None) -> None:
        complain(self.format_message(), self.more)
        for line in self.trace.splitlines():
            say(line)


@contextmanager
def _report_errors(ctx: click.Context | None) -> Iterator[None]:
    """Turn every error into a `_Failure`."""
    try:
        yield
    except (click.exceptions.Exit, click.Abort, click.exceptions.NoArgsIsHelpError):
        raise
    except click.UsageError as error:
        message, more = " ".join(error.format_message().split()), "specsia --help"
        if error.ctx is not None:
            more, examples = f"{error.ctx.command_path} --help", getattr(error.ctx.command, "examples", ())
            if isinstance(error, click.MissingParameter) and examples:
                message = f"{message.removesuffix('.')}. For example: {examples[0]}"
        raise _Failure(message, USAGE, more) from error
    except KeyboardInterrupt as error:
        raise _Failure(str(error) or STOPPED, INTERRUPTED) from error
    except (click.ClickException, BrokenPipeError):
        # click prints a ClickException, and exits with 1 at a BrokenPipeError.
        raise
    except Exception as error:
        # `diff` uses exit code 1 for datasets that differ.
        failed = USAGE if ctx is not None and ctx.invoked_subcommand == "diff" else FAILED
        if isinstance(error, SpecsiaError):
            raise _Failure(str(error), USAGE if isinstance(error, UsageError) else failed) from error
        if isinstance(error, OSError):
            where = f"{error.filename}: " if isinstance(error.filename, str) else ""
            message = str(write_trouble(error) or brief(f"{where}{error.strerror or error}"))
            raise _Failure(message, failed) from error
        fault = brief(f"{type(error).__name__}: {error}")
        message = f"this is a bug in specsia, please report it with the lines below: {fault}"
        raise _Failure(message, failed, trace=traceback.format_exc()) from error


@click.group(
    cls=_Commands,
    commands=dict.fromkeys(COMMANDS),  # from which click suggests the nearest name
    examples=("specsia build sample:3 --out my-samples", "specsia report my-samples"),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="specsia")
def main() -> None:
    """Build datasets that teach 2D models to repair drawn characters seen from new angles."""
