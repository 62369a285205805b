"""The plan: whether the artefact of each character and stage is up to date, and if not, why."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from specsia_build.characters.character import Entry
from specsia_build.errors import brief_warning
from specsia_build.layouts.part import Member
from specsia_build.pipeline.run import Run, Step, backend_of
from specsia_build.pipeline.store import Index
from specsia_build.stages.clips import motions
from specsia_build.stages.members import member
from specsia_build.stages.pack import PACK
from specsia_build.stages.stage import DIGEST, CharacterStage, Clip, Digests, Job, Meta, Sources, fingerprint
from specsia_build.warning import Warning, recorded

# States of an artefact
DONE = "done"  # Up to date
STALE = "stale"  # Made from other inputs, or unfit for the present settings
MISSING = "missing"
DAMAGED = "damaged"  # Unreadable
BLOCKED = "blocked"  # Waiting for the artefact of an earlier stage


@dataclass(frozen=True)
class Task:
    """A step of a character or one of its clips; methods in `_in` give its key or path at another stage."""

    run: Run
    step: Step
    entry: Entry
    clip: Clip | None = None

    @property
    def stage(self) -> CharacterStage:
        return self.step.stage

    @property
    def backend(self) -> str | None:
        return self.step.name[1]

    @property
    def job(self) -> Job:
        spec = self.step.backend
        return Job(self.entry, self.run.config, None if spec is None else backend_of(spec), self.clip)

    @property
    def key(self) -> str:
        return self.key_in(self.stage)

    @property
    def path(self) -> Path:
        return self.path_in(self.stage)

    def key_in(self, stage: CharacterStage) -> str:
        return self.clip.id if stage.per_clip and self.clip is not None else self.entry.id

    def path_in(self, stage: CharacterStage) -> Path:
        return self.run.paths.artefact(stage, self.backend, self.key_in(stage))

    def fingerprint(self, inputs: Digests) -> str:
        return fingerprint(self.stage.name, self.stage.version, self.stage.settings(self.job), inputs)


def inputs_now(sources: Sources | None, meta: Meta, index: Index) -> Digests:
    """Present digests of the source files that an artefact has on record."""
    if sources is None:
        return {}
    names = [name for name in meta.get("inputs", {}) if name.startswith(sources.prefix)]
    return sources.digests((name.removeprefix(sources.prefix) for name in names), index.digest)


class Judgement(NamedTuple):
    """State of an artefact and, as far as they were read, digests of its inputs and its meta data."""

    state: str
    inputs: Digests = MappingProxyType({})
    meta: Meta | None = None


def judge(task: Task, *, quick: bool = False) -> Judgement:
    """Whether a task's artefact is current, or why not; `quick` does not read the inputs of an absent one."""
    stage, path = task.stage, task.path
    config, index = task.run.config, task.run.index
    earlier: dict[CharacterStage, Meta] = {}
    for input_stage in stage.earlier:
        meta = index.meta(task.path_in(input_stage))
        if meta is None or not input_stage.serves(meta, config):
            return Judgement(BLOCKED)
        earlier[input_stage] = meta
    meta = index.meta(path)
    state = STALE
    if meta is None:
        state = DAMAGED if index.exists(path) else MISSING
        if quick:
            return Judgement(state)
    job = task.job
    inputs = {**stage.inputs(job, earlier, index.digest), **inputs_now(stage.sources(job), meta or {}, index)}
    if meta is not None and stage.serves(meta, config):
        state = DONE if meta.get("fingerprint") == task.fingerprint(inputs) else STALE
    return Judgement(state, inputs, meta)


def judge_character(run: Run, entry: Entry) -> Iterator[tuple[Task, Judgement, bool]]:
    """Yield the task of each artefact, its state, and whether it and all earlier ones are up to date.

    Takes a run `at_once`, as each artefact is looked at several times. Until the clips of a character are
    known, one task without a clip stands for all of them.
    """
    current: dict[tuple[CharacterStage, str | None, Clip | None], bool] = {}
    for stage, spec in run.steps:
        whole = Task(run, Step(stage, spec), entry)
        clips: Sequence[Clip | None] = [None]
        if stage.per_clip:
            needed = [s for s in (motions.MOTIONS, *stage.earlier) if not s.per_clip]
            metas = {s: run.index.meta(whole.path_in(s)) for s in needed}
            if any(meta is None or not s.serves(meta, run.config) for s, meta in metas.items()):
                yield whole, Judgement(BLOCKED), False
                continue
            clips = motions.clips_of(metas[motions.MOTIONS] or {})
        for clip in clips:
            task = whole if clip is None else replace(whole, clip=clip)
            judgement = judge(task, quick=True)
            is_current = judgement.state == DONE
            for s in stage.rests_on:
                key = s, spec if s.per_backend else None, clip if s.per_clip else None
                is_current = is_current and current.get(key, True)
            current[stage, spec, clip] = is_current
            yield task, judgement, is_current


@dataclass(frozen=True)
class CharacterState:
    """State of one character in a run; `Run.sources` has the sources."""

    states: Mapping[tuple[str, str | None], Mapping[str, str]]  # By name of the step and key of the artefact
    clips: tuple[Clip, ...] = ()
    warnings: tuple[Warning, ...] = ()
    members: Mapping[str | None, tuple[Member, ...]] = field(default_factory=dict)  # To be packed, by source
    waiting: Mapping[str | None, tuple[str, ...]] = field(default_factory=dict)  # Keys not ready, by source

    def is_done(self, steps: Iterable[Step]) -> bool:
        return all(state == DONE for step in steps for state in self.states[step.name].values())


def _member(index: Index, key: str, backend: str | None, metas: Mapping[CharacterStage, Meta]) -> Member:
    """What pack takes of a character or clip, cached in the index while the meta data stay the same."""
    name = f"member:{backend or ''}:{key}"
    made_from = " ".join([str(PACK.version), *(meta[DIGEST] for meta in metas.values())])
    if (row := index.row(name, made_from)) is not None:
        with suppress(msgspec.MsgspecError):
            return msgspec.msgpack.decode(row, type=Member)
    summary = member(key, backend, metas)
    index.learn(name, (made_from, msgspec.msgpack.encode(summary)))
    return summary


def character_state(run: Run, entry: Entry) -> CharacterState:
    """Look at all artefacts of a character."""
    run = run.at_once()
    states: dict[tuple[str, str | None], dict[str, str]] = {step.name: {} for step in run.steps}
    warnings, clips = dict[Warning, None](), dict[str, Clip]()
    sources = run.sources
    members: dict[str | None, tuple[Member, ...]] = dict.fromkeys(sources, ())
    waiting: dict[str | None, tuple[str, ...]] = dict.fromkeys(sources, ())
    for task, (state, _, meta), current in judge_character(run, entry):
        states[task.step.name][task.key] = state
        if task.clip is not None:
            clips[task.clip.id] = task.clip
        if state == DONE and meta is not None:
            warnings |= dict.fromkeys(map(brief_warning, recorded(meta.get("warnings", ()))))
        name = task.backend
        if name in sources and task.stage is (reads := run.read_by_pack(name))[-1]:
            if current:
                metas = {stage: run.index.meta(task.path_in(stage)) or {} for stage in reads}
                members[name] += (_member(run.index, task.key, name, metas),)
            else:
                waiting[name] += (task.key,)
    return CharacterState(states, tuple(clips.values()), tuple(warnings), members, waiting)
