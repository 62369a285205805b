"""Commands that write runs: a build; and `merge`, which copies runs of a source's shards, to be packed."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from specsia_build import terminal
from specsia_build.backends.registry import portable_spec
from specsia_build.config import BuildConfig, result_settings, write_settings
from specsia_build.dataset.places import listed_names, open_target
from specsia_build.errors import UsageError
from specsia_build.files.writing import link_or_copy, replacing, write_bytes
from specsia_build.layouts.registry import check_layouts
from specsia_build.pipeline import folder
from specsia_build.pipeline.executors import Executor, local_executor
from specsia_build.pipeline.failures import BuildSummary, read_failures, write_failures
from specsia_build.pipeline.loop import Build
from specsia_build.pipeline.pack import finish
from specsia_build.pipeline.run import RunLayout, backend_of, existing_run, open_run, steps_of
from specsia_build.pipeline.selection import find_characters, named
from specsia_build.pipeline.store import sweep
from specsia_build.pipeline.warm import compile_once
from specsia_build.rendering.layers import load_renderer
from specsia_build.stages.pack import PACK
from specsia_build.stages.registry import character_stages


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
    """Run the named stages of a build; `fresh` first removes what an earlier build left in the folder."""
    check_layouts(config)
    requested = [stage for stage in character_stages(config) if stage.name in stages]
    renderer = load_renderer(config.renderer)
    if any(stage.draws for stage in requested):
        renderer.check()
    for spec in config.backends:
        backend_of(spec)
    if layout.url is not None:
        open_target(layout.url)
        terminal.say(f"the work is kept in {layout.root}, the dataset goes to {layout.url}/dataset")
    if config.executor != "local":
        # Workers of a cluster start in other folders.
        layout = replace(layout, root=layout.root.absolute())
    folder.check_folder(layout)
    before = folder.settings_before(layout)
    characters = find_characters(config, layout, None if fresh else before)
    with (
        folder.locked(layout),
        open_executor(config, layout, terminal.say) as execute,
        open_run(config, layout, writes=True) as run,
    ):
        for path in layout.written:
            sweep(path)
        sweep(layout.root, deep=False)
        folder.refuse_other_source({} if fresh else before, run, characters.entries)
        if changed := folder.changes(before, config):
            also = ", and its dataset is replaced" if listed_names(layout.dataset) else ""
            terminal.say(
                f"{layout.root} holds a build with other settings, which changes: {'; '.join(changed)}{also}"
            )
        if fresh:
            run.index.forget()
            if foreign := folder.forget(layout):
                terminal.say(f"kept in {layout.root}, because no build wrote it: {named(foreign)}")
        loop = Build(run, characters, execute)
        loop.refuse_unready(requested)
        loop.begin()
        compile_once(config, requested, characters.entries)
        with terminal.stages():
            loop.run_steps(steps_of(config, requested))
            loop.collect_warnings()
            if loop.over_limit():
                return loop.stopped_by_failures("raise --max-failures")
            return finish(loop) if PACK.name in stages else loop.finished()


def merge(runs: Sequence[Path], layout: RunLayout) -> BuildConfig:
    """Copy artefacts of runs into another run's folder, which a build then packs; the runs stay as they are.

    Where several runs have an artefact, the first run's is copied; fingerprints decide whether it is up to
    date. Raises UsageError if a folder holds no run, runs differ in settings or splits, or the target holds
    another run. Returns the
    settings of the merged run: those of the first run, for the whole source.
    """
    shards = [existing_run(run) for run in runs]
    folders = [shard.root.resolve() for _, shard in shards]
    if len(set(folders)) < len(folders) or layout.root.resolve() in folders:
        raise UsageError("the runs to merge and --out must all be different folders")
    first, first_layout = shards[0]
    sources = [config.source for config, _ in shards]
    usable = (source for source in sources if source.startswith("sample:") or Path(source).exists())
    whole = replace(first, shard=None, source=next(usable, sources[0]))
    for config, shard in shards:
        if differ := folder.changes(result_settings(_portable(first)), _portable(config)):
            both = f"{shard.root} and {first_layout.root}"
            raise UsageError(f"{both} differ in {'; '.join(differ)}: build both with the same settings")
        if not shard.splits.is_file() or shard.splits.read_bytes() != first_layout.splits.read_bytes():
            raise UsageError(
                f"{shard.root} and {first_layout.root} are of different characters, or put them in different "
                "splits: build both from the same source"
            )
    folder.check_folder(layout)
    if (before := folder.settings_before(layout)) and (differ := folder.changes(before, whole)):
        raise UsageError(
            f"{layout.root} holds a run with other settings ({'; '.join(differ)}): name another --out"
        )
    with folder.locked(layout):
        folder.write_mark(layout, whole.source)
        write_settings(whole, layout.config)
        write_bytes(layout.splits, first_layout.splits.read_bytes())
        for _, shard in shards:
            for name in ("artefacts", "quarantine", "logs"):
                _copy(shard.root, layout.root, name)
        stages = {stage.name: stage for stage in character_stages()}
        failures = {failure for _, shard in shards for failure in read_failures(shard.failures)}
        missing = {f for f in failures if not layout.artefact(stages[f.stage], f.backend, f.key).exists()}
        write_failures(layout.failures, missing)
    return whole


def _portable(config: BuildConfig) -> BuildConfig:
    """Settings without the shard and without paths of one machine: of the source and of backends."""
    return replace(config, shard=None, source="", backends=tuple(map(portable_spec, config.backends)))


def _copy(old: Path, new: Path, name: str) -> None:
    """Copy the files below a folder of a run that the other lacks; links are not followed."""
    for path in sorted((old / name).rglob("*")):
        target = new / path.relative_to(old)
        if path.is_file() and not path.is_symlink() and not os.path.lexists(target):
            with replacing(target) as temporary:
                link_or_copy(path, temporary)
