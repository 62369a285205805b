"""What commands print as their result: lines, or one JSON document."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import click

from specsia_build.terminal.layout import Table
from specsia_build.terminal.screen import show

__all__ = ["Table", "json_option", "show", "tell"]

_HIDDEN = re.compile(r"[^\x20-\x7e\n]")


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
"""Of every command that says something; see `tell`."""


def tell(as_json: bool, document: Any, lines: Sequence[str | Table]) -> None:
    """Print a command's result as lines, or as one JSON document, whose texts hold only what can be printed too."""
    if as_json:
        click.echo(_HIDDEN.sub(_escaped, json.dumps(document, indent=1, ensure_ascii=False)))
    else:
        show(*lines)


def _escaped(match: re.Match[str]) -> str:
    return match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1]
