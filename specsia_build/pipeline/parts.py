"""Parts of recipes: which parts a run's clips give, and how they and their folders are written."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from specsia_build import terminal
from specsia_build.characters.character import Entry
from specsia_build.errors import CharacterError, SpecsiaError, UsageError, WriteError, brief, plural, some
from specsia_build.pipeline.executors import Lost, Needs
from specsia_build.pipeline.failures import Failure, StageSummary, print_stage
from specsia_build.pipeline.loop import Build
from specsia_build.pipeline.plan import judge_character
from specsia_build.pipeline.run import Run, RunLayout
from specsia_build.pipeline.selection import named
from specsia_build.pipeline.store import DamagedError, read_artefact, sweep
from specsia_build.recipes import folder as folders
from specsia_build.recipes.folder import write_whole
from specsia_build.recipes.recipe import ClipFrames, Part, Recipe, Written, load_recipe
from specsia_build.stages import pack
from specsia_build.stages.clips import draw, move
from specsia_build.stages.stage import Meta, canonical_json, sha256


def missed_reason(
    build: Build, waiting: Mapping[str | None, Iterable[str]], failures: Sequence[Failure]
) -> str | None:
    """Reason to pack nothing: keys, by backend, that wait for an earlier stage and did not fail; None without
    any."""
    for name, keys in waiting.items():
        failed = {failure.key for failure in failures if failure.backend in (None, name)}
        if missed := [key for key in keys if key not in failed]:
            return (
                f"{len(missed):,}{f' of {name}' if name else ''} are neither built up to date nor on record "
                f"as failed ({named(missed)}): run `{build.config.command} --out {build.layout.out}` with "
                "all its stages"
            )
    return None


@dataclass(frozen=True)
class PartTask:
    """One part of a recipe to be written: of the characters, or of a backend's reconstructions of them.

    Attributes:
        options: see `Recipe.options`.
        record: the part's record, still without files and facts.
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
        drawn = read_artefact(self.layout.artefact(draw.STAGE, None, clip), clip)
        if self.backend is None:
            return ClipFrames(drawn.meta, drawn.files)
        moving = read_artefact(self.layout.artefact(move.STAGE, self.backend, clip), clip)
        return ClipFrames(
            {**drawn.meta, "box": moving.meta["box"], "backend": self.backend}, moving.files, drawn.files
        )


def part_tasks(
    recipe: Recipe, run: Run, entries: Sequence[Entry], splits: Mapping[str, str]
) -> tuple[list[PartTask], dict[str | None, list[str]]]:
    """Parts that a recipe's folders should hold, and the keys, by backend, that are not up to date."""
    backends = (None, *moving_backends(recipe, run))
    clips: dict[str | None, dict[str, list[Meta]]] = {name: {} for name in backends}
    waiting: dict[str | None, list[str]] = {name: [] for name in backends}
    for entry in entries:
        for task, _, current in judge_character(run.at_once(), entry):
            name, key = task.backend, task.key
            if task.stage is not (draw.STAGE if name is None else move.STAGE) or name not in clips:
                continue
            drawn, own = task.run.meta(draw.STAGE, None, key), task.run.meta(task.stage, name, key)
            if current and drawn is not None and own is not None:
                part = key if recipe.by == "clip" else drawn["character"]
                clips[name].setdefault(part, []).append({**drawn, "fingerprint": own["fingerprint"]})
            else:
                waiting[name].append(key)
    options = recipe.options(run.config)
    tasks = []
    for name, parts in clips.items():
        for key, metas in parts.items():
            first = metas[0]
            character, credit = first["character"], (first["license"], first["source"])
            inputs = [recipe.name, recipe.version, options, splits[character], *credit]
            fingerprint = sha256(
                canonical_json([*inputs, [[meta["id"], meta["fingerprint"]] for meta in metas]]).encode()
            )
            clip_ids = tuple(meta["id"] for meta in metas)
            record = Written(key, character, splits[character], clip_ids, *credit, {}, {}, fingerprint)
            tasks.append(PartTask(run.layout, recipe.name, name, options, record))
    return tasks, waiting


def moving_backends(recipe: Recipe, run: Run) -> Sequence[str]:
    """Backends of whose moving reconstructions a recipe also writes parts."""
    clips = run.config.clips
    return run.backends if recipe.reconstructions and clips is not None and clips.pairs else ()


def pack_recipe(build: Build, recipe: Recipe, failures: Sequence[Failure]) -> str | None:
    """Write the parts of a recipe that are not written yet; returns a sentence if something could not be
    written."""
    start = time.perf_counter()
    tasks, waiting = part_tasks(recipe, build.run, build.entries, build.characters.splits)
    if (missed := missed_reason(build, waiting, failures)) is not None:
        return missed
    missing = [task for task in tasks if not task.is_written()]
    written, faults, count = 0, list[str](), 0
    with terminal.bar(recipe.name, len(missing), "part", kept=len(tasks) - len(missing)) as advance:
        for index, problem in build.execute(write_part, missing, Needs(build.config.timeout)):
            advance(1)
            task = missing[index]
            if problem is None:
                written += 1
            elif isinstance(problem, Lost):
                faults.append(f"{recipe.name} of {task.record.key} was lost: {problem.reason}")
            elif problem.suits:
                faults.append(problem.reason)
            else:
                build.record.warn(task.record.character, [problem.reason])
    # Tasks are in the order of their backends.
    for backend, of_backend in groupby(tasks, attrgetter("backend")):
        folder, keys = build.layout.recipe(recipe.name, backend), {task.record.key for task in of_backend}
        failed = len({failure.key for failure in failures if failure.backend in (None, backend)})
        facts = {**_provenance(recipe, backend, build), "planned": len(build.entries), "quarantined": failed}
        count += _finish_folder(build, recipe, folder, keys, facts)
    done = StageSummary(recipe.name, None, written, count - written, len(faults), time.perf_counter() - start)
    print_stage(done)
    build.summary = replace(build.summary, recipes={**(build.summary.recipes or {}), recipe.name: count})
    if faults:
        return f"{some(faults, 1)}; the other parts are written"
    return None if count else f"there is nothing of {recipe.name} to pack: the warnings say why"


@dataclass(frozen=True)
class NotWritten:
    """Reason why a part was not written: its clips do not suit the recipe, or they do and the recipe
    failed."""

    reason: str
    suits: bool


def write_part(task: PartTask) -> NotWritten | None:
    """Write one part; returns None, or why it was not written. Raises WriteError and DamagedError."""
    recipe, record = load_recipe(task.recipe), task.record
    part = Part(record.key, record.character, record.split, task.options, record.clips, task.load)
    try:
        folders.place(task.folder, record, partial(recipe.write, part))
    except (WriteError, DamagedError):
        raise
    except UsageError as error:
        return NotWritten(str(error), suits=True)
    # Third-party recipes may raise anything; the other parts are still written.
    except Exception as error:
        folders.remove_part(task.folder, record.key)
        if isinstance(error, CharacterError):
            return NotWritten(str(error), suits=False)
        why = str(error) if isinstance(error, SpecsiaError) else f"{type(error).__name__}: {error}"
        return NotWritten(f"the recipe {task.recipe} cannot write {record.key}: {brief(why)}", suits=True)
    return None


def _provenance(recipe: Recipe, backend: str | None, build: Build) -> dict[str, Any]:
    """Settings and versions to record in a recipe's folder, of the characters or of a backend's
    reconstructions."""
    settings = pack.public_settings(build.config, build.characters.source)
    # Other recipes have no influence on this one.
    settings["clips"]["recipes"] = [recipe.name]
    last = draw.STAGE if backend is None else move.STAGE
    return {**pack.provenance(settings, tuple(dict.fromkeys((*last.rests_on, last)))), "backend": backend}


def _finish_folder(
    build: Build, recipe: Recipe, folder: Path, keys: set[str], facts: Mapping[str, Any]
) -> int:
    """Remove parts that the run no longer has, and write the folder's card and sums; returns its number of
    parts."""
    sweep(folder, deep=False)
    sweep(folder / folders.STATE)
    obsolete = [key for key in folders.keys(folder) if key not in keys]
    for key in obsolete:
        folders.remove_part(folder, key)
    if obsolete:
        terminal.say(f"{folder}: {plural(len(obsolete), 'part')} removed that are no longer in this run")

    def parts() -> Iterator[Written]:
        """Read the records anew each time, as there may be many."""
        return (part for key in folders.keys(folder) if (part := folders.record_of(folder, key)) is not None)

    left_out = len(keys) - sum(1 for _ in parts())
    count, own = write_whole(folder, recipe, parts, {**facts, "left_out": left_out})
    if foreign := folders.strangers(folder, parts(), own):
        terminal.say(f"kept in {folder}, because specsia did not write it: {named(foreign)}")
    return count
