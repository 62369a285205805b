"""The folders that a run's layouts should have, and what they are written from."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from specsia_build.config import PAIRS, backend_name
from specsia_build.dataset.parquet import SHARD_BYTES
from specsia_build.errors import UsageError
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.packing import PackTarget, RunTasks
from specsia_build.layouts.part import Facts, Member, Part, Pictures
from specsia_build.layouts.writing import NotWritten, PartDone, PartTask, write_part
from specsia_build.pipeline.executors import Executor, Lost, Needs
from specsia_build.pipeline.failures import Failure
from specsia_build.pipeline.plan import CharacterState
from specsia_build.pipeline.run import Run, backend_of, sources_of
from specsia_build.pipeline.selection import Characters, named
from specsia_build.pipeline.store import read_artefact
from specsia_build.stages.members import pictures
from specsia_build.stages.pack import build_record

States = Mapping[str, CharacterState]  # State of each character, by id, in order


@dataclass(frozen=True)
class PlannedSet:
    """A folder that a layout should have: the members that are up to date, and the keys that are not."""

    layout: Layout
    sources: tuple[str | None, ...]  # Backends of its reconstructions; None for the characters themselves
    target: PackTarget
    members: Sequence[Member]
    waiting: Mapping[str | None, Sequence[str]]  # Keys, by source, that wait for an earlier stage


def plan_sets(run: Run, layout: Layout, states: States) -> list[PlannedSet]:
    """The folders of a layout in a run."""
    sets = []
    for sources in sources_of(layout, run.config):
        only = layout.shows == "pairs" and run.backends == list(sources)
        alone = sources[0] is None or layout.joins_backends or only
        folder = run.paths.packed(layout.folder or layout.name, None if alone else sources[0])
        members = []
        waiting: dict[str | None, list[str]] = {}
        for name in sources:
            members += [member for state in states.values() for member in state.members[name]]
            waiting[name] = [key for state in states.values() for key in state.waiting[name]]
        target = PackTarget(layout, folder, run.paths.packed_state(folder.name))
        sets.append(PlannedSet(layout, sources, target, members, waiting))
    return sets


def parts_of(run: Run, planned: PlannedSet, splits: Mapping[str, str]) -> list[tuple[Part, str]]:
    """Parts of a set, with their fingerprints."""
    load, layout = partial(_load, run.apart()), planned.layout
    return layout.parts(planned.members, splits, layout.options(run.config), lambda _: load)


def _load(run: Run, member: Member) -> Pictures:
    key, backend = member.id, member.backend
    paths = {stage: run.paths.artefact(stage, backend, key) for stage in run.read_by_pack(backend)}
    return pictures(key, backend, {stage: read_artefact(path, key) for stage, path in paths.items()})


def facts_of(run: Run, planned: PlannedSet, characters: Characters, failures: Sequence[Failure]) -> Facts:
    """What the files about all parts of a set state."""
    left_out: dict[str, int] = {}
    for name in dict.fromkeys(("", *(source or "" for source in planned.sources))):
        left_out[name] = len({f.key for f in failures if (f.backend or "") == name})
    backends = [spec for spec in run.config.backends if backend_name(spec) in planned.sources]
    reads = run.read_by_pack(planned.sources[0])
    return Facts(
        build=build_record(run.config, characters.source, planned.layout.name, reads),
        source=characters.source,
        planned=len(characters.entries),
        quarantined={name: number for name, number in left_out.items() if number},
        splits=characters.splits,
        members=planned.members,
        sees_ground_truth=[backend_name(s) for s in backends if backend_of(s).sees_ground_truth],
        backend=None if planned.layout.joins_backends else planned.sources[0],
    )


def missing_reason(
    run: Run, planned: PlannedSet, characters: Characters, failures: Sequence[Failure]
) -> str | None:
    """Reason to write nothing: nothing was built, or something waits for a stage and did not fail."""
    for name in [name for name in planned.sources if name is not None]:
        of_backend = [f for f in failures if f.backend in (None, name) and f.clip is None]
        if len(characters.entries) == len({failure.id for failure in of_backend}):
            problem = f"all characters failed or are quarantined, so {name} cannot be packed"
            return f"{problem}: see {run.paths.failures}"
        has_some = any(member.backend == name for member in planned.members)
        if not has_some and (planned.layout.shows == "pairs" or not any(planned.waiting.values())):
            problem = f"pack has nothing of {name} to pack"
            raise UsageError(f"{problem}: run `{run.config.command}` with all its stages")
    for source, keys in planned.waiting.items():
        failed = {failure.key for failure in failures if failure.backend in (None, source)}
        if missed := [key for key in keys if key not in failed]:
            count = f"{len(missed):,} of {source}" if source else f"{len(missed):,}"
            problem = f"{count} are neither up to date nor listed as failed ({named(missed)})"
            return f"{problem}: run `{run.config.command} --out {run.paths.out}` with all its stages"
    return None


def part_writer(run: Run, execute: Executor, advance: Callable[[int], None]) -> RunTasks:
    """Return a function that writes parts in workers, or in this process if they are small.

    It calls `advance` for each part, and raises DamagedError for a damaged artefact. A part whose worker is
    lost was not written.
    """

    def write(tasks: Sequence[PartTask]) -> Generator[tuple[int, PartDone], None, None]:
        size = sum(member.image_bytes for task in tasks for member in task.part.members)
        members = max((len(task.part.members) for task in tasks), default=1)
        needs = Needs(run.config.timeout * members)
        here = ((number, write_part(task)) for number, task in enumerate(tasks))
        # One process packs that much before a pool has started.
        is_small = size <= SHARD_BYTES and all(task.layout == PAIRS for task in tasks)
        with closing(here if is_small else execute(write_part, tasks, needs)) as results:
            for number, done in results:
                advance(1)
                if isinstance(done, Lost):
                    key = tasks[number].part.key
                    yield number, PartDone(False, NotWritten(f"{key} was not written: {done.reason}", True))
                else:
                    yield number, done

    return write
