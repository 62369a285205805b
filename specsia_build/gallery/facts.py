"""What the page knows of a run, without its pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from specsia_build.config import BuildConfig, backend_name
from specsia_build.pipeline.failures import Failure, counted


@dataclass(frozen=True)
class Result:
    """One character's reconstruction by one backend, registered.

    Attributes:
        ious: of each view, after registration.
        mean_iou: over the views.
        frontal_before: frontal IoU before registration.
        registration: parameter by name: `scale`, `pitch`, `yaw` (degrees), `x`, `y`, `z` (units).
    """

    ious: tuple[float, ...]
    mean_iou: float
    frontal_before: float
    registration: Mapping[str, float]


@dataclass(frozen=True)
class BuiltCharacter:
    """One character that is rendered.

    Attributes:
        id: of the character.
        split: it belongs to.
        outline_px, outline_grey: its contour's thickness and level.
        license, credit: as its source states them.
        fit: below 1 where it was scaled down so that no view cuts it.
        warnings: sentences about what was built all the same.
        results: by backend name; only those that are up to date.
    """

    id: str
    split: str
    outline_px: int
    outline_grey: int
    license: str | None
    credit: str | None
    fit: float
    warnings: tuple[str, ...]
    results: Mapping[str, Result]


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
        source: name of its source, free of paths.
        config: its settings.
        splits: split of each id of the source.
        left_out: ids that the latest build was told to leave out; nothing else is told of them.
        made: the rendered characters, in the order of their ids.
        outdated: artefacts by stage and backend that later changes have overtaken; not counted as built.
        damaged: artefacts that do not read, relative to the run; not counted as built.
        packed: the dataset, or None.
        failures: on record.
        times: of each task, in the order of stage, backend and id.
        unreadable: lines of the log that are damaged.
    """

    root: Path
    source: str
    config: BuildConfig
    splits: Mapping[str, str]
    left_out: Collection[str]
    made: tuple[BuiltCharacter, ...]
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

    @property
    def failed(self) -> int:
        """Characters on record as failed in any stage, not counting those quarantined for their looks alone."""
        return counted(self.failures)[0]

    @property
    def low_quality(self) -> int:
        """Characters that did not fail but are quarantined for their looks."""
        return counted(self.failures)[1]
