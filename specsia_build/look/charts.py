"""Inline SVG bar charts without a script, coloured by the page's classes."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from specsia_build.look.markup import Html, join, tag

MOST_BARS = 48
"""Bars of a ranked chart; of more items the best and the worst are shown."""


def _label(x: float, y: float, content: object, anchor: str = "middle", cls: str | None = None) -> Html:
    return tag("text", content, x=round(x, 1), y=round(y, 1), text_anchor=anchor, cls=cls)


def _svg(label: str, width: float, height: float, *content: object) -> Html:
    return tag("svg", *content, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=label, cls="chart")


def ranked_bars(values: Mapping[str, float], label: str, digits: int, series: int = 0) -> Html:
    """A bar for each name, in the order given, as long as its value; names lead to their pages.

    Args:
        values: by name, in order.
        label: of the whole chart.
        digits: of a value.
        series: number of the colour.
    """
    names = list(values)
    half = MOST_BARS // 2
    shown = names if len(names) <= MOST_BARS else [*names[:half], *names[-half:]]
    low, high = min(0.0, *values.values()), max(1e-9, *values.values())
    step, left, width = 18, 170, 620
    rows = []
    for k, name in enumerate(shown):
        gap = 14 if len(names) > MOST_BARS and k >= half else 0
        top, value = k * step + gap, values[name]
        bar = max(1.0, (value - low) / (high - low) * (width - left - 60))
        rows.append(
            join(
                [
                    tag("a", _label(left - 8, top + 12, _short(name), "end"), href=f"#/item/{quote(name, safe='')}"),
                    tag(
                        "rect",
                        tag("title", f"{name}: {value:.{digits}f}"),
                        x=left,
                        y=top + 3,
                        width=round(bar, 1),
                        height=step - 6,
                        cls=f"s{series % 7} fill",
                    ),
                    _label(left + bar + 6, top + 12, f"{value:.{digits}f}", "start", "note"),
                ]
            )
        )
    return _svg(label, width, len(shown) * step + 20, *rows)


def _short(name: str) -> str:
    return name if len(name) <= 26 else f"{name[:12]}…{name[-12:]}"
