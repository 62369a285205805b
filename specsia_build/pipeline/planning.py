"""What a build has to do: for each stage which characters are done, stale, missing, or have nothing to start from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig
from specsia_build.pipeline.index import Index
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.objects import Place
from specsia_build.pipeline.tasks import Task, stage_fingerprint
from specsia_build.stages.clips import motions
from specsia_build.stages.stage import CharacterStage, DigestOf, Digests, Meta, Sources

DONE, STALE, MISSING, DAMAGED = "done", "stale", "missing", "damaged"
"""An artefact is up to date; came from something else, or does not serve by the settings of now; does not exist; or
does not read."""


@dataclass(frozen=True)
class StagePlan:
    """One stage (of one backend).

    Attributes:
        stage: which.
        backend: `NAME[:ARG]`, or None.
        done: ids of what is up to date, characters or clips.
        stale: work whose artefact exists but came from something else, or does not serve by the settings of now.
        missing: work whose artefact does not exist, or is damaged.
        blocked: ids of what an earlier stage has made nothing for; the character's where that is so of all its clips.
    """

    stage: CharacterStage
    backend: str | None
    done: Sequence[str]
    stale: Sequence[Task]
    missing: Sequence[Task]
    blocked: Sequence[str]

    @property
    def tasks(self) -> list[Task]:
        return [*self.stale, *self.missing]


def stages_of(config: BuildConfig, stages: Iterable[CharacterStage]) -> list[tuple[CharacterStage, str | None]]:
    """Stages, each with its backends' `NAME[:ARG]` or with None, in the order in which they are done."""
    return [(stage, backend) for stage in stages for backend in (config.backends if stage.per_backend else (None,))]


def found_inputs(sources: Sources | None, meta: Meta, digest_of: DigestOf) -> Digests:
    """Digests of the files that were found to be needed for an artefact, as it has them on record, as they are now."""
    if sources is None:
        return {}
    names = [name for name in meta.get("inputs", {}) if name.startswith(sources.prefix)]
    return sources.digests((name.removeprefix(sources.prefix) for name in names), digest_of)


def earlier_of(
    task: Task, stages: Iterable[CharacterStage], read: Callable[[Task, CharacterStage], Meta | None]
) -> dict[CharacterStage, Meta] | None:
    """Meta data of what earlier stages made for a task, or None where that does not do."""
    found: dict[CharacterStage, Meta] = {}
    for stage in stages:
        meta = read(task, stage)
        if meta is None or not stage.serves(meta, task.config):
            return None
        found[stage] = meta
    return found


def judged(
    task: Task, earlier: Mapping[CharacterStage, Meta], seen: tuple[bool, Meta | None], digest_of: DigestOf
) -> tuple[Task, str]:
    """A task with the digests of its inputs, and what is to be said of its artefact.

    Args:
        task: to be done, or done already.
        earlier: meta data of what it rests on.
        seen: of its artefact; see `store.seen`.
        digest_of: gives the digests of source files.
    """
    job, (there, meta) = task.job, seen
    inputs = {
        **task.stage.inputs(job, earlier, digest_of),
        **found_inputs(task.stage.sources(job), meta or {}, digest_of),
    }
    task = replace(task, inputs=inputs)
    if meta is None:
        return task, DAMAGED if there else MISSING
    whole = meta.get("fingerprint") == stage_fingerprint(task, inputs) and task.stage.serves(meta, task.config)
    return task, DONE if whole else STALE


def clips_of(task: Task, earlier: Mapping[CharacterStage, Meta]) -> list[Task]:
    """A character's tasks of a stage: one, or one for each of its clips."""
    if not task.stage.per_clip:
        return [task]
    return [replace(task, clip=clip) for clip in motions.clips_of(earlier[motions.STAGE])]


def judgements(
    stage: CharacterStage, backend: str | None, entry: Entry, config: BuildConfig, layout: RunLayout, index: Index
) -> Iterator[tuple[Task, str | None]]:
    """A character's tasks of a stage, each with what is to be said of it, None where it has nothing to start from."""

    def read(task: Task, earlier: CharacterStage) -> Meta | None:
        return index.meta(task.path_in(earlier))

    whole = Task(stage, entry, backend, config, layout)
    of_character = earlier_of(whole, (one for one in stage.earlier if not one.per_clip), read)
    if of_character is None:
        yield whole, None
        return
    for task in clips_of(whole, of_character):
        of_clip = earlier_of(task, (one for one in stage.earlier if one.per_clip), read)
        if of_clip is None:
            yield task, None
        else:
            yield judged(task, {**of_character, **of_clip}, index.seen(task.path), index.digest)


def _is_founded(task: Task, index: Index, metas: Callable[[Place], Meta | None], known: dict[Place, bool]) -> bool:
    """Whether all that a task's artefact rests on is up to date; `known` is what was found of its character so far."""

    def read(below: Task, earlier: CharacterStage) -> Meta | None:
        return metas(below.path_in(earlier))

    for stage in task.stage.rests_on:
        backend, clip = task.backend if stage.per_backend else None, task.clip if stage.per_clip else None
        below = replace(task, stage=stage, backend=backend, clip=clip)
        if below.path not in known:
            earlier = earlier_of(below, stage.earlier, read)
            state = None if earlier is None else judged(below, earlier, index.seen(below.path), index.digest)[1]
            known[below.path] = state == DONE
        if not known[below.path]:
            return False
    return True


def plan_stage(
    stage: CharacterStage,
    backend: str | None,
    entries: Sequence[Entry],
    config: BuildConfig,
    layout: RunLayout,
    index: Index,
    *,
    founded: bool = False,
) -> StagePlan:
    """Compare what is on disk with what the configuration asks for.

    Where it must be `founded`, what rests on anything that is not up to date is stale too, though made from just that.
    """
    done: list[str] = []
    stale: list[Task] = []
    missing: list[Task] = []
    blocked: list[str] = []
    for entry in entries:
        # Each clip asks for what is of its character.
        known, metas = dict[Place, bool](), cache(index.meta)
        for task, found in judgements(stage, backend, entry, config, layout, index):
            if found is None:
                blocked.append(task.entry.id if task.clip is None else task.key)
            elif found == DONE and (not founded or _is_founded(task, index, metas, known)):
                done.append(task.key)
            else:
                (missing if found in (MISSING, DAMAGED) else stale).append(task)
    return StagePlan(stage, backend, done, stale, missing, blocked)
