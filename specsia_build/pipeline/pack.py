"""The end of a build: pack a dataset and recipes, and remove artefacts with `--keep none`."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

from specsia_build import terminal
from specsia_build.config import NONE, backend_name
from specsia_build.dataset import parquet, splits
from specsia_build.dataset.checksums import hash_files, parse_sums
from specsia_build.dataset.places import listed_names, upload
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.errors import SpecsiaError, UsageError, plural, some
from specsia_build.pipeline.executors import Executor, Lost, Needs
from specsia_build.pipeline.failures import BuildSummary, Failure, StageSummary, counted, print_stage
from specsia_build.pipeline.folder import remove_artefacts
from specsia_build.pipeline.loop import Build, Keys
from specsia_build.pipeline.parts import missed_reason, moving_backends, pack_recipe
from specsia_build.pipeline.plan import DONE, CharacterState
from specsia_build.pipeline.run import Run, RunLayout, backend_of
from specsia_build.pipeline.store import DamagedError, read_artefact
from specsia_build.pipeline.worker import Outcome, peak_mb
from specsia_build.recipes.recipe import folder_recipes
from specsia_build.stages import pack
from specsia_build.stages.clips import motions
from specsia_build.stages.rows import MakeShards, Shard, ShardTask, make_shard
from specsia_build.stages.stage import CharacterStage, Earlier, EarlierMeta


def finish(build: Build) -> BuildSummary:
    """Pack a build, and remove its artefacts with `--keep none`; damaged artefacts are made again, once."""
    if (failed := counted(build.failures_before())[0]) > build.summary.allowed_failures:
        return build.stopped_by_failures(f"continue without them with --max-failures {failed}")
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
        # As they were before packing began.
        states = build.state_of(entry).states
        for step in build.run.steps:
            for key in (key for key, state in states[step.name].items() if state == DONE):
                try:
                    read_artefact(build.layout.artefact(step.stage, step.name[1], key), key)
                except DamagedError:
                    damaged.setdefault(step, set()).add(key)
    return damaged


def _pack_clips(build: Build) -> BuildSummary:
    assert build.config.clips is not None
    failures = build.failures_before()
    if not build.summary.clips:
        has_motions = any(
            build.run.meta(motions.STAGE, None, entry.id) is not None for entry in build.entries
        )
        if not failures and not has_motions:
            raise UsageError(
                f"pack has no clips to pack: run `{build.config.command} --stage {motions.STAGE.name}` first"
            )
        return build.finished(stopped="no character has a clip: its failure or warning says why")
    stopped = [pack_recipe(build, recipe, failures) for recipe in folder_recipes(build.config.clips.recipes)]
    summary = _pack_dataset(build) if build.run.packs else build.finished()
    return replace(summary, stopped="; ".join(filter(None, [summary.stopped, *stopped])) or None)


def _pack_dataset(build: Build) -> BuildSummary:
    start = time.perf_counter()
    layout, run, failures = build.layout, build.run, build.failures_before()
    for name in run.backends:
        if len(build.entries) == len(
            {f.id for f in failures if f.backend in (None, name) and f.clip is None}
        ):
            return build.finished(
                stopped=f"all characters failed or are quarantined, so {name} cannot be packed: "
                f"see {layout.failures}"
            )
    character_states = {entry.id: build.state_of(entry) for entry in build.entries}
    plan = pack_plan(run, build.characters.source, character_states, failures, build.characters.splits)
    waiting: dict[str | None, list[str]] = {
        name: [key for state in character_states.values() for key in state.waiting[name]]
        for name in plan.members
    }
    if (missed := missed_reason(build, waiting, failures)) is not None:
        return build.finished(stopped=missed)
    count = sum(map(len, plan.members.values()))
    is_current = pack.packed_fingerprint(layout.dataset) == pack.plan_fingerprint(plan)
    to_pack, kept = (0, count) if is_current else (count, 0)
    with terminal.bar(pack.STAGE.name, to_pack, kept=kept) as advance:
        if to_pack:
            packed = pack.pack(plan, shard_maker(run, build.execute, advance), layout.dataset)
            outcome = Outcome(seconds=time.perf_counter() - start, peak_mb=peak_mb())
            build.record.log(pack.STAGE.name, None, "", outcome)
            if packed.kept:
                shards = plural(packed.written, "shard")
                terminal.say(f"pack: {shards} written, {packed.kept:,} kept as they were")
    stage = StageSummary(pack.STAGE.name, None, to_pack, kept, 0, time.perf_counter() - start)
    print_stage(stage)
    dataset = layout.dataset if layout.url is None else _send(layout, f"{layout.url}/dataset")
    rows = {name: sum(member.rows for member in members) for name, members in plan.members.items()}
    empty = empty_splits(character_states, build.characters.splits)
    summary = build.finished(rows=rows, dataset=dataset, empty_splits=empty)
    return replace(summary, stages=[*summary.stages, stage])


def _send(layout: RunLayout, url: str) -> str:
    """Send the packed dataset to a URL, and return it."""
    files = len(listed_names(layout.dataset)) - 1
    with terminal.bar("upload", files, "file") as advance:
        sent = upload(layout.dataset, url, advance)
    terminal.say(f"upload: {plural(sent, 'file')} sent, {files - sent} already there")
    return url


def pack_plan(
    run: Run,
    source: str,
    character_states: Mapping[str, CharacterState],
    failures: Sequence[Failure],
    splits: Mapping[str, str],
) -> pack.PackPlan:
    """Plan a dataset of the characters whose artefacts are all up to date; states and splits are by id, in
    order.

    Raises UsageError if a backend has no such character.
    """
    members = {
        name: [member for state in character_states.values() for member in state.members[name]]
        for name in run.backends
    }
    for name, packed in members.items():
        if not packed:
            raise UsageError(
                f"pack has nothing of {name} to pack: run `{run.config.command}` with all its stages"
            )
    failed = {
        name: len({f.key for f in failures if (f.backend or "") == name and f.id in character_states})
        for name in ("", *members)
    }
    return pack.PackPlan(
        config=run.config,
        source=source,
        planned=len(character_states),
        splits=splits,
        members=members,
        quarantined={name: count for name, count in failed.items() if count},
        sees_ground_truth=[backend_name(s) for s in run.config.backends if backend_of(s).sees_ground_truth],
        metas=partial(_metas, run),
        reads=run.read_by_pack,
    )


def empty_splits(
    character_states: Mapping[str, CharacterState], planned: Mapping[str, str]
) -> tuple[str, ...]:
    """A sentence about each planned split without rows, with the manifest line that fills it."""
    packed = {name for name, state in character_states.items() if any(state.members.values())}
    return tuple(splits.empty_notes(planned, packed))


def _metas(run: Run, key: str, backend: str) -> EarlierMeta:
    metas = {stage: run.meta(stage, backend, key) for stage in run.read_by_pack}
    if None in metas.values():
        raise DamagedError(f"an artefact of {key} is missing: run the same command again")
    return {stage: meta or {} for stage, meta in metas.items()}


def _load(layout: RunLayout, stages: Sequence[CharacterStage], key: str, backend: str) -> Earlier:
    return {stage: read_artefact(layout.artefact(stage, backend, key), key) for stage in stages}


def shard_maker(run: Run, execute: Executor, advance: Callable[[int], None]) -> MakeShards:
    """Return a function that makes the shards of a run's dataset in workers, or in this process if they are
    small.

    It calls `advance` with the number of characters of each packed shard, and raises DamagedError for a
    damaged artefact and SpecsiaError if a worker is lost.
    """
    make_one = partial(make_shard, load=partial(_load, run.layout, run.read_by_pack))

    def make(tasks: Sequence[ShardTask]) -> Generator[tuple[int, Shard], None, None]:
        # One process packs that much before a pool has started.
        is_small = sum(task.bytes for task in tasks) <= parquet.SHARD_BYTES
        needs = Needs(run.config.timeout * max((len(task.members) for task in tasks), default=1))
        here = ((number, make_one(task)) for number, task in enumerate(tasks))
        with closing(here if is_small else execute(make_one, tasks, needs)) as results:
            for number, shard in results:
                advance(len(tasks[number].members))
                if isinstance(shard, Lost):
                    raise SpecsiaError(f"{tasks[number].path.name} was not packed: {shard.reason}")
                yield number, shard

    return make


def _check_packed(build: Build) -> None:
    """Raise SpecsiaError if a packed file of the dataset or of a recipe differs from its checksum."""
    config, layout = build.config, build.layout
    packed = [layout.dataset] if build.run.packs else []
    for recipe in folder_recipes(config.clips.recipes if config.clips is not None else ()):
        packed += [layout.recipe(recipe.name, name) for name in (None, *moving_backends(recipe, build.run))]
    damaged = []
    with terminal.bar("check", None, "B") as advance:
        for folder in packed:
            sums, _ = parse_sums((folder / SUMS_FILE).read_text(encoding="utf-8"))
            digests = hash_files(folder, [*sums], advance)
            damaged += [str(folder / name) for name, digest in digests.items() if digest != sums[name]]
    if damaged:
        raise SpecsiaError(
            f"{some(damaged)} differs from what was written, so no artefact is removed: delete it, check "
            "the disk, and run the same command again"
        )
