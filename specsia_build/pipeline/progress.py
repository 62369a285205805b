"""Progress of a build on standard error: a bar for each stage, and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal

from specsia_build.characters.character import id_order_key
from specsia_build.errors import some
from specsia_build.stages.stage import CharacterStage
from specsia_build.terminal import progress, screen
from specsia_build.terminal.progress import Bar

_MOST_NAMED = 12


def named(ids: Collection[str]) -> str:
    """Characters by their ids in order, the first few of many."""
    return some(sorted(ids, key=id_order_key), _MOST_NAMED)


def unit_of(stage: CharacterStage) -> str:
    """Noun that a stage counts."""
    return "clip" if stage.per_clip else "char"


@dataclass(frozen=True)
class StageSummary:
    """Result of one stage (of one backend).

    Attributes:
        made: characters built now.
        kept: characters that were up to date.
        failed: characters that failed or were quarantined now.
        seconds: total time of workers.
    """

    stage: str
    backend: str | None
    made: int
    kept: int
    failed: int
    seconds: float


@dataclass
class StageTally:
    """Results of a stage by key of the character or clip; some of them took more than one attempt.

    Attributes:
        seconds: total time of workers.
    """

    ends: dict[str, Literal["made", "kept", "failed"]] = field(default_factory=dict)
    seconds: float = 0.0

    def keep(self, keys: Iterable[str]) -> None:
        """Count what was up to date, unless an earlier attempt made it or failed."""
        for key in keys:
            self.ends.setdefault(key, "kept")

    def add(self, other: StageTally) -> None:
        """Count one more attempt."""
        self.keep(key for key, end in other.ends.items() if end == "kept")
        self.ends |= {key: end for key, end in other.ends.items() if end != "kept"}
        self.seconds += other.seconds

    def summary(self, stage: str, backend: str | None) -> StageSummary:
        """Counts of a stage and its backend, by their names."""
        count = Counter(self.ends.values())
        return StageSummary(stage, backend, count["made"], count["kept"], count["failed"], self.seconds)


class Progress:
    """Stages that move where standard error is a terminal, one line a stage elsewhere."""

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

    def stage_done(self, done: StageSummary, again: bool = False) -> None:
        """Print the closing line of a stage, where no table shows it; `again` for one that was done again for some."""
        worked = bool(done.made or done.failed)
        if screen.above or (again and not worked):
            return
        name = done.stage if done.backend is None else f"{done.stage} {done.backend}"
        kept = f", {done.kept} up to date" if done.kept and not again else ""
        failed = f", {done.failed} left out" if done.failed else ""
        seconds = f" in {done.seconds:.1f} s of work" if worked else ""
        self.say(f"{name:<20} {done.made} built{' again' if again else ''}{kept}{failed}{seconds}")
