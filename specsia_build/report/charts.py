"""Inline SVG charts without a script: coloured by the page's own classes, readable in light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles

from specsia_build.report.markup import Html, join, tag

WIDTH, HEIGHT = 380, 210
LEFT, RIGHT, TOP, BOTTOM = 54, 18, 12, 40

MOST_DOTS = 2000

ENOUGH_FOR_BAND = 5
"""Characters from which a band leaves out the extremes."""

MOST_SERIES = 7
"""Colours that the page has; further series begin again."""


@dataclass(frozen=True)
class _Plot:
    """Maps values onto the drawing area."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: float) -> float:
        share = (value - self.x_low) / (self.x_high - self.x_low)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.y_low) / (self.y_high - self.y_low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _line(x1: float, y1: float, x2: float, y2: float, cls: str) -> Html:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, cls=cls)


def _label(x: float, y: float, content: object, anchor: str = "middle", cls: str | None = None) -> Html:
    return tag("text", content, x=x, y=y, text_anchor=anchor, cls=cls)


def _axes(plot: _Plot, x_ticks: Mapping[float, str], y_ticks: Mapping[float, str], x_name: str, y_name: str) -> Html:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [_line(LEFT, plot.y(v), right, plot.y(v), "grid") for v in y_ticks]
    parts += [_label(LEFT - 6, plot.y(v) + 3.5, name, "end") for v, name in y_ticks.items()]
    parts += [_line(plot.x(v), bottom, plot.x(v), bottom + 4, "axis") for v in x_ticks]
    parts += [_label(plot.x(v), bottom + 16, name) for v, name in x_ticks.items()]
    parts.append(_line(LEFT, bottom, right, bottom, "axis"))
    parts.append(_label((LEFT + right) / 2, HEIGHT - 6, x_name))
    middle = (TOP + bottom) / 2
    parts.append(tag("text", y_name, x=11, y=middle, text_anchor="middle", transform=f"rotate(-90 11 {middle})"))
    return join(parts, "\n")


def _svg(label: str, *content: object) -> Html:
    return tag("svg", *content, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label, cls="chart")


def low_end(values: Sequence[float], highest: float = 0.8) -> float:
    """Where an IoU axis that ends at 1 begins: below all values, and not so close that noise looks large."""
    return max(0.0, min(highest, math.floor(min(values) / 0.05 + 1e-9) * 0.05))


def _iou_ticks(low: float) -> dict[float, str]:
    step = 0.02 if low >= 0.89 else 0.05 if low >= 0.7 else 0.1 if low >= 0.4 else 0.2
    count = round((1 - low) / step + 1e-9)
    return {round(1 - k * step, 2): f"{1 - k * step:.2f}" for k in range(count + 1) if 1 - k * step >= low - 1e-9}


def iou_histogram(values: Sequence[float], low: float, series: int, name: str) -> Html:
    """How many rows have which IoU.

    Args:
        values: IoU of each row.
        low: where the axis begins, shared by all charts of a kind.
        series: number of the colour.
        name: of the backend.
    """
    bins = 40
    counts = [0] * bins
    for value in values:
        counts[max(0, min(bins - 1, int((value - low) / (1 - low) * bins)))] += 1
    most = max(counts)
    plot = _Plot(low, 1.0, 0, most * 1.08)
    width = (1 - low) / bins
    bars = []
    for k, count in enumerate(counts):
        if count:
            start, end = low + k * width, low + (k + 1) * width
            title = tag("title", f"{start:.3f} to {end:.3f}: {count:,}")
            x, y = plot.x(start), plot.y(count)
            size = {"width": round(plot.x(end) - x - 1, 1), "height": round(HEIGHT - BOTTOM - y, 1)}
            bars.append(tag("rect", title, x=x + 0.5, y=y, **size, cls=f"s{series % MOST_SERIES} fill"))
    middle = median(values)
    mark = _line(plot.x(middle), TOP, plot.x(middle), HEIGHT - BOTTOM, "mark")
    x, anchor = (plot.x(middle) - 5, "end") if middle > (1 + low) / 2 else (plot.x(middle) + 5, "start")
    note = _label(x, TOP + 10, f"median {middle:.3f}", anchor, "note")
    axes = _axes(plot, _iou_ticks(low), _count_ticks(most), "IoU of a row", "rows")
    return _svg(f"Histogram of the rows' IoU, {name}", axes, join(bars, "\n"), mark, note)


def _count_ticks(most: int) -> dict[float, str]:
    step = next(s for s in (m * 10**k for k in range(12) for m in (1, 2, 5)) if most / s <= 4)
    return {float(v): f"{v:,}" for v in range(0, most + 1, step)}


def iou_figures(by_name: Mapping[str, Sequence[float]], of: str) -> list[Html]:
    """A histogram of IoU for each name, all from the same lowest value on, with how many there are `of` what."""
    low = low_end([value for values in by_name.values() for value in values])
    return [
        tag("figure", iou_histogram(found, low, k, name), tag("figcaption", f"{name}: {len(found):,} {of}"))
        for k, (name, found) in enumerate(by_name.items())
    ]


def iou_by_angle(by_backend: Mapping[str, Sequence[Sequence[float]]], yaws: Sequence[float]) -> Html:
    """Mean IoU of each view, with the middle 80 % of the characters as a band.

    Args:
        by_backend: for each backend the characters' IoUs by view.
        yaws: of the views in degrees.
    """
    means = {name: [fmean(column) for column in zip(*rows, strict=True)] for name, rows in by_backend.items()}
    bands = {name: [_middle(column) for column in zip(*rows, strict=True)] for name, rows in by_backend.items()}
    lowest = [min(mean, *band) for name in means for mean, band in zip(means[name], bands[name], strict=True)]
    low = low_end(lowest)
    plot = _Plot(0, 360, low, 1.0)
    around = [*yaws, 360.0]
    parts = []
    for k, name in enumerate(means):
        cls = f"s{k % MOST_SERIES}"
        mean, band = [*means[name], means[name][0]], [*bands[name], bands[name][0]]
        outline = [(x, lo) for x, (lo, _) in zip(around, band, strict=True)]
        outline += [(x, hi) for x, (_, hi) in reversed(list(zip(around, band, strict=True)))]
        if any(lo != hi for lo, hi in band):
            parts.append(tag("polygon", points=_points(plot, outline), cls=f"{cls} band"))
        parts.append(tag("polyline", points=_points(plot, list(zip(around, mean, strict=True))), cls=f"{cls} line"))
        for yaw, value in zip(around, mean, strict=True):
            title = tag("title", f"{name}, {yaw:g}°: {value:.3f}")
            parts.append(tag("circle", title, cx=plot.x(yaw), cy=plot.y(value), r=3, cls=f"{cls} fill"))
    names = {0.0: "0° front", 90.0: "90° left", 180.0: "180° back", 270.0: "270° right", 360.0: "360°"}
    axes = _axes(plot, names, _iou_ticks(low), "camera's turn", "mean IoU")
    return _svg("Mean IoU by view angle", axes, join(parts, "\n"))


def _middle(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < ENOUGH_FOR_BAND:
        return min(values), max(values)
    cuts = quantiles(values, n=10, method="inclusive")
    return cuts[0], cuts[-1]


def _points(plot: _Plot, values: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{plot.x(x)},{plot.y(y)}" for x, y in values)


def before_after(by_backend: Mapping[str, Sequence[tuple[float, float, str]]], loss: float) -> Html:
    """Frontal IoU after registration over that before it.

    Args:
        by_backend: for each backend (before, after, id) of its characters.
        loss: that registration may cost; drawn below the diagonal.
    """
    every = [v for found in by_backend.values() for before, after, _ in found for v in (before, after)]
    low = low_end(every, 0.9)
    plot = _Plot(low, 1.0, low, 1.0)
    parts = [
        _line(plot.x(low), plot.y(low), plot.x(1), plot.y(1), "diagonal"),
        _line(plot.x(low + loss), plot.y(low), plot.x(1), plot.y(1 - loss), "diagonal dashed"),
    ]
    for k, (name, found) in enumerate(by_backend.items()):
        step = math.ceil(len(found) / MOST_DOTS)
        for before, after, character_id in found[::step]:
            title = tag("title", f"{character_id}, {name}: {before:.3f} before, {after:.3f} after")
            spot = {"cx": plot.x(before), "cy": plot.y(after), "r": 3}
            parts.append(tag("circle", title, **spot, cls=f"s{k % MOST_SERIES} dot"))
    ticks = _iou_ticks(low)
    axes = _axes(plot, ticks, ticks, "frontal IoU before registration", "after")
    return _svg("Frontal IoU before and after registration", axes, join(parts, "\n"))


def stacked_bar(parts: Mapping[str, float], series: Mapping[str, int], total: float) -> Html:
    """A bar whose pieces are as long as their shares of `total`; names without a colour of their own are grey."""
    pieces, start = [], 0.0
    for name, value in parts.items():
        if total > 0 and value > 0:
            width = 100 * value / total
            title = tag("title", f"{name} {value:.2f} s")
            place = {"x": round(start, 2), "y": 0, "width": round(width, 2), "height": 4}
            pieces.append(tag("rect", title, **place, cls=f"{_colour(series.get(name))} fill"))
            start += width
    return tag("svg", *pieces, viewBox="0 0 100 4", preserveAspectRatio="none", role="img", cls="bar")


def legend(series: Mapping[str, int | None]) -> Html:
    """Names beside their colours."""
    items = [tag("span", tag("i", cls=_colour(k)), name) for name, k in series.items()]
    return tag("p", *items, cls="legend")


def _colour(series: int | None) -> str:
    return "rest" if series is None else f"s{series % MOST_SERIES}"
