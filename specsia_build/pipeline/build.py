"""The build: plan each stage, do what is missing or stale, quarantine what fails, pack the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from specsia_build.config import ALL, BuildConfig
from specsia_build.dataset.upload import open_target
from specsia_build.errors import plural
from specsia_build.files.names import pattern_note
from specsia_build.pipeline.clearing import forget
from specsia_build.pipeline.executors import open_executor, watched
from specsia_build.pipeline.finishing import pack_clips, pack_pairs
from specsia_build.pipeline.index import open_index
from specsia_build.pipeline.keeping import drop, restore
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.lock import locked
from specsia_build.pipeline.mark import claimed, note_versions, settings_before, settled, told_before
from specsia_build.pipeline.objects import Remote
from specsia_build.pipeline.planning import stages_of
from specsia_build.pipeline.progress import Progress, named, planned_rows
from specsia_build.pipeline.selection import parted_doubles, shapes_of
from specsia_build.pipeline.store import spread, sweep
from specsia_build.pipeline.summary import BuildSummary
from specsia_build.pipeline.tasks import backend_of
from specsia_build.pipeline.warm import compile_once
from specsia_build.pipeline.work import Work
from specsia_build.rendering.registry import load_renderer
from specsia_build.stages import pack
from specsia_build.stages.registry import character_stages


def build(
    config: BuildConfig, layout: RunLayout, stages: Sequence[str], fresh: bool, progress: Progress
) -> BuildSummary:
    """Run stages of a build in their order.

    Args:
        config: effective settings.
        layout: where the run is kept.
        stages: names of those to run.
        fresh: forget what the folder holds of an earlier build first.
        progress: where bars and lines go.

    Raises:
        UsageError: if a stage has nothing to start from, or the folder holds another build or anything else.
        SpecsiaError: if the build cannot go on at all.
    """
    packs = pack.STAGE.name in stages
    asked = [stage for stage in character_stages(config) if stage.name in stages]
    renderer = load_renderer(config.renderer)
    if any(stage.draws for stage in asked):
        renderer.check()
    for spec in config.backends:
        backend_of(spec)
    if layout.remote_dataset is not None:
        open_target(layout.remote_dataset)
        progress.say(f"the work is kept in {layout.root}, the dataset goes to {layout.remote_dataset}")
    if isinstance(layout.artefacts, Remote):
        layout.artefacts.claim()
        progress.say(f"artefacts are stored at {layout.work}")
    if config.executor != "local":
        # Workers of a cluster start in other folders.
        layout = replace(layout, root=layout.root.absolute())
    with (
        claimed(layout, config.source, progress.say),
        locked(layout, progress.say) as see_there,
        open_executor(config, layout, progress.say) as run,
        open_index(layout, writes=True, say=progress.say) as index,
    ):
        sweep(layout.root, deep=False)
        for folder in layout.written:
            sweep(folder)
        if moved := spread(layout):
            progress.say(f"{plural(moved, 'artefact')} of an earlier version moved to where they belong")
        before = settings_before(layout)
        with settled(config, layout):
            work = Work(config, layout, None if fresh else before, progress, watched(run, see_there), index)
        for line in told_before(before, config, layout, len(work.entries), packs):
            progress.say(line)
        if fresh:
            index.forget()
            if foreign := forget(layout, config.shard):
                progress.say(f"kept in {layout.root}, as no build wrote it: {named(foreign)}")
        work.begin()
        work.refuse_unready(asked)
        compile_once(config, asked, work.entries, progress)
        with progress.stages(planned_rows(config, asked, len(work.entries), packs)):
            if config.keep == ALL:
                restore(work, stages_of(config, asked))
            work.run_steps(stages_of(config, asked))
            # Not before: by now workers have told what is in the files.
            doubles = work.concluded(
                "doubles",
                list[str],
                lambda: parted_doubles(
                    work.entries, work.splits, index.told_digests, index.digests, shapes_of(config, layout, index)
                ),
            )
            work.summary = replace(work.summary, doubles=tuple(doubles))
            work.tell_again()
            if work.hopeless():
                return work.too_many("raise --max-failures")
            if not work.left_out:
                note_versions(config, layout, asked)
            if not packs:
                return work.finished()
            packed = drop(work, pack_pairs(work) if config.clips is None else pack_clips(work))
            if (
                isinstance(packed.dataset, Path)
                and (note := pattern_note(packed.dataset, "load_dataset takes")) is not None
            ):
                progress.say(note)
            return packed
