"""How long a build will take yet, from what was seen of it while somebody looked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LEAST_ENDED = 10
"""Tasks that must have been seen to end before they say how fast a build is."""

LEAST_SECONDS = 10.0
"""That these must have taken."""

_MOST_KEPT = 200
"""Looks that are remembered: what was long ago says less about what comes."""

_PATIENCE, _LEAST_PATIENCE = 5, 30.0
"""Times as long as between two looks that something ended before, and seconds, after which a build may have stopped."""


@dataclass(frozen=True)
class Left:
    """What is left of a build.

    Attributes:
        seconds: that it takes yet.
        good: for so many seconds, if nothing else ends.
    """

    seconds: float
    good: float


@dataclass
class Pace:
    """What was seen to end of a build, look by look."""

    _ended: dict[str, int] | None = None
    _looks: list[tuple[float, dict[str, int]]] = field(default_factory=list)

    def look(self, now: float, ended: Mapping[str, int]) -> None:
        """Take in how many tasks of each stage have ended by now, in seconds of a clock that is never put back."""
        before, self._ended = self._ended, dict(ended)
        # When what is there at first was made, nobody saw: the time runs from the first look at which more was there.
        if before is None or before == ended:
            return
        again = any(ended.get(stage, 0) < count for stage, count in before.items())
        if again or (self._looks and now - self._looks[-1][0] > self._patience()):
            self._looks.clear()
        self._looks = [*self._looks[-_MOST_KEPT:], (now, dict(ended))]

    def left(self, waiting: Mapping[str, int | None], seconds: Mapping[str, float]) -> Left | None:
        """How long the rest takes at this pace.

        Args:
            waiting: tasks that are left of each stage, None where nobody knows.
            seconds: that one of them takes on average, as far as it is known.

        Returns:
            None where too little was seen, a stage waits of which nothing is known, or nothing waits.
        """
        known = {stage: count for stage, count in waiting.items() if count is not None}
        open_stages = {stage: count for stage, count in known.items() if count}
        if not self._looks or not open_stages or len(known) < len(waiting) or not open_stages.keys() <= seconds.keys():
            return None
        (began, first), (ended, last) = self._looks[0], self._looks[-1]
        seen = {stage: count - first.get(stage, 0) for stage, count in last.items()}
        worked = sum(count * seconds.get(stage, 0.0) for stage, count in seen.items())
        if sum(seen.values()) < LEAST_ENDED or ended - began < LEAST_SECONDS or not worked:
            return None
        work = sum(count * seconds[stage] for stage, count in open_stages.items())
        return Left(work / worked * (ended - began), self._patience())

    def _patience(self) -> float:
        between = (self._looks[-1][0] - self._looks[0][0]) / max(1, len(self._looks) - 1)
        return max(_LEAST_PATIENCE, _PATIENCE * between)
