"""Inline SVG charts without a script, coloured by the page's classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from urllib.parse import quote

from specsia_build.look.markup import Html, join, tag

WIDTH, HEIGHT = 380, 210
LEFT, RIGHT, TOP, BOTTOM = 54, 18, 12, 40
BINS = 40
MOST_BARS = 48
"""Bars of a ranked chart; of more items the best and the worst are shown."""


def _label(x: float, y: float, content: object, anchor: str = "middle", cls: str | None = None) -> Html:
    return tag("text", content, x=round(x, 1), y=round(y, 1), text_anchor=anchor, cls=cls)


def _line(x1: float, y1: float, x2: float, y2: float, cls: str) -> Html:
    return tag("line", x1=round(x1, 1), y1=round(y1, 1), x2=round(x2, 1), y2=round(y2, 1), cls=cls)


def _svg(label: str, width: float, height: float, *content: object) -> Html:
    return tag("svg", *content, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=label, cls="chart")


def low_end(values: Sequence[float], highest: float = 0.8) -> float:
    """Start of an IoU axis that ends at 1: below all values, and not so close that noise looks large."""
    return max(0.0, min(highest, math.floor(min(values) / 0.05 + 1e-9) * 0.05))


def _iou_ticks(low: float) -> list[float]:
    step = 0.02 if low >= 0.89 else 0.05 if low >= 0.7 else 0.1 if low >= 0.4 else 0.2
    count = round((1 - low) / step + 1e-9)
    return [round(1 - k * step, 2) for k in range(count + 1) if 1 - k * step >= low - 1e-9]


def _count_ticks(most: int) -> range:
    step = next(s for s in (m * 10**k for k in range(12) for m in (1, 2, 5)) if most / s <= 4)
    return range(0, most + 1, step)


def iou_histogram(values: Sequence[float], low: float, series: int, name: str) -> Html:
    """Numbers of rows by their IoU.

    Args:
        values: IoU of each row.
        low: start of the axis, shared by all charts of a kind.
        series: number of the colour.
        name: of the backend.
    """
    counts = [0] * BINS
    for value in values:
        counts[max(0, min(BINS - 1, int((value - low) / (1 - low) * BINS)))] += 1
    most = max(counts)

    def x(value: float) -> float:
        return LEFT + (value - low) / (1 - low) * (WIDTH - LEFT - RIGHT)

    def y(count: float) -> float:
        return HEIGHT - BOTTOM - count / (1.08 * most) * (HEIGHT - TOP - BOTTOM)

    parts, bottom, width = [], HEIGHT - BOTTOM, (1 - low) / BINS
    for count in _count_ticks(most):
        parts += [
            _line(LEFT, y(count), WIDTH - RIGHT, y(count), "grid"),
            _label(LEFT - 6, y(count) + 3.5, f"{count:,}", "end"),
        ]
    parts += [_label(x(tick), bottom + 16, f"{tick:.2f}") for tick in _iou_ticks(low)]
    for k, count in enumerate(counts):
        if count:
            start = low + k * width
            title = tag("title", f"{start:.3f} to {start + width:.3f}: {count:,}")
            place = {"x": round(x(start) + 0.5, 1), "y": round(y(count), 1), "height": round(bottom - y(count), 1)}
            parts.append(
                tag("rect", title, **place, width=round(x(width + low) - x(low) - 1, 1), cls=f"s{series % 7} fill")
            )
    middle = median(values)
    left_of = middle > (1 + low) / 2
    parts.append(_line(x(middle), TOP, x(middle), bottom, "mark"))
    note = f"median {middle:.3f}"
    parts.append(
        _label(x(middle) - 5 if left_of else x(middle) + 5, TOP + 10, note, "end" if left_of else "start", "note")
    )
    parts += [
        _line(LEFT, bottom, WIDTH - RIGHT, bottom, "axis"),
        _label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "IoU of a row"),
    ]
    return _svg(f"Histogram of the rows' IoU, {name}", WIDTH, HEIGHT, *parts)


def iou_figures(by_name: Mapping[str, Sequence[float]], of: str) -> list[Html]:
    """A histogram of IoU for each name, all from the same lowest value, with the number `of` rows or frames."""
    low = low_end([value for values in by_name.values() for value in values])
    return [
        tag("figure", iou_histogram(found, low, k, name), tag("figcaption", f"{name}: {len(found):,} {of}"))
        for k, (name, found) in enumerate(by_name.items())
    ]


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
