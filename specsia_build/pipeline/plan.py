"""The plan: for each character and stage whether its artefact is up to date, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

from specsia_build.backends.base import Backend
from specsia_build.backends.registry import load_backend
from specsia_build.characters.character import Entry
from specsia_build.config import DRAVIE, BuildConfig, backend_name
from specsia_build.errors import MOST_WARNED, brief
from specsia_build.pipeline.index import Index, open_index
from specsia_build.pipeline.layout import RunLayout
from specsia_build.stages.artefact import fingerprint
from specsia_build.stages.clips import draw, motions, move
from specsia_build.stages.pack import STAGE as PACK
from specsia_build.stages.registry import character_stages
from specsia_build.stages.rows import Member, member
from specsia_build.stages.stage import CharacterStage, Clip, Digests, Job, Meta, Sources

DONE, STALE, MISSING, DAMAGED, BLOCKED = "done", "stale", "missing", "damaged", "blocked"
"""An artefact is up to date; was made from something else, or does not serve under the present settings; is not there;
does not read; or lacks an earlier stage's artefact to be made from."""


@lru_cache(maxsize=8)
def backend_of(spec: str) -> Backend:
    """The backend of a specification, made once per process."""
    return load_backend(spec)


class Step(NamedTuple):
    """A stage and, for a stage that each backend has of its own, the backend's `NAME[:ARG]`."""

    stage: CharacterStage
    backend: str | None = None

    @property
    def name(self) -> tuple[str, str | None]:
        """Names of the stage and the backend."""
        return self.stage.name, None if self.backend is None else backend_name(self.backend)

    @property
    def label(self) -> str:
        """Both names in one text."""
        return " ".join(filter(None, self.name))

    def needs(self, other: Step) -> bool:
        """Whether this step rests on another."""
        return other.stage in self.stage.rests_on and other.backend in (None, self.backend)


def steps_of(config: BuildConfig, stages: Iterable[CharacterStage]) -> list[Step]:
    """Stages, each with its backends or with None, in the order in which they are done."""
    return [Step(stage, one) for stage in stages for one in (config.backends if stage.per_backend else (None,))]


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        config: its settings.
        layout: its paths.
        index: what is known of its artefacts and source files.
    """

    config: BuildConfig
    layout: RunLayout
    index: Index = field(default_factory=Index)

    @property
    def backends(self) -> list[str]:
        """Names of its backends."""
        return [backend_name(spec) for spec in self.config.backends]

    @property
    def steps(self) -> list[Step]:
        """All its steps, in order."""
        return steps_of(self.config, character_stages(self.config))

    @property
    def packs(self) -> bool:
        """Whether it packs pairs as a dataset; recipes may want reconstructions that move without one."""
        return self.config.clips is None or DRAVIE in self.config.clips.recipes

    @property
    def read_by_pack(self) -> tuple[CharacterStage, ...]:
        """The stages whose artefacts hold the pictures of its dataset."""
        return PACK.earlier if self.config.clips is None else (draw.STAGE, move.STAGE)

    def meta(self, stage: CharacterStage, backend: str | None, key: str) -> Meta | None:
        """Meta data of an artefact, or None."""
        return self.index.meta(self.layout.artefact(stage, backend, key))

    def apart(self) -> Run:
        """The same run with an empty index, for another process."""
        return Run(self.config, self.layout)


@contextmanager
def open_run(config: BuildConfig, layout: RunLayout, *, writes: bool = False) -> Iterator[Run]:
    """Open a run and its index; see `open_index`."""
    with open_index(layout, writes=writes) as index:
        yield Run(config, layout, index)


@dataclass(frozen=True)
class Task:
    """One step of one character or clip.

    Attributes:
        run: the run.
        step: what is to be made.
        entry: the character.
        clip: None for a stage that is not done for each.
        inputs: digest of each input that is known before it is made.
    """

    run: Run
    step: Step
    entry: Entry
    clip: Clip | None = None
    inputs: Digests = field(default_factory=dict)

    @property
    def stage(self) -> CharacterStage:
        return self.step.stage

    @property
    def backend(self) -> str | None:
        """Name of the backend."""
        return self.step.name[1]

    @property
    def job(self) -> Job:
        """The job that the stage is given."""
        spec = self.step.backend
        return Job(self.entry, self.run.config, None if spec is None else backend_of(spec), self.clip)

    @property
    def key(self) -> str:
        """Id of the clip or character."""
        return self.key_in(self.stage)

    @cached_property
    def path(self) -> Path:
        """Path of the artefact."""
        return self.path_in(self.stage)

    def key_in(self, stage: CharacterStage) -> str:
        """Key of another stage's artefact for it."""
        return self.clip.id if stage.per_clip and self.clip is not None else self.entry.id

    def path_in(self, stage: CharacterStage) -> Path:
        """Place of another stage's artefact for it."""
        return self.run.layout.artefact(stage, self.backend, self.key_in(stage))

    def fingerprint(self, inputs: Digests) -> str:
        """Fingerprint that its artefact has or would have."""
        return fingerprint(self.stage.name, self.stage.version, self.stage.settings(self.job), inputs)


def inputs_now(sources: Sources | None, meta: Meta, index: Index) -> Digests:
    """Digests now of the source files that an artefact has on record."""
    if sources is None:
        return {}
    names = [name for name in meta.get("inputs", {}) if name.startswith(sources.prefix)]
    return sources.digests((name.removeprefix(sources.prefix) for name in names), index.digest)


def judge(task: Task, *, quick: bool = False) -> tuple[Task, str]:
    """Say whether a task's artefact is current: `DONE`, or why not.

    Args:
        task: whose artefact is meant.
        quick: leave the inputs of what is not there unread.

    Returns:
        The task with the digests of its inputs, and the state.
    """
    stage, config, index = task.stage, task.run.config, task.run.index
    earlier: dict[CharacterStage, Meta] = {}
    for below in stage.earlier:
        meta = index.meta(task.path_in(below))
        if meta is None or not below.serves(meta, config):
            return task, BLOCKED
        earlier[below] = meta
    exists, meta = index.seen(task.path)
    absent = DAMAGED if exists else MISSING
    if meta is None and quick:
        return task, absent
    job = task.job
    known = stage.inputs(job, earlier, index.digest)
    inputs = {**known, **inputs_now(stage.sources(job), meta or {}, index)}
    task = replace(task, inputs=inputs)
    if meta is None:
        return task, absent
    current = meta.get("fingerprint") == task.fingerprint(inputs) and stage.serves(meta, config)
    return task, DONE if current else STALE


class Judged(NamedTuple):
    """A task, the state of its artefact, and whether that and all that it rests on is up to date.

    Where clips are not known yet, one task without a clip stands for all of them.
    """

    task: Task
    state: str
    sound: bool


def judge_character(run: Run, entry: Entry, steps: Sequence[Step] | None = None) -> Iterator[Judged]:
    """State of every artefact that a character should have, in order; of all steps by default."""
    run = replace(run, index=run.index.snapshot())
    sound: dict[tuple[CharacterStage, str | None, Clip | None], bool] = {}
    for stage, spec in run.steps if steps is None else steps:
        whole = Task(run, Step(stage, spec), entry)
        clips: Sequence[Clip | None] = [None]
        if stage.per_clip:
            below = {s: run.index.meta(whole.path_in(s)) for s in (motions.STAGE, *stage.earlier) if not s.per_clip}
            if any(meta is None or not one.serves(meta, run.config) for one, meta in below.items()):
                yield Judged(whole, BLOCKED, False)
                continue
            clips = motions.clips_of(below[motions.STAGE] or {})
        for clip in clips:
            task, state = judge(replace(whole, clip=clip), quick=True)
            rests = (
                sound.get((one, spec if one.per_backend else None, clip if one.per_clip else None), True)
                for one in stage.rests_on
            )
            sound[stage, spec, clip] = good = state == DONE and all(rests)
            yield Judged(task, state, good)


def warnings_of(meta: Meta) -> tuple[str, ...]:
    """Warnings in an artefact's meta data."""
    return tuple(brief(warning, MOST_WARNED) for warning in meta.get("warnings", ()))


@dataclass(frozen=True)
class Standing:
    """State of one character in a run.

    Attributes:
        states: state of each artefact, by the names of its step and by its key.
        clips: its clips.
        warnings: about it.
        shape: as `same_shapes` compares it, empty where nothing was made.
        members: what pack takes, by backend, if the run packs.
        waiting: keys of what pack does not take, by backend.
    """

    states: Mapping[tuple[str, str | None], Mapping[str, str]]
    clips: tuple[Clip, ...] = ()
    warnings: tuple[str, ...] = ()
    shape: tuple[float, ...] = ()
    members: Mapping[str, tuple[Member, ...]] = field(default_factory=dict)
    waiting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def is_done(self, steps: Iterable[Step]) -> bool:
        """Whether nothing is left to do of some steps."""
        return all(state == DONE for step in steps for state in self.states[step.name].values())


def standing(run: Run, entry: Entry) -> Standing:
    """Look at all artefacts of a character."""
    states: dict[tuple[str, str | None], dict[str, str]] = {step.name: {} for step in run.steps}
    warnings, clips = dict[str, None](), dict[str, Clip]()
    members: dict[str, tuple[Member, ...]] = dict.fromkeys(run.backends, ())
    waiting: dict[str, tuple[str, ...]] = dict.fromkeys(run.backends, ())
    reads = run.read_by_pack if run.packs else ()
    for task, state, sound in judge_character(run, entry):
        states[task.step.name][task.key] = state
        if task.clip is not None:
            clips[task.clip.id] = task.clip
        index = task.run.index
        if state == DONE and (meta := index.meta(task.path)) is not None:
            warnings |= dict.fromkeys(warnings_of(meta))
        if reads and task.stage is reads[-1] and (name := task.backend) is not None:
            if sound:
                metas = {stage: index.meta(task.path_in(stage)) or {} for stage in reads}
                members[name] += (member(task.key, name, metas),)
            else:
                waiting[name] += (task.key,)
    first = run.meta(run.steps[0].stage, None, entry.id) or {}
    return Standing(states, tuple(clips.values()), tuple(warnings), tuple(first.get("shape", ())), members, waiting)
