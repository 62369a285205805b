"""The build loop: give workers the characters that are not up to date, by phase, and record the outcomes."""

import json
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from specsia_build import terminal
from specsia_build.characters.character import Entry
from specsia_build.config import write_settings
from specsia_build.dataset import splits
from specsia_build.errors import SpecsiaError, UsageError, plural
from specsia_build.files.writing import write_bytes
from specsia_build.pipeline.executors import Executor, Lost
from specsia_build.pipeline.failures import (
    BuildSummary,
    Failure,
    Record,
    StageTally,
    concerning,
    counted,
    print_stage,
)
from specsia_build.pipeline.folder import write_mark
from specsia_build.pipeline.plan import BLOCKED, DAMAGED, DONE, CharacterState, Task, character_state, judge
from specsia_build.pipeline.run import Run, Step, steps_of
from specsia_build.pipeline.selection import Characters, duplicates_across_splits, named
from specsia_build.pipeline.store import discard
from specsia_build.pipeline.worker import Outcome, Phase, Work, WorkUnit, failed, phases, work
from specsia_build.stages.clips import motions
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import CharacterStage, Clip, Stage, character_of

Keys = dict[Step, set[str]]  # Keys of artefacts, by step


class Build:
    """A build in progress."""

    def __init__(self, run: Run, characters: Characters, execute: Executor) -> None:
        self.run, self.execute = run, execute
        self.config, self.paths = run.config, run.paths
        self.characters, self.entries = characters, characters.entries
        self.record = Record(run.paths)
        self.tallies: dict[Step, StageTally] = {}
        self._states: dict[str, CharacterState] = {}
        count = len(self.entries)
        allowed = self.config.allowed_failures(count)
        self.summary = BuildSummary(characters.source, count, allowed_failures=allowed)

    def begin(self) -> None:
        """Write the run's mark, settings and splits."""
        write_mark(self.paths, self.config.source)
        write_settings(self.config, self.paths.config)
        write_bytes(self.paths.splits, splits.to_json(self.characters.splits).encode(), lasting=True)
        write_bytes(self.paths.left_out, json.dumps(self.characters.left_out).encode())
        for note in self.characters.notes:
            terminal.say(note)

    def state_of(self, entry: Entry) -> CharacterState:
        """State of a character, cached until one of its artefacts changes."""
        if entry.id not in self._states:
            self._states[entry.id] = character_state(self.run, entry)
        return self._states[entry.id]

    def concerning(self) -> list[Failure]:
        """Failures on record of this build's characters and backends."""
        return concerning(self.record.failures, {entry.id for entry in self.entries}, self.run.backends)

    def failures_before(self, stage: Stage | None = None) -> list[Failure]:
        """Those of stages that a stage rests on, by default of all."""
        stages = character_stages(self.config) if stage is None else stage.rests_on
        names = {earlier.name for earlier in stages}
        return [failure for failure in self.concerning() if failure.stage in names]

    def over_limit(self) -> bool:
        """Whether more failed than `max_failures` allows, so that nothing will be packed."""
        is_limited = self.config.max_failures is not None
        return is_limited and len(self.record.failed_keys) > self.summary.allowed_failures

    def stopped_by_failures(self, hint: str) -> BuildSummary:
        """Summary of a build with too many failures; `hint` says which --max-failures to give."""
        failed = counted(self.concerning())[0]
        clips, allowed = self.summary.clips, self.summary.allowed_failures
        total = plural(len(self.entries), "character") if clips is None else plural(clips, "clip")
        counts = f"{failed:,} of {total} failed, {allowed:,} may"
        return self.finished(stopped=f"{counts}: see {self.paths.failures}; fix them, or {hint}")

    def finished(self, **more: Any) -> BuildSummary:
        """Summary of the build so far."""
        stages = [tally.summary(*step.name) for step, tally in self.tallies.items()]
        failures, warnings = self.concerning(), self.record.warnings
        return replace(self.summary, stages=stages, failures=failures, warnings=warnings, **more)

    def refuse_unready(self, stages: Sequence[CharacterStage]) -> None:
        """Raise UsageError if a stage has no input at all and no failure explains it."""

        def has_any(step: Step) -> bool:
            metas = (self.run.meta(step.stage, step.name[1], entry.id) for entry in self.entries)
            return any(meta is not None for meta in metas)

        for stage in stages:
            earlier = [other for other in stage.rests_on if other not in stages and not other.per_clip]
            if not self.failures_before(stage) and not all(map(has_any, steps_of(self.config, earlier))):
                problem = f"{stage.name} has nothing to start from in {self.paths.root}"
                command = f"{self.config.command} --stage {stage.earlier[-1].name}"
                raise UsageError(f"{problem}: run `{command}` first")

    def run_steps(
        self, steps: Sequence[Step], ids: Collection[str] | None = None, again: bool = False
    ) -> None:
        """Do steps of all characters, or of `ids`; damaged artefacts that they need are made `again`, once.

        Raises SpecsiaError if an artefact is damaged as soon as it is written.
        """
        finds_clips = motions.MOTIONS in {step.stage for step in steps}
        if self.config.clips is not None and ids is None and not finds_clips:
            self._count_clips()
        for phase in phases(steps, self.config):
            of_phase = {step.stage for step in phase.steps}
            if damaged := self._run_phase(phase, ids):
                if again:
                    problem = f"artefacts change after they are written ({named(_characters(damaged))})"
                    cure = f"check the disk of {self.paths.root}, then run the same command again"
                    raise SpecsiaError(f"{problem}: {cure}")
                stages = of_phase.union(*(stage.rests_on for stage in of_phase))
                self.make_again(damaged, [step for step in self.run.steps if step.stage in stages])
            if ids is None and motions.MOTIONS in of_phase:
                self._count_clips()
            if ids is None and self.over_limit():
                return

    def make_again(self, damaged: Keys, steps: Sequence[Step]) -> None:
        """Remove damaged artefacts and do steps of their characters again."""
        for step, keys in damaged.items():
            terminal.say(f"{step.label}: damaged and made again: {named(keys)}")
            for key in keys:
                discard(self.paths.artefact(step.stage, step.name[1], key))
        ids = _characters(damaged)
        for character in ids:
            self._states.pop(character, None)
        self.run_steps(steps, ids, again=True)

    def _run_phase(self, phase: Phase, ids: Collection[str] | None) -> Keys:
        entries = [entry for entry in self.entries if ids is None or entry.id in ids]
        self.record.forget(phase.steps, {entry.id for entry in entries})
        for step in phase.steps:
            self.tallies.setdefault(step, StageTally())
        attempt = _Attempt(self, phase)
        units = attempt.plan(entries)
        with ExitStack() as stack:
            for step in phase.steps:
                name, backend = step.name
                noun = "clip" if phase.per_clip else "char"
                bar = terminal.bar(name, len(units), noun, backend, attempt.kept[step])
                attempt.bars[step] = stack.enter_context(bar)
            while units:
                results = self.execute(work, units, phase.needs, self.over_limit)
                units = [rest for number, result in results for rest in attempt.take(units[number], result)]
        self.record.write()
        for character in attempt.touched:
            self._states.pop(character, None)
        for step in phase.steps if ids is None or attempt.touched else ():
            print_stage(self.tallies[step].summary(*step.name))
        return attempt.damaged

    def _count_clips(self) -> None:
        metas = (self.run.meta(motions.MOTIONS, None, entry.id) for entry in self.entries)
        clips = sum(len(motions.clips_of(meta)) for meta in metas if meta is not None)
        allowed = self.config.allowed_failures(clips)
        self.summary = replace(self.summary, allowed_failures=allowed, clips=clips)

    def collect_warnings(self) -> None:
        """Collect warnings of all characters, and sentences about equal files in different splits."""
        for entry in self.entries:
            if warnings := self.state_of(entry).warnings:
                self.record.warn(entry.id, warnings)
        self.record.log_warnings()
        doubles = duplicates_across_splits(self.entries, self.characters.splits, self.run.index.digest)
        self.summary = replace(self.summary, doubles=tuple(doubles))


def _characters(damaged: Keys) -> set[str]:
    """Ids of the characters of damaged artefacts."""
    listed = ((step.stage, key) for step, keys in damaged.items() for key in keys)
    return {character_of(key) if stage.per_clip else key for stage, key in listed}


class _Attempt:
    """A phase in progress: artefacts up to date and bars by step, damaged artefacts, characters worked on."""

    def __init__(self, build: Build, phase: Phase) -> None:
        self._build, self._phase = build, phase
        self.kept = dict.fromkeys(phase.steps, 0)
        self.bars: dict[Step, terminal.Bar] = {}
        self.damaged: Keys = {}
        self.touched: set[str] = set()

    def plan(self, entries: Sequence[Entry]) -> list[WorkUnit]:
        """Return units of the characters that are not up to date, and count the others."""
        units, apart = list[WorkUnit](), self._build.run.apart()
        for entry in entries:
            state = self._build.state_of(entry)
            if state.is_done(self._phase.steps):
                for step in self._phase.steps:
                    self._build.tallies[step].keep(state.states[step.name])
                    self.kept[step] += len(state.states[step.name])
            else:
                clips: Sequence[Clip | None] = state.clips if self._phase.per_clip else [None]
                units += [WorkUnit(apart, entry, clip, self._phase.steps) for clip in clips]
                self.touched.add(entry.id)
        return units

    def take(self, unit: WorkUnit, result: Work | Lost) -> list[WorkUnit]:
        """Record the result of a unit; returns the units to do next."""
        if isinstance(result, Lost):
            return self._lost(unit, result.reason)
        outcomes, rows = result
        for name, row in rows.items():
            self._build.run.index.learn(name, row)
        for task, outcome in zip(unit.tasks(), outcomes, strict=True):
            self._note(task, outcome)
        return []

    def _lost(self, unit: WorkUnit, reason: str) -> list[WorkUnit]:
        """Record a failure of the step at which a worker was lost.

        If several steps come into question, each gets a unit of its own, with the steps that need it.
        """
        judged = [(task, judge(task).state) for task in unit.tasks(self._build.run)]
        unfinished = [task.step for task, state in judged if state != DONE]
        suspects = [task.step for task, state in judged if state not in (DONE, BLOCKED)]
        for task, state in judged:
            if state == DONE or (state == BLOCKED and len(suspects) <= 1):
                self._note(task, Outcome(state=state))
            elif len(suspects) == 1:
                sentence = f"{task.stage.name} of {task.key} was lost: {reason}"
                self._note(task, failed(task, sentence, "worker-lost"))
        if len(suspects) <= 1:
            return []
        units = []
        for suspect in suspects:
            steps = tuple(step for step in unfinished if step == suspect or step.needs(suspect))
            units.append(replace(unit, steps=steps))
        return units

    def _note(self, task: Task, outcome: Outcome) -> None:
        build, step = self._build, task.step
        bar, tally = self.bars[step], build.tallies[step]
        for stage in outcome.damaged:
            earlier = Step(stage, step.backend if stage.per_backend else None)
            self.damaged.setdefault(earlier, set()).add(task.key_in(stage))
        if outcome.damaged or outcome.state == BLOCKED:
            bar.drop()
            return
        bar(1)
        if outcome.state == DONE:
            tally.keep([task.key])
            return
        if outcome.state == DAMAGED:
            terminal.say(f"{step.label}: damaged and made again: {task.key}")
        build.record.log(*step.name, task.key, outcome)
        tally.seconds += outcome.seconds
        tally.ends[task.key] = "built" if outcome.reason is None else "failed"
        if outcome.reason is not None:
            discard(task.path)
            clip = None if task.clip is None else task.clip.id
            details, low_quality = outcome.details, outcome.low_quality
            of_task = (task.entry.id, *step.name, outcome.reason, details, low_quality, clip)
            build.record.failed(Failure(*of_task, code=outcome.code), outcome.evidence)
