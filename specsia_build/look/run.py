"""A run as a gallery of characters or clips; artefacts are compared with the source where it is there."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from specsia_build.characters.character import Entry, id_order_key
from specsia_build.config import NONE, BuildConfig, backend_name
from specsia_build.dataset import schema, splits
from specsia_build.dataset.layers import LINE, frame_file, view_file
from specsia_build.errors import DamagedError, SpecsiaError, argument, plural, some
from specsia_build.files.records import parse_json, remembered_json
from specsia_build.frame import view_yaws
from specsia_build.look.items import (
    IOU,
    RESULT_LAYERS,
    TARGET,
    TARGET_LAYERS,
    FailedItem,
    Gallery,
    Item,
    Side,
)
from specsia_build.pipeline.failures import Failure, concerning, read_failures
from specsia_build.pipeline.plan import judge_character
from specsia_build.pipeline.run import Run, RunPaths, open_run
from specsia_build.pipeline.selection import source_of
from specsia_build.pipeline.store import file_fingerprint, read_artefact
from specsia_build.stages import project, render
from specsia_build.stages.clips import carry, draw, motions, move
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import CharacterStage, Clip, Meta
from specsia_build.warning import recorded

CLIP_FILES = {
    schema.GT: schema.GT,
    schema.COLOR: schema.COLOR,
    schema.GT_MASK: schema.MASK,
    schema.POS: schema.POS,
    LINE: LINE,
}
"""Layers of a clip's clean frames, and the names of their files; which there are depends on the layouts."""


@dataclass(frozen=True)
class TaskTime:
    """Latest time of one stage of one character or clip, from the log."""

    stage: str
    backend: str | None
    id: str
    seconds: float
    peak_mb: float


@dataclass(frozen=True)
class RunFacts:
    """Facts about a run besides its pictures."""

    config: BuildConfig
    paths: RunPaths
    times: tuple[TaskTime, ...]
    packed: bool


@dataclass(frozen=True)
class RunReader:
    """Reads pictures of a run's artefacts, and those kept of quarantined characters."""

    paths: RunPaths
    moving: bool

    def read(
        self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]
    ) -> dict[str, list[bytes]]:
        clean, result = (draw.DRAW, move.MOVE) if self.moving else (render.RENDER, project.PROJECT)
        backend = None if side == TARGET else side
        file_of = frame_file if self.moving else view_file
        names = {}
        for layer in layers:
            stem = CLIP_FILES[layer] if self.moving and backend is None else layer
            names[layer] = [file_of(stem, k) for k in frames]
        path = self.paths.artefact(clean if backend is None else result, backend, item)
        if file_fingerprint(path) is not None:
            files = read_artefact(path, item).files
            try:
                return {layer: list(map(files.__getitem__, of_layer)) for layer, of_layer in names.items()}
            except KeyError as error:
                raise DamagedError(f"the artefact {path} has no {error.args[0]}") from error
        for stage in character_stages():
            if (folder := self.paths.pictures(stage.name, backend, item)).is_dir():
                pictures: dict[str, list[bytes]] = {}
                try:
                    for layer, of_layer in names.items():
                        pictures[layer] = [(folder / name).read_bytes() for name in of_layer]
                    return pictures
                except OSError as error:
                    raise SpecsiaError(f"{folder} cannot be read: {error.strerror}") from error
        raise DamagedError(f"the artefact {path} is not there: build again")


def entries_of(config: BuildConfig, paths: RunPaths) -> dict[str, Entry]:
    """Characters of a run's source whose files are there, by id. Raises SpecsiaError without the source."""
    entries = [entry for entry in source_of(config, paths).entries if entry.problem is None]
    return {entry.id: entry for entry in entries if entry.sample is not None or entry.path.exists()}


@dataclass
class _Survey:
    """Looks at the artefacts of one character after the other; counts those that are outdated or damaged."""

    run: Run
    # Characters to compare with; what was built needs neither its source nor its backends
    entries: Mapping[str, Entry] = field(default_factory=dict)
    reason: str = "their files are missing"  # Why other characters are not compared
    # Whether each artefact of a character is up to date, by its path; empty if it is not compared
    current: Mapping[Path, bool] = field(default_factory=dict)
    outdated: Counter[str] = field(default_factory=Counter)
    damaged: list[str] = field(default_factory=list)

    def look_at(self, ids: Iterable[str]) -> Iterator[str]:
        """Yield the characters, each after its artefacts were compared with the source."""
        run = self.run
        for key in ids:
            self.run, self.current = run.at_once(), {}
            try:
                judged = judge_character(self.run, self.entries[key]) if key in self.entries else ()
                self.current = {task.path: current for task, _, current in judged}
            except SpecsiaError as error:
                self.entries, self.reason = {}, str(error)
            yield key

    def meta(self, stage: CharacterStage, backend: str | None, key: str) -> Meta | None:
        """Metadata of an artefact that is readable and not outdated."""
        path = self.run.paths.artefact(stage, backend, key)
        meta = self.run.index.meta(path)
        if meta is None:
            if self.run.index.exists(path):
                self.damaged.append(str(path))
            return None
        if not self.current.get(path, True):
            self.outdated[f"{stage.name} {backend or ''}".rstrip()] += 1
            return None
        return meta

    def characters(self, ids: Iterable[str], split_of: Mapping[str, str]) -> Iterator[Item]:
        """Rendered characters, with the reconstructions that are up to date."""
        views = self.run.config.views
        for key in self.look_at(ids):
            rendered = self.meta(render.RENDER, None, key)
            if rendered is None:
                continue
            sides, warnings = {TARGET: Side(TARGET, TARGET_LAYERS)}, [*rendered["warnings"]]
            for name in self.run.backends:
                projected = self.meta(project.PROJECT, name, key)
                if projected is not None:
                    sides[name] = _projected(name, projected)
                    warnings += projected["warnings"]
            yield Item(
                id=rendered["id"],
                character=rendered["id"],
                split=split_of[key],
                frames=views,
                sides=sides,
                yaws=tuple(camera["yaw_deg"] for camera in rendered.get("cameras", ())) or view_yaws(views),
                license=rendered["license"],
                credit=rendered["source"],
                warnings=tuple(map(str, recorded(warnings))),
                numbers={name: rendered[name] for name in ("fit", "outline_px", "outline_grey")},
            )

    def clips(self, ids: Iterable[str], split_of: Mapping[str, str], planned: list[Clip]) -> Iterator[Item]:
        """Drawn clips, with reconstructions that are up to date; `planned` receives all clips of the run."""
        settings = self.run.config.clips
        backends = self.run.backends if settings is not None and settings.pairs else []
        for character in self.look_at(ids):
            plan = self.meta(motions.MOTIONS, None, character)
            if plan is None:
                continue
            clips = motions.clips_of(plan)
            planned += clips
            carried = (self.meta(carry.CARRY, name, character) or {} for name in backends)
            warnings = [warning for meta in (plan, *carried) for warning in meta.get("warnings", ())]
            for clip in clips:
                clean = self.meta(draw.DRAW, None, clip.id)
                if clean is None:
                    continue
                sides = {TARGET: Side(TARGET, _layers(clean))}
                for name in backends:
                    moved = self.meta(move.MOVE, name, clip.id)
                    if moved is not None:
                        sides[name] = Side(name, RESULT_LAYERS, {IOU.key: tuple(moved["iou"])})
                yield Item(
                    id=clip.id,
                    character=character,
                    split=split_of[character],
                    frames=clip.frames,
                    sides=sides,
                    fps=1.0 if settings is None else settings.fps,
                    action=clip.action,
                    license=clean["license"],
                    credit=clean["source"],
                    warnings=tuple(map(str, recorded((*warnings, *clean["warnings"])))),
                    numbers={name: clean[name] for name in ("outline_px", "outline_grey")},
                )


def _projected(name: str, meta: Meta) -> Side:
    registration = meta["registration"]
    names = {"scale": "scale", "pitch": "pitch_deg", "yaw": "yaw_deg"}
    facts = {name: registration[key] for name, key in names.items()}
    facts |= dict(zip("xyz", registration["translation"], strict=True))
    facts["frontal_before"] = meta["frontal_iou_before"]
    return Side(name, RESULT_LAYERS, {IOU.key: tuple(meta["iou"])}, facts)


def _layers(clean: Meta) -> tuple[str, ...]:
    """Layers to show of a clip's frames: colour and position only without Y*, which is drawn from them."""
    files = {name.rpartition("_")[0] for name in clean["files"]}
    hidden = {schema.COLOR, schema.POS} if schema.GT in files else set()
    return tuple(layer for layer, file in CLIP_FILES.items() if file in files and layer not in hidden)


def gallery_of_run(config: BuildConfig, paths: RunPaths) -> tuple[Gallery, RunFacts]:
    """Open the gallery of a run, and collect facts for its report."""
    split_of = splits.from_json(paths.splits)
    left_out = remembered_json(paths.left_out)
    without = set(map(str, left_out)) if isinstance(left_out, list) else set()
    ids = [key for key in sorted(split_of, key=id_order_key) if key not in without]
    moving, planned = config.clips is not None, list[Clip]()
    missing = []
    if skipped := len(split_of) - len(ids):
        count = plural(skipped, "character")
        missing.append(f"{count} of the source left out by --limit, --exclude or --shard.")
    with open_run(config, paths) as run:
        survey = _Survey(run)
        try:
            survey.entries = entries_of(config, paths)
        except SpecsiaError as error:
            survey.reason = str(error)
        items = list(survey.clips(ids, split_of, planned) if moving else survey.characters(ids, split_of))
    if unknown := [item.id for item in items if item.character not in survey.entries]:
        names = f"{some(unknown)} ({survey.reason})"
        missing.append(f"Not compared with the source and the present settings: {names}.")
    failures = concerning(read_failures(paths.failures), ids, run.backends)
    times = read_times(paths.log, {*split_of, *(clip.id for clip in planned)})
    seconds = Counter[str]()
    for time in times:
        seconds[time.id] += time.seconds  # type: ignore[assignment]
    for k, item in enumerate(items):
        if item.id in seconds:
            items[k] = replace(item, numbers={**item.numbers, "seconds": seconds[item.id]})
    facts = RunFacts(config, paths, times, (paths.dataset / schema.BUILD_FILE).is_file())
    command = f"{config.command} --out {argument(paths.out)}"
    expected = [clip.id for clip in planned] if moving else ids
    gallery = Gallery(
        kind="run",
        where=str(paths.root),
        title=source_name(config),
        lead=_lead(config, items),
        moving=moving,
        items=tuple(items),
        failed=tuple(_failed_item(failure, paths, command) for failure in failures),
        measures=(IOU,) if not moving or any(len(item.sides) > 1 for item in items) else (),
        reader=RunReader(paths, moving),
        missing=(*missing, *_missing(survey, items, expected, failures, facts)),
        go_on=command,
    )
    return gallery, facts


def source_name(config: BuildConfig) -> str:
    """Name of a run's source without its path."""
    return config.source if config.source.startswith("sample:") else Path(config.source).name or "source"


def _lead(config: BuildConfig, items: Sequence[Item]) -> str:
    size = f"{config.size}×{config.size} px"
    makers = ", ".join(dict.fromkeys(name for item in items for name in item.sides if name != TARGET))
    if config.clips is None:
        content = f"{plural(len(items), 'character')}, {plural(config.views, 'view')} of {size}"
    else:
        clips, frames = plural(len(items), "clip"), plural(sum(item.frames for item in items), "frame")
        characters = plural(len({item.character for item in items}), "character")
        content = f"{clips} of {characters}, {frames} of {size}"
    return f"{content}, reconstructed by {makers}." if makers else f"{content}."


def _missing(
    survey: _Survey,
    items: Sequence[Item],
    expected: Sequence[str],
    failures: Sequence[Failure],
    facts: RunFacts,
) -> Iterator[str]:
    """Sentences on what a complete run would also have."""
    config = facts.config
    noun, first = ("character", render.RENDER) if config.clips is None else ("clip", draw.DRAW)
    for name, count in survey.outdated.items():
        origin = "made with other settings or versions; a build makes them again"
        yield f"{plural(count, 'artefact')} of {name} {origin}."
    failed = {failure.key for failure in failures if failure.backend is None}
    waiting = len(set(expected) - failed - {item.id for item in items}) - survey.outdated[first.name]
    if waiting > 0:
        yield f"{plural(waiting, noun)} of {len(expected):,} not built yet."
    pairs = config.clips is None or config.clips.pairs
    for name in map(backend_name, config.backends if pairs else ()):
        failed_there = {failure.key for failure in failures if failure.backend == name}
        without = [item for item in items if name not in item.sides and item.id not in failed_there]
        if without:
            yield f"{plural(len(without), noun)} without a result of {name} yet."
    if config.keep == NONE:
        dataset = argument(facts.paths.dataset)
        yield f"Pictures are not kept (--keep none): specsia report {dataset} shows what is packed."
    if survey.damaged:
        yield f"Damaged, made again by the next build: {some(survey.damaged)}"
    if not facts.packed and config.clips is None:
        yield "Nothing is packed yet, so there is no dataset to load."


def _failed_item(failure: Failure, paths: RunPaths, command: str) -> FailedItem:
    side, frames = None, 0
    if failure.backend is not None and failure.details is not None:
        folder = paths.pictures(failure.stage, failure.backend, failure.id)
        if paths.root / failure.details == folder:
            while (folder / view_file(schema.COLOR, frames)).is_file():
                frames += 1
        layers = tuple(layer for layer in RESULT_LAYERS if (folder / view_file(layer, 0)).is_file())
        side = Side(failure.backend, layers) if frames else None
    return FailedItem(
        key=failure.key,
        id=failure.id,
        stage=failure.stage,
        backend=failure.backend,
        reason=failure.reason,
        details=failure.details,
        command=f"{command} --low-iou keep" if failure.may_be_kept else command,
        side=side,
        frames=frames,
    )


def read_times(log: Path, ids: set[str]) -> tuple[TaskTime, ...]:
    """Read the latest time of each task from a run's log, in its order; damaged lines are left out."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    latest: dict[tuple[str, str | None, str], TaskTime] = {}
    for line in lines:
        # A build that is killed while it writes leaves half a line.
        with suppress(SpecsiaError, KeyError, TypeError, ValueError):
            record = parse_json(line, log.name)
            key = record["stage"], record["backend"], record["id"]
            if not record["id"] or record["id"] in ids:
                latest[key] = TaskTime(*key, float(record["seconds"]), float(record["peak_mb"]))
    return tuple(latest.values())
