"""What a build has to do: for each stage which characters are done, stale, missing, or have nothing to start from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig
from specsia_build.errors import CharacterError
from specsia_build.files.records import remembered_json
from specsia_build.files.sources import source_digest, source_place
from specsia_build.files.writing import write_bytes
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.store import read_meta
from specsia_build.pipeline.tasks import Task, stage_fingerprint
from specsia_build.stages.clips import motions
from specsia_build.stages.stage import CharacterStage, Meta, Sources


@dataclass(frozen=True)
class StagePlan:
    """One stage (of one backend).

    Attributes:
        stage: which.
        backend: `NAME[:ARG]`, or None.
        done: ids of what is up to date, characters or clips.
        stale: work whose artefact exists but came from something else, or does not serve by the settings of now.
        missing: work whose artefact does not exist, or is damaged.
        damaged: ids of the latter.
        blocked: ids of what an earlier stage has made nothing for; the character's where that is so of all its clips.
    """

    stage: CharacterStage
    backend: str | None
    done: Sequence[str]
    stale: Sequence[Task]
    missing: Sequence[Task]
    blocked: Sequence[str]
    damaged: Sequence[str] = ()

    @property
    def tasks(self) -> list[Task]:
        return [*self.stale, *self.missing]


def stages_of(config: BuildConfig, stages: Iterable[CharacterStage]) -> list[tuple[CharacterStage, str | None]]:
    """Stages, each with its backends' `NAME[:ARG]` or with None, in the order in which they are done."""
    return [(stage, backend) for stage in stages for backend in (config.backends if stage.per_backend else (None,))]


class DigestCache:
    """Content digests of source files, remembered while size and time of change stay the same."""

    def __init__(self, path: Path) -> None:
        self._path = path
        loaded = remembered_json(path)
        known = loaded.items() if isinstance(loaded, dict) else ()
        self._known: dict[str, list[Any]] = {key: mark for key, mark in known if isinstance(mark, list)}

    def digest(self, path: Path, root: Path) -> str | None:
        """SHA-256 of a source file's content, None where there is none that may be read; see `source_place`."""
        try:
            stat = source_place(path, root).stat()
        except (OSError, CharacterError):
            return None
        key, mark = str(path), [stat.st_size, stat.st_mtime_ns]
        known = self._known.get(key)
        if known is None or known[:2] != mark:
            found = source_digest(path, root)
            if found is None:
                return None
            self._known[key] = [*mark, found]
        return str(self._known[key][2])

    def save(self) -> None:
        """Keep what was computed for the next command."""
        write_bytes(self._path, json.dumps(self._known, sort_keys=True).encode())


def found_inputs(sources: Sources | None, meta: Meta, cache: DigestCache) -> dict[str, str | None]:
    """Digests of the files that were found to be needed for an artefact, as it has them on record, as they are now."""
    if sources is None:
        return {}
    names = [name for name in meta.get("inputs", {}) if name.startswith(sources.prefix)]
    return {name: cache.digest(sources.folder / name.removeprefix(sources.prefix), sources.root) for name in names}


def _earlier(task: Task, stages: Iterable[CharacterStage]) -> dict[CharacterStage, Meta] | None:
    """Meta data of what earlier stages made for a task, or None where that does not do."""
    found: dict[CharacterStage, Meta] = {}
    for stage in stages:
        meta = read_meta(task.path_in(stage))
        if meta is None or not stage.serves(meta, task.config):
            return None
        found[stage] = meta
    return found


def _tasks(task: Task, earlier: Mapping[CharacterStage, Meta]) -> list[Task]:
    """A character's tasks of a stage: one, or one for each of its clips."""
    if not task.stage.per_clip:
        return [task]
    return [replace(task, clip=clip) for clip in motions.clips_of(earlier[motions.STAGE])]


def plan_stage(
    stage: CharacterStage,
    backend: str | None,
    entries: Sequence[Entry],
    config: BuildConfig,
    layout: RunLayout,
    cache: DigestCache,
) -> StagePlan:
    """Compare what is on disk with what the configuration asks for."""
    done, stale, missing, blocked, damaged = [], [], [], [], []
    for entry in entries:
        whole = Task(stage, entry, backend, config, layout)
        of_character = _earlier(whole, (one for one in stage.earlier if not one.per_clip))
        if of_character is None:
            blocked.append(entry.id)
            continue
        for task in _tasks(whole, of_character):
            of_clip = _earlier(task, (one for one in stage.earlier if one.per_clip))
            if of_clip is None:
                blocked.append(task.key)
                continue
            meta, job = read_meta(task.path), task.job
            inputs = {
                **stage.inputs(job, {**of_character, **of_clip}, cache.digest),
                **found_inputs(stage.sources(job), meta or {}, cache),
            }
            task = replace(task, inputs=inputs)
            if meta is None:
                missing.append(task)
                if os.path.lexists(task.path):
                    damaged.append(task.key)
            elif meta.get("fingerprint") != stage_fingerprint(task, inputs) or not stage.serves(meta, config):
                stale.append(task)
            else:
                done.append(task.key)
    return StagePlan(stage, backend, done, stale, missing, blocked, damaged)
