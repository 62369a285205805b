"""Sections of pictures: contact sheets per split, the worst results, what was quarantined for its looks."""

from __future__ import annotations

from collections.abc import Callable

from specsia_build.pipeline.layout import RunLayout
from specsia_build.report.choose import SheetPlan, plan_sheets, shown_of
from specsia_build.report.facts import BuiltCharacter, Facts
from specsia_build.report.markup import Html, fixed, image, join, plural, section, tag
from specsia_build.report.pictures import (
    OVERLAY,
    TARGET,
    Strip,
    Tile,
    ViewRow,
    pair_strip,
    quarantined_strip,
    worst_strip,
)

MOST_ROWS = 5
"""Views that stand below each other; more are laid out across."""

WORST, WORST_VIEWS, WORST_PIXELS = 6, 3, 176
QUARANTINED, QUARANTINED_VIEWS, QUARANTINED_PIXELS = 12, 3, 144

COLUMN_NOTES = {
    "Z": "the reconstruction, rendered",
    "Zmask": "its silhouette",
    "Zpos": "position on its surface as colour",
    "edge": "edges of Zpos",
    OVERLAY: "grey: in both; blue: missing from Z; orange: only in Z",
    TARGET: "the clean target with its contour",
}


def split_sheets(facts: Facts, layout: RunLayout, advance: Callable[[int], None]) -> Html:
    """A contact sheet of pairs for each split."""
    counts = {split: len(facts.in_split(split)) for split in facts.used_splits()}
    plan = plan_sheets(counts, max(1, len(facts.backends)), facts.config.views)
    parts = [_split_sheet(split, facts, layout, plan, advance) for split in counts if counts[split]]
    if not parts:
        return section("pairs", "Pairs", tag("p", "Nothing is rendered yet.", cls="lead"))
    known = join([_note(name) for name in COLUMN_NOTES if name != OVERLAY], " · ")
    lead = tag(
        "p", known, ". Angles are the camera's turn; IoU is that of Zmask and Y*'s silhouette without its contour."
    )
    return section("pairs", "Pairs", lead, *parts)


def _note(name: str) -> Html:
    return join([tag("b", name), " ", COLUMN_NOTES[name]])


def _split_sheet(split: str, facts: Facts, layout: RunLayout, plan: SheetPlan, advance: Callable[[int], None]) -> Html:
    characters = facts.in_split(split)
    chosen = shown_of(characters, plan.per_split)
    cards = []
    for made, mark in chosen:
        strip = pair_strip(made, facts, layout, plan.views, plan.pixels)
        cards.append(card(made.id, _facts_line(made, mark), strip))
        advance(1)
    total = len(characters)
    ranked = any(made.results for made in characters)
    order = "from the lowest mean IoU to the highest" if ranked else "by id"
    which = order if len(chosen) == total else f"{len(chosen)} of them evenly spaced {order}"
    lead = tag("p", f"{plural(total, 'character')}{f', {which}' if total > 1 else ''}.", cls="lead")
    wide = len(plan.views) > MOST_ROWS or any(len(made.results) > 1 for made, _ in chosen)
    return join(
        [tag("h3", split, id=f"pairs-{split}"), lead, tag("div", *cards, cls="cards wide" if wide else "cards")], "\n"
    )


def _facts_line(made: BuiltCharacter, mark: str) -> Html:
    grey = made.outline_grey
    swatch = tag("i", cls="swatch", style=f"background:rgb({grey},{grey},{grey})")
    parts: list[object] = []
    if mark:
        parts.append(tag("span", mark, cls=f"badge {mark}"))
    parts += [_iou_fact(name, result.mean_iou, len(made.results)) for name, result in made.results.items()]
    parts.append(join(["contour ", f"{made.outline_px} px ", swatch, f" {grey}"]))
    parts.append(made.license or "licence not stated")
    if made.fit < 1:
        parts.append(f"fit {made.fit:.3f}")
    if made.warnings:
        parts.append(plural(len(made.warnings), "warning"))
    return join((tag("span", part) for part in parts), " ")


def _iou_fact(backend: str, value: float, backends: int) -> Html:
    name = f"{backend} " if backends > 1 else "mean "
    return join([f"{name}IoU ", tag("b", fixed(value))])


def card(title: str, line: Html, strip: Strip) -> Html:
    """One character: its name, a line of facts and its pictures."""
    head = tag("header", tag("h4", title), tag("p", line, cls="facts"))
    if strip.problem is not None:
        return tag("article", head, tag("p", strip.problem, cls="problem"), cls="card")
    return tag("article", head, _strip_table(title, strip), cls="card")


def _strip_table(title: str, strip: Strip) -> Html:
    turned = len(strip.rows) > MOST_ROWS
    inner = _views_across(title, strip) if turned else _views_down(title, strip)
    columns = len(strip.rows) if turned else len(strip.rows[0].tiles)
    return tag("div", inner, cls="scroll", style=f"--columns:{columns}")


def _picture(title: str, tile: Tile, row: ViewRow) -> Html:
    return tag("td", image(tile.uri, f"{tile.heading} of {title} at {row.yaw:g}°", tile.pixels))


def _heading(name: str, scope: str) -> Html:
    return tag("th", name, scope=scope, title=COLUMN_NOTES[name])


def _views_down(title: str, strip: Strip) -> Html:
    """A row for each view."""
    columns = strip.rows[0].tiles
    groups = list(dict.fromkeys(tile.backend for tile in columns if tile.backend is not None))
    heads = []
    if len(groups) > 1:
        spans = [tag("th", name, colspan=sum(t.backend == name for t in columns), scope="colgroup") for name in groups]
        heads.append(tag("tr", tag("td"), *spans, tag("td"), cls="groups"))
    heads.append(tag("tr", tag("td"), *(_heading(tile.heading, "col") for tile in columns)))
    body = []
    for row in strip.rows:
        values = [tag("small", fixed(value), title=f"IoU, {name}") for name, value in row.ious.items()]
        body.append(
            tag("tr", tag("th", f"{row.yaw:g}°", *values, scope="row"), *(_picture(title, t, row) for t in row.tiles))
        )
    return tag("table", tag("thead", *heads), tag("tbody", join(body, "\n")), cls="pairs")


def _views_across(title: str, strip: Strip) -> Html:
    """A column for each view."""
    body, backend = [], None
    for k, tile in enumerate(strip.rows[0].tiles):
        if tile.backend is not None and tile.backend != backend:
            backend = tile.backend
            values = [tag("td", fixed(row.ious[backend])) for row in strip.rows]
            several = len(strip.rows[0].ious) > 1
            body.append(
                tag("tr", tag("th", f"{backend} IoU" if several else "IoU", scope="row"), *values, cls="values")
            )
        cells = [_picture(title, row.tiles[k], row) for row in strip.rows]
        body.append(tag("tr", _heading(tile.heading, "row"), *cells))
    head = tag("tr", tag("td"), *(tag("th", f"{row.yaw:g}°", scope="col") for row in strip.rows))
    return tag("table", tag("thead", head), tag("tbody", join(body, "\n")), cls="pairs")


def worst_results(facts: Facts, layout: RunLayout, advance: Callable[[int], None]) -> Html | None:
    """The results that meet their targets least, by backend; None before there is any."""
    parts: list[Html] = []
    for name in facts.backends:
        found = sorted(facts.built(name), key=lambda made: made.results[name].mean_iou)[:WORST]
        if not found:
            continue
        cards = []
        for made in found:
            result = made.results[name]
            strip = worst_strip(made, name, facts, layout, WORST_VIEWS, WORST_PIXELS)
            line = join(
                [
                    tag("span", _iou_fact(name, result.mean_iou, 1)),
                    tag("span", f"lowest {min(result.ious):.3f}"),
                    tag("span", made.split),
                ],
                " ",
            )
            cards.append(card(made.id, line, strip))
            advance(1)
        if len(facts.backends) > 1:
            parts.append(tag("h3", name))
        parts.append(tag("div", *cards, cls="cards"))
    if not parts:
        return None
    lead = tag(
        "p",
        "The lowest mean IoU, each with its worst views (the opposite view has the same silhouettes). ",
        _note(OVERLAY),
        ".",
        cls="lead",
    )
    return section("worst", "Worst results", lead, *parts)


def quarantined_pictures(facts: Facts, layout: RunLayout, advance: Callable[[int], None]) -> Html:
    """What was quarantined for its looks; empty where nothing was."""
    cards: list[Html] = []
    for failure in facts.failures:
        if len(cards) == QUARANTINED:
            break
        strip = quarantined_strip(failure, facts, layout, QUARANTINED_VIEWS, QUARANTINED_PIXELS)
        if strip is not None:
            where = tag("span", f"{failure.stage} {failure.backend}")
            cards.append(card(failure.id, join([where, tag("code", failure.details)], " "), strip))
            advance(1)
    if not cards:
        return Html("")
    return join([tag("h3", "Quarantined for their looks"), tag("div", *cards, cls="cards")], "\n")


def picture_count(facts: Facts) -> int:
    """Characters whose pictures the page will read, for a progress bar."""
    counts = {split: len(facts.in_split(split)) for split in facts.used_splits()}
    plan = plan_sheets(counts, max(1, len(facts.backends)), facts.config.views)
    sheets = sum(min(plan.per_split, count) for count in counts.values())
    worst = sum(min(WORST, len(facts.built(name))) for name in facts.backends)
    kept = sum(failure.details is not None and failure.details.startswith("quarantine") for failure in facts.failures)
    return sheets + worst + min(QUARANTINED, kept)
