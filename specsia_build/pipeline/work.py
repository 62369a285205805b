"""The work of one build: its characters, and one stage after the other of all of them."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from specsia_build.characters.character import id_order_key
from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig, backend_name
from specsia_build.dataset import splits
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files.writing import append, write_bytes
from specsia_build.pipeline.executors import Executor, Lost
from specsia_build.pipeline.failures import (
    Failure,
    add_failure,
    concerning,
    counted,
    in_common,
    read_failures,
    write_failures,
)
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.mark import refuse_other_source
from specsia_build.pipeline.planning import DigestCache, StagePlan, plan_stage
from specsia_build.pipeline.progress import Progress, named, unit_of
from specsia_build.pipeline.recipes import planned
from specsia_build.pipeline.samples import write_samples
from specsia_build.pipeline.selection import excluded_ids, narrowed, select
from specsia_build.pipeline.store import discard
from specsia_build.pipeline.summary import BuildSummary, StageSummary, StageTally
from specsia_build.pipeline.tasks import Outcome, Task, needs_of, on_record, perform
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import CharacterStage, Stage


def log(layout: RunLayout, stage: str, backend: str | None, character_id: str, outcome: Outcome) -> None:
    """Note how long a task took, how much memory it had, and why it failed."""
    record = {
        "stage": stage,
        "backend": backend,
        "id": character_id,
        "seconds": round(outcome.seconds, 4),
        "parts": {name: round(value, 4) for name, value in outcome.parts.items()},
        "peak_mb": round(outcome.peak_mb, 1),
        "reason": outcome.reason,
    }
    append(layout.log, json.dumps(record, ensure_ascii=False) + "\n")


class Work:
    """State of one command: what failed so far, and where to tell."""

    def __init__(
        self,
        config: BuildConfig,
        layout: RunLayout,
        before: Mapping[str, Any] | None,
        progress: Progress,
        run: Executor,
    ) -> None:
        """Find and accept the characters; nothing of the run is changed, but procedural ones are written.

        `before` are the settings that the run has, None if they do not count.

        Raises:
            UsageError: if there are none, or the run is of others.
        """
        self.config, self.layout, self.progress, self.run = config, layout, progress, run
        self.source = open_source(config.source, layout.source, written=False)
        chosen = select(config, layout, self.source.entries, before)
        excluded = excluded_ids(config.exclude)
        self.entries, self.splits = narrowed(chosen.entries, config.limit, excluded), chosen.splits
        kept, every = {entry.id for entry in self.entries}, {entry.id for entry in self.source.entries}
        self.left_out = sorted((every & self.splits.keys()) - kept, key=id_order_key)
        write_samples(self.source, self.entries, config, progress, run)
        self.cache = DigestCache(layout.digests)
        refuse_other_source(before or {}, config, layout, self.entries, self.cache)
        unknown = sorted(excluded - every, key=id_order_key)
        if unknown:
            progress.say(f"exclude: the source has none of these {len(unknown)}: {named(unknown)}")
        for note in chosen.notes(config.like):
            progress.say(note)
        self.tallies: dict[tuple[str, str | None], StageTally] = {}
        self.failures: list[Failure] = []
        self.lost: set[str] = set()
        self.summary = BuildSummary(
            source=self.source.name,
            characters=len(self.entries),
            lacking=chosen.lacking,
            allowed_failures=config.allowed_failures(len(self.entries)),
        )

    def begin(self) -> None:
        """Take the run over: freeze its splits, and read what is on record as failed."""
        write_bytes(self.layout.splits, splits.to_json(self.splits).encode())
        write_bytes(self.layout.left_out, json.dumps(self.left_out).encode())
        self.failures = read_failures(self.layout.failures)

    def concerning(self) -> list[Failure]:
        """Failures on record of this build's characters and backends."""
        names = map(backend_name, self.config.backends)
        return concerning(self.failures, {entry.id for entry in self.entries}, set(names))

    def before(self, stage: Stage) -> list[Failure]:
        """Those of them that leave a stage nothing to start from."""
        names = {one.name for one in stage.rests_on}
        return [failure for failure in self.concerning() if failure.stage in names]

    def before_pack(self) -> list[Failure]:
        """Those of them that leave pack something out."""
        names = {stage.name for stage in character_stages(self.config)}
        return [failure for failure in self.concerning() if failure.stage in names]

    def hopeless(self) -> bool:
        """Whether more failed by now than was said to be put up with, so that nothing that follows will be packed."""
        return self.config.max_failures is not None and len(self.lost) > self.summary.allowed_failures

    def too_many(self, hint: str) -> BuildSummary:
        """What was done so far by a build of which more failed than may; `hint` says what to give --max-failures."""
        failures = self.concerning()
        of = f"{len(self.entries)} characters" if self.summary.clips is None else f"{self.summary.clips} clips"
        told = "" if not (alike := in_common(failures)) else f"; {alike}"
        return self.finished(
            stopped=f"{counted(failures)[0]} of {of} failed, {self.summary.allowed_failures} may{told}: see "
            f"{self.layout.failures}; mend them, or {hint}"
        )

    def finished(self, **more: Any) -> BuildSummary:
        """What was done so far."""
        stages = [
            StageSummary(stage, name, len(tally.made), len(tally.kept), len(tally.failed), tally.seconds)
            for (stage, name), tally in self.tallies.items()
        ]
        return replace(self.summary, stages=stages, failures=self.concerning(), **more)

    def run_stage(self, stage: CharacterStage, backend: str | None, ids: Collection[str] | None = None) -> None:
        """Do one stage of one backend, of all characters or of some.

        Artefacts of earlier stages that turn out damaged are made again, and what needed them is done after that.

        Raises:
            UsageError: if it has nothing to start from.
            SpecsiaError: if an artefact is damaged as soon as it is written.
        """
        damaged = self._attempt(stage, backend, ids)
        for earlier, found in damaged.items():
            through = backend if earlier.per_backend else None
            self.discard(earlier, None if through is None else backend_name(through), found)
            self.run_stage(earlier, through, set(found.values()))
        touched = {character_id for found in damaged.values() for character_id in found.values()}
        if damaged and (still := self._attempt(stage, backend, touched)):
            earlier, found = next(iter(still.items()))
            raise SpecsiaError(
                f"the artefacts of {earlier.name} do not stay as they are written ({named(found)}): look after the "
                f"disk of {self.layout.root}, then give the same command again"
            )

    def discard(self, stage: CharacterStage, name: str | None, keys: Collection[str]) -> None:
        """Remove artefacts that turned out damaged, so that they are made again, and say so."""
        self._say_damaged(stage, name, keys)
        for key in keys:
            discard(self.layout.artefact(stage, name, key))

    def _say_damaged(self, stage: CharacterStage, name: str | None, keys: Collection[str]) -> None:
        what = stage.name if name is None else f"{stage.name} {name}"
        self.progress.say(f"{what}: damaged and made again: {named(keys)}")

    def _attempt(
        self, stage: CharacterStage, backend: str | None, ids: Collection[str] | None
    ) -> dict[CharacterStage, dict[str, str]]:
        """Do what is planned of a stage; returns of damaged artefacts the ids, with their characters', by stage."""
        start = time.perf_counter()
        name = None if backend is None else backend_name(backend)
        entries = [entry for entry in self.entries if ids is None or entry.id in ids]
        plan = plan_stage(stage, backend, entries, self.config, self.layout, self.cache)
        known = {f.key for f in self.before(stage) if f.backend in (None, name)}
        waiting = [i for i in plan.blocked if i not in known]
        if waiting and set(plan.blocked) == {entry.id for entry in self.entries}:
            raise UsageError(
                f"{stage.name} has nothing to start from in {self.layout.root}: run `specsia build --stage "
                f"{stage.earlier[-1].name}` first"
            )
        if waiting:
            self.progress.say(
                f"{stage.name}: {len(waiting)} characters are not ready for it; run the earlier stages for them"
            )
        if plan.damaged:
            self._say_damaged(stage, name, plan.damaged)
        redone = {entry.id for entry in entries}
        here = (stage.name, name)
        self.failures = [f for f in self.failures if (f.stage, f.backend) != here or f.id not in redone]
        write_failures(self.layout.failures, self.failures)
        damaged: dict[CharacterStage, dict[str, str]] = {}
        made: set[str] = set()
        failed: set[str] = set()
        with self.progress.bar(stage.name, len(plan.tasks), unit_of(stage), name, len(plan.done)) as advance:
            for task, outcome in self._outcomes(plan):
                advance(1)
                for earlier in outcome.damaged:
                    damaged.setdefault(earlier, {})[task.key_in(earlier)] = task.entry.id
                if outcome.damaged:
                    continue
                log(self.layout, task.stage.name, task.backend_name, task.key, outcome)
                (made if outcome.reason is None else failed).add(task.key)
                if outcome.reason is not None:
                    # Not by the worker: an attempt that nobody waits for any more may fail after another succeeded.
                    discard(task.path)
                    failure = Failure(
                        task.entry.id,
                        stage.name,
                        name,
                        outcome.reason,
                        outcome.details,
                        outcome.low_quality,
                        None if task.clip is None else task.clip.id,
                    )
                    self.failures.append(failure)
                    if not failure.low_quality:
                        self.lost.add(failure.key)
                    add_failure(self.layout.failures, failure)
                    self.progress.quarantined(task.key, outcome.reason)
                if outcome.warnings:
                    self.warn(task.entry.id, outcome.warnings)
        write_failures(self.layout.failures, self.failures)
        seconds = time.perf_counter() - start
        self.progress.stage_done(StageSummary(stage.name, name, len(made), len(plan.done), len(failed), seconds))
        tally = self.tallies.setdefault((stage.name, name), StageTally())
        tally.add(made, set(plan.done), failed, seconds)
        return damaged

    def _outcomes(self, plan: StagePlan) -> Iterator[tuple[Task, Outcome]]:
        tasks = plan.tasks
        needs = needs_of(plan.stage, plan.backend, self.config)
        for index, result in self.run(perform, tasks, needs, self.hopeless):
            task, outcome = tasks[index], result
            if isinstance(outcome, Lost):
                outcome = Outcome(*on_record(task, f"{plan.stage.name} of {task.key} was lost: {outcome.reason}"))
            yield task, outcome

    def count_clips(self) -> None:
        """See how many clips there are, and so how many may fail."""
        clips = sum(1 for _ in planned(self.entries, self.layout))
        self.summary = replace(self.summary, allowed_failures=self.config.allowed_failures(clips), clips=clips)

    def warn(self, character: str, said: Sequence[str]) -> None:
        """Keep sentences about a character that was built all the same."""
        before = self.summary.warnings.get(character, ())
        self.summary.warnings[character] = found = tuple(dict.fromkeys((*before, *said)))
        self.progress.warned(len(found) - len(before))
