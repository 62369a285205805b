"""Sections of an evaluation: its tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from specsia_build.errors import SpecsiaError
from specsia_build.gallery.evaluation import TABLES
from specsia_build.report.markup import Html, join, table, tag
from specsia_build.report.sections import Sections

_RULE = re.compile(r"\|[-|]+\|")

_FIGURE = re.compile(r"(–|[+-]?\d.*)")
"""Cells of a column of figures."""


def sections_of_evaluation(folder: Path) -> Sections:
    """The tables that an evaluation wrote as Markdown.

    Raises:
        SpecsiaError: if they cannot be read.
    """
    path = folder / TABLES
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SpecsiaError(f"{path} cannot be read ({error}): the same `specsia evaluate` writes it again") from error
    head, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    sections = {"about": ("About", join(_blocks(head.split("\n\n")[1:])))}
    for number, part in enumerate(parts, 1):
        title, _, body = part.partition("\n")
        sections[f"table-{number}"] = (title, join(_blocks(body.split("\n\n"))))
    return {anchor: found for anchor, found in sections.items() if found[1]}


def _blocks(blocks: Sequence[str]) -> Iterator[Html]:
    """Tables and paragraphs of the Markdown that our tables are made of."""
    for block in filter(None, map(str.strip, blocks)):
        if not block.startswith("|"):
            yield tag("p", block)
            continue
        rows = [_cells(line) for line in block.split("\n") if not _RULE.fullmatch(line)]
        figures = [
            k for k in range(1, len(rows[0])) if all(_FIGURE.fullmatch(row[k]) for row in rows[1:] if k < len(row))
        ]
        yield table(rows[0], [[_emphasised(cell) for cell in row] for row in rows[1:]], numbers=figures)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _emphasised(cell: str) -> str | Html:
    inner = cell.removeprefix("*").removesuffix("*")
    return tag("em", inner) if cell == f"*{inner}*" and inner else cell
