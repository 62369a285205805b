"""Merge runs that each built a shard of one source: copy their artefacts into one run, for a build to pack."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from specsia_build.backends.registry import portable_spec
from specsia_build.config import BuildConfig, result_settings, write_settings
from specsia_build.errors import UsageError
from specsia_build.files.writing import link_or_copy, replacing, write_bytes
from specsia_build.pipeline.failures import read_failures, write_failures
from specsia_build.pipeline.folder import changes, check_folder, locked, settings_before, write_mark
from specsia_build.pipeline.run import RunLayout, existing_run
from specsia_build.stages.registry import character_stages


def merge(runs: Sequence[Path], layout: RunLayout) -> BuildConfig:
    """Copy the artefacts of runs into the folder of another one, which a build then packs; the runs stay as they are.

    Where several runs have an artefact, the first run's is copied; fingerprints decide whether it is up to date. Raises
    UsageError if a folder holds no run, runs differ in settings or splits, or the target holds another run. Returns the
    settings of the merged run: those of the first run, for the whole source.
    """
    shards = [existing_run(run) for run in runs]
    folders = [shard.root.resolve() for _, shard in shards]
    if len(set(folders)) < len(folders) or layout.root.resolve() in folders:
        raise UsageError("the runs to merge and --out must all be different folders")
    first, first_layout = shards[0]
    sources = [config.source for config, _ in shards]
    usable = (source for source in sources if source.startswith("sample:") or Path(source).exists())
    whole = replace(first, shard=None, source=next(usable, sources[0]))
    for config, shard in shards:
        if differ := changes(result_settings(_portable(first)), _portable(config)):
            both = f"{shard.root} and {first_layout.root}"
            raise UsageError(f"{both} differ in {'; '.join(differ)}: build both with the same settings")
        if not shard.splits.is_file() or shard.splits.read_bytes() != first_layout.splits.read_bytes():
            raise UsageError(
                f"{shard.root} and {first_layout.root} are of different characters, or put them in different splits: "
                "build both from the same source"
            )
    check_folder(layout)
    if (before := settings_before(layout)) and (differ := changes(before, whole)):
        raise UsageError(f"{layout.root} holds a run with other settings ({'; '.join(differ)}): name another --out")
    with locked(layout):
        write_mark(layout, whole.source)
        write_settings(whole, layout.config)
        write_bytes(layout.splits, first_layout.splits.read_bytes())
        for _, shard in shards:
            for folder in ("artefacts", "quarantine", "logs"):
                _copy(shard.root, layout.root, folder)
        stages = {stage.name: stage for stage in character_stages()}
        failures = {failure for _, shard in shards for failure in read_failures(shard.failures)}
        missing = {f for f in failures if not layout.artefact(stages[f.stage], f.backend, f.key).exists()}
        write_failures(layout.failures, missing)
    return whole


def _portable(config: BuildConfig) -> BuildConfig:
    """Settings without the shard and without paths of one machine: of the source and of backends."""
    return replace(config, shard=None, source="", backends=tuple(map(portable_spec, config.backends)))


def _copy(old: Path, new: Path, folder: str) -> None:
    """Copy the files below a folder of a run that the other lacks; links are not followed."""
    for path in sorted((old / folder).rglob("*")):
        target = new / path.relative_to(old)
        if path.is_file() and not path.is_symlink() and not os.path.lexists(target):
            with replacing(target) as temporary:
                link_or_copy(path, temporary)
