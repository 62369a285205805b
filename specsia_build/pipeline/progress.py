"""Progress of a build on standard error: a bar for each stage, and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal

from specsia_build.characters.character import id_order_key
from specsia_build.errors import some
from specsia_build.terminal import progress, screen
from specsia_build.terminal.progress import Bar


def named(ids: Collection[str]) -> str:
    """Characters by their ids in order, the first twelve of many."""
    return some(sorted(ids, key=id_order_key), 12)


@dataclass(frozen=True)
class StageSummary:
    """Characters of one stage (of one backend) that were made now, kept, or failed now, and the workers' total time."""

    stage: str
    backend: str | None
    made: int
    kept: int
    failed: int
    seconds: float


@dataclass
class StageTally:
    """Results of a stage by key of the character or clip, and the workers' total time."""

    ends: dict[str, Literal["made", "kept", "failed"]] = field(default_factory=dict)
    seconds: float = 0.0

    def keep(self, keys: Iterable[str]) -> None:
        """Count what was up to date, unless an earlier attempt made it or failed."""
        for key in keys:
            self.ends.setdefault(key, "kept")

    def summary(self, stage: str, backend: str | None) -> StageSummary:
        count = Counter(self.ends.values())
        return StageSummary(stage, backend, count["made"], count["kept"], count["failed"], self.seconds)


class Progress:
    """Stages that move if standard error is a terminal, one line a stage elsewhere."""

    def stages(self) -> AbstractContextManager[None]:
        """Context in which the bars of `bar` form one table, which stays on the terminal."""
        return progress.stages()

    def bar(
        self, name: str, total: int | None, unit: str = "char", backend: str | None = None, kept: int = 0
    ) -> AbstractContextManager[Bar]:
        """Bar of a stage with `total` units besides those `kept`; yields what advances it."""
        return progress.bar(name, total, unit, backend or "", kept)

    def say(self, line: str) -> None:
        """Print one line, made printable, above what moves."""
        screen.say(line)

    def stage_done(self, done: StageSummary) -> None:
        """Print the closing line of a stage, unless a table shows it."""
        if screen.above:
            return
        name = done.stage if done.backend is None else f"{done.stage} {done.backend}"
        kept = f", {done.kept} up to date" if done.kept else ""
        failed = f", {done.failed} left out" if done.failed else ""
        seconds = f" in {done.seconds:.1f} s of work" if done.made or done.failed else ""
        self.say(f"{name:<20} {done.made} built{kept}{failed}{seconds}")
