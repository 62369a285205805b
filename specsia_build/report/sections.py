"""Sections of words and numbers beside the gallery: counts, quality, times, settings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from specsia_build.config import result_settings
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.schema import SPLITS
from specsia_build.errors import plural
from specsia_build.gallery.dataset import SCHEMAS
from specsia_build.gallery.facts import Facts
from specsia_build.gallery.items import IOU, TARGET, Gallery
from specsia_build.pipeline.mark import shown
from specsia_build.registration import FRONTAL_LOSS
from specsia_build.report import charts
from specsia_build.report.analyse import (
    ENOUGH,
    FAR,
    FLOORS,
    outliers,
    registrations,
    slowest,
    stage_times,
    summed_parts,
    typical,
    work_colours,
)
from specsia_build.report.markup import Html, fixed, join, table, tag

SLOWEST = 12
OUTLIERS = 12

MOST_ACTIONS = 60
"""Rows of the table of actions."""

UNITS = {"scale": "", "pitch": "°", "yaw": "°", "x": "", "y": "", "z": ""}

Sections = Mapping[str, tuple[str, Html]]
"""Title and markup by anchor."""


def sections_of_run(facts: Facts, gallery: Gallery) -> Sections:
    """What is to be said of a run besides its gallery."""
    return _present(
        counts=("Counts", _counts(gallery)),
        actions=("Actions", _actions(gallery)),
        quality=("Quality", _quality(gallery)),
        registration=("Registration", _registrations(gallery)),
        times=("Times", _times(facts)),
        dataset=("Dataset", _packed(facts)),
        settings=("Settings", _settings(facts)),
    )


def sections_of_dataset(dataset: OpenedDataset, gallery: Gallery) -> Sections:
    """What is to be said of a packed dataset besides its gallery.

    Raises:
        SpecsiaError: if a shard cannot be read.
    """
    return _present(
        counts=("Counts", _counts(gallery)),
        actions=("Actions", _actions(gallery)),
        quality=("Quality", _quality(gallery)),
        dataset=("Dataset", _about(dataset)),
    )


def _present(**sections: tuple[str, Html | None]) -> Sections:
    return {anchor: (title, html) for anchor, (title, html) in sections.items() if html is not None}


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
            rows.append(
                (
                    split,
                    name,
                    *([f"{len({item.character for item in items}):,}"] if gallery.moving else []),
                    f"{len(found):,}",
                    f"{sum(item.frames for item in items if name in item.sides):,}",
                    *((fixed(fmean(v) if v else None) for v in (means, first)) if gallery.measures else ()),
                )
            )
    of = ("characters", "clips", "frames") if gallery.moving else ("characters", "views")
    measured = ("mean IoU", "first frame" if gallery.moving else "frontal") if gallery.measures else ()
    shown = table(("split", "by", *of, *measured), rows, numbers=range(2, 7))
    stated = {item.character: item.license for item in gallery.items}
    if gallery.kind == "dataset" and not any(stated.values()):
        return join([shown, tag("p", "Its rows state no licence.", cls="lead")])
    licences = Counter(name or "not stated" for name in stated.values())
    ordered = sorted(licences.items(), key=lambda found: (-found[1], found[0]))
    return join(
        [shown, table(("licence", "characters"), [(name, f"{count:,}") for name, count in ordered], numbers=(1,))]
    )


def _split_order(name: str) -> tuple[int, str]:
    """Those that a build makes first, in their order."""
    return SPLITS.index(name) if name in SPLITS else len(SPLITS), name


def _actions(gallery: Gallery) -> Html | None:
    """How many clips of each action there are; None of stills."""
    clips = [item for item in gallery.items if item.action is not None]
    if not clips:
        return None
    by_name: dict[str, list[float]] = {}
    frames = Counter[str]()
    for item in clips:
        name = item.action or ""
        means = [mean for side in item.sides.values() if (mean := side.mean(IOU.key)) is not None]
        by_name.setdefault(name, []).extend(means)
        frames[name] += item.frames
    number = Counter(item.action or "" for item in clips)
    ordered = sorted(number, key=lambda name: (-number[name], name))
    rows = [
        (name, f"{number[name]:,}", f"{frames[name]:,}", fixed(fmean(by_name[name]) if by_name[name] else None))
        for name in ordered[:MOST_ACTIONS]
    ]
    rest = len(ordered) - MOST_ACTIONS
    tail = tag("p", f"{plural(rest, 'more action')}, of no more clips each.", cls="lead") if rest > 0 else ""
    return join([table(("action", "clips", "frames", "mean IoU"), rows, numbers=(1, 2, 3)), tail])


def _packed(facts: Facts) -> Html | None:
    """The packed dataset of a run, and how it is loaded."""
    if facts.packed is None:
        return None
    splits = sorted({split for found in facts.packed.rows.values() for split in found}, key=_split_order)
    rows = [(name, *(f"{found.get(split, 0):,}" for split in splits)) for name, found in facts.packed.rows.items()]
    folder = facts.root / "dataset"
    named = [str(folder), *([facts.backends[0]] if len(facts.packed.rows) > 1 else [])]
    told = ", ".join(json.dumps(name, ensure_ascii=False) for name in named)
    lines = join(["from datasets import load_dataset", f"pairs = load_dataset({told})"], "\n")
    where = tag("p", "The dataset is in ", tag("code", folder), f", packed by specsia {facts.packed.specsia}.")
    head = ("rows by", *(split or "gone from the source" for split in splits))
    return join([table(head, rows, numbers=range(1, len(head))), where, tag("pre", lines)])


def _about(dataset: OpenedDataset) -> Html:
    facts = {
        "schema": SCHEMAS[dataset.kind],
        "columns": ", ".join(dataset.columns),
        "files": f"{len(dataset.files):,}, {sum(dataset.files.values()) / 1e6:,.1f} MB",
        "digest": dataset.digest(),
    }
    note = "The published schema holds no IoU, no contour and no licence of a row, so that none is shown."
    return join([_list(facts), tag("p", note, cls="lead") if dataset.schema == "published" else ""])


def _settings(facts: Facts) -> Html:
    values = {**result_settings(facts.config), "source": facts.source, "backends": ", ".join(facts.config.backends)}
    values |= {f"clips: {name}": value for name, value in values.pop("clips", {}).items()}
    return _list({name: shown(value) for name, value in values.items()})


def _list(values: Mapping[str, object]) -> Html:
    return tag("dl", *(join([tag("dt", name), tag("dd", value)]) for name, value in values.items()), cls="settings")


def _quality(gallery: Gallery) -> Html | None:
    """Charts of IoU; None before there is any."""
    values = {
        name: [v for item in gallery.items if name in item.sides for v in _known(item.sides[name].values)]
        for name in gallery.makers
    }
    values = {name: found for name, found in values.items() if found}
    if not values or IOU not in gallery.measures:
        return None
    figures = charts.iou_figures(values, "frames" if gallery.moving else "rows")
    turns = {item.yaws for item in gallery.items}
    yaws = next(iter(turns)) if len(turns) == 1 else None
    if yaws is not None:
        by_view = {
            name: [
                found
                for item in gallery.items
                if name in item.sides and len(found := _known(item.sides[name].values)) == len(yaws)
            ]
            for name in values
        }
        by_view = {name: rows for name, rows in by_view.items() if rows}
        band = "the middle 80 %" if len(gallery.items) >= charts.ENOUGH_FOR_BAND else "all of them"
        if by_view:
            chart = charts.iou_by_angle(by_view, yaws)
            figures.append(_figure(f"Mean over the characters; the band holds {band}", chart))
    frontal = _frontal(gallery, list(values))
    if frontal:
        note = f"A dot is a character; dashed: the {FRONTAL_LOSS:g} that registration may give up"
        figures.append(_figure(note, charts.before_after(frontal, FRONTAL_LOSS)))
    key = charts.legend({name: k for k, name in enumerate(values)}) if len(values) > 1 else ""
    return join([key, tag("div", *figures, cls="figures-row")])


def _known(values: Mapping[str, Sequence[float | None]]) -> list[float]:
    return [value for value in values.get(IOU.key, ()) if value is not None]


def _figure(caption: str, chart: Html) -> Html:
    return tag("figure", chart, tag("figcaption", caption))


def _frontal(gallery: Gallery, names: Sequence[str]) -> dict[str, list[tuple[float, float, str]]]:
    """Frontal IoU before and after registration, and whose, by maker that says it."""
    found: dict[str, list[tuple[float, float, str]]] = {}
    for name in names:
        for item in gallery.items:
            side = item.sides.get(name)
            if side is not None and "frontal_before" in side.facts and _known(side.values):
                before = float(side.facts["frontal_before"])
                found.setdefault(name, []).append((before, _known(side.values)[0], item.id))
    return found


def _registrations(gallery: Gallery) -> Html | None:
    """What registration did; None where nothing says it."""
    frontal = _frontal(gallery, gallery.makers)
    if not frontal:
        return None
    rows = []
    for name, found in frontal.items():
        before, after = [b for b, _, _ in found], [a for _, a, _ in found]
        most = max(0.0, *(b - a for b, a, _ in found))
        rows.append((name, *map(fixed, (fmean(before), min(before), fmean(after), min(after), most))))
    head = ("frontal IoU", "before: mean", "lowest", "after: mean", "lowest", "largest loss")
    return join([table(head, rows, numbers=range(1, 6)), *(_registration(gallery, name) for name in frontal)])


def _registration(gallery: Gallery, name: str) -> Html:
    registered = registrations(gallery.items, name)
    ranked = outliers(registered)
    names = [p for p in FLOORS if p != "yaw" or any(found["yaw"] for found in registered.values())]
    usual = {p: typical([found[p] for found in registered.values()]) for p in names}
    far = [found for found in ranked if found.furthest >= FAR]
    few = len(registered) < ENOUGH
    means = {item.id: item.sides[name].mean(IOU.key) for item in gallery.items if name in item.sides}
    rows: list[Sequence[object]] = [
        (tag("b", "median"), "", *(fixed(usual[p][0]) + UNITS[p] for p in names)),
    ]
    for found in ranked if few else far[:OUTLIERS]:
        cells: list[object] = []
        for p in names:
            shown = fixed(registered[found.id][p]) + UNITS[p]
            cells.append(tag("mark", shown) if found.distance[p] >= FAR and not few else shown)
        rows.append((found.id, fixed(means[found.id]), *cells))
    if few:
        lead = "Too few characters to call one an outlier; all of them:"
    elif far:
        lead = (
            f"{plural(len(far), 'character')} of {len(registered):,} moved unlike the others (marked: more than "
            f"{FAR:g} robust standard deviations from the median){', the furthest first' if len(far) > 1 else ''}:"
        )
    else:
        lead = f"No character of {len(registered):,} moved unlike the others."
    head = ("character", "mean IoU", *names)
    title = tag("h4", f"Registration of {name}")
    return join([title, tag("p", lead, cls="lead"), table(head, rows, numbers=range(1, len(head)))])


def _times(facts: Facts) -> Html | None:
    """Where the time went; None where there is no log."""
    of_characters = [time for time in facts.times if time.id]
    if not of_characters:
        return None
    colours = work_colours(facts.times)
    stages = [
        (
            found.stage + (f" {found.backend}" if found.backend else ""),
            f"{found.tasks:,}",
            f"{found.total:,.1f}",
            f"{found.middle:.2f}",
            f"{found.longest:.2f}",
            f"{found.peak_mb:,.0f}",
            charts.stacked_bar(found.parts, colours, found.total),
        )
        for found in stage_times(facts.times)
    ]
    head = ("stage", "tasks", "total s", "median s", "longest s", "peak MB", "parts of the work")
    ranked = slowest(facts.times, SLOWEST)
    longest = sum(task.seconds for task in ranked[0][1])
    columns = [(found.stage, found.backend) for found in stage_times(of_characters)]
    slow = []
    for character_id, tasks in ranked:
        by_stage = {(task.stage, task.backend): task.seconds for task in tasks}
        slow.append(
            (
                character_id,
                fixed(sum(by_stage.values()), 2),
                *(fixed(by_stage.get(column), 2) for column in columns),
                f"{max(task.peak_mb for task in tasks):,.0f}",
                charts.stacked_bar(summed_parts(tasks), colours, longest),
            )
        )
    names = [f"{stage} {backend or ''} s".replace("  ", " ") for stage, backend in columns]
    slow_head = ("character" if facts.config.clips is None else "of", "total s", *names, "peak MB", "parts of the work")
    notes = "The latest time of each task; the first task of a worker loads (or compiles) what the others use."
    if facts.unreadable:
        notes += f" {plural(facts.unreadable, 'damaged line')} of the log left out."
    return join(
        [
            tag("p", notes, cls="lead"),
            charts.legend({**colours, "other": None}),
            table(head, stages, numbers=range(1, 6)),
            tag("h3", "Slowest characters" if facts.config.clips is None else "Slowest characters and clips"),
            table(slow_head, slow, numbers=range(1, len(slow_head) - 1)),
        ]
    )
