"""The build: plan each stage, do what is missing or stale, quarantine what fails, pack the rest."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from specsia_build.characters.character import Entry
from specsia_build.characters.sources import Source, open_source
from specsia_build.config import STAGES, BuildConfig, backend_name, write_settings
from specsia_build.dataset import splits
from specsia_build.dataset.upload import open_target, upload
from specsia_build.errors import SpecsiaError, UsageError, WriteError, some
from specsia_build.files import append, write_bytes, writing
from specsia_build.pipeline import warm
from specsia_build.pipeline.executors import Executor, Lost, Needs, local_executor, open_executor
from specsia_build.pipeline.failures import Failure, read_failures, write_failures
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.lock import locked
from specsia_build.pipeline.planning import DigestCache, StagePlan, plan_stage
from specsia_build.pipeline.progress import Progress
from specsia_build.pipeline.selection import select
from specsia_build.pipeline.store import read_artefact, read_meta, sweep
from specsia_build.pipeline.tasks import Outcome, backend_of, needs_of, on_record, peak_mb, perform
from specsia_build.rendering.registry import load_renderer
from specsia_build.stages import pack, project, reconstruct, render
from specsia_build.stages.artefact import Artefact
from specsia_build.stages.stopwatch import Stopwatch


@dataclass(frozen=True)
class StageSummary:
    """What one stage (of one backend) did.

    Attributes:
        made: characters built now.
        kept: characters that were up to date.
        failed: characters quarantined now.
        seconds: wall time.
    """

    stage: str
    backend: str | None
    made: int
    kept: int
    failed: int
    seconds: float


@dataclass(frozen=True)
class Summary:
    """What a build did.

    Attributes:
        source: its name.
        characters: asked for.
        stages: in the order in which they ran.
        failures: all that are on record now.
        warnings: sentences about characters that were built all the same, by id.
        lacking: ids of the dataset whose characters are wanted that the source does not have.
        allowed_failures: characters that may fail.
        rows: packed, or None where pack did not run.
        dataset: its folder or URL, or None.
        stopped: why the build stopped before its last stage, or None.
    """

    source: str
    characters: int
    stages: list[StageSummary] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    warnings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()
    allowed_failures: int = 0
    rows: int | None = None
    dataset: Path | str | None = None
    stopped: str | None = None

    @property
    def failed(self) -> int:
        """Characters on record as failed in any stage."""
        return len({failure.id for failure in self.failures})


def find_source(config: BuildConfig, layout: RunLayout, progress: Progress, run: Executor) -> Source:
    """Open the source; procedural characters that are not there yet are written by the workers."""

    def each(function: Callable[[int], None], items: Sequence[int]) -> None:
        with progress.bar("samples", len(items)) as advance:
            for _, outcome in run(function, items, Needs(config.timeout)):
                if isinstance(outcome, Lost):
                    raise SpecsiaError(f"a sample character could not be written: {outcome.reason}")
                advance(1)

    return open_source(config.source, layout.source, each)


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

    def __init__(self, config: BuildConfig, layout: RunLayout, progress: Progress, run: Executor) -> None:
        self.config, self.layout, self.progress, self.run = config, layout, progress, run
        self.source = find_source(config, layout, progress, run)
        chosen = select(config, layout, self.source.entries)
        for note in chosen.notes(config.like):
            progress.say(note)
        write_bytes(layout.splits, splits.to_json(chosen.splits).encode())
        self.entries, self.splits = chosen.entries[: config.limit], chosen.splits
        self.cache = DigestCache(layout.digests)
        self.failures = read_failures(layout.failures)
        self.summary = Summary(
            source=self.source.name,
            characters=len(self.entries),
            failures=self.failures,
            lacking=chosen.lacking,
            allowed_failures=config.allowed_failures(len(self.entries)),
        )

    def plan(self, stage: str, backend: str | None) -> StagePlan:
        return plan_stage(stage, backend, self.entries, self.config, self.layout, self.cache)

    def run_stage(self, stage: str, backend: str | None) -> None:
        """Do one stage of one backend."""
        start = time.perf_counter()
        plan = self.plan(stage, backend)
        name = None if backend is None else backend_name(backend)
        known = {f.id for f in self.failures if STAGES.index(f.stage) < STAGES.index(stage)}
        waiting = [i for i in plan.blocked if i not in known]
        if waiting and len(plan.blocked) == len(self.entries):
            earlier = STAGES[STAGES.index(stage) - 1]
            raise UsageError(
                f"{stage} has nothing to start from in {self.layout.root}: run `specsia build --stage {earlier}` first"
            )
        if waiting:
            self.progress.say(
                f"{stage}: {len(waiting)} characters are not ready for it; run the earlier stages for them"
            )
        redone = {entry.id for entry in self.entries}
        self.failures[:] = [f for f in self.failures if not (f.stage == stage and f.backend == name and f.id in redone)]
        tasks = plan.tasks
        failed = 0
        with self.progress.bar(stage if name is None else f"{stage} {name}", len(tasks)) as advance:
            for index, result in self.run(perform, tasks, needs_of(stage, backend, self.config)):
                task = tasks[index]
                outcome = result
                if isinstance(outcome, Lost):
                    outcome = Outcome(*on_record(task, f"{stage} of {task.entry.id} was lost: {outcome.reason}"))
                _log(self.layout, task.stage, task.backend_name, task.entry.id, outcome)
                if outcome.reason is not None:
                    # Not by the worker: an attempt that nobody waits for any more may fail after another succeeded.
                    task.path.unlink(missing_ok=True)
                    failed += 1
                    failure = Failure(task.entry.id, stage, name, outcome.reason, outcome.details)
                    self.failures.append(failure)
                    write_failures(self.layout.failures, self.failures)
                    self.progress.say(f"quarantined {task.entry.id}: {outcome.reason}")
                if outcome.warnings:
                    self.summary.warnings[task.entry.id] = outcome.warnings
                advance(1)
        write_failures(self.layout.failures, self.failures)
        seconds = time.perf_counter() - start
        done = StageSummary(stage, name, len(tasks) - failed, len(plan.done), failed, seconds)
        self.summary.stages.append(done)
        self.progress.stage_done(done)

    def pack(self) -> Summary:
        """Pack what is built, unless too much failed."""
        start = time.perf_counter()
        summary, config, layout = self.summary, self.config, self.layout
        ids = {entry.id for entry in self.entries}
        for name in map(backend_name, config.backends):
            if ids <= {f.id for f in self.failures if f.backend in (None, name)}:
                who = f"all {len(ids)} characters are" if len(ids) > 1 else "the only character is"
                return self._stopped(f"{who} quarantined, so there is nothing of {name} to pack: see {layout.failures}")
        lost = len({f.id for f in self.failures if f.id in ids})
        if lost > summary.allowed_failures:
            reason = (
                f"{lost} of {len(ids)} characters failed, {summary.allowed_failures} may: see {layout.failures}; "
                f"mend them, or go on without them with --max-failures {lost}"
            )
            return self._stopped(reason)
        plan_ = pack_plan(config, layout, self.source.name, self.entries, self.cache, self.failures, self.splits)
        for name, missed in _not_ready(plan_, self.entries, self.failures).items():
            self.progress.say(f"pack: {missed} characters of {name} are not built up to date and left out")
        total = sum(len(found) for found in plan_.members.values())
        kept = pack.packed_fingerprint(layout.dataset) == pack.fingerprint(plan_)
        if not kept:
            watch = Stopwatch()
            with self.progress.bar("pack", total) as advance, watch.part("pack"):
                found = pack.pack(plan_, artefacts_of(layout), layout.dataset, advance)
            if found.kept:
                self.progress.say(f"pack: {found.written} shards written, {found.kept} kept as they were")
            seconds = time.perf_counter() - start
            _log(layout, pack.NAME, None, "", Outcome(seconds=seconds, parts=watch.seconds, peak_mb=peak_mb()))
        done = StageSummary("pack", None, 0 if kept else total, total if kept else 0, 0, time.perf_counter() - start)
        summary.stages.append(done)
        self.progress.stage_done(done)
        dataset = layout.remote_dataset or layout.dataset
        if layout.remote_dataset is not None:
            self._send(layout.remote_dataset)
        return Summary(**{**vars(summary), "rows": total * config.views, "dataset": dataset})

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

    def _stopped(self, reason: str) -> Summary:
        return Summary(**{**vars(self.summary), "stopped": reason})


def artefacts_of(layout: RunLayout) -> pack.Artefacts:
    """Where a run keeps what pack reads."""

    def load(stage: str, character_id: str, name: str | None) -> Artefact:
        return read_artefact(layout.artefact(stage, name, character_id), character_id)

    def meta(stage: str, character_id: str, name: str | None) -> pack.Meta:
        path = layout.artefact(stage, name, character_id)
        found = read_meta(path)
        if found is None:
            raise SpecsiaError(f"the artefact {path} cannot be read: delete it and build again")
        return found

    return pack.Artefacts(load, meta)


def pack_plan(
    config: BuildConfig,
    layout: RunLayout,
    source: str,
    entries: Sequence[Entry],
    cache: DigestCache,
    failures: Sequence[Failure] = (),
    split_of: Mapping[str, str] | None = None,
) -> pack.PackPlan:
    """What pack would write now: every character whose artefacts are up to date.

    Raises:
        UsageError: if a backend has none.
    """
    ids = {entry.id for entry in entries}
    members, seen = {}, []
    read = artefacts_of(layout).meta
    for spec in config.backends:
        name = backend_name(spec)
        done = plan_stage(project.NAME, spec, entries, config, layout, cache).done
        if not done:
            raise UsageError(f"pack has nothing of {name} to pack: run `specsia build --stage project` first")
        members[name] = [pack.member(i, name, read(render.NAME, i, None), read(project.NAME, i, name)) for i in done]
        if backend_of(spec).sees_ground_truth:
            seen.append(name)
    lost = {name: len({f.id for f in failures if (f.backend or "") == name and f.id in ids}) for name in ("", *members)}
    return pack.PackPlan(
        config=config,
        source=source,
        planned=len(entries),
        splits=splits.assign(ids, {}) if split_of is None else split_of,
        members=members,
        quarantined={name: count for name, count in lost.items() if count},
        sees_ground_truth=seen,
    )


def _not_ready(plan: pack.PackPlan, entries: Sequence[Entry], failures: Sequence[Failure]) -> dict[str, int]:
    """Characters per backend that are neither packed nor on record as failed."""
    missed = {}
    for name, members in plan.members.items():
        excused = {f.id for f in failures if f.backend in (None, name)} | {one.id for one in members}
        missed[name] = sum(entry.id not in excused for entry in entries)
    return {name: count for name, count in missed.items() if count}


def build(config: BuildConfig, layout: RunLayout, stages: Sequence[str], fresh: bool, progress: Progress) -> Summary:
    """Run stages of a build in their order.

    Args:
        config: effective settings.
        layout: where the run is kept.
        stages: names from `STAGES`.
        fresh: forget all that the folder holds of an earlier build first.
        progress: where bars and lines go.

    Raises:
        UsageError: if a stage has nothing to start from, or the folder holds another build.
        SpecsiaError: if the build cannot go on at all.
    """
    renderer = load_renderer(config.renderer)
    if {render.NAME, project.NAME} & set(stages):
        renderer.check()
    for spec in config.backends:
        backend_of(spec)
    if layout.remote_dataset is not None:
        open_target(layout.remote_dataset)
        progress.say(f"the work is kept in {layout.root}, the dataset goes to {layout.remote_dataset}")
    with writing(layout.root):
        layout.root.mkdir(parents=True, exist_ok=True)
    if config.executor != "local":
        # Workers of a cluster start in other folders.
        layout = replace(layout, root=layout.root.absolute())
    with locked(layout, progress.say), open_executor(config, layout, progress.say) as run:
        if fresh:
            forget(layout)
        sweep(layout.root, deep=False)
        for folder in layout.written:
            sweep(folder)
        _compile_once(config, progress)
        work = _Build(config, layout, progress, run)
        write_settings(config, layout.config)
        write_bytes(layout.limit, json.dumps(config.limit).encode())
        work_of: dict[str, list[str | None]] = {
            render.NAME: [None],
            reconstruct.NAME: list(config.backends),
            project.NAME: list(config.backends),
        }
        try:
            for stage in STAGES:
                if stage not in stages:
                    continue
                if stage == pack.NAME:
                    return work.pack()
                for backend in work_of[stage]:
                    work.run_stage(stage, backend)
        finally:
            # Only a memory of what can be computed again: what stopped the build is what is told.
            with suppress(WriteError):
                work.cache.save()
        return work.summary


def _compile_once(config: BuildConfig, progress: Progress) -> None:
    """Fill the cache of compiled code where it is empty; a part that fails will say so when it is used."""
    if warm.DONE.exists():
        return
    progress.say("compiling, once: the next build starts at once")
    with progress.bar("compile", len(warm.PARTS)) as advance:
        for _ in local_executor(config)(warm.compile_part, warm.PARTS, Needs(config.timeout)):
            advance(1)
    warm.DONE.touch()


def forget(layout: RunLayout) -> None:
    """Remove what an earlier build left in the folder; procedural characters stay."""
    for folder in (layout.artefacts, layout.dataset, layout.root / "quarantine", layout.root / "logs"):
        shutil.rmtree(folder, ignore_errors=True)
    for path in (layout.config, layout.splits, layout.failures, layout.report):
        path.unlink(missing_ok=True)
