"""Results of commands: lines, or one JSON document."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import click

from specsia_build.cli.main import FAILED
from specsia_build.terminal.layout import Table
from specsia_build.terminal.screen import complain, show

__all__ = ["Table", "json_option", "show", "tell"]

_HIDDEN = re.compile(r"[^\x20-\x7e\n]")


JSON = "specsia.json"
"""Whether the command at work is to print one document, among the `meta` of its context."""


def _heed(ctx: click.Context, _option: click.Parameter, asked: bool) -> None:
    ctx.meta[JSON] = asked


json_option = click.option("--json", is_flag=True, expose_value=False, callback=_heed, help="Print one JSON document.")
"""Of every command that says something; see `tell`."""


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
