"""What a build has to do: for each stage which characters are done, stale, missing, or have nothing to start from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
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
from specsia_build.stages.stage import CharacterStage, Meta, Sources


@dataclass(frozen=True)
class StagePlan:
    """One stage (of one backend).

    Attributes:
        stage: which.
        backend: `NAME[:ARG]`, or None.
        done: ids whose artefact is up to date.
        stale: work whose artefact exists but came from something else, or does not serve by the settings of now.
        missing: work whose artefact does not exist, or is damaged.
        damaged: ids of the latter.
        blocked: ids whose earlier stage has no artefact.
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


def _earlier(task: Task) -> dict[CharacterStage, Meta] | None:
    """Meta data of what earlier stages made of the character, or None where that does not do."""
    found: dict[CharacterStage, Meta] = {}
    for stage in task.stage.earlier:
        meta = read_meta(task.layout.artefact(stage, task.backend_name, task.entry.id))
        if meta is None or not stage.serves(meta, task.config):
            return None
        found[stage] = meta
    return found


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
        task = Task(stage, entry, backend, config, layout)
        earlier = _earlier(task)
        if earlier is None:
            blocked.append(entry.id)
            continue
        meta, job = read_meta(task.path), task.job
        inputs = {
            **stage.inputs(job, earlier, cache.digest),
            **found_inputs(stage.sources(job), meta or {}, cache),
        }
        task = replace(task, inputs=inputs)
        if meta is None:
            missing.append(task)
            if os.path.lexists(task.path):
                damaged.append(entry.id)
        elif meta.get("fingerprint") != stage_fingerprint(task, inputs) or not stage.serves(meta, config):
            stale.append(task)
        else:
            done.append(entry.id)
    return StagePlan(stage, backend, done, stale, missing, blocked, damaged)
