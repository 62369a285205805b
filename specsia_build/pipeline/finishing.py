"""The end of a build: what was made is packed as a dataset, or by recipes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from specsia_build.config import DRAVIE, backend_name
from specsia_build.dataset.upload import open_target, upload
from specsia_build.errors import UsageError, plural, some
from specsia_build.pipeline.chain import Step
from specsia_build.pipeline.failures import Failure, counted
from specsia_build.pipeline.packing import DamagedInputs, Which, makes_shards, not_ready, pack_plan
from specsia_build.pipeline.planning import stages_of
from specsia_build.pipeline.progress import named
from specsia_build.pipeline.recipes import finish, part_tasks, write_parts
from specsia_build.pipeline.summary import BuildSummary, StageSummary
from specsia_build.pipeline.tasks import Outcome, peak_mb
from specsia_build.pipeline.work import Work
from specsia_build.recipes.recipe import Recipe
from specsia_build.recipes.registry import folder_recipes
from specsia_build.stages import pack
from specsia_build.stages.clips import motions
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import character_of
from specsia_build.stages.stopwatch import Stopwatch


def pack_pairs(work: Work) -> BuildSummary:
    """Pack what is built, unless too much failed or is missing; artefacts that turn out damaged are made again.

    Raises:
        UsageError: if a backend has made nothing.
        SpecsiaError: if the dataset cannot be written.
    """
    try:
        return _pack(work)
    except DamagedInputs as found:
        _make_again(work, found.which)
    return _pack(work)


def _make_again(work: Work, which: Sequence[Which]) -> None:
    """Make artefacts again that could not be read."""
    damaged: dict[Step, set[str]] = {}
    for stage, name, key in which:
        damaged.setdefault(work.step(stage, name), set()).add(key)
    for step, keys in damaged.items():
        work.discard(step, keys)
    again = {character_of(key) if stage.per_clip else key for (stage, _), keys in damaged.items() for key in keys}
    work.run_steps(stages_of(work.config, character_stages(work.config)), again)


def _pack(work: Work) -> BuildSummary:
    start = time.perf_counter()
    config, layout, failures = work.config, work.layout, work.before_pack()
    ids = {entry.id for entry in work.entries}
    for name in map(backend_name, config.backends):
        if len(ids) == len({f.id for f in failures if f.backend in (None, name) and f.clip is None}):
            who = f"all {len(ids):,} characters are" if len(ids) > 1 else "the only character is"
            return work.finished(
                stopped=f"{who} quarantined, so there is nothing of {name} to pack: see {layout.failures}"
            )
    lost, _ = counted(failures)
    if lost > work.summary.allowed_failures:
        return work.too_many(f"go on without them with --max-failures {lost}")
    # Its members are as large as all else that is held of a run, and not needed where nothing changed.
    plan = cache(
        lambda: pack_plan(
            config, layout, work.source.name, work.entries, work.index, failures, work.splits, work.settlement
        )
    )
    found = work.concluded(pack.STAGE.name, _Plan, lambda: _told(plan(), failures), failures)
    for name, missed in found.missed.items():
        return work.finished(
            stopped=f"{len(missed):,} of {plural(len(ids), 'character')} of {name} are neither built up to date nor on "
            f"record as failed ({named(missed)}), so no dataset is written without them: run `{config.command} --out "
            f"{layout.out}` with all its stages"
        )
    total, kept = found.members, pack.packed_fingerprint(layout.dataset) == found.fingerprint
    if not kept:
        watch = Stopwatch()
        with work.progress.bar(pack.STAGE.name, total) as advance, watch.part("pack"):
            packed = pack.pack(plan(), makes_shards(config, layout, work.run, advance), layout.dataset)
        if packed.foreign:
            work.progress.say(f"kept in {layout.dataset}, as it is not of the dataset: {named(packed.foreign)}")
        if packed.kept:
            work.progress.say(f"pack: {plural(packed.written, 'shard')} written, {packed.kept:,} kept as they were")
        taken = time.perf_counter() - start
        work.record.log(pack.STAGE.name, None, "", Outcome(seconds=taken, parts=watch.seconds, peak_mb=peak_mb()))
    else:
        with work.progress.bar(pack.STAGE.name, 0, kept=total):
            pass
    seconds = time.perf_counter() - start
    done = StageSummary(pack.STAGE.name, None, 0 if kept else total, total if kept else 0, 0, seconds)
    work.progress.stage_done(done)
    if layout.remote_dataset is not None:
        _send(work, layout.remote_dataset)
    summary = work.finished(rows=found.rows, dataset=layout.remote_dataset or layout.dataset)
    return replace(summary, stages=[*summary.stages, done])


@dataclass(frozen=True)
class _Plan:
    """What is told of a plan of pack.

    Attributes:
        fingerprint: of what it packs.
        rows: by backend.
        members: characters or clips of all backends.
        missed: by backend ids of those that are neither to be packed nor on record as failed.
    """

    fingerprint: str
    rows: Mapping[str, int]
    members: int
    missed: Mapping[str, Sequence[str]]


def _told(plan: pack.PackPlan, failures: Sequence[Failure]) -> _Plan:
    return _Plan(
        fingerprint=pack.plan_fingerprint(plan),
        rows={name: sum(one.rows for one in found) for name, found in plan.members.items()},
        members=sum(len(found) for found in plan.members.values()),
        missed=not_ready(plan, failures),
    )


def _send(work: Work, url: str) -> None:
    """Send the packed dataset to a URL."""
    start = time.perf_counter()
    files = sum(path.is_file() for path in work.layout.dataset.rglob("*")) - 1
    with work.progress.bar("upload", files, "file") as advance:
        found = upload(work.layout.dataset, open_target(url), work.layout.uploaded, advance)
    work.progress.say(
        f"{'upload':<20} {plural(found.sent, 'file')} ({found.bytes / 1e6:,.1f} MB) sent, {found.copied} renamed, "
        f"{found.kept} there already, in {time.perf_counter() - start:.1f} s"
    )
    if found.spared:
        work.progress.say(f"upload: {some(found.spared)} of {url} were sent by no build and stay there")


def pack_clips(work: Work) -> BuildSummary:
    """Pack clips by every recipe, unless too many failed.

    Raises:
        UsageError: if no character's motions were ever looked for.
        SpecsiaError: if something cannot be written.
    """
    assert work.config.clips is not None
    if not work.summary.clips:
        looked = (work.layout.artefact(motions.STAGE, None, entry.id) for entry in work.entries)
        if not work.before_pack() and not any(map(work.index.meta, looked)):
            raise UsageError(
                f"pack has no clips to pack: run `{work.config.command} --stage {motions.STAGE.name}` first"
            )
        return work.finished(stopped="no character has a clip: its failure or warning says why")
    lost, _ = counted(work.before_pack())
    if lost > work.summary.allowed_failures:
        return work.too_many(f"go on without them with --max-failures {lost}")
    stopped: list[str] = []
    for recipe in folder_recipes(work.config.clips.recipes):
        stopped += _write_recipe(work, recipe)
    summary = pack_pairs(work) if DRAVIE in work.config.clips.recipes else work.finished()
    return replace(summary, stopped="; ".join([*filter(None, [summary.stopped]), *stopped]) or None)


def _write_recipe(work: Work, recipe: Recipe) -> list[str]:
    """Write the parts of a recipe; returns what could not be written and why.

    Raises:
        SpecsiaError: if artefacts are damaged as soon as they are made again, or something cannot be written.
    """
    start = time.perf_counter()
    config, layout = work.config, work.layout
    written = 0
    for first in (True, False):
        failures = work.before_pack()
        tasks, missed = part_tasks(recipe, config, layout, work.entries, work.index, failures, work.splits)
        if missed:
            return [
                f"{len(missed):,} of the clips or characters are neither drawn up to date nor on record as failed "
                f"({named(missed)}): run `{config.command} --out {layout.out}` with all its stages"
            ]
        outcome = write_parts(tasks, config, layout, work.run, work.progress)
        written += outcome.made
        if not outcome.damaged:
            break
        if not first:
            raise DamagedInputs(outcome.damaged)
        _make_again(work, outcome.damaged)
    for character, said in outcome.left_out.items():
        work.record.warn(character, said)
    count = finish(recipe, tasks, config, work.source.name, len(work.entries), failures, work.progress)
    seconds = time.perf_counter() - start
    done = StageSummary(recipe.name, None, written, count - written, len(outcome.faults), seconds)
    work.progress.stage_done(done)
    work.summary = replace(work.summary, recipes={**(work.summary.recipes or {}), recipe.name: count})
    if not outcome.faults:
        return [] if count else [f"there is nothing of {recipe.name} to pack: the warnings say why"]
    more = f" (and {len(outcome.faults) - 1} more such)" if len(outcome.faults) > 1 else ""
    return [f"{outcome.faults[0]}{more}; the other parts are written"]
