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


def show_json(document: Any) -> None:
    """Print one JSON document; in its texts, too, only what can be printed stands as it is."""
    click.echo(_HIDDEN.sub(_escaped, json.dumps(document, indent=1, ensure_ascii=False)))


def _escaped(match: re.Match[str]) -> str:
    return match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1]


def text_table(head: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[int] = ()) -> str:
    """A plain text table, its cells made printable; the columns numbered in `right` are aligned to the right."""
    cells = [[printable(str(cell)) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "  ".join(
            cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    return "\n".join(line.rstrip() for line in lines)
