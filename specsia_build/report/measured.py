"""Sections of what was measured: an evaluation's tables, and what changed between two galleries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

from specsia_build.errors import SpecsiaError
from specsia_build.gallery.compared import CHANGE, Compared
from specsia_build.gallery.evaluation import TABLES
from specsia_build.gallery.items import Item, Measure
from specsia_build.report.markup import Html, fixed, join, table, tag
from specsia_build.report.sections import Sections

_RULE = re.compile(r"\|[-|]+\|")

_FIGURE = re.compile(r"(–|[+-]?\d.*)")
"""Cells of a column of figures."""

MOST_CHANGED = 12
"""Items that are named."""


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


def sections_of_comparison(found: Compared) -> Sections:
    """Means of both by maker and measure over what both have, and what changed most."""
    rows = [
        row
        for maker in found.gallery.twins
        for measure in found.gallery.measures
        for row in _means(found, maker, measure)
    ]
    sections: dict[str, tuple[str, Html]] = {}
    if rows:
        head = ("by", "measure", *found.labels, "change", "better", "worse", "the same")
        note = tag("p", f"Means over what both have; better and worse are of {found.labels[1]}.", cls="lead")
        sections["means"] = ("What changed", join([note, table(head, rows, numbers=range(2, 8))]))
    changed = sorted(
        (item for item in found.gallery.items if item.numbers.get(CHANGE)), key=lambda item: -item.numbers[CHANGE]
    )
    if changed:
        digits = found.gallery.measures[0].digits
        named = [(item.id, fixed(item.numbers[CHANGE], digits)) for item in changed[:MOST_CHANGED]]
        sections["changed"] = ("Changed most", table((found.gallery.noun, "largest change"), named, numbers=(1,)))
    return sections


def _means(found: Compared, maker: tuple[str, str], measure: Measure) -> Iterator[Sequence[str]]:
    pairs = [pair for item in found.gallery.items if (pair := _pair(item, maker, measure.key)) is not None]
    if not pairs:
        return
    one, two = (fmean(values) for values in zip(*pairs, strict=True))
    sign = 1 if measure.better == "high" else -1
    risen = [sign * round(b - a, measure.digits) for a, b in pairs]
    counts = (sum(r > 0 for r in risen), sum(r < 0 for r in risen), sum(r == 0 for r in risen))
    name = maker[0].partition(": ")[2]
    other = maker[1].partition(": ")[2]
    gap = fixed(two - one, measure.digits)
    yield (
        name if name == other else f"{name} / {other}",
        measure.name,
        fixed(one, measure.digits),
        fixed(two, measure.digits),
        gap if gap.startswith("-") else f"+{gap}",
        *(f"{count:,}" for count in counts),
    )


def _pair(item: Item, maker: tuple[str, str], key: str) -> tuple[float, float] | None:
    one, two = (item.sides[name].mean(key) if name in item.sides else None for name in maker)
    return None if one is None or two is None else (one, two)
