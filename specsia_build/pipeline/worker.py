"""All stages of one character, or of one of its clips, in a worker process."""

import resource
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from specsia_build.backends.base import Backend
from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig
from specsia_build.errors import (
    MOST_SHOWN,
    CharacterError,
    DamagedError,
    LowQualityError,
    OthersError,
    SpecsiaError,
    brief,
)
from specsia_build.files.sources import unchanging
from specsia_build.files.writing import write_trouble
from specsia_build.memory import counting, exhausted, is_exhaustion, memory_bytes
from specsia_build.pipeline.executors import Needs
from specsia_build.pipeline.plan import BLOCKED, DONE, Task, judge
from specsia_build.pipeline.run import Run, Step, backend_of
from specsia_build.pipeline.store import IndexRow, read_artefact, write_artefact
from specsia_build.stages.stage import Artefact, CharacterStage, Clip, Digests, seal
from specsia_build.warning import Code


class Phase(NamedTuple):
    """Steps that a worker does in turn for each character or clip, and what they need of an executor."""

    steps: tuple[Step, ...]
    needs: Needs
    per_clip: bool


def phases(steps: Sequence[Step], config: BuildConfig) -> list[Phase]:
    """Group steps into as few phases as possible: characters before clips, split where needs differ.

    Steps of a backend that holds GPUs or other slots are a phase of their own, so that no others hold them.
    """
    groups, joins = list[Phase](), False
    for step in sorted(steps, key=lambda step: step.stage.per_clip):
        needs = _needs_of(step, config)
        joined, joins = joins, needs.slots is None and needs.work_on is None
        if joined and joins and groups[-1].per_clip == step.stage.per_clip:
            needs = replace(needs, timeout=groups[-1].needs.timeout + needs.timeout)
            groups[-1] = Phase((*groups[-1].steps, step), needs, step.stage.per_clip)
        else:
            groups.append(Phase((step,), needs, step.stage.per_clip))
    return groups


def _needs_of(step: Step, config: BuildConfig) -> Needs:
    needs = Needs(config.timeout, memory=memory_bytes(config.memory))
    if not step.stage.calls_backend or step.backend is None:
        return needs
    backend = backend_of(step.backend)
    needs = replace(needs, timeout=max(config.timeout, float(backend.patience)))
    if type(backend).work_on is not Backend.work_on:
        needs = replace(needs, work_on=partial(work_on, step.backend))
    if backend.slots is None:
        return needs
    return replace(needs, slots=max(1, backend.slots), gpus=backend.gpus)


def work_on(spec: str, device: str) -> None:
    """Bind this process's backend to a device."""
    backend_of(spec).work_on(device)


@dataclass(frozen=True, slots=True)
class WorkUnit:
    """Steps of one character or clip, in a run `apart`."""

    run: Run
    entry: Entry
    clip: Clip | None
    steps: tuple[Step, ...]

    def tasks(self, run: Run | None = None) -> list[Task]:
        """A task for each of the steps, in a run with another index if given."""
        return [Task(run or self.run, step, self.entry, self.clip) for step in self.steps]


@dataclass(frozen=True)
class Outcome:
    """Result of a step."""

    reason: str | None = None  # Why it failed, in one sentence
    code: Code = "uncoded"  # Of the reason
    details: str | None = None  # File or folder to look at, relative to the run
    evidence: Mapping[str, bytes] = field(default_factory=dict)  # Files to write there, by such a name
    low_quality: bool = False  # Whether it was built, and is quarantined
    damaged: tuple[CharacterStage, ...] = ()  # Earlier stages whose artefacts must be made again first
    state: str = ""  # Of the artefact before: `DONE` if nothing was to do, `BLOCKED` if nothing could be done
    seconds: float = 0.0  # Wall time
    peak_mb: float = 0.0  # Largest resident memory of the worker so far


Work = tuple[Sequence[Outcome], Mapping[str, IndexRow]]
"""Result of a unit: the outcome of each step, and rows for the run's index."""


def work(unit: WorkUnit) -> Work:
    """Do the steps of a unit that are not up to date, each judged when its turn comes.

    Raises WriteError if a file cannot be written, as every later character would fail likewise.
    """
    run = unit.run.apart()
    tasks = unit.tasks(run)
    artefacts: dict[Path, Artefact] = {}
    outcomes: list[Outcome] = []
    for number, task in enumerate(tasks, 1):
        state, inputs, _ = judge(task)
        outcome = Outcome(state=state)
        if state not in (DONE, BLOCKED):
            outcome, artefact = carry_out(task, inputs, artefacts)
            outcome = replace(outcome, state=state)
            if artefact is not None:
                artefacts[task.path] = artefact
                needed = {later.path_in(stage) for later in tasks[number:] for stage in later.stage.earlier}
                artefacts = {path: artefacts[path] for path in artefacts if path in needed}
        if state == BLOCKED or outcome.damaged or outcome.reason is not None:
            # An artefact of an earlier build must not take its place.
            run.index.hide(task.path)
        run.index.meta(task.path)
        outcomes.append(outcome)
    return outcomes, run.index.rows


def carry_out(
    task: Task, inputs: Digests, artefacts: Mapping[Path, Artefact]
) -> tuple[Outcome, Artefact | None]:
    """Do a task and store its artefact with the digests of its inputs; the outcome says why it failed.

    Earlier stages' artefacts are taken from `artefacts`, by path, or else read. Raises WriteError as `work`.
    """
    start = time.perf_counter()
    earlier: dict[CharacterStage, Artefact] = {}
    damaged: list[CharacterStage] = []
    for stage in task.stage.earlier:
        path = task.path_in(stage)
        try:
            earlier[stage] = artefacts.get(path) or read_artefact(path, task.key_in(stage))
        except DamagedError:
            damaged.append(stage)
    if damaged:
        return Outcome(damaged=tuple(damaged)), None
    artefact: Artefact | None = None
    try:
        with counting(task.key):
            sealed = _make(task, inputs, earlier)
        artefact = replace(sealed, meta=write_artefact(task.path, sealed))
        outcome = Outcome()
    except Exception as error:
        outcome = _failure(task, error)
    return replace(outcome, seconds=time.perf_counter() - start, peak_mb=peak_mb()), artefact


def _make(task: Task, inputs: Digests, earlier: Mapping[CharacterStage, Artefact]) -> Artefact:
    job, stage = task.job, task.stage
    if stage.calls_backend and job.backend is not None:
        job.backend.logs_to(task.run.paths.worker_logs)
    sources = stage.sources(job)
    # A sample is written when it is first read.
    with unchanging() if sources is not None and sources.sample is None else nullcontext():
        artefact, files = stage.make(job, earlier)
        if sources is not None:
            fixed = {name: digest for name, digest in inputs.items() if not name.startswith(sources.prefix)}
            inputs = {**fixed, **sources.digests(map(sources.name, files), task.run.index.digest)}
    return seal(artefact, stage.name, task.fingerprint(inputs), inputs)


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def failed(task: Task, reason: str, code: Code, details: str | None = None) -> Outcome:
    """Outcome of a failure: the reason in one line, and details, by default the reason if it was cut."""
    line = brief(reason)
    if details is None and len(line) >= len(reason):
        return Outcome(line, code)
    name = _below(task, task.run.paths.details(*task.step.name, task.key))
    return Outcome(line, code, name, {name: (details or reason).encode(errors="backslashreplace")})


def _below(task: Task, path: Path) -> str:
    return path.relative_to(task.run.paths.root).as_posix()


def _failure(task: Task, error: Exception) -> Outcome:
    """Outcome of an exception that is the character's fault, or this program's on this character."""
    if isinstance(error, LowQualityError):
        name = _below(task, task.run.paths.pictures(*task.step.name, task.key))
        files = {**error.pictures, "why.txt": f"{error}\n".encode()}
        evidence = {f"{name}/{file}": data for file, data in files.items()}
        return Outcome(brief(str(error)), error.code, name, evidence, low_quality=True)
    if (write_error := write_trouble(error)) is not None:
        raise write_error from error
    if isinstance(error, SpecsiaError) and not isinstance(error, OthersError):
        code = error.code if isinstance(error, CharacterError) else "too-large"
        return failed(task, str(error), code)
    if is_exhaustion(error):
        return failed(task, exhausted(task.key), "too-large")
    # The log keeps the traceback for a bug report.
    cause = brief(f"{type(error).__name__}: {error}", MOST_SHOWN // 3)
    ours = f"specsia failed on {task.key} ({cause}): please report it with"
    reason = f"{error}: see" if isinstance(error, OthersError) else ours
    code = error.code if isinstance(error, OthersError) else "bug"
    path = _below(task, task.run.paths.details(*task.step.name, task.key))
    return failed(task, f"{reason} {path}", code, traceback.format_exc())
