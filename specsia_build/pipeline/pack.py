"""The end of a build: pack a dataset and the parts of recipes, and remove artefacts that `--keep none` gives up."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from specsia_build.characters.character import Entry
from specsia_build.config import NONE, backend_name
from specsia_build.dataset import parquet, splits
from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.exchange import listed_names, upload
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.errors import CharacterError, SpecsiaError, UsageError, WriteError, brief, plural, some
from specsia_build.pipeline.executors import Executor, Lost, Needs
from specsia_build.pipeline.failures import BuildSummary, Failure, counted
from specsia_build.pipeline.folder import remove_artefacts
from specsia_build.pipeline.loop import Build, Keys
from specsia_build.pipeline.plan import DONE, Standing, judge_character
from specsia_build.pipeline.progress import StageSummary, named, stage_done
from specsia_build.pipeline.run import Run, RunLayout, backend_of
from specsia_build.pipeline.store import DamagedError, read_artefact, sweep
from specsia_build.pipeline.worker import Outcome, peak_mb
from specsia_build.recipes import folder as folders
from specsia_build.recipes.folder import write_whole
from specsia_build.recipes.recipe import ClipFrames, Part, Recipe, Written, folder_recipes, load_recipe
from specsia_build.stages import pack
from specsia_build.stages.clips import draw, motions, move
from specsia_build.stages.rows import MakeShards, Shard, ShardTask, make_shard
from specsia_build.stages.stage import CharacterStage, Earlier, EarlierMeta, Meta, canonical_json, file_digest, sha256
from specsia_build.terminal import progress
from specsia_build.terminal.screen import say


def finish(build: Build) -> BuildSummary:
    """Pack what a build made, and remove its artefacts if `keep` says so; damaged artefacts are made again, once."""
    pack_all = _pack_dataset if build.config.clips is None else _pack_clips
    try:
        summary = pack_all(build)
    except DamagedError:
        build.make_again(_damaged(build), build.run.steps)
        summary = pack_all(build)
    if build.config.keep != NONE or summary.stopped is not None:
        return summary
    _check_packed(build)
    # Other builds need no generator of samples.
    from specsia_build.characters.samples.write import withdraw

    return replace(summary, freed=remove_artefacts(build.layout) + sum(map(withdraw, build.entries)))


def _damaged(build: Build) -> Keys:
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


def _pack_clips(build: Build) -> BuildSummary:
    assert build.config.clips is not None
    failures = build.failures_before()
    if not build.summary.clips:
        looked = any(build.run.meta(motions.STAGE, None, entry.id) is not None for entry in build.entries)
        if not failures and not looked:
            raise UsageError(
                f"pack has no clips to pack: run `{build.config.command} --stage {motions.STAGE.name}` first"
            )
        return build.finished(stopped="no character has a clip: its failure or warning says why")
    if (lost := counted(failures)[0]) > build.summary.allowed_failures:
        return build.too_many(f"continue without them with --max-failures {lost}")
    stopped = [_pack_recipe(build, recipe, failures) for recipe in folder_recipes(build.config.clips.recipes)]
    summary = _pack_dataset(build) if build.run.packs else build.finished()
    return replace(summary, stopped="; ".join(filter(None, [summary.stopped, *stopped])) or None)


def _pack_dataset(build: Build) -> BuildSummary:
    start = time.perf_counter()
    layout, run, failures = build.layout, build.run, build.failures_before()
    for name in run.backends:
        if len(build.entries) == len({f.id for f in failures if f.backend in (None, name) and f.clip is None}):
            return build.finished(
                stopped=f"all characters failed or are quarantined, so {name} cannot be packed: see {layout.failures}"
            )
    if (lost := counted(failures)[0]) > build.summary.allowed_failures:
        return build.too_many(f"continue without them with --max-failures {lost}")
    standings = {entry.id: build.standing(entry) for entry in build.entries}
    plan = pack_plan(run, build.characters.source, standings, failures, build.characters.splits)
    waiting: dict[str | None, list[str]] = {
        name: [key for one in standings.values() for key in one.waiting[name]] for name in plan.members
    }
    if (missed := _missed(build, waiting, failures)) is not None:
        return build.finished(stopped=missed)
    made, kept = sum(map(len, plan.members.values())), 0
    if pack.packed_fingerprint(layout.dataset) == pack.plan_fingerprint(plan):
        made, kept = 0, made
    with progress.bar(pack.STAGE.name, made, kept=kept) as advance:
        if made:
            packed = pack.pack(plan, shard_maker(run, build.execute, advance), layout.dataset)
            outcome = Outcome(seconds=time.perf_counter() - start, peak_mb=peak_mb())
            build.record.log(pack.STAGE.name, None, "", outcome)
            if packed.foreign:
                say(f"kept in {layout.dataset}, because it is not part of the dataset: {named(packed.foreign)}")
            if packed.kept:
                shards = plural(packed.written, "shard")
                say(f"pack: {shards} written, {packed.kept:,} kept as they were")
    done = StageSummary(pack.STAGE.name, None, made, kept, 0, time.perf_counter() - start)
    stage_done(done)
    dataset = layout.dataset if layout.url is None else _send(layout, f"{layout.url}/dataset")
    rows = {name: sum(member.rows for member in members) for name, members in plan.members.items()}
    empty = empty_splits(standings, build.characters.splits)
    summary = build.finished(rows=rows, dataset=dataset, empty_splits=empty)
    return replace(summary, stages=[*summary.stages, done])


def _send(layout: RunLayout, url: str) -> str:
    """Send the packed dataset to a URL, which is returned."""
    files = len(listed_names(layout.dataset)) - 1
    with progress.bar("upload", files, "file") as advance:
        sent, foreign = upload(layout.dataset, url, layout.uploaded, advance)
    say(f"upload: {plural(sent, 'file')} sent, {files - sent} already there")
    if foreign:
        say(f"kept in {url}, because no build sent it: {some(foreign)}")
    return url


def pack_plan(
    run: Run, source: str, standings: Mapping[str, Standing], failures: Sequence[Failure], splits: Mapping[str, str]
) -> pack.PackPlan:
    """Plan a dataset of every character all of whose artefacts are up to date; raises UsageError if a backend has none.

    The `standings` and `splits` are by id, in order.
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
        metas=partial(_metas, run),
        reads=run.read_by_pack,
    )


def empty_splits(standings: Mapping[str, Standing], planned: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence about each planned split none of whose characters has rows, with the manifest line that fills it."""
    packed = {name for name, one in standings.items() if any(one.members.values())}
    return tuple(splits.empty_notes(planned, packed))


def _metas(run: Run, key: str, backend: str) -> EarlierMeta:
    metas = {stage: run.meta(stage, backend, key) for stage in run.read_by_pack}
    if None in metas.values():
        raise DamagedError(f"an artefact of {key} is missing: run the same command again")
    return {stage: meta or {} for stage, meta in metas.items()}


def _load(layout: RunLayout, stages: Sequence[CharacterStage], key: str, backend: str) -> Earlier:
    return {stage: read_artefact(layout.artefact(stage, backend, key), key) for stage in stages}


def shard_maker(run: Run, execute: Executor, advance: Callable[[int], None]) -> MakeShards:
    """Return a function that makes the shards of a run's dataset by workers, or here if they are few.

    It raises DamagedError for a damaged artefact, and SpecsiaError if a worker is lost. `advance` is called with the
    number of characters as they are packed.
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


@dataclass(frozen=True)
class PartTask:
    """One part of a recipe to be written: of the characters, or of a backend's reconstructions of them.

    Attributes:
        options: see `Recipe.options`.
        record: of the part, still without files and facts.
    """

    layout: RunLayout
    recipe: str
    backend: str | None
    options: Mapping[str, Any]
    record: Written

    @property
    def folder(self) -> Path:
        return self.layout.recipe(self.recipe, self.backend)

    def is_written(self) -> bool:
        return folders.is_written(self.folder, self.record.key, self.record.mark)

    def load(self, clip: str) -> ClipFrames:
        clean = read_artefact(self.layout.artefact(draw.STAGE, None, clip), clip)
        if self.backend is None:
            return ClipFrames(clean.meta, clean.files)
        moved = read_artefact(self.layout.artefact(move.STAGE, self.backend, clip), clip)
        return ClipFrames({**clean.meta, "box": moved.meta["box"], "backend": self.backend}, moved.files, clean.files)


def part_tasks(
    recipe: Recipe, run: Run, entries: Sequence[Entry], splits: Mapping[str, str]
) -> tuple[list[PartTask], dict[str | None, list[str]]]:
    """The parts that a recipe's folders are to hold, and by backend the keys of what is not up to date."""
    backends = (None, *_moved_by(recipe, run))
    clips: dict[str | None, dict[str, list[Meta]]] = {name: {} for name in backends}
    waiting: dict[str | None, list[str]] = {name: [] for name in backends}
    for entry in entries:
        for task, _, sound in judge_character(run.at_once(), entry):
            name, key = task.backend, task.key
            if task.stage is not (draw.STAGE if name is None else move.STAGE) or name not in clips:
                continue
            clean, made = task.run.meta(draw.STAGE, None, key), task.run.meta(task.stage, name, key)
            if sound and clean is not None and made is not None:
                part = key if recipe.by == "clip" else clean["character"]
                clips[name].setdefault(part, []).append({**clean, "fingerprint": made["fingerprint"]})
            else:
                waiting[name].append(key)
    options = recipe.options(run.config)
    tasks = []
    for name, parts in clips.items():
        for key, metas in parts.items():
            first = metas[0]
            character, credit = first["character"], (first["license"], first["source"])
            decides = [recipe.name, recipe.version, options, splits[character], *credit]
            mark = sha256(canonical_json([*decides, [[meta["id"], meta["fingerprint"]] for meta in metas]]).encode())
            clip_ids = tuple(meta["id"] for meta in metas)
            record = Written(key, character, splits[character], clip_ids, *credit, {}, {}, mark)
            tasks.append(PartTask(run.layout, recipe.name, name, options, record))
    return tasks, waiting


def by_folder(tasks: Sequence[PartTask]) -> dict[Path, list[PartTask]]:
    """Parts by the recipe's folder that they belong in."""
    return {folder: list(parts) for folder, parts in groupby(tasks, attrgetter("folder"))}


def _moved_by(recipe: Recipe, run: Run) -> Sequence[str]:
    """Backends whose moving reconstructions a recipe is written of, too."""
    clips = run.config.clips
    return run.backends if recipe.reconstructions and clips is not None and clips.pairs else ()


def _pack_recipe(build: Build, recipe: Recipe, failures: Sequence[Failure]) -> str | None:
    """Write the parts of a recipe that are not written yet; returns what could not be written and why."""
    start = time.perf_counter()
    tasks, waiting = part_tasks(recipe, build.run, build.entries, build.characters.splits)
    if (missed := _missed(build, waiting, failures)) is not None:
        return missed
    missing = [task for task in tasks if not task.is_written()]
    made, faults, count = 0, list[str](), 0
    with progress.bar(recipe.name, len(missing), "part", kept=len(tasks) - len(missing)) as advance:
        for index, trouble in build.execute(write_part, missing, Needs(build.config.timeout)):
            advance(1)
            task = missing[index]
            if trouble is None:
                made += 1
            elif isinstance(trouble, Lost):
                faults.append(f"{recipe.name} of {task.record.key} was lost: {trouble.reason}")
            elif trouble.suits:
                faults.append(trouble.reason)
            else:
                build.record.warn(task.record.character, [trouble.reason])
    for folder, wanted in by_folder(tasks).items():
        backend = wanted[0].backend
        lost = len({failure.key for failure in failures if failure.backend in (None, backend)})
        facts = {**_made_by(recipe, backend, build), "planned": len(build.entries), "quarantined": lost}
        count += _finish_folder(build, recipe, folder, {task.record.key for task in wanted}, facts)
    done = StageSummary(recipe.name, None, made, count - made, len(faults), time.perf_counter() - start)
    stage_done(done)
    build.summary = replace(build.summary, recipes={**(build.summary.recipes or {}), recipe.name: count})
    if faults:
        return f"{some(faults, 1)}; the other parts are written"
    return None if count else f"there is nothing of {recipe.name} to pack: the warnings say why"


@dataclass(frozen=True)
class NotWritten:
    """Why a part was not written: its clips do not suit the recipe, or they do and the recipe failed."""

    reason: str
    suits: bool


def write_part(task: PartTask) -> NotWritten | None:
    """Write one part; returns None, or why it was not written. A full disk and damaged artefacts are raised."""
    recipe, record = load_recipe(task.recipe), task.record
    part = Part(record.key, record.character, record.split, task.options, record.clips, task.load)
    try:
        folders.place(task.folder, record, partial(recipe.write, part))
    except (WriteError, DamagedError):
        raise
    except UsageError as error:
        return NotWritten(str(error), suits=True)
    # The recipe may be a stranger's: the others are written all the same.
    except Exception as error:
        folders.remove_part(task.folder, record.key)
        if isinstance(error, CharacterError):
            return NotWritten(str(error), suits=False)
        why = str(error) if isinstance(error, SpecsiaError) else f"{type(error).__name__}: {error}"
        return NotWritten(f"the recipe {task.recipe} cannot write {record.key}: {brief(why)}", suits=True)
    return None


def _made_by(recipe: Recipe, backend: str | None, build: Build) -> dict[str, Any]:
    """Settings and versions that a recipe's folder records: of the characters', or a backend's, pictures."""
    settings = pack.public_settings(build.config, build.characters.source)
    # Other recipes decide nothing of this one.
    settings["clips"]["recipes"] = [recipe.name]
    last = draw.STAGE if backend is None else move.STAGE
    return {**pack.made_with(settings, tuple(dict.fromkeys((*last.rests_on, last)))), "backend": backend}


def _finish_folder(build: Build, recipe: Recipe, folder: Path, keys: set[str], facts: Mapping[str, Any]) -> int:
    """Remove parts of a recipe's folder that the run has no more, and write its card and sums; returns its parts."""
    sweep(folder, deep=False)
    sweep(folder / folders.STATE)
    gone = [key for key in folders.keys(folder) if key not in keys]
    for key in gone:
        folders.remove_part(folder, key)
    if gone:
        say(f"{folder}: {plural(len(gone), 'part')} removed that are no longer in this run")

    def parts() -> Iterator[Written]:
        """Records, read again each time: there may be many."""
        return (part for key in folders.keys(folder) if (part := folders.record_of(folder, key)) is not None)

    left_out = len(keys) - sum(1 for _ in parts())
    count, own = write_whole(folder, recipe, parts, {**facts, "left_out": left_out})
    if (note := folders.hidden(folder, recipe)) is not None:
        say(note)
    if foreign := folders.strangers(folder, parts(), own):
        say(f"kept in {folder}, because specsia did not write it: {named(foreign)}")
    return count


def _check_packed(build: Build) -> None:
    """Check that every file of the dataset and of recipes' folders has the sum that their lists state."""
    config, layout = build.config, build.layout
    packed = [layout.dataset] if build.run.packs else []
    for recipe in folder_recipes(config.clips.recipes if config.clips is not None else ()):
        packed += [layout.recipe(recipe.name, name) for name in (None, *_moved_by(recipe, build.run))]
    try:
        sums = {folder: parse_sums((folder / SUMS_FILE).read_text(encoding="utf-8"))[0] for folder in packed}
        listed = [(folder / name, digest) for folder, files in sums.items() for name, digest in files.items()]
        with progress.bar("check", len(listed), "file") as advance:
            spoilt = []
            for number, whole in build.execute(_is_whole, listed, Needs(config.timeout)):
                advance(1)
                spoilt += [] if whole is True else [str(listed[number][0])]
    except (OSError, UnicodeDecodeError) as error:
        raise SpecsiaError(f"no artefact is removed, as what was packed cannot be read: {error}") from error
    if spoilt:
        raise SpecsiaError(
            f"{some(sorted(spoilt))} differs from what was written, so no artefact is removed: delete it, check "
            "the disk, and run the same command again"
        )


def _is_whole(listed: tuple[Path, str]) -> bool:
    path, digest = listed
    try:
        return file_digest(path) == digest
    except OSError:
        return False
