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
from specsia_build.pipeline.run import RunPaths, backend_of, existing_run, open_run, steps_of
from specsia_build.pipeline.selection import find_characters, named
from specsia_build.pipeline.store import sweep
from specsia_build.pipeline.warm import compile_once
from specsia_build.rendering.layers import load_renderer
from specsia_build.stages.pack import PACK
from specsia_build.stages.registry import character_stages


@contextmanager
def open_executor(config: BuildConfig, paths: RunPaths, say: Callable[[str], None]) -> Iterator[Executor]:
    """Open the executor that the settings name, for one build; for `ray` the run's path must be absolute."""
    if config.executor == "local":
        yield local_executor(config)
        return
    from specsia_build.pipeline.executors.on_ray import ray_executor

    with ray_executor(config, paths, say) as execute:
        yield execute


def build(config: BuildConfig, paths: RunPaths, stages: Sequence[str], fresh: bool) -> BuildSummary:
    """Run the named stages of a build; `fresh` first removes what an earlier build left in the folder."""
    check_layouts(config)
    requested = [stage for stage in character_stages(config) if stage.name in stages]
    renderer = load_renderer(config.renderer)
    if any(stage.draws for stage in requested):
        renderer.check()
    for spec in config.backends:
        backend_of(spec)
    if paths.url is not None:
        open_target(paths.url)
        terminal.say(f"the work is kept in {paths.root}, the dataset goes to {paths.url}/dataset")
    if config.executor != "local":
        # Workers of a cluster start in other folders.
        paths = replace(paths, root=paths.root.absolute())
    folder.check_folder(paths)
    before = folder.settings_before(paths)
    characters = find_characters(config, paths, None if fresh else before)
    with (
        folder.locked(paths),
        open_executor(config, paths, terminal.say) as execute,
        open_run(config, paths, writes=True) as run,
    ):
        for path in paths.written:
            sweep(path)
        sweep(paths.root, deep=False)
        folder.refuse_other_source({} if fresh else before, run, characters.entries)
        if changed := folder.changes(before, config):
            also = ", and its dataset is replaced" if listed_names(paths.dataset) else ""
            problem = f"{paths.root} holds a build with other settings, which changes"
            terminal.say(f"{problem}: {'; '.join(changed)}{also}")
        if fresh:
            run.index.forget()
            if foreign := folder.forget(paths):
                terminal.say(f"kept in {paths.root}, because no build wrote it: {named(foreign)}")
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


def merge(runs: Sequence[Path], paths: RunPaths) -> BuildConfig:
    """Copy artefacts of runs into another run's folder, which a build then packs; the runs stay as they are.

    Where several runs have an artefact, the first run's is copied; fingerprints decide whether it is up to
    date. Raises UsageError if a folder holds no run, runs differ in settings or splits, or the target holds
    another run. Returns the settings of the merged run: those of the first run, for the whole source.
    """
    shards = [existing_run(run) for run in runs]
    folders = [shard.root.resolve() for _, shard in shards]
    if len(set(folders)) < len(folders) or paths.root.resolve() in folders:
        raise UsageError("the runs to merge and --out must all be different folders")
    first, first_paths = shards[0]
    sources = [config.source for config, _ in shards]
    usable = (source for source in sources if source.startswith("sample:") or Path(source).exists())
    whole = replace(first, shard=None, source=next(usable, sources[0]))
    for config, shard in shards:
        both = f"{shard.root} and {first_paths.root}"
        if differ := folder.changes(result_settings(_portable(first)), _portable(config)):
            raise UsageError(f"{both} differ in {'; '.join(differ)}: build both with the same settings")
        if not shard.splits.is_file() or shard.splits.read_bytes() != first_paths.splits.read_bytes():
            problem = f"{both} are of different characters, or put them in different splits"
            raise UsageError(f"{problem}: build both from the same source")
    folder.check_folder(paths)
    if (before := folder.settings_before(paths)) and (differ := folder.changes(before, whole)):
        problem = f"{paths.root} holds a run with other settings ({'; '.join(differ)})"
        raise UsageError(f"{problem}: name another --out")
    with folder.locked(paths):
        folder.write_mark(paths, whole.source)
        write_settings(whole, paths.config)
        write_bytes(paths.splits, first_paths.splits.read_bytes())
        for _, shard in shards:
            for name in ("artefacts", "quarantine", "logs"):
                _copy(shard.root, paths.root, name)
        stages = {stage.name: stage for stage in character_stages()}
        failures = {failure for _, shard in shards for failure in read_failures(shard.failures)}
        missing = {f for f in failures if not paths.artefact(stages[f.stage], f.backend, f.key).exists()}
        write_failures(paths.failures, missing)
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
