"""Where text leaves: results on standard output, all else on standard error, each as its stream can take it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from specsia_build.errors import printable
from specsia_build.terminal.layout import Table, sayable, wrapped

if TYPE_CHECKING:
    from rich.console import Console

_NARROWEST, _USUAL = 20, 80

_STYLES = {
    "warning:": "yellow",
    "warnings:": "yellow",
    "note:": "cyan",
    "quarantined": "yellow",
    "quarantined:": "yellow",
    "problem:": "red",
    "failed:": "red",
    "FAILED:": "red",
}
"""How lines look that begin with such a word."""

_TO_COPY = frozenset({"load", "next"})
"""Facts whose lines are to be copied."""

above: list[Callable[[str], None]] = []
"""While something moves on standard error: what writes a line above it, the last one that counts."""


def width_of(stream: TextIO) -> int | None:
    """Columns of a terminal; None where the stream is none."""
    if not stream.isatty():
        return None
    stated = os.environ.get("COLUMNS", "")
    if stated.isdigit() and int(stated):
        return max(int(stated), _NARROWEST)
    try:
        return max(os.get_terminal_size(stream.fileno()).columns or _USUAL, _NARROWEST)
    except (OSError, ValueError):
        return _USUAL


def is_plain(stream: TextIO) -> bool:
    """Whether a stream is to get neither colours nor anything that moves."""
    asked = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "") in ("dumb", "unknown")
    return asked or not stream.isatty() or "utf" not in (stream.encoding or "").lower()


def console_of(stream: TextIO) -> Console:
    """The terminal behind a stream that is not plain."""
    from rich.console import Console

    return Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)


def _put(stream: TextIO, lines: Sequence[tuple[str, str]]) -> None:
    """Write lines that fit, each with its style."""
    if is_plain(stream):
        text = "".join(f"{line}\n" for line, _ in lines)
        stream.write(text.encode(stream.encoding or "utf-8", "backslashreplace").decode(stream.encoding or "utf-8"))
    else:
        from rich.text import Text

        console = console_of(stream)
        for line, style in lines:
            console.print(Text(line, style), soft_wrap=True)
    stream.flush()


def style_of(line: str) -> str:
    """How a line looks, by its first word."""
    return _STYLES.get(line.split(" ", 1)[0], "")


def _said(line: str, width: int | None) -> str:
    """A line as it is printed: on a terminal without endless words, elsewhere all of it."""
    return printable(line) if width is None else sayable(line)


def _laid(line: str, width: int | None) -> list[tuple[str, str]]:
    """A line of text as lines that fit a terminal, with their styles; an address alone stays whole, to be copied."""
    said = _said(line, width)
    if " " not in said:
        return [(said, style_of(said))]
    return [(one, style_of(said)) for one in wrapped(said, width, "  ")]


def show(*found: str | Table) -> None:
    """Print results; whatever names they quote, each stays one line and does nothing to a terminal."""
    width = width_of(sys.stdout)
    lines: list[tuple[str, str]] = []
    for one in found:
        if isinstance(one, Table):
            laid = one.lines(width)
            heads = len(laid) // (len(one.rows) + 1)
            lines += [(line, "bold" if k < heads else "") for k, line in enumerate(laid)]
        else:
            lines += _laid(one, width)
    _put(sys.stdout, lines)


def say(line: str) -> None:
    """Tell something on standard error, above what moves there."""
    if above:
        above[-1](line)
    else:
        _put(sys.stderr, _laid(line, width_of(sys.stderr)))


def complain(sentence: str, more: str | None = None) -> None:
    """Tell of an error: one line that begins with ``specsia: `` and, beneath, what command says more."""
    stream = sys.stderr
    width = width_of(stream)
    first, *rest = wrapped(f"specsia: {_said(sentence, width)}", width, "  ")
    lines = [(first, "bold red"), *((line, "red") for line in rest)]
    if more is not None:
        lines.append((f"  see {more}", "dim"))
    _put(stream, lines)


def close(title: str, facts: Mapping[str, Sequence[str]], *, bad: bool = False) -> None:
    """Tell on standard error what a command did, fact by fact; those without lines are left out.

    Args:
        title: what it was.
        facts: lines by their label.
        bad: whether it could not be finished.
    """
    stream = sys.stderr
    width, plain = width_of(stream), is_plain(stream)
    label_width = max(map(len, facts), default=0) + 2
    room = None if width is None else width - label_width - (2 if plain else 4)
    lines: list[tuple[str, str, str]] = []
    for label, told in facts.items():
        fitted = [one for line in told for one in wrapped(_said(line, width), room, "  ")]
        style = "cyan" if label in _TO_COPY else style_of(f"{label}:")
        lines += [(label if k == 0 else "", line, style) for k, line in enumerate(fitted)]
    if plain:
        heads = wrapped(_said(title, width), width, "  ")
        rows = (f"  {label:<{label_width}}{line}" for label, line, _ in lines)
        _put(stream, [(line, "") for line in (*heads, *rows)])
        return
    from rich.box import HORIZONTALS
    from rich.panel import Panel
    from rich.text import Text

    body = Text("\n").join(
        Text.assemble((f"{label:<{label_width}}", "bold"), (line, style)) for label, line, style in lines
    )
    colour = "red" if bad else "green"
    heading = Text(sayable(title), f"bold {colour}")
    panel = Panel(
        body, HORIZONTALS, title=heading, title_align="left", border_style=colour, width=width, padding=(0, 1)
    )
    console_of(stream).print(panel)
    stream.flush()
