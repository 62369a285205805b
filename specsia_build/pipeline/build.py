"""The build: find the characters, hand what is not up to date to workers, record the outcomes, pack the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from specsia_build.config import BuildConfig
from specsia_build.dataset.exchange import open_target
from specsia_build.files.names import pattern_note
from specsia_build.pipeline import folder
from specsia_build.pipeline.executors import Executor, local_executor
from specsia_build.pipeline.failures import BuildSummary
from specsia_build.pipeline.loop import Build
from specsia_build.pipeline.pack import finish
from specsia_build.pipeline.run import RunLayout, backend_of, open_run, steps_of
from specsia_build.pipeline.selection import find_characters, named
from specsia_build.pipeline.store import sweep
from specsia_build.pipeline.warm import compile_once
from specsia_build.rendering.layers import load_renderer
from specsia_build.stages.pack import STAGE as PACK
from specsia_build.stages.registry import character_stages
from specsia_build.terminal import progress
from specsia_build.terminal.screen import say


@contextmanager
def open_executor(config: BuildConfig, layout: RunLayout, say: Callable[[str], None]) -> Iterator[Executor]:
    """Open the executor that the settings name, for one build; for `ray` the run's path must be absolute."""
    if config.executor == "local":
        yield local_executor(config)
        return
    from specsia_build.pipeline.executors.on_ray import ray_executor

    with ray_executor(config, layout, say) as execute:
        yield execute


def build(config: BuildConfig, layout: RunLayout, stages: Sequence[str], fresh: bool) -> BuildSummary:
    """Run the named stages of a build; with `fresh`, first remove what an earlier build left in the folder."""
    requested = [stage for stage in character_stages(config) if stage.name in stages]
    renderer = load_renderer(config.renderer)
    if any(stage.draws for stage in requested):
        renderer.check()
    for spec in config.backends:
        backend_of(spec)
    if layout.url is not None:
        open_target(layout.url)
        say(f"the work is kept in {layout.root}, the dataset goes to {layout.url}/dataset")
    if config.executor != "local":
        # Workers of a cluster start in other folders.
        layout = replace(layout, root=layout.root.absolute())
    folder.check_folder(layout)
    before = folder.settings_before(layout)
    characters = find_characters(config, layout, None if fresh else before)
    with (
        folder.locked(layout),
        open_executor(config, layout, say) as execute,
        open_run(config, layout, writes=True) as run,
    ):
        for path in layout.written:
            sweep(path)
        sweep(layout.root, deep=False)
        folder.refuse_other_source({} if fresh else before, run, characters.entries)
        if (notice := folder.change_notice(before, run)) is not None:
            say(notice)
        if fresh:
            run.index.forget()
            if foreign := folder.forget(layout):
                say(f"kept in {layout.root}, because no build wrote it: {named(foreign)}")
        loop = Build(run, characters, execute)
        loop.refuse_unready(requested)
        loop.begin()
        compile_once(config, requested, characters.entries)
        with progress.stages():
            loop.run_steps(steps_of(config, requested))
            loop.collect_warnings()
            if loop.over_limit():
                return loop.stopped_by_failures("raise --max-failures")
            if PACK.name not in stages:
                return loop.finished()
            summary = finish(loop)
            if isinstance(summary.dataset, Path) and (note := pattern_note(summary.dataset, "load_dataset takes")):
                say(note)
            return summary
