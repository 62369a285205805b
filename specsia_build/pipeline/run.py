"""A run: its paths, settings, steps and artefacts; the only module that knows what lies below `--out`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from specsia_build.backends.base import Backend
from specsia_build.backends.registry import absolute_spec, load_backend
from specsia_build.config import (
    DEFAULT_OUT,
    BuildConfig,
    ClipSettings,
    backend_name,
    read_settings,
    with_settings,
)
from specsia_build.errors import UsageError, meant, spelled
from specsia_build.files.names import file_name
from specsia_build.folders import RUN_MARK, expanded, shipped
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.registry import defaults_of, load_layouts
from specsia_build.pipeline.store import Index, open_index
from specsia_build.stages.clips import draw, move
from specsia_build.stages.pack import PACK
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import CharacterStage, Meta, character_of


class _Below:
    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, paths: RunPaths, _: object = None) -> Path:
        return paths.root / self._name


@dataclass(frozen=True)
class RunPaths:
    """Paths of a run below `root`; if `--out` is a `url`, the dataset is packed here and then sent there."""

    root: Path
    url: str | None = None

    # Marks the folder as a run's, with the version that wrote it.
    mark = _Below(RUN_MARK)
    # Effective settings, and the frozen splits of the source's ids.
    config = _Below("config.yaml")
    splits = _Below("splits.json")
    # A JSON object a line: failed and quarantined characters; seconds and memory of each artefact; warnings.
    failures = _Below("failures.jsonl")
    log = _Below("logs/tasks.jsonl")
    warnings = _Below("logs/warnings.jsonl")
    # Output of the backends' own processes.
    worker_logs = _Below("logs/workers")
    index = _Below("state/index.sqlite")
    # Ids of the source that the latest build left out, a JSON list.
    left_out = _Below("state/left-out.json")
    # Held by the command that builds here.
    lock = _Below("state/lock")
    # Procedural characters that this run wrote.
    source = _Below("source")
    artefacts = _Below("artefacts")
    dataset = _Below("dataset")
    report = _Below("report.html")

    @property
    def out(self) -> str:
        """Value of `--out`: a folder or a URL."""
        return self.url or str(self.root)

    @property
    def written(self) -> tuple[Path, ...]:
        """Folders that hold nothing but what builds write file by file."""
        return (self.artefacts, self.source, *(self.root / name for name in ("logs", "quarantine", "state")))

    def artefact(self, stage: CharacterStage, backend: str | None, key: str) -> Path:
        """Artefact of a character or clip, and of a backend by its name if each has its own."""
        return _artefact(self.root, stage, backend if stage.per_backend else None, key)

    def packed(self, name: str, backend: str | None = None) -> Path:
        """Folder of a layout: of the characters, or of a backend's reconstructions of them."""
        return self.root / (name if backend is None else f"{name}-{backend}")

    def packed_state(self, folder: str) -> Path:
        """Records of the parts of a layout's folder."""
        return self.root / "state" / "packed" / f"{folder}.jsonl"

    def details(self, stage: str, backend: str | None, key: str) -> Path:
        """Traceback, or a reason that is too long to be shown."""
        return self.root.joinpath("logs", *_names(stage, backend), f"{_id(key)}.txt")

    def pictures(self, stage: str, backend: str | None, key: str) -> Path:
        """Folder of the pictures of a quarantined character."""
        return self.root.joinpath("quarantine", *_names(stage, backend), _id(key))


@lru_cache(maxsize=1 << 12)
def _artefact(root: Path, stage: CharacterStage, backend: str | None, key: str) -> Path:
    """An artefact's place, in one of 256 folders a stage, so that no folder grows too large.

    Cached, as planning a character asks for each place several times.
    """
    fan = hashlib.sha256((character_of(key) if stage.per_clip else key).encode()).hexdigest()[:2]
    return root.joinpath("artefacts", *_names(stage.name, backend), fan, f"{_id(key)}.tar")


def _names(stage: str, backend: str | None) -> list[str]:
    return [stage] if backend is None else [stage, file_name(backend, "backend's name")]


def _id(key: str) -> str:
    return file_name(key, "character's id")


def paths_of(out: str | Path) -> RunPaths:
    """Paths of a run in a folder, or at an fsspec URL, whose local folder is `./specsia-out-NAME-HASH`."""
    url = str(out).rstrip("/")
    scheme, separator, path = url.partition("://")
    if isinstance(out, Path) or not separator:
        return RunPaths(Path(out))
    if scheme in ("file", "local"):
        return RunPaths(Path(path))
    name = re.sub(r"[^A-Za-z0-9._]+", "-", url.rpartition("/")[2]).strip("-.") or "run"
    return RunPaths(Path(f"{DEFAULT_OUT}-{name}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"), url)


def existing_run(folder: str | Path) -> tuple[BuildConfig, RunPaths]:
    """Settings and paths of a run; raises UsageError if the folder holds none."""
    paths = paths_of(folder)
    if not paths.config.is_file():
        problem = f"{spelled(paths.root)} holds no build: give the folder that `specsia build --out` wrote"
        raise UsageError(problem)
    return with_settings(BuildConfig(), read_settings(paths.config), str(paths.config)), paths


def named_settings(name: str) -> Path:
    """Return the file that `--config` names: a path, or settings of the package; UsageError if neither."""
    settings = {path.stem: path for path in shipped("manifests").glob("*.yaml")}
    path = Path(name) if Path(name).is_file() else settings.get(name, Path(name))
    if not path.is_file():
        names = f"{', '.join(sorted(settings))}.{meant(name, settings)}"
        raise UsageError(f"--config: there is no file {name}, and no settings of that name among {names}")
    return path


def stated(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags of a command line that were given, by name."""
    return {name: value for name, value in flags.items() if value is not None and value != ()}


def _refuse_other_kind(has_clips: bool, wants_clips: bool, place: object) -> None:
    """Raise UsageError unless settings from a place are of clips exactly if clips are wanted."""
    if has_clips != wants_clips:
        kind, command = ("clips", "specsia clips") if has_clips else ("a build of stills", "specsia build")
        raise UsageError(f"{place} is of {kind}: continue it with `{command}`, or name another --out")


def _with_defaults(layouts: Sequence[str], levels: Sequence[Mapping[str, Any]]) -> BuildConfig:
    """Settings with the layouts' defaults wherever no level states a value."""
    clip_settings = {field.name for field in fields(ClipSettings)}
    stated_names = {name for level in levels for name in (*level, *(level.get("clips") or ()))}
    defaults = defaults_of(layouts, stated_names)
    of_clips = {name: value for name, value in defaults.items() if name in clip_settings}
    others = {name: value for name, value in defaults.items() if name not in clip_settings}
    others |= {"clips": of_clips} if of_clips else {}
    return with_settings(BuildConfig(), others, f"the layout {' or '.join(layouts)}")


def effective(
    source: str | None,
    out: str | Path | None,
    config_file: Path | None,
    flags: Mapping[str, Any],
    fresh: bool,
) -> tuple[BuildConfig, RunPaths]:
    """Merge settings: defaults, layouts' defaults, the folder's run (unless `fresh`), the file, the flags.

    Raises UsageError if a setting cannot be used, or only one of the flags and the run or file has `clips`.
    """
    settings = read_settings(config_file) if config_file is not None else {}
    stated_out = settings.pop("out", None)
    if not isinstance(stated_out, str | None):
        raise UsageError(f"{config_file}: out must be a folder's path")
    paths = paths_of(out if out is not None else stated_out or DEFAULT_OUT)
    before: Mapping[str, Any] = {}
    if paths.config.is_file():
        before = read_settings(paths.config)
        _refuse_other_kind(before.get("clips") is not None, "clips" in flags, spelled(paths.root))
        if fresh:
            before = {name: before[name] for name in ("source",) if name in before}
    if settings.get("clips") is not None:
        _refuse_other_kind(True, "clips" in flags, config_file)
    stated_flags = stated(flags) | ({} if source is None else {"source": source})
    levels = ((before, str(paths.config)), (settings, str(config_file)), (stated_flags, "the command line"))

    def layered(config: BuildConfig) -> BuildConfig:
        for level, where in levels:
            config = with_settings(config, level, where)
        return config

    config = layered(BuildConfig())
    config = layered(_with_defaults(config.packed_layouts, [level for level, _ in levels]))
    if not config.source.startswith("sample:") and "://" not in config.source:
        config = replace(config, source=str(expanded(config.source).absolute()))
    if config.like is not None and expanded(config.like).is_dir():
        config = replace(config, like=str(expanded(config.like).absolute()))
    return replace(config, backends=tuple(map(absolute_spec, config.backends))), paths


@lru_cache(maxsize=8)
def backend_of(spec: str) -> Backend:
    """The backend of a specification, made once per process."""
    return load_backend(spec)


class Step(NamedTuple):
    """A stage and, if each backend has its own, the backend's `NAME[:ARG]`."""

    stage: CharacterStage
    backend: str | None = None

    @property
    def name(self) -> tuple[str, str | None]:
        return self.stage.name, None if self.backend is None else backend_name(self.backend)

    @property
    def label(self) -> str:
        return " ".join(filter(None, self.name))

    def needs(self, other: Step) -> bool:
        return other.stage in self.stage.rests_on and other.backend in (None, self.backend)


def steps_of(config: BuildConfig, stages: Iterable[CharacterStage]) -> list[Step]:
    """Stages, each with its backends or with None, in the order in which they are done."""
    return [Step(stage, s) for stage in stages for s in (config.backends if stage.per_backend else (None,))]


def sources_of(layout: Layout, config: BuildConfig) -> list[tuple[str | None, ...]]:
    """The sources of each folder of a layout: backends, or None for the characters themselves."""
    names = tuple(backend_name(spec) for spec in config.backends)
    if layout.shows == "pairs":
        return [names] if layout.joins_backends else [(name,) for name in names]
    moving = config.clips is not None and config.clips.pairs and layout.shows == "both"
    return [(None,), *((name,) for name in names if moving)]


@dataclass(frozen=True)
class Run:
    """Settings and paths of a run, and a cache of its artefacts' meta data and its source files' digests."""

    config: BuildConfig
    paths: RunPaths
    index: Index = field(default_factory=Index)

    @property
    def backends(self) -> list[str]:
        return [backend_name(spec) for spec in self.config.backends]

    @property
    def steps(self) -> list[Step]:
        return steps_of(self.config, character_stages(self.config))

    @property
    def sources(self) -> list[str | None]:
        """What its layouts show: reconstructions by the name of a backend, and None, the characters."""
        layouts = load_layouts(self.config.packed_layouts)
        sets = (sources for layout in layouts for sources in sources_of(layout, self.config))
        return list(dict.fromkeys(name for sources in sets for name in sources))

    def read_by_pack(self, source: str | None) -> tuple[CharacterStage, ...]:
        """The stages whose artefacts hold the pictures of a source, see `sources`."""
        if self.config.clips is None:
            return PACK.earlier
        return (draw.DRAW,) if source is None else (draw.DRAW, move.MOVE)

    def meta(self, stage: CharacterStage, backend: str | None, key: str) -> Meta | None:
        return self.index.meta(self.paths.artefact(stage, backend, key))

    def at_once(self) -> Run:
        """The same run, which looks at each artefact only once; for a short time in which none changes."""
        return replace(self, index=self.index.snapshot())

    def apart(self) -> Run:
        """The same run with an empty index, for another process."""
        return Run(self.config, self.paths)


@contextmanager
def open_run(config: BuildConfig, paths: RunPaths, *, writes: bool = False) -> Iterator[Run]:
    """Open a run and its index; see `open_index`."""
    with open_index(paths.index, paths.artefacts, writes=writes) as index:
        yield Run(config, paths, index)
