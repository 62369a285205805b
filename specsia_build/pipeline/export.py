"""Write a run, or a packed dataset, in a layout, into a folder of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from specsia_build.config import BuildConfig, backend_name
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.schema import DEFAULT_CONFIG
from specsia_build.errors import SpecsiaError, UsageError, argument, no_such, some
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.opened import open_parts
from specsia_build.layouts.packing import PackTarget, in_processes, pack
from specsia_build.layouts.part import Facts, Part
from specsia_build.layouts.registry import check_layouts, layers_of, load_layout
from specsia_build.layouts.writing import NotWritten
from specsia_build.pipeline.failures import concerning, read_failures
from specsia_build.pipeline.folder import settings_before
from specsia_build.pipeline.plan import character_state
from specsia_build.pipeline.run import existing_run, open_run, paths_of
from specsia_build.pipeline.selection import find_characters
from specsia_build.pipeline.sets import facts_of, missing_reason, parts_of, plan_sets


@dataclass(frozen=True)
class Export:
    """A folder that was written."""

    layout: Layout
    parts: int  # Number of its parts
    rows: int  # Number of frames or views
    missed: Mapping[str, NotWritten]  # Parts that were not written, by key, and why


def export(
    where: str, name: str, out: Path, backend: str | None, workers: int, advance: Callable[[int], None]
) -> Export:
    """Write the run or packed dataset `where` in a layout; `out` must be new or empty.

    With several backends, `backend` names the one to take, unless the layout holds all. `advance` is called
    for each part. Raises UsageError if the layout cannot be made of it.
    """
    layout = load_layout(name)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} already exists: give --out a new folder")
    from_run = "://" not in where and paths_of(where).config.is_file()
    parts, facts = (_of_run if from_run else _of_dataset)(where, layout, backend)
    packed = pack(PackTarget(layout, out), parts, in_processes(workers, advance), facts)
    if not packed.written and not packed.kept:
        reasons = [missed.reason for missed in packed.missed.values()] or ["it has no rows"]
        raise SpecsiaError(f"nothing of {where} is written: {reasons[0]}")
    written = [part for part, _ in parts if part.key not in packed.missed]
    rows = sum(member.rows for part in written for member in part.members)
    return Export(layout, packed.written + packed.kept, rows, packed.missed)


def _of_run(where: str, layout: Layout, backend: str | None) -> tuple[list[tuple[Part, str]], Facts]:
    config, paths = existing_run(where)
    names = [backend_name(spec) for spec in config.backends]
    if backend is not None:
        chosen = _choose(names, backend, where)
        config = replace(config, backends=tuple(s for s in config.backends if backend_name(s) == chosen))
    config = _with_layout(config, layout, where)
    characters = find_characters(config, paths, settings_before(paths))
    with open_run(config, paths) as run:
        states = {entry.id: character_state(run, entry) for entry in characters.entries}
        sets = [planned for planned in plan_sets(run, layout, states) if backend in (None, *planned.sources)]
        if layout.shows == "pairs" and len(sets) > 1:
            raise UsageError(_several(where, names))
        failures = concerning(read_failures(paths.failures), {*states}, run.backends)
        if (reason := missing_reason(run, sets[0], characters, failures)) is not None:
            raise UsageError(reason)
        facts = facts_of(run, sets[0], characters, failures)
        return parts_of(run, sets[0], characters.splits), facts


def _with_layout(config: BuildConfig, layout: Layout, where: str) -> BuildConfig:
    """Settings of a run that has this layout, too; UsageError if it was drawn without what that needs."""
    layouts = tuple(dict.fromkeys((*config.packed_layouts, layout.name)))
    if config.clips is None:
        config = replace(config, layouts=layouts)
    elif lacking := sorted({*layout.layers} - {*layers_of(config.packed_layouts)}):
        options = " ".join(f"--layout {name}" for name in layouts)
        problem = f"{where} was drawn without {some(lacking)}, which {layout.name} needs"
        raise UsageError(f"{problem}: run `{config.command} --out {argument(where)} {options}`")
    else:
        config = replace(config, clips=replace(config.clips, layouts=layouts))
    check_layouts(config)
    return config


def _of_dataset(where: str, layout: Layout, backend: str | None) -> tuple[list[tuple[Part, str]], Facts]:
    dataset = open_dataset(where)
    configs = dataset.configs if backend is None else (_choose(dataset.configs, backend, where),)
    if len(configs) > 1 and not layout.joins_backends:
        raise UsageError(_several(where, configs))
    return open_parts(dataset, layout, configs)


def _choose(names: Sequence[str], backend: str, where: str) -> str:
    if backend in names or (len(names) == 1 and names[0] == DEFAULT_CONFIG):
        return backend if backend in names else names[0]
    raise UsageError(f"{where}: {no_such('backend', backend, names)}")


def _several(where: str, names: Sequence[str]) -> str:
    return f"{where} holds pairs by {', '.join(names)}: name one with --backend"
