"""The build loop: what is not up to date goes to workers, phase by phase, and what became of it is recorded."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from specsia_build.characters.character import Entry
from specsia_build.config import write_settings
from specsia_build.dataset import splits
from specsia_build.errors import SpecsiaError, UsageError, plural
from specsia_build.files.writing import write_bytes
from specsia_build.pipeline.disk import refuse_full_disk
from specsia_build.pipeline.executors import Executor, Lost
from specsia_build.pipeline.failures import Failure, Record, concerning, counted
from specsia_build.pipeline.folder import write_mark
from specsia_build.pipeline.plan import BLOCKED, DAMAGED, DONE, Run, Standing, Step, judge, name_of, standing, steps_of
from specsia_build.pipeline.progress import Progress, StageTally, named, unit_of
from specsia_build.pipeline.selection import Characters, parted_doubles
from specsia_build.pipeline.store import discard
from specsia_build.pipeline.summary import BuildSummary
from specsia_build.pipeline.worker import Outcome, Phase, Unit, Work, failed, phases, work
from specsia_build.stages.clips import draw, motions
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import CharacterStage, Clip, Meta, Stage, character_of
from specsia_build.terminal.progress import Bar


class Build:
    """One build under way.

    Attributes:
        run: see `Run`.
        characters: that it is about.
        record: of failures, warnings and times.
        execute: hands work to workers.
        summary: of what is known so far.
    """

    def __init__(self, run: Run, characters: Characters, progress: Progress, execute: Executor) -> None:
        self.run, self.characters, self.progress, self.execute = run, characters, progress, execute
        self.entries, self.config, self.layout = characters.entries, run.config, run.layout
        self.record = Record(run.layout, progress)
        self.tallies: dict[Step, StageTally] = {}
        self._standing: dict[str, Standing] = {}
        self.summary = BuildSummary(
            source=characters.source,
            characters=len(self.entries),
            lacking=characters.absent if self.config.like is not None else (),
            allowed_failures=self.config.allowed_failures(len(self.entries)),
        )

    def begin(self) -> None:
        """Take the run over: write its mark, settings and splits."""
        write_mark(self.layout, self.config.source)
        write_settings(self.config, self.layout.config)
        write_bytes(self.layout.splits, splits.to_json(self.characters.splits).encode(), lasting=True)
        write_bytes(self.layout.left_out, json.dumps(self.characters.left_out).encode())
        for note in self.characters.notes(self.run):
            self.progress.say(note)

    def standing(self, entry: Entry) -> Standing:
        """What the run holds of a character; looked at once, and again after work on it."""
        if entry.id not in self._standing:
            self._standing[entry.id] = standing(self.run, entry)
        return self._standing[entry.id]

    def failures_before(self, stage: Stage | None = None) -> list[Failure]:
        """Failures of this build's characters and backends that leave a stage, or pack, something out."""
        names = {one.name for one in (character_stages(self.config) if stage is None else stage.rests_on)}
        return [failure for failure in self.concerning() if failure.stage in names]

    def concerning(self) -> list[Failure]:
        """Failures on record of this build's characters and backends."""
        return concerning(self.record.failures, {entry.id for entry in self.entries}, set(self.run.backends))

    def hopeless(self) -> bool:
        """Whether more failed by now than may, so that nothing will be packed."""
        return self.config.max_failures is not None and len(self.record.lost) > self.summary.allowed_failures

    def too_many(self, hint: str) -> BuildSummary:
        """Summary of a build of which more failed than may; `hint` says what to give --max-failures."""
        failed, clips, allowed = counted(self.concerning())[0], self.summary.clips, self.summary.allowed_failures
        of = plural(len(self.entries), "character") if clips is None else plural(clips, "clip")
        return self.finished(
            stopped=f"{failed:,} of {of} failed, {allowed:,} may: see {self.layout.failures}; fix them, or {hint}"
        )

    def finished(self, **more: Any) -> BuildSummary:
        """Summary of what was done so far."""
        stages = [tally.summary(*name_of(step)) for step, tally in self.tallies.items()]
        said = {"warnings": self.record.warnings, "failures": self.concerning(), **more}
        return replace(self.summary, stages=stages, **said)

    def run_steps(self, steps: Sequence[Step], ids: Collection[str] | None = None, again: bool = False) -> None:
        """Do steps of all characters or of some; damaged artefacts that they need are made `again`, once.

        Raises:
            UsageError: if a step has nothing to start from.
            SpecsiaError: if an artefact is damaged as soon as it is written.
        """
        if self.config.clips is not None and ids is None and not _finds_clips(steps):
            self.count_clips()
        for phase in phases(steps, self.config):
            if ids is None and any(stage is draw.STAGE for stage, _ in phase.steps):
                refuse_full_disk(self.config, self.layout, self._clips())
            if damaged := self._run_phase(phase, ids):
                if again:
                    raise SpecsiaError(
                        f"artefacts do not stay as they are written ({named(_spoilt(damaged))}): look after the "
                        f"disk of {self.layout.root}, then give the same command again"
                    )
                below = {one for stage, _ in phase.steps for one in (*stage.rests_on, stage)}
                self.make_again(damaged, [step for step in self.run.steps if step[0] in below])
            if ids is None and _finds_clips(phase.steps):
                self.count_clips()
            if ids is None and self.hopeless():
                return

    def make_again(self, damaged: Mapping[Step, Collection[str]], steps: Sequence[Step]) -> None:
        """Remove damaged artefacts, given by step and key, and do steps of their characters."""
        for step, keys in damaged.items():
            self.progress.say(f"{_label(step)}: damaged and made again: {named(keys)}")
            for key in keys:
                discard(self.layout.artefact(step[0], name_of(step)[1], key))
        ids = set(_spoilt(damaged))
        for character in ids:
            self._standing.pop(character, None)
        self.run_steps(steps, ids, again=True)

    def _run_phase(self, phase: Phase, ids: Collection[str] | None) -> dict[Step, set[str]]:
        """Do what there is to do of a phase; returns the keys of damaged artefacts by step."""
        entries = [entry for entry in self.entries if ids is None or entry.id in ids]
        self.record.forget(phase.steps, {entry.id for entry in entries})
        attempt = _Attempt(self, phase)
        units = attempt.plan(entries)
        with attempt.bars(len(units)):
            while units:
                results = self.execute(work, units, phase.needs, self.hopeless)
                units = [rest for number, result in results for rest in attempt.take(units[number], result)]
        self.record.write()
        for character in attempt.touched:
            self._standing.pop(character, None)
        self._say_waiting(attempt)
        for step, tally in attempt.tallies.items():
            self.tallies.setdefault(step, StageTally()).add(tally)
            self.progress.stage_done(tally.summary(*name_of(step)), again=ids is not None)
        return attempt.damaged

    def _say_waiting(self, attempt: _Attempt) -> None:
        """Say how many characters a stage has nothing to start from, where no failure says why."""
        for (stage, _), blocked in attempt.blocked.items():
            known = {key for failure in self.failures_before(stage) for key in (failure.id, failure.key)}
            if waiting := [key for key, character in blocked.items() if not known & {key, character}]:
                count = plural(len(waiting), "character")
                self.progress.say(f"{stage.name}: {count} not ready for it; run the earlier stages for all")

    def refuse_unready(self, stages: Sequence[CharacterStage]) -> None:
        """Check that each of some stages has anything to start from.

        Raises:
            UsageError: if one has not, and no failure says why.
        """
        for stage in stages:
            below = [one for one in stage.rests_on if one not in stages and not one.per_clip]
            if not self.failures_before(stage) and not all(map(self._holds_any, steps_of(self.config, below))):
                raise UsageError(
                    f"{stage.name} has nothing to start from in {self.layout.root}: run `{self.config.command} "
                    f"--stage {stage.earlier[-1].name}` first"
                )

    def _holds_any(self, step: Step) -> bool:
        return any(self.run.meta(step[0], name_of(step)[1], entry.id) is not None for entry in self.entries)

    def _motions(self) -> list[Meta]:
        """What is known of the motions of each character that has any."""
        found = (self.run.meta(motions.STAGE, None, entry.id) for entry in self.entries)
        return [meta for meta in found if meta is not None]

    def _clips(self) -> list[Clip]:
        return [clip for meta in self._motions() for clip in motions.clips_of(meta)]

    def count_clips(self) -> None:
        """Count the clips, and so how many may fail; name patterns of --clip that fit no character."""
        metas, clips = self._motions(), len(self._clips())
        self.summary = replace(self.summary, allowed_failures=self.config.allowed_failures(clips), clips=clips)
        patterns = () if self.config.clips is None else self.config.clips.patterns
        unheard = [motions.unheard_of(meta) for meta in metas] if patterns else []
        nobodys = [pattern for pattern in patterns if unheard and all(pattern in names for names in unheard)]
        # Where none is anybody's, each character has a warning that lists what there is.
        for pattern in nobodys if len(nobodys) < len(patterns) else ():
            self.progress.say(f"--clip '{pattern}' names no motion of any character, so there is no clip of it")

    def tell_all(self) -> None:
        """Collect warnings of what is up to date, and name files or shapes that lie in several splits."""
        for entry in self.entries:
            done = self.standing(entry)
            if done.warnings:
                self.record.warn(entry.id, done.warnings)
        digests = self.run.index.digests
        shapes = {entry.id: self.standing(entry).shape for entry in self.entries}
        doubles = parted_doubles(self.entries, self.characters.splits, digests, lambda entry: shapes[entry.id])
        self.summary = replace(self.summary, doubles=tuple(doubles))


def _finds_clips(steps: Sequence[Step]) -> bool:
    return any(stage is motions.STAGE for stage, _ in steps)


def _label(step: Step) -> str:
    return " ".join(filter(None, name_of(step)))


def _spoilt(damaged: Mapping[Step, Collection[str]]) -> list[str]:
    """Ids of the characters of damaged artefacts."""
    return [character_of(key) if step[0].per_clip else key for step, keys in damaged.items() for key in keys]


class _Attempt:
    """A phase under way.

    Attributes:
        tallies: by step.
        blocked: by step the keys of what had nothing to start from, each with its character's id.
        damaged: by step the keys of damaged artefacts.
        touched: ids of the characters that were worked on.
    """

    def __init__(self, task: Build, phase: Phase) -> None:
        self._build, self._record, self._phase = task, task.record, phase
        self.tallies = {step: StageTally() for step in phase.steps}
        self.blocked: dict[Step, dict[str, str]] = {step: {} for step in phase.steps}
        self.damaged: dict[Step, set[str]] = {}
        self.touched: set[str] = set()
        self._bars: dict[Step, Bar] = {}

    def plan(self, entries: Sequence[Entry]) -> list[Unit]:
        """What workers are to do of some characters; what is up to date is counted."""
        run, units = self._build.run, list[Unit]()
        for entry in entries:
            there = self._build.standing(entry)
            if there.is_done(self._phase.steps):
                for step in self._phase.steps:
                    self.tallies[step].kept.update(there.states[name_of(step)])
                continue
            clips: Sequence[Clip | None] = [None]
            if self._phase.per_clip:
                if run.meta(motions.STAGE, None, entry.id) is None:
                    for blocked in self.blocked.values():
                        blocked[entry.id] = entry.id
                    continue
                clips = there.clips
            for clip in clips:
                units.append(Unit(entry, clip, self._phase.steps, run.config, run.layout))
            self.touched.add(entry.id)
        return units

    @contextmanager
    def bars(self, units: int) -> Iterator[None]:
        """Show how far each step is."""
        with ExitStack() as stack:
            for step, tally in self.tallies.items():
                name, backend = name_of(step)
                bar = self._build.progress.bar(name, units, unit_of(step[0]), backend, len(tally.kept))
                self._bars[step] = stack.enter_context(bar)
            yield

    def take(self, unit: Unit, result: Work | Lost) -> list[Unit]:
        """Record what became of a unit; returns what is to be done of it next."""
        if isinstance(result, Lost):
            return self._lost(unit, result.reason)
        for step, outcome in zip(unit.steps, result.outcomes, strict=True):
            self._note(unit, step, outcome)
        for read in result.read:
            self._build.run.index.learn_digest(*read)
        gone = [
            step for step, one in zip(unit.steps, result.outcomes, strict=True) if one.reason or one.state == BLOCKED
        ]
        return self._rest(unit, gone, unit.rest)

    def _lost(self, unit: Unit, reason: str) -> list[Unit]:
        """Plan a unit again whose worker was lost: by what is on disk, the first step that is not done is to blame.

        Where steps that do not rest on that one are left, it may have failed by itself before one of them was lost: it
        is then tried alone.
        """
        index = self._build.run.index
        states = {step: judge(unit.task(step), index.seen, index.digest)[1] for step in unit.steps}
        left = [step for step in unit.steps if states[step] != DONE]
        first = next((step for step in left if states[step] != BLOCKED), None)
        for step in unit.steps:
            if states[step] == DONE:
                self._note(unit, step, Outcome(state=DONE))
        if first is None:
            return self._rest(unit, left, (*left, *unit.rest))
        others = tuple(step for step in left if step != first)
        if any(not _rests(step, first) for step in others):
            return [replace(unit, steps=(first,), rest=(*others, *unit.rest))]
        task = unit.task(first)
        self._note(unit, first, failed(task, f"{task.stage.name} of {task.key} was lost: {reason}"))
        return self._rest(unit, [first], (*others, *unit.rest))

    def _rest(self, unit: Unit, gone: Sequence[Step], rest: Sequence[Step]) -> list[Unit]:
        """What is left of a unit, without what rests on steps that are gone."""
        blocked = [step for step in rest if any(_rests(step, one) for one in gone)]
        for step in blocked:
            self._note(unit, step, Outcome(state=BLOCKED))
        steps = tuple(step for step in rest if step not in blocked)
        return [replace(unit, steps=steps, rest=())] if steps else []

    def _note(self, unit: Unit, step: Step, outcome: Outcome) -> None:
        """Record how a step of a unit went."""
        build, record, tally, bar = self._build, self._record, self.tallies[step], self._bars[step]
        task = unit.task(step)
        if outcome.stamp is not None:
            build.run.index.learn(task.path, outcome.stamp, outcome.meta)
        if outcome.state == BLOCKED or outcome.damaged:
            bar.drop()
            for stage in outcome.damaged:
                through = task.backend if stage.per_backend else None
                self.damaged.setdefault((stage, through), set()).add(task.key_in(stage))
            if outcome.state == BLOCKED and unit.entry.id not in _spoilt(self.damaged):
                self.blocked[step][task.key] = unit.entry.id
            return
        if outcome.state == DONE:
            bar.keep()
            tally.kept.add(task.key)
            return
        bar(1)
        if outcome.state == DAMAGED:
            build.progress.say(f"{_label(step)}: damaged and made again: {task.key}")
        record.log(*name_of(step), task.key, outcome)
        tally.seconds += outcome.seconds
        (tally.made if outcome.reason is None else tally.failed).add(task.key)
        if outcome.reason is not None:
            discard(task.path)
            clip = None if task.clip is None else task.clip.id
            details, looks = outcome.details, outcome.low_quality
            record.failed(Failure(unit.entry.id, *name_of(step), outcome.reason, details, looks, clip), outcome.shown)
        if outcome.warnings:
            record.warn(unit.entry.id, outcome.warnings)


def _rests(step: Step, on: Step) -> bool:
    """Whether a step rests on another."""
    return on[0] in step[0].rests_on and on[1] in (None, step[1])
