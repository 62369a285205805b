"""The few pieces of HTML that sections are made of; whatever is not `Html` is escaped and made printable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from specsia_build.errors import printable


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Sections = Mapping[str, tuple[str, Html]]
"""Title and markup by anchor."""


def join(parts: Iterable[object], between: str = "") -> Html:
    """Join values as markup."""
    return Html(between.join(part if isinstance(part, Html) else escape(printable(str(part))) for part in parts))


def tag(name: str, *content: object, **attributes: object) -> Html:
    """Make an element; `cls` stands for `class`, an underscore in an attribute's name for a hyphen."""
    pairs = "".join(
        f' {"class" if key == "cls" else key.replace("_", "-")}="{join([str(value)])}"'
        for key, value in attributes.items()
        if value is not None and value != ""
    )
    return Html(f"<{name}{pairs}>{join(content)}</{name}>")


def table(head: Sequence[object], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()) -> Html:
    """Make a table that scrolls sideways where it is too wide; the columns of `numbers` are right-aligned."""

    def line(kind: str, cells: Sequence[object]) -> Html:
        scope = "col" if kind == "th" else None
        return tag("tr", *(tag(kind, c, cls="num" * (i in numbers), scope=scope) for i, c in enumerate(cells)))

    body = join((line("td", row) for row in rows), "\n")
    return tag("div", tag("table", tag("thead", line("th", head)), tag("tbody", body)), cls="scroll")


def fixed(value: float | None, digits: int = 3) -> str:
    """Format a number with so many digits after the point; a dash for None."""
    # Adding zero turns a rounded -0 into 0.
    return "–" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"
