"""Sections of words and numbers: overview, quality, times, failures, warnings."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from statistics import fmean

from specsia_build.config import result_settings
from specsia_build.frame import view_yaws
from specsia_build.registration import FRONTAL_LOSS
from specsia_build.report import charts
from specsia_build.report.analyse import (
    ENOUGH,
    FAR,
    FLOORS,
    missing_sentences,
    outliers,
    slowest,
    stage_times,
    summed_parts,
    typical,
    work_colours,
)
from specsia_build.report.facts import BuiltCharacter, Facts
from specsia_build.report.markup import Html, fixed, join, plural, section, table, tag

MOST_LINES = 200
"""Rows of a table of warnings or failures; the files have all."""

SLOWEST = 12
OUTLIERS = 12

UNITS = {"scale": "", "pitch": "°", "yaw": "°", "x": "", "y": "", "z": ""}


def overview(facts: Facts) -> Html:
    """What was built, how much of it, and where it is."""
    parts: list[object] = [_figures(facts)]
    missing = missing_sentences(facts)
    if missing:
        items = [tag("li", sentence) for sentence in missing]
        how = tag("p", "To go on: ", tag("code", f"specsia build --out {shlex.quote(str(facts.root))}"))
        parts.append(tag("div", tag("ul", *items), how, cls="note"))
    parts += [_counts(facts), where(facts), settings(facts)]
    return section("overview", "Overview", *parts)


def _figures(facts: Facts) -> Html:
    rows = sum(sum(by_split.values()) for by_split in facts.packed.rows.values()) if facts.packed else 0
    built = {made.id for made in facts.made if made.results}
    found: list[tuple[str, str, str]] = [
        ("characters built", f"{len(built):,}", f"of {len(facts.splits):,} in the source"),
        ("rows packed", f"{rows:,}", "" if facts.packed else "nothing is packed"),
    ]
    for name in facts.backends:
        values = [made.results[name].mean_iou for made in facts.built(name)]
        found.append(("mean IoU", fixed(fmean(values)) if values else "–", name))
    found.append(("failed", f"{facts.failed:,}", "characters" if facts.failed != 1 else "character"))
    if facts.low_quality:
        found.append(("quarantined", f"{facts.low_quality:,}", "for their looks"))
    found.append(("with warnings", f"{sum(bool(made.warnings) for made in facts.made):,}", "built all the same"))
    items = [tag("div", tag("dt", name), tag("dd", value), tag("dd", note, cls="sub")) for name, value, note in found]
    return tag("dl", *items, cls="figures")


def _counts(facts: Facts) -> Html:
    rows = []
    for split in facts.used_splits():
        ids = {i for i, s in facts.splits.items() if s == split}
        for name in facts.backends:
            built = [made for made in facts.in_split(split) if name in made.results]
            lost = {f.id for f in facts.failures if f.backend in (None, name) and f.id in ids}
            packed = facts.packed.rows.get(name, {}).get(split, 0) if facts.packed else 0
            rows.append(
                (
                    split,
                    name,
                    f"{len(ids):,}",
                    f"{len(facts.in_split(split)):,}",
                    f"{len(built):,}",
                    f"{len(lost):,}",
                    f"{packed:,}",
                    fixed(fmean(made.results[name].mean_iou for made in built) if built else None),
                    fixed(fmean(made.results[name].ious[0] for made in built) if built else None),
                )
            )
    head = ("split", "backend", "characters", "rendered", "built", "quarantined", "rows packed", "mean IoU", "frontal")
    return table(head, rows, numbers=range(2, 9))


def where(facts: Facts) -> Html:
    if facts.packed is None:
        return Html("")
    folder = facts.root / "dataset"
    config = f', "{facts.backends[0]}"' if len(facts.packed.rows) > 1 else ""
    lines = join(["from datasets import load_dataset", f'pairs = load_dataset("{folder}"{config})'], "\n")
    return join([tag("p", "The dataset is in ", tag("code", folder), "."), tag("pre", lines)])


def settings(facts: Facts) -> Html:
    values = {**result_settings(facts.config), "source": facts.source, "backends": ", ".join(facts.config.backends)}
    values |= {f"clips: {name}": value for name, value in values.pop("clips", {}).items()}
    items = [join([tag("dt", name), tag("dd", value)]) for name, value in values.items()]
    if facts.packed:
        items.append(join([tag("dt", "packed by specsia"), tag("dd", facts.packed.specsia)]))
    return tag("details", tag("summary", "Settings"), tag("dl", *items, cls="settings"))


def quality(facts: Facts) -> Html | None:
    """Charts of IoU and the table of registration; None before there is any result."""
    used = [name for name in facts.backends if facts.built(name)]
    if not used:
        return None
    rows = {name: [v for made in facts.built(name) for v in made.results[name].ious] for name in used}
    figures = charts.iou_figures(rows, "rows")
    band = "the middle 80 %" if len(facts.made) >= charts.ENOUGH_FOR_BAND else "all of them"
    by_view = {name: [made.results[name].ious for made in facts.built(name)] for name in used}
    figures.append(
        _figure(
            f"Mean over the characters; the band holds {band}",
            charts.iou_by_angle(by_view, view_yaws(facts.config.views)),
        )
    )
    frontal = {name: [_frontal(made, name) for made in facts.built(name)] for name in used}
    figures.append(
        _figure(
            f"A dot is a character; dashed: the {FRONTAL_LOSS:g} that registration may give up",
            charts.before_after(frontal, FRONTAL_LOSS),
        )
    )
    key = charts.legend({name: k for k, name in enumerate(used)}) if len(used) > 1 else ""
    tables = [_registration(facts, name) for name in used]
    return section("quality", "Quality", key, tag("div", *figures, cls="figures-row"), _frontal_table(frontal), *tables)


def _figure(caption: str, chart: Html) -> Html:
    return tag("figure", chart, tag("figcaption", caption))


def _frontal(made: BuiltCharacter, name: str) -> tuple[float, float, str]:
    result = made.results[name]
    return result.frontal_before, result.ious[0], made.id


def _frontal_table(frontal: dict[str, list[tuple[float, float, str]]]) -> Html:
    rows = []
    for name, found in frontal.items():
        before, after = [b for b, _, _ in found], [a for _, a, _ in found]
        most = max(0.0, *(b - a for b, a, _ in found))
        rows.append((name, *map(fixed, (fmean(before), min(before), fmean(after), min(after), most))))
    head = ("backend", "before: mean", "lowest", "after: mean", "lowest", "largest loss")
    return join([tag("h3", "Frontal IoU and registration"), table(head, rows, numbers=range(1, 6))])


def _registration(facts: Facts, name: str) -> Html:
    characters = facts.built(name)
    ranked = outliers(characters, name)
    names = [p for p in FLOORS if p != "yaw" or any(made.results[name].registration["yaw"] for made in characters)]
    usual = {p: typical([made.results[name].registration[p] for made in characters]) for p in names}
    far = [found for found in ranked if found.furthest >= FAR][:OUTLIERS]
    few = len(characters) < ENOUGH
    rows: list[Sequence[object]] = [
        (tag("b", "median"), "", *(fixed(usual[p][0]) + UNITS[p] for p in names)),
    ]
    for found in ranked if few else far:
        values = found.made.results[name].registration
        cells: list[object] = []
        for p in names:
            shown = fixed(values[p]) + UNITS[p]
            cells.append(tag("mark", shown) if found.distance[p] >= FAR and not few else shown)
        rows.append((found.made.id, fixed(found.made.results[name].mean_iou), *cells))
    if few:
        lead = "Too few characters to call one an outlier; all of them:"
    elif far:
        count = sum(found.furthest >= FAR for found in ranked)
        lead = (
            f"{plural(count, 'character')} of {len(characters):,} moved unlike the others (marked: more than {FAR:g} "
            f"robust standard deviations from the median){', the furthest first' if count > 1 else ''}:"
        )
    else:
        lead = f"No character of {len(characters):,} moved unlike the others."
    head = ("character", "mean IoU", *names)
    title = tag("h4", f"Registration of {name}")
    return join([title, tag("p", lead, cls="lead"), table(head, rows, numbers=range(1, len(head)))])


def times(facts: Facts) -> Html | None:
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
    return section(
        "times",
        "Times",
        tag("p", notes, cls="lead"),
        charts.legend({**colours, "other": None}),
        table(head, stages, numbers=range(1, 6)),
        tag("h3", "Slowest characters" if facts.config.clips is None else "Slowest characters and clips"),
        table(slow_head, slow, numbers=range(1, len(slow_head) - 1)),
    )


def failures(facts: Facts, pictures: Html) -> Html | None:
    """What was quarantined, and why; None where nothing was."""
    if not facts.failures:
        return None
    shown = facts.failures[:MOST_LINES]
    detailed = any(failure.details for failure in shown)
    rows = []
    for failure in shown:
        where = failure.stage + (f" {failure.backend}" if failure.backend else "")
        details = [tag("code", failure.details) if failure.details else ""] if detailed else []
        rows.append([failure.key, where, failure.reason, *details])
    what = "character" if facts.config.clips is None else "character or clip"
    many = None if facts.config.clips is None else "characters or clips"
    lead = plural(facts.failed, what, many) + " failed"
    if facts.low_quality:
        lead += f", {facts.low_quality:,} quarantined for their looks"
    lead += f"; paths are relative to {facts.root}." if detailed else "."
    body = table((what, "stage", "reason", *(["details"] if detailed else [])), rows, cls="words")
    return section(
        "failures", "Failures", tag("p", lead, cls="lead"), body, more(facts.failures, "failures.jsonl"), pictures
    )


def more(found: Sequence[object], where: str) -> Html:
    rest = len(found) - MOST_LINES
    return tag("p", f"{rest:,} more: see {where}.", cls="lead") if rest > 0 else Html("")


def warnings(facts: Facts) -> Html | None:
    """What was built all the same; None where there is nothing to say."""
    warned = [made for made in facts.made if made.warnings or made.fit < 1]
    if not warned:
        return None
    rows = [
        (made.id, made.split, fixed(made.fit), join(tag("span", w, cls="line") for w in made.warnings))
        for made in warned[:MOST_LINES]
    ]
    lead = tag(
        "p",
        f"{plural(len(warned), 'character')} built with a warning. A fit below 1 is the scale that keeps a wide "
        f"character inside every view.",
        cls="lead",
    )
    body = table(("character", "split", "fit", "warnings"), rows, numbers=(2,), cls="words")
    return section("warnings", "Warnings", lead, body, more(warned, "the render artefacts' meta.json"))
