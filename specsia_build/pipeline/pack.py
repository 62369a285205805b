"""The end of a build: pack a dataset or recipes, and remove artefacts that `--keep none` gives up."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from specsia_build.config import NONE, backend_name
from specsia_build.dataset import parquet, splits
from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.exchange import open_target, upload
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.errors import SpecsiaError, UsageError, plural, some
from specsia_build.pipeline.executors import Executor, Lost, Needs
from specsia_build.pipeline.failures import BuildSummary, Failure, counted
from specsia_build.pipeline.folder import remove_artefacts
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.loop import Build, Keys
from specsia_build.pipeline.plan import DONE, Run, Standing, backend_of
from specsia_build.pipeline.progress import StageSummary, named
from specsia_build.pipeline.recipes import by_folder, finish_folder, made_by, moves, part_tasks, write_parts
from specsia_build.pipeline.store import DamagedError, read_artefact
from specsia_build.pipeline.survey import withdraw
from specsia_build.pipeline.worker import Outcome, peak_mb
from specsia_build.recipes.recipe import Recipe, folder_recipes
from specsia_build.stages import pack
from specsia_build.stages.artefact import file_digest
from specsia_build.stages.clips import motions
from specsia_build.stages.rows import MakeShards, Shard, ShardTask, make_shard
from specsia_build.stages.stage import CharacterStage, Earlier


def finish(build: Build) -> BuildSummary:
    """Pack what a build made, and remove its artefacts where `keep` says so.

    Artefacts that turn out damaged are made again, once.

    Raises:
        SpecsiaError: if something cannot be written, or what was packed does not read as it was written.
    """
    pack_all = _pack_dataset if build.config.clips is None else _pack_clips
    try:
        summary = pack_all(build)
    except DamagedError:
        build.make_again(_damaged(build), build.run.steps)
        summary = pack_all(build)
    if build.config.keep != NONE or summary.stopped is not None:
        return summary
    _check_packed(build)
    return replace(summary, freed=remove_artefacts(build.layout) + sum(map(withdraw, build.entries)))


def _damaged(build: Build) -> Keys:
    """Keys of damaged artefacts; every artefact is read."""
    damaged: Keys = {}
    for entry in build.entries:
        states = build.standing(entry).states
        for step in build.run.steps:
            for key in (key for key, state in states[step.name].items() if state == DONE):
                try:
                    read_artefact(build.layout.artefact(step.stage, step.name[1], key), key)
                except DamagedError:
                    damaged.setdefault(step, set()).add(key)
    return damaged


def _load(layout: RunLayout, stages: Sequence[CharacterStage], key: str, backend: str) -> Earlier:
    """Read the artefacts of a character or clip, and of what a backend made of it."""
    return {stage: read_artefact(layout.artefact(stage, backend, key), key) for stage in stages}


def shard_maker(run: Run, execute: Executor, advance: Callable[[int], None]) -> MakeShards:
    """Return a function that makes the shards of a run's dataset by workers, or here where they are few.

    It raises `DamagedError` for a damaged artefact, and a SpecsiaError where a worker is lost. `advance` is called with
    the number of characters as they are packed.
    """
    make_one = partial(make_shard, load=partial(_load, run.layout, run.read_by_pack))

    def make(tasks: Sequence[ShardTask]) -> Generator[tuple[int, Shard], None, None]:
        # One process packs a shard or less before others have begun.
        few = sum(task.bytes for task in tasks) <= parquet.SHARD_BYTES
        needs = Needs(run.config.timeout * max((len(task.members) for task in tasks), default=1))
        here = ((number, make_one(task)) for number, task in enumerate(tasks))
        with closing(here if few else execute(make_one, tasks, needs)) as results:
            for number, shard in results:
                advance(len(tasks[number].members))
                if isinstance(shard, Lost):
                    raise SpecsiaError(f"{tasks[number].path.name} was not packed: {shard.reason}")
                yield number, shard

    return make


def pack_plan(
    run: Run, source: str, standings: Mapping[str, Standing], failures: Sequence[Failure], splits: Mapping[str, str]
) -> pack.PackPlan:
    """Plan a dataset: every character all of whose artefacts are up to date.

    Args:
        run: to be packed.
        source: name of its source.
        standings: what the run holds of each character, by id, in order.
        failures: on record.
        splits: split of each id.

    Raises:
        UsageError: if there is nothing of a backend.
    """
    members = {name: [member for one in standings.values() for member in one.members[name]] for name in run.backends}
    for name, packed in members.items():
        if not packed:
            raise UsageError(f"pack has nothing of {name} to pack: run `{run.config.command}` with all its stages")
    lost = {
        name: len({f.key for f in failures if (f.backend or "") == name and f.id in standings})
        for name in ("", *members)
    }
    return pack.PackPlan(
        config=run.config,
        source=source,
        planned=len(standings),
        splits=splits,
        members=members,
        quarantined={name: count for name, count in lost.items() if count},
        sees_ground_truth=[backend_name(s) for s in run.config.backends if backend_of(s).sees_ground_truth],
        reads=run.read_by_pack,
    )


def empty_splits(standings: Mapping[str, Standing], planned: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence about each planned split none of whose characters has rows, with the manifest line that fills it."""
    packed = {name for name, one in standings.items() if any(one.members.values())}
    return tuple(splits.empty_notes(planned, packed))


def _missed(build: Build, waiting: Mapping[str | None, Iterable[str]], failures: Sequence[Failure]) -> str | None:
    """Why nothing is packed while some of what waits for an earlier stage, by backend, did not fail."""
    for name, keys in waiting.items():
        excused = {failure.key for failure in failures if failure.backend in (None, name)}
        if missed := [key for key in keys if key not in excused]:
            return (
                f"{len(missed):,}{f' of {name}' if name else ''} are neither built up to date nor on record as failed "
                f"({named(missed)}): run `{build.config.command} --out {build.layout.out}` with all its stages"
            )
    return None


def _too_many(build: Build, failures: Sequence[Failure]) -> BuildSummary | None:
    """Summary of a build of which more failed than may, None where that is not so."""
    lost, _ = counted(failures)
    if lost > build.summary.allowed_failures:
        return build.too_many(f"go on without them with --max-failures {lost}")
    return None


def _pack_dataset(build: Build) -> BuildSummary:
    """Pack a dataset, unless too much failed or is missing."""
    start = time.perf_counter()
    layout, run, failures = build.layout, build.run, build.failures_before()
    for name in run.backends:
        if len(build.entries) == len({f.id for f in failures if f.backend in (None, name) and f.clip is None}):
            return build.finished(
                stopped=f"all characters failed or are quarantined, so {name} cannot be packed: see {layout.failures}"
            )
    if (summary := _too_many(build, failures)) is not None:
        return summary
    standings = {entry.id: build.standing(entry) for entry in build.entries}
    plan = pack_plan(run, build.characters.source, standings, failures, build.characters.splits)
    waiting: dict[str | None, list[str]] = {
        name: [key for one in standings.values() for key in one.waiting[name]] for name in plan.members
    }
    if (missed := _missed(build, waiting, failures)) is not None:
        return build.finished(stopped=missed)
    total = sum(map(len, plan.members.values()))
    current = pack.packed_fingerprint(layout.dataset) == pack.plan_fingerprint(plan)
    made, kept = (0, total) if current else (total, 0)
    with build.progress.bar(pack.STAGE.name, made, kept=kept) as advance:
        if not current:
            packed = pack.pack(plan, shard_maker(run, build.execute, advance), layout.dataset)
            outcome = Outcome(seconds=time.perf_counter() - start, peak_mb=peak_mb())
            build.record.log(pack.STAGE.name, None, "", outcome)
            if packed.foreign:
                build.progress.say(f"kept in {layout.dataset}, as it is not of the dataset: {named(packed.foreign)}")
            if packed.kept:
                shards = plural(packed.written, "shard")
                build.progress.say(f"pack: {shards} written, {packed.kept:,} kept as they were")
    done = StageSummary(pack.STAGE.name, None, made, kept, 0, time.perf_counter() - start)
    build.progress.stage_done(done)
    if layout.remote_dataset is not None:
        _send(build, layout.remote_dataset)
    rows = {name: sum(member.rows for member in members) for name, members in plan.members.items()}
    empty = empty_splits(standings, build.characters.splits)
    summary = build.finished(rows=rows, dataset=layout.remote_dataset or layout.dataset, empty_splits=empty)
    return replace(summary, stages=[*summary.stages, done])


def _send(build: Build, url: str) -> None:
    """Send the packed dataset to a URL."""
    start = time.perf_counter()
    files = sum(path.is_file() for path in build.layout.dataset.rglob("*")) - 1
    with build.progress.bar("upload", files, "file") as advance:
        sent = upload(build.layout.dataset, open_target(url), build.layout.uploaded, advance)
    build.progress.say(
        f"{'upload':<20} {plural(sent.sent, 'file')} ({sent.bytes / 1e6:,.1f} MB) sent, {sent.copied} renamed, "
        f"{sent.kept} there already, in {time.perf_counter() - start:.1f} s"
    )
    if sent.spared:
        build.progress.say(f"upload: {some(sent.spared)} of {url} were sent by no build and stay there")


def _pack_clips(build: Build) -> BuildSummary:
    """Pack clips by every recipe, unless too many failed."""
    assert build.config.clips is not None
    failures = build.failures_before()
    if not build.summary.clips:
        looked = any(build.run.meta(motions.STAGE, None, entry.id) is not None for entry in build.entries)
        if not failures and not looked:
            raise UsageError(
                f"pack has no clips to pack: run `{build.config.command} --stage {motions.STAGE.name}` first"
            )
        return build.finished(stopped="no character has a clip: its failure or warning says why")
    if (summary := _too_many(build, failures)) is not None:
        return summary
    stopped = [_pack_recipe(build, recipe, failures) for recipe in folder_recipes(build.config.clips.recipes)]
    summary = _pack_dataset(build) if build.run.packs else build.finished()
    return replace(summary, stopped="; ".join(filter(None, [summary.stopped, *stopped])) or None)


def _pack_recipe(build: Build, recipe: Recipe, failures: Sequence[Failure]) -> str | None:
    """Write the parts of a recipe; returns what could not be written and why."""
    start = time.perf_counter()
    characters, config = build.characters, build.config
    tasks, waiting = part_tasks(recipe, build.run, build.entries, characters.splits)
    if (missed := _missed(build, waiting, failures)) is not None:
        return missed
    parts = write_parts(tasks, config, build.execute, build.progress)
    for character, reasons in parts.left_out.items():
        build.record.warn(character, reasons)
    count = 0
    for folder, wanted in by_folder(tasks).items():
        backend = wanted[0].backend
        lost = len({failure.key for failure in failures if failure.backend in (None, backend)})
        facts = made_by(recipe, backend, config, characters.source)
        facts |= {"planned": len(build.entries), "quarantined": lost}
        count += finish_folder(recipe, folder, wanted, facts, build.progress)
    seconds = time.perf_counter() - start
    done = StageSummary(recipe.name, None, parts.made, count - parts.made, len(parts.faults), seconds)
    build.progress.stage_done(done)
    build.summary = replace(build.summary, recipes={**(build.summary.recipes or {}), recipe.name: count})
    if parts.faults:
        return f"{some(parts.faults, 1)}; the other parts are written"
    return None if count else f"there is nothing of {recipe.name} to pack: the warnings say why"


def _check_packed(build: Build) -> None:
    """Check that every file of the dataset and of recipes' folders has the sum that their lists state.

    Raises:
        SpecsiaError: if one has not.
    """
    config, layout = build.config, build.layout
    folders = [layout.dataset] if build.run.packs else []
    for recipe in folder_recipes(config.clips.recipes if config.clips is not None else ()):
        backends = build.run.backends if moves(recipe, config) else ()
        folders += [layout.recipe(recipe.name, name) for name in (None, *backends)]
    try:
        sums = {folder: parse_sums((folder / SUMS_FILE).read_text(encoding="utf-8"))[0] for folder in folders}
        listed = [(folder / name, digest) for folder, files in sums.items() for name, digest in files.items()]
        with build.progress.bar("check", len(listed), "file") as advance:
            spoilt = []
            for number, whole in build.execute(_is_whole, listed, Needs(config.timeout)):
                advance(1)
                spoilt += [] if whole is True else [str(listed[number][0])]
    except (OSError, UnicodeDecodeError) as error:
        raise SpecsiaError(f"no artefact is removed, as what was packed cannot be read: {error}") from error
    if spoilt:
        raise SpecsiaError(
            f"{some(sorted(spoilt))} does not read as it was written, so no artefact is removed: delete it, look after "
            "the disk, and give the same command again"
        )


def _is_whole(listed: tuple[Path, str]) -> bool:
    path, digest = listed
    try:
        return file_digest(path) == digest
    except OSError:
        return False
