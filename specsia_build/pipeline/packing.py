"""What pack is given: the characters of a run that are built up to date, those that are missed, and workers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeAlias

from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig, backend_name
from specsia_build.dataset import parquet, splits
from specsia_build.errors import SpecsiaError, UsageError, some
from specsia_build.pipeline.executors import Executor, Lost, Needs, seeing
from specsia_build.pipeline.failures import Failure
from specsia_build.pipeline.index import Index
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.planning import plan_stage
from specsia_build.pipeline.settling import Settlement, metas_of, read_by_pack
from specsia_build.pipeline.store import DamagedError, is_intact, read_artefact
from specsia_build.pipeline.tasks import backend_of
from specsia_build.stages import pack
from specsia_build.stages.members import Member, member
from specsia_build.stages.shards import Made, MakeShards, ShardTask, make_shard
from specsia_build.stages.stage import CharacterStage, Earlier

Which: TypeAlias = tuple[CharacterStage, str | None, str]
"""Stage, backend's name and key of an artefact."""


@dataclass(frozen=True)
class Inputs:
    """What pack, or a recipe, reads of a run.

    Attributes:
        layout: of the run.
        stages: whose artefacts hold the pictures.
    """

    layout: RunLayout
    stages: Sequence[CharacterStage]

    def load(self, key: str, name: str | None) -> Earlier:
        """Artefacts of a character or clip, and of what the backend of a name made of it."""
        return {stage: read_artefact(self.layout.artefact(stage, name, key), key) for stage in self.stages}

    def damaged(self, key: str, name: str | None) -> Iterator[Which]:
        """Those of them that cannot be read."""
        for stage in self.stages:
            if not is_intact((self.layout.artefact(stage, name, key), key)):
                yield stage, name if stage.per_backend else None, key


class DamagedInputs(SpecsiaError):
    """Artefacts that are to be packed and cannot be read.

    Attributes:
        which: all of them.
    """

    def __init__(self, which: Sequence[Which]) -> None:
        named = some(sorted({f"{stage.name}/{key}" for stage, _, key in which}))
        super().__init__(f"these artefacts are damaged: {named}; look after the disk, and give the same command again")
        self.which = which


@dataclass(frozen=True)
class _Item:
    inputs: Inputs
    task: ShardTask


def _make(item: _Item) -> Made | tuple[Which, ...]:
    """Make a shard; gives which artefacts are damaged, if it could not be made for that."""
    inputs, task = item.inputs, item.task
    try:
        return make_shard(task, inputs.load)
    except DamagedError:
        damaged = tuple(one for key in task.members for one in inputs.damaged(key, task.backend))
        if not damaged:
            raise
        return damaged


def makes_shards(config: BuildConfig, layout: RunLayout, run: Executor, advance: Callable[[int], None]) -> MakeShards:
    """Makes the shards of a run's dataset by its workers, or here where they are few.

    It raises `DamagedInputs` once nothing is left to be made but what rests on damaged artefacts, and a SpecsiaError
    where a worker is lost.

    Args:
        config, layout: of the run.
        run: its executor.
        advance: told the number of characters as they are packed.
    """
    inputs = Inputs(layout, read_by_pack(config))
    run = seeing([layout.dataset], run, config, layout)

    def make(tasks: Sequence[ShardTask]) -> Generator[tuple[int, Made], None, None]:
        items = [_Item(inputs, task) for task in tasks]
        # One process packs a shard or less before others have begun.
        few = sum(task.bytes for task in tasks) <= parquet.SHARD_BYTES
        needs = Needs(config.timeout * max(len(task.members) for task in tasks))
        damaged: list[Which] = []
        here = ((number, _make(item)) for number, item in enumerate(items))
        with closing(here if few else run(_make, items, needs)) as results:
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
    config: BuildConfig,
    layout: RunLayout,
    source: str,
    entries: Sequence[Entry],
    index: Index,
    failures: Sequence[Failure] = (),
    split_of: Mapping[str, str] | None = None,
    settlement: Settlement | None = None,
) -> pack.PackPlan:
    """What pack would write now: every character whose artefacts are up to date.

    `settlement` is that of the run where one is at hand.

    Raises:
        UsageError: if a backend has none.
    """
    ids = {entry.id for entry in entries}
    reads, names = read_by_pack(config), [backend_name(spec) for spec in config.backends]
    read, last = metas_of(layout, config, index), reads[-1]
    settlement = Settlement(config, layout, index) if settlement is None else settlement
    known = settlement.members(entries)
    rest = [entry for entry in entries if entry.id not in known[names[0]]]
    members: dict[str, Sequence[Member]] = {}
    waiting, seen = {}, []
    for spec, name in zip(config.backends, names, strict=True):
        found = plan_stage(last, spec, rest, config, layout, index, founded=True)
        waiting[name] = [*(task.key for task in found.tasks), *found.blocked]
        planned = known[name]
        for key in found.done:
            one = member(key, name, read(key, name))
            planned.setdefault(one.character, []).append(one)
        members[name] = [one for entry in entries for one in planned.get(entry.id, ())]
        if not members[name]:
            raise UsageError(f"pack has nothing of {name} to pack: run `{config.command}` with all its stages")
        if backend_of(spec).sees_ground_truth:
            seen.append(name)
    lost = {
        name: len({f.key for f in failures if (f.backend or "") == name and f.id in ids}) for name in ("", *members)
    }
    return pack.PackPlan(
        config=config,
        source=source,
        planned=len(entries),
        splits=splits.assign(ids, {}) if split_of is None else split_of,
        members=members,
        quarantined={name: count for name, count in lost.items() if count},
        sees_ground_truth=seen,
        reads=reads,
        waiting=waiting,
    )


def not_ready(plan: pack.PackPlan, failures: Sequence[Failure]) -> dict[str, list[str]]:
    """Ids of the characters or clips per backend that are neither to be packed nor on record as failed."""
    missed = {}
    for name, waiting in plan.waiting.items():
        excused = {failure.key for failure in failures if failure.backend in (None, name)}
        missed[name] = [key for key in waiting if key not in excused]
    return {name: found for name, found in missed.items() if found}
