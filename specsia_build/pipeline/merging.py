"""Joining runs that each built a share of one source, into the run that one build of it all would have been."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from specsia_build.backends.registry import placeless
from specsia_build.config import BuildConfig
from specsia_build.config_file import write_settings
from specsia_build.dataset import splits
from specsia_build.errors import UsageError, some
from specsia_build.files.writing import append, replacing, write_bytes
from specsia_build.pipeline.failures import Failure, read_failures, write_failures
from specsia_build.pipeline.index import Index, open_index, packed_meta
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.lock import locked
from specsia_build.pipeline.mark import changes, claim_folder, settings_before, take_versions
from specsia_build.pipeline.settings import existing_run
from specsia_build.pipeline.store import is_dropped, stamp_of
from specsia_build.stages.registry import character_stages

_LOCAL = "source"
"""Of the settings what may differ between machines: where the source lies."""


def merge(runs: Sequence[Path], layout: RunLayout, say: Callable[[str], None]) -> BuildConfig:
    """Gather what runs made in the folder of another one, which can then be packed.

    The runs stay as they are. What is there already is kept, so that a merge that was stopped goes on.

    Args:
        runs: folders of them, built by `--shard` or otherwise, with the same settings.
        layout: of the run that they become.
        say: shows a line to the user.

    Returns:
        The settings of that run: those of the first, of the whole source.

    Raises:
        UsageError: if one of them is no run, differs in settings or splits, or made something else of the same
            character; or if the folder holds another run.
        SpecsiaError: if something cannot be read or written.
    """
    found = [existing_run(run) for run in runs]
    for _, one in found:
        if one.work is not None:
            raise UsageError(
                f"the artefacts of {one.root} are at {one.work}, which merge does not read: build the whole source "
                f"with --work {one.work}, where a build finds what shares have made"
            )
    places = [one.root.resolve() for _, one in found]
    if len(set(places)) < len(places) or layout.root.resolve() in places:
        raise UsageError("the runs to merge and the folder that they go to must all differ")
    whole = replace(found[0][0], shard=None, source=_source([config for config, _ in found]))
    for config, one in found:
        _refuse_other(config, one, whole, found[0][1])
    note = claim_folder(layout, whole.source)
    with locked(layout, say):
        before = settings_before(layout)
        if before and changes(before, whole):
            raise UsageError(
                f"{layout.root} holds a run with other settings ({'; '.join(changes(before, whole))}): name another "
                "--out"
            )
        if note is not None:
            say(note)
        write_settings(whole, layout.config)
        if several := take_versions([one for _, one in found], layout, whole.source):
            told = "several versions made the runs, so that the next build makes the older parts anew"
            say(f"{told}: {'; '.join(several)}")
        write_bytes(layout.splits, found[0][1].splits.read_bytes())
        with open_index(layout, writes=True, say=say) as index:
            for _, one in found:
                _take_artefacts(one, layout, index, say)
            _take_failures([one for _, one in found], layout, index)
        _take_records([one for _, one in found], layout)
    return whole


def _source(configs: Sequence[BuildConfig]) -> str:
    """Where the source lies on this machine: the first run's, or another's where that is not here."""
    given = [config.source for config in configs]
    return next((one for one in given if one.startswith("sample:") or Path(one).exists()), given[0])


def _refuse_other(config: BuildConfig, one: RunLayout, whole: BuildConfig, first: RunLayout) -> None:
    """See that a run is of the same settings and splits as the first.

    Raises:
        UsageError: if it is not.
    """
    before = settings_before(first) | {"shard": None, _LOCAL: config.source}
    # Where backends lie is each machine's own; what they made is compared by its fingerprint.
    before["backends"] = [placeless(spec) for spec in before.get("backends", ())]
    differ = changes(before, replace(config, shard=None, backends=tuple(map(placeless, config.backends))))
    if differ:
        raise UsageError(f"{one.root} has other settings than {first.root} ({'; '.join(differ)}): build both alike")
    if not one.splits.is_file() or splits.frozen(one.splits) != splits.frozen(first.splits):
        raise UsageError(
            f"{one.root} and {first.root} are of different characters, or put them in different splits: build both "
            "from the same source"
        )


def _take_artefacts(one: RunLayout, layout: RunLayout, index: Index, say: Callable[[str], None]) -> None:
    """Bring a run's artefacts over; those that do not read are left behind, to be made again.

    Raises:
        UsageError: if there is another one of the same name already.
    """
    damaged = []
    with open_index(one, writes=False) as theirs:
        for path in sorted(_files(one.root / "artefacts")):
            name = path.relative_to(one.root)
            target, meta = layout.root / name, theirs.meta(path)
            if meta is None:
                damaged.append(name.as_posix())
            elif (there := index.meta(target)) is None or (there == meta and is_dropped(target)):
                _bring(path, target)
                if (stamp := stamp_of(target)) is not None:
                    index.learn(target, stamp, packed_meta(meta))
            elif there != meta:
                raise UsageError(
                    f"{name.as_posix()} of {one.root} is not what another run has: its source, its settings or its "
                    "version differ; build that character in one run only, or both anew"
                )
    if damaged:
        say(f"{one.root}: damaged and left behind: {some(damaged)}")


def _files(folder: Path) -> Iterator[Path]:
    """Regular files below a folder, links not followed."""
    for parent, _, names in os.walk(folder):
        yield from (path for name in names if (path := Path(parent, name)).is_file() and not path.is_symlink())


def _bring(path: Path, target: Path) -> None:
    """Bring a file to another place: the same one where that can be, as no writer changes any, or else a copy."""
    with replacing(target) as temporary:
        try:
            os.link(path, temporary)
        except OSError:
            shutil.copyfile(path, temporary)


def _take_failures(runs: Sequence[RunLayout], layout: RunLayout, index: Index) -> None:
    """Bring over what is on record as failed, with what there is to look at; the first run that says so counts.

    What failed in one run and was made in another has not failed.
    """
    stages = {stage.name: stage for stage in character_stages()}
    kept: dict[tuple[str, str, str | None], Failure] = {}
    for one in runs:
        for failure in read_failures(one.failures):
            if (failure.key, failure.stage, failure.backend) in kept:
                continue
            stage = stages.get(failure.stage)
            if stage is not None and index.meta(layout.artefact(stage, failure.backend, failure.key)) is not None:
                continue
            kept[failure.key, failure.stage, failure.backend] = failure
            if failure.details is None:
                continue
            shown = one.root / failure.details
            if not shown.resolve().is_relative_to(one.root.resolve()):
                continue
            for path in [shown] if shown.is_file() else _files(shown):
                _bring(path, layout.root / path.relative_to(one.root))
    write_failures(layout.failures, kept.values())


def _take_records(runs: Sequence[RunLayout], layout: RunLayout) -> None:
    """Bring over how long things took."""
    layout.log.unlink(missing_ok=True)
    for one in runs:
        if one.log.is_file():
            text = one.log.read_text(encoding="utf-8", errors="replace")
            append(layout.log, text if text.endswith("\n") or not text else text + "\n")
