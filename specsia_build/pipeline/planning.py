"""What a build has to do: for each stage which characters are done, stale, missing, or have nothing to start from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig
from specsia_build.errors import CharacterError
from specsia_build.files import remembered_json, source_digest, source_place, write_bytes
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.store import read_meta
from specsia_build.pipeline.tasks import READ, Task, backend_of, stage_fingerprint
from specsia_build.stages import project, reconstruct, render


@dataclass(frozen=True)
class StagePlan:
    """One stage (of one backend).

    Attributes:
        stage: its name.
        backend: `NAME[:ARG]`, or None.
        done: ids whose artefact is up to date.
        stale: work whose artefact exists but came from something else.
        missing: work whose artefact does not exist, or is damaged.
        damaged: ids of the latter.
        blocked: ids whose earlier stage has no artefact.
    """

    stage: str
    backend: str | None
    done: Sequence[str]
    stale: Sequence[Task]
    missing: Sequence[Task]
    blocked: Sequence[str]
    damaged: Sequence[str] = ()

    @property
    def tasks(self) -> list[Task]:
        return [*self.stale, *self.missing]


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


def render_inputs(entry: Entry, meta: Mapping[str, Any], cache: DigestCache) -> dict[str, str | None]:
    """Digests of the files that a render artefact was made from, as they are now."""
    return {name: cache.digest(entry.folder / name, entry.within) for name in meta.get("inputs", {})}


def _reconstruct_inputs(
    entry: Entry, backend: str, rendered: Mapping[str, Any], cache: DigestCache
) -> dict[str, str | None]:
    found = backend_of(backend)
    inputs: dict[str, str | None] = {name: rendered["files"][name]["sha256"] for name in reconstruct.INPUTS}
    inputs |= {
        f"backend/{i}/{path.name}": cache.digest(path, path.parent) for i, path in enumerate(found.inputs(entry.id))
    }
    if found.sees_ground_truth:
        inputs["ground truth"] = rendered["fingerprint"]
    return inputs


def _read_inputs(backend: str, meta: Mapping[str, Any] | None, cache: DigestCache) -> dict[str, str | None]:
    """What the backend read, as an artefact has it on record, with the digests of now."""
    folder: Path | None = getattr(backend_of(backend), "folder", None)
    if meta is None or folder is None:
        return {}
    names = [name for name in meta.get("inputs", {}) if name.startswith(READ)]
    return {name: cache.digest(folder / name.removeprefix(READ), folder) for name in names}


def _project_inputs(config: BuildConfig, rendered: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, str | None]:
    inputs: dict[str, str | None] = {name: rendered["files"][name]["sha256"] for name in project.input_files(config)}
    inputs |= {f"reconstruction/{name}": file["sha256"] for name, file in made["files"].items()}
    return inputs


def plan_stage(
    stage: str,
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
        meta = read_meta(task.path)
        if stage == render.NAME:
            inputs = {} if meta is None else render_inputs(entry, meta, cache)
        else:
            rendered = read_meta(layout.artefact(render.NAME, None, entry.id))
            if rendered is None or not _covers(rendered, config):
                blocked.append(entry.id)
                continue
            assert backend is not None
            if stage == reconstruct.NAME:
                inputs = _reconstruct_inputs(entry, backend, rendered, cache) | _read_inputs(backend, meta, cache)
            else:
                made = read_meta(layout.artefact(reconstruct.NAME, task.backend_name, entry.id))
                if made is None:
                    blocked.append(entry.id)
                    continue
                inputs = _project_inputs(config, rendered, made)
        task = Task(stage, entry, backend, config, layout, inputs)
        if meta is None:
            missing.append(task)
            if os.path.lexists(task.path):
                damaged.append(entry.id)
        elif meta.get("fingerprint") != stage_fingerprint(task, inputs):
            stale.append(task)
        else:
            done.append(entry.id)
    return StagePlan(stage, backend, done, stale, missing, blocked, damaged)


def _covers(rendered: Mapping[str, Any], config: BuildConfig) -> bool:
    """Whether a render artefact has the pictures that later stages will ask for."""
    return rendered.get("views") == config.views and rendered.get("size") == config.size
