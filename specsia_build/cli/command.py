"""Commands whose help ends with examples, and says what a SOURCE is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from specsia_build.errors import WriteError, meant
from specsia_build.files.trouble import AGAIN


class _WithExamples(click.Command):
    """Help that ends with examples.

    Attributes:
        examples: command lines that work as they are printed, in the folder of a reader who followed the README.
        takes_source: whether it takes characters, and says which.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), takes_source: bool = False, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.examples, self.takes_source = tuple(examples), takes_source

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command does, and what a SOURCE is."""
        super().format_help_text(ctx, formatter)
        if self.takes_source:
            from specsia_build.characters.formats import FORMATS

            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(
                    "SOURCE is sample:N (procedural characters), a 3DBiCar folder, a mesh file or a folder of them "
                    f"({', '.join(FORMATS)}), or a .jsonl manifest."
                )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each whole on its line, so that it can be copied."""
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


STOPPED, PAUSED = "stopped; the same command begins anew", "stopped; the same command goes on from here"
"""What is said after Ctrl-C."""


_BEGAN = "specsia.began"

ANEW = "give the same command again"
"""What is to be done instead of `AGAIN` of what keeps nothing."""


def _here() -> str:
    """The folder that one is in; empty where it is gone."""
    with suppress(OSError):
        return str(Path.cwd())
    return ""


class Command(_WithExamples):
    """A command: ``@click.command(cls=Command, examples=("specsia status my-run", ...))``.

    Attributes:
        goes_on: whether it keeps what it has done when it is stopped, and goes on from there.
    """

    def __init__(self, *args: Any, goes_on: bool = False, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.goes_on = goes_on

    def invoke(self, ctx: click.Context) -> Any:
        """Run it.

        Raises:
            KeyboardInterrupt: where it was stopped, with what is to be said.
            WriteError: where something could not be written, without the promise to go on from there if it does not.
        """
        ctx.meta[_BEGAN] = time.monotonic()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(str(error) or (PAUSED if self.goes_on else STOPPED)) from error
        except WriteError as error:
            if self.goes_on or AGAIN not in str(error):
                raise
            raise WriteError(str(error).replace(AGAIN, ANEW)) from error

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words after the command's name.

        Raises:
            click.UsageError: if one is empty, as a path it would be the folder that one is in; or if one is, or names
                what lies in, a folder or file whose name is not UTF-8, which neither JSON nor Parquet can hold.
        """
        for word in (*args, _here()):
            if any("\ud800" <= letter <= "\udfff" for letter in word) and not ctx.resilient_parsing:
                told = f"the name of '{word}' is not UTF-8: rename it, or the folder that is so named"
                raise click.UsageError(told, ctx)
        for before, word in zip(("", *args), args, strict=False):
            if word == "" or (word.startswith("--") and word.endswith("=")):
                named = word[:-1] or (before if before.startswith("-") else "an argument")
                raise click.UsageError(f"{named} is empty: give it a value, or leave it out", ctx)
        return super().parse_args(ctx, args)


def seconds_so_far() -> float:
    """Seconds since the command began."""
    now = time.monotonic()
    return now - float(click.get_current_context().meta.get(_BEGAN, now))


class CommandGroup(_WithExamples, click.Group):
    """A group of commands: ``@click.group(cls=CommandGroup, examples=(...))``."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is named first.

        Raises:
            click.UsageError: if there is none, with the one that may be meant.
        """
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"No such command '{name}'.{meant(name, known)}", ctx)
        return super().resolve_command(ctx, args)
