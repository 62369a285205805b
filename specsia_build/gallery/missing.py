"""What a complete run would have that this one has not, in sentences."""

from __future__ import annotations

from specsia_build.config import DRAVIE
from specsia_build.errors import argument, plural, some
from specsia_build.gallery.facts import Facts
from specsia_build.gallery.gather_clips import MovingFacts
from specsia_build.pipeline.failures import counted
from specsia_build.stages import render

LEAVING_OUT = "--limit, --exclude or --shard"
"""What leaves characters of a source out of a build."""


def damage(facts: Facts) -> str:
    """Which artefacts do not read; empty where all do."""
    told = f"Damaged, so taken as not built and made anew by the next build: {some(facts.damaged)}"
    return told if facts.damaged else ""


def go_on(facts: Facts) -> str:
    """The command that goes on with a run."""
    return f"{facts.config.command} --out {argument(facts.out)}"


def dropped_sentences(facts: Facts, count: int, kind: str) -> list[str]:
    """Of how many there are no pictures any more, as `BuildConfig.keep` had it, and how to see them."""
    if not count:
        return []
    packed = f"specsia report {argument(facts.root / 'dataset')} shows what is packed; "
    return [
        f"{plural(count, kind)} not shown, as --keep had dropped the pictures: "
        f"{packed if facts.packed is not None else ''}{go_on(facts)} --keep all makes them again."
    ]


def missing_sentences(facts: Facts) -> list[str]:
    """What a complete build would have that this one has not."""
    every, failed = len(facts.splits), {failure.id for failure in facts.failures if failure.backend is None}
    lines = []
    if facts.left_out:
        lines.append(
            f"{len(facts.left_out):,} of {plural(every, 'character')} of the source are left out by {LEAVING_OUT}."
        )
    other = facts.outdated.get(render.STAGE.name, 0)
    if other:
        lines.append(
            f"{other:,} of {plural(every, 'character')} of the source were rendered with other settings or by another "
            f"version, and are not shown: {go_on(facts)} renders them anew."
        )
    open_ids = every - other - len(facts.left_out) - len(facts.made) - len(failed & facts.splits.keys())
    if open_ids > 0:
        lines.append(
            f"{open_ids:,} of {plural(every, 'character')} of the source are not rendered: the build has not come to "
            "them."
        )
    for name in facts.backends:
        gone = {failure.id for failure in facts.failures if failure.backend == name}
        waiting = [made for made in facts.made if name not in made.sides and made.id not in gone]
        if facts.made and len(waiting) == len(facts.made):
            lines.append(
                f"{name} has no result: its stages reconstruct and project have not run, or not since their inputs, "
                "settings or versions changed, so only Y* is shown."
            )
        elif waiting:
            lines.append(
                f"{len(waiting):,} of {len(facts.made):,} rendered characters have no result of {name}: the stages "
                f"reconstruct and project have not built them, or not since their inputs, settings or versions changed."
            )
    if facts.damaged:
        lines.append(damage(facts))
    if facts.packed is None:
        lost, _ = counted(facts.failures)
        why = f"; where failures keep it back, --max-failures {lost} goes on without them" if lost else ""
        lines.append(f"Nothing is packed, so there is no dataset to load{why}.")
    elif not facts.packed.current:
        lines.append(
            "The packed dataset is not exactly what is built now: the stage pack has not run since; "
            f"specsia report {argument(facts.root / 'dataset')} shows what is packed."
        )
    return lines


def missing_clips(moving: MovingFacts) -> list[str]:
    """What a complete run of clips would have that this one has not."""
    facts, failed = moving.facts, {failure.key for failure in moving.facts.failures}
    lines = []
    if facts.left_out:
        lines.append(f"{plural(len(facts.left_out), 'character')} of the source left out by {LEAVING_OUT}.")
    unread = [i for i in facts.splits if i not in moving.planned and i not in failed and i not in facts.left_out]
    if unread:
        what = f"{plural(len(unread), 'character')} of the source"
        lines.append(f"{what} not looked at yet, or not since settings or versions changed.")
    drawn = {one.id for one in moving.drawn}
    open_clips = [clip for found in moving.planned.values() for clip in found if clip.id not in drawn | failed]
    if open_clips:
        lines.append(f"{plural(len(open_clips), 'clip')} not drawn, or not since settings or versions changed.")
    for name in moving.backends:
        gone = {failure.key for failure in facts.failures if failure.backend in (None, name)}
        waiting = [
            one for one in moving.drawn if name not in one.sides and one.id not in gone and one.character not in gone
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
