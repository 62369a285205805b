"""What a run holds and a build would do next, and what a source holds; nothing is changed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from operator import attrgetter

from specsia_build import terminal
from specsia_build.characters.character import Entry
from specsia_build.characters.survey import CharacterFacts, survey, unread
from specsia_build.config import BuildConfig
from specsia_build.errors import MOST_WARNED, UsageError, brief
from specsia_build.memory import memory_bytes
from specsia_build.pipeline.executors import Lost, Needs, local_executor
from specsia_build.pipeline.failures import Failure, concerning, read_failures
from specsia_build.pipeline.folder import settings_before
from specsia_build.pipeline.pack import empty_splits, pack_plan
from specsia_build.pipeline.parts import PartTask, part_tasks
from specsia_build.pipeline.plan import BLOCKED, DAMAGED, DONE, MISSING, STALE, character_state
from specsia_build.pipeline.run import RunLayout, open_run
from specsia_build.pipeline.selection import find_characters
from specsia_build.pipeline.warm import compile_once
from specsia_build.recipes.folder import keys, record_of
from specsia_build.recipes.recipe import folder_recipes
from specsia_build.recipes.verify import folder_facts
from specsia_build.stages.pack import packed_fingerprint, plan_fingerprint


@dataclass(frozen=True)
class StageStatus:
    """Counts of one stage (of one backend): characters or clips done, stale, missing, waiting for an earlier
    stage, failed."""

    stage: str
    backend: str | None
    done: int
    stale: int
    missing: int
    waiting: int
    failed: int


@dataclass(frozen=True)
class RunStatus:
    """State of a run.

    Attributes:
        characters: number of characters that the build is about.
        failures: those on record of its characters and backends.
        warnings: about characters that were built, by id.
        packed: whether a dataset, or recipes' folders, are on disk.
        empty_splits: sentences about planned splits without any row.
        current: whether those are exactly what a build would pack now.
    """

    source: str
    characters: int
    stages: tuple[StageStatus, ...]
    failures: tuple[Failure, ...]
    warnings: Mapping[str, tuple[str, ...]]
    packed: bool
    empty_splits: tuple[str, ...]
    current: bool

    @property
    def next_step(self) -> str:
        counts = {
            f"{s.stage} {s.backend or ''}".rstrip(): s.stale + s.missing + s.waiting for s in self.stages
        }
        if work := [f"{name} {count}" for name, count in counts.items() if count]:
            return "a build would do: " + ", ".join(work) + ", then pack"
        return "all stages are up to date" if self.current else "a build would do: pack"


def _is_recipe_current(tasks: Sequence[PartTask]) -> bool | None:
    """Whether a recipe's folders hold exactly the parts that would be written; None if a folder is not
    written."""
    current = None
    for folder, group in groupby(tasks, attrgetter("folder")):
        parts = list(group)
        if (facts := folder_facts(folder)) is None:
            return None
        missing = [task for task in parts if not task.is_written()]
        has_others = not {task.record.key for task in parts}.issuperset(keys(folder))
        has_stale = any(record_of(folder, task.record.key) is not None for task in missing)
        is_same = not has_others and not has_stale and len(missing) == facts.get("left_out")
        current = current is not False and is_same
    return current


def run_status(config: BuildConfig, layout: RunLayout) -> RunStatus:
    """Inspect a run without changing it."""
    characters = find_characters(config, layout, settings_before(layout))
    entries, packed, empty = characters.entries, list[bool | None](), tuple[str, ...]()
    with open_run(config, layout) as run:
        failures = concerning(read_failures(layout.failures), {entry.id for entry in entries}, run.backends)
        character_states = {entry.id: character_state(run, entry) for entry in entries}
        stages = []
        for stage, name in (step.name for step in run.steps):
            count = Counter(
                state for c in character_states.values() for state in c.states[stage, name].values()
            )
            failed = {f.key for f in failures if f.stage == stage and f.backend == name}
            missing = count[MISSING] + count[DAMAGED]
            stages.append(
                StageStatus(stage, name, count[DONE], count[STALE], missing, count[BLOCKED], len(failed))
            )
        if run.packs:
            fingerprint = packed_fingerprint(layout.dataset)
            try:
                plan = pack_plan(run, characters.source, character_states, failures, characters.splits)
                packed.append(None if fingerprint is None else fingerprint == plan_fingerprint(plan))
            except UsageError:
                # Pack has nothing up to date to write.
                packed.append(None if fingerprint is None else False)
            empty = () if fingerprint is None else empty_splits(character_states, characters.splits)
        for recipe in folder_recipes(config.clips.recipes if config.clips is not None else ()):
            tasks, _ = part_tasks(recipe, run, entries, characters.splits)
            packed.append(_is_recipe_current(tasks))
    return RunStatus(
        source=characters.source,
        characters=len(entries),
        stages=tuple(stages),
        failures=tuple(failures),
        warnings={name: state.warnings for name, state in character_states.items() if state.warnings},
        packed=None not in packed,
        empty_splits=empty,
        current=all(packed),
    )


def survey_all(
    entries: Sequence[Entry], config: BuildConfig, *, pictured: bool = False
) -> list[tuple[CharacterFacts, bytes]]:
    """Facts and picture of each of the `entries`; see `survey`.

    Procedural characters are removed after reading, so that the disk never holds more of them than there are
    workers.
    """
    from specsia_build.characters.samples.write import withdraw

    surveyed: dict[int, tuple[CharacterFacts, bytes]] = {}
    compile_once(config, (), entries)
    needs = Needs(config.timeout, memory=memory_bytes(config.memory))
    with terminal.bar("characters", len(entries)) as advance:
        for index, result in local_executor(config)(partial(survey, pictured=pictured), entries, needs):
            entry = entries[index]
            facts, picture = (unread(entry, result.reason), b"") if isinstance(result, Lost) else result
            warnings = tuple(brief(sentence, MOST_WARNED) for sentence in facts.warnings)
            surveyed[index] = (
                replace(facts, warnings=warnings, problem=facts.problem and brief(facts.problem)),
                picture,
            )
            withdraw(entry)
            advance(1)
    return [surveyed[index] for index in range(len(entries))]
