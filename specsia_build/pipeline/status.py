"""What a run holds and a build would do next, and what a source holds; nothing is changed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from specsia_build import terminal
from specsia_build.characters.character import Entry
from specsia_build.characters.survey import CharacterFacts, survey, unread
from specsia_build.config import PAIRS, BuildConfig
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.errors import brief, brief_warning
from specsia_build.layouts.packing import folder_fingerprint, is_current
from specsia_build.layouts.part import Facts
from specsia_build.layouts.registry import load_layouts
from specsia_build.memory import memory_bytes
from specsia_build.pipeline.executors import Lost, Needs, local_executor
from specsia_build.pipeline.failures import Failure, concerning, read_failures
from specsia_build.pipeline.folder import settings_before
from specsia_build.pipeline.pack import empty_splits
from specsia_build.pipeline.plan import BLOCKED, DAMAGED, DONE, MISSING, STALE, character_state
from specsia_build.pipeline.run import Run, RunPaths, open_run
from specsia_build.pipeline.selection import find_characters
from specsia_build.pipeline.sets import PlannedSet, facts_of, parts_of, plan_sets
from specsia_build.pipeline.warm import compile_once
from specsia_build.warning import Warning


@dataclass(frozen=True)
class StageStatus:
    """Characters or clips of a stage and backend: done, stale, missing, awaiting an earlier one, failed."""

    stage: str
    backend: str | None
    done: int
    stale: int
    missing: int
    waiting: int
    failed: int


@dataclass(frozen=True)
class RunStatus:
    """State of a run."""

    source: str
    characters: int  # Number of characters that the build is about
    stages: tuple[StageStatus, ...]
    failures: tuple[Failure, ...]  # Those on record of its characters and backends
    warnings: Mapping[str, tuple[Warning, ...]]  # About characters that were built, by id
    packed: bool  # Whether the folders of all layouts are on disk
    empty_splits: tuple[str, ...]  # Sentences about planned splits without any row
    current: bool  # Whether the folders are exactly what a build would pack now

    @property
    def next_step(self) -> str:
        counts = [(s.stage, s.backend or "", s.stale + s.missing + s.waiting) for s in self.stages]
        if work := [f"{f'{stage} {name}'.rstrip()} {count}" for stage, name, count in counts if count]:
            return "a build would do: " + ", ".join(work) + ", then pack"
        return "all stages are up to date" if self.current else "a build would do: pack"


def _is_current(run: Run, planned: PlannedSet, facts: Facts) -> bool | None:
    """Whether a folder of a layout is as a build would write it; None if it is not there."""
    if not (planned.target.folder / SUMS_FILE).is_file():
        return None
    if not planned.members:
        return False
    digest = folder_fingerprint(planned.layout, parts_of(run, planned, facts.splits), facts)
    return is_current(planned.target, digest) is not None


def run_status(config: BuildConfig, paths: RunPaths) -> RunStatus:
    """Inspect a run without changing it."""
    characters = find_characters(config, paths, settings_before(paths))
    entries = characters.entries
    packed: list[bool | None] = []
    empty: tuple[str, ...] = ()
    with open_run(config, paths) as run:
        failures = concerning(read_failures(paths.failures), {entry.id for entry in entries}, run.backends)
        character_states = {entry.id: character_state(run, entry) for entry in entries}
        stages = []
        for stage, name in (step.name for step in run.steps):
            states = (state.states[stage, name].values() for state in character_states.values())
            count = Counter(chain.from_iterable(states))
            failed = {f.key for f in failures if f.stage == stage and f.backend == name}
            missing = count[MISSING] + count[DAMAGED]
            counts = (count[DONE], count[STALE], missing, count[BLOCKED], len(failed))
            stages.append(StageStatus(stage, name, *counts))
        for to_write in load_layouts(config.packed_layouts):
            for planned in plan_sets(run, to_write, character_states):
                facts = facts_of(run, planned, characters, failures)
                packed.append(_is_current(run, planned, facts))
                if to_write.name == PAIRS and packed[-1] is not None:
                    empty = empty_splits(character_states, characters.splits)
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

    Procedural characters are removed after reading, so that the disk holds at most one per worker.
    """
    from specsia_build.characters.samples.write import withdraw

    surveyed: dict[int, tuple[CharacterFacts, bytes]] = {}
    compile_once(config, (), entries)
    needs = Needs(config.timeout, memory=memory_bytes(config.memory))
    with terminal.bar("characters", len(entries)) as advance:
        for index, result in local_executor(config)(partial(survey, pictured=pictured), entries, needs):
            entry = entries[index]
            if isinstance(result, Lost):
                result = unread(entry, result.reason, "worker-lost"), b""
            facts, picture = result
            warnings = tuple(map(brief_warning, facts.warnings))
            facts = replace(facts, warnings=warnings, problem=facts.problem and brief(facts.problem))
            surveyed[index] = facts, picture
            withdraw(entry)
            advance(1)
    return [surveyed[index] for index in range(len(entries))]
