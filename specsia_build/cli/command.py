"""What commands share: help that ends with examples, `--json`, results, and the panel at their end."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from specsia_build.errors import meant
from specsia_build.terminal.layout import Table
from specsia_build.terminal.screen import close, complain, show

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes."""

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
OLD_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

STOPPED, PAUSED = "stopped; the same command begins anew", "stopped; the same command goes on from here"
"""What is said after Ctrl-C."""

JSON, BEGAN = "specsia.json", "specsia.began"
"""Among the `meta` of a context: whether one JSON document is printed, and when the command began."""

_HIDDEN = re.compile(r"[^\x20-\x7e\n]")


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


class Command(_WithExamples):
    """A command; see `command`.

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
        """
        ctx.meta[BEGAN] = time.monotonic()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(str(error) or (PAUSED if self.goes_on else STOPPED)) from error

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words after the command's name.

        Raises:
            click.UsageError: if one is empty, as a path it would be the current folder; or if one is not UTF-8, which
                neither JSON nor Parquet can hold.
        """
        for word in args:
            if any("\ud800" <= letter <= "\udfff" for letter in word) and not ctx.resilient_parsing:
                raise click.UsageError(f"the name of '{word}' is not UTF-8: rename it", ctx)
        for before, word in zip(("", *args), args, strict=False):
            if word == "" or (word.startswith("--") and word.endswith("=")):
                named = word[:-1] or (before if before.startswith("-") else "an argument")
                raise click.UsageError(f"{named} is empty: give it a value, or leave it out", ctx)
        return super().parse_args(ctx, args)


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


def command(*examples: str, **settings: Any) -> Callable[[Callable[..., None]], click.Command]:
    """Decorate a function as a command with two examples; see `Command` for the settings."""
    return click.command(cls=Command, examples=examples, **settings)


def options(*added: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Decorate a command with several arguments and options, which its help shows in this order."""

    def decorate(function: Any) -> Any:
        for option in reversed(added):
            function = option(function)
        return function

    return decorate


def _heed(ctx: click.Context, _option: click.Parameter, asked: bool) -> None:
    ctx.meta[JSON] = asked


json_option = click.option("--json", is_flag=True, expose_value=False, callback=_heed, help="Print one JSON document.")
"""Of every command that says something; see `tell`."""

device = click.option(
    "--device",
    type=click.Choice(("auto", "cpu", "cuda")),
    default="auto",
    help="Where to compute; auto is CUDA where it is found.  [default: auto]",
)

processes = click.option(
    "--workers", type=click.IntRange(0, 1024), default=0, help="Processes; 0 is one for each core."
)


def configs(description: str) -> Callable[[Any], Any]:
    """The option that names configurations of a dataset, by either of its names."""
    return click.option("--config-name", "--backend", "configs", multiple=True, metavar="NAME", help=description)


def is_document() -> bool:
    """Whether the result of the command at work is one JSON document, and nothing else is said."""
    return bool(click.get_current_context().meta.get(JSON))


def tell(document: Any, lines: Sequence[str | Table], *, ok: bool = True, trouble: str | None = None) -> None:
    """Print a command's result as lines, or as one JSON document of printable text.

    Raises:
        click.exceptions.Exit: with `FAILED`, where that is not `ok`, or after the `trouble` was said.
    """
    if is_document():
        click.echo(_HIDDEN.sub(_escaped, json.dumps(document, indent=1, ensure_ascii=False)))
    else:
        show(*lines)
    if trouble is not None:
        complain(trouble)
    if trouble is not None or not ok:
        click.get_current_context().exit(FAILED)


def _escaped(match: re.Match[str]) -> str:
    return match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1]


def conclude(
    document: Any,
    lines: Sequence[str | Table],
    title: str,
    facts: Mapping[str, Sequence[str]],
    *,
    ok: bool = True,
    trouble: str | None = None,
) -> None:
    """Print the closing panel, and the result of a command as `tell` does.

    Args:
        document: the result as JSON.
        lines: the result in words.
        title: what was done, in a few words.
        facts: lines by their label; ``load`` and ``next`` are to be copied. Labels without lines are left out.
        ok: whether the result is good.
        trouble: why it is not what was asked for, said last.
    """
    if not is_document():
        seconds = time.monotonic() - float(click.get_current_context().meta.get(BEGAN, time.monotonic()))
        shown = {label: list(told) for label, told in facts.items() if told and label != "next"}
        shown["time"] = [str(timedelta(seconds=round(seconds)))]
        shown |= {"next": list(facts["next"])} if facts.get("next") else {}
        close(title, shown, bad=trouble is not None or not ok)
    tell(document, lines, ok=ok, trouble=trouble)
