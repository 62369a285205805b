"""The end of a build: write its layouts, and remove artefacts with `--keep none`."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from specsia_build import terminal
from specsia_build.characters.survey import same_files
from specsia_build.config import NONE, PAIRS
from specsia_build.dataset import splits
from specsia_build.dataset.checksums import hash_files, parse_sums
from specsia_build.dataset.places import listed_names, upload
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.dataset.stats import find_twins
from specsia_build.errors import DamagedError, SpecsiaError, UsageError, plural, some
from specsia_build.layouts.packing import folder_fingerprint, is_current, pack
from specsia_build.layouts.part import Part
from specsia_build.layouts.registry import load_layouts
from specsia_build.layouts.writing import NotWritten
from specsia_build.pipeline.failures import BuildSummary, Failure, StageSummary, counted, print_stage
from specsia_build.pipeline.folder import remove_artefacts
from specsia_build.pipeline.loop import Build, Keys
from specsia_build.pipeline.plan import DONE
from specsia_build.pipeline.run import RunPaths
from specsia_build.pipeline.sets import (
    PlannedSet,
    States,
    facts_of,
    missing_reason,
    part_writer,
    parts_of,
    plan_sets,
)
from specsia_build.pipeline.store import read_artefact
from specsia_build.pipeline.worker import Outcome, peak_mb
from specsia_build.stages.clips import motions
from specsia_build.stages.pack import PACK
from specsia_build.warning import Warning


class SetResult(NamedTuple):
    """What became of a set: why it could not be written, or numbers of parts and of members."""

    stopped: str | None
    parts: int = 0
    stage: StageSummary | None = None


def finish(build: Build) -> BuildSummary:
    """Write a build's layouts, and remove its artefacts with `--keep none`."""
    if (failed := counted(build.failures_before())[0]) > build.summary.allowed_failures:
        return build.stopped_by_failures(f"continue without them with --max-failures {failed}")
    try:
        summary = _pack_all(build)
    except DamagedError:
        build.make_again(_damaged(build), build.run.steps)
        summary = _pack_all(build)
    if build.config.keep != NONE or summary.stopped is not None:
        return summary
    _check_packed(build)
    # Other builds need no generator of samples.
    from specsia_build.characters.samples.write import withdraw

    return replace(summary, freed=remove_artefacts(build.paths) + sum(map(withdraw, build.entries)))


def _damaged(build: Build) -> Keys:
    damaged: Keys = {}
    for entry in build.entries:
        # As they were before packing began.
        states = build.state_of(entry).states
        for step in build.run.steps:
            for key in (key for key, state in states[step.name].items() if state == DONE):
                try:
                    read_artefact(build.paths.artefact(step.stage, step.name[1], key), key)
                except DamagedError:
                    damaged.setdefault(step, set()).add(key)
    return damaged


def _pack_all(build: Build) -> BuildSummary:
    failures = build.failures_before()
    if build.config.clips is not None and not build.summary.clips:
        metas = (build.run.meta(motions.MOTIONS, None, entry.id) for entry in build.entries)
        if not failures and all(meta is None for meta in metas):
            stage = motions.MOTIONS.name
            raise UsageError(f"pack has no clips to pack: run `{build.config.command} --stage {stage}` first")
        return build.finished(stopped="no character has a clip: its failure or warning says why")
    states = {entry.id: build.state_of(entry) for entry in build.entries}
    results: dict[str, list[SetResult]] = {}
    for layout in load_layouts(build.config.packed_layouts):
        sets = plan_sets(build.run, layout, states)
        results[layout.name] = [_pack_set(build, planned, failures) for planned in sets]
    return _summary(build, states, results)


def _summary(build: Build, states: States, results: Mapping[str, Sequence[SetResult]]) -> BuildSummary:
    """Summary of a build whose layouts were written."""
    every = [result for of_layout in results.values() for result in of_layout]
    stopped = "; ".join(result.stopped for result in every if result.stopped is not None)
    summary = build.finished(stopped=stopped or None)
    stages = [stage for result in every if (stage := result.stage) and stage.stage == PACK.name]
    counts: dict[str, int] = {}
    for name, of_layout in results.items():
        if name != PAIRS:
            counts[name] = sum(result.parts for result in of_layout)
    summary = replace(summary, stages=[*summary.stages, *stages], layouts=counts or None)
    if PAIRS not in results or any(result.stopped for result in results[PAIRS]):
        return summary
    paths, rows = build.paths, dict[str, int]()
    for name in build.run.backends:
        members = [member for state in states.values() for member in state.members[name]]
        rows[name] = sum(member.rows for member in members)
    dataset = paths.dataset if paths.url is None else _send(paths, f"{paths.url}/dataset")
    empty = empty_splits(states, build.characters.splits)
    summary = replace(summary, rows=rows, dataset=dataset, empty_splits=empty)
    if any(stage.built for stage in stages if stage.stage == PACK.name):
        summary = replace(summary, doubles=(*summary.doubles, *_twins(build)))
    return summary


def _twins(build: Build) -> list[str]:
    """A sentence about each two characters of the dataset that look the same and are not one file."""
    file_of: dict[str, tuple[str, ...]] = {}
    for ids in same_files(build.entries, build.run.index.digest):
        file_of |= dict.fromkeys(ids, ids)
    twins = find_twins(open_dataset(build.paths.dataset))
    return [str(pair) for pair in twins if not pair.ids <= {*file_of.get(pair.first.character, ())}]


def _pack_set(build: Build, planned: PlannedSet, failures: Sequence[Failure]) -> SetResult:
    """Write a set's folder if it is not current."""
    start = time.perf_counter()
    run = build.run
    layout, folder = planned.layout, planned.target.folder
    if (reason := missing_reason(run, planned, build.characters, failures)) is not None:
        return SetResult(reason)
    facts = facts_of(run, planned, build.characters, failures)
    parts = parts_of(run, planned, build.characters.splits)
    missed, written = is_current(planned.target, folder_fingerprint(layout, parts, facts)), 0
    if missed is None:
        before = listed_names(folder)
        with terminal.bar(folder.name, len(parts), "part") as advance:
            packed = pack(planned.target, parts, part_writer(run, build.execute, advance), facts)
        missed, written = packed.missed, packed.written
        if gone := before - listed_names(folder):
            terminal.say(f"{folder}: {plural(len(gone), 'file')} removed that are no longer in this run")
        if packed.kept:
            terminal.say(f"{folder}: {plural(written, 'part')} written, {packed.kept:,} kept as they were")
    faults = _report(build, parts, missed)
    name, seconds = PACK.name if layout.name == PAIRS else folder.name, time.perf_counter() - start
    units = len(planned.members) if layout.unit == "view" else len(parts) - len(missed)
    built, kept = (units, 0) if written else (0, units)
    stage = StageSummary(name, None, built, kept, len(faults), seconds)
    print_stage(stage)
    if written:
        build.record.log(name, None, "", Outcome(seconds=seconds, peak_mb=peak_mb()))
    if faults:
        return SetResult(f"{some(faults, 1)}; the other parts are written", len(parts) - len(missed), stage)
    if len(missed) == len(parts):
        return SetResult(f"there is nothing of {layout.name} to pack: the warnings say why", 0, stage)
    return SetResult(None, len(parts) - len(missed), stage)


def _report(build: Build, parts: Sequence[tuple[Part, str]], missed: Mapping[str, NotWritten]) -> list[str]:
    """Warn of parts that do not suit the layout; returns sentences about those that it failed to write."""
    characters = {part.key: part.character for part, _ in parts}
    for key, (reason, suits) in missed.items():
        if not suits:
            build.record.warn(characters[key], [Warning("not-packed", reason, key)])
    return [reason for reason, suits in missed.values() if suits]


def _send(paths: RunPaths, url: str) -> str:
    """Send the packed dataset to a URL, and return it."""
    files = len(listed_names(paths.dataset)) - 1
    with terminal.bar("upload", files, "file") as advance:
        sent = upload(paths.dataset, url, advance)
    terminal.say(f"upload: {plural(sent, 'file')} sent, {files - sent} already there")
    return url


def empty_splits(states: States, planned: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence about each planned split without rows, with the manifest line that fills it."""
    packed = {name for name, state in states.items() if any(state.members.values())}
    return tuple(splits.empty_notes(planned, packed))


def _check_packed(build: Build) -> None:
    """Raise SpecsiaError if a packed file differs from its checksum."""
    damaged = []
    with terminal.bar("check", None, "B") as advance:
        for layout in load_layouts(build.config.packed_layouts):
            for planned in plan_sets(build.run, layout, {}):
                folder = planned.target.folder
                sums, _ = parse_sums((folder / SUMS_FILE).read_text(encoding="utf-8"))
                digests = hash_files(folder, [*sums], advance)
                damaged += [str(folder / name) for name, digest in digests.items() if digest != sums[name]]
    if damaged:
        problem = f"{some(damaged)} differs from what was written, so no artefact is removed"
        raise SpecsiaError(f"{problem}: delete it, check the disk, and run the same command again")
