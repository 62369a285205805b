"""Packing clips by recipes: which parts there are, what is up to date, and what workers write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig
from specsia_build.dataset.places import public_settings
from specsia_build.errors import CharacterError, SpecsiaError, UsageError, WriteError, brief, plural
from specsia_build.pipeline.executors import Executor, Lost, Needs
from specsia_build.pipeline.failures import Failure
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.plan import Run, judge_character
from specsia_build.pipeline.progress import Progress, named
from specsia_build.pipeline.store import DamagedError, read_artefact, sweep
from specsia_build.recipes import folder as folders
from specsia_build.recipes.card import write_whole
from specsia_build.recipes.recipe import ClipFrames, Part, Recipe, Written
from specsia_build.recipes.registry import load_recipe
from specsia_build.stages.artefact import canonical_json, sha256
from specsia_build.stages.clips import draw, move
from specsia_build.stages.pack import made_with
from specsia_build.stages.stage import CharacterStage, Meta

LEFT_OUT, FAULT = "left out", "fault"
"""Why a part was not written: the clip does not lend itself to it, or the recipe failed."""


@dataclass(frozen=True)
class PartTask:
    """One part of a recipe to be written.

    Attributes:
        layout: of the run.
        recipe: its name.
        backend: the backend that made the pictures; None for the characters' own.
        options: see `recipes.recipe.Recipe.options`.
        record: the part's record, still without files and facts.
    """

    layout: RunLayout
    recipe: str
    backend: str | None
    options: Mapping[str, Any]
    record: Written

    @property
    def key(self) -> str:
        """The clip's or the character's id."""
        return self.record.key

    @property
    def mark(self) -> str:
        """SHA-256 over all that decides its files."""
        return self.record.mark

    @property
    def folder(self) -> Path:
        """Of the recipe."""
        return recipe_folder(self.layout, self.recipe, self.backend)

    @property
    def stages(self) -> tuple[CharacterStage, ...]:
        """Stages whose artefacts hold the pictures."""
        return (draw.STAGE,) if self.backend is None else (draw.STAGE, move.STAGE)

    def on_record(self, files: folders.Files, facts: Mapping[str, Any]) -> Written:
        """What is to be known of it once it is written."""
        return replace(self.record, files=files, facts=facts)

    def load(self, clip: str) -> ClipFrames:
        """Frames of one of its clips."""
        clean = read_artefact(self.layout.artefact(draw.STAGE, None, clip), clip)
        if self.backend is None:
            return ClipFrames(clean.meta, clean.files)
        made = read_artefact(self.layout.artefact(move.STAGE, self.backend, clip), clip)
        return ClipFrames({**clean.meta, "box": made.meta["box"], "backend": self.backend}, made.files, clean.files)


def recipe_folder(layout: RunLayout, recipe: str, backend: str | None) -> Path:
    """Where a run's recipe lies: of characters, or of a backend's reconstructions of them."""
    return layout.root / (recipe if backend is None else f"{recipe}-{backend}")


@dataclass
class Outcome:
    """What became of a recipe's parts.

    Attributes:
        made: how many were written now.
        left_out: by character why there is nothing of one.
        faults: sentences about parts that the recipe failed to write.
    """

    made: int = 0
    left_out: dict[str, list[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def write_part(task: PartTask) -> tuple[str, str] | None:
    """Write one part; returns None, or `LEFT_OUT` or `FAULT` with a sentence.

    Raises:
        WriteError: if it cannot be written, as the next part would fail likewise.
        DamagedError: if an artefact is damaged.
    """
    recipe = load_recipe(task.recipe)
    record = task.record
    part = Part(record.key, record.character, record.split, task.options, record.clips, task.load)
    try:
        folders.place(task.folder, task.key, partial(recipe.write, part), task.on_record)
    except CharacterError as error:
        folders.remove_part(task.folder, task.key)
        return LEFT_OUT, str(error)
    except (WriteError, DamagedError):
        raise
    except UsageError as error:
        return FAULT, str(error)
    # The recipe may be a stranger's: the others are written all the same.
    except Exception as error:
        folders.remove_part(task.folder, task.key)
        why = str(error) if isinstance(error, SpecsiaError) else f"{type(error).__name__}: {error}"
        return FAULT, f"the recipe {task.recipe} cannot write {task.key}: {brief(why)}"
    return None


def write_parts(tasks: Sequence[PartTask], config: BuildConfig, execute: Executor, progress: Progress) -> Outcome:
    """Write parts side by side, but for those that are there as they would be written."""
    missing = [task for task in tasks if not folders.is_written(task.folder, task.key, task.mark)]
    found = Outcome()
    label = tasks[0].recipe if tasks else "recipe"
    with progress.bar(label, len(missing), "part", kept=len(tasks) - len(missing)) as advance:
        for index, trouble in execute(write_part, missing, Needs(config.timeout)):
            advance(1)
            task = missing[index]
            if isinstance(trouble, Lost):
                trouble = FAULT, f"{task.recipe} of {task.key} was lost: {trouble.reason}"
            if trouble is None:
                found.made += 1
            elif trouble[0] == FAULT:
                found.faults.append(trouble[1])
            else:
                found.left_out.setdefault(task.record.character, []).append(trouble[1])
    return found


def finish_recipe(
    recipe: Recipe,
    tasks: Sequence[PartTask],
    config: BuildConfig,
    facts: tuple[str, int, Sequence[Failure]],
    progress: Progress,
) -> int:
    """Remove parts of an earlier run that this one has no more, and write what is over all parts.

    Args:
        recipe: whose they are.
        tasks: all that there are to be.
        config: of the run.
        facts: name of the source, how many characters it has, and the failures on record.
        progress: where lines go.

    Returns:
        How many parts there are now.
    """
    count, (source, planned, failures) = 0, facts
    for folder, wanted in by_folder(tasks).items():
        sweep(folder, deep=False)
        sweep(folder / folders.STATE)
        keys = {task.key for task in wanted}
        gone = [key for key in folders.keys(folder) if key not in keys]
        for key in gone:
            folders.remove_part(folder, key)
        if gone:
            progress.say(f"{folder}: {plural(len(gone), 'part')} removed that this run has no more")
        parts = written(folder)
        backend = wanted[0].backend
        made = {
            **_made_with(recipe, backend, config, source),
            "backend": backend,
            "planned": planned,
            "quarantined": len({failure.key for failure in failures if failure.backend in (None, backend)}),
            "left_out": len(keys) - sum(1 for _ in parts()),
        }
        found, own = write_whole(folder, recipe, parts, made)
        count += found
        if (note := folders.hidden(folder, recipe)) is not None:
            progress.say(note)
        if foreign := folders.strangers(folder, parts(), own):
            progress.say(f"kept in {folder}, as it is no clip of specsia's: {named(foreign)}")
    return count


def by_folder(tasks: Sequence[PartTask]) -> dict[Path, list[PartTask]]:
    """Parts by the recipe's folder that they belong in."""
    found: dict[Path, list[PartTask]] = {}
    for task in tasks:
        found.setdefault(task.folder, []).append(task)
    return found


def _made_with(recipe: Recipe, backend: str | None, config: BuildConfig, source: str) -> dict[str, Any]:
    settings = public_settings(config, source)
    # What other recipes there are decides nothing of this one.
    settings["clips"]["recipes"] = [recipe.name]
    last = draw.STAGE if backend is None else move.STAGE
    return made_with(settings, tuple(dict.fromkeys((*last.rests_on, last))))


def written(folder: Path) -> Callable[[], Iterator[Written]]:
    """Gives what is on record of a folder's parts, in order, each time anew: they may be many."""

    def parts() -> Iterator[Written]:
        for key in folders.keys(folder):
            found = folders.record_of(folder, key)
            if found is not None:
                yield found

    return parts


def part_tasks(
    recipe: Recipe, run: Run, entries: Sequence[Entry], splits: Mapping[str, str]
) -> tuple[list[PartTask], dict[str | None, list[str]]]:
    """The parts that a recipe's folders are to hold, and by backend the keys of what is not up to date."""
    assert run.config.clips is not None
    moved = recipe.reconstructions and run.config.clips.pairs
    backends = (None, *(run.backends if moved else ()))
    clips: dict[str | None, dict[str, list[Meta]]] = {name: {} for name in backends}
    waiting: dict[str | None, list[str]] = {name: [] for name in backends}
    for entry in entries:
        for judged in judge_character(run, entry):
            name, stage, key = judged.task.backend_name, judged.task.stage, judged.task.key
            if stage is not (draw.STAGE if name is None else move.STAGE) or name not in clips:
                continue
            clean, made = run.meta(draw.STAGE, None, key), run.meta(stage, name, key)
            if judged.sound and clean is not None and made is not None:
                of = key if recipe.by == "clip" else clean["character"]
                clips[name].setdefault(of, []).append({**clean, "fingerprint": made["fingerprint"]})
            else:
                waiting[name].append(key)
    tasks = [
        _task(recipe, run, name, key, metas, splits) for name, found in clips.items() for key, metas in found.items()
    ]
    return tasks, waiting


def _task(
    recipe: Recipe, run: Run, backend: str | None, key: str, metas: Sequence[Meta], splits: Mapping[str, str]
) -> PartTask:
    character, options = metas[0]["character"], recipe.options(run.config)
    clips = tuple(meta["id"] for meta in metas)
    license_, credit = metas[0]["license"], metas[0]["source"]
    decides = [recipe.name, recipe.version, options, splits[character], license_, credit]
    mark = sha256(canonical_json([*decides, [[meta["id"], meta["fingerprint"]] for meta in metas]]).encode())
    record = Written(key, character, splits[character], clips, license_, credit, {}, {}, mark)
    return PartTask(run.layout, recipe.name, backend, options, record)
