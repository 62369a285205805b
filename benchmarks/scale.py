"""Cost of a build's parent process at large sizes, with runs multiplied from a small real one.

python -m benchmarks.scale forge RUN OUT COUNT   a source of COUNT characters and a run of it, up to date
python -m benchmarks.scale idle RUN              what planning and status take where nothing is to be done
python -m benchmarks.scale driver COUNT          items a second that an executor hands out and takes back

Forged sources are hard links to the real one's files. Forged artefacts have true meta data, of their own id
and with the fingerprint that a build would give them, and nothing but holes where the pictures would be: they
can be planned and reported on, not read.
"""

import json
import os
import resource
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from specsia_build.characters.sources import open_source
from specsia_build.config import PAIRS, BuildConfig, ExecutorName, backend_name, write_settings
from specsia_build.dataset import splits
from specsia_build.files.sources import source_digest
from specsia_build.layouts.packing import folder_fingerprint
from specsia_build.layouts.registry import load_layout
from specsia_build.pipeline.build import open_executor
from specsia_build.pipeline.executors import Needs
from specsia_build.pipeline.folder import write_mark
from specsia_build.pipeline.plan import Task, character_state
from specsia_build.pipeline.run import Run, RunPaths, Step, existing_run, open_run, steps_of
from specsia_build.pipeline.selection import Characters, source_of
from specsia_build.pipeline.sets import PlannedSet, facts_of, parts_of, plan_sets
from specsia_build.pipeline.store import read_meta
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import DIGEST, META, CharacterStage, Meta, meta_digest

_BLOCK = tarfile.BLOCKSIZE

R = TypeVar("R")


@click.group(help=__doc__)
def main() -> None:
    """See the module."""


@main.command()
@click.argument("run", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("count", type=int)
def forge(run: Path, out: Path, count: int) -> None:
    """Forge a run of COUNT characters from RUN, an up-to-date run of stills of a folder of mesh files."""
    config, template = existing_run(run)
    if not Path(config.source).is_dir():
        raise click.UsageError(f"{run} is of {config.source}: give a run of a folder of mesh files")
    files = sorted(path for path in Path(config.source).iterdir() if path.is_file())
    digests = {path: source_digest(path, path.parent) for path in files}
    folder = out / "source"
    folder.mkdir(parents=True)
    for number in range(count):
        original = files[number % len(files)]
        os.link(original, folder / f"c{number:06d}{original.suffix}")
    config, paths = replace(config, source=str(folder)), RunPaths(out / "run")
    entries = open_source(config.source, paths.source).entries
    write_mark(paths, config.source)
    write_settings(config, paths.config)
    paths.splits.write_text(splits.to_json(splits.assign([entry.id for entry in entries], {})))
    metas: dict[Path, Meta | None] = {}
    for number, entry in enumerate(entries):
        original, earlier = files[number % len(files)], dict[CharacterStage, Meta]()
        for stage, spec in steps_of(config, character_stages(config)):
            path = template.artefact(stage, None if spec is None else backend_name(spec), original.stem)
            if path not in metas:
                metas[path] = read_meta(path)
            meta = metas[path]
            assert meta is not None, f"{path} does not read"
            task = Task(Run(config, paths), Step(stage, spec), entry)
            inputs = stage.inputs(task.job, earlier, lambda *_: None)
            if stage.sources(task.job) is not None and not earlier:
                inputs = {entry.path.name: digests[original]}
            fields = {name: value for name, value in meta.items() if name != DIGEST}
            fields |= {"id": entry.id, "inputs": dict(inputs), "fingerprint": task.fingerprint(inputs)}
            earlier[stage] = fields | {DIGEST: meta_digest(fields)}
            _write_hollow(task.path, entry.id, earlier[stage])
    with open_run(config, paths, writes=True) as opened:
        done = sum(character_state(opened, entry).is_done(opened.steps) for entry in entries)
    click.echo(f"{done} of {len(entries)} characters are up to date in {paths.root}")


def _write_hollow(path: Path, key: str, meta: Mapping[str, Any]) -> None:
    """An artefact of the right size that holds its meta data and nothing else."""
    data = json.dumps(meta, sort_keys=True, ensure_ascii=False, indent=1).encode()
    info = tarfile.TarInfo(f"{key}.{META}")
    info.size = len(data)
    head = info.tobuf(tarfile.PAX_FORMAT)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(head + data)
        rest = sum(_BLOCK + _padded(file["bytes"]) for file in meta["files"].values())
        stream.truncate(len(head) + _padded(len(data)) + rest + 2 * _BLOCK)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


@main.command()
@click.argument("run", type=click.Path(exists=True, path_type=Path))
def idle(run: Path) -> None:
    """Processor time of each part of planning RUN, which is up to date, and the largest memory."""
    config, paths = existing_run(run)
    source = _timed("list the source", lambda: source_of(config, paths))
    frozen = _timed("read the splits", lambda: splits.from_json(paths.splits))
    with open_run(config, paths) as opened:
        look = partial(character_state, opened)
        states = _timed("look at all", lambda: {entry.id: look(entry) for entry in source.entries})
        characters = Characters(source.name, tuple(source.entries), frozen, (), ())
        (planned,) = _timed("plan pack", lambda: plan_sets(opened, load_layout(PAIRS), states))
        _timed("its fingerprint", lambda: _digest(opened, planned, characters))
    done = sum(state.is_done(opened.steps) for state in states.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size, count = paths.index.stat().st_size / 1024, len(source.entries)
    click.echo(
        f"{done} of {count} up to date; {peak:.0f} MB at most; index {size / count:.1f} kB a character"
    )


def _digest(run: Run, planned: PlannedSet, characters: Characters) -> str:
    facts = facts_of(run, planned, characters, ())
    return folder_fingerprint(planned.layout, parts_of(run, planned, facts.splits), facts)


def _timed(what: str, function: Callable[[], R]) -> R:
    begun = time.process_time()
    result = function()
    click.echo(f"{what:<22}{time.process_time() - begun:8.3f} s")
    return result


@main.command()
@click.argument("count", type=int)
@click.option("--workers", type=int, default=2, show_default=True)
@click.option("--executor", type=click.Choice(get_args(ExecutorName)), default="local", show_default=True)
def driver(count: int, workers: int, executor: ExecutorName) -> None:
    """Hand out COUNT items of which nothing is done."""
    config = BuildConfig(source="sample:1", workers=workers, executor=executor)
    with tempfile.TemporaryDirectory() as folder:
        paths = RunPaths(Path(folder))
        paths.lock.parent.mkdir(parents=True)
        with open_executor(config, paths, click.echo) as run:
            results = run(abs, range(count), Needs(timeout=60.0))
            next(results)
            begun, own = time.perf_counter(), time.process_time()
            done = sum(1 for _ in results)
            seconds, own = time.perf_counter() - begun, time.process_time() - own
    click.echo(f"{done / seconds:,.0f} items a second, {1e6 * own / done:.0f} µs of the parent each")


if __name__ == "__main__":
    main()
