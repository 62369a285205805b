"""The page: head, table of contents and sections in one self-contained file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from specsia_build.config import BuildConfig
from specsia_build.files.writing import write_bytes
from specsia_build.ownership import refuse_foreign_file
from specsia_build.pipeline.layout import REPORT_MARK, RunLayout
from specsia_build.pipeline.progress import Progress
from specsia_build.report import clips_page, sections, sheets
from specsia_build.report.facts import Facts
from specsia_build.report.gather import gather
from specsia_build.report.gather_clips import gather_clips
from specsia_build.report.markup import LINE_END, Html, join, plural, tag
from specsia_build.report.style import STYLE

TITLES = {
    "characters": "Characters",
    "overview": "Overview",
    "pairs": "Pairs",
    "clips": "Clips",
    "quality": "Quality",
    "worst": "Worst",
    "times": "Times",
    "failures": "Failures",
    "warnings": "Warnings",
}
"""Short name of each section by its anchor, in order."""


def write_report(config: BuildConfig, layout: RunLayout, path: Path, progress: Progress) -> Facts:
    """Write the page about a run.

    Args:
        config: of the run.
        layout: of the run.
        path: of the page.
        progress: where a bar goes.

    Returns:
        The facts that it shows.

    Raises:
        UsageError: if something else is in the page's place.
        SpecsiaError: if the run's records cannot be read, or the page cannot be written.
    """
    refuse_other_file(path)
    if config.clips is not None:
        moving = gather_clips(config, layout)
        found = clips_page.sections_of(moving, layout, progress)
        save(path, document(moving.facts.source, moving.lead, found))
        return moving.facts
    facts = gather(config, layout)
    save(path, render_page(facts, layout, progress))
    return facts


def refuse_other_file(path: Path) -> None:
    """See that no page is to take the place of a file that is none.

    Raises:
        UsageError: if it would.
    """
    refuse_foreign_file(path, "report of specsia", REPORT_MARK)


def save(path: Path, page: Html) -> None:
    """Write a page, whole or not at all.

    Raises:
        WriteError: if it cannot be written.
    """
    write_bytes(path, page.encode())


def render_page(facts: Facts, layout: RunLayout, progress: Progress) -> Html:
    """The page's markup; pictures are read one character at a time."""
    with progress.bar("report", sheets.picture_count(facts)) as advance:
        found = {
            "overview": sections.overview(facts),
            "pairs": sheets.split_sheets(facts, layout, advance),
            "quality": sections.quality(facts),
            "worst": sheets.worst_results(facts, layout, advance),
            "times": sections.times(facts),
            "failures": sections.failures(facts, sheets.quarantined_pictures(facts, layout, advance)),
            "warnings": sections.warnings(facts),
        }
    return document(facts.source, _summary(facts), {anchor: c for anchor, c in found.items() if c is not None})


def document(title: str, lead: str, shown: Mapping[str, Html]) -> Html:
    """A whole page: title, one sentence, a table of contents and sections by anchor, anchors from `TITLES`."""
    links = [tag("li", tag("a", TITLES[anchor], href=f"#{anchor}")) for anchor in shown]
    head = join(
        [
            Html('<meta charset="utf-8">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            tag("title", f"specsia: {title}"),
            tag("style", Html(STYLE)),
        ],
        "\n",
    )
    body = join(
        [
            tag("header", tag("h1", title), tag("p", lead, cls="lead"), cls="top width"),
            tag("nav", tag("ul", *links, cls="width"), aria_label="Sections"),
            tag("main", *shown.values(), cls="width"),
        ],
        "\n",
    )
    return join(
        [Html("<!DOCTYPE html>"), tag("html", tag("head", head), LINE_END, tag("body", body), lang="en"), ""], "\n"
    )


def _summary(facts: Facts) -> str:
    config = facts.config
    built = sum(bool(made.results) for made in facts.made)
    what = f"{plural(built, 'character')} built" if built else f"{plural(len(facts.made), 'character')} rendered"
    return (
        f"{what}, {plural(config.views, 'view')} of {config.size}×{config.size} px, "
        f"{plural(len(facts.backends), 'backend')}: {', '.join(facts.backends)}."
    )
