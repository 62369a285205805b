"""One segment of a build under way: what workers tell is counted and put on record as it comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from specsia_build.pipeline.chain import Segment, Step, Unit, name_of
from specsia_build.pipeline.executors import Lost
from specsia_build.pipeline.failures import Failure
from specsia_build.pipeline.progress import Progress, unit_of
from specsia_build.pipeline.record import Record
from specsia_build.pipeline.settling import Settlement
from specsia_build.pipeline.summary import StageTally
from specsia_build.pipeline.tasks import Outcome, failed
from specsia_build.terminal.drawing import Bar

Damaged = dict[Step, dict[str, str]]
"""Of damaged artefacts by step the keys, each with its character's id."""


class Attempt:
    """What became of a segment's units so far.

    Attributes:
        tallies: by step.
        blocked: by step the keys of what had nothing to start from, each with its character's id.
        damaged: see `Damaged`.
    """

    def __init__(self, segment: Segment, record: Record, settled: Mapping[str, Sequence[str]]) -> None:
        """`settled` has the clips of the characters of which nothing is left to do."""
        self._record = record
        self.tallies = {step: StageTally() for step in segment.steps}
        self.blocked: dict[Step, dict[str, str]] = {step: {} for step in segment.steps}
        self.damaged: Damaged = {}
        self._bars: dict[Step, Bar] = {}
        for tally in self.tallies.values():
            tally.kept.update(*settled.values() if segment.per_clip else [settled])

    @contextmanager
    def bars(self, progress: Progress, units: int) -> Iterator[None]:
        """Shows how far each step is."""
        with ExitStack() as stack:
            for step, tally in self.tallies.items():
                name, backend = name_of(step)
                bar = progress.bar(name, units, unit_of(step[0]), backend, len(tally.kept))
                self._bars[step] = stack.enter_context(bar)
            yield

    def block(self, character_id: str) -> None:
        """Say that there is no list of a character's clips."""
        for found in self.blocked.values():
            found[character_id] = character_id

    def take(self, unit: Unit, result: Any) -> Unit | None:
        """Put on record what became of a unit, from `do_unit` or `Lost`; gives what is left to be done of it.

        A step that rests on one that failed is not.
        """
        given = result.given if isinstance(result, Lost) else result
        outcomes = [one for one in given if isinstance(one, Outcome)]
        for step, outcome in zip(unit.steps, outcomes, strict=False):
            self._note(unit, step, outcome)
        for read in (one for one in given if not isinstance(one, Outcome)):
            self._record.learn_digests(read)
        number = len(outcomes)
        if number == len(unit.steps) or not isinstance(result, Lost):
            return None
        task = unit.task(unit.steps[number])
        why = f"{task.stage.name} of {task.key} was lost: {result.reason}"
        outcomes.append(failed(task, why))
        self._note(unit, unit.steps[number], outcomes[-1])
        gone = [step for step, one in zip(unit.steps, outcomes, strict=False) if one.blocked or one.reason is not None]
        rest = []
        for step in unit.steps[number + 1 :]:
            stage, backend = step
            if any(one in stage.rests_on and its in (None, backend) for one, its in gone):
                self._note(unit, step, Outcome(blocked=True))
            else:
                rest.append(step)
        return replace(unit, steps=tuple(rest)) if rest else None

    def _note(self, unit: Unit, step: Step, outcome: Outcome) -> None:
        """Put on record how a step of a unit went."""
        record, task, tally, bar = self._record, unit.task(step), self.tallies[step], self._bars[step]
        record.learn(task, outcome)
        if outcome.blocked or outcome.damaged:
            bar.drop()
            for earlier in outcome.damaged:
                through = task.backend if earlier.per_backend else None
                self.damaged.setdefault((earlier, through), {})[task.key_in(earlier)] = unit.entry.id
            if outcome.blocked and not any(unit.entry.id in found.values() for found in self.damaged.values()):
                self.blocked[step][task.key] = unit.entry.id
            return
        if outcome.kept:
            bar.keep()
            tally.kept.add(task.key)
            return
        bar(1)
        if outcome.mended:
            record.made_again(step, [task.key])
        record.log(*name_of(step), task.key, outcome)
        tally.seconds += outcome.seconds
        (tally.made if outcome.reason is None else tally.failed).add(task.key)
        if outcome.reason is not None:
            # Not by the worker: an attempt that nobody waits for any more may fail after another succeeded.
            record.discard(task.path)
            clip = None if task.clip is None else task.clip.id
            details, looks = outcome.details, outcome.low_quality
            record.failed(Failure(unit.entry.id, *name_of(step), outcome.reason, details, looks, clip), outcome.shown)
        if outcome.warnings:
            record.warn(unit.entry.id, outcome.warnings)


class Settling:
    """Remembers each character once the last of its units is done."""

    def __init__(self, settlement: Settlement, units: Sequence[Unit]) -> None:
        self._settlement = settlement
        self._left = Counter(unit.entry.id for unit in units)

    def done(self, unit: Unit) -> None:
        """One of the units is."""
        self._left[unit.entry.id] -= 1
        if not self._left[unit.entry.id]:
            self._settlement.look(unit.entry)
