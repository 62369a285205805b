"""A run's folder: its mark and its lock, and what a build may change in it or remove from it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from specsia_build import __version__
from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig, read_settings, result_settings
from specsia_build.dataset import places, schema
from specsia_build.dataset.parquet import stored_rows
from specsia_build.errors import UsageError
from specsia_build.files.names import is_temporary
from specsia_build.files.records import remembered_json
from specsia_build.files.writing import write_bytes, writing
from specsia_build.folders import is_vacant, listed_below, refuse_foreign_folder, remove_empty
from specsia_build.pipeline.plan import inputs_now
from specsia_build.pipeline.run import Run, RunPaths
from specsia_build.stages import render
from specsia_build.stages.stage import Job

_KIND = "specsia run"
FORMAT = 1

_BUILT = {
    "artefacts": re.compile(r"artefacts/([^/]+/){1,2}[0-9a-f]{2}/[^/]+\.tar"),
    "logs": re.compile(r"logs/((tasks|warnings)\.jsonl|workers/[^/]+\.(jsonl|log)|([^/]+/){1,2}[^/]+\.txt)"),
    "quarantine": re.compile(r"quarantine/([^/]+/){2,3}(why\.txt|[a-z_]+_\d{2,3}\.png)"),
}
"""Patterns of the names of files that builds write, by their folder."""


def write_mark(paths: RunPaths, source: str) -> None:
    """Write the file that marks a folder as a run's."""
    mark = {"kind": _KIND, "format": FORMAT, "specsia": __version__, "source": source}
    write_bytes(paths.mark, (json.dumps(mark, indent=1, ensure_ascii=False) + "\n").encode(), lasting=True)


def check_folder(paths: RunPaths) -> None:
    """Raise UsageError if a folder holds anything but a run, or a run of a newer version."""
    if is_vacant(paths.root):
        return
    # A damaged mark is written again.
    if paths.mark.is_file():
        mark = remembered_json(paths.mark)
        if isinstance(mark, dict) and mark.get("kind") == _KIND and mark.get("format", FORMAT) != FORMAT:
            problem = f"{paths.root} holds a run of a newer version of specsia: use that, or another --out"
            raise UsageError(problem)
    # A build that was killed before it wrote the mark leaves its lock.
    elif any(path != paths.lock.parent and not is_temporary(path.name) for path in paths.root.iterdir()):
        refuse_foreign_folder(paths.root, "build of specsia")


@contextmanager
def locked(paths: RunPaths) -> Iterator[None]:
    """Create a run's folder and keep other builds out of it for as long as the context lasts."""
    lock = FileLock(paths.lock, timeout=0)
    with writing(paths.lock):
        paths.lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as error:
            advice = f"wait for it, or use another --out; if there is none, delete {paths.lock}"
            raise UsageError(f"another build is running in {paths.root}: {advice}") from error
    try:
        yield
    finally:
        lock.release()


def settings_before(paths: RunPaths) -> dict[str, Any]:
    """Settings of the build that a folder holds; empty where it holds none."""
    return read_settings(paths.config) if paths.config.is_file() else {}


def changes(before: Mapping[str, Any], config: BuildConfig) -> list[str]:
    """Settings of a run that a build changes, such as ``views 10 -> 8``."""

    def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
        clips = settings.get("clips")
        return {**settings, **(clips if isinstance(clips, dict) else {}), "clips": None}

    def text(value: object) -> str:
        listed = ", ".join(map(str, value)) if isinstance(value, list) else value
        return "none" if listed in (None, "") else str(listed)

    old, now = flat(before), flat(result_settings(config))
    return [f"{n} {text(old[n])} -> {text(value)}" for n, value in now.items() if old.get(n, value) != value]


def refuse_other_source(before: Mapping[str, Any], run: Run, entries: Sequence[Entry]) -> None:
    """UsageError if a source of another name has other characters of the same ids, or fewer rows to pack."""
    config, dataset = run.config, run.paths.dataset
    if before.get("source", config.source) == config.source:
        return
    metas = ((entry, run.meta(render.RENDER, None, entry.id)) for entry in entries)
    rendered = [(render.sources(Job(entry, config)), meta) for entry, meta in metas if meta is not None]
    same = (inputs_now(files, meta, run.index) == meta["inputs"] for files, meta in rendered)
    others = rendered and not any(same)
    shards = [dataset / name for name in places.listed_names(dataset) if name.startswith(f"{schema.DATA}/")]
    old = sum(stored_rows(path) or 0 for path in shards)
    new = len(entries) * config.views * len(config.backends)
    if others or (config.clips is None and new < old):
        why = "has other characters of the same ids" if others else f"gives {new} rows instead of {old}"
        other = f"{run.paths.root} holds a build of another source, {before['source']}"
        advice = "give another --out, or --fresh to start over there"
        raise UsageError(f"{other}, and {config.source} {why}: {advice}")


def _remove(paths: RunPaths, folder: Path, names: re.Pattern[str]) -> tuple[list[str], int]:
    """Remove files with matching names below a run's folder; returns the other names and bytes removed."""
    others, freed = [], 0
    for below in listed_below(folder):
        path = folder / below
        name = path.relative_to(paths.root).as_posix()
        if names.fullmatch(name) and path.is_file() and not path.is_symlink():
            freed += path.stat().st_size
            path.unlink()
        elif path.is_symlink() or not path.is_dir():
            others.append(name)
    remove_empty(folder)
    return others, freed


def forget_failure(paths: RunPaths, stage: str, backend: str | None, key: str) -> None:
    """Remove the log and the pictures of a character or clip that failed, as it is tried again."""
    paths.details(stage, backend, key).unlink(missing_ok=True)
    folder = paths.pictures(stage, backend, key)
    if folder.is_dir() and not folder.is_symlink():
        _remove(paths, folder, _BUILT["quarantine"])


def forget(paths: RunPaths) -> list[str]:
    """Remove earlier builds' files except settings, report and samples; returns names of foreign files."""
    foreign = []
    for folder, names in _BUILT.items():
        foreign += _remove(paths, paths.root / folder, names)[0]
    foreign += [f"{paths.dataset.name}/{name}" for name in places.remove(paths.dataset)]
    for path in (paths.failures, paths.splits):
        path.unlink(missing_ok=True)
    return foreign


def remove_artefacts(paths: RunPaths) -> int:
    """Remove all artefacts, as `--keep none` asks; returns the number of bytes freed."""
    return _remove(paths, paths.artefacts, _BUILT["artefacts"])[1]
