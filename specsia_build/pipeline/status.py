"""What a run holds, what failed, and what a build would do next; nothing is changed by asking."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from specsia_build.config import BuildConfig, backend_name
from specsia_build.errors import UsageError
from specsia_build.pipeline.failures import Failure, concerning, read_failures
from specsia_build.pipeline.index import open_index
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.mark import outdated, settings_before
from specsia_build.pipeline.packing import pack_plan
from specsia_build.pipeline.planning import plan_stage, stages_of
from specsia_build.pipeline.recipes import PartTask, by_folder, part_tasks
from specsia_build.pipeline.selection import select, source_of
from specsia_build.pipeline.settling import Settlement, packs
from specsia_build.recipes.folder import is_written, keys, record_of
from specsia_build.recipes.registry import folder_recipes
from specsia_build.recipes.verify import mark_of
from specsia_build.stages.pack import PackPlan, packed_fingerprint, plan_fingerprint
from specsia_build.stages.registry import character_stages


@dataclass(frozen=True)
class StageStatus:
    """Counts of one stage (of one backend): characters or clips done, stale, missing, waiting for an earlier stage,
    failed."""

    stage: str
    backend: str | None
    done: int
    stale: int
    missing: int
    waiting: int
    failed: int


@dataclass(frozen=True)
class RunStatus:
    """State of a run.

    Attributes:
        source: its name.
        characters: of the source that the build is about.
        stages: in order.
        failures: on record of its characters and backends.
        warnings: sentences about characters that were built all the same, by id.
        packed: whether what the run packs is there.
        current: whether it is, and is exactly what a build would pack of what is built now.
        outdated: stages and backends of other versions than what they made, such as ``render 2 -> 12``.
    """

    source: str
    characters: int
    stages: tuple[StageStatus, ...]
    failures: tuple[Failure, ...]
    warnings: Mapping[str, tuple[str, ...]]
    packed: bool
    current: bool
    outdated: tuple[str, ...]

    @property
    def next_step(self) -> str:
        """What the next build would do, in words."""
        work = [
            f"{s.stage}{' ' + s.backend if s.backend else ''} {s.stale + s.missing + s.waiting}"
            for s in self.stages
            if s.stale + s.missing + s.waiting
        ]
        if work:
            return "a build would do: " + ", ".join(work) + ", then pack"
        return "all stages are up to date" if self.current else "a build would do: pack"


def _is_dataset_current(layout: RunLayout, plan: Callable[[], PackPlan]) -> bool | None:
    """Whether a dataset is what pack would write by a plan, which is asked for if need be; None where there is none."""
    found = packed_fingerprint(layout.dataset)
    if found is None:
        return None
    try:
        return found == plan_fingerprint(plan())
    except UsageError:
        # Nothing is up to date that pack could write.
        return False


def _is_recipe_current(tasks: Sequence[PartTask]) -> bool | None:
    """Whether a recipe's folders hold its parts as they would be written; None where one of them is not written."""
    folders = by_folder(tasks)
    if not folders or any(mark_of(folder) is None for folder in folders):
        return None
    return all(_is_current(folder, found) for folder, found in folders.items())


def _is_current(folder: Path, tasks: Sequence[PartTask]) -> bool:
    """Whether a recipe's folder holds its parts as they would be written, but for as many as were left out of it, and
    no others."""
    if not {task.key for task in tasks}.issuperset(keys(folder)):
        return False
    lacking = [task for task in tasks if not is_written(folder, task.key, task.mark)]
    left_out = (mark_of(folder) or {}).get("left_out")
    return len(lacking) == left_out and all(record_of(folder, task.key) is None for task in lacking)


def run_status(config: BuildConfig, layout: RunLayout) -> RunStatus:
    """Look at a run."""
    source = source_of(config, layout)
    chosen = select(config, layout, source.entries, settings_before(layout))
    entries = chosen.entries
    ids = {entry.id for entry in entries}
    failures = concerning(read_failures(layout.failures), ids, [backend_name(spec) for spec in config.backends])
    stages, done_now = [], []
    with open_index(layout, writes=False) as index:
        settlement = Settlement(config, layout, index)
        settled = settlement.known(entries)
        rest = [entry for entry in entries if entry.id not in settled]
        for stage, spec in stages_of(config, character_stages(config)):
            plan = plan_stage(stage, spec, rest, config, layout, index)
            name = None if spec is None else backend_name(spec)
            done = len(plan.done) + (sum(map(len, settled.values())) if stage.per_clip else len(settled))
            failed = {f.key for f in failures if f.stage == stage.name and f.backend == name}
            counts = map(len, (plan.stale, plan.missing, plan.blocked, failed))
            done_now.append((stage, name, plan.done))
            stages.append(StageStatus(stage.name, name, done, *counts))
        warnings = settlement.warnings(entries, done_now)
        packed = []
        if packs(config):
            what = (config, layout, source.name, entries, index, failures, chosen.splits, settlement)
            packed.append(_is_dataset_current(layout, lambda: pack_plan(*what)))
        for recipe in folder_recipes(config.clips.recipes if config.clips is not None else ()):
            tasks, _ = part_tasks(recipe, config, layout, entries, index, failures, chosen.splits)
            packed.append(_is_recipe_current(tasks))
    return RunStatus(
        source=source.name,
        characters=len(entries),
        stages=tuple(stages),
        failures=tuple(failures),
        warnings=warnings,
        packed=None not in packed,
        current=all(packed),
        outdated=tuple(outdated(layout, config)),
    )
