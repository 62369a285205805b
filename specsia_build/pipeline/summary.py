"""What a build did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from specsia_build.pipeline.failures import Failure, counted
from specsia_build.pipeline.progress import StageSummary


@dataclass(frozen=True)
class BuildSummary:
    """What a build did.

    Attributes:
        source: its name.
        characters: asked for.
        stages: in the order in which they ran.
        failures: that are on record now of its characters and backends, sorted by stage, backend and id.
        warnings: sentences about characters that were built all the same, now or before, by id.
        doubles: sentences about characters that are one file or one shape and lie in different splits.
        empty_splits: sentences about planned splits without any row.
        lacking: ids of the dataset whose characters are wanted that the source does not have.
        allowed_failures: characters that may fail.
        rows: packed by configuration, the default first; None where pack did not run.
        dataset: its folder or URL, or None.
        clips: that the characters have, None in a run of stills.
        recipes: parts that are there now by recipe; None where none was written.
        stopped: why the build stopped before its last stage, or None.
        freed: bytes of artefacts and procedural characters that were dropped, as `keep` says.
    """

    source: str
    characters: int
    stages: list[StageSummary] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    warnings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    doubles: tuple[str, ...] = ()
    empty_splits: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    allowed_failures: int = 0
    rows: Mapping[str, int] | None = None
    dataset: Path | str | None = None
    clips: int | None = None
    recipes: Mapping[str, int] | None = None
    stopped: str | None = None
    freed: int = 0

    @property
    def failed(self) -> int:
        """Characters on record as failed in any stage."""
        return counted(self.failures)[0]

    @property
    def low_quality(self) -> int:
        """Characters that did not fail but are quarantined for their looks."""
        return counted(self.failures)[1]
