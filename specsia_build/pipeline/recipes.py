"""Packing clips by recipes: which parts there are, what is up to date, what workers write, and the disk it takes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig
from specsia_build.dataset import layers
from specsia_build.dataset.places import public_settings
from specsia_build.errors import CharacterError, SpecsiaError, UsageError, WriteError, brief, plural
from specsia_build.memory import shown
from specsia_build.pipeline.executors import Executor, Lost, Needs
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.plan import Run, judge_character
from specsia_build.pipeline.progress import Progress, named
from specsia_build.pipeline.store import DamagedError, read_artefact, sweep
from specsia_build.recipes import folder as folders
from specsia_build.recipes.folder import write_whole
from specsia_build.recipes.recipe import ClipFrames, Part, Recipe, Written, folder_recipes, layers_of, load_recipe
from specsia_build.stages.artefact import canonical_json, sha256
from specsia_build.stages.clips import draw, move
from specsia_build.stages.pack import made_with
from specsia_build.stages.stage import Clip, Meta

LEFT_OUT, FAULT = "left out", "fault"
"""Why a part was not written: the clip does not suit the recipe, or the recipe failed."""

_DRAWN = {
    **dict.fromkeys((layers.COLOR, layers.GT), 0.2),
    layers.MASK: 0.03,
    layers.POS: 0.17,
    **dict.fromkeys((layers.FLOW, layers.BACK), 1.35),
    layers.UDP: 1.8,
}
"""Bytes a pixel of a layer in an artefact, measured on a textured character at 512 pixels."""

_OTHERS = 0.06
"""The same of any other layer, such as lines and labels."""

_WRITTEN = {**_DRAWN, layers.FLOW: 8.0, layers.BACK: 8.0}
"""Bytes a pixel of a layer in a recipe's folder, where flow is not compressed."""

_MOVED = sum(_DRAWN[layer] for layer in (layers.COLOR, layers.MASK, layers.POS))
"""Bytes a pixel of a moving reconstruction."""


def bytes_of_clips(config: BuildConfig, clips: Iterable[Clip]) -> int:
    """Bytes of the artefacts and recipe folders of clips, to about a quarter."""
    assert config.clips is not None
    recipes = folder_recipes(config.clips.recipes)
    each = sum(_DRAWN.get(layer, _OTHERS) for layer in layers_of(config.clips.recipes))
    each += sum(_WRITTEN.get(layer, _OTHERS) for recipe in recipes for layer in recipe.layers)
    if config.clips.pairs:
        each += _MOVED * len(config.backends) * (1 + sum(recipe.reconstructions for recipe in recipes))
    return round(sum(clip.frames for clip in clips) * config.size**2 * each)


def refuse_full_disk(run: Run, clips: Sequence[Clip]) -> None:
    """Check that the clips that are not drawn yet fit on the disk of a run.

    Raises:
        UsageError: if they do not.
    """
    clips = [clip for clip in clips if not run.layout.artefact(draw.STAGE, None, clip.id).is_file()]
    needed, free = bytes_of_clips(run.config, clips), shutil.disk_usage(run.layout.root).free
    if needed > free:
        raise UsageError(
            f"{plural(len(clips), 'clip')} take about {shown(needed)}, and {shown(free)} are free in "
            f"{run.layout.root}: take fewer motions with --clip, fewer characters with --limit, smaller pictures with "
            "--size, or an --out on another disk"
        )


@dataclass(frozen=True)
class PartTask:
    """One part of a recipe to be written.

    Attributes:
        layout: of the run.
        recipe: its name.
        backend: name of the backend that made the pictures; None for the characters' own.
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
    def folder(self) -> Path:
        """Folder of the recipe."""
        return self.layout.recipe(self.recipe, self.backend)

    def is_written(self) -> bool:
        """Whether the part is there as it would be written."""
        return folders.is_written(self.folder, self.key, self.record.mark)

    def load(self, clip: str) -> ClipFrames:
        """Frames of one of its clips."""
        clean = read_artefact(self.layout.artefact(draw.STAGE, None, clip), clip)
        if self.backend is None:
            return ClipFrames(clean.meta, clean.files)
        moved = read_artefact(self.layout.artefact(move.STAGE, self.backend, clip), clip)
        return ClipFrames({**clean.meta, "box": moved.meta["box"], "backend": self.backend}, moved.files, clean.files)


def part_tasks(
    recipe: Recipe, run: Run, entries: Sequence[Entry], splits: Mapping[str, str]
) -> tuple[list[PartTask], dict[str | None, list[str]]]:
    """The parts that a recipe's folders are to hold, and by backend the keys of what is not up to date."""
    backends = (None, *(run.backends if moves(recipe, run.config) else ()))
    clips: dict[str | None, dict[str, list[Meta]]] = {name: {} for name in backends}
    waiting: dict[str | None, list[str]] = {name: [] for name in backends}
    for entry in entries:
        for task, _, sound in judge_character(run, entry):
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
            record = _record(recipe, options, key, metas, splits)
            tasks.append(PartTask(run.layout, recipe.name, name, options, record))
    return tasks, waiting


def moves(recipe: Recipe, config: BuildConfig) -> bool:
    """Whether a run writes a recipe of reconstructions too."""
    return recipe.reconstructions and config.clips is not None and config.clips.pairs


def _record(
    recipe: Recipe, options: Mapping[str, Any], key: str, metas: Sequence[Meta], splits: Mapping[str, str]
) -> Written:
    first = metas[0]
    character, license_, credit = first["character"], first["license"], first["source"]
    decides = [recipe.name, recipe.version, options, splits[character], license_, credit]
    mark = sha256(canonical_json([*decides, [[meta["id"], meta["fingerprint"]] for meta in metas]]).encode())
    clips = tuple(meta["id"] for meta in metas)
    return Written(key, character, splits[character], clips, license_, credit, {}, {}, mark)


@dataclass
class Parts:
    """Result of writing a recipe's parts.

    Attributes:
        made: how many were written now.
        left_out: by character why there is no part of it.
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
    recipe, record = load_recipe(task.recipe), task.record
    part = Part(record.key, record.character, record.split, task.options, record.clips, task.load)
    try:
        folders.place(task.folder, record, partial(recipe.write, part))
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


def write_parts(tasks: Sequence[PartTask], config: BuildConfig, execute: Executor, progress: Progress) -> Parts:
    """Write parts side by side, except those that are there as they would be written."""
    missing = [task for task in tasks if not task.is_written()]
    parts = Parts()
    label = tasks[0].recipe if tasks else "recipe"
    with progress.bar(label, len(missing), "part", kept=len(tasks) - len(missing)) as advance:
        for index, trouble in execute(write_part, missing, Needs(config.timeout)):
            advance(1)
            task = missing[index]
            if isinstance(trouble, Lost):
                trouble = FAULT, f"{task.recipe} of {task.key} was lost: {trouble.reason}"
            if trouble is None:
                parts.made += 1
            elif trouble[0] == FAULT:
                parts.faults.append(trouble[1])
            else:
                parts.left_out.setdefault(task.record.character, []).append(trouble[1])
    return parts


def by_folder(tasks: Sequence[PartTask]) -> dict[Path, list[PartTask]]:
    """Parts by the recipe's folder that they belong in."""
    groups: dict[Path, list[PartTask]] = {}
    for task in tasks:
        groups.setdefault(task.folder, []).append(task)
    return groups


def written(folder: Path) -> Callable[[], Iterator[Written]]:
    """Return a function that gives the records of a folder's parts, read anew each time: they may be many."""
    return lambda: (part for key in folders.keys(folder) if (part := folders.record_of(folder, key)) is not None)


def finish_folder(
    recipe: Recipe, folder: Path, tasks: Sequence[PartTask], facts: Mapping[str, Any], progress: Progress
) -> int:
    """Remove parts of a recipe's folder that the run has no more, and write what is over all parts.

    Args:
        recipe: whose folder it is.
        folder: it.
        tasks: all parts that it is to hold.
        facts: how they were made, see `made_by`; the parts left out are counted here.
        progress: where lines go.

    Returns:
        How many parts there are now.
    """
    sweep(folder, deep=False)
    sweep(folder / folders.STATE)
    keys = {task.key for task in tasks}
    gone = [key for key in folders.keys(folder) if key not in keys]
    for key in gone:
        folders.remove_part(folder, key)
    if gone:
        progress.say(f"{folder}: {plural(len(gone), 'part')} removed that this run has no more")
    parts = written(folder)
    left_out = len(keys) - sum(1 for _ in parts())
    count, own = write_whole(folder, recipe, parts, {**facts, "left_out": left_out})
    if (note := folders.hidden(folder, recipe)) is not None:
        progress.say(note)
    if foreign := folders.strangers(folder, parts(), own):
        progress.say(f"kept in {folder}, as it is no clip of specsia's: {named(foreign)}")
    return count


def made_by(recipe: Recipe, backend: str | None, config: BuildConfig, source: str) -> dict[str, Any]:
    """Settings and versions that a recipe's folder records: of the characters', or a backend's, pictures."""
    settings = public_settings(config, source)
    # What other recipes there are decides nothing of this one.
    settings["clips"]["recipes"] = [recipe.name]
    last = draw.STAGE if backend is None else move.STAGE
    return {**made_with(settings, tuple(dict.fromkeys((*last.rests_on, last)))), "backend": backend}
