"""What commands print: the one place through which results reach a terminal or another program."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import click

from specsia_build.errors import printable

_HIDDEN = re.compile(r"[^\x20-\x7e\n]")


def show(*lines: str) -> None:
    """Print lines; whatever names they quote, each stays one line and does nothing to a terminal."""
    for line in lines:
        click.echo(printable(line))


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
"""Of every command that says something; see `tell`."""


def tell(as_json: bool, document: Any, lines: Sequence[str]) -> None:
    """Print a command's result as lines, or as one JSON document, whose texts hold only what can be printed too."""
    if as_json:
        click.echo(_HIDDEN.sub(_escaped, json.dumps(document, indent=1, ensure_ascii=False)))
    else:
        show(*lines)


def _escaped(match: re.Match[str]) -> str:
    return match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1]


def text_table(head: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[int] = ()) -> list[str]:
    """Lines of a plain text table, its cells made printable; columns numbered in `right` are aligned to the right."""
    cells = [[printable(str(cell)) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "  ".join(
            cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    return [line.rstrip() for line in lines]
