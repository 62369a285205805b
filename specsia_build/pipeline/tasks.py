"""One unit of work: one stage of one character, done in a worker process."""

from __future__ import annotations

import resource
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeAlias

from specsia_build.backends.base import Backend
from specsia_build.backends.registry import load_backend
from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig, backend_name
from specsia_build.errors import MOST_SHOWN, MOST_WARNED, AwayError, LowQualityError, OthersError, SpecsiaError, brief
from specsia_build.files.sources import source_digest, unchanging
from specsia_build.files.trouble import write_trouble
from specsia_build.memory import exhausted, is_exhaustion, memory_bytes, reckoned
from specsia_build.pipeline.executors.base import Needs
from specsia_build.pipeline.layout import WHY, RunLayout
from specsia_build.pipeline.objects import Place
from specsia_build.pipeline.store import DamagedError, read_artefact, write_artefact
from specsia_build.stages.artefact import Artefact, fingerprint, seal
from specsia_build.stages.stage import CHOSEN, CharacterStage, Clip, DigestOf, Digests, Earlier, Job, Meta, Sources
from specsia_build.stages.stopwatch import Stopwatch


@dataclass(frozen=True)
class Task:
    """One stage of one character.

    Attributes:
        stage: what is to be made.
        entry: the character.
        backend: `NAME[:ARG]`, or None for a stage that is not done for each.
        config: of the build.
        layout: of the run.
        clip: None for a stage that is not done for each.
        inputs: digest of each input, for the fingerprint; those that the stage finds while it reads are its own to say.
    """

    stage: CharacterStage
    entry: Entry
    backend: str | None
    config: BuildConfig
    layout: RunLayout
    clip: Clip | None = None
    inputs: Digests = field(default_factory=dict)

    @property
    def job(self) -> Job:
        """What the stage is told."""
        return Job(self.entry, self.config, None if self.backend is None else backend_of(self.backend), self.clip)

    @property
    def backend_name(self) -> str | None:
        return None if self.backend is None else backend_name(self.backend)

    @property
    def key(self) -> str:
        """Of what the stage makes: the clip's id, or the character's."""
        return self.key_in(self.stage)

    def key_in(self, stage: CharacterStage) -> str:
        """Of what another stage made for it."""
        return self.clip.id if stage.per_clip and self.clip is not None else self.entry.id

    def path_in(self, stage: CharacterStage) -> Place:
        """Where another stage's artefact for it belongs."""
        return self.layout.artefact(stage, self.backend_name, self.key_in(stage))

    @property
    def path(self) -> Place:
        """Where the artefact belongs."""
        return self.path_in(self.stage)


@dataclass(frozen=True)
class Outcome:
    """How a task went.

    Attributes:
        reason: why it failed in one sentence, or None.
        details: file or folder to look at, relative to the run, or None.
        shown: what belongs there, by name relative to the run.
        low_quality: whether it was built all the same, and quarantined for its looks.
        damaged: earlier stages whose artefact of the character must be made again before the task can be done.
        kept: whether its artefact was up to date.
        blocked: whether it had nothing to start from.
        mended: whether its artefact was there but did not read.
        warnings: sentences about what was built all the same.
        seconds: wall time.
        parts: of it, by part of the work.
        peak_mb: largest resident memory of the worker so far.
        stamp: of its artefact; see `pipeline.index`.
        meta: of its artefact, as `packed_meta` gives them.
    """

    reason: str | None = None
    details: str | None = None
    shown: Mapping[str, bytes] = field(default_factory=dict)
    low_quality: bool = False
    damaged: tuple[CharacterStage, ...] = ()
    kept: bool = False
    blocked: bool = False
    mended: bool = False
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)
    peak_mb: float = 0.0
    stamp: str | None = None
    meta: bytes = b""


@lru_cache(maxsize=8)
def backend_of(spec: str) -> Backend:
    """The backend of a specification, made once per process."""
    return load_backend(spec)


def needs_of(stage: CharacterStage, backend: str | None, config: BuildConfig) -> Needs:
    """What a character's stage needs of an executor."""
    if not stage.calls_backend or backend is None:
        return Needs(config.timeout, memory=memory_bytes(config.memory))
    found = backend_of(backend)
    slots = getattr(found, "slots", None)
    return Needs(
        timeout=max(config.timeout, float(getattr(found, "patience", 0.0))),
        slots=None if slots is None else max(1, int(slots)),
        gpus=0 if slots is None else int(getattr(found, "gpus", 1)),
        work_on=partial(work_on, backend) if hasattr(found, "work_on") else None,
        memory=memory_bytes(config.memory),
    )


def work_on(backend: str, device: str) -> None:
    """Have this process's backend work on a device and no other."""
    found: Any = backend_of(backend)
    found.work_on(device)


def file_inputs(files: Iterable[Path], sources: Sources, digest_of: DigestOf = source_digest) -> Digests:
    """Digest of every file that was read or looked for in vain, by its name as seen from the sources' folder.

    What leads out of their root or is no regular file is as if it were not there.
    """
    return sources.digests(map(sources.name, files), digest_of)


def stage_fingerprint(task: Task, inputs: Digests) -> str:
    """Fingerprint that the task's artefact has or would have."""
    return fingerprint(task.stage.name, task.stage.version, task.stage.settings(task.job), inputs)


Held: TypeAlias = Mapping[Place, Artefact]
"""Artefacts that were just made, by where they lie."""


def _loaded(task: Task, held: Held) -> tuple[dict[CharacterStage, Artefact], tuple[CharacterStage, ...]]:
    """What earlier stages made of the character, and the stages whose artefact of it is damaged."""
    found: dict[CharacterStage, Artefact] = {}
    damaged = []
    for stage in task.stage.earlier:
        path = task.path_in(stage)
        try:
            found[stage] = held.get(path) or read_artefact(path, task.key_in(stage))
        except DamagedError:
            damaged.append(stage)
    return found, tuple(damaged)


def _make(task: Task, loaded: Earlier, watch: Stopwatch, digest_of: DigestOf) -> Artefact:
    job, stage = task.job, task.stage
    logs_to = getattr(job.backend, "logs_to", None)
    # A node that does not see the run's folder keeps no logs of its own there.
    if stage.calls_backend and logs_to is not None and task.layout.root.is_dir():
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
    return seal(artefact, stage.name, stage_fingerprint(task, inputs), inputs)


def warnings_of(meta: Meta) -> tuple[str, ...]:
    """Sentences about what was built all the same, from an artefact's meta data."""
    return tuple(brief(said, MOST_WARNED) for said in meta.get("warnings", ()))


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


Shown: TypeAlias = tuple[str, Mapping[str, bytes]]
"""File or folder to look at, and what belongs there by name, all relative to the run."""


def _details(task: Task, text: str) -> Shown:
    """What is to be looked at where words say it."""
    path = task.layout.details(task.stage.name, task.backend_name, task.key)
    name = path.relative_to(task.layout.root).as_posix()
    return name, {name: text.encode(errors="backslashreplace")}


def _pictures(task: Task, error: LowQualityError) -> Shown:
    """What shows why a character is quarantined for its looks."""
    folder = task.layout.pictures(task.stage.name, task.backend_name, task.key)
    name = folder.relative_to(task.layout.root).as_posix()
    files = {**error.pictures, WHY: f"{error}\n".encode()}
    return name, {f"{name}/{one}": data for one, data in files.items()}


def failed(task: Task, reason: str, shown: Shown | None = None) -> Outcome:
    """A task that failed: its reason as one line of at most `MOST_SHOWN` characters, a longer one to look at.

    Args:
        task: that failed.
        reason: why.
        shown: what there is to look at already.
    """
    line = brief(reason)
    if len(line) < len(reason) and shown is None:
        shown = _details(task, reason)
    details, files = (None, {}) if shown is None else shown
    return Outcome(line, details, files)


def perform(task: Task) -> Outcome:
    """How a task went; see `carry_out`."""
    return carry_out(task, {})[0]


def carry_out(task: Task, held: Held, digest_of: DigestOf = source_digest) -> tuple[Outcome, Artefact | None]:
    """Do a task and store its artefact; a character that cannot be built gives a reason, never an exception.

    Args:
        task: with the digests of its inputs.
        held: artefacts that need not be read.
        digest_of: SHA-256 of a source file that was read or looked for.

    Returns:
        How it went, and the artefact if it was made.

    Raises:
        WriteError: if something cannot be written. That is not the character's fault: the next one would fail likewise.
        AwayError: if what the backend needs is not there, which is not the character's fault, either.
    """
    watch, start = Stopwatch(), time.perf_counter()
    reason: str | None = None
    shown: Shown | None = None
    low_quality = False
    made: Artefact | None = None
    with watch.part("load"):
        loaded, damaged = _loaded(task, held)
    if damaged:
        return Outcome(damaged=damaged), None
    try:
        with reckoned(task.key):
            artefact = _make(task, loaded, watch, digest_of)
        with watch.part("store"):
            made = replace(artefact, meta=write_artefact(task.path, artefact))
    except LowQualityError as error:
        reason, shown, low_quality = str(error), _pictures(task, error), True
    except Exception as error:
        if (trouble := write_trouble(error)) is not None:
            raise trouble from error
        if isinstance(error, AwayError):
            raise
        if isinstance(error, OthersError):
            shown = _details(task, traceback.format_exc())
            reason = f"{error}: see {shown[0]}"
        elif isinstance(error, SpecsiaError):
            reason = str(error)
        elif is_exhaustion(error):
            reason = exhausted(task.key)
        else:
            # A fault of this program on one character must not cost the others; its traceback is kept for a report.
            shown = _details(task, traceback.format_exc())
            what = brief(f"{type(error).__name__}: {error}", MOST_SHOWN // 3)
            reason = f"specsia failed on {task.key} ({what}): please report it with {shown[0]}"
    outcome = Outcome() if reason is None else replace(failed(task, reason, shown), low_quality=low_quality)
    warnings = () if made is None else warnings_of(made.meta)
    seconds = time.perf_counter() - start
    return replace(outcome, warnings=warnings, seconds=seconds, parts=watch.seconds, peak_mb=peak_mb()), made
