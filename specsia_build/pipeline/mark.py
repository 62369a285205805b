"""The mark of a run's folder, and what a build changes of the run that it finds there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from specsia_build import __version__
from specsia_build.backends.registry import load_backend
from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig, read_settings, result_settings
from specsia_build.dataset import exchange, schema
from specsia_build.dataset.parquet import stored_rows
from specsia_build.errors import UsageError, plural
from specsia_build.files.names import is_temporary
from specsia_build.files.records import remembered_json
from specsia_build.files.writing import write_bytes
from specsia_build.ownership import is_vacant, refuse_foreign_folder
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.plan import Run, found_inputs
from specsia_build.stages import render
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import CharacterStage, Job

KIND = "specsia run"
FORMAT = 1

VERSIONS = "versions"
"""Field of the mark: the version of each stage and backend that made what lies in the folder."""


def write_mark(layout: RunLayout, source: str, versions: Mapping[str, int]) -> None:
    """Mark a folder as a run's."""
    mark = {"kind": KIND, "format": FORMAT, "specsia": __version__, "source": source, VERSIONS: versions}
    write_bytes(layout.mark, (json.dumps(mark, indent=1, ensure_ascii=False) + "\n").encode(), lasting=True)


def _versions(config: BuildConfig, stages: Sequence[CharacterStage]) -> dict[str, int]:
    """Versions of some stages, and of the backends that they call."""
    called = [load_backend(spec) for spec in config.backends if any(stage.calls_backend for stage in stages)]
    return {stage.name: stage.version for stage in stages} | {backend.name: backend.version for backend in called}


def versions_before(layout: RunLayout) -> dict[str, int]:
    """Versions that made what a folder holds, by its mark."""
    mark = remembered_json(layout.mark)
    stated = mark.get(VERSIONS) if isinstance(mark, dict) else None
    found = stated.items() if isinstance(stated, dict) else ()
    return {name: version for name, version in found if isinstance(version, int)}


def outdated(layout: RunLayout, config: BuildConfig) -> list[str]:
    """Stages and backends of other versions than what they made in a folder, such as ``render 2 -> 12``."""
    before, now = versions_before(layout), _versions(config, character_stages(config))
    return [f"{name} {before[name]} -> {now[name]}" for name in now if before.get(name, now[name]) != now[name]]


def note_versions(config: BuildConfig, layout: RunLayout, made: Sequence[CharacterStage]) -> None:
    """Write the mark, with the versions of now for stages that were `made` of all characters and for new ones."""
    new, now = _versions(config, character_stages(config)), _versions(config, made)
    write_mark(layout, config.source, {**new, **versions_before(layout), **now})


def check_folder(layout: RunLayout) -> None:
    """Check that a run may be written to a folder; nothing is written.

    Raises:
        UsageError: if it holds something else, or a run of a newer version.
    """
    if is_vacant(layout.root):
        return
    # A mark that is damaged is written anew.
    if layout.mark.is_file():
        mark = remembered_json(layout.mark)
        if isinstance(mark, dict) and mark.get("kind") == KIND and mark.get("format", FORMAT) != FORMAT:
            raise UsageError(f"{layout.root} holds a run of a newer version of specsia: use that, or another --out")
    # A build that was killed before it wrote the mark leaves its lock.
    elif any(path != layout.lock.parent and not is_temporary(path.name) for path in layout.root.iterdir()):
        refuse_foreign_folder(layout.root, "build of specsia")


def settings_before(layout: RunLayout) -> dict[str, Any]:
    """Settings of the build that a folder holds; none where it holds none."""
    return read_settings(layout.config) if layout.config.is_file() else {}


def _shown(value: object) -> str:
    """Text of a setting's value."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def changes(before: Mapping[str, Any], config: BuildConfig) -> list[str]:
    """Settings of a run that a build changes, such as ``views 10 -> 8``."""
    return list(_changed(before, result_settings(config)))


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name, value in now.items():
        was = before.get(name, value)
        if isinstance(was, dict) and isinstance(value, dict):
            yield from _changed(was, value)
        elif was != value:
            yield f"{name} {_shown(was)} -> {_shown(value)}"


def _rows_of(dataset: Path) -> int | None:
    """Rows of a packed dataset, None where there is none that can be read."""
    shards = [name for name in exchange.listed_names(dataset) if name.startswith(f"{schema.DATA}/")]
    rows = [found for name in shards if (found := stored_rows(dataset / name)) is not None]
    return sum(rows) if shards and len(rows) == len(shards) else None


def _planned_rows(config: BuildConfig, characters: int) -> int:
    """Rows of the dataset of so many characters, if none of them fails."""
    return characters * config.views * len(config.backends)


def told_before(
    before: Mapping[str, Any], config: BuildConfig, layout: RunLayout, characters: int, packs: bool
) -> list[str]:
    """Lines on what a build is about to change of the run that it finds.

    Args:
        before: settings of the run.
        config: of the build.
        layout: of both.
        characters: that the build is about.
        packs: whether it writes a dataset.
    """
    found = changes(before, config)
    lines = [f"{layout.root} holds a build with other settings, which changes: {'; '.join(found)}"] if found else []
    if newer := outdated(layout, config):
        lines.append(f"what other versions made in {layout.root} is made anew: {'; '.join(newer)}")
    old = _rows_of(layout.dataset) if packs else None
    if config.clips is not None:
        # How many frames there will be, only the characters' motions tell.
        return [*lines, f"its dataset of {plural(old, 'row')} is replaced"] if old is not None and found else lines
    new = _planned_rows(config, characters)
    if old is not None and (found or new < old):
        lines.append(f"its dataset is replaced: rows {old} -> {new}, less those of characters that fail")
    return lines


def refuse_other_source(before: Mapping[str, Any], run: Run, entries: Sequence[Entry]) -> None:
    """Check that a run whose source is named anew keeps its characters and does not lose rows.

    Raises:
        UsageError: if all that was rendered is of other characters, which only bear the same names, or the dataset
            would become smaller.
    """
    if before.get("source", run.config.source) == run.config.source:
        return
    metas = ((entry, run.meta(render.STAGE, None, entry.id)) for entry in entries)
    rendered = [(render.sources(Job(entry, run.config)), meta) for entry, meta in metas if meta is not None]
    digest = run.index.digest
    if rendered and not any(found_inputs(sources, meta, digest) == meta["inputs"] for sources, meta in rendered):
        raise UsageError(
            f"{run.layout.root} holds a build of another source, {before['source']}, none of whose characters is in "
            f"{run.config.source}: give another --out, or --fresh to begin anew there"
        )
    old, new = _rows_of(run.layout.dataset), _planned_rows(run.config, len(entries))
    if run.config.clips is None and old is not None and new < old:
        raise UsageError(
            f"{run.layout.root} holds a dataset of another source, {before['source']}, which {run.config.source} would "
            f"make smaller ({old:,} -> {new:,} rows): give another --out, or --fresh to begin anew there"
        )
