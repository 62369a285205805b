"""Tables and charts of the page's overview: ranking, counts, quality, registration, times, settings, evaluations."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from urllib.parse import quote

from specsia_build.characters.character import id_order_key
from specsia_build.config import result_settings
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.schema import SPLITS
from specsia_build.errors import SpecsiaError
from specsia_build.look.dataset import SCHEMAS
from specsia_build.look.evaluation import TABLES, UNREPAIRED
from specsia_build.look.items import IOU, TARGET, Gallery, Item, Measure
from specsia_build.look.markup import Html, Sections, fixed, join, table, tag
from specsia_build.look.run import RunFacts, TaskTime, source_name

FLOORS = {"scale": 0.01, "pitch": 1.0, "yaw": 1.0, "x": 0.005, "y": 0.005, "z": 0.005}
"""Spread of each registration parameter below which nothing is an outlier."""

FAR = 3.5
"""Robust standard deviations from the median that make an outlier."""

ENOUGH = 5
"""Characters from which a median is meaningful."""

LISTED = 12
"""Outliers and slowest characters that are listed."""

MOST_BARS = 48
"""Bars of a ranked chart; of more items the best and the worst are shown."""


def sections_of_run(facts: RunFacts, gallery: Gallery) -> Sections:
    """Sections of a run's page."""
    return _present(
        ranked=("Ranked", _ranked_items(gallery)),
        counts=("Counts", _counts(gallery)),
        registration=("Registration", _registration(gallery)),
        times=("Times", _times(facts.times)),
        dataset=("Dataset", _loading(facts) if facts.packed else None),
        settings=("Settings", _settings(facts)),
    )


def sections_of_dataset(dataset: OpenedDataset, gallery: Gallery) -> Sections:
    """Sections of a packed dataset's page.

    Raises:
        SpecsiaError: if a shard cannot be read.
    """
    return _present(
        ranked=("Ranked", _ranked_items(gallery)),
        counts=("Counts", _counts(gallery)),
        dataset=("Dataset", _about(dataset)),
    )


def sections_of_evaluation(folder: Path, gallery: Gallery) -> Sections:
    """Sections of an evaluation's page: methods ranked by the main measure, and the tables in its Markdown.

    Raises:
        SpecsiaError: if they cannot be read.
    """
    path = folder / TABLES
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SpecsiaError(f"{path} cannot be read ({error}): the same `specsia evaluate` writes it again") from error
    head, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    tables = {"about": ("About", join(_blocks(head.split("\n\n")[1:])))}
    for number, part in enumerate(parts, 1):
        title, _, body = part.partition("\n")
        tables[f"table-{number}"] = (title, join(_blocks(body.split("\n\n"))))
    return _present(ranked=("Methods, ranked", _ranked_methods(gallery)), **{k: v for k, v in tables.items() if v[1]})


def _present(**sections: tuple[str, Html | None]) -> Sections:
    return {anchor: (title, html) for anchor, (title, html) in sections.items() if html}


def _ranked_items(gallery: Gallery) -> Html | None:
    """A bar for each item by its main measure, the best first; a chart for each maker."""
    figures = []
    for number, measure, name, means in _means(gallery):
        order = sorted(means, key=lambda key: (-means[key], id_order_key(key)), reverse=measure.better == "low")
        left_out = len(order) - MOST_BARS
        more = f"; {left_out:,} between the best and the worst are left out" if left_out > 0 else ""
        chart = _ranked_bars({key: means[key] for key in order}, f"{measure.name} of {name}", measure.digits, number)
        figures.append(_figure(f"Mean {measure.name} of {name}, best first{more}", chart))
    return tag("div", *figures, cls="figures-row wide") if figures else None


def _ranked_bars(values: Mapping[str, float], label: str, digits: int, series: int = 0) -> Html:
    """An inline SVG chart: a bar for each name, in order, as long as its value; names lead to their pages.

    Args:
        values: by name, in order.
        label: of the whole chart.
        digits: of a value.
        series: number of the colour.
    """
    names, half, gap = list(values), MOST_BARS // 2, 0
    if len(names) > MOST_BARS:
        names, gap = [*names[:half], *names[-half:]], 14
    low, high = min(0.0, *values.values()), max(1e-9, *values.values())
    step, left, width, rows = 18, 170, 620, []
    for k, name in enumerate(names):
        top, value = k * step + gap * (k >= half), values[name]
        bar, written = max(1.0, (value - low) / (high - low) * (width - left - 60)), f"{value:.{digits}f}"
        short = name if len(name) <= 26 else f"{name[:12]}…{name[-12:]}"
        link = tag("text", short, x=left - 8, y=top + 12, text_anchor="end")
        rows += [
            tag("a", link, href=f"#/item/{quote(name, safe='')}"),
            tag(
                "rect",
                tag("title", f"{name}: {written}"),
                x=left,
                y=top + 3,
                width=round(bar, 1),
                height=step - 6,
                cls=f"s{series % 7} fill",
            ),
            tag("text", written, x=round(left + bar + 6, 1), y=top + 12, text_anchor="start", cls="note"),
        ]
    box = f"0 0 {width} {len(names) * step + 20}"
    return tag("svg", *rows, viewBox=box, role="img", aria_label=label, cls="chart")


def _means(gallery: Gallery) -> Iterator[tuple[int, Measure, str, dict[str, float]]]:
    """Number and name of each maker that has the main measure, with the mean of each item."""
    for measure in gallery.measures[:1]:
        for number, name in enumerate(gallery.makers):
            found = {item.id: item.sides[name].mean(measure.key) for item in gallery.items if name in item.sides}
            known = {key: value for key, value in found.items() if value is not None}
            if known:
                yield number, measure, name, known


def _ranked_methods(gallery: Gallery) -> Html | None:
    """A bar for each method by its mean of the main measure, the best first."""
    found = {name: fmean(means.values()) for _, _, name, means in _means(gallery)}
    if not found:
        return None
    measure = gallery.measures[0]
    order = sorted(found, key=lambda name: found[name], reverse=measure.better == "high")
    rows = _ranked_bars({name: found[name] for name in order}, f"{measure.name} by method", measure.digits)
    good = "lower" if measure.better == "low" else "higher"
    caption = f"Mean {measure.name} over all views: {good} is better; {UNREPAIRED} is Z as it is"
    # Methods are no items, so that their names lead nowhere.
    return _figure(caption, Html(re.sub(r"<a [^>]*>(.*?)</a>", r"\1", rows)))


def _counts(gallery: Gallery) -> Html | None:
    """Items of each split by each maker, and their licences."""
    if not gallery.items:
        return None
    rows = []
    for split in sorted({item.split for item in gallery.items}, key=_split_order):
        items = [item for item in gallery.items if item.split == split]
        for name in gallery.makers or [TARGET]:
            found = [item.sides[name] for item in items if name in item.sides]
            means = [mean for side in found if (mean := side.mean(IOU.key)) is not None]
            first = [v for side in found for v in side.values.get(IOU.key, ())[:1] if v is not None]
            frames = sum(item.frames for item in items if name in item.sides)
            characters = [f"{len({item.character for item in items}):,}"] if gallery.moving else []
            measured = (fixed(fmean(v) if v else None) for v in (means, first)) if gallery.measures else ()
            rows.append((split, name, *characters, f"{len(found):,}", f"{frames:,}", *measured))
    of = ("characters", "clips", "frames") if gallery.moving else ("characters", "views")
    measures = ("mean IoU", "first frame" if gallery.moving else "frontal") if gallery.measures else ()
    stated = Counter({item.character: item.license or "not stated" for item in gallery.items}.values())
    licences = [(name, f"{count:,}") for name, count in sorted(stated.items(), key=lambda found: (-found[1], found[0]))]
    shown = table(("split", "by", *of, *measures), rows, numbers=range(2, 7))
    return join([shown, table(("licence", "characters"), licences, numbers=(1,))])


def _split_order(name: str) -> tuple[int, str]:
    return SPLITS.index(name) if name in SPLITS else len(SPLITS), name


def registrations(items: Iterable[Item], side: str) -> dict[str, dict[str, float]]:
    """Registration parameters by id of the items that a side is registered in."""
    facts = {item.id: item.sides[side].facts for item in items if side in item.sides}
    return {
        key: {name: float(found[name]) for name in FLOORS}
        for key, found in facts.items()
        if FLOORS.keys() <= found.keys()
    }


def outliers(registered: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Ids of what registration moved unlike the others, the furthest first, with its largest robust deviation."""
    if len(registered) < ENOUGH:
        return {}
    far: dict[str, float] = {}
    for name, floor in FLOORS.items():
        middle = median(found[name] for found in registered.values())
        # The factor makes the median absolute deviation a standard deviation of normal values.
        spread = max(1.4826 * median(abs(found[name] - middle) for found in registered.values()), floor)
        for key, found in registered.items():
            far[key] = max(far.get(key, 0.0), abs(found[name] - middle) / spread)
    order = sorted(far, key=lambda key: (-far[key], id_order_key(key)))
    return {key: far[key] for key in order if far[key] >= FAR}


def _registration(gallery: Gallery) -> Html | None:
    """Frontal IoU before and after registration, and the outliers; None where nothing is registered."""
    rows, lists = [], []
    for name in gallery.makers:
        sides = {item.id: item.sides[name] for item in gallery.items if name in item.sides}
        pairs = [
            (float(side.facts["frontal_before"]), side.known(IOU.key)[0])
            for side in sides.values()
            if "frontal_before" in side.facts and side.known(IOU.key)
        ]
        if not pairs:
            continue
        before, after = zip(*pairs, strict=True)
        loss = max(0.0, *(b - a for b, a in pairs))
        rows.append((name, *map(fixed, (fmean(before), min(before), fmean(after), min(after), loss))))
        registered = registrations(gallery.items, name)
        found = list(outliers(registered))[:LISTED]
        if found:
            values = [(key, fixed(sides[key].mean(IOU.key)), *map(fixed, registered[key].values())) for key in found]
            lists.append(tag("p", f"{name} moved these unlike the others, the furthest first:", cls="lead"))
            lists.append(table(("character", "mean IoU", *FLOORS), values, numbers=range(1, 8)))
    head = ("frontal IoU", "before: mean", "lowest", "after: mean", "lowest", "largest loss")
    return join([table(head, rows, numbers=range(1, 6)), *lists]) if rows else None


def _times(times: Sequence[TaskTime]) -> Html | None:
    """Seconds by stage, and the slowest characters or clips; None where there is no log."""
    groups: dict[str, list[TaskTime]] = {}
    for time in times:
        groups.setdefault(f"{time.stage} {time.backend or ''}".rstrip(), []).append(time)
    rows = []
    for name, found in groups.items():
        seconds = [time.seconds for time in found]
        cells = (f"{sum(seconds):,.1f}", f"{median(seconds):.2f}", f"{max(seconds):.2f}")
        rows.append((name, f"{len(found):,}", *cells, f"{max(time.peak_mb for time in found):,.0f}"))
    total = Counter[str]()
    for time in times:
        total[time.id] += time.seconds  # type: ignore[assignment]
    slowest = [(key, fixed(seconds, 2)) for key, seconds in total.most_common(LISTED) if key]
    if not rows:
        return None
    head = ("stage", "tasks", "total s", "median s", "longest s", "peak MB")
    return join([table(head, rows, numbers=range(1, 6)), table(("slowest", "s"), slowest, numbers=(1,))])


def _loading(facts: RunFacts) -> Html:
    """How the packed dataset of a run is loaded."""
    folder, config = facts.layout.dataset, facts.config
    named = [str(folder), *([config.backends[0].partition(":")[0]] if len(config.backends) > 1 else [])]
    told = ", ".join(json.dumps(name, ensure_ascii=False) for name in named)
    lines = f"from datasets import load_dataset\npairs = load_dataset({told})"
    return join([tag("p", "The dataset is in ", tag("code", folder), "."), tag("pre", Html(lines))])


def _about(dataset: OpenedDataset) -> Html:
    facts = {
        "schema": SCHEMAS[dataset.kind],
        "columns": ", ".join(dataset.columns),
        "files": f"{len(dataset.files):,}, {sum(dataset.files.values()) / 1e6:,.1f} MB",
        "digest": dataset.digest(),
    }
    return _list(facts)


def _settings(facts: RunFacts) -> Html:
    names = ", ".join(spec.partition(":")[0] for spec in facts.config.backends)
    values = {**result_settings(facts.config), "source": source_name(facts.config), "backends": names}
    values |= {f"clips: {name}": value for name, value in (values.pop("clips", None) or {}).items()}
    return _list({name: ", ".join(map(str, v)) if isinstance(v, list | tuple) else v for name, v in values.items()})


def _list(values: Mapping[str, object]) -> Html:
    return tag("dl", *(join([tag("dt", name), tag("dd", value)]) for name, value in values.items()), cls="settings")


def _figure(caption: str, chart: Html) -> Html:
    return tag("figure", chart, tag("figcaption", caption))


def _blocks(blocks: Sequence[str]) -> Iterator[Html]:
    """Tables and paragraphs of an evaluation's Markdown."""
    for block in filter(None, map(str.strip, blocks)):
        if not block.startswith("|"):
            yield tag("p", block)
            continue
        rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in block.split("\n")]
        rows = [row for row in rows if set("".join(row)) - set("-: ")]
        body = [[_emphasised(cell) for cell in row] for row in rows[1:]]
        numbers = [
            k
            for k in range(1, len(rows[0]))
            if all(re.fullmatch(r"\*?(–|[+-]?\d.*)", r[k]) for r in rows[1:] if k < len(r))
        ]
        yield table(rows[0], body, numbers=numbers)


def _emphasised(cell: str) -> str | Html:
    inner = cell.removeprefix("*").removesuffix("*")
    return tag("em", inner) if cell == f"*{inner}*" and inner else cell
