"""The end of a build: what was made is packed as a dataset or by recipes, and artefacts go if nobody keeps them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from specsia_build.characters.character import Entry
from specsia_build.config import DRAVIE, NONE, backend_name
from specsia_build.dataset import parquet, splits
from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.dataset.upload import open_target, upload
from specsia_build.errors import SpecsiaError, UsageError, plural, some
from specsia_build.pipeline.clearing import remove_artefacts
from specsia_build.pipeline.executors import Executor, Lost, Needs
from specsia_build.pipeline.failures import Failure, counted
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.loop import Build
from specsia_build.pipeline.plan import Run, Standing, Step, backend_of, packs, read_by_pack
from specsia_build.pipeline.progress import named
from specsia_build.pipeline.recipes import DamagedPart, finish_recipe, part_tasks, recipe_folder, write_parts
from specsia_build.pipeline.store import DamagedError, is_intact, read_artefact
from specsia_build.pipeline.summary import BuildSummary, StageSummary
from specsia_build.pipeline.worker import Outcome, peak_mb
from specsia_build.recipes.recipe import Recipe
from specsia_build.recipes.registry import folder_recipes
from specsia_build.stages import pack
from specsia_build.stages.artefact import file_digest
from specsia_build.stages.clips import motions
from specsia_build.stages.shards import Made, MakeShards, ShardTask, make_shard
from specsia_build.stages.stage import CharacterStage, Earlier, Stopwatch

Which: TypeAlias = tuple[CharacterStage, str | None, str]
"""Stage, backend's name and key of an artefact."""


def finish(build: Build) -> BuildSummary:
    """Pack what a build made, and remove its artefacts where `keep` says so.

    Raises:
        SpecsiaError: if something cannot be written, or what was packed does not read as it was written.
    """
    summary = _pack_dataset(build) if build.config.clips is None else _pack_clips(build)
    if build.config.keep != NONE or summary.stopped is not None:
        return summary
    _check_packed(build)
    freed = remove_artefacts(build.layout) + sum(map(_withdraw, build.entries))
    return replace(summary, freed=freed)


@dataclass(frozen=True)
class Inputs:
    """What pack, or a recipe, reads of a run: artefacts of some stages."""

    layout: RunLayout
    stages: Sequence[CharacterStage]

    def load(self, key: str, name: str | None) -> Earlier:
        """Artefacts of a character or clip, and of what the backend of a name made of it."""
        return {stage: read_artefact(self.layout.artefact(stage, name, key), key) for stage in self.stages}

    def damaged(self, key: str, name: str | None) -> Iterator[Which]:
        """Those of them that cannot be read."""
        for stage in self.stages:
            if not is_intact(self.layout.artefact(stage, name, key), key):
                yield stage, name if stage.per_backend else None, key


class DamagedInputs(SpecsiaError):
    """Artefacts that are to be packed and cannot be read; `which` are all of them."""

    def __init__(self, which: Sequence[Which]) -> None:
        names = some(sorted({f"{stage.name}/{key}" for stage, _, key in which}))
        super().__init__(f"these artefacts are damaged: {names}; look after the disk, and give the same command again")
        self.which = which


@dataclass(frozen=True)
class _Item:
    inputs: Inputs
    task: ShardTask


def _make(item: _Item) -> Made | tuple[Which, ...]:
    """Make a shard; gives the damaged artefacts, if it could not be made for that."""
    try:
        return make_shard(item.task, item.inputs.load)
    except DamagedError:
        damaged = tuple(one for key in item.task.members for one in item.inputs.damaged(key, item.task.backend))
        if not damaged:
            raise
        return damaged


def makes_shards(run: Run, execute: Executor, advance: Callable[[int], None]) -> MakeShards:
    """Makes the shards of a run's dataset by workers, or here where they are few.

    It raises `DamagedInputs` once nothing is left to be made but what rests on damaged artefacts, and a SpecsiaError
    where a worker is lost. `advance` is told the number of characters as they are packed.
    """
    inputs = Inputs(run.layout, read_by_pack(run.config))

    def make(tasks: Sequence[ShardTask]) -> Generator[tuple[int, Made], None, None]:
        items = [_Item(inputs, task) for task in tasks]
        # One process packs a shard or less before others have begun.
        few = sum(task.bytes for task in tasks) <= parquet.SHARD_BYTES
        needs = Needs(run.config.timeout * max((len(task.members) for task in tasks), default=1))
        damaged: list[Which] = []
        here = ((number, _make(item)) for number, item in enumerate(items))
        with closing(here if few else execute(_make, items, needs)) as results:
            for number, made in results:
                advance(len(tasks[number].members))
                if isinstance(made, Lost):
                    raise SpecsiaError(f"{tasks[number].path.name} was not packed: {made.reason}")
                if not isinstance(made, Made):
                    damaged += made
                elif not damaged:
                    yield number, made
        if damaged:
            raise DamagedInputs(damaged)

    return make


def pack_plan(
    run: Run,
    source: str,
    standings: Mapping[str, Standing],
    failures: Sequence[Failure],
    splits: Mapping[str, str],
) -> pack.PackPlan:
    """What pack would write now: every character all of whose artefacts are up to date.

    Args:
        run: to be packed.
        source: name of its source.
        standings: by id what it holds of each character, in order.
        failures: on record.
        splits: split of each id.

    Raises:
        UsageError: if there is nothing of a backend.
    """
    members = {name: [one for each in standings.values() for one in each.members[name]] for name in run.backends}
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
        reads=read_by_pack(run.config),
        waiting={name: [key for each in standings.values() for key in each.waiting[name]] for name in members},
    )


def empty_splits(standings: Mapping[str, Standing], planned: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence about each planned split none of whose characters has rows, with the manifest line that fills it."""
    packed = {one for one, found in standings.items() if any(found.members.values())}
    return tuple(splits.empty_notes(planned, packed))


def not_ready(plan: pack.PackPlan, failures: Sequence[Failure]) -> dict[str, list[str]]:
    """Keys per backend of what is neither to be packed nor on record as failed."""
    missed = {}
    for name, waiting in plan.waiting.items():
        excused = {failure.key for failure in failures if failure.backend in (None, name)}
        missed[name] = [key for key in waiting if key not in excused]
    return {name: found for name, found in missed.items() if found}


def _pack_dataset(build: Build) -> BuildSummary:
    """Pack a dataset, unless too much failed or is missing; artefacts that turn out damaged are made again."""
    try:
        return _pack(build)
    except DamagedInputs as error:
        _make_again(build, error.which)
    return _pack(build)


def _make_again(build: Build, which: Sequence[Which]) -> None:
    specs = {backend_name(spec): spec for spec in build.config.backends}
    damaged: dict[Step, set[str]] = {}
    for stage, name, key in which:
        spec = specs[name] if stage.per_backend and name is not None else None
        damaged.setdefault((stage, spec), set()).add(key)
    build.make_again(damaged, build.run.steps)


def _pack(build: Build) -> BuildSummary:
    start = time.perf_counter()
    config, layout, failures = build.config, build.layout, build.failures_before()
    ids = {entry.id for entry in build.entries}
    for name in build.run.backends:
        if len(ids) == len({f.id for f in failures if f.backend in (None, name) and f.clip is None}):
            who = f"all {len(ids):,} characters are" if len(ids) > 1 else "the only character is"
            return build.finished(
                stopped=f"{who} quarantined, so there is nothing of {name} to pack: see {layout.failures}"
            )
    lost, _ = counted(failures)
    if lost > build.summary.allowed_failures:
        return build.too_many(f"go on without them with --max-failures {lost}")
    standings = {entry.id: build.standing(entry) for entry in build.entries}
    plan = pack_plan(build.run, build.characters.source, standings, failures, build.characters.splits)
    for name, missed in not_ready(plan, failures).items():
        return build.finished(
            stopped=f"{len(missed):,} of {plural(len(ids), 'character')} of {name} are neither built up to date nor on "
            f"record as failed ({named(missed)}), so no dataset is written without them: run `{config.command} --out "
            f"{layout.out}` with all its stages"
        )
    total = sum(len(members) for members in plan.members.values())
    kept = pack.packed_fingerprint(layout.dataset) == pack.plan_fingerprint(plan)
    with build.progress.bar(pack.STAGE.name, 0 if kept else total, kept=total if kept else 0) as advance:
        if not kept:
            watch = Stopwatch()
            with watch.part("pack"):
                packed = pack.pack(plan, makes_shards(build.run, build.execute, advance), layout.dataset)
            taken = time.perf_counter() - start
            build.record.log(pack.STAGE.name, None, "", Outcome(seconds=taken, parts=watch.seconds, peak_mb=peak_mb()))
            if packed.foreign:
                build.progress.say(f"kept in {layout.dataset}, as it is not of the dataset: {named(packed.foreign)}")
            if packed.kept:
                shards = plural(packed.written, "shard")
                build.progress.say(f"pack: {shards} written, {packed.kept:,} kept as they were")
    seconds = time.perf_counter() - start
    done = StageSummary(pack.STAGE.name, None, 0 if kept else total, total if kept else 0, 0, seconds)
    build.progress.stage_done(done)
    if layout.remote_dataset is not None:
        _send(build, layout.remote_dataset)
    rows = {name: sum(one.rows for one in found) for name, found in plan.members.items()}
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
    lost, _ = counted(failures)
    if lost > build.summary.allowed_failures:
        return build.too_many(f"go on without them with --max-failures {lost}")
    stopped: list[str] = []
    for recipe in folder_recipes(build.config.clips.recipes):
        stopped += _write_recipe(build, recipe)
    summary = _pack_dataset(build) if DRAVIE in build.config.clips.recipes else build.finished()
    return replace(summary, stopped="; ".join([*filter(None, [summary.stopped]), *stopped]) or None)


def _write_recipe(build: Build, recipe: Recipe) -> list[str]:
    """Write the parts of a recipe; returns what could not be written and why."""
    start = time.perf_counter()
    written = 0
    for last in (False, True):
        failures = build.failures_before()
        tasks, missed = part_tasks(recipe, build.run, build.entries, failures, build.characters.splits)
        if missed:
            return [
                f"{len(missed):,} of the clips or characters are neither drawn up to date nor on record as failed "
                f"({named(missed)}): run `{build.config.command} --out {build.layout.out}` with all its stages"
            ]
        outcome = write_parts(tasks, build.config, build.execute, build.progress)
        written += outcome.made
        if not outcome.damaged:
            break
        which = [one for part in outcome.damaged for one in _damaged_in(build.layout, part)]
        if last:
            raise DamagedInputs(which)
        _make_again(build, which)
    for character, reasons in outcome.left_out.items():
        build.record.warn(character, reasons)
    facts = build.characters.source, len(build.entries), failures
    count = finish_recipe(recipe, tasks, build.config, facts, build.progress)
    seconds = time.perf_counter() - start
    done = StageSummary(recipe.name, None, written, count - written, len(outcome.faults), seconds)
    build.progress.stage_done(done)
    build.summary = replace(build.summary, recipes={**(build.summary.recipes or {}), recipe.name: count})
    if not outcome.faults:
        return [] if count else [f"there is nothing of {recipe.name} to pack: the warnings say why"]
    more = f" (and {len(outcome.faults) - 1} more such)" if len(outcome.faults) > 1 else ""
    return [f"{outcome.faults[0]}{more}; the other parts are written"]


def _damaged_in(layout: RunLayout, part: DamagedPart) -> list[Which]:
    inputs = Inputs(layout, part.stages)
    return [one for clip in part.clips for one in inputs.damaged(clip, part.backend)]


def _check_packed(build: Build) -> None:
    """Check that every file of the dataset and of recipes' folders has the sum that their lists state.

    Raises:
        SpecsiaError: if one has not.
    """
    config, layout = build.config, build.layout
    folders = [layout.dataset] if packs(config) else []
    for recipe in folder_recipes(config.clips.recipes if config.clips is not None else ()):
        moved = build.run.backends if config.clips is not None and config.clips.pairs and recipe.reconstructions else ()
        folders += [recipe_folder(layout, recipe.name, name) for name in (None, *moved)]
    listed = [one for folder in folders for one in _listed(folder)]
    spoilt = []
    with build.progress.bar("check", len(listed), "file") as advance:
        for number, whole in build.execute(_is_whole, listed, Needs(config.timeout)):
            advance(1)
            if isinstance(whole, Lost) or not whole:
                spoilt.append(str(listed[number][0]))
    if spoilt:
        raise SpecsiaError(
            f"{some(sorted(spoilt))} does not read as it was written, so no artefact is removed: delete it, look after "
            "the disk, and give the same command again"
        )


def _listed(folder: Path) -> list[tuple[Path, str]]:
    """Files of a folder with their SHA-256, by its own list."""
    try:
        sums, _ = parse_sums((folder / SUMS_FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SpecsiaError(
            f"{folder / SUMS_FILE} cannot be read ({error}), so no artefact is removed: give the same command again"
        ) from error
    return [(folder / name, digest) for name, digest in sums.items()]


def _is_whole(listed: tuple[Path, str]) -> bool:
    path, digest = listed
    try:
        return file_digest(path) == digest
    except OSError:
        return False


def _withdraw(entry: Entry) -> int:
    """Remove the files of a procedural character; returns the bytes that are free now."""
    if entry.sample is None:
        return 0
    from specsia_build.characters.samples.write import withdraw

    return withdraw(entry)
