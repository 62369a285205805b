"""The mark of a run's folder, and what a build changes of the one that it finds there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from specsia_build import __version__
from specsia_build.backends.registry import load_backend
from specsia_build.characters.character import Entry
from specsia_build.config import WORK, BuildConfig, result_settings
from specsia_build.config_file import read_settings, with_settings, write_settings
from specsia_build.dataset import exchange, schema, splits
from specsia_build.dataset.parquet import stored_rows
from specsia_build.errors import SpecsiaError, UsageError, plural
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes
from specsia_build.ownership import is_vacant, listed_below, refuse_foreign_folder, remove_empty
from specsia_build.pipeline.index import Index
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.lock import BusyError
from specsia_build.pipeline.planning import found_inputs
from specsia_build.stages import render
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import CharacterStage, Job

KIND = "specsia run"
FORMAT = 1


VERSIONS = "versions"
"""Field of the mark: of each stage and backend, the version that made what lies in the folder."""


def _write_mark(layout: RunLayout, source: str, versions: Mapping[str, int] | None = None) -> None:
    mark = {"kind": KIND, "format": FORMAT, "specsia": __version__, "source": source, VERSIONS: versions or {}}
    write_bytes(layout.mark, (json.dumps(mark, indent=1, ensure_ascii=False) + "\n").encode(), lasting=True)


def _versions(config: BuildConfig, stages: Sequence[CharacterStage]) -> dict[str, int]:
    """Of some stages, and of the backends that they call."""
    called = [load_backend(spec) for spec in config.backends if any(stage.calls_backend for stage in stages)]
    return {stage.name: stage.version for stage in stages} | {one.name: one.version for one in called}


def _versions_before(layout: RunLayout) -> dict[str, int]:
    """Those that made what a folder holds, as far as its mark tells, or else its dataset."""
    for path, name in ((layout.mark, VERSIONS), (layout.dataset / schema.BUILD_FILE, "stages")):
        with suppress(SpecsiaError, OSError):
            found = read_json(path)
            if isinstance(found, dict) and isinstance(stated := found.get(name), dict):
                return {key: version for key, version in stated.items() if isinstance(version, int)}
    return {}


def outdated(layout: RunLayout, config: BuildConfig) -> list[str]:
    """Stages and backends of other versions than what they made in a folder, such as ``render 2 -> 12``."""
    before, now = _versions_before(layout), _versions(config, character_stages(config))
    return [f"{name} {before[name]} -> {now[name]}" for name in now if before.get(name, now[name]) != now[name]]


def note_versions(config: BuildConfig, layout: RunLayout, made: Sequence[CharacterStage]) -> None:
    """Write the mark, with the versions of now for stages that were `made` of all characters and for new ones."""
    new, now = _versions(config, character_stages(config)), _versions(config, made)
    _write_mark(layout, config.source, {**new, **_versions_before(layout), **now})


def take_versions(runs: Sequence[RunLayout], layout: RunLayout, source: str) -> list[str]:
    """Write the mark of a run that others become, with the versions that made them: the oldest where they differ.

    Returns:
        Stages and backends of which the runs have several, such as ``render 2 and 12``.
    """
    found: dict[str, set[int]] = {}
    for one in runs:
        for name, version in _versions_before(one).items():
            found.setdefault(name, set()).add(version)
    _write_mark(layout, source, {name: min(versions) for name, versions in found.items()})
    several = {name: sorted(versions) for name, versions in found.items() if len(versions) > 1}
    return [f"{name} {' and '.join(map(str, versions))}" for name, versions in several.items()]


def _looks_like_a_run(layout: RunLayout) -> bool:
    """Whether a folder without a mark holds settings and splits as builds write them."""
    try:
        found = read_settings(layout.config)
        with_settings(BuildConfig(), found, str(layout.config))
        splits.from_json(layout.splits)
    except (SpecsiaError, OSError):
        return False
    return "source" in found


def claim_folder(layout: RunLayout, source: str) -> str | None:
    """See that a run's folder is one, and mark it where it is new.

    Returns:
        A line to be shown where the folder was taken for a run without having a mark.

    Raises:
        UsageError: if it holds something else, or a run of a newer version.
    """
    if is_vacant(layout.root):
        _write_mark(layout, source)
        return None
    try:
        mark = read_json(layout.mark)
    except (SpecsiaError, FileNotFoundError):
        mark = None
    if isinstance(mark, dict) and mark.get("kind") == KIND:
        if not isinstance(mark.get("format"), int) or mark["format"] > FORMAT:
            raise UsageError(f"{layout.root} holds a run of a newer version of specsia: use that, or another --out")
        return None
    if not _looks_like_a_run(layout):
        refuse_foreign_folder(layout.root, "build of specsia")
    _write_mark(layout, source)
    return f"{layout.root} holds a build that has no mark yet: it gets one and goes on"


@contextmanager
def claimed(layout: RunLayout, source: str, say: Callable[[str], None]) -> Iterator[None]:
    """Claim a run's folder, see `claim_folder`; what is refused in the block before it made anything leaves nothing.

    Args:
        layout: of the run.
        source: of its characters.
        say: shows a line to the user.

    Raises:
        UsageError: if the folder holds something else, or a run of a newer version.
    """
    new = [folder for folder in (layout.root, *layout.root.parents) if not folder.exists()]
    found = None if not is_vacant(layout.root) else _files(layout.root)
    try:
        if (note := claim_folder(layout, source)) is not None:
            say(note)
        yield
    except SpecsiaError as error:
        # Of two that found it vacant, what lies there is the other's.
        if found is not None and not isinstance(error, BusyError):
            _take_back(layout, _files(layout.root) - found, new)
        raise


def _files(folder: Path) -> set[Path]:
    found = (folder / name for name in listed_below(folder))
    return {path for path in found if path.is_symlink() or not path.is_dir()}


def _take_back(layout: RunLayout, written: set[Path], new: Sequence[Path]) -> None:
    """Remove what a build wrote about itself, unless it wrote more, and the `new` folders, the innermost first."""
    index = {layout.index.with_name(layout.index.name + end) for end in ("", "-journal", "-shm", "-wal")}
    about = {layout.mark, layout.config, layout.splits, layout.left_out, layout.failures, layout.lock, layout.lease}
    if not written <= about | index:
        return
    for path in written:
        path.unlink()
    for folder in layout.root.iterdir() if layout.root.is_dir() else ():
        if folder.is_dir() and not folder.is_symlink():
            remove_empty(folder)
    for folder in new:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def settled(config: BuildConfig, layout: RunLayout) -> Iterator[None]:
    """Write the mark and the settings, for a first build before the block, which finds and accepts its characters.

    A first build that is stopped at any instant thus goes on with what it was asked for. The settings of a build that
    is there stand until the block has accepted others, and those of a first one that is refused are taken back.
    """
    before = layout.config.read_bytes() if layout.config.is_file() else None
    first = not layout.splits.exists()
    if first:
        write_settings(config, layout.config)
    try:
        yield
    except UsageError:
        if first and before is not None:
            write_bytes(layout.config, before)
        elif first:
            layout.config.unlink()
        raise
    write_settings(config, layout.config)
    note_versions(config, layout, ())


def settings_before(layout: RunLayout) -> dict[str, Any]:
    """Settings of the build that a folder holds; none where it holds none."""
    return read_settings(layout.config) if layout.config.is_file() else {}


def shown(value: object) -> str:
    """A setting, as people read it."""
    return (
        (", ".join(map(str, value)) or "none") if isinstance(value, list) else "none" if value is None else str(value)
    )


def changes(before: Mapping[str, Any], config: BuildConfig) -> list[str]:
    """What a build changes of the settings that it finds, such as ``views 10 -> 8``."""
    return list(_changed(before, result_settings(config)))


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name, value in now.items():
        was = before.get(name, value)
        if isinstance(was, dict) and isinstance(value, dict):
            yield from _changed(was, value)
        elif was != value:
            yield f"{name} {shown(was)} -> {shown(value)}"


def rows_of(dataset: Path) -> int | None:
    """Rows of a packed dataset, None where there is none that can be read."""
    shards = [name for name in exchange.listed_names(dataset) if name.startswith(f"{schema.DATA}/")]
    rows = [found for name in shards if (found := stored_rows(dataset / name)) is not None]
    return sum(rows) if shards and len(rows) == len(shards) else None


def told_before(
    before: Mapping[str, Any], config: BuildConfig, layout: RunLayout, characters: int, packs: bool
) -> list[str]:
    """What a build is about to change of the one that it finds, in lines.

    Args:
        before: settings of the build that is there.
        config: of the one that begins.
        layout: of both.
        characters: that it is about.
        packs: whether it writes a dataset.
    """
    found = changes(before, config)
    lines = [f"{layout.root} holds a build with other settings, which changes: {'; '.join(found)}"] if found else []
    if newer := outdated(layout, config):
        lines.append(f"what other versions made in {layout.root} is made anew: {'; '.join(newer)}")
    if before and before.get(WORK) != config.work:
        there = before.get(WORK) or layout.root / "artefacts"
        lines.append(f"its artefacts stay at {there} and are made anew at {layout.artefacts}")
    old = rows_of(layout.dataset) if packs else None
    if config.clips is not None:
        # How many frames there will be, only the characters' motions tell.
        return [*lines, f"its dataset of {plural(old, 'row')} is replaced"] if old is not None and found else lines
    new = characters * config.views * len(config.backends)
    if old is not None and (found or new < old):
        lines.append(f"its dataset is replaced: rows {old} -> {new}, less those of characters that fail")
    return lines


def refuse_other_source(
    before: Mapping[str, Any], config: BuildConfig, layout: RunLayout, entries: Sequence[Entry], index: Index
) -> None:
    """See that a run whose source is named anew has at least one character that is as it was rendered.

    A source that has grown or moved has; one whose characters only bear the same names would replace them all.

    Raises:
        UsageError: if all that was rendered is of other characters.
    """
    if before.get("source", config.source) == config.source:
        return
    metas = ((entry, index.meta(layout.artefact(render.STAGE, None, entry.id))) for entry in entries)
    rendered = [(render.sources(Job(entry, config)), meta) for entry, meta in metas if meta is not None]
    if rendered and not any(found_inputs(sources, meta, index.digest) == meta["inputs"] for sources, meta in rendered):
        raise UsageError(
            f"{layout.root} holds a build of another source, {before['source']}, none of whose characters is in "
            f"{config.source}: give another --out, or --fresh to begin anew there"
        )
