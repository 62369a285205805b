"""Write characters, a run or a packed dataset in a layout, into a folder of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from specsia_build.config import BuildConfig, backend_name
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.schema import DATA, DEFAULT_CONFIG, SUMS_FILE
from specsia_build.errors import SpecsiaError, UsageError, argument, no_such, some
from specsia_build.folders import expanded, require_vacant
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.opened import open_parts
from specsia_build.layouts.packing import (
    Packed,
    PackTarget,
    folder_fingerprint,
    in_processes,
    is_current,
    pack,
    records,
)
from specsia_build.layouts.part import Facts, Part
from specsia_build.layouts.registry import check_layouts, layers_of, load_layout
from specsia_build.layouts.verify_folder import folder_record
from specsia_build.layouts.views.layout import ViewLayout
from specsia_build.layouts.writing import NotWritten
from specsia_build.pipeline.failures import concerning, read_failures
from specsia_build.pipeline.folder import settings_before
from specsia_build.pipeline.plan import character_state
from specsia_build.pipeline.run import existing_run, open_run, paths_of
from specsia_build.pipeline.selection import find_characters
from specsia_build.pipeline.sets import facts_of, missing_reason, parts_of, plan_sets
from specsia_build.pipeline.views import (
    PARTS_STATE,
    Estimate,
    ViewOptions,
    drawn_in_processes,
    estimate,
    plan,
    short_list,
    work_beside,
)
from specsia_build.published.tree import is_tree
from specsia_build.warning import Warning, recorded


class Request(NamedTuple):
    """What to write, of what, and where."""

    where: str  # A source of characters, a run or a packed dataset
    name: str  # Of the layout
    out: Path
    backend: str | None = None  # The backend whose pairs to take, where there are several
    views: ViewOptions = ViewOptions()
    dry_run: bool = False


@dataclass(frozen=True)
class Export:
    """A folder that was written, or would be."""

    layout: Layout
    parts: int  # Number of its parts
    rows: int  # Number of frames or views
    missed: Mapping[str, NotWritten]  # Parts that were not written, by key, and why
    first: str = ""  # Key of a part of `train`
    kept: int = 0  # Parts that an earlier export wrote
    notes: Sequence[str] = ()  # Sentences about what the reader will do with it
    # About characters that were read, by id
    warnings: Mapping[str, Sequence[Warning]] = field(default_factory=dict)
    estimate: Estimate | None = None  # Of a dry run


def export(request: Request, workers: int, advance: Callable[[int], None]) -> Export:
    """Write characters, a run or a packed dataset in a layout.

    `out` must be new or empty, but where views are drawn may be the same export's. `advance` is called for
    each part. Raises UsageError if the layout cannot be made of it.
    """
    where, out = request.where, request.out
    layout = load_layout(request.name)
    is_run = "://" not in where and paths_of(where).config.is_file()
    is_source = not is_run and _is_source(where)
    if isinstance(layout, ViewLayout) and _draws(layout, request, is_run, is_source):
        return _draw(layout, request, is_run, workers, advance)
    if option := _stated(request.views):
        raise UsageError(f"{layout.name} of {where} writes existing pictures: leave out --{option}")
    if is_source and not expanded(where).is_dir():
        problem = f"{layout.name} needs a run or a packed dataset, and {where} is a source of characters"
        raise UsageError(f"{problem}: run `specsia build {argument(where)} --out RUN` first, then export RUN")
    if request.dry_run:
        raise UsageError(f"{layout.name} writes existing pictures, so --dry-run does not apply")
    require_vacant(out)
    parts, facts = (_of_run if is_run else _of_dataset)(where, layout, request.backend)
    short_list(layout, [part.split for part, _ in parts], request.views.strict)
    packed = pack(PackTarget(layout, out), parts, in_processes(workers, advance), facts)
    return _result(request, layout, parts, packed)


def _result(request: Request, layout: Layout, parts: Sequence[tuple[Part, str]], packed: Packed) -> Export:
    if not packed.written and not packed.kept:
        reasons = [missed.reason for missed in packed.missed.values()] or ["it has no rows"]
        raise SpecsiaError(f"nothing of {request.where} is written: {reasons[0]}")
    written = [part for part, _ in parts if part.key not in packed.missed]
    rows = sum(member.rows for part in written for member in part.members)
    short = short_list(layout, [part.split for part in written])
    first = next((part.key for part in written if part.split == "train"), written[0].key)
    count = packed.written + packed.kept
    return Export(layout, count, rows, packed.missed, first, packed.kept, [short] if short else [])


def _stated(views: ViewOptions) -> str | None:
    """The first option of views that the user stated."""
    options = views._replace(strict=False)._asdict().items()
    return next((name for name, value in options if value not in (None, (), False)), None)


def _is_source(where: str) -> bool:
    """Whether a place holds characters rather than rows."""
    if where.startswith("sample:"):
        return True
    path = expanded(where)
    if "://" in where or not path.exists():
        return False
    return path.is_file() or not (is_tree(path) or any((path / name).exists() for name in (DATA, SUMS_FILE)))


def _draws(layout: ViewLayout, request: Request, is_run: bool, is_source: bool) -> bool:
    """Whether views are drawn, which are not there; UsageError if they cannot be."""
    stated = _stated(request.views._replace(seed=None, limit=None)) is not None
    if is_source or (is_run and (layout.shows != "pairs" or stated)):
        return True
    if is_run or (layout.shows == "pairs" and not stated):
        return False
    run = expanded(request.where).parent
    if paths_of(run).config.is_file():
        place = f"the run: `specsia export {argument(run)} --layout {layout.name}`"
    else:
        source = open_dataset(request.where).settings().get("source")
        place = f"the run that it was packed from, or its source{f', {source}' if source else ''}"
    problem = f"{request.where} holds pictures, and views of {layout.name} are drawn from characters"
    raise UsageError(f"{problem}: give {place}")


def _draw(
    layout: ViewLayout, request: Request, is_run: bool, workers: int, advance: Callable[[int], None]
) -> Export:
    """Draw characters in a layout of views; a folder of the same layout is brought up to date."""
    out, work = request.out, work_beside(request.out)
    if request.backend is not None:
        raise UsageError(f"{layout.name} shows characters, not reconstructions: leave out --backend")
    record = folder_record(out) if out.is_dir() else None
    is_same = record is not None and record.get("layout") == layout.name
    if not is_same:
        require_vacant(out)
    layout, parts, facts, notes = plan(request.where, layout, request.views, work, is_run)
    if request.dry_run:
        guess = estimate(layout, parts, workers)
        return Export(layout, len(parts), sum(part.members[0].rows for part, _ in parts), {}, estimate=guess)
    target = PackTarget(layout, out, work / PARTS_STATE)
    if is_current(target, folder_fingerprint(layout, parts, facts)) == {}:
        packed = Packed(0, len(parts), {})
    else:
        work.mkdir(parents=True, exist_ok=True)
        packed = pack(target, parts, drawn_in_processes(workers, BuildConfig(), advance), facts)
    warnings = {part.key: recorded(part.facts.get("warnings", ())) for part, _ in records(work / PARTS_STATE)}
    result = _result(request, layout, parts, packed)
    return replace(result, notes=(*notes, *result.notes), warnings=warnings)


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
    elif lacking := sorted({*layout.layers_for(config.clips)} - {*layers_of(config.clips)}):
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
