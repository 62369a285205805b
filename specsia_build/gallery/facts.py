"""What the page knows of a run, without its pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from specsia_build.config import BuildConfig, backend_name
from specsia_build.gallery.items import Item
from specsia_build.pipeline.failures import Failure


@dataclass(frozen=True)
class PackedFacts:
    """The packed dataset.

    Attributes:
        rows: by backend name and split.
        current: whether it holds what is built now.
        specsia: version that packed it.
    """

    rows: Mapping[str, Mapping[str, int]]
    current: bool
    specsia: str


@dataclass(frozen=True)
class TaskTime:
    """The latest time that one stage of one character took.

    Attributes:
        seconds: wall time.
        parts: of it, by part of the work.
        peak_mb: largest resident memory of the worker so far.
        failed: whether it gave no artefact.
    """

    stage: str
    backend: str | None
    id: str
    seconds: float
    parts: Mapping[str, float]
    peak_mb: float
    failed: bool


@dataclass(frozen=True)
class Facts:
    """All about a run.

    Attributes:
        root: its folder.
        out: what its `--out` names, that folder or a URL.
        source: name of its source, free of paths.
        config: its settings.
        splits: split of each id of the source.
        left_out: ids that the latest build was told to leave out; nothing else is told of them.
        made: the rendered characters with those reconstructions that are up to date, in the order of their ids.
        outdated: artefacts by stage and backend that later changes have overtaken; not counted as built.
        damaged: artefacts that do not read, relative to the run; not counted as built.
        packed: the dataset, or None.
        failures: on record.
        times: of each task, in the order of stage, backend and id.
        unreadable: lines of the log that are damaged.
    """

    root: Path
    out: str
    source: str
    config: BuildConfig
    splits: Mapping[str, str]
    left_out: Collection[str]
    made: tuple[Item, ...]
    outdated: Mapping[str, int]
    damaged: tuple[str, ...]
    packed: PackedFacts | None
    failures: tuple[Failure, ...]
    times: tuple[TaskTime, ...]
    unreadable: int

    @property
    def backends(self) -> tuple[str, ...]:
        """Names, the first the default."""
        return tuple(backend_name(spec) for spec in self.config.backends)
