"""What a worker does: all stages of one character, or of one of its clips, as far as they are not up to date."""

from __future__ import annotations

import resource
import sys
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig
from specsia_build.errors import MOST_SHOWN, LowQualityError, OthersError, SpecsiaError, brief
from specsia_build.files.sources import source_digest, unchanging
from specsia_build.files.writing import write_trouble
from specsia_build.memory import counting, exhausted, is_exhaustion, memory_bytes
from specsia_build.pipeline.executors import Needs
from specsia_build.pipeline.index import packed_meta, source_stamp
from specsia_build.pipeline.layout import WHY, RunLayout
from specsia_build.pipeline.plan import BLOCKED, DONE, Step, Task, backend_of, judge, warnings_of
from specsia_build.pipeline.store import DamagedError, read_artefact, seen, stamp_of, write_artefact
from specsia_build.stages.artefact import Artefact, seal
from specsia_build.stages.stage import CHOSEN, CharacterStage, Clip, DigestOf, Digests, Meta, Sources, Stopwatch


@dataclass(frozen=True)
class Phase:
    """Steps that one worker does one after the other of each character, or of each clip; `needs` of an executor."""

    steps: tuple[Step, ...]
    needs: Needs

    @property
    def per_clip(self) -> bool:
        """Whether they are done of each clip."""
        return self.steps[0][0].per_clip


def phases(steps: Sequence[Step], config: BuildConfig) -> list[Phase]:
    """Steps in as few phases as can be: those of characters before those of clips, parted where needs differ.

    What a backend holds, such as GPUs, is not held while other steps are done.
    """
    found: list[Phase] = []
    for stage, backend in sorted(steps, key=lambda step: step[0].per_clip):
        needs = _needs_of(stage, backend, config)
        last = found[-1] if found else None
        if last is None or last.per_clip != stage.per_clip or not (last.needs.plain and needs.plain):
            found.append(Phase(((stage, backend),), needs))
        else:
            together = replace(needs, timeout=last.needs.timeout + needs.timeout)
            found[-1] = Phase((*last.steps, (stage, backend)), together)
    return found


def _needs_of(stage: CharacterStage, backend: str | None, config: BuildConfig) -> Needs:
    needs = Needs(config.timeout, memory=memory_bytes(config.memory))
    if not stage.calls_backend or backend is None:
        return needs
    found = backend_of(backend)
    needs = replace(needs, timeout=max(config.timeout, float(getattr(found, "patience", 0.0))))
    if hasattr(found, "work_on"):
        needs = replace(needs, work_on=partial(work_on, backend))
    slots = getattr(found, "slots", None)
    return needs if slots is None else replace(needs, slots=max(1, int(slots)), gpus=int(getattr(found, "gpus", 1)))


def work_on(backend: str, device: str) -> None:
    """Have this process's backend work on a device and no other."""
    found: Any = backend_of(backend)
    found.work_on(device)


@dataclass(frozen=True)
class Unit:
    """Steps of one character or clip.

    Attributes:
        entry: the character.
        clip: None where the steps are of characters.
        steps: to be done.
        config, layout: of the run.
        rest: steps that are to be done once these are, since a worker was lost at one of them.
    """

    entry: Entry
    clip: Clip | None
    steps: tuple[Step, ...]
    config: BuildConfig
    layout: RunLayout
    rest: tuple[Step, ...] = ()

    def task(self, step: Step) -> Task:
        """One of its steps."""
        return Task(step[0], self.entry, step[1], self.config, self.layout, self.clip)


@dataclass(frozen=True)
class Outcome:
    """How a step went.

    Attributes:
        reason: why it failed in one sentence, or None.
        details: file or folder to look at, relative to the run, or None.
        shown: what belongs there, by name relative to the run.
        low_quality: whether it was built all the same, and is quarantined.
        damaged: earlier stages whose artefact must be made again first.
        state: of the artefact before: `plan.DONE` where nothing was done, `BLOCKED` where nothing could be.
        warnings: sentences about what was built all the same.
        seconds: wall time.
        parts: of it, by part of the work.
        peak_mb: largest resident memory of the worker so far.
        stamp: of its artefact; see `store.stamp_of`.
        meta: of its artefact, as `packed_meta` gives them.
    """

    reason: str | None = None
    details: str | None = None
    shown: Mapping[str, bytes] = field(default_factory=dict)
    low_quality: bool = False
    damaged: tuple[CharacterStage, ...] = ()
    state: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)
    peak_mb: float = 0.0
    stamp: str | None = None
    meta: bytes = b""


@dataclass(frozen=True)
class Work:
    """What became of a unit: the outcome of each step; path, stamp and digest of the source files that were read."""

    outcomes: tuple[Outcome, ...]
    read: tuple[tuple[str, str, str], ...] = ()


class _Digests:
    """Digests of source files, each read once for a unit."""

    def __init__(self) -> None:
        self.read: dict[Path, tuple[str, str, str] | None] = {}

    def __call__(self, path: Path, root: Path) -> str | None:
        if path not in self.read:
            stamp = source_stamp(path, root)
            digest = None if stamp is None else source_digest(path, root)
            self.read[path] = None if digest is None or stamp is None else (str(path), stamp, digest)
        found = self.read[path]
        return None if found is None else found[2]


Held: TypeAlias = dict[Path, Artefact]
"""Artefacts that were just made, which later steps need not read."""


def work(unit: Unit) -> Work:
    """Do the steps of a unit, passing over what is up to date; each is judged by the artefacts there are by then."""
    metas: dict[Path, tuple[bool, Meta | None]] = {}
    held: Held = {}
    digests, outcomes = _Digests(), list[Outcome]()

    def look(path: Path) -> tuple[bool, Meta | None]:
        if path not in metas:
            metas[path] = seen(path)
        return metas[path]

    for number, step in enumerate(unit.steps):
        task, state = judge(unit.task(step), look, digests)
        if state == BLOCKED:
            metas[task.path] = False, None
            outcomes.append(Outcome(state=BLOCKED))
            continue
        outcome = Outcome(state=DONE)
        if state != DONE:
            made, artefact = carry_out(task, held, digests)
            outcome = replace(made, state=state)
            metas[task.path] = artefact is not None, None if artefact is None else artefact.meta
            if artefact is not None:
                held[task.path] = artefact
                wanted = {unit.task(s).path_in(below) for s in unit.steps[number + 1 :] for below in s[0].earlier}
                held = {path: kept for path, kept in held.items() if path in wanted}
        if (meta := look(task.path)[1]) is not None:
            outcome = replace(outcome, stamp=stamp_of(task.path), meta=packed_meta(meta))
        outcomes.append(outcome)
    return Work(tuple(outcomes), tuple(read for read in digests.read.values() if read is not None))


def file_inputs(files: Iterable[Path], sources: Sources, digest_of: DigestOf = source_digest) -> Digests:
    """Digest of every file that was read or looked for in vain, by its name as seen from the sources' folder.

    What leads out of their root or is no regular file counts as not there.
    """
    return sources.digests(map(sources.name, files), digest_of)


def _make(task: Task, loaded: Mapping[CharacterStage, Artefact], watch: Stopwatch, digest_of: DigestOf) -> Artefact:
    job, stage = task.job, task.stage
    logs_to = getattr(job.backend, "logs_to", None)
    if stage.calls_backend and logs_to is not None:
        logs_to(task.layout.worker_logs)
    inputs, sources = dict(task.inputs), stage.sources(job)
    # Samples are written by who reads them first.
    with unchanging() if sources is not None and sources.sample is None else nullcontext():
        artefact, files = stage.make(job, loaded, watch)
        if sources is not None:
            with watch.part("read"):
                known = {name: digest for name, digest in inputs.items() if not name.startswith(sources.prefix)}
                inputs = {**known, **file_inputs(files, sources, digest_of)}
    artefact = replace(artefact, meta={**artefact.meta, CHOSEN: stage.made_by(job.config, job.backend)})
    return seal(artefact, stage.name, task.fingerprint(inputs), inputs)


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def failed(task: Task, reason: str, text: str | None = None) -> Outcome:
    """Outcome of a failure: the reason in one line, and text to look at, by default the reason where that is longer."""
    line = brief(reason)
    text = reason if text is None and len(line) < len(reason) else text
    if text is None:
        return Outcome(line)
    path = task.layout.details(task.stage.name, task.backend_name, task.key)
    name = path.relative_to(task.layout.root).as_posix()
    return Outcome(line, name, {name: text.encode(errors="backslashreplace")})


def _quarantined(task: Task, error: LowQualityError) -> Outcome:
    folder = task.layout.pictures(task.stage.name, task.backend_name, task.key)
    name = folder.relative_to(task.layout.root).as_posix()
    files = {**error.pictures, WHY: f"{error}\n".encode()}
    return Outcome(brief(str(error)), name, {f"{name}/{one}": data for one, data in files.items()}, low_quality=True)


def _failure(task: Task, error: Exception) -> Outcome:
    """Outcome of an exception that is the character's fault, or this program's on this character."""
    if isinstance(error, LowQualityError):
        return _quarantined(task, error)
    if (trouble := write_trouble(error)) is not None:
        raise trouble from error
    if isinstance(error, SpecsiaError) and not isinstance(error, OthersError):
        return failed(task, str(error))
    if is_exhaustion(error):
        return failed(task, exhausted(task.key))
    # The traceback is kept for a report.
    what = brief(f"{type(error).__name__}: {error}", MOST_SHOWN // 3)
    ours = f"specsia failed on {task.key} ({what}): please report it with"
    fault = f"{error}: see" if isinstance(error, OthersError) else ours
    path = task.layout.details(task.stage.name, task.backend_name, task.key).relative_to(task.layout.root)
    return failed(task, f"{fault} {path.as_posix()}", traceback.format_exc())


def carry_out(task: Task, held: Held, digest_of: DigestOf = source_digest) -> tuple[Outcome, Artefact | None]:
    """Do a task and store its artefact; a character that cannot be built gives a reason, never an exception.

    Args:
        task: with the digests of its inputs.
        held: artefacts that need not be read.
        digest_of: SHA-256 of a source file that was read or looked for.

    Raises:
        WriteError: if something cannot be written, as the next character would fail likewise.
    """
    watch, start = Stopwatch(), time.perf_counter()
    made, loaded = None, dict[CharacterStage, Artefact]()
    damaged = []
    with watch.part("load"):
        for stage in task.stage.earlier:
            path = task.path_in(stage)
            try:
                loaded[stage] = held.get(path) or read_artefact(path, task.key_in(stage))
            except DamagedError:
                damaged.append(stage)
    if damaged:
        return Outcome(damaged=tuple(damaged)), None
    try:
        with counting(task.key):
            artefact = _make(task, loaded, watch, digest_of)
        with watch.part("store"):
            made = replace(artefact, meta=write_artefact(task.path, artefact))
        outcome = Outcome(warnings=warnings_of(made.meta))
    except Exception as error:
        outcome = _failure(task, error)
    seconds = time.perf_counter() - start
    return replace(outcome, seconds=seconds, parts=watch.seconds, peak_mb=peak_mb()), made
