"""What a person sees while a build runs: its stages on standard error, and counts of each."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

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
    """What a stage counts."""
    return "clip" if stage.per_clip else "char"


@dataclass(frozen=True)
class StageSummary:
    """What one stage (of one backend) did.

    Attributes:
        made: characters built now.
        kept: characters that were up to date.
        failed: characters that failed or were quarantined now.
        seconds: that workers were at it, in all.
    """

    stage: str
    backend: str | None
    made: int
    kept: int
    failed: int
    seconds: float


@dataclass
class StageTally:
    """Characters or clips of a stage that were made, kept and failed, where some of them took more than one attempt.

    Attributes:
        seconds: that workers were at it, in all.
    """

    made: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    seconds: float = 0.0

    def add(self, other: StageTally) -> None:
        """Count one more attempt."""
        self.made = (self.made | other.made) - other.failed
        self.failed = (self.failed | other.failed) - other.made
        self.kept = (self.kept | other.kept) - self.made - self.failed
        self.seconds += other.seconds

    def summary(self, stage: str, backend: str | None) -> StageSummary:
        """Of a stage and its backend, by their names."""
        return StageSummary(stage, backend, len(self.made), len(self.kept), len(self.failed), self.seconds)


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
        """One line, made printable, above what moves."""
        screen.say(line)

    def stage_done(self, done: StageSummary, again: bool = False) -> None:
        """The closing line of a stage, where no table shows it; of one done `again` for some, what it made again."""
        worked = bool(done.made or done.failed)
        if screen.above or (again and not worked):
            return
        name = done.stage if done.backend is None else f"{done.stage} {done.backend}"
        kept = f", {done.kept} up to date" if done.kept and not again else ""
        failed = f", {done.failed} left out" if done.failed else ""
        taken = f" in {done.seconds:.1f} s of work" if worked else ""
        self.say(f"{name:<20} {done.made} built{' again' if again else ''}{kept}{failed}{taken}")
