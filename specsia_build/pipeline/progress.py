"""Counts of a build by stage, and the line that ends each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Literal

from specsia_build.characters.character import id_order_key
from specsia_build.errors import some
from specsia_build.terminal import screen


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


def stage_done(done: StageSummary) -> None:
    """Print the closing line of a stage, unless a table shows it."""
    if screen.above:
        return
    name = done.stage if done.backend is None else f"{done.stage} {done.backend}"
    kept = f", {done.kept} up to date" if done.kept else ""
    failed = f", {done.failed} left out" if done.failed else ""
    seconds = f" in {done.seconds:.1f} s of work" if done.made or done.failed else ""
    screen.say(f"{name:<20} {done.made} built{kept}{failed}{seconds}")
