"""Shared parts of commands: help with examples, `--json`, results, and the panel that ends them."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import reduce
from importlib.metadata import entry_points
from inspect import cleandoc
from pathlib import Path
from typing import Any, get_args

import click

from specsia_build.characters.formats import FORMATS
from specsia_build.terminal import Table, close, complain, show

# Exit codes
FAILED = 1
USAGE = 2
INTERRUPTED = 130

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
OLD_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

LAYOUTS = sorted({point.name for point in entry_points(group="specsia.layouts")})

STOPPED, RESUMABLE = "stopped; the same command starts over", "stopped; the same command continues from here"
"""Messages after Ctrl-C."""

JSON, BEGAN = "specsia.json", "specsia.began"
"""Keys of `Context.meta`: whether to print one JSON document, and when the command began."""

_NOT_ASCII = re.compile(r"[^\x20-\x7e\n]")

SOURCE_HELP = (
    "SOURCE is sample:N (procedural characters), a 3DBiCar folder, a mesh file or a folder of them "
    f"({', '.join(FORMATS)}), or a manifest (JSON lines, CSV, Parquet)."
)


class Command(click.Command):
    """A command whose help ends with examples, and explains SOURCE with `source=True`; see `command`.

    `examples` are to be copied in the folder of a reader who followed the README; with `goes_on` a rerun
    continues where a stopped one ended.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        source: bool = False,
        goes_on: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.examples, self.goes_on = tuple(examples), goes_on
        if source:
            self.help = f"{cleandoc(self.help or '')}\n\n{SOURCE_HELP}"

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, one a line and never wrapped, so that they can be copied."""
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a KeyboardInterrupt gets the message to print."""
        ctx.meta[BEGAN] = time.monotonic()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(str(error) or (RESUMABLE if self.goes_on else STOPPED)) from error

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # A group also sees its commands' arguments, which the commands check with better messages.
        checked = [] if ctx.resilient_parsing or isinstance(self, click.Group) else args
        # An empty path would be the current folder, and JSON and Parquet hold only UTF-8.
        for before, word in zip(("", *checked), checked, strict=False):
            if any("\ud800" <= letter <= "\udfff" for letter in word):
                raise click.UsageError(f"the name of '{word}' is not UTF-8: rename it", ctx)
            if word == "" or (word.startswith("--") and word.endswith("=")):
                option = word[:-1] or (before if before.startswith("-") else "an argument")
                raise click.UsageError(f"{option} is empty: give it a value, or leave it out", ctx)
        return super().parse_args(ctx, args)


class CommandGroup(Command, click.Group):
    """A group of commands: ``@click.group(cls=CommandGroup, examples=(...))``."""

    command_class = Command


def command(*examples: str, **settings: Any) -> Callable[[Callable[..., None]], click.Command]:
    """Decorate a function as a command with examples; see `Command` for the settings."""
    return click.command(cls=Command, examples=examples, **settings)


def options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Join arguments and options into one decorator; help lists them in this order."""
    backwards = decorators[::-1]
    return lambda function: reduce(lambda decorated, option: option(decorated), backwards, function)


def choice(kind: Any) -> click.Choice[str]:
    """Type of an option whose value is one of a `Literal`."""
    return click.Choice(get_args(kind))


def comma_names(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    """Names that are joined by commas; None where the option is not given."""
    return None if text is None else tuple(dict.fromkeys(filter(None, text.split(","))))


json_option = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=lambda ctx, _, value: ctx.meta.update({JSON: value}),
    help="Print one JSON document.",
)

device = click.option(
    "--device",
    type=click.Choice(("auto", "cpu", "cuda")),
    default="auto",
    help="Where to compute; auto: CUDA if found.  [default: auto]",
)

processes = click.option(
    "--workers", type=click.IntRange(0, 1024), default=0, help="Processes; 0: one for each core."
)


of_characters = options(
    click.option(
        "--texture", type=click.IntRange(64, 8192), help="Texels on a side of the texture.  [default: 1024]"
    ),
    click.option(
        "--height", type=click.FloatRange(0.001, 1000), help="Height of the figure in metres.  [default: 1.7]"
    ),
    click.option("--lit", is_flag=True, default=None, help="Let other programs shade the figure."),
)


def configs(description: str) -> Callable[[Any], Any]:
    """Return the option that names configurations of a dataset."""
    return click.option(
        "--config-name", "--backend", "configs", multiple=True, metavar="NAME", help=description
    )


def tell(document: Any, lines: Sequence[str | Table], *, ok: bool = True, trouble: str | None = None) -> None:
    """Print a command's result as lines, or with `--json` as a document; exit with `FAILED` if it is not ok.

    `trouble` says why the command failed, and is printed as an error.
    """
    context = click.get_current_context()
    if context.meta.get(JSON):
        text = json.dumps(document, indent=1, ensure_ascii=False)
        click.echo(_NOT_ASCII.sub(lambda m: m[0] if m[0].isprintable() else json.dumps(m[0])[1:-1], text))
    else:
        show(*lines)
    if trouble is not None:
        complain(trouble)
    if trouble is not None or not ok:
        context.exit(FAILED)


def conclude(
    document: Any,
    lines: Sequence[str | Table],
    title: str,
    facts: Mapping[str, Sequence[str]],
    *,
    ok: bool = True,
    trouble: str | None = None,
) -> None:
    """Print the closing panel (not with `--json`), then the result as `tell` does.

    `title` says what was done. `facts` are lines by label, left out if empty; ``next`` comes last.
    """
    context = click.get_current_context()
    if not context.meta.get(JSON):
        seconds = round(time.monotonic() - context.meta.get(BEGAN, time.monotonic()))
        timed = {**facts, "time": [str(timedelta(seconds=seconds))]}
        timed["next"] = timed.pop("next", ())
        close(title, {label: texts for label, texts in timed.items() if texts}, bad=bool(trouble) or not ok)
    tell(document, lines, ok=ok, trouble=trouble)
