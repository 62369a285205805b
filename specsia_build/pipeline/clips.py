"""Packing clips: what the workers write of one, and which ones there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from specsia_build.characters.character import Entry
from specsia_build.config import FRAMES, BuildConfig, backend_name
from specsia_build.errors import SpecsiaError
from specsia_build.pipeline.executors import Executor, Lost, Needs
from specsia_build.pipeline.failures import Failure
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.planning import DigestCache, plan_stage
from specsia_build.pipeline.progress import Progress, named
from specsia_build.pipeline.store import DamagedError, read_artefact, read_meta
from specsia_build.recipes.frames import ClipFolder, is_written, record, remove_others, write_clip
from specsia_build.stages.clips import draw, motions, move
from specsia_build.stages.stage import CharacterStage


@dataclass(frozen=True)
class FolderTask:
    """One clip to be written as a folder.

    Attributes:
        layout: of the run.
        clip: its id.
        backend: name of that which made the pictures, None for the character's own.
        preview: write a film too.
    """

    layout: RunLayout
    clip: str
    backend: str | None
    preview: bool

    @property
    def path(self) -> Path:
        """Where it belongs."""
        return frames_folder(self.layout, self.backend) / self.clip


def frames_folder(layout: RunLayout, backend: str | None) -> Path:
    """Where a run's folders of frames lie: of characters, or of a backend's reconstructions of them."""
    return layout.root / ("frames" if backend is None else f"frames-{backend}")


def _is_written(task: FolderTask) -> bool:
    clean = read_meta(task.layout.artefact(draw.STAGE, None, task.clip))
    pictures = clean if task.backend is None else read_meta(task.layout.artefact(move.STAGE, task.backend, task.clip))
    if clean is None or pictures is None:
        return False
    return is_written(task.path, record(clean, pictures, task.preview))


def write_folder(task: FolderTask) -> CharacterStage | None:
    """Write one clip; gives the stage whose artefact of it is damaged, if one is."""
    stage = draw.STAGE
    try:
        clean = read_artefact(task.layout.artefact(stage, None, task.clip), task.clip)
        pictures = clean
        if task.backend is not None:
            stage = move.STAGE
            pictures = read_artefact(task.layout.artefact(stage, task.backend, task.clip), task.clip)
    except DamagedError:
        return stage
    write_clip(ClipFolder(task.path, pictures, clean, task.preview))
    return None


def write_folders(
    tasks: Sequence[FolderTask], run: Executor, needs: Needs, progress: Progress
) -> tuple[int, list[tuple[FolderTask, CharacterStage]]]:
    """Write clips side by side, but for those that are there as they would be written.

    Returns:
        How many were written now, and those that could not be, with the stage whose artefact of them is damaged.

    Raises:
        SpecsiaError: if one cannot be written.
    """
    missing = [task for task in tasks if not _is_written(task)]
    damaged = []
    with progress.bar(FRAMES, len(missing), "clip") as advance:
        for index, trouble in run(write_folder, missing, needs):
            advance(1)
            if isinstance(trouble, Lost):
                raise SpecsiaError(f"the clip {missing[index].clip} could not be written: {trouble.reason}")
            if trouble is not None:
                damaged.append((missing[index], trouble))
    return len(missing) - len(damaged), damaged


def clear_others(tasks: Sequence[FolderTask], progress: Progress) -> None:
    """Remove the clips of an earlier run beside those that this one has, and say what else lies there."""
    kept: dict[Path, list[str]] = {}
    for task in tasks:
        kept.setdefault(task.path.parent, []).append(task.clip)
    for folder, names in kept.items():
        removed, foreign = remove_others(folder, names)
        if removed:
            progress.say(f"{folder}: {removed} clips removed that this run has no more")
        if foreign:
            progress.say(f"kept in {folder}, as it is no clip of specsia's: {named(foreign)}")


def planned(entries: Sequence[Entry], layout: RunLayout) -> Iterator[str]:
    """Ids of all clips that are known of some characters."""
    for entry in entries:
        meta = read_meta(layout.artefact(motions.STAGE, None, entry.id))
        if meta is not None:
            yield from (clip.id for clip in motions.clips_of(meta))


def folder_tasks(
    config: BuildConfig, layout: RunLayout, entries: Sequence[Entry], cache: DigestCache, failures: Sequence[Failure]
) -> tuple[list[FolderTask], list[str]]:
    """The clips that a run's folders are to hold, and ids of what is neither up to date nor known to have failed."""
    assert config.clips is not None
    specs: list[str | None] = [None, *(config.backends if config.clips.pairs else ())]
    tasks, missed = [], []
    for spec in specs:
        name = None if spec is None else backend_name(spec)
        plan = plan_stage(draw.STAGE if spec is None else move.STAGE, spec, entries, config, layout, cache)
        excused = {failure.key for failure in failures if failure.backend in (None, name)}
        tasks += [FolderTask(layout, clip, name, config.clips.preview) for clip in plan.done]
        missed += [key for key in (*(task.key for task in plan.tasks), *plan.blocked) if key not in excused]
    return tasks, missed
