"""What is current: for each character and stage whether its artefact is up to date, and why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path

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
from specsia_build.stages.stage import CharacterStage, Clip, DigestOf, Digests, Job, Meta, Sources

DONE, STALE, MISSING, DAMAGED, BLOCKED = "done", "stale", "missing", "damaged", "blocked"
"""An artefact is up to date; was made from something else, or does not serve by the settings of now; is not there; does
not read; or lacks an earlier stage's artefact to be made from."""

Step = tuple[CharacterStage, str | None]
"""A stage and its backend's `NAME[:ARG]`, or None."""

Seen = Callable[[Path], tuple[bool, Meta | None]]
"""Whether anything is in the place of an artefact, and its meta data; see `store.seen`."""


@dataclass(frozen=True)
class Run:
    """One run: its settings, its paths, and what is known of its artefacts."""

    config: BuildConfig
    layout: RunLayout
    index: Index

    @property
    def backends(self) -> list[str]:
        """Names of its backends."""
        return [backend_name(spec) for spec in self.config.backends]

    @property
    def steps(self) -> list[Step]:
        """All its stages of characters, by backend, in order."""
        return steps_of(self.config, character_stages(self.config))

    def meta(self, stage: CharacterStage, backend: str | None, key: str) -> Meta | None:
        """Meta data of an artefact, or None."""
        return self.index.meta(self.layout.artefact(stage, backend, key))


@contextmanager
def open_run(config: BuildConfig, layout: RunLayout, *, writes: bool = False) -> Iterator[Run]:
    """Open a run and its index; see `open_index`."""
    with open_index(layout, writes=writes) as index:
        yield Run(config, layout, index)


def steps_of(config: BuildConfig, stages: Iterable[CharacterStage]) -> list[Step]:
    """Stages, each with its backends or with None, in the order in which they are done."""
    return [(stage, backend) for stage in stages for backend in (config.backends if stage.per_backend else (None,))]


def name_of(step: Step) -> tuple[str, str | None]:
    """Names of a step's stage and backend."""
    stage, backend = step
    return stage.name, None if backend is None else backend_name(backend)


@lru_cache(maxsize=8)
def backend_of(spec: str) -> Backend:
    """The backend of a specification, made once per process."""
    return load_backend(spec)


@dataclass(frozen=True)
class Task:
    """One stage of one character or clip.

    Attributes:
        stage: what is to be made.
        entry: the character.
        backend: `NAME[:ARG]`, or None for a stage that is not done for each.
        config, layout: of the run.
        clip: None for a stage that is not done for each.
        inputs: digest of each input that is known before it is made.
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
        """The job that the stage is given."""
        return Job(self.entry, self.config, None if self.backend is None else backend_of(self.backend), self.clip)

    @property
    def backend_name(self) -> str | None:
        return None if self.backend is None else backend_name(self.backend)

    @property
    def key(self) -> str:
        """Id of the clip or character."""
        return self.key_in(self.stage)

    @property
    def path(self) -> Path:
        """Where the artefact belongs."""
        return self.path_in(self.stage)

    def key_in(self, stage: CharacterStage) -> str:
        """Key of another stage's artefact for it."""
        return self.clip.id if stage.per_clip and self.clip is not None else self.entry.id

    def path_in(self, stage: CharacterStage) -> Path:
        """Place of another stage's artefact for it."""
        return self.layout.artefact(stage, self.backend_name, self.key_in(stage))

    def fingerprint(self, inputs: Digests) -> str:
        """Fingerprint that its artefact has or would have."""
        return fingerprint(self.stage.name, self.stage.version, self.stage.settings(self.job), inputs)


def found_inputs(sources: Sources | None, meta: Meta, digest_of: DigestOf) -> Digests:
    """Digests now of the source files that an artefact has on record."""
    if sources is None:
        return {}
    names = [name for name in meta.get("inputs", {}) if name.startswith(sources.prefix)]
    return sources.digests((name.removeprefix(sources.prefix) for name in names), digest_of)


def judge(task: Task, seen: Seen, digest_of: DigestOf, *, quick: bool = False) -> tuple[Task, str]:
    """Say of a task's artefact whether it is current: `DONE`, or why not.

    Args:
        task: whose artefact is meant.
        seen: looks at artefacts.
        digest_of: gives the digest of a source file.
        quick: leave the inputs of what is not there unread.

    Returns:
        The task with the digests of its inputs, and the state.
    """
    stage, earlier = task.stage, dict[CharacterStage, Meta]()
    for below in stage.earlier:
        meta = seen(task.path_in(below))[1]
        if meta is None or not below.serves(meta, task.config):
            return task, BLOCKED
        earlier[below] = meta
    there, meta = seen(task.path)
    if meta is None and quick:
        return task, DAMAGED if there else MISSING
    job = task.job
    known = stage.inputs(job, earlier, digest_of)
    inputs = {**known, **found_inputs(stage.sources(job), meta or {}, digest_of)}
    task = replace(task, inputs=inputs)
    if meta is None:
        return task, DAMAGED if there else MISSING
    current = meta.get("fingerprint") == task.fingerprint(inputs) and stage.serves(meta, task.config)
    return task, DONE if current else STALE


@dataclass(frozen=True)
class Judged:
    """A task and the state of its artefact.

    Attributes:
        task, state: see `judge`; a task of all clips where they are not known yet.
        sound: whether it and all that it rests on is up to date.
    """

    task: Task
    state: str
    sound: bool


def judge_character(
    run: Run, entry: Entry, steps: Sequence[Step] | None = None, seen: Seen | None = None
) -> Iterator[Judged]:
    """State of every artefact that a character should have, in order.

    Args:
        run, entry: which.
        steps: all of the run by default.
        seen: looks at artefacts; the run's index by default.
    """
    seen = seen or cache(run.index.seen)
    sound: dict[tuple[CharacterStage, str | None, Clip | None], bool] = {}
    for stage, spec in run.steps if steps is None else steps:
        whole = Task(stage, entry, spec, run.config, run.layout)
        clips: Sequence[Clip | None] = [None]
        if stage.per_clip:
            below = {one: seen(whole.path_in(one))[1] for one in (motions.STAGE, *stage.earlier) if not one.per_clip}
            if any(meta is None or not one.serves(meta, run.config) for one, meta in below.items()):
                yield Judged(whole, BLOCKED, False)
                continue
            clips = motions.clips_of(below[motions.STAGE] or {})
        for clip in clips:
            task, state = judge(replace(whole, clip=clip), seen, run.index.digest, quick=True)
            rests = (
                sound.get((one, spec if one.per_backend else None, clip if one.per_clip else None), True)
                for one in stage.rests_on
            )
            sound[stage, spec, clip] = good = state == DONE and all(rests)
            yield Judged(task, state, good)


def warnings_of(meta: Meta) -> tuple[str, ...]:
    """Sentences about what was built all the same, from an artefact's meta data."""
    return tuple(brief(said, MOST_WARNED) for said in meta.get("warnings", ()))


def packs(config: BuildConfig) -> bool:
    """Whether a run packs pairs as a dataset; recipes may want reconstructions that move without one."""
    return config.clips is None or DRAVIE in config.clips.recipes


def read_by_pack(config: BuildConfig) -> tuple[CharacterStage, ...]:
    """The stages whose artefacts hold the pictures of a run's dataset."""
    return PACK.earlier if config.clips is None else (draw.STAGE, move.STAGE)


@dataclass(frozen=True)
class Standing:
    """What a run holds of one character.

    Attributes:
        states: by stage and backend's name the state of each artefact by its key.
        clips: its clips.
        warnings: sentences about it.
        shape: what tells equal shapes, empty where nothing was made.
        members: by backend what pack takes, if the run packs.
        waiting: by backend keys of what pack does not take.
    """

    states: Mapping[tuple[str, str | None], Mapping[str, str]]
    clips: tuple[Clip, ...] = ()
    warnings: tuple[str, ...] = ()
    shape: tuple[float, ...] = ()
    members: Mapping[str, tuple[Member, ...]] = field(default_factory=dict)
    waiting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def is_done(self, steps: Iterable[Step]) -> bool:
        """Whether nothing is left to do of some steps."""
        return all(state == DONE for step in steps for state in self.states[name_of(step)].values())


def standing(run: Run, entry: Entry) -> Standing:
    """Look at all artefacts of a character."""
    states: dict[tuple[str, str | None], dict[str, str]] = {name_of(step): {} for step in run.steps}
    warnings, clips = dict[str, None](), dict[str, Clip]()
    members: dict[str, list[Member]] = {name: [] for name in run.backends}
    waiting: dict[str, list[str]] = {name: [] for name in run.backends}
    reads, seen = read_by_pack(run.config) if packs(run.config) else (), cache(run.index.seen)
    for found in judge_character(run, entry, None, seen):
        task, name = found.task, found.task.backend_name
        states[task.stage.name, name][task.key] = found.state
        if task.clip is not None:
            clips[task.clip.id] = task.clip
        if found.state == DONE and (meta := seen(task.path)[1]) is not None:
            warnings |= dict.fromkeys(warnings_of(meta))
        if reads and task.stage is reads[-1] and name is not None:
            if found.sound:
                metas = {stage: seen(task.path_in(stage))[1] or {} for stage in reads}
                members[name].append(member(task.key, name, metas))
            else:
                waiting[name].append(task.key)
    first = seen(run.layout.artefact(run.steps[0][0], None, entry.id))[1] or {}
    return Standing(
        states,
        tuple(clips.values()),
        tuple(warnings),
        tuple(first.get("shape", ())),
        {name: tuple(found) for name, found in members.items()},
        {name: tuple(found) for name, found in waiting.items()},
    )
