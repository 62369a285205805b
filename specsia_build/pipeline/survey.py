"""Reading every character of a source once, in processes that one of them may crash, to say what it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from specsia_build.characters.character import Entry
from specsia_build.characters.survey import CharacterFacts, unread
from specsia_build.config import BuildConfig
from specsia_build.errors import MOST_WARNED, brief
from specsia_build.memory import memory_bytes
from specsia_build.pipeline.executors import Lost, Needs, local_executor
from specsia_build.pipeline.progress import Progress
from specsia_build.pipeline.warm import compile_once
from specsia_build.stages.first_view import surveyed

PAGE = 50
"""Characters that are told together while others are still read."""


def survey_all(
    entries: Sequence[Entry],
    config: BuildConfig,
    progress: Progress,
    *,
    pictured: bool = False,
    told: Callable[[Sequence[CharacterFacts]], None] = lambda _: None,
) -> tuple[list[CharacterFacts], list[bytes]]:
    """What each character is, or why it cannot be read, and its picture, in the order of `entries`; see `surveyed`.

    Of procedural ones, which are written where they are read, no more are there at once than workers.

    Args:
        entries: of a source.
        config: whose workers, time limit and memory are used.
        progress: where the bar goes.
        pictured: whether pictures are wanted.
        told: given the next ones in their order, `PAGE` at a time and the rest at the end.
    """
    found: dict[int, CharacterFacts] = {}
    pictures = [b""] * len(entries)
    shown = 0
    compile_once(config, (), entries, progress)
    needs = Needs(config.timeout, memory=memory_bytes(config.memory))
    with progress.bar("characters", len(entries)) as advance:
        for index, seen in local_executor(config)(partial(surveyed, pictured=pictured), entries, needs):
            facts, pictures[index] = (unread(entries[index], seen.reason), b"") if isinstance(seen, Lost) else seen
            warnings = tuple(brief(sentence, MOST_WARNED) for sentence in facts.warnings)
            found[index] = replace(facts, warnings=warnings, problem=facts.problem and brief(facts.problem))
            withdraw(entries[index])
            advance(1)
            while (page := range(shown, min(shown + PAGE, len(entries)))) and all(i in found for i in page):
                told([found[i] for i in page])
                shown = page.stop
    return [found[index] for index in range(len(entries))], pictures


def withdraw(entry: Entry) -> int:
    """Remove the files of a procedural character; returns the bytes that are free now."""
    if entry.sample is None:
        return 0
    from specsia_build.characters.samples.write import withdraw as withdraw_sample

    return withdraw_sample(entry)
