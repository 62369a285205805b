"""What pack is given: the characters of a run that are built up to date, and those that are missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig, backend_name
from specsia_build.dataset import splits
from specsia_build.errors import UsageError
from specsia_build.pipeline.failures import Failure
from specsia_build.pipeline.index import Index
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.planning import plan_stage
from specsia_build.pipeline.settling import Settlement, read_by_pack
from specsia_build.pipeline.store import read_artefact
from specsia_build.pipeline.tasks import backend_of
from specsia_build.stages import pack
from specsia_build.stages.members import Member, member
from specsia_build.stages.stage import CharacterStage, Earlier, EarlierMeta


def artefacts_of(layout: RunLayout, config: BuildConfig, index: Index) -> pack.Artefacts:
    """Where a run keeps what pack reads."""
    stages = read_by_pack(config)

    def load(key: str, name: str) -> Earlier:
        return {stage: read_artefact(layout.artefact(stage, name, key), key) for stage in stages}

    def meta(key: str, name: str) -> EarlierMeta:
        return {stage: index.stated_meta(layout.artefact(stage, name, key)) for stage in stages}

    return pack.Artefacts(load, meta)


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
    read, last = artefacts_of(layout, config, index).meta, read_by_pack(config)[-1]
    settlement = Settlement(config, layout, index) if settlement is None else settlement
    known = settlement.members(entries)
    rest = [entry for entry in entries if entry.id not in known]
    members: dict[str, Sequence[Member]] = {}
    waiting, seen = {}, []
    for spec, name in zip(config.backends, names, strict=True):
        found = plan_stage(last, spec, rest, config, layout, index)
        waiting[name] = [*(task.key for task in found.tasks), *found.blocked]
        planned: dict[str, list[Member]] = {one: by_backend[name] for one, by_backend in known.items()}
        for key in found.done:
            one = member(key, name, read(key, name))
            planned.setdefault(one.character, []).append(one)
        members[name] = [one for entry in entries for one in planned.get(entry.id, ())]
        if not members[name]:
            raise UsageError(f"pack has nothing of {name} to pack: run `specsia build --stage {last.name}` first")
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


def artefacts_read(plan: pack.PackPlan, folder: Path) -> list[tuple[CharacterStage, str | None, str]]:
    """Stage, backend's name and character of every artefact that packing into a folder reads."""
    members = pack.to_be_read(plan, folder)
    found = [(stage, name if stage.per_backend else None, key) for stage in plan.reads for name, key in members]
    return list(dict.fromkeys(found))
