"""Joining runs that each built a share of one source: their artefacts are copied, and a build packs the whole."""

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

    Fingerprints decide what of it is up to date; of two artefacts of one place the first run's is taken. Raises
    UsageError if one of them is not a run or differs in settings or splits, or if the folder holds another run.
    Returns the settings of that run: those of the first, of the whole source.
    """
    shares = [existing_run(run) for run in runs]
    folders = [share.root.resolve() for _, share in shares]
    if len(set(folders)) < len(folders) or layout.root.resolve() in folders:
        raise UsageError("the runs to merge and --out must all be different folders")
    first, first_layout = shares[0]
    sources = [config.source for config, _ in shares]
    here = next((one for one in sources if one.startswith("sample:") or Path(one).exists()), sources[0])
    whole = replace(first, shard=None, source=here)
    for config, share in shares:
        if differ := changes(result_settings(_portable(first)), _portable(config)):
            both = f"{share.root} and {first_layout.root}"
            raise UsageError(f"{both} differ in {'; '.join(differ)}: build both with the same settings")
        if not share.splits.is_file() or share.splits.read_bytes() != first_layout.splits.read_bytes():
            raise UsageError(
                f"{share.root} and {first_layout.root} are of different characters, or put them in different splits: "
                "build both from the same source"
            )
    check_folder(layout)
    if (before := settings_before(layout)) and (differ := changes(before, whole)):
        raise UsageError(f"{layout.root} holds a run with other settings ({'; '.join(differ)}): name another --out")
    with locked(layout):
        write_mark(layout, whole.source)
        write_settings(whole, layout.config)
        write_bytes(layout.splits, first_layout.splits.read_bytes())
        for _, share in shares:
            for folder in ("artefacts", "quarantine", "logs"):
                _copy(share.root, layout.root, folder)
        stages = {stage.name: stage for stage in character_stages()}
        failures = {failure for _, share in shares for failure in read_failures(share.failures)}
        lost = {f for f in failures if not layout.artefact(stages[f.stage], f.backend, f.key).exists()}
        write_failures(layout.failures, lost)
    return whole


def _portable(config: BuildConfig) -> BuildConfig:
    """Settings without a machine's own places: of the source, of backends, and the share."""
    return replace(config, shard=None, source="", backends=tuple(map(portable_spec, config.backends)))


def _copy(old: Path, new: Path, folder: str) -> None:
    """Copy the files below a folder of a run that the other lacks; links are not followed."""
    for path in sorted((old / folder).rglob("*")):
        target = new / path.relative_to(old)
        if path.is_file() and not path.is_symlink() and not os.path.lexists(target):
            with replacing(target) as temporary:
                link_or_copy(path, temporary)
