"""The sections of the page about a run of clips."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from specsia_build.config import DRAVIE
from specsia_build.dataset import schema
from specsia_build.dataset.layers import frame_file
from specsia_build.errors import SpecsiaError
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.progress import Progress
from specsia_build.pipeline.store import read_artefact
from specsia_build.report import charts, sections
from specsia_build.report.analyse import damage
from specsia_build.report.choose import spread_ranks
from specsia_build.report.gather_clips import DrawnClip, MovingFacts
from specsia_build.report.markup import Html, fixed, join, plural, section, table, tag
from specsia_build.report.playing import MOST_CLIPS, Playing, card, clips_section, playing, shown_frames
from specsia_build.stages.clips import draw, move

WORST = 6

MOST_ACTIONS = 60
"""Rows of the table of actions."""


def sections_of(moving: MovingFacts, layout: RunLayout, progress: Progress) -> dict[str, Html]:
    """The sections by their anchors; clips are read one at a time."""
    shares = _shares(moving)
    with progress.bar("report", sum(shares.values()) + WORST * len(moving.backends)) as advance:
        found = {
            "overview": _overview(moving),
            "clips": _clips(moving, layout, shares, advance),
            "quality": _quality(moving),
            "worst": _worst(moving, layout, advance),
            "times": sections.times(moving.facts),
            "failures": sections.failures(moving.facts, Html("")),
            "warnings": _warnings(moving),
        }
    return {anchor: shown for anchor, shown in found.items() if shown is not None}


def _of_split(moving: MovingFacts, split: str) -> list[DrawnClip]:
    return [one for one in moving.drawn if one.split == split]


def _shares(moving: MovingFacts) -> dict[str, int]:
    """How many clips of each split play."""
    counts = {split: len(_of_split(moving, split)) for split in moving.facts.used_splits()}
    each = max(1, MOST_CLIPS // max(1, sum(map(bool, counts.values()))))
    return {split: min(count, each) for split, count in counts.items() if count}


def _overview(moving: MovingFacts) -> Html:
    parts: list[object] = [_figures(moving)]
    missing = _missing(moving)
    if missing:
        how = tag("p", "To go on: ", tag("code", f"specsia clips --out {shlex.quote(str(moving.facts.root))}"))
        parts.append(tag("div", tag("ul", *(tag("li", sentence) for sentence in missing)), how, cls="note"))
    parts += [_counts(moving), _actions(moving), sections.where(moving.facts), sections.settings(moving.facts)]
    return section("overview", "Overview", *parts)


def _figures(moving: MovingFacts) -> Html:
    facts, planned = moving.facts, sum(map(len, moving.planned.values()))
    characters = {one.character for one in moving.drawn}
    frames = sum(one.clip.frames for one in moving.drawn)
    found = [
        ("characters", f"{len(characters):,}", f"of {len(facts.splits):,} in the source"),
        ("clips", f"{len(moving.drawn):,}", f"of {planned:,} found"),
        ("frames", f"{frames:,}", f"at {facts.config.clips.fps:g} a second" if facts.config.clips else ""),
    ]
    for name in moving.backends:
        values = [fmean(one.ious[name]) for one in moving.drawn if name in one.ious]
        found.append(("mean IoU", fixed(fmean(values)) if values else "–", name))
    found.append(("failed", f"{facts.failed:,}", "characters or clips"))
    found.append(("with warnings", f"{len(moving.warnings):,}", "characters or clips"))
    items = [tag("div", tag("dt", name), tag("dd", value), tag("dd", note, cls="sub")) for name, value, note in found]
    return tag("dl", *items, cls="figures")


def _missing(moving: MovingFacts) -> list[str]:
    """What a complete run would have that this one has not."""
    facts, failed = moving.facts, {failure.key for failure in moving.facts.failures}
    lines = []
    if facts.left_out:
        lines.append(f"{plural(len(facts.left_out), 'character')} of the source left out by --limit.")
    unread = [i for i in facts.splits if i not in moving.planned and i not in failed and i not in facts.left_out]
    if unread:
        lines.append(f"{plural(len(unread), 'character')} of the source not looked at yet.")
    drawn = {one.clip.id for one in moving.drawn}
    open_clips = [clip for found in moving.planned.values() for clip in found if clip.id not in drawn | failed]
    if open_clips:
        lines.append(f"{plural(len(open_clips), 'clip')} not drawn, or not since the settings changed.")
    for name in moving.backends:
        gone = {failure.key for failure in facts.failures if failure.backend in (None, name)}
        waiting = [
            one
            for one in moving.drawn
            if name not in one.ious and one.clip.id not in gone and one.character not in gone
        ]
        if waiting:
            lines.append(f"{plural(len(waiting), 'clip')} without a reconstruction by {name} that moves.")
    if facts.damaged:
        lines.append(damage(facts))
    if facts.config.clips is not None and DRAVIE in facts.config.clips.recipes:
        if facts.packed is None:
            lines.append("Nothing is packed, so there is no dataset to load.")
        elif not facts.packed.current:
            lines.append("The packed dataset is not exactly what is made now: the stage pack has not run since.")
    return lines


def _counts(moving: MovingFacts) -> Html:
    facts, rows = moving.facts, []
    for split in facts.used_splits():
        clips = _of_split(moving, split)
        lost = {f.key for f in facts.failures if f.backend is None and facts.splits.get(f.id) == split}
        drawn = [len({one.character for one in clips}), len(clips), sum(one.clip.frames for one in clips)]
        if not moving.backends:
            rows.append((split, *(f"{count:,}" for count in (*drawn, len(lost)))))
        for name in moving.backends:
            moved = [fmean(one.ious[name]) for one in clips if name in one.ious]
            gone = lost | {f.key for f in facts.failures if f.backend == name and facts.splits.get(f.id) == split}
            packed = facts.packed.rows.get(name, {}).get(split, 0) if facts.packed else 0
            counts = (f"{count:,}" for count in (*drawn, len(gone), len(moved), packed))
            rows.append((split, *counts, fixed(fmean(moved) if moved else None), name))
    head = ("split", "characters", "clips", "frames", "failed", "moved", "rows packed", "mean IoU", "backend")
    return table(head if moving.backends else head[:5], rows, numbers=range(1, 8))


def _actions(moving: MovingFacts) -> Html:
    by_name: dict[str, list[DrawnClip]] = {}
    for one in moving.drawn:
        by_name.setdefault(one.clip.action, []).append(one)
    ordered = sorted(by_name.items(), key=lambda item: (-len(item[1]), item[0]))
    rows = []
    for name, clips in ordered[:MOST_ACTIONS]:
        values = [one.mean_iou for one in clips if one.mean_iou is not None]
        frames = sum(one.clip.frames for one in clips)
        rows.append((name, f"{len(clips):,}", f"{frames:,}", fixed(fmean(values) if values else None)))
    rest = len(ordered) - MOST_ACTIONS
    tail = tag("p", f"{plural(rest, 'more action')}, of no more clips each.", cls="lead") if rest > 0 else Html("")
    return join([table(("action", "clips", "frames", "mean IoU"), rows, numbers=(1, 2, 3)), tail])


def _clips(moving: MovingFacts, layout: RunLayout, shares: Mapping[str, int], advance: Callable[[int], None]) -> Html:
    parts = []
    for split, share in shares.items():
        clips = _of_split(moving, split)
        cards = []
        for rank in spread_ranks(len(clips), share):
            cards.append(_card(clips[rank], moving, layout, moving.backends))
            advance(1)
        some = f", {share} of them shown" if share < len(clips) else ""
        parts += [
            tag("h3", split),
            tag("p", f"{plural(len(clips), 'clip')}{some}.", cls="lead"),
            tag("div", *cards, cls="cards" if moving.backends else "cards small"),
        ]
    if not parts:
        return section("clips", "Clips", tag("p", "Nothing is drawn yet.", cls="lead"))
    return clips_section(parts, bool(moving.backends), moving.backends)


def _card(one: DrawnClip, moving: MovingFacts, layout: RunLayout, backends: Sequence[str]) -> Html:
    clip = one.clip
    facts: list[object] = [clip.action, f"view {clip.view}", plural(clip.frames, "frame")]
    facts += [join([f"{name} IoU ", tag("b", fixed(fmean(one.ious[name])))]) for name in backends if name in one.ious]
    if one.warnings:
        facts.append(plural(len(one.warnings), "warning"))
    return card(clip.id, facts, _playing(one, moving, layout, [name for name in backends if name in one.ious]))


def _playing(one: DrawnClip, moving: MovingFacts, layout: RunLayout, backends: Sequence[str]) -> Playing | str:
    """Z of each backend beside Y*, or beside the clean frames."""
    key, fps = one.clip.id, moving.facts.config.clips.fps if moving.facts.config.clips else 1.0
    try:
        clean = read_artefact(layout.artefact(draw.STAGE, None, key), key).files
        made = [read_artefact(layout.artefact(move.STAGE, name, key), key).files for name in backends]
        layer = schema.GT if frame_file(schema.GT, 0) in clean else schema.COLOR
        numbers = shown_frames(one.clip.frames)
        frames = [
            [*(files[frame_file(schema.COLOR, k)] for files in made), clean[frame_file(layer, k)]] for k in numbers
        ]
        return playing(frames, fps / numbers.step)
    except (SpecsiaError, KeyError, OSError, ValueError) as error:
        return f"its pictures cannot be read: {error}"


def _quality(moving: MovingFacts) -> Html | None:
    """How well moved reconstructions meet their targets; None before there are any."""
    values = {name: [value for one in moving.drawn for value in one.ious.get(name, ())] for name in moving.backends}
    values = {name: found for name, found in values.items() if found}
    if not values:
        return None
    return section("quality", "Quality", tag("div", *charts.iou_figures(values, "frames"), cls="figures-row"))


def _worst(moving: MovingFacts, layout: RunLayout, advance: Callable[[int], None]) -> Html | None:
    """The clips that meet their targets least, by backend; None before there are any."""
    parts: list[Html] = []
    for name in moving.backends:
        found = [one for one in moving.drawn if name in one.ious]
        found = sorted(found, key=lambda one: (fmean(one.ious[name]), one.clip.id))[:WORST]
        cards = []
        for one in found:
            cards.append(_card(one, moving, layout, [name]))
            advance(1)
        if cards:
            parts += [tag("h3", name), tag("div", *cards, cls="cards")]
    if not parts:
        return None
    return section("worst", "Worst results", tag("p", "The clips of the lowest mean IoU.", cls="lead"), *parts)


def _warnings(moving: MovingFacts) -> Html | None:
    """What was made all the same; None where there is nothing to say."""
    if not moving.warnings:
        return None
    listed = list(moving.warnings.items())
    rows = [(key, join(tag("span", w, cls="line") for w in said)) for key, said in listed[: sections.MOST_LINES]]
    lead = tag(
        "p", f"{plural(len(listed), 'character or clip', 'characters or clips')} made with a warning.", cls="lead"
    )
    body = table(("of", "warnings"), rows, cls="words")
    return section("warnings", "Warnings", lead, body, sections.more(listed, "the artefacts' meta.json"))
