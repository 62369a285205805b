"""The build: plan each stage, do what is missing or stale, quarantine what fails, pack the rest."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from specsia_build.characters.character import id_order_key
from specsia_build.characters.sources import open_source
from specsia_build.config import DRAVIE, BuildConfig, backend_name
from specsia_build.dataset import splits
from specsia_build.dataset.upload import open_target, upload
from specsia_build.errors import SpecsiaError, UsageError, WriteError, some
from specsia_build.files.writing import append, write_bytes
from specsia_build.pipeline.clearing import forget
from specsia_build.pipeline.executors import Executor, Lost, Needs, open_executor
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
from specsia_build.pipeline.lock import locked
from specsia_build.pipeline.mark import claim_folder, refuse_other_source, settings_before, settled, told_before
from specsia_build.pipeline.packing import artefacts_of, not_ready, pack_plan, read_by_pack
from specsia_build.pipeline.planning import DigestCache, StagePlan, plan_stage, stages_of
from specsia_build.pipeline.progress import Progress, named, planned_rows, unit_of
from specsia_build.pipeline.recipes import finish, part_tasks, planned, write_parts
from specsia_build.pipeline.samples import write_samples
from specsia_build.pipeline.selection import excluded_ids, narrowed, select
from specsia_build.pipeline.store import DamagedError, discard, is_intact, sweep
from specsia_build.pipeline.summary import BuildSummary, StageSummary, StageTally
from specsia_build.pipeline.tasks import Outcome, Task, backend_of, needs_of, on_record, peak_mb, perform
from specsia_build.pipeline.warm import compile_once
from specsia_build.recipes.recipe import Recipe
from specsia_build.recipes.registry import folder_recipes
from specsia_build.rendering.registry import load_renderer
from specsia_build.stages import pack
from specsia_build.stages.clips import motions
from specsia_build.stages.pack import PackPlan
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import CharacterStage, Stage
from specsia_build.stages.stopwatch import Stopwatch


def _log(layout: RunLayout, stage: str, backend: str | None, character_id: str, outcome: Outcome) -> None:
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


class _Build:
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
            self._discard(earlier, None if through is None else backend_name(through), found)
            self.run_stage(earlier, through, set(found.values()))
        touched = {character_id for found in damaged.values() for character_id in found.values()}
        if damaged and (still := self._attempt(stage, backend, touched)):
            earlier, found = next(iter(still.items()))
            raise SpecsiaError(
                f"the artefacts of {earlier.name} do not stay as they are written ({named(found)}): look after the "
                f"disk of {self.layout.root}, then give the same command again"
            )

    def _discard(self, stage: CharacterStage, name: str | None, keys: Collection[str]) -> None:
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
                _log(self.layout, task.stage.name, task.backend_name, task.key, outcome)
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
                    self._warn(task.entry.id, outcome.warnings)
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

    def pack_clips(self) -> BuildSummary:
        """Pack clips by every recipe, unless too many failed.

        Raises:
            UsageError: if there are none.
            SpecsiaError: if something cannot be written.
        """
        assert self.config.clips is not None
        if self.summary.clips is None:
            self.count_clips()
        if not self.summary.clips:
            return self.finished(stopped="no character has a clip: its failure or warning says why")
        failures = self.before_pack()
        lost, _ = counted(failures)
        if lost > self.summary.allowed_failures:
            return self.too_many(f"go on without them with --max-failures {lost}")
        stopped: list[str] = []
        for recipe in folder_recipes(self.config.clips.recipes):
            stopped += self._write_recipe(recipe, failures)
        summary = self.pack() if DRAVIE in self.config.clips.recipes else self.finished()
        return replace(summary, stopped="; ".join([*filter(None, [summary.stopped]), *stopped]) or None)

    def _write_recipe(self, recipe: Recipe, failures: Sequence[Failure]) -> list[str]:
        """Write the parts of a recipe; returns what could not be written and why."""
        start = time.perf_counter()
        config, layout = self.config, self.layout
        for _ in range(2):
            tasks, missed = part_tasks(recipe, config, layout, self.entries, self.cache, failures, self.splits)
            if missed:
                return [
                    f"{len(missed)} clips or characters are neither drawn up to date nor on record as failed "
                    f"({named(missed)}): run `specsia clips --out {layout.root}` with all its stages"
                ]
            outcome = write_parts(tasks, self.run, Needs(config.timeout), self.progress)
            if not outcome.damaged:
                break
            for task, stage, clip in outcome.damaged:
                self._discard(stage, task.backend, [clip])
            for stage, backend in stages_of(config, character_stages(config)):
                self.run_stage(stage, backend)
        for character, said in outcome.left_out.items():
            self._warn(character, said)
        count = finish(recipe, tasks, config, self.source.name, len(self.entries), failures, self.progress)
        seconds = time.perf_counter() - start
        done = StageSummary(recipe.name, None, outcome.made, count - outcome.made, len(outcome.faults), seconds)
        self.progress.stage_done(done)
        self.summary = replace(self.summary, recipes={**(self.summary.recipes or {}), recipe.name: count})
        if not outcome.faults:
            return [] if count else [f"there is nothing of {recipe.name} to pack: the warnings say why"]
        more = f" (and {len(outcome.faults) - 1} more such)" if len(outcome.faults) > 1 else ""
        return [f"{outcome.faults[0]}{more}; the other parts are written"]

    def _warn(self, character: str, said: Sequence[str]) -> None:
        before = self.summary.warnings.get(character, ())
        self.summary.warnings[character] = found = tuple(dict.fromkeys((*before, *said)))
        self.progress.warned(len(found) - len(before))

    def pack(self) -> BuildSummary:
        """Pack what is built, unless too much failed or is missing; artefacts that turn out damaged are made again.

        Raises:
            UsageError: if a backend has made nothing.
            SpecsiaError: if the dataset cannot be written.
        """
        try:
            return self._pack()
        except DamagedError:
            self._heal()
        return self._pack()

    def _heal(self) -> None:
        """Make every damaged artefact that pack would read again, and what follows from it."""
        wanted = read_by_pack(self._pack_plan())
        where = [(self.layout.artefact(*one), one[2]) for one in wanted]
        damaged: dict[tuple[CharacterStage, str | None], set[str]] = {}
        with self.progress.bar("check", len(wanted)) as advance:
            for index, intact in self.run(is_intact, where, Needs(self.config.timeout)):
                advance(1)
                if intact is False:
                    stage, name, character_id = wanted[index]
                    damaged.setdefault((stage, name), set()).add(character_id)
        for (stage, name), ids in damaged.items():
            self._discard(stage, name, ids)
        again = None if self.config.clips is not None else set().union(*damaged.values())
        for stage, backend in stages_of(self.config, character_stages(self.config)):
            self.run_stage(stage, backend, again)

    def _pack_plan(self) -> PackPlan:
        config, layout, failures = self.config, self.layout, self.before_pack()
        return pack_plan(config, layout, self.source.name, self.entries, self.cache, failures, self.splits)

    def _pack(self) -> BuildSummary:
        start = time.perf_counter()
        config, layout, failures = self.config, self.layout, self.before_pack()
        ids = {entry.id for entry in self.entries}
        for name in map(backend_name, config.backends):
            if len(ids) == len({f.id for f in failures if f.backend in (None, name) and f.clip is None}):
                who = f"all {len(ids)} characters are" if len(ids) > 1 else "the only character is"
                return self.finished(
                    stopped=f"{who} quarantined, so there is nothing of {name} to pack: see {layout.failures}"
                )
        lost, _ = counted(failures)
        if lost > self.summary.allowed_failures:
            return self.too_many(f"go on without them with --max-failures {lost}")
        plan = self._pack_plan()
        for name, missed in not_ready(plan, failures).items():
            return self.finished(
                stopped=f"{len(missed)} of {len(ids)} characters of {name} are neither built up to date nor on record "
                f"as failed ({named(missed)}), so no dataset is written without them: run `specsia build --out "
                f"{layout.url or layout.root}` with all its stages"
            )
        total = sum(len(found) for found in plan.members.values())
        rows = {name: sum(one.rows for one in found) for name, found in plan.members.items()}
        kept = pack.packed_fingerprint(layout.dataset) == pack.plan_fingerprint(plan)
        if not kept:
            watch = Stopwatch()
            with self.progress.bar(pack.STAGE.name, total) as advance, watch.part("pack"):
                found = pack.pack(plan, artefacts_of(layout, config), layout.dataset, advance)
            if found.foreign:
                self.progress.say(f"kept in {layout.dataset}, as it is not of the dataset: {named(found.foreign)}")
            if found.kept:
                self.progress.say(f"pack: {found.written} shards written, {found.kept} kept as they were")
            taken = time.perf_counter() - start
            _log(layout, pack.STAGE.name, None, "", Outcome(seconds=taken, parts=watch.seconds, peak_mb=peak_mb()))
        else:
            with self.progress.bar(pack.STAGE.name, 0, kept=total):
                pass
        seconds = time.perf_counter() - start
        done = StageSummary(pack.STAGE.name, None, 0 if kept else total, total if kept else 0, 0, seconds)
        self.progress.stage_done(done)
        if layout.remote_dataset is not None:
            self._send(layout.remote_dataset)
        summary = self.finished(rows=rows, dataset=layout.remote_dataset or layout.dataset)
        return replace(summary, stages=[*summary.stages, done])

    def _send(self, url: str) -> None:
        """Send the packed dataset to a URL."""
        start = time.perf_counter()
        files = sum(path.is_file() for path in self.layout.dataset.rglob("*")) - 1
        with self.progress.bar("upload", files, "file") as advance:
            found = upload(self.layout.dataset, open_target(url), self.layout.uploaded, advance)
        self.progress.say(
            f"{'upload':<20} {found.sent} files ({found.bytes / 1e6:,.1f} MB) sent, {found.copied} renamed, "
            f"{found.kept} there already, in {time.perf_counter() - start:.1f} s"
        )
        if found.spared:
            self.progress.say(f"upload: {some(found.spared)} of {url} were sent by no build and stay there")


def build(
    config: BuildConfig, layout: RunLayout, stages: Sequence[str], fresh: bool, progress: Progress
) -> BuildSummary:
    """Run stages of a build in their order.

    Args:
        config: effective settings.
        layout: where the run is kept.
        stages: names of those to run.
        fresh: forget what the folder holds of an earlier build first.
        progress: where bars and lines go.

    Raises:
        UsageError: if a stage has nothing to start from, or the folder holds another build or anything else.
        SpecsiaError: if the build cannot go on at all.
    """
    packs = pack.STAGE.name in stages
    asked = [stage for stage in character_stages(config) if stage.name in stages]
    renderer = load_renderer(config.renderer)
    if any(stage.draws for stage in asked):
        renderer.check()
    for spec in config.backends:
        backend_of(spec)
    if layout.remote_dataset is not None:
        open_target(layout.remote_dataset)
        progress.say(f"the work is kept in {layout.root}, the dataset goes to {layout.remote_dataset}")
    if (note := claim_folder(layout, config.source)) is not None:
        progress.say(note)
    if config.executor != "local":
        # Workers of a cluster start in other folders.
        layout = replace(layout, root=layout.root.absolute())
    with locked(layout, progress.say), open_executor(config, layout, progress.say) as run:
        sweep(layout.root, deep=False)
        for folder in layout.written:
            sweep(folder)
        before = settings_before(layout)
        with settled(config, layout):
            compile_once(config, progress)
            work = _Build(config, layout, None if fresh else before, progress, run)
        for line in told_before(before, config, layout, len(work.entries), packs):
            progress.say(line)
        if fresh and (foreign := forget(layout)):
            progress.say(f"kept in {layout.root}, as no build wrote it: {named(foreign)}")
        work.begin()
        try:
            with progress.stages(planned_rows(config, asked, len(work.entries), packs)):
                for stage, backend in stages_of(config, asked):
                    work.run_stage(stage, backend)
                    if stage is motions.STAGE:
                        work.count_clips()
                    if work.hopeless():
                        return work.too_many("raise --max-failures")
                if not packs:
                    return work.finished()
                return work.pack() if config.clips is None else work.pack_clips()
        finally:
            # Only a memory of what can be computed again: what stopped the build is what is told.
            with suppress(WriteError):
                work.cache.save()
